//! The content of these texts, and what is wrong with others.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// The records as lines, each `number@line: field=value …` of the fields `a` and `/b/0`.
fn taken(mut input: &[u8], pointer: &str) -> Result<(Vec<String>, Summary)> {
    let pointer = Pointer::parse(pointer)?;
    let wanted = Wanted { pointer: &pointer, takes: &|name| ["a", "b"].contains(&name) };
    let fields = [Field::Name("a".to_owned()), Field::At(Pointer::parse("/b/0")?)];
    let mut lines = Vec::new();
    let summary = read(&mut input, &wanted, &mut |record, _| {
        let mut line = format!("{}@{}:", record.number, record.line);
        for field in &fields {
            if let Some(found) = record.field(field)? {
                let _ = write!(line, " {field}={}", found.shown());
            }
        }
        lines.push(line);
        Ok(())
    })?;
    Ok((lines, summary))
}

#[test]
fn records_are_found_in_every_kind_of_text() {
    for (input, pointer, wanted) in [
        ("[]", "", &[][..]),
        (r#"[{"a": 1}, {"a": 2}]"#, "", &["1@1: a=1", "2@1: a=2"]),
        ("\u{feff}[\n {\"a\": 1},\n\n {\"b\": [7]}\n]\n", "", &["1@2: a=1", "2@4: /b/0=7"]),
        (r#"{"a": 1}"#, "", &["1@1: a=1"]),
        ("{\"a\": 1}\n{\"a\": 2}\n", "", &["1@1: a=1", "2@2: a=2"]),
        ("{\"a\": 1}{\"a\": 2}", "", &["1@1: a=1", "2@1: a=2"]),
        ("{\n\"a\": 1\n}\n\n{\n\"a\": 2}\n", "", &["1@1: a=1", "2@5: a=2"]),
        (r#"{"m": {"a": [5]}, "x": [{"a": 1}]}"#, "/x", &["1@1: a=1"]),
        (r#"{"x": [{"a": 1}], "m": 1.5}"#, "/x/0", &["1@1: a=1"]),
        (r#"{"x": [{"y": 1}, {"y": [{"a": 3}]}]}"#, "/x/1/y", &["1@1: a=3"]),
        ("{\"x\": [{\"a\": 1}]}\n{\"x\": [{\"a\": 2}]}", "/x", &["1@1: a=1", "2@2: a=2"]),
        ("{\"x\": [{\"a\": 1}]}\n{\"y\": 1}\n{\"x\": null}", "/x", &["1@1: a=1"]),
        ("a,b\n1,2\n", "", &["1@2: a=1"]),
        ("b;a\r\n1;\"x\r\n;\"\"\"\r\n\r\n2;y", "", &["1@2: a=x\r\n;\"", "2@5: a=y"]),
        ("b\ta\n\"x,y\"\t 5 \n", "", &["1@2: a= 5 "]),
        ("a\n\"\"\n", "", &["1@2: a="]),
        ("a\n", "", &[]),
        ("a, b\n5\" pipe,1\n", "", &["1@2: a=5\" pipe"]),
    ] {
        let (lines, _) =
            taken(input.as_bytes(), pointer).unwrap_or_else(|error| panic!("{input}: {error:#}"));
        assert_eq!(lines, wanted, "{input}");
    }
}

#[test]
fn what_is_no_good_is_named() {
    for (input, pointer, message) in [
        ("", "", "there is nothing in it"),
        (" \n", "", "there is nothing in it"),
        ("\0\u{1}", "", "it is not text"),
        (
            "{\"format\":\"xtask-db export\",\"version\":1}\n",
            "",
            "it is an export of this tool, which already contains rows",
        ),
        ("[{\"a\": 1},\n", "", "it was cut short: what begins in line 1 ends in line 2"),
        ("{\"a\": 1}\n{\"a\": ", "", "it was cut short: what begins in line 2 ends in line 2"),
        ("{\"a\": 1}\n {\"a\" 2}", "", "line 2, column 7: expected `:`"),
        ("[{\"a\": 01}]", "", "line 1, column 9: invalid number"),
        ("[\n1]", "", "line 2, column 2: record 1 is a number, not an object"),
        ("[{\"a\": 1, \"a\": 2}]", "", "line 1, column 14: the member `a` appears twice"),
        ("{\"x\": [], \"x\": [{}]}", "/x", "line 1, column 14: the member `x` appears twice"),
        (
            "{} 5",
            "",
            "line 1, column 4: the previous document has ended, and this does not begin another",
        ),
        (
            "{}\nid,a\n",
            "",
            "line 2, column 1: the previous document has ended, and this does not begin another",
        ),
        ("a,b\n1\n", "", "line 2 has 1 fields, and the first line names 2"),
        ("a,b\n1,2\n1,2,3\n", "", "line 3 has 3 fields, and the first line names 2"),
        ("a,b\n1,\"2\n3\n", "", "it was cut short: the quotes that open in line 2 never close"),
        ("a,b\n\"1\"x,2\n", "", "line 2: more follows the quotes that close a field"),
        ("a,a\n1,2\n", "", "the first line names the column `a` twice"),
        (
            "a,b\n1,2\n",
            "/x",
            "it begins neither with `{` nor with `[`, so it is CSV, which has no pointers",
        ),
    ] {
        let error = taken(input.as_bytes(), pointer).expect_err(input);
        assert_eq!(format!("{error:#}"), message, "{input}");
    }
    let error = taken(b"[{\"a\": \"\xff\"}]", "").expect_err("no UTF-8");
    assert_eq!(format!("{error:#}"), "line 1: the text is not UTF-8");
}

#[test]
fn a_pointer_that_leads_nowhere_says_what_is_there() {
    let document = r#"{"metadata": {"count": 2, "tags": []}, "assistants": [{}, {}]}"#;
    let arrays = "there are arrays at `/metadata/tags` (0), `/assistants` (2)";
    for (pointer, what, hint) in [
        (
            "/assistent",
            "there is nothing at `/assistent`: the document is an object of `metadata`, \
             `assistants`",
            arrays,
        ),
        (
            "/metadata/count/x",
            "there is nothing at `/metadata/count/x`: `/metadata/count` is a number",
            arrays,
        ),
        ("/metadata/count", "`/metadata/count` is a number, not an array or an object", arrays),
        (
            "/assistants/7/x",
            "there is nothing at `/assistants/7/x`: `/assistants` is an array of 2",
            arrays,
        ),
    ] {
        let error = taken(document.as_bytes(), pointer).expect_err(pointer);
        let astray: &Astray = error.downcast_ref().expect("astray");
        assert_eq!((astray.what.as_str(), astray.hint.as_str()), (what, hint));
    }
    let error = taken(b"[{}]", "/x").expect_err("an array");
    let astray: &Astray = error.downcast_ref().expect("astray");
    assert_eq!(astray.hint, "there are arrays at `''` (1)");
}

#[test]
fn what_nobody_takes_is_counted() {
    let (_, summary) =
        taken(b"[{\"a\": 1, \"c\": 2}, {\"c\": null, \"d\": []}]", "").expect("read");
    let left: Vec<_> = summary.not_taken.into_iter().collect();
    assert_eq!(left, [("c".to_owned(), 2), ("d".to_owned(), 1)]);
    let (_, summary) = taken(b"{\"x\": []}\n{\"y\": 1}", "/x").expect("read");
    assert_eq!((summary.n_documents, summary.n_without), (2, 1));
}

#[test]
fn nesting_does_not_overflow_the_stack() {
    let deep = "[".repeat(1_000_000);
    for input in [deep.clone(), format!("{{\"a\": {deep}"), format!("[{{\"c\": {deep}")] {
        for pointer in ["", "/a", "/0/0/0"] {
            assert!(taken(input.as_bytes(), pointer).is_err());
        }
    }
    let closed = format!("[{{\"a\": {}{}}}]", "[".repeat(500_000), "]".repeat(500_000));
    assert_eq!(taken(closed.as_bytes(), "").expect("read").0.len(), 1);
}

proptest! {
    #[test]
    fn no_bytes_do_any_harm(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = taken(&bytes, "");
        let _ = taken(&bytes, "/a/0");
    }

    #[test]
    fn nor_does_damage(
        which in 0..4_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let (text, pointer) = [
            (&b"{\"m\": {\"a\": [1.5e3]}, \"x\": [{\"a\": \"\\u00e9\\n\", \"b\": [null]}, {}]}"[..], "/x"),
            (b"{\"a\": 1}\n{\"b\": [true, \"\xc3\xa9\"]}\n", ""),
            (b"a,b\r\n\"x \"\"y\"\"\n\",2\r\n,\r\n", ""),
            (b"[[1, 2], [\"a\", {\"b\": []}]]", ""),
        ][which];
        let mut bytes = text.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = taken(&bytes, pointer);
        // What ends early is not a document any more, and no good table either, but at the end of a
        // line.
        let cut = &text[..at];
        if which != 2 && !cut.trim_ascii_end().ends_with(b"}") {
            prop_assert!(taken(cut, pointer).is_err());
        }
    }

    #[test]
    fn csv_is_read_as_it_was_written(
        rows in proptest::collection::vec(
            proptest::collection::vec("[a-c,;\"\t\r\né ]{0,6}", 2), 0..6
        )
    ) {
        let mut text = "a,z\n".to_owned();
        for row in &rows {
            let fields = row.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\"")));
            let _ = write!(text, "{}\r\n", fields.collect::<Vec<_>>().join(","));
        }
        let mut read_back = Vec::new();
        let pointer = Pointer::default();
        let wanted = Wanted { pointer: &pointer, takes: &|_| true };
        read(&mut text.as_bytes(), &wanted, &mut |record, _| {
            let field = |name: &str| record.field(&Field::Name(name.to_owned()));
            let texts = [field("a")?, field("z")?].map(|found| match found {
                Some(Found::Quoted(text)) => text.to_owned(),
                other => panic!("{other:?}"),
            });
            read_back.push(texts.to_vec());
            Ok(())
        }).expect("read");
        prop_assert_eq!(read_back, rows);
    }
}

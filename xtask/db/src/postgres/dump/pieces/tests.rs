//! Dumps of every kind, read in parts of every size.

use proptest::prelude::*;

use super::*;

/// The pieces of a text that comes in parts of a size.
fn pieces(text: &[u8], part_bytes: usize) -> Result<Vec<(String, Vec<u8>)>> {
    let mut parts = text.chunks(part_bytes.max(1));
    let mut pieces = Pieces::of(|buffer: &mut Vec<u8>| {
        buffer.clear();
        buffer.extend_from_slice(parts.next().unwrap_or_default());
        Ok(())
    });
    let mut found = Vec::new();
    while let Some(piece) = pieces.next()? {
        let kind = match &piece {
            Piece::Definition(_) => "definition".to_owned(),
            Piece::Transaction(_) => "transaction".to_owned(),
            Piece::Version(_) => "version".to_owned(),
            Piece::Command(_) => "command".to_owned(),
            Piece::Copy(_, target) => format!("copy {}", target.name),
            Piece::Rows(_, n) => format!("rows {n}"),
            Piece::End(_) => "end".to_owned(),
        };
        found.push((kind, piece.bytes().to_vec()));
    }
    Ok(found)
}

fn check(text: &str, expected: &[&str]) {
    for part_bytes in [1, 2, 3, 7, 64, 1 << 20] {
        let found = pieces(text.as_bytes(), part_bytes).expect(text);
        let whole: Vec<u8> = found.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        assert_eq!(whole, text.as_bytes());
        // Rows may come in several pieces.
        let mut kinds: Vec<String> = found.into_iter().map(|(kind, _)| kind).collect();
        if part_bytes < text.len() {
            kinds.retain(|kind| !kind.starts_with("rows"));
            let expected = expected.iter().filter(|kind| !kind.starts_with("rows"));
            assert_eq!(kinds, expected.copied().collect::<Vec<_>>(), "{text}");
        } else {
            assert_eq!(kinds, expected, "{text}");
        }
    }
}

fn title(name: &str) -> String {
    format!("--\n-- Name: {name}; Type: TABLE; Schema: public; Owner: -\n--\n\n")
}

#[test]
fn a_dump_is_split_at_its_titles_rows_and_commands() {
    let text = format!(
        "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped from database version 15\n\
         -- Dumped by pg_dump version 15\n\nSET a = 1;\n\n{}CREATE TABLE t (\n    a text\n);\n\n\n{}\
         COPY public.t (a) FROM stdin;\n1\n\\\\.\n\\N\n\\.\n\n\n\\unrestrict abc\n\n",
        title("t"),
        title("u"),
    );
    let kinds = [
        "definition",
        "command",
        "definition",
        "version",
        "version",
        "definition",
        "definition",
        "definition",
        "copy public.t",
        "rows 3",
        "end",
        "definition",
        "command",
        "definition",
    ];
    check(&text, &kinds);
}

#[test]
fn nothing_within_a_literal_or_a_body_is_a_piece() {
    for text in [
        "CREATE FUNCTION f() AS $$\n\\! rm -rf /\nCOPY public.t (a) FROM stdin;\n\\.\n$$;\n",
        "COMMENT ON TABLE t IS 'a\n\\! rm\n--\n-- Name: x; Type: y\n--\n\\.\n';\n",
        "COMMENT ON TABLE t IS E'\\'\n\\! rm\n';\n",
        "CREATE FUNCTION f() RETURNS int\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT 1;\n SELECT 2;\nEND;\n",
        "CREATE TABLE \"\n\\! rm\n\" (a int);\n",
        "/* \n\\! rm\n*/ SELECT 1;\n",
        "AS $_$ $$\n\\! rm\n$$ $_$;\n",
        "SELECT 1\n\\! rm\n;\n",
        "AS $$\r\n\\! rm\r\n$$;\r\n",
    ] {
        check(text, &["definition"]);
    }
}

#[test]
fn transactions_and_commands_are_pieces_of_their_own() {
    check("BEGIN;\n\nSELECT 1;\n\nCOMMIT;\n", &["transaction", "definition", "transaction"]);
    check("\\connect x\nSELECT 1;\n", &["command", "definition"]);
    check("SELECT 1; -- x\n\\! rm\n", &["definition", "command"]);
}

#[test]
fn a_row_that_psql_might_misread_is_damage() {
    for rows in ["\\.\r\n", "\\.x\n", "\\. \n", "a\0b\n\\.\n", "a\n", "\\", "\\.", "a\n\\"] {
        let text = format!("COPY public.t (a) FROM stdin;\n{rows}");
        for part_bytes in [1, 2, 1 << 20] {
            let error = pieces(text.as_bytes(), part_bytes).expect_err(rows);
            assert!(error.is::<Damage>(), "{rows:?}: {error}");
        }
    }
    assert!(pieces(b"SELECT 'a", 99).expect_err("cut").is::<Damage>());
    assert!(pieces(b"COPY public.t (a) FROM PROGRAM 'rm';\n", 99).expect_err("odd").is::<Damage>());
}

#[test]
fn large_objects_are_split_at_the_end_of_a_statement() {
    let line = format!("SELECT pg_catalog.lowrite(0, '\\x{}');\n", "ab".repeat(16 << 10));
    let text = format!(
        "--\n-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -\n--\n\nBEGIN;\n{}COMMIT;\n",
        line.repeat(100)
    );
    let found = pieces(text.as_bytes(), 1 << 16).expect("pieces");
    let whole: Vec<u8> = found.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(whole, text.as_bytes());
    assert!(found.iter().all(|(_, bytes)| bytes.len() < 2 << 20), "{}", found.len());
}

/// What the lexer looks for.
const WORDS: [&str; 24] = [
    "-",
    "a",
    ";",
    "'",
    "\"",
    "$",
    "\\",
    ".",
    "\n",
    "/",
    "*",
    "E",
    " ",
    "$$",
    "$a$",
    "\\.\n",
    "\r\n",
    "BEGIN;\n",
    "COPY a.b (c) FROM stdin;\n",
    "--\n-- Name: x; Type: TABLE\n--\n",
    "é",
    "\\! x\n",
    ";\n",
    "-- Dumped by pg_dump version 1\n",
];

/// Texts that are full of it.
fn hostile_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..60)
        .prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn all_pieces_together_are_the_text(text in hostile_text(), part_bytes in 1_usize..40) {
        if let Ok(found) = pieces(text.as_bytes(), part_bytes) {
            let whole: Vec<u8> = found.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            prop_assert_eq!(whole, text.as_bytes());
        }
        // The size of the parts changes nothing.
        let kinds = |part_bytes| {
            let found = pieces(text.as_bytes(), part_bytes).map_err(|error| error.to_string())?;
            let kinds = found.into_iter().map(|(kind, _)| kind);
            Ok::<Vec<_>, String>(kinds.filter(|kind| !kind.starts_with("rows")).collect())
        };
        prop_assert_eq!(kinds(part_bytes), kinds(usize::MAX));
    }
}

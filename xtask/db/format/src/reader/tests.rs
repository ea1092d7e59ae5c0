//! An export that was written is read back equal; one that was touched is refused.

use proptest::prelude::*;

use super::*;
use crate::cell::Value;
use crate::jsonl::Jsonl;
use crate::sink::Sink;
use crate::{Csv, CsvReader, Format, Json, JsonReader, Outlet};

fn header() -> Header {
    let mut header = Header::of_settings("UTF-8".to_owned(), 0, 3);
    let table = |name: &str, rowid: Option<&str>| TableHead {
        name: name.to_owned(),
        rowid: rowid.map(str::to_owned),
        columns: vec!["a".to_owned(), "b \"\\\n".to_owned()],
        sql: Some(format!("CREATE TABLE {name} …")),
        ..TableHead::default()
    };
    header.tables = vec![table("one", None), table("none", None), table("two", Some("rowid"))];
    header
}

/// Rows, each with the number of its table.
type Numbered = Vec<(usize, Vec<Value>)>;

fn rows() -> Numbered {
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        (0, vec![Value::Integer(1), text("a\nb")]),
        (0, vec![Value::Null, Value::Real(f64::INFINITY)]),
        (2, vec![Value::Integer(7), Value::Blob(vec![0, 255]), text("")]),
    ]
}

/// Files by their names; what has no file of its own has none.
#[derive(Debug, Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>, String);

impl Outlet for Files {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        if !bytes.is_empty() {
            self.0.entry(self.1.clone()).or_default().extend_from_slice(bytes);
        }
        Ok(())
    }

    fn begin_file(&mut self, name: &str) -> Result<()> {
        name.clone_into(&mut self.1);
        Ok(())
    }
}

fn written() -> Vec<u8> {
    written_by(&mut Jsonl::default()).0.remove("").expect("a file")
}

fn written_by(jsonl: &mut dyn Format) -> Files {
    let (header, mut files) = (header(), Files::default());
    let mut to = Sink::new(&mut files);
    jsonl.begin(&header, &mut to).expect("begun");
    for (at, table) in header.tables.iter().enumerate() {
        jsonl.begin_table(table, &mut to).expect("begun");
        for (_, row) in rows().iter().filter(|(of, _)| *of == at) {
            for (at, value) in row.iter().enumerate() {
                jsonl.value(at, value.as_cell(), &mut to).expect("written");
            }
            jsonl.end_row(&mut to).expect("ended");
        }
        jsonl.end_table(&mut to).expect("ended");
    }
    jsonl.end(&header, &[2, 0, 1], &mut to).expect("ended");
    drop(to);
    files
}

fn read(bytes: &[u8]) -> Result<(Header, Numbered)> {
    read_by(&mut Reader::open(bytes)?)
}

fn read_json(bytes: &[u8]) -> Result<(Header, Numbered)> {
    read_by(&mut JsonReader::open(bytes)?)
}

fn read_csv(files: &Files) -> Result<(Header, Numbered)> {
    let files = files.clone();
    let open = move |name: &str| -> Result<Box<dyn Read>> {
        let bytes = files.0.get(name).with_context(|| format!("no file `{name}`"))?;
        Ok(Box::new(std::io::Cursor::new(bytes.clone())))
    };
    read_by(&mut CsvReader::open(Box::new(open))?)
}

fn read_by(reader: &mut dyn Reading) -> Result<(Header, Numbered)> {
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row()? {
        rows.push((row.table, row.values()?));
    }
    // Once at its end it stays there.
    assert!(reader.next_row()?.is_none());
    Ok((reader.header().clone(), rows))
}

#[test]
fn what_was_written_is_read_back() {
    let (found, found_rows) = read(&written()).expect("read");
    assert_eq!((found, found_rows), (header(), rows()));
}

#[test]
fn so_it_is_in_every_format() {
    let json = written_by(&mut Json::default()).0.remove("").expect("a file");
    assert_eq!(read_json(&json).expect("read"), (header(), rows()));
    let files = written_by(&mut Csv::of_folder());
    assert_eq!(read_csv(&files).expect("read"), (header(), rows()));
}

#[test]
fn a_document_cut_anywhere_is_refused() {
    let json = written_by(&mut Json::default()).0.remove("").expect("a file");
    // The line break at its end means nothing.
    for end in 0..json.len() - 1 {
        assert!(read_json(&json[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_folder_of_which_anything_was_cut_is_refused() {
    let files = written_by(&mut Csv::of_folder());
    for (name, bytes) in &files.0 {
        let n_bytes = bytes.len() - usize::from(name == "export.json");
        for end in 0..n_bytes {
            let mut cut = files.clone();
            cut.0.insert(name.clone(), bytes[..end].to_vec());
            assert!(read_csv(&cut).is_err(), "`{name}` cut at {end}");
        }
        let mut without = files.clone();
        without.0.remove(name);
        assert!(read_csv(&without).is_err(), "without `{name}`");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = written();
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_file_of_which_a_line_was_taken_doubled_or_moved_is_refused() {
    let text = String::from_utf8(written()).expect("text");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for at in 0..lines.len() {
        let without = [&lines[..at], &lines[at + 1..]].concat().concat();
        assert!(read(without.as_bytes()).is_err(), "without line {}", at + 1);
        let doubled = [&lines[..=at], &lines[at..]].concat().concat();
        assert!(read(doubled.as_bytes()).is_err(), "line {} twice", at + 1);
        let mut moved = lines.clone();
        moved.swap(at, (at + 1) % lines.len());
        assert!(read(moved.concat().as_bytes()).is_err(), "line {} moved", at + 1);
    }
}

#[test]
fn messages_name_the_line_and_what_is_wrong() {
    let text = String::from_utf8(written()).expect("text");
    for (from, to, expected) in [
        ("\"version\":1", "\"version\":2", "the export has version 2, and this xtask-db reads 1"),
        ("xtask-db export", "other export", "line 1: it is not the header of an export"),
        ("\"a\":null", "\"A\":null", "line 3: expected `a`, found `A`"),
        ("\"a\":null", "\"a\":true", "line 3: column `a`: there is no value of a row at column 27"),
        (
            "\"a\":null",
            "\"a\":2",
            "line 5: the lines before it are not those that were exported: \
                                  their hash differs",
        ),
        ("\"one\":2", "\"one\":3", "line 5: the footer counts 3 rows of `one`, and there are 2"),
        (
            "{\"table\":\"two\"",
            "{\"table\":\"six\"",
            "line 4: a row of table `six` is not expected here",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let error = read(text.replace(from, to).as_bytes()).expect_err(expected);
        let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
        assert!(chain.join(": ").ends_with(expected), "{chain:?}");
    }
}

proptest! {
    #[test]
    fn no_change_of_a_document_or_a_folder_does_any_harm(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), which in any::<prop::sample::Index>()
    ) {
        let mut json = written_by(&mut Json::default()).0.remove("").expect("a file");
        let place = at.index(json.len());
        json[place] = byte;
        let _ = read_json(&json);
        let mut files = written_by(&mut Csv::of_folder());
        let n_files = files.0.len();
        let file = files.0.values_mut().nth(which.index(n_files)).expect("a file");
        let place = at.index(file.len());
        file[place] = byte;
        let _ = read_csv(&files);
    }
}

proptest! {
    #[test]
    fn a_changed_byte_is_never_taken_for_the_same(
        at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut bytes = written();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        prop_assert!(read(&bytes).is_err());
    }
}

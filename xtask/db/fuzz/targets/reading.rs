//! What every reader must do with any input: it ends, it does not panic, and it reads no more than
//! there was. The fuzz targets call this, and an ordinary test does.

use std::collections::BTreeMap;
use std::io::Read;

use xtask_db_format::records::{self, Pointer, Wanted};
use xtask_db_format::{CsvReader, JsonReader, Piece, Reader, Reading, Statements};

/// An export in JSONL.
pub(crate) fn jsonl(bytes: &[u8]) {
    if let Ok(mut reader) = Reader::open(bytes) {
        read_rows(&mut reader, bytes.len());
    }
}

/// An export in JSON.
pub(crate) fn json(bytes: &[u8]) {
    if let Ok(mut reader) = JsonReader::open(bytes) {
        read_rows(&mut reader, bytes.len());
    }
}

/// An export in CSV: its document, then name and content of each file, with NUL bytes between.
pub(crate) fn csv(bytes: &[u8]) {
    let mut pieces = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    let mut files = BTreeMap::from([("export.json".to_owned(), pieces.next().unwrap_or_default())]);
    while let (Some(name), Some(content)) = (pieces.next(), pieces.next()) {
        files.insert(String::from_utf8_lossy(&name).into_owned(), content);
    }
    let open = move |name: &str| {
        let content = files.get(name).cloned();
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        Ok(Box::new(std::io::Cursor::new(content.ok_or_else(missing)?)) as Box<dyn Read>)
    };
    if let Ok(mut reader) = CsvReader::open(Box::new(open)) {
        read_rows(&mut reader, bytes.len());
    }
}

fn read_rows(reader: &mut dyn Reading, n_bytes: usize) {
    let widths: Vec<usize> =
        reader.header().tables.iter().map(|table| table.members().count()).collect();
    let mut n_rows = 0_usize;
    while let Ok(Some(row)) = reader.next_row() {
        assert!(row.n_values() <= widths[row.table], "more values than columns");
        for at in 0..row.n_values() {
            let _ = row.cell(at);
        }
        n_rows += 1;
        assert!(n_rows <= n_bytes, "more rows than bytes");
    }
    let _ = (reader.place(), reader.counts());
}

/// Another tool's records.
pub(crate) fn records(bytes: &[u8]) {
    for pointer in ["", "/assistants", "/a/0/b"] {
        let pointer = Pointer::parse(pointer).expect("a pointer");
        let wanted = Wanted { pointer: &pointer, takes: &|name| name != "metadata" };
        let mut n_records = 0_usize;
        let mut from = bytes;
        let _ = records::read(&mut from, &wanted, &mut |_, _| {
            n_records += 1;
            assert!(n_records <= bytes.len(), "more records than bytes");
            Ok(())
        });
    }
}

/// SQL, cut into statements: however the file is read, the pieces are the same, and they are what
/// is in it.
pub(crate) fn statements(bytes: &[u8]) {
    let whole = cut(bytes);
    let first = bytes.first().copied().unwrap_or_default();
    assert_eq!(whole, cut(Slowly(bytes, 1 + usize::from(first % 7))));
    let mut rest = bytes;
    for piece in whole.0 {
        let at = rest.windows(piece.len()).position(|window| window == piece);
        rest = &rest[at.expect("a piece that is not in the file") + piece.len()..];
    }
}

fn cut(from: impl Read) -> (Vec<Vec<u8>>, Option<String>) {
    let mut statements = Statements::new(from);
    let mut pieces = Vec::new();
    loop {
        match statements.next_piece() {
            Ok(Some((_, Piece::Statement(bytes) | Piece::Command(bytes)))) => {
                pieces.push(bytes.to_vec());
            }
            Ok(None) => return (pieces, None),
            Err(error) => return (pieces, Some(error.to_string())),
        }
    }
}

/// Hands out a few bytes at a time.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let n_bytes = self.1.min(to.len()).min(self.0.len());
        to[..n_bytes].copy_from_slice(&self.0[..n_bytes]);
        self.0 = &self.0[n_bytes..];
        Ok(n_bytes)
    }
}

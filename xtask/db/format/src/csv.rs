//! An export as CSV (RFC 4180): one file per table, with the names of the columns in the first
//! line.
//!
//! Values in quotes are texts. Without quotes, an empty value is NULL, a number with a point or an
//! exponent is a real, a number without one is an integer, `X'00FF'` is a blob, and
//! `CAST(X'61FF' AS TEXT)` is a text that is not Unicode or contains control characters other than
//! line breaks and tabs.

use anyhow::Result;

use crate::cell::Cell;
use crate::header::{Header, Ordered, TableHead};
use crate::sink::Sink;
use crate::{Format, digits, json};

/// Bytes of a value that are turned at once.
const PIECE_BYTES: usize = 1 << 16;

/// The file beside the tables that holds the header and the numbers of rows.
pub(crate) const DOCUMENT: &str = "export.json";

/// Writes CSV.
#[derive(Default)]
pub struct Csv {
    /// Whether there is a file for each table and one for the header, or only one table at all.
    is_folder: bool,
    encoding: String,
}

impl Format for Csv {
    fn begin(&mut self, header: &Header, _to: &mut Sink<'_>) -> Result<()> {
        self.encoding.clone_from(&header.encoding);
        Ok(())
    }

    fn begin_table(&mut self, table: &TableHead, to: &mut Sink<'_>) -> Result<()> {
        if self.is_folder {
            to.begin_file(&file_name(&table.name))?;
        }
        let mut before = "";
        for name in table.members() {
            to.push(before.as_bytes());
            quoted(name, to)?;
            before = ",";
        }
        to.push(b"\n");
        Ok(())
    }

    fn value(&mut self, at: usize, cell: Cell<'_>, to: &mut Sink<'_>) -> Result<()> {
        if at > 0 {
            to.push(b",");
        }
        match cell {
            Cell::Null => {}
            Cell::Integer(integer) => digits::integer(integer, to.buffer()),
            Cell::Real(real) if real.is_finite() => digits::real(real, to.buffer()),
            Cell::Real(real) => to.push(if real > 0.0 { b"9e999" } else { b"-9e999" }),
            Cell::Text(text) if is_plain(text) => quoted(text, to)?,
            Cell::Text(text) => cast(&self.encoded(text), to)?,
            Cell::OddText(bytes) => cast(bytes, to)?,
            Cell::Blob(bytes) => blob(bytes, to)?,
        }
        Ok(())
    }

    fn end_row(&mut self, to: &mut Sink<'_>) -> Result<()> {
        to.push(b"\n");
        to.flow()
    }

    fn end_table(&mut self, to: &mut Sink<'_>) -> Result<()> {
        to.flush()
    }

    fn end(&mut self, header: &Header, rows: &[u64], to: &mut Sink<'_>) -> Result<()> {
        if self.is_folder {
            to.begin_file(DOCUMENT)?;
            json::document(header, to)?;
            to.buffer().pop();
            to.push(b",\n\"counts\":");
            json::document(&Ordered(header.counted(rows)), to)?;
            to.push(b"}\n");
        }
        to.flush()
    }
}

impl Csv {
    /// For a folder: a file for each table, and one for the header.
    #[must_use]
    pub fn of_folder() -> Self {
        Self { is_folder: true, ..Self::default() }
    }

    /// The bytes of a text as its database has them, which is what a cast expects.
    fn encoded(&self, text: &str) -> Vec<u8> {
        match self.encoding.as_str() {
            "UTF-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "UTF-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => text.as_bytes().to_vec(),
        }
    }
}

/// Whether a text may be as it is: no control characters but line breaks and tabs.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !"\t\n\r".contains(c))
}

fn quoted(text: &str, to: &mut Sink<'_>) -> Result<()> {
    quoted_bytes(text.as_bytes(), to)
}

/// Appends a value in quotes.
///
/// # Errors
///
/// As the outlet's.
pub(crate) fn quoted_bytes(value: &[u8], to: &mut Sink<'_>) -> Result<()> {
    to.push(b"\"");
    let mut pieces = value.split(|byte| *byte == b'"');
    to.push(pieces.next().unwrap_or_default());
    for piece in pieces {
        to.push(b"\"\"");
        to.push(piece);
        to.flow()?;
    }
    to.push(b"\"");
    Ok(())
}

fn cast(bytes: &[u8], to: &mut Sink<'_>) -> Result<()> {
    to.push(b"CAST(");
    blob(bytes, to)?;
    to.push(b" AS TEXT)");
    Ok(())
}

fn blob(bytes: &[u8], to: &mut Sink<'_>) -> Result<()> {
    to.push(b"X'");
    for piece in bytes.chunks(PIECE_BYTES) {
        digits::hex(piece, to.buffer());
        to.flow()?;
    }
    to.push(b"'");
    Ok(())
}

/// The name of a table's file: what could lead out of the folder, or that some file system does not
/// take, is there as `%` and two hexadecimal digits for each byte.
pub(crate) fn file_name(table: &str) -> String {
    let mut name = String::new();
    for (at, c) in table.char_indices() {
        let is_odd = c.is_control() || "%/\\:*?\"<>|".contains(c) || (at == 0 && c == '.');
        if is_odd {
            let mut digits = Vec::new();
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                digits.push(b'%');
                digits::hex(&[byte], &mut digits);
            }
            name.extend(digits.into_iter().map(char::from));
        } else {
            name.push(c);
        }
    }
    name + ".csv"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_leads_out_of_the_folder() {
        for (table, file) in [
            ("messages", "messages.csv"),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.csv"),
            ("a%2Fb", "a%252Fb.csv"),
            ("", ".csv"),
            ("ü b", "ü b.csv"),
        ] {
            assert_eq!(file_name(table), file);
        }
    }

    #[test]
    fn every_class_of_value_is_told_apart() {
        let mut bytes = Vec::new();
        let mut to = Sink::new(&mut bytes);
        let mut csv = Csv::default();
        for (at, cell) in [
            Cell::Null,
            Cell::Text(""),
            Cell::Integer(1),
            Cell::Text("1"),
            Cell::Real(1.0),
            Cell::Real(f64::NEG_INFINITY),
            Cell::Text("a \"b\",\r\nc"),
            Cell::Text("a\0b"),
            Cell::OddText(&[0xff]),
            Cell::Blob(&[]),
        ]
        .into_iter()
        .enumerate()
        {
            csv.value(at, cell, &mut to).expect("written");
        }
        csv.end_row(&mut to).expect("written");
        to.flush().expect("written");
        drop(to);
        assert_eq!(
            String::from_utf8(bytes).expect("text"),
            ",\"\",1,\"1\",1.0,-9e999,\"a \"\"b\"\",\r\nc\",CAST(X'610062' AS TEXT),\
             CAST(X'FF' AS TEXT),X''\n"
        );
    }
}

//! Values as JSON, and an export as one JSON document with one line per row.
//!
//! A value that JSON cannot represent is an object with one member: `{"blob_hex": "00FF"}`;
//! `{"text_hex": "61FF"}` for a text that is not Unicode; `{"real": "9e999"}` for an infinite real;
//! `{"integer": "9007199254740993"}` for an integer that a reader of doubles would round. A number
//! with a point or an exponent is a real.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use crate::Format;
use crate::cell::Cell;
use crate::digits;
use crate::header::{Header, Ordered, TableHead};
use crate::sink::Sink;

/// Integers from here on are not all doubles (RFC 7493, section 2.2).
const FIRST_INEXACT: u64 = 1 << 53;

/// Bytes of a value that are turned at once.
const PIECE_BYTES: usize = 1 << 16;

/// Appends one value.
///
/// # Errors
///
/// As the outlet's.
pub(crate) fn value(cell: Cell<'_>, to: &mut Sink<'_>) -> Result<()> {
    match cell {
        Cell::Null => to.push(b"null"),
        Cell::Integer(integer) if integer.unsigned_abs() < FIRST_INEXACT => {
            digits::integer(integer, to.buffer());
        }
        Cell::Integer(integer) => {
            to.push(b"{\"integer\":\"");
            digits::integer(integer, to.buffer());
            to.push(b"\"}");
        }
        Cell::Real(real) if real.is_finite() => digits::real(real, to.buffer()),
        Cell::Real(real) if real > 0.0 => to.push(b"{\"real\":\"9e999\"}"),
        Cell::Real(_) => to.push(b"{\"real\":\"-9e999\"}"),
        Cell::Text(content) => text(content, to)?,
        Cell::OddText(bytes) => hex(b"{\"text_hex\":\"", bytes, to)?,
        Cell::Blob(bytes) => hex(b"{\"blob_hex\":\"", bytes, to)?,
    }
    Ok(())
}

fn hex(start: &[u8], bytes: &[u8], to: &mut Sink<'_>) -> Result<()> {
    to.push(start);
    for piece in bytes.chunks(PIECE_BYTES) {
        digits::hex(piece, to.buffer());
        to.flow()?;
    }
    to.push(b"\"}");
    Ok(())
}

/// Which bytes of a text are not written as they are: 0 all that are, 1 what is escaped, 2 the first
/// of two bytes that may be a control character (U+0080 to U+009F).
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        classes[byte] = 1;
        byte += 1;
    }
    classes[b'"' as usize] = 1;
    classes[b'\\' as usize] = 1;
    classes[0x7f] = 1;
    classes[0xc2] = 2;
    classes
};

/// A text in quotes. No control character stays in it, so that a terminal may show it.
fn text(content: &str, to: &mut Sink<'_>) -> Result<()> {
    let bytes = content.as_bytes();
    to.push(b"\"");
    let mut begun = 0;
    let mut at = 0;
    while at < bytes.len() {
        let class = CLASSES[usize::from(bytes[at])];
        if class == 0 && at - begun < PIECE_BYTES {
            at += 1;
            continue;
        }
        to.push(&bytes[begun..at]);
        to.flow()?;
        begun = at;
        if class > 0 {
            begun += escape(&bytes[at..], to.buffer());
            at = begun;
        }
    }
    to.push(&bytes[begun..]);
    to.push(b"\"");
    Ok(())
}

/// Appends the first character of some bytes as JSON has it; how many bytes it took.
fn escape(bytes: &[u8], to: &mut Vec<u8>) -> usize {
    let short = match bytes[0] {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        // U+0080 to U+009F, and what only begins like them.
        0xc2 => {
            let Some(second @ 0x80..0xa0) = bytes.get(1) else {
                to.push(0xc2);
                return 1;
            };
            escape_control(*second, to);
            return 2;
        }
        control => {
            escape_control(control, to);
            return 1;
        }
    };
    to.extend_from_slice(&[b'\\', short]);
    1
}

/// A control character by its number, in small letters as others write it.
fn escape_control(control: u8, to: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    to.extend_from_slice(b"\\u00");
    to.extend_from_slice(&[DIGITS[usize::from(control >> 4)], DIGITS[usize::from(control & 15)]]);
}

/// What is before each value of a row: the start or a comma, the column's name, a colon.
///
/// # Errors
///
/// None; a name is a text.
pub(crate) fn members(table: &TableHead, start: &str) -> Result<Vec<Vec<u8>>> {
    let mut before = start;
    let mut members = Vec::new();
    for name in table.members() {
        members.push(format!("{before}{}:", written(name)?).into_bytes());
        before = ",";
    }
    Ok(members)
}

/// Appends what serde has words for, on one line.
///
/// # Errors
///
/// None; all of it is texts and numbers.
pub(crate) fn document(value: &impl Serialize, to: &mut Sink<'_>) -> Result<()> {
    to.push(written(value)?.as_bytes());
    Ok(())
}

/// As JSON on one line, without the control characters that serde leaves as they are.
///
/// # Errors
///
/// None; all of it is texts and numbers.
pub(crate) fn written(value: &(impl Serialize + ?Sized)) -> Result<String> {
    let json = serde_json::to_string(value)?;
    if !json.contains(char::is_control) {
        return Ok(json);
    }
    let mut escaped = String::new();
    for c in json.chars() {
        if c.is_control() {
            write!(escaped, "\\u{:04x}", u32::from(c))?;
        } else {
            escaped.push(c);
        }
    }
    Ok(escaped)
}

/// Writes one JSON document: the header's members, then `rows` by table, then `counts`.
#[derive(Default)]
pub struct Json {
    members: Vec<Vec<u8>>,
    /// What is before the next table, and before the next row.
    before_table: &'static str,
    before_row: &'static str,
}

impl Format for Json {
    fn begin(&mut self, header: &Header, to: &mut Sink<'_>) -> Result<()> {
        document(header, to)?;
        to.buffer().pop();
        to.push(b",\n\"rows\":{");
        self.before_table = "\n";
        to.flow()
    }

    fn begin_table(&mut self, table: &TableHead, to: &mut Sink<'_>) -> Result<()> {
        self.members = members(table, "{")?;
        to.push(self.before_table.as_bytes());
        document(&table.name, to)?;
        to.push(b":[");
        (self.before_table, self.before_row) = (",\n", "\n");
        Ok(())
    }

    fn value(&mut self, at: usize, cell: Cell<'_>, to: &mut Sink<'_>) -> Result<()> {
        if at == 0 {
            to.push(self.before_row.as_bytes());
            self.before_row = ",\n";
        }
        to.push(&self.members[at]);
        value(cell, to)
    }

    fn end_row(&mut self, to: &mut Sink<'_>) -> Result<()> {
        to.push(b"}");
        to.flow()
    }

    fn end_table(&mut self, to: &mut Sink<'_>) -> Result<()> {
        to.push(b"]");
        Ok(())
    }

    fn end(&mut self, header: &Header, rows: &[u64], to: &mut Sink<'_>) -> Result<()> {
        to.push(b"\n},\n\"counts\":");
        document(&Ordered(header.counted(rows)), to)?;
        to.push(b"}\n");
        to.flush()
    }
}

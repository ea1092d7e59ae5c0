//! An export as statements for `psql`, one line per row.
//!
//! Every value is a literal, and no line of data begins with a backslash: `psql` takes nothing in it for a
//! command. Constraints, indexes and triggers are created after the rows.

use std::io::Write as _;

use anyhow::Result;

use crate::postgres::header::{Definition, Header, Table};
use crate::postgres::value::{self, Kind, is_finite};
use crate::postgres::{Format, each_cell};
use crate::sink::Sink;
use crate::{NAME, VERSION};

/// Settings under which the statements mean what they mean for `pg_dump`.
const SETTINGS: &str = "\
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET xmloption = content;
SET lc_monetary = 'C';
SET client_min_messages = warning;
SET row_security = off;
SET search_path = '';
";

/// Writes SQL.
#[derive(Default)]
pub struct Sql {
    insert: Vec<u8>,
    kinds: Vec<Kind>,
}

impl Format for Sql {
    fn begin(&mut self, header: &Header, to: &mut Sink<'_>) -> Result<()> {
        to.push(format!("-- {NAME}, version {VERSION}, for psql\nBEGIN;\n{SETTINGS}").as_bytes());
        define(&header.before, to)
    }

    fn begin_table(&mut self, table: &Table, to: &mut Sink<'_>) -> Result<()> {
        self.kinds = table.kinds();
        let columns: Vec<String> =
            table.columns.iter().map(|column| quoted(&column.name)).collect();
        self.insert = if columns.is_empty() {
            format!("INSERT INTO {} DEFAULT VALUES", table.name)
        } else {
            let columns = columns.join(", ");
            format!("INSERT INTO {} ({columns}) OVERRIDING SYSTEM VALUE VALUES (", table.name)
        }
        .into_bytes();
        to.flow()
    }

    fn row(&mut self, line: &[u8], to: &mut Sink<'_>) -> Result<()> {
        to.push(&self.insert);
        each_cell(line, &self.kinds, &mut |at, kind, cell| {
            if at > 0 {
                to.push(b",");
            }
            literal(kind, cell, to)
        })?;
        to.push(if self.kinds.is_empty() { b";\n" } else { b");\n" });
        to.flow()
    }

    fn end_table(&mut self, _to: &mut Sink<'_>) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, header: &Header, _rows: &[u64], to: &mut Sink<'_>) -> Result<()> {
        for sequence in &header.sequences {
            to.push(b"DO $$ BEGIN PERFORM pg_catalog.setval(");
            text(sequence.name.as_bytes(), to)?;
            let (value, is_called) = (sequence.last_value, sequence.is_called);
            to.push(format!(", {value}, {is_called}); END $$;\n").as_bytes());
        }
        define(&header.after, to)?;
        to.push(b"COMMIT;\n");
        to.flush()
    }
}

fn define(definitions: &[Definition], to: &mut Sink<'_>) -> Result<()> {
    for definition in definitions {
        to.push(definition.sql.as_bytes());
        to.push(b"\n");
        to.flow()?;
    }
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Appends a value as SQL means exactly it. A real is in quotes: the minus of `-0` would be lost.
fn literal(kind: Kind, value: Option<&[u8]>, to: &mut Sink<'_>) -> Result<()> {
    let Some(value) = value else {
        to.push(b"NULL");
        return Ok(());
    };
    match kind {
        Kind::Boolean if value == b"t" => to.push(b"true"),
        Kind::Boolean if value == b"f" => to.push(b"false"),
        Kind::Integer | Kind::Numeric if is_finite(value) => to.push(value),
        Kind::Bytes => {
            // It has digits only.
            value::bytes(value)?;
            to.push(b"'");
            to.push(value);
            to.push(b"'");
        }
        _ => text(value, to)?,
    }
    Ok(())
}

/// A text on one line, without control characters.
fn text(value: &[u8], to: &mut Sink<'_>) -> Result<()> {
    let is_odd = |byte: &u8| *byte < 0x20 || *byte == b'\\' || *byte == 0x7f || *byte == 0xc2;
    let is_plain = !value.iter().any(is_odd) && std::str::from_utf8(value).is_ok();
    to.push(if is_plain { b"'" } else { b"E'" });
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            let buffer = to.buffer();
            // Writing into memory never fails.
            let _ = match c {
                '\'' => buffer.write_all(b"''"),
                '\\' => buffer.write_all(b"\\\\"),
                '\n' => buffer.write_all(b"\\n"),
                '\r' => buffer.write_all(b"\\r"),
                '\t' => buffer.write_all(b"\\t"),
                c if c.is_control() => write!(buffer, "\\u{:04x}", u32::from(c)),
                c => write!(buffer, "{c}"),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(to.buffer(), "\\x{byte:02x}");
        }
        to.flow()?;
    }
    to.push(b"'");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, value: Option<&str>, expected: &str) {
        let mut bytes = Vec::new();
        let mut to = Sink::new(&mut bytes);
        literal(kind, value.map(str::as_bytes), &mut to).expect("written");
        to.flush().expect("written");
        drop(to);
        assert_eq!(String::from_utf8(bytes).expect("text"), expected);
    }

    #[test]
    fn a_literal_is_on_one_line() {
        check(Kind::Text, None, "NULL");
        check(Kind::Text, Some("it's"), "'it''s'");
        check(Kind::Text, Some("a\\.\n\u{1b}[\u{85}"), "E'a\\\\.\\n\\u001b[\\u0085'");
        check(Kind::Real, Some("-0"), "'-0'");
        check(Kind::Numeric, Some("1.10"), "1.10");
        check(Kind::Numeric, Some("NaN"), "'NaN'");
        check(Kind::Integer, Some("-9223372036854775808"), "-9223372036854775808");
        check(Kind::Bytes, Some("\\x00ff"), "'\\x00ff'");
        check(Kind::Boolean, Some("t"), "true");
    }
}

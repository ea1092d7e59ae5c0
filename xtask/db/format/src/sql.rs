//! An export as statements for the sqlite3 shell, one line per row.
//!
//! Foreign keys and CHECK constraints are off while it is read, so that rows which violate one are
//! restored too. Triggers come last, so that none fires. Values are written without control
//! characters.

use std::io::Write as _;

use anyhow::{Result, ensure};

use crate::cell::Cell;
use crate::header::{Definition, Header, Rows, Setting, TableHead};
use crate::literal::{self, quoted};
use crate::sink::Sink;
use crate::{Format, NAME, VERSION, digits};

/// What a statement may be long, bytes (<https://sqlite.org/limits.html>); hexadecimal digits double
/// a value.
const MAX_VALUE_BYTES: usize = 499_000_000;

/// Where SQLite keeps the counters of AUTOINCREMENT.
const COUNTERS: &str = "sqlite_sequence";

/// Bytes of a value that are turned at once.
const PIECE_BYTES: usize = 1 << 16;

/// Writes SQL.
#[derive(Default)]
pub struct Sql {
    insert: Vec<u8>,
}

impl Format for Sql {
    fn begin(&mut self, header: &Header, to: &mut Sink<'_>) -> Result<()> {
        let mut lines = format!("-- {NAME}, version {VERSION}, for the sqlite3 shell\n");
        if header.encoding != "UTF-8" {
            lines += "PRAGMA encoding='";
            lines += &header.encoding;
            lines += "';\n";
        }
        lines += "PRAGMA foreign_keys=OFF;\nPRAGMA ignore_check_constraints=ON;\nBEGIN;\n";
        to.push(lines.as_bytes());
        Ok(())
    }

    fn define(&mut self, table: &TableHead, to: &mut Sink<'_>) -> Result<()> {
        match &table.sql {
            Some(sql) => to.push(format!("{}\n", literal::ended(sql)).as_bytes()),
            // Rows that were inserted have counted already.
            None => to.push(format!("DELETE FROM {COUNTERS};\n").as_bytes()),
        }
        let name = quoted(&table.name);
        for (key, setting) in &table.settings {
            let mut line = format!("INSERT INTO {name}({name}, rank) VALUES(").into_bytes();
            text(key, &mut line);
            line.push(b',');
            match setting {
                Setting::Integer(integer) => digits::integer(*integer, &mut line),
                Setting::Text(setting) => text(setting, &mut line),
            }
            line.extend_from_slice(b");\n");
            to.push(&line);
        }
        if table.rows == Rows::LeftOut {
            to.push(b"-- its rows were left out\n");
        }
        to.flow()
    }

    fn begin_table(&mut self, table: &TableHead, _to: &mut Sink<'_>) -> Result<()> {
        let name = quoted(&table.name);
        let columns: Vec<String> = table.members().map(quoted).collect();
        let columns =
            if table.is_whole { String::new() } else { format!("({})", columns.join(", ")) };
        self.insert = format!("INSERT INTO {name}{columns} VALUES(").into_bytes();
        Ok(())
    }

    fn value(&mut self, at: usize, cell: Cell<'_>, to: &mut Sink<'_>) -> Result<()> {
        if at == 0 {
            to.push(&self.insert);
        } else {
            to.push(b",");
        }
        literal(cell, to)
    }

    fn end_row(&mut self, to: &mut Sink<'_>) -> Result<()> {
        to.push(b");\n");
        to.flow()
    }

    fn end_table(&mut self, _to: &mut Sink<'_>) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, header: &Header, _rows: &[u64], to: &mut Sink<'_>) -> Result<()> {
        let ended = |one: &Definition| format!("{}\n", literal::ended(&one.sql));
        for definition in header.indexes.iter().chain(&header.views) {
            to.push(ended(definition).as_bytes());
        }
        // A full-text index may be of a view's rows.
        for table in header.tables.iter().filter(|table| table.rows == Rows::Rebuilt) {
            let name = quoted(&table.name);
            to.push(format!("INSERT INTO {name}({name}) VALUES('rebuild');\n").as_bytes());
        }
        for trigger in &header.triggers {
            to.push(ended(trigger).as_bytes());
        }
        let numbers =
            [("application_id", header.application_id), ("user_version", header.user_version)];
        for (name, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
            to.push(format!("PRAGMA {name}={number};\n").as_bytes());
        }
        to.push(b"COMMIT;\nPRAGMA ignore_check_constraints=OFF;\n");
        to.flush()
    }
}

/// Appends a value as SQL means exactly it.
fn literal(cell: Cell<'_>, to: &mut Sink<'_>) -> Result<()> {
    match cell {
        Cell::Null => to.push(b"NULL"),
        Cell::Integer(integer) => digits::integer(integer, to.buffer()),
        Cell::Real(value) => real(value, to.buffer()),
        Cell::Text(content) => {
            ensure_short(content.len())?;
            text(content, to.buffer());
        }
        Cell::OddText(bytes) => {
            to.push(b"CAST(");
            blob(bytes, to)?;
            to.push(b" AS TEXT)");
        }
        Cell::Blob(bytes) => blob(bytes, to)?,
    }
    Ok(())
}

fn ensure_short(n_bytes: usize) -> Result<()> {
    ensure!(
        n_bytes < MAX_VALUE_BYTES,
        "a value of {n_bytes} bytes is too long for a statement; export it as JSONL"
    );
    Ok(())
}

fn blob(bytes: &[u8], to: &mut Sink<'_>) -> Result<()> {
    ensure_short(bytes.len())?;
    to.push(b"X'");
    for piece in bytes.chunks(PIECE_BYTES) {
        digits::hex(piece, to.buffer());
        to.flow()?;
    }
    to.push(b"'");
    Ok(())
}

/// Appends a real. SQLite does not read every decimal to the last bit: with 15 digits and a small
/// power of ten it does, with 17 digits the nearest real is far from any other, and beyond the powers
/// that it handles well the real is written as a quotient that is exact.
pub(crate) fn real(value: f64, to: &mut Vec<u8>) {
    const SCALE: f64 = 1.340_780_792_994_259_7e154; // 2^512
    let size = value.abs();
    if !value.is_finite() {
        to.extend_from_slice(if value > 0.0 { b"9e999" } else { b"-9e999" });
    } else if is_simple(value) {
        digits::real(value, to);
    } else if size < 1e-280 {
        let _ = write!(to, "({:.16e}/{SCALE:.16e})", value * SCALE);
    } else if size > 1e280 {
        let _ = write!(to, "({:.16e}*{SCALE:.16e})", value / SCALE);
    } else {
        let _ = write!(to, "{value:.16e}");
    }
}

/// Whether the shortest digits of a real are few enough for one exact multiplication or division.
fn is_simple(value: f64) -> bool {
    let shortest = format!("{value:e}");
    let Some((mantissa, exponent)) = shortest.split_once('e') else { return false };
    let n_digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let exponent: i32 = exponent.parse().unwrap_or(i32::MAX);
    n_digits <= 15
        && (-22..=22).contains(&exponent.saturating_sub(i32::try_from(n_digits).unwrap_or(0) - 1))
}

/// Appends a text in quotes. Its control characters are put in by `replace()`, for a stand-in that it
/// does not hold: so does the `.dump` of the sqlite3 shell.
fn text(content: &str, to: &mut Vec<u8>) {
    if content.bytes().any(|byte| byte < 0x20 || byte == 0x7f || byte == 0xc2) {
        to.extend_from_slice(literal::text_literal(content).as_bytes());
        return;
    }
    to.push(b'\'');
    let mut pieces = content.split('\'');
    to.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        to.extend_from_slice(b"''");
        to.extend_from_slice(piece.as_bytes());
    }
    to.push(b'\'');
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::cell::Value;

    #[test]
    fn a_real_is_read_to_the_last_bit() {
        let connection = Connection::open_in_memory().expect("a database");
        let odd = [0.1, -0.0, 1e22, 1e23, 123.456, 5e-324, f64::MAX, f64::MIN_POSITIVE, 1.0 / 3.0];
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        let random = std::iter::repeat_with(|| {
            bits = bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            f64::from_bits(bits ^ (bits >> 29))
        });
        let infinite = [f64::INFINITY, f64::NEG_INFINITY];
        let random = random.filter(|real| !real.is_nan()).take(5000);
        for value in odd.into_iter().chain(infinite).chain(random) {
            let mut question = b"SELECT ".to_vec();
            real(value, &mut question);
            let question = String::from_utf8(question).expect("text");
            let found: f64 = connection.query_row(&question, [], |row| row.get(0)).expect("a real");
            assert_eq!(found.to_bits(), value.to_bits(), "{value:e}: {question}");
        }
    }

    #[test]
    fn a_literal_stands_on_one_line_and_means_exactly_its_value() {
        let connection = Connection::open_in_memory().expect("a database");
        for value in [
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Text("it's\r\n'quoted'\0 \u{1b}[2J \u{85} ü \\n".to_owned()),
            Value::Text(String::new()),
            Value::OddText(vec![b'a', 0xff, 0]),
            Value::Blob(vec![0, b'\'', 0xff]),
            Value::Blob(Vec::new()),
        ] {
            let mut bytes = b"SELECT ".to_vec();
            let mut to = Sink::new(&mut bytes);
            literal(value.as_cell(), &mut to).expect("written");
            to.flush().expect("written");
            drop(to);
            let question = String::from_utf8(bytes).expect("text");
            assert!(!question.chars().any(char::is_control), "{question}");
            let mut statement = connection.prepare(&question).expect("a statement");
            let mut rows = statement.query([]).expect("rows");
            let row = rows.next().expect("a row").expect("a row");
            let cell = Cell::of(row, 0).expect("a value");
            assert_eq!(format!("{cell:?}"), format!("{:?}", value.as_cell()), "{question}");
        }
    }
}

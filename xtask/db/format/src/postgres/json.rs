//! The canonical format, one line for each row, and the same as one document.

use anyhow::Result;

use crate::header::Ordered;
use crate::json::{document, written};
use crate::postgres::header::{Header, Table};
use crate::postgres::value::{self, Kind};
use crate::postgres::{Format, each_cell};
use crate::sink::Sink;

/// What is before the values of a row.
#[derive(Default)]
struct Members {
    start: Vec<u8>,
    names: Vec<Vec<u8>>,
    kinds: Vec<Kind>,
}

impl Members {
    fn of(table: &Table, start: String) -> Result<Self> {
        let mut names = Vec::new();
        for (at, column) in table.columns.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            names.push(format!("{comma}{}:", written(&column.name)?).into_bytes());
        }
        Ok(Self { start: start.into_bytes(), names, kinds: table.kinds() })
    }

    fn row(&self, line: &[u8], to: &mut Sink<'_>) -> Result<()> {
        to.push(&self.start);
        each_cell(line, &self.kinds, &mut |at, kind, cell| {
            to.push(&self.names[at]);
            value::json(kind, cell, to)
        })
    }
}

/// Writes JSONL.
#[derive(Default)]
pub struct Jsonl {
    members: Members,
}

impl Format for Jsonl {
    fn begin(&mut self, header: &Header, to: &mut Sink<'_>) -> Result<()> {
        document(header, to)?;
        to.push(b"\n");
        to.flow()
    }

    fn begin_table(&mut self, table: &Table, _to: &mut Sink<'_>) -> Result<()> {
        let name = written(&table.name)?;
        self.members = Members::of(table, format!("{{\"table\":{name},\"row\":{{"))?;
        Ok(())
    }

    fn row(&mut self, line: &[u8], to: &mut Sink<'_>) -> Result<()> {
        self.members.row(line, to)?;
        to.push(b"}}\n");
        to.flow()
    }

    fn end_table(&mut self, _to: &mut Sink<'_>) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, header: &Header, rows: &[u64], to: &mut Sink<'_>) -> Result<()> {
        let hash = to.hash()?;
        to.push(b"{\"rows\":");
        document(&Ordered(header.counted(rows)), to)?;
        to.push(format!(",\"blake3\":\"{hash}\"}}\n").as_bytes());
        to.flush()
    }
}

/// Writes one JSON document: the header's members, then `rows` by table, then `counts`.
#[derive(Default)]
pub struct Json {
    members: Members,
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

    fn begin_table(&mut self, table: &Table, to: &mut Sink<'_>) -> Result<()> {
        self.members = Members::of(table, "{".to_owned())?;
        to.push(self.before_table.as_bytes());
        document(&table.name, to)?;
        to.push(b":[");
        (self.before_table, self.before_row) = (",\n", "\n");
        Ok(())
    }

    fn row(&mut self, line: &[u8], to: &mut Sink<'_>) -> Result<()> {
        to.push(self.before_row.as_bytes());
        self.before_row = ",\n";
        self.members.row(line, to)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::header::Column;

    /// The JSON of the only value of a row.
    fn check(kind: Kind, cell: &str, expected: &str) {
        let mut bytes = Vec::new();
        let mut to = Sink::new(&mut bytes);
        let column = Column { name: "v".to_owned(), type_name: String::new(), kind };
        let table =
            Table { name: "t".to_owned(), rows: None, columns: vec![column], key: Vec::new() };
        let mut jsonl = Jsonl::default();
        jsonl.begin_table(&table, &mut to).expect("begun");
        jsonl.row(cell.as_bytes(), &mut to).expect("written");
        to.flush().expect("written");
        drop(to);
        let line = String::from_utf8(bytes).expect("text");
        assert_eq!(line, format!("{{\"table\":\"t\",\"row\":{{\"v\":{expected}}}}}\n"));
    }

    #[test]
    fn a_value_is_what_every_reader_takes_for_it() {
        check(Kind::Text, "\\N", "null");
        check(Kind::Boolean, "t", "true");
        check(Kind::Boolean, "f", "false");
        check(Kind::Integer, "-7", "-7");
        check(Kind::Integer, "9007199254740993", "{\"integer\":\"9007199254740993\"}");
        check(Kind::Real, "1", "1.0");
        check(Kind::Real, "-0", "-0.0");
        check(Kind::Real, "1e+300", "1e+300");
        check(Kind::Real, "NaN", "{\"real\":\"NaN\"}");
        check(Kind::Real, "-Infinity", "{\"real\":\"-Infinity\"}");
        check(Kind::Numeric, "1.10", "\"1.10\"");
        check(Kind::Bytes, "\\\\x00ff", "{\"blob_hex\":\"00FF\"}");
        check(Kind::Text, "a\\tb \"c\" \\\\", "\"a\\tb \\\"c\\\" \\\\\"");
        check(Kind::Text, "{\"a\": 1}", "\"{\\\"a\\\": 1}\"");
    }

    #[test]
    fn a_row_of_another_shape_is_refused() {
        let mut bytes = Vec::new();
        let mut to = Sink::new(&mut bytes);
        let column = |name: &str| Column {
            name: name.to_owned(),
            type_name: String::new(),
            kind: Kind::Text,
        };
        let columns = vec![column("a"), column("b")];
        let table = Table { name: "t".to_owned(), rows: None, columns, key: Vec::new() };
        let mut jsonl = Jsonl::default();
        jsonl.begin_table(&table, &mut to).expect("begun");
        assert!(jsonl.row(b"1", &mut to).is_err());
        assert!(jsonl.row(b"1\t2\t3", &mut to).is_err());
        assert!(jsonl.row(b"1\t2", &mut to).is_ok());
    }
}

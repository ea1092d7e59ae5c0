//! The canonical format: a header, one line for each row, and a footer that proves them.

use anyhow::Result;

use crate::cell::Cell;
use crate::header::{Header, Ordered, TableHead};
use crate::sink::Sink;
use crate::{Format, json};

/// Writes JSONL.
#[derive(Default)]
pub struct Jsonl {
    members: Vec<Vec<u8>>,
}

impl Format for Jsonl {
    fn begin(&mut self, header: &Header, to: &mut Sink<'_>) -> Result<()> {
        json::document(header, to)?;
        to.push(b"\n");
        to.flow()
    }

    fn begin_table(&mut self, table: &TableHead, _to: &mut Sink<'_>) -> Result<()> {
        let name = json::written(&table.name)?;
        self.members = json::members(table, &format!("{{\"table\":{name},\"row\":{{"))?;
        Ok(())
    }

    fn value(&mut self, at: usize, cell: Cell<'_>, to: &mut Sink<'_>) -> Result<()> {
        to.push(&self.members[at]);
        json::value(cell, to)
    }

    fn end_row(&mut self, to: &mut Sink<'_>) -> Result<()> {
        to.push(b"}}\n");
        to.flow()
    }

    fn end_table(&mut self, _to: &mut Sink<'_>) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, header: &Header, rows: &[u64], to: &mut Sink<'_>) -> Result<()> {
        let hash = to.hash()?;
        to.push(b"{\"rows\":");
        json::document(&Ordered(header.counted(rows)), to)?;
        to.push(format!(",\"blake3\":\"{hash}\"}}\n").as_bytes());
        to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_reads_like_this() {
        let mut bytes = Vec::new();
        let mut to = Sink::new(&mut bytes);
        let mut header = Header::of_settings("UTF-8".to_owned(), 0, 12);
        header.tables.push(TableHead {
            name: "messages".to_owned(),
            columns: vec!["id".to_owned(), "content".to_owned()],
            key: vec!["id".to_owned()],
            sql: Some("CREATE TABLE messages (id INTEGER PRIMARY KEY, content)".to_owned()),
            ..TableHead::default()
        });
        let mut jsonl = Jsonl::default();
        jsonl.begin(&header, &mut to).expect("begun");
        jsonl.begin_table(&header.tables[0], &mut to).expect("begun");
        jsonl.value(0, Cell::Integer(1), &mut to).expect("written");
        jsonl.value(1, Cell::Text("one"), &mut to).expect("written");
        jsonl.end_row(&mut to).expect("ended");
        jsonl.end_table(&mut to).expect("ended");
        jsonl.end(&header, &[1], &mut to).expect("ended");
        drop(to);
        let text = String::from_utf8(bytes).expect("text");
        let (lines, footer) = text.rsplit_once("{\"rows\"").expect("a footer");
        assert_eq!(
            lines,
            "{\"format\":\"xtask-db export\",\"version\":1,\"encoding\":\"UTF-8\",\
             \"application_id\":0,\"user_version\":12,\"tables\":[{\"name\":\"messages\",\
             \"columns\":[\"id\",\"content\"],\"key\":[\"id\"],\"sql\":\"CREATE TABLE messages \
             (id INTEGER PRIMARY KEY, content)\"}],\"indexes\":[],\"views\":[],\"triggers\":[]}\n\
             {\"table\":\"messages\",\"row\":{\"id\":1,\"content\":\"one\"}}\n"
        );
        let hash = blake3::hash(lines.as_bytes()).to_hex();
        assert_eq!(footer, format!(":{{\"messages\":1}},\"blake3\":\"{hash}\"}}\n"));
    }
}

//! Reads an export that is one JSON document, with any layout, as long as the order of its members
//! is kept. Memory is bounded by the longest row.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::fields::{Fields, Row};
use crate::header::{Header, Rows};
use crate::parse::Cursor;
use crate::reader::tokens::Tokens;
use crate::reader::{compare_counts, first_member, header_of_document, values};
use crate::{Reading, json};

/// An export in JSON that is being read.
pub struct JsonReader<R> {
    tokens: Tokens<R>,
    header: Header,
    fields: Fields,
    /// The table whose rows are being read, and how many rows each has so far.
    table: usize,
    counts: Vec<u64>,
    members: Vec<Vec<u8>>,
    state: State,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A table's name, or the end of them.
    Table { is_first: bool },
    /// A row of the present table, or the end of them.
    Row { is_first: bool },
    /// Nothing.
    End,
}

impl<R: Read> JsonReader<R> {
    /// Reads up to the rows.
    ///
    /// # Errors
    ///
    /// [`crate::Newer`] if a newer version wrote it; if it is not an export at all.
    pub fn open(input: R) -> Result<Self> {
        let mut tokens = Tokens::new(input);
        let header = header_of(&mut tokens).with_context(|| tokens.place())?;
        Ok(Self {
            tokens,
            fields: Fields::default(),
            table: 0,
            counts: vec![0; header.tables.len()],
            members: Vec::new(),
            state: State::Table { is_first: true },
            header,
        })
    }

    /// Continues until a row was taken; whether there was one.
    fn step(&mut self) -> Result<bool> {
        loop {
            match self.state {
                State::End => return Ok(false),
                State::Table { is_first } => {
                    if self.tokens.takes(b'}')? {
                        self.finish()?;
                    } else {
                        self.tokens.separator(is_first)?;
                        self.begin_table()?;
                    }
                }
                State::Row { is_first } => {
                    if self.tokens.takes(b']')? {
                        self.state = State::Table { is_first: false };
                    } else {
                        self.tokens.separator(is_first)?;
                        self.state = State::Row { is_first: false };
                        self.row()?;
                        return Ok(true);
                    }
                }
            }
        }
    }

    fn begin_table(&mut self) -> Result<()> {
        let name: String = serde_json::from_slice(self.tokens.value()?)?;
        self.tokens.expect(b':')?;
        self.tokens.expect(b'[')?;
        let rest = self.header.tables.get(self.table..).unwrap_or_default();
        let Some(n) = rest.iter().position(|table| table.name == name) else {
            bail!("rows of table `{name}` are not expected here");
        };
        self.table += n;
        let table = &self.header.tables[self.table];
        ensure!(table.rows == Rows::Here, "according to the header, `{name}` has no rows here");
        self.members = json::members(table, "{")?;
        self.state = State::Row { is_first: true };
        Ok(())
    }

    fn row(&mut self) -> Result<()> {
        self.fields.clear();
        let table = &self.header.tables[self.table];
        let mut cursor = Cursor::new(self.tokens.value()?);
        if !self.members.first().is_some_and(|member| cursor.takes_all(member)) {
            cursor.expect(b'{')?;
            first_member(&mut cursor, table)?;
        }
        values(&mut cursor, table, &self.members, &mut self.fields)?;
        cursor.expect(b'}')?;
        cursor.end()
    }

    /// What follows the rows: the numbers of them.
    fn finish(&mut self) -> Result<()> {
        let mut counts: Option<BTreeMap<String, u64>> = None;
        while !self.tokens.takes(b'}')? {
            self.tokens.expect(b',')?;
            let name: String = serde_json::from_slice(self.tokens.value()?)?;
            self.tokens.expect(b':')?;
            let value = self.tokens.value()?;
            if name == "counts" {
                ensure!(counts.is_none(), "`counts` appears twice");
                counts = Some(serde_json::from_slice(value).context("`counts`")?);
            }
        }
        self.tokens.end()?;
        let counts = counts.context("`counts` is missing")?;
        compare_counts(&self.header, &self.counts, &counts, "`counts`")?;
        self.state = State::End;
        Ok(())
    }
}

/// The members before the rows; those are begun then.
fn header_of(tokens: &mut Tokens<impl Read>) -> Result<Header> {
    let mut members = serde_json::Map::new();
    tokens.expect(b'{')?;
    loop {
        tokens.separator(members.is_empty())?;
        let name: String = serde_json::from_slice(tokens.value()?)?;
        tokens.expect(b':')?;
        if name == "rows" {
            tokens.expect(b'{')?;
            return header_of_document(Value::Object(members));
        }
        let value = serde_json::from_slice(tokens.value()?)?;
        ensure!(!members.contains_key(&name), "`{name}` appears twice");
        members.insert(name, value);
    }
}

impl<R: Read> Reading for JsonReader<R> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn counts(&self) -> &[u64] {
        &self.counts
    }

    fn place(&self) -> String {
        self.tokens.place()
    }

    fn n_bytes(&self) -> u64 {
        self.tokens.n_bytes()
    }

    fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        if !self.step().with_context(|| self.place())? {
            return Ok(None);
        }
        self.counts[self.table] += 1;
        Ok(Some(Row { table: self.table, fields: &self.fields, bytes: self.tokens.last() }))
    }
}

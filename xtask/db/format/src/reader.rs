//! Reads the canonical format row by row and trusts nothing. The header, the order, the columns,
//! the row counts and the hash are checked; a file that was truncated or changed is refused.
//!
//! The rows come before their proof, so a caller commits them only after [`Reading::next_row`] has
//! returned `None`.

pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod markers;
mod pieces;
mod tokens;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use anyhow::{Context, Result, bail, ensure};

use crate::breaks::Breaks;
use crate::fields::{Fields, Row};
use crate::header::{Footer, Header, Rows, TableHead};
use crate::json::{members, written};
use crate::lines::Lines;
use crate::parse::Cursor;
use crate::reader::markers::ConflictMarker;
use crate::{NAME, Reading, VERSION};

/// A newer version of the format, which is not guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newer(pub u64);

impl fmt::Display for Newer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the export has version {}, and this xtask-db reads {VERSION}", self.0)
    }
}

impl std::error::Error for Newer {}

/// An export of a database of another engine, whose rows this does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherEngine;

impl fmt::Display for OtherEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is an export of a PostgreSQL database")
    }
}

impl std::error::Error for OtherEngine {}

/// An export in JSONL that is being read.
pub struct Reader<R> {
    lines: Lines<Breaks<R>>,
    header: Header,
    fields: Fields,
    /// The table of the last row, and how many rows each has so far.
    table: usize,
    counts: Vec<u64>,
    /// What is before each value of a row of that table, as it is written.
    members: Vec<Vec<u8>>,
    is_finished: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`Newer`] if a newer version wrote it; if it is not an export at all.
    pub fn open(input: R) -> Result<Self> {
        let mut lines = Lines::new(Breaks::new(input));
        ensure!(lines.next()?, "line 1: the file is empty");
        let header = header_of(lines.line()).context("line 1")?;
        let mut reader = Self {
            lines,
            fields: Fields::default(),
            table: 0,
            counts: vec![0; header.tables.len()],
            members: Vec::new(),
            is_finished: false,
            header,
        };
        reader.begin_table(0)?;
        Ok(reader)
    }

    /// Continues to a table of the header, if there are so many.
    fn begin_table(&mut self, at: usize) -> Result<()> {
        self.table = at;
        self.members.clear();
        if let Some(table) = self.header.tables.get(at) {
            let name = written(&table.name)?;
            self.members = members(table, &format!("{{\"table\":{name},\"row\":{{"))?;
        }
        Ok(())
    }

    fn row(&mut self) -> Result<()> {
        self.fields.clear();
        let mut cursor = Cursor::new(self.lines.line());
        let is_usual = self.members.first().is_some_and(|member| cursor.takes_all(member));
        if !is_usual {
            let name = table_of(&mut cursor)?;
            let is_it = |table: &TableHead| table.name == name;
            let rest = self.header.tables.get(self.table..).unwrap_or_default();
            let Some(n) = rest.iter().position(is_it) else {
                bail!("a row of table `{name}` is not expected here");
            };
            self.begin_table(self.table + n)?;
        }
        let table = &self.header.tables[self.table];
        let name = &table.name;
        ensure!(table.rows == Rows::Here, "according to the header, `{name}` has no rows here");
        // Once more: the table may be another one now.
        let mut cursor = Cursor::new(self.lines.line());
        if !self.members.first().is_some_and(|member| cursor.takes_all(member)) {
            table_of(&mut cursor)?;
            cursor.expect(b'{')?;
            first_member(&mut cursor, table)?;
        }
        values(&mut cursor, table, &self.members, &mut self.fields)?;
        cursor.expect(b'}')?;
        cursor.expect(b'}')?;
        cursor.end()
    }

    fn finish(&mut self) -> Result<()> {
        let footer: Footer =
            serde_json::from_slice(self.lines.line()).context("it is not a footer")?;
        compare_counts(&self.header, &self.counts, &footer.rows, "the footer")?;
        ensure!(
            footer.blake3 == self.lines.hash_before().to_hex().as_str(),
            "the lines before it are not those that were exported: their hash differs"
        );
        ensure!(!self.lines.next()?, "something follows the footer");
        self.is_finished = true;
        Ok(())
    }
}

impl<R: Read> Reading for Reader<R> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn counts(&self) -> &[u64] {
        &self.counts
    }

    fn place(&self) -> String {
        format!("line {}", self.lines.number())
    }

    fn n_bytes(&self) -> u64 {
        self.lines.n_bytes()
    }

    fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        if self.is_finished {
            return Ok(None);
        }
        if !self.lines.next()? {
            let n = self.lines.number() + 1;
            bail!("line {n}: the footer is missing: the file was cut short");
        }
        if self.lines.line().starts_with(b"{\"rows\":") {
            self.finish().with_context(|| self.place())?;
            return Ok(None);
        }
        if let Some(marker) = ConflictMarker::of(self.lines.line(), self.lines.number()) {
            return Err(marker.into());
        }
        self.row().with_context(|| self.place())?;
        self.counts[self.table] += 1;
        Ok(Some(Row { table: self.table, fields: &self.fields, bytes: self.lines.line() }))
    }
}

/// Compares the numbers of rows that were read with those that an export says of itself.
///
/// # Errors
///
/// If they differ.
pub(crate) fn compare_counts(
    header: &Header,
    found: &[u64],
    said: &BTreeMap<String, u64>,
    who: &str,
) -> Result<()> {
    let found: BTreeMap<String, u64> =
        header.counted(found).map(|(name, n)| (name.to_owned(), n)).collect();
    for (name, n) in said {
        let found = found.get(name).copied().unwrap_or(0);
        ensure!(found == *n, "{who} counts {n} rows of `{name}`, and there are {found}");
    }
    ensure!(*said == found, "{who} does not count every table");
    Ok(())
}

/// Takes the values of a row, the name of the first one taken already. `members` is what is before
/// each of them.
///
/// # Errors
///
/// If they are not those of the table.
pub(crate) fn values(
    cursor: &mut Cursor<'_>,
    table: &TableHead,
    members: &[Vec<u8>],
    fields: &mut Fields,
) -> Result<()> {
    for (at, name) in table.members().enumerate() {
        if at > 0 && !cursor.takes_all(&members[at]) {
            cursor.expect(b',')?;
            member(cursor, name)?;
        }
        cursor.field(fields).with_context(|| format!("column `{name}`"))?;
    }
    Ok(())
}

/// Takes the start of a row line up to the row; returns the name of its table.
fn table_of(cursor: &mut Cursor<'_>) -> Result<String> {
    cursor.expect(b'{')?;
    member(cursor, "table")?;
    let name = cursor.text()?;
    cursor.expect(b',')?;
    member(cursor, "row")?;
    Ok(name)
}

/// Takes the name of a row's first value, if it has any.
///
/// # Errors
///
/// If another one is there.
pub(crate) fn first_member(cursor: &mut Cursor<'_>, table: &TableHead) -> Result<()> {
    table.members().next().map_or(Ok(()), |name| member(cursor, name))
}

/// Takes a member's name and its colon.
fn member(cursor: &mut Cursor<'_>, name: &str) -> Result<()> {
    let found = cursor.text()?;
    ensure!(found == name, "expected `{name}`, found `{found}`");
    cursor.expect(b':')
}

/// Reads a header; what a newer version of the format says is not guessed at.
fn header_of(line: &[u8]) -> Result<Header> {
    let general: serde_json::Value = serde_json::from_slice(line).context("it is not JSON")?;
    header_of_document(general)
}

/// The same of what was read already.
///
/// # Errors
///
/// [`Newer`], or if it is not a header.
pub(crate) fn header_of_document(general: serde_json::Value) -> Result<Header> {
    ensure!(general["format"] == NAME, "it is not the header of an export");
    let version = general["version"].as_u64().context("the header has no version")?;
    if version > u64::from(VERSION) {
        return Err(Newer(version).into());
    }
    if general.get("engine").is_some() {
        return Err(OtherEngine.into());
    }
    serde_json::from_value(general).context("it is not a header")
}

#[cfg(test)]
mod tests;

//! Reading the canonical format back: row by row, and trusting nothing. Header, order, columns,
//! numbers of rows and the hash are all examined; a file that was cut short or changed is refused.
//!
//! The rows come before their proof: whoever writes them somewhere commits only after the last one,
//! when [`Reader::next`] has answered `None`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;

use anyhow::{Context, Result, bail, ensure};

use crate::cell::Value;
use crate::header::{Footer, Header, Rows};
use crate::parse::Cursor;
use crate::{NAME, VERSION};

/// A newer version of the format, which is not guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newer(pub u64);

impl fmt::Display for Newer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the export is of version {}, and this xtask-db reads {VERSION}", self.0)
    }
}

impl std::error::Error for Newer {}

/// An export that is being read.
pub struct Reader<R> {
    input: R,
    header: Header,
    line: Vec<u8>,
    /// The number of the line that was read last, from 1.
    n_lines: u64,
    hasher: blake3::Hasher,
    /// The table of the last row, and how many rows each has so far.
    table: usize,
    counts: Vec<u64>,
    is_finished: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`Newer`] where a newer version wrote it; where it is no export at all.
    pub fn open(input: R) -> Result<Self> {
        let header = Header::of_settings(String::new(), 0, 0);
        let mut reader = Self {
            input,
            header,
            line: Vec::new(),
            n_lines: 0,
            hasher: blake3::Hasher::new(),
            table: 0,
            counts: Vec::new(),
            is_finished: false,
        };
        ensure!(reader.read_line()?, "line 1: the file is empty");
        reader.header = header_of(&reader.line).context("line 1")?;
        reader.counts = vec![0; reader.header.tables.len()];
        reader.hasher.update(&reader.line);
        Ok(reader)
    }

    /// What the export says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the line that was read last, from 1: for messages about its row.
    #[must_use]
    pub fn line_number(&self) -> u64 {
        self.n_lines
    }

    /// How many rows each table of the header has so far.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Reads the next row into `values`, in the order of the table's members, and says which of the
    /// header's tables it belongs to. `None` after the last one, once the footer has proved them all.
    ///
    /// # Errors
    ///
    /// Where the line is no row of the table that is due, or the footer is missing or proves others.
    pub fn next(&mut self, values: &mut Vec<Value>) -> Result<Option<usize>> {
        if self.is_finished {
            return Ok(None);
        }
        if !self.read_line()? {
            bail!("line {}: the footer is missing: the file was cut short", self.n_lines + 1);
        }
        let n = self.n_lines;
        if self.line.starts_with(b"{\"rows\":") {
            self.finish().with_context(|| format!("line {n}"))?;
            return Ok(None);
        }
        self.row(values).with_context(|| format!("line {n}"))?;
        self.hasher.update(&self.line);
        self.counts[self.table] += 1;
        Ok(Some(self.table))
    }

    /// Reads a line with its end; whether there was one.
    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        self.input.read_until(b'\n', &mut self.line).context("could not read the export")?;
        if self.line.is_empty() {
            return Ok(false);
        }
        self.n_lines += 1;
        let is_whole = self.line.ends_with(b"\n");
        ensure!(is_whole, "line {}: it has no end: the file was cut short", self.n_lines);
        Ok(true)
    }

    fn row(&mut self, values: &mut Vec<Value>) -> Result<()> {
        let mut cursor = Cursor::new(&self.line);
        cursor.expect(b'{')?;
        member(&mut cursor, "table")?;
        let name = cursor.text()?;
        while self.header.tables.get(self.table).is_some_and(|table| table.name != name) {
            self.table += 1;
        }
        let Some(table) = self.header.tables.get(self.table) else {
            bail!("a row of table `{name}` is not due here");
        };
        ensure!(table.rows == Rows::Here, "the header says that `{name}` has no rows here");
        cursor.expect(b',')?;
        member(&mut cursor, "row")?;
        cursor.expect(b'{')?;
        values.clear();
        for (at, name) in table.members().enumerate() {
            if at > 0 {
                cursor.expect(b',')?;
            }
            member(&mut cursor, name)?;
            values.push(cursor.value().with_context(|| format!("column `{name}`"))?);
        }
        cursor.expect(b'}')?;
        cursor.expect(b'}')?;
        cursor.end()
    }

    fn finish(&mut self) -> Result<()> {
        let footer: Footer = serde_json::from_slice(&self.line).context("it is no footer")?;
        let hash = self.hasher.finalize().to_hex();
        let counted: BTreeMap<String, u64> =
            self.header.counted(&self.counts).map(|(name, n)| (name.to_owned(), n)).collect();
        for (name, n) in &footer.rows {
            let found = counted.get(name).copied().unwrap_or(0);
            ensure!(found == *n, "the footer counts {n} rows of `{name}`, and there are {found}");
        }
        ensure!(footer.rows == counted, "the footer does not count every table");
        ensure!(
            footer.blake3 == hash.as_str(),
            "the lines before it are not those that were exported: their hash differs"
        );
        ensure!(!self.read_line()?, "something follows the footer");
        self.is_finished = true;
        Ok(())
    }
}

/// Takes a member's name and its colon.
fn member(cursor: &mut Cursor<'_>, name: &str) -> Result<()> {
    let found = cursor.text()?;
    ensure!(found == name, "`{name}` is due, and `{found}` stands there");
    cursor.expect(b':')
}

/// Reads a header; what a newer version of the format says is not guessed at.
fn header_of(line: &[u8]) -> Result<Header> {
    let general: serde_json::Value = serde_json::from_slice(line).context("it is no JSON")?;
    ensure!(general["format"] == NAME, "it is no header of an export");
    let version = general["version"].as_u64().context("the header has no version")?;
    if version > u64::from(VERSION) {
        return Err(Newer(version).into());
    }
    serde_json::from_value(general).context("it is no header")
}

#[cfg(test)]
mod tests;

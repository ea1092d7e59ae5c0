//! The pieces of a dump, in order: together they are the dump byte for byte.

use anyhow::Result;

use crate::postgres::dump::copy_target::CopyTarget;
use crate::postgres::dump::lexer::Lexer;
use crate::sqlite::examination::finding::Damage;

/// A piece of large objects ends after so much, at the end of a statement.
const PIECE_BYTES: usize = 1 << 20;
const COMPLETE: &[u8] = b"-- PostgreSQL database dump complete\n";

/// A piece, with all its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Whole statements, usually of one object, with the comments before them.
    Definition(&'a [u8]),
    /// The beginning or the end of a transaction, which `pg_dump` writes around large objects.
    Transaction(&'a [u8]),
    /// A comment that names a version of the server or the client.
    Version(&'a [u8]),
    /// A line that only `psql` understands.
    Command(&'a [u8]),
    /// The line before rows.
    Copy(&'a [u8], CopyTarget),
    /// Rows, or a part of one; how many end in it.
    Rows(&'a [u8], u64),
    /// The line after rows.
    End(&'a [u8]),
}

impl Piece<'_> {
    /// Its bytes.
    #[must_use]
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Definition(bytes)
            | Self::Transaction(bytes)
            | Self::Version(bytes)
            | Self::Command(bytes)
            | Self::Copy(bytes, _)
            | Self::Rows(bytes, _)
            | Self::End(bytes) => bytes,
        }
    }
}

/// A line that is a piece by itself, or begins one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    Transaction,
    Version,
    Command,
    Copy,
    Header,
}

/// Reads a dump piece by piece.
pub(crate) struct Pieces<F> {
    /// Replaces the content of a buffer with what comes next; with nothing at the end.
    fill: F,
    part: Vec<u8>,
    buffer: Vec<u8>,
    /// Where in the buffer the next piece begins.
    at: usize,
    is_at_end: bool,
    lexer: Lexer,
    rows: Option<Rows>,
    /// Whether the title that came last is that of large objects' contents.
    is_of_large_objects: bool,
    is_complete: bool,
}

/// Within rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// At the beginning of a line.
    Line,
    /// Within one.
    Within,
}

impl<F: FnMut(&mut Vec<u8>) -> Result<()>> Pieces<F> {
    /// The pieces of what a function reads.
    pub(crate) fn of(fill: F) -> Self {
        let (part, buffer, lexer) = (Vec::new(), Vec::new(), Lexer::new());
        let (at, is_at_end, is_complete) = (0, false, false);
        let (rows, is_of_large_objects) = (None, false);
        Self { fill, part, buffer, at, is_at_end, lexer, rows, is_of_large_objects, is_complete }
    }

    /// Whether the dump has the line that is its last.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The next piece.
    ///
    /// # Errors
    ///
    /// [`Damage`], or what the reading fails with.
    pub(crate) fn next(&mut self) -> Result<Option<Piece<'_>>> {
        self.buffer.drain(..self.at);
        self.at = 0;
        match self.rows {
            Some(rows) => self.next_of_rows(rows),
            None => self.next_of_sql(),
        }
    }

    /// Reads more; returns whether there was more.
    fn read_on(&mut self) -> Result<bool> {
        if !self.is_at_end {
            (self.fill)(&mut self.part)?;
            self.is_at_end = self.part.is_empty();
            if has_zero(&self.part) {
                return Err(damage("it contains the byte 0"));
            }
            self.buffer.extend_from_slice(&self.part);
        }
        Ok(!self.is_at_end)
    }

    fn next_of_rows(&mut self, mut rows: Rows) -> Result<Option<Piece<'_>>> {
        // The end of the rows is known with its third byte.
        while self.buffer.len() < 3 && self.read_on()? {}
        let (mut end, mut n_rows) = (0, 0);
        while end < self.buffer.len() {
            let rest = &self.buffer[end..];
            if rows == Rows::Line && is_perhaps_end(rest) {
                break;
            }
            let length = line_length(rest);
            end += length;
            rows = if rest[length - 1] == b'\n' { Rows::Line } else { Rows::Within };
            n_rows += u64::from(rows == Rows::Line);
        }
        self.at = end;
        if end > 0 {
            self.rows = Some(rows);
            return Ok(Some(Piece::Rows(&self.buffer[..end], n_rows)));
        }
        if !self.buffer.starts_with(b"\\.\n") {
            // No value is written like this, and `psql` might take it for the end of the rows.
            let is_cut = self.buffer.len() < 3;
            return Err(damage(if is_cut {
                "its rows are incomplete"
            } else {
                "a row begins with `\\.`"
            }));
        }
        (self.at, self.rows) = (3, None);
        Ok(Some(Piece::End(&self.buffer[..3])))
    }

    fn next_of_sql(&mut self) -> Result<Option<Piece<'_>>> {
        let mut end = 0;
        while let Some(length) = self.line_at(end)? {
            if self.lexer.is_between_statements() {
                let begin = self.begin_at(end, length)?;
                let is_long = self.is_of_large_objects && end > PIECE_BYTES;
                if end > 0 && (begin.is_some() || is_long) {
                    break;
                }
                match begin {
                    Some(Begin::Header) => self.note_title(length)?,
                    Some(begin) => return self.single(begin, length).map(Some),
                    None => {}
                }
            }
            let line = &self.buffer[end..end + length];
            self.is_complete |= self.lexer.is_between_statements() && line == COMPLETE;
            self.lexer.take(line);
            end += length;
        }
        if self.is_at_end && end == self.buffer.len() && !self.lexer.is_between_statements() {
            return Err(damage("its last statement is incomplete"));
        }
        self.at = end;
        Ok((end > 0).then(|| Piece::Definition(&self.buffer[..end])))
    }

    /// A piece that begins with a line of its own.
    fn single(&mut self, begin: Begin, length: usize) -> Result<Piece<'_>> {
        self.at = length;
        if begin == Begin::Copy {
            return self.copy();
        }
        if begin != Begin::Command {
            self.lexer.take(&self.buffer[..length]);
        }
        let line = &self.buffer[..length];
        Ok(match begin {
            Begin::Transaction => Piece::Transaction(line),
            Begin::Version => Piece::Version(line),
            _ => Piece::Command(line),
        })
    }

    /// The statement before rows; a name in it may contain line feeds.
    fn copy(&mut self) -> Result<Piece<'_>> {
        let mut end = 0;
        while end == 0 || !self.lexer.is_between_statements() {
            let length = self.line_at(end)?;
            let length = length.ok_or_else(|| damage("its last statement is incomplete"))?;
            self.lexer.take(&self.buffer[end..end + length]);
            end += length;
        }
        self.at = end;
        let statement = &self.buffer[..end];
        let Some(target) = CopyTarget::parse(statement) else {
            return Err(damage("it has a `COPY` that `pg_dump` does not write"));
        };
        self.rows = Some(Rows::Line);
        Ok(Piece::Copy(statement, target))
    }

    /// The length of the line at a place, with its line feed; `None` at the end.
    fn line_at(&mut self, start: usize) -> Result<Option<usize>> {
        let mut seen = start;
        loop {
            let length = line_length(&self.buffer[seen..]);
            let end = seen + length;
            if length > 0 && self.buffer[end - 1] == b'\n' {
                return Ok(Some(end - start));
            }
            seen = end;
            if !self.read_on()? {
                return Ok((end > start).then_some(end - start));
            }
        }
    }

    fn begin_at(&mut self, start: usize, length: usize) -> Result<Option<Begin>> {
        let line = &self.buffer[start..start + length];
        let begins = |with: &[u8]| line.starts_with(with);
        let begin = match line {
            b"BEGIN;\n" | b"COMMIT;\n" => Some(Begin::Transaction),
            _ if begins(b"\\") => Some(Begin::Command),
            _ if begins(b"COPY ") => Some(Begin::Copy),
            _ if begins(b"-- Dumped from database version ") => Some(Begin::Version),
            _ if begins(b"-- Dumped by pg_dump version ") => Some(Begin::Version),
            _ => None,
        };
        if begin.is_some() || line != b"--\n" {
            return Ok(begin);
        }
        let title = start + length;
        let length = self.line_at(title)?.unwrap_or(0);
        let title = &self.buffer[title..title + length];
        let starts: [&[u8]; 3] = [b"-- Name: ", b"-- Data for Name: ", b"-- Statistics for Name: "];
        Ok(starts.iter().any(|with| title.starts_with(with)).then_some(Begin::Header))
    }

    /// Notes what the title is that follows the first line.
    fn note_title(&mut self, first: usize) -> Result<()> {
        let length = self.line_at(first)?.unwrap_or(0);
        let title = String::from_utf8_lossy(&self.buffer[first..first + length]);
        self.is_of_large_objects =
            title.starts_with("-- Data for Name: ") && title.contains("; Type: BLOBS; ");
        Ok(())
    }
}

/// The length of the first line, with its line feed if it has one.
fn line_length(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
}

fn has_zero(bytes: &[u8]) -> bool {
    memchr::memchr(0, bytes).is_some()
}

/// Whether a line begins like the end of rows, or might if more was there.
fn is_perhaps_end(line: &[u8]) -> bool {
    line.starts_with(b"\\.") || line == b"\\"
}

fn damage(what: &str) -> anyhow::Error {
    Damage::new(format!("the dump is damaged: {what}")).into()
}

#[cfg(test)]
mod tests;

//! The values of a CSV file one by one (RFC 4180). Quoted values are distinguished from bare ones.

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};

use crate::scan;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 18;

/// How a value is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// In quotes: it was appended to the texts, without them.
    Quoted,
    /// Without: [`Pieces::bare`] has it.
    Bare,
}

/// What follows a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Another one of the same record.
    Value,
    /// The next record.
    Record,
}

/// A CSV file that is being read.
pub(crate) struct Pieces<R> {
    input: R,
    buffer: Vec<u8>,
    n_read: usize,
    at: usize,
    bare: Vec<u8>,
    n_records: u64,
    line: u64,
    n_bytes_before: u64,
}

impl<R: Read> Pieces<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; PIECE_BYTES],
            n_read: 0,
            at: 0,
            bare: Vec::new(),
            n_records: 0,
            line: 1,
            n_bytes_before: 0,
        }
    }

    /// How many records were read to their end.
    pub(crate) fn n_records(&self) -> u64 {
        self.n_records
    }

    /// The number of the line it has come to, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// How many bytes were read.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_bytes_before + self.at as u64
    }

    /// The bare value that was taken last.
    pub(crate) fn bare(&self) -> &[u8] {
        &self.bare
    }

    /// Reads the next value, a quoted one into `texts`, and returns what follows it; `None` at the
    /// end.
    ///
    /// # Errors
    ///
    /// If a value or the last record is incomplete, or quotes are where none may be.
    pub(crate) fn next(&mut self, texts: &mut Vec<u8>) -> Result<Option<(Piece, Ended)>> {
        let Some(first) = self.peek()? else { return Ok(None) };
        let piece = if first == b'"' {
            self.at += 1;
            self.quoted(texts)?;
            Piece::Quoted
        } else {
            self.bare.clear();
            self.unquoted()?;
            Piece::Bare
        };
        Ok(Some((piece, self.ended()?)))
    }

    fn quoted(&mut self, texts: &mut Vec<u8>) -> Result<()> {
        loop {
            let n = self.up_to(scan::quote, texts)?;
            ensure!(n, "a text is not closed: the file was cut short");
            self.at += 1;
            // A doubled one stands for itself.
            if self.peek()? != Some(b'"') {
                return Ok(());
            }
            texts.push(b'"');
            self.at += 1;
        }
    }

    fn unquoted(&mut self) -> Result<()> {
        let mut bare = std::mem::take(&mut self.bare);
        let found = self.up_to(scan::end_of_bare, &mut bare);
        self.bare = bare;
        ensure!(found?, "the last row is incomplete: the file was cut short");
        if self.buffer[self.at] == b'"' {
            bail!("a quote within an unquoted value");
        }
        // Some tools end lines so.
        if self.buffer[self.at] == b'\n' && self.bare.ends_with(b"\r") {
            self.bare.pop();
        }
        Ok(())
    }

    /// Appends everything up to what is sought; whether it was found.
    fn up_to(&mut self, sought: fn(&[u8]) -> Option<usize>, to: &mut Vec<u8>) -> Result<bool> {
        loop {
            let rest = &self.buffer[self.at..self.n_read];
            let found = sought(rest);
            let taken = &rest[..found.unwrap_or(rest.len())];
            self.line += scan::n_line_breaks(taken);
            to.extend_from_slice(taken);
            self.at += taken.len();
            if found.is_some() {
                return Ok(true);
            }
            if self.peek()?.is_none() {
                return Ok(false);
            }
        }
    }

    fn ended(&mut self) -> Result<Ended> {
        let mut mark = self.peek()?;
        if mark == Some(b'\r') {
            self.at += 1;
            mark = self.peek()?;
        }
        self.at += 1;
        match mark {
            Some(b',') => Ok(Ended::Value),
            Some(b'\n') => {
                self.line += 1;
                self.n_records += 1;
                Ok(Ended::Record)
            }
            Some(_) => bail!("something follows a string in quotes"),
            None => bail!("the last row is incomplete: the file was cut short"),
        }
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        if self.at == self.n_read {
            self.n_bytes_before += self.at as u64;
            self.at = 0;
            self.n_read = loop {
                match self.input.read(&mut self.buffer) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    n => break n.context("could not read the export")?,
                }
            };
        }
        Ok(self.buffer[..self.n_read].get(self.at).copied())
    }
}

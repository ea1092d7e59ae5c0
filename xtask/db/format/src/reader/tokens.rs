//! The tokens of a JSON document that does not fit into memory: punctuation marks, and whole
//! values. The content of a value is checked by its reader.

use std::io::Read;

use anyhow::{Context, Result, ensure};

use crate::scan;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 18;

/// A JSON document that is read piece by piece.
pub(crate) struct Tokens<R> {
    input: R,
    buffer: Vec<u8>,
    /// How much of the buffer was read, and where the next piece begins.
    n_read: usize,
    at: usize,
    /// Where the last value begins.
    begin: usize,
    /// The number of the current line, from 1, and where in the buffer lines are counted from.
    line: u64,
    counted: usize,
    n_bytes_before: u64,
}

impl<R: Read> Tokens<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; 2 * PIECE_BYTES],
            n_read: 0,
            at: 0,
            begin: 0,
            line: 1,
            counted: 0,
            n_bytes_before: 0,
        }
    }

    /// Where it has come to, e.g. `line 12`.
    pub(crate) fn place(&self) -> String {
        let n = scan::n_line_breaks(&self.buffer[self.counted..self.at]);
        format!("line {}", self.line + n)
    }

    /// How many bytes were read.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_bytes_before + self.at as u64
    }

    /// The value that was taken last.
    pub(crate) fn last(&self) -> &[u8] {
        &self.buffer[self.begin..self.at]
    }

    /// Takes a mark if it is there.
    ///
    /// # Errors
    ///
    /// If the document cannot be read.
    pub(crate) fn takes(&mut self, mark: u8) -> Result<bool> {
        let is_there = self.peek()? == Some(mark);
        self.at += usize::from(is_there);
        Ok(is_there)
    }

    /// Takes a mark.
    ///
    /// # Errors
    ///
    /// If something else is there, or nothing.
    pub(crate) fn expect(&mut self, mark: u8) -> Result<()> {
        let found = self.peek()?.context("the document is incomplete: the file was cut short")?;
        let (mark, found) = (char::from(mark), char::from(found));
        ensure!(found == mark, "expected `{mark}`, found `{}`", found.escape_default());
        self.at += 1;
        Ok(())
    }

    /// Takes what is between two members.
    ///
    /// # Errors
    ///
    /// If something else is there.
    pub(crate) fn separator(&mut self, is_first: bool) -> Result<()> {
        if is_first { Ok(()) } else { self.expect(b',') }
    }

    /// Fails if anything but space is left.
    ///
    /// # Errors
    ///
    /// As described.
    pub(crate) fn end(&mut self) -> Result<()> {
        ensure!(self.peek()?.is_none(), "something follows the document");
        Ok(())
    }

    /// Takes a value: a text, an object or an array up to the end, anything else up to a mark.
    ///
    /// # Errors
    ///
    /// If there is none, or the document ends within it.
    pub(crate) fn value(&mut self) -> Result<&[u8]> {
        let cut = "the document is incomplete: the file was cut short";
        self.peek()?.context(cut)?;
        self.begin = self.at;
        let mut depth = 0_u32;
        loop {
            let byte = self.peek_byte()?.context(cut)?;
            match byte {
                b'"' => {
                    self.at += 1;
                    self.string().context(cut)?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                _ if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                // A number or a word.
                _ => {
                    let is_of_it =
                        |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
                    while self.peek_byte()?.is_some_and(is_of_it) {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                ensure!(self.at > self.begin, "there is no value");
                return Ok(self.last());
            }
        }
    }

    /// Goes behind the end of a text that was begun.
    fn string(&mut self) -> Result<()> {
        loop {
            match scan::quote_or_backslash(&self.buffer[self.at..self.n_read]) {
                None => {
                    self.at = self.n_read;
                    ensure!(self.fill()?, "a text is not closed");
                }
                Some(n) if self.buffer[self.at + n] == b'"' => {
                    self.at += n + 1;
                    return Ok(());
                }
                Some(n) => {
                    self.at += n + 1;
                    self.peek_byte()?.context("a text is not closed")?;
                    self.at += 1;
                }
            }
        }
    }

    /// The next byte that is not a space; what was taken before is given up.
    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            self.begin = self.at;
            match self.peek_byte()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                other => return Ok(other),
            }
        }
    }

    #[inline]
    fn peek_byte(&mut self) -> Result<Option<u8>> {
        if self.at == self.n_read && !self.fill()? {
            return Ok(None);
        }
        Ok(Some(self.buffer[self.at]))
    }

    /// Reads more; the value that was begun moves to the front.
    fn fill(&mut self) -> Result<bool> {
        let counted = &self.buffer[self.counted..self.begin];
        self.line += scan::n_line_breaks(counted);
        self.buffer.copy_within(self.begin..self.n_read, 0);
        self.n_bytes_before += self.begin as u64;
        self.n_read -= self.begin;
        self.at -= self.begin;
        (self.begin, self.counted) = (0, 0);
        if self.buffer.len() - self.n_read < PIECE_BYTES {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        let n = loop {
            match self.input.read(&mut self.buffer[self.n_read..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                n => break n.context("could not read the export")?,
            }
        };
        self.n_read += n;
        Ok(n > 0)
    }
}

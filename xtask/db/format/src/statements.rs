//! Splits an SQL file of any program into its statements: semicolons in quotes, in comments and in
//! the body of a trigger end none.
//!
//! The file is read once, in pieces; only one statement is in memory. A statement that the end of
//! the file cuts off is an error: half of one must not run.

mod scanner;

use std::fmt;
use std::io::{ErrorKind, Read};

use anyhow::Result;

use scanner::{Found, Scanner};

use crate::scan;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 1 << 18;

/// What SQLite takes as one statement, bytes (<https://sqlite.org/limits.html>).
const MAX_BYTES: usize = 1_000_000_000;

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// One piece of an SQL file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A statement with its semicolon, without the blanks and comments before it.
    Statement(&'a [u8]),
    /// A line that begins with a dot: a command of the sqlite3 shell.
    Command(&'a [u8]),
}

/// Why a file is not a row of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// It ends within what begins on this line.
    CutShort(u64),
    /// What begins on this line is longer than SQLite takes.
    TooLong(u64),
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort(line) => {
                write!(f, "the file ends within the statement that begins on line {line}")
            }
            Self::TooLong(line) => {
                write!(f, "the statement that begins on line {line} is longer than SQLite allows")
            }
        }
    }
}

impl std::error::Error for Unfinished {}

/// Cuts a file into statements.
pub struct Statements<R> {
    source: R,
    buffer: Vec<u8>,
    /// How much of the buffer was read: the rest is room.
    n_read: usize,
    /// Where in the buffer the current piece begins, how long it is once it was handed out, and on
    /// which line of the file.
    begin: usize,
    taken: usize,
    line: u64,
    /// Whether what comes next begins a line.
    is_line_start: bool,
    n_bytes: u64,
    scanner: Scanner,
}

impl<R: Read> Statements<R> {
    /// Begins at the beginning of a file.
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; CHUNK_BYTES],
            n_read: 0,
            begin: 0,
            taken: 0,
            line: 1,
            is_line_start: true,
            n_bytes: 0,
            scanner: Scanner::default(),
        }
    }

    /// The next piece, and the line on which it begins, from 1.
    ///
    /// # Errors
    ///
    /// [`Unfinished`]; if the file cannot be read.
    pub fn next_piece(&mut self) -> Result<Option<(u64, Piece<'_>)>> {
        self.pass(self.taken);
        let is_command = loop {
            let rest = &self.buffer[self.begin..self.n_read];
            match self.scanner.scan(rest, self.is_line_start) {
                Found::Blank(n_bytes) => self.pass(n_bytes),
                Found::Statement(n_bytes) => {
                    self.taken = n_bytes;
                    break false;
                }
                Found::Command(n_bytes) => {
                    self.taken = n_bytes;
                    break true;
                }
                Found::More if self.fill()? => {}
                Found::More if self.scanner.may_end(self.n_read - self.begin) => {
                    return Ok(None);
                }
                Found::More if self.scanner.is_command() => {
                    self.taken = self.n_read - self.begin;
                    break true;
                }
                Found::More => return Err(Unfinished::CutShort(self.line).into()),
            }
        };
        let bytes = &self.buffer[self.begin..self.begin + self.taken];
        let piece = if is_command { Piece::Command(bytes) } else { Piece::Statement(bytes) };
        Ok(Some((self.line, piece)))
    }

    /// How many bytes were read so far.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    fn pass(&mut self, n_bytes: usize) {
        let passed = &self.buffer[self.begin..self.begin + n_bytes];
        if let Some(last) = passed.last() {
            self.is_line_start = *last == b'\n';
        }
        self.line += scan::n_line_breaks(passed);
        self.begin += n_bytes;
        self.taken = 0;
        self.scanner = Scanner::default();
    }

    /// Reads on; whether there was anything. What was passed makes room; a long statement is read in
    /// ever larger pieces, so that it is moved and looked at seldom.
    fn fill(&mut self) -> Result<bool> {
        self.buffer.copy_within(self.begin..self.n_read, 0);
        self.n_read -= self.begin;
        self.begin = 0;
        if self.n_read > MAX_BYTES {
            return Err(Unfinished::TooLong(self.line).into());
        }
        if self.n_read == self.buffer.len() {
            // Not `resize`, which sets byte after byte if nothing is optimised.
            let mut larger = vec![0; 2 * self.n_read];
            larger[..self.n_read].copy_from_slice(&self.buffer);
            self.buffer = larger;
        }
        let is_first = self.n_bytes == 0;
        let mut n_bytes = self.read()?;
        // A byte order mark says nothing here; a short read may have only a part of it.
        while is_first && n_bytes > 0 && self.n_read < MARK.len() && MARK.starts_with(self.unread())
        {
            n_bytes = self.read()?;
        }
        if is_first && self.unread().starts_with(MARK) {
            self.begin = MARK.len();
            return Ok(true);
        }
        Ok(n_bytes > 0 || is_first && self.n_read > 0)
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.begin..self.n_read]
    }

    fn read(&mut self) -> Result<usize> {
        loop {
            match self.source.read(&mut self.buffer[self.n_read..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => {
                    let n_bytes = read?;
                    self.n_read += n_bytes;
                    self.n_bytes += n_bytes as u64;
                    return Ok(n_bytes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

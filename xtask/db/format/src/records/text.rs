//! Bytes of any source as text: verified to be UTF-8, without a byte order mark, with lines and
//! bytes counted as they are read.

use std::cell::Cell;
use std::io::{self, BufRead, ErrorKind, Read};
use std::rc::Rc;

const BUFFER_BYTES: usize = 1 << 16;
/// So much is needed to know a mark or a format by.
const START_BYTES: usize = 32;

/// How far a text was taken; its holders see it move.
#[derive(Debug)]
pub(super) struct Position {
    /// The line of the next byte, from 1.
    pub line: Cell<u64>,
    /// Bytes before that line.
    line_start: Cell<u64>,
    /// Bytes before those that are ready.
    before: Cell<u64>,
    /// The next byte, among those that are ready.
    at: Cell<usize>,
}

impl Position {
    /// Bytes taken.
    pub(super) fn n_bytes(&self) -> u64 {
        self.before.get() + self.at.get() as u64
    }

    /// The column of the next byte, in bytes from 0.
    pub(super) fn column(&self) -> u64 {
        self.n_bytes() - self.line_start.get()
    }
}

/// A text that is read.
pub(super) struct Text<R> {
    inner: R,
    buffer: Vec<u8>,
    /// So far the bytes are UTF-8.
    checked: usize,
    /// So far the buffer is filled: the beginning of a character may be at its end.
    filled: usize,
    position: Rc<Position>,
}

impl<R: Read> Text<R> {
    /// Reads the first piece.
    ///
    /// # Errors
    ///
    /// As the reader's, or if the text is UTF-16.
    pub(super) fn open(inner: R) -> io::Result<Self> {
        let position = Position {
            line: Cell::new(1),
            line_start: Cell::new(0),
            before: Cell::new(0),
            at: Cell::new(0),
        };
        let mut text = Self {
            inner,
            buffer: vec![0; BUFFER_BYTES],
            checked: 0,
            filled: 0,
            position: Rc::new(position),
        };
        // A pipe hands over as little as it likes; what the text is shows in its first line.
        while !text.shows_what_it_is() && text.pull()? > 0 {}
        let start = &text.buffer[..text.filled];
        if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
            return Err(no_utf8("the text is UTF-16; only UTF-8 can be read"));
        }
        if start.starts_with(&[0xef, 0xbb, 0xbf]) {
            text.buffer.copy_within(3..text.filled, 0);
            text.filled -= 3;
        }
        Ok(text)
    }

    /// How far it was taken.
    pub(super) fn position(&self) -> Rc<Position> {
        Rc::clone(&self.position)
    }

    /// The next byte, which stays.
    #[inline]
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.position.at.get() == self.checked {
            self.refill()?;
        }
        Ok(self.buffer[..self.checked].get(self.position.at.get()).copied())
    }

    /// Takes the byte that was seen.
    #[inline]
    pub(super) fn advance(&mut self) {
        let position = &self.position;
        let at = position.at.get();
        position.at.set(at + 1);
        if self.buffer[at] == b'\n' {
            position.line.set(position.line.get() + 1);
            position.line_start.set(position.n_bytes());
        }
    }

    /// Whether what follows begins so, as far as it is ready.
    pub(super) fn begins_with(&self, start: &str) -> bool {
        self.buffer[self.position.at.get()..self.checked].starts_with(start.as_bytes())
    }

    /// Skips white space; the first byte after it stays.
    pub(super) fn skip_space(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !b" \t\r\n".contains(&byte) {
                return Ok(Some(byte));
            }
            self.advance();
        }
        Ok(None)
    }

    fn shows_what_it_is(&self) -> bool {
        let start = &self.buffer[..self.filled];
        start.len() == self.buffer.len() || start.len() >= START_BYTES && start.contains(&b'\n')
    }

    /// Reads once into what is free of the buffer.
    fn pull(&mut self) -> io::Result<usize> {
        loop {
            match self.inner.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(n_bytes) => {
                    self.filled += n_bytes;
                    return Ok(n_bytes);
                }
            }
        }
    }

    /// Makes more of the text ready, all that was ready being taken; nothing at the end.
    fn refill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.checked..self.filled, 0);
        self.filled -= self.checked;
        self.position.before.set(self.position.n_bytes());
        self.position.at.set(0);
        self.checked = 0;
        loop {
            let is_more = self.filled < self.buffer.len() && self.pull()? > 0;
            match std::str::from_utf8(&self.buffer[..self.filled]) {
                Ok(_) => self.checked = self.filled,
                Err(error) if error.valid_up_to() > 0 => self.checked = error.valid_up_to(),
                Err(error) if error.error_len().is_none() && is_more => continue,
                Err(_) => {
                    let line = self.position.line.get();
                    return Err(no_utf8(&format!("line {line}: the text is not UTF-8")));
                }
            }
            return Ok(());
        }
    }
}

impl<R: Read> Read for Text<R> {
    #[inline]
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut n_bytes = 0;
        while n_bytes < to.len() {
            let Some(byte) = self.peek()? else { break };
            to[n_bytes] = byte;
            n_bytes += 1;
            self.advance();
        }
        Ok(n_bytes)
    }
}

impl<R: Read> BufRead for Text<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek()?;
        Ok(&self.buffer[self.position.at.get()..self.checked])
    }

    fn consume(&mut self, n_bytes: usize) {
        (0..n_bytes).for_each(|_| self.advance());
    }
}

fn no_utf8(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that hands over one byte at a time.
    struct Dripping<'b>(&'b [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let n_bytes = to.len().min(1);
            self.0.read(&mut to[..n_bytes])
        }
    }

    fn taken(bytes: &[u8]) -> io::Result<(String, u64)> {
        let mut text = Text::open(Dripping(bytes))?;
        let mut all = String::new();
        text.read_to_string(&mut all)?;
        Ok((all, text.position().line.get()))
    }

    #[test]
    fn it_is_taken_whole_and_its_lines_are_counted() {
        let long = "é€𝄞\n".repeat(30_000);
        for (bytes, text, line) in [
            (&b"a\nb"[..], "a\nb", 2),
            (b"\xef\xbb\xbfa\n", "a\n", 2),
            (b"", "", 1),
            (long.as_bytes(), &long, 30_001),
        ] {
            let taken = taken(bytes).expect("text");
            assert_eq!((taken.0.as_str(), taken.1), (text, line));
        }
    }

    #[test]
    fn what_is_no_utf8_is_named_by_its_line() {
        let late = ["x\n".repeat(70_000).as_bytes(), b"\xff"].concat();
        for (bytes, message) in [
            (&b"a\n\xe9t\xe9\n"[..], "line 2: the text is not UTF-8"),
            (b"a\n\xe2\x82", "line 2: the text is not UTF-8"),
            (b"\xff\xfea\0", "the text is UTF-16; only UTF-8 can be read"),
            (&late, "line 70001: the text is not UTF-8"),
        ] {
            assert_eq!(taken(bytes).expect_err("no text").to_string(), message);
        }
    }
}

//! The lines of a file, read and hashed in large pieces. Memory is bounded by the longest line.

use std::io::Read;

use anyhow::{Context, Result, ensure};

use crate::scan;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 18;

/// A file that is read line by line.
pub(crate) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// How much of the buffer was read.
    n_read: usize,
    /// How much of it was hashed.
    n_hashed: usize,
    /// Where the current line begins and ends, its break included.
    begin: usize,
    end: usize,
    hasher: blake3::Hasher,
    /// The number of the current line, from 1.
    number: u64,
    /// Bytes in the pieces before the buffer.
    n_bytes_before: u64,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; 2 * PIECE_BYTES],
            n_read: 0,
            n_hashed: 0,
            begin: 0,
            end: 0,
            hasher: blake3::Hasher::new(),
            number: 0,
            n_bytes_before: 0,
        }
    }

    /// The current line with its break.
    pub(crate) fn line(&self) -> &[u8] {
        &self.buffer[self.begin..self.end]
    }

    /// The number of the current line, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// How many bytes there are up to the current line's end.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_bytes_before + self.end as u64
    }

    /// Continues to the next line; whether there is one.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or its last line has no end.
    pub(crate) fn next(&mut self) -> Result<bool> {
        self.begin = self.end;
        let mut looked_at = self.end;
        loop {
            if let Some(at) = scan::line_break(&self.buffer[looked_at..self.n_read]) {
                self.end = looked_at + at + 1;
                self.number += 1;
                return Ok(true);
            }
            let n_unfinished = self.n_read - self.begin;
            if !self.fill()? {
                let n = self.number + 1;
                ensure!(n_unfinished == 0, "line {n}: it is incomplete: the file was cut short");
                return Ok(false);
            }
            looked_at = self.begin + n_unfinished;
        }
    }

    /// BLAKE3 of all lines before the current one.
    pub(crate) fn hash_before(&mut self) -> blake3::Hash {
        self.hash_to(self.begin);
        self.hasher.finalize()
    }

    fn hash_to(&mut self, end: usize) {
        self.hasher.update(&self.buffer[self.n_hashed..end]);
        self.n_hashed = end;
    }

    /// Reads more behind the unfinished line, which moves to the front; whether there was more.
    fn fill(&mut self) -> Result<bool> {
        self.hash_to(self.begin);
        self.buffer.copy_within(self.begin..self.n_read, 0);
        self.n_bytes_before += self.begin as u64;
        self.n_read -= self.begin;
        (self.begin, self.end, self.n_hashed) = (0, 0, 0);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a few bytes at a time.
    struct Dripping<'b>(&'b [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.len().min(7).min(to.len());
            to[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn lines_of_any_length_come_whole_and_hashed() {
        let mut text = Vec::new();
        let mut expected = Vec::new();
        for n in [0, 1, 30, 31, 32, 33, 70_000, 0, 600_000, 5] {
            let mut line = vec![b'x'; n];
            line.push(b'\n');
            expected.push((line.clone(), blake3::hash(&text)));
            text.extend(line);
        }
        for dripping in [false, true] {
            let input: Box<dyn Read> =
                if dripping { Box::new(Dripping(&text)) } else { Box::new(&*text) };
            let mut lines = Lines::new(input);
            for (number, (line, hash)) in (1..).zip(&expected) {
                assert!(lines.next().expect("a line"));
                assert!(lines.line() == line);
                assert_eq!((lines.number(), lines.hash_before()), (number, *hash));
            }
            assert_eq!(lines.n_bytes(), text.len() as u64);
            assert!(!lines.next().expect("the end"));
            assert!(!lines.next().expect("the end"));
        }
        let mut lines = Lines::new(&b"a\nb"[..]);
        assert!(lines.next().expect("a line"));
        let error = lines.next().expect_err("cut short");
        assert_eq!(error.to_string(), "line 2: it is incomplete: the file was cut short");
    }
}

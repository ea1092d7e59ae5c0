//! The last bytes of a bundle: the hash of all before them, in a frame that zstd skips.
//!
//! A file that is hashed does not notice a flipped bit that decompresses to the same bytes, and nothing hashes the manifest.
//! With the trailer, no bit of a plain bundle can change unnoticed. `zstd -d` passes over it
//! (<https://datatracker.ietf.org/doc/html/rfc8878#name-skippable-frames>).

use std::io::{self, BufRead, Read, Write};

use blake3::{Hash, Hasher};

/// A skippable frame of 32 bytes.
const START: [u8; 8] = [0x5a, 0x2a, 0x4d, 0x18, 32, 0, 0, 0];

/// The trailer of a bundle whose other bytes have a hash.
#[must_use]
pub(crate) fn of(hash: &Hash) -> Vec<u8> {
    [&START[..], hash.as_bytes()].concat()
}

/// Hashes the bytes that pass through.
pub(crate) struct Summed<T> {
    inner: T,
    hasher: Hasher,
}

impl<T> Summed<T> {
    /// Begins.
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, hasher: Hasher::new() }
    }

    /// What is behind it, and the trailer of what passed.
    pub(crate) fn end(self) -> (T, Vec<u8>) {
        (self.inner, of(&self.hasher.finalize()))
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: BufRead> Read for Summed<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(room)?;
        self.hasher.update(&room[..n]);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Summed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        // What is consumed is in the buffer, so nothing is read here.
        if let Ok(bytes) = self.inner.fill_buf() {
            self.hasher.update(&bytes[..n.min(bytes.len())]);
        }
        self.inner.consume(n);
    }
}

//! Bytes that are hashed while they are read, until the user interrupts.

use std::io::{self, Read};

use blake3::Hasher;

use crate::console::interrupt::Interrupt;

/// Hashes and counts what is read through it.
pub(crate) struct Hashed<'i, R> {
    from: R,
    hasher: Hasher,
    n_bytes: u64,
    failure: Option<String>,
    interrupt: &'i Interrupt,
}

impl<'i, R> Hashed<'i, R> {
    /// Begins.
    pub(crate) fn new(from: R, interrupt: &'i Interrupt) -> Self {
        Self { from, hasher: Hasher::new(), n_bytes: 0, failure: None, interrupt }
    }

    /// Why it could not be read: then what read it is not to blame for its own error.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// How many bytes were read, and their hash.
    pub(crate) fn end(self) -> (u64, String) {
        (self.n_bytes, self.hasher.finalize().to_hex().to_string())
    }
}

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.interrupt.check().map_err(io::Error::other);
        let read = read.and_then(|()| self.from.read(room));
        let n = read.inspect_err(|error| self.failure = Some(error.to_string()))?;
        self.hasher.update(&room[..n]);
        self.n_bytes += n as u64;
        Ok(n)
    }
}

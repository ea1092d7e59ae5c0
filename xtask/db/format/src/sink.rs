//! Takes the bytes of an export, buffers and hashes them, and passes them on. Memory does not grow
//! with them.

use anyhow::Result;

/// Bytes that are gathered before they are passed on.
const PIECE_BYTES: usize = 1 << 18;

/// What takes the pieces: a file, a folder, a pipe.
pub trait Outlet {
    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    fn take(&mut self, bytes: &[u8]) -> Result<()>;

    /// Begins a file of its own, if the outlet is a folder; else nothing.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    fn begin_file(&mut self, name: &str) -> Result<()>;
}

/// Bytes on their way to an outlet.
pub struct Sink<'o> {
    buffer: Vec<u8>,
    outlet: &'o mut dyn Outlet,
    hasher: blake3::Hasher,
    n_bytes: u64,
}

impl<'o> Sink<'o> {
    /// An empty one.
    pub fn new(outlet: &'o mut dyn Outlet) -> Self {
        let buffer = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        Self { buffer, outlet, hasher: blake3::Hasher::new(), n_bytes: 0 }
    }

    /// What is gathered; more may be added to it, and then [`Sink::flow`] be called.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Adds bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Passes on what is gathered, if that is enough.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    #[inline]
    pub(crate) fn flow(&mut self) -> Result<()> {
        if self.buffer.len() < PIECE_BYTES { Ok(()) } else { self.flush() }
    }

    /// Passes on what is gathered.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.hasher.update(&self.buffer);
        self.outlet.take(&self.buffer)?;
        self.n_bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Begins a file of its own, if the outlet is a folder.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    pub(crate) fn begin_file(&mut self, name: &str) -> Result<()> {
        self.flush()?;
        self.outlet.begin_file(name)
    }

    /// BLAKE3 of all bytes so far.
    ///
    /// # Errors
    ///
    /// As the outlet's.
    pub(crate) fn hash(&mut self) -> Result<String> {
        self.flush()?;
        Ok(self.hasher.finalize().to_hex().to_string())
    }

    /// How many bytes were passed on.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }
}

#[cfg(test)]
impl Outlet for Vec<u8> {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn begin_file(&mut self, _name: &str) -> Result<()> {
        Ok(())
    }
}

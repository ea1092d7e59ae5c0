//! An open pack. Blocks that follow one another are read many at once.

use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result};

use crate::backups::store::pack::{Entry, Pack};

/// Bytes to read at once if the previous block was the last one requested.
const RUN_BYTES: u64 = 128 << 10;

/// The file of a pack, and the bytes that were read from it last.
#[derive(Debug)]
pub(super) struct OpenPack {
    file: fs_err::File,
    /// Offset and length of the bytes that were read last, and a buffer with room for more behind
    /// them.
    from: u64,
    n_read: usize,
    bytes: Vec<u8>,
    /// End of the block that was requested last.
    next: u64,
}

impl OpenPack {
    /// Opens the file of a pack.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub(super) fn open(pack: &Pack) -> Result<Self> {
        let file = fs_err::File::open(&pack.path)?;
        Ok(Self { file, from: 0, n_read: 0, bytes: Vec::new(), next: 0 })
    }

    /// The file.
    pub(super) fn file(&self) -> &fs_err::File {
        &self.file
    }

    /// The bytes of an entry as they are stored.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub(super) fn stored(&mut self, pack: &Pack, entry: &Entry) -> Result<&[u8]> {
        let place = pack.place(entry)?;
        let until = self.from + self.n_read as u64;
        if place.start < self.from || place.end > until {
            let run_bytes = if place.start == self.next { RUN_BYTES } else { 0 };
            let end = (place.start + run_bytes).min(pack.end_of_blocks()).max(place.end);
            self.fill(place.start, usize::try_from(end - place.start)?)
                .with_context(|| pack.unreadable())?;
        }
        self.next = place.end;
        let begin = usize::try_from(place.start - self.from)?;
        let end = usize::try_from(place.end - self.from)?;
        let read = self.bytes.get(..self.n_read).unwrap_or_default();
        read.get(begin..end).with_context(|| pack.unreadable())
    }

    fn fill(&mut self, from: u64, n_bytes: usize) -> std::io::Result<()> {
        // The old bytes are overwritten, even if this fails.
        self.n_read = 0;
        if self.bytes.len() < n_bytes {
            self.bytes = vec![0; n_bytes];
        }
        self.file.file().read_exact_at(&mut self.bytes[..n_bytes], from)?;
        (self.from, self.n_read) = (from, n_bytes);
        Ok(())
    }
}

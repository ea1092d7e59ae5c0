//! A stored dump, open for reading: its SQL, chunk by chunk; each chunk is checked against its id, and
//! all ids against the list.

use std::ops::Range;

use anyhow::Result;

use crate::backups::store::stored_database::{Reader, Stored};
use crate::console::interrupt::Interrupt;
use crate::console::threads;
use crate::sqlite::digest::tree::Id;

/// How much is passed on at once.
const PART_BYTES: usize = 256 << 10;
/// Chunks that are read between two looks for the user's interrupt.
const CHECK_EVERY: u64 = 512;

impl Stored {
    /// Proves from the ids alone that every chunk exists and that together they are the dump that the
    /// list names.
    pub(super) fn prove_chunks(&self, interrupt: &Interrupt) -> Result<()> {
        let mut reader = self.reader()?;
        let mut root = Root::default();
        for number in 0..self.cut().n_blocks() {
            if number.is_multiple_of(CHECK_EVERY) {
                interrupt.check()?;
            }
            root.add(&reader.demand(number)?.1.id);
        }
        self.demand_root(&root)
    }

    /// Reads every chunk, on two threads, and compares it with its id, and all of them with the list.
    pub(super) fn read_chunks(&self, interrupt: &Interrupt) -> Result<()> {
        let n_chunks = self.cut().n_blocks();
        let half = n_chunks / 2;
        let (first, second) = threads::both(
            || self.read_some(0..half, interrupt),
            || self.read_some(half..n_chunks, interrupt),
        );
        let ((mut ids, n_bytes), (more, n_more)) = (first?, second?);
        ids.extend(more);
        let mut root = Root::default();
        for id in &ids {
            root.add(id);
        }
        root.n_bytes = n_bytes + n_more;
        self.demand_whole(&root)
    }

    fn read_some(&self, chunks: Range<u64>, interrupt: &Interrupt) -> Result<(Vec<Id>, u64)> {
        let mut reader = self.reader()?;
        let (mut bytes, mut ids, mut n_bytes) = (Vec::new(), Vec::new(), 0);
        for number in chunks {
            if number.is_multiple_of(CHECK_EVERY) {
                interrupt.check()?;
            }
            bytes.clear();
            ids.push(reader.append(number, &mut bytes)?);
            n_bytes += bytes.len() as u64;
        }
        Ok((ids, n_bytes))
    }

    /// Passes on all SQL in order.
    pub(super) fn each_of_sql(
        &self,
        interrupt: &Interrupt,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let (mut sql, mut part) = (self.sql()?, Vec::new());
        loop {
            interrupt.check()?;
            sql.next(&mut part)?;
            if part.is_empty() {
                return Ok(());
            }
            each(&part)?;
        }
    }

    /// The SQL from its beginning.
    ///
    /// # Errors
    ///
    /// If there is no memory.
    pub(crate) fn sql(&self) -> Result<Sql<'_>> {
        Ok(Sql { stored: self, reader: self.reader()?, next: 0, root: Root::default() })
    }

    fn demand_root(&self, root: &Root) -> Result<()> {
        let is_right = *root.hasher.finalize().as_bytes() == self.list().root;
        if is_right { Ok(()) } else { Err(self.unequal().into()) }
    }

    fn demand_whole(&self, root: &Root) -> Result<()> {
        self.demand_root(root)?;
        let is_right = root.n_bytes == self.cut().size_bytes();
        if is_right { Ok(()) } else { Err(self.unequal().into()) }
    }
}

/// The hash of a dump: BLAKE3 of the ids of its chunks, one after the other.
#[derive(Debug, Default)]
pub(super) struct Root {
    hasher: blake3::Hasher,
    n_bytes: u64,
}

impl Root {
    /// Adds the id of the next chunk.
    pub(super) fn add(&mut self, id: &Id) {
        self.hasher.update(id);
    }

    /// The hash.
    pub(super) fn finish(&self) -> Id {
        *self.hasher.finalize().as_bytes()
    }
}

/// Reads the SQL of a stored dump.
#[derive(Debug)]
pub(crate) struct Sql<'s> {
    stored: &'s Stored,
    reader: Reader<'s>,
    next: u64,
    root: Root,
}

impl Sql<'_> {
    /// Replaces the content of a buffer with what comes next; with nothing at the end.
    ///
    /// # Errors
    ///
    /// [`Damage`](crate::sqlite::examination::finding::Damage) if a chunk is missing or damaged, or all of them are not the dump that the list describes.
    pub(crate) fn next(&mut self, part: &mut Vec<u8>) -> Result<()> {
        part.clear();
        let n_chunks = self.stored.cut().n_blocks();
        while part.len() < PART_BYTES && self.next < n_chunks {
            let id = self.reader.append(self.next, part)?;
            self.root.add(&id);
            self.next += 1;
        }
        self.root.n_bytes += part.len() as u64;
        if self.next == n_chunks { self.stored.demand_whole(&self.root) } else { Ok(()) }
    }
}

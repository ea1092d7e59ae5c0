//! The pages of a stored backup for a restore by difference: pages that the database already has
//! are not read from the store.

use std::sync::Arc;

use anyhow::Result;

use crate::backups::store::pack::{Entry, Pack};
use crate::backups::store::stored_database::{Reader, Stored};
use crate::sqlite::digest::page_source::Wanted;
use crate::sqlite::digest::tree::{self, GROUP_BYTES, Id, Tree};

/// The places of the blocks of one group, in order.
type Blocks<'s> = Vec<(&'s Arc<Pack>, Entry)>;

/// The pages of a stored backup.
pub(crate) struct OfStore<'s> {
    stored: &'s Stored,
    reader: Reader<'s>,
    /// The group that was requested last, and its blocks.
    group: u64,
    blocks: Blocks<'s>,
    bytes: Vec<u8>,
}

impl<'s> OfStore<'s> {
    /// The pages of a stored backup; groups are requested in order.
    ///
    /// # Errors
    ///
    /// If there is no memory.
    pub(crate) fn of(stored: &'s Stored) -> Result<Self> {
        let reader = stored.reader()?;
        Ok(Self { stored, reader, group: 0, blocks: Vec::new(), bytes: Vec::new() })
    }

    /// Looks up all blocks of a group; returns the number of the first one.
    fn look_up(&mut self, group: u64) -> Result<u64> {
        let shape = self.stored.shape();
        let first = group * shape.group_blocks();
        if self.blocks.is_empty() || self.group != group {
            let last = (first + shape.group_blocks()).min(shape.n_blocks());
            self.blocks.clear();
            for number in first..last {
                self.blocks.push(self.reader.demand(number)?);
            }
            self.group = group;
        }
        Ok(first)
    }
}

impl Wanted for OfStore<'_> {
    fn size_bytes(&self) -> u64 {
        self.stored.shape().size_bytes
    }

    fn id(&mut self, group: u64) -> Result<Option<Id>> {
        // A group that is the whole file has no id as a part.
        if self.size_bytes() <= GROUP_BYTES {
            return Ok(None);
        }
        self.look_up(group)?;
        let mut tree = Tree::default();
        self.blocks.iter().for_each(|(_, entry)| tree.push(entry.id));
        Ok(tree.subtree())
    }

    fn differing(&mut self, group: u64, there: &[u8]) -> Result<Option<&[u8]>> {
        let id = self.id(group)?;
        if id.is_some()
            && !there.is_empty()
            && id == Some(tree::subtree(group * GROUP_BYTES, there))
        {
            return Ok(None);
        }
        let first = self.look_up(group)?;
        let shape = self.stored.shape();
        let mut standing = there.chunks(usize::try_from(shape.block_bytes)?);
        self.bytes.clear();
        for (number, (pack, entry)) in (first..).zip(&self.blocks) {
            match standing.next() {
                Some(bytes) if shape.id(number, bytes) == entry.id => {
                    self.bytes.extend_from_slice(bytes);
                }
                _ => self.bytes.extend(self.reader.checked(number, pack, entry)?),
            }
        }
        Ok((self.bytes != there).then_some(&self.bytes))
    }
}

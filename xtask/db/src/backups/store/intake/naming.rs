//! Names the blocks of a new list by pack and slot, before the packs of the new ones have a name.

use anyhow::{Context as _, Result, ensure};

use crate::backups::store::intake::new_packs::Shelved;
use crate::backups::store::page_list::{Address, Run, Runs};
use crate::sqlite::digest::tree::Id;

/// Stands for the packs that are being written, in runs.
pub(crate) const NEW: u32 = u32::MAX;

/// The blocks of a list so far.
#[derive(Debug, Default)]
pub(crate) struct Naming {
    n_new: u32,
    runs: Runs,
    packs: Vec<Id>,
}

impl Naming {
    /// The place of a pack among those of the list.
    ///
    /// # Errors
    ///
    /// If there are too many.
    pub(crate) fn place_of(&mut self, name: Id) -> Result<u32> {
        if let Some(place) = self.packs.iter().position(|pack| *pack == name) {
            return Ok(u32::try_from(place)?);
        }
        self.packs.push(name);
        Ok(u32::try_from(self.packs.len() - 1)?)
    }

    /// Appends a block that is there already.
    pub(crate) fn push(&mut self, address: Address) {
        self.runs.push(address);
    }

    /// Appends blocks that are there already and follow one another.
    pub(crate) fn push_run(&mut self, run: Run) {
        self.runs.push_run(run);
    }

    /// Appends a new block, the next one that is packed, and returns its address.
    ///
    /// # Errors
    ///
    /// If there are too many.
    pub(crate) fn push_new(&mut self) -> Result<Address> {
        let address = Address { pack: NEW, slot: self.n_new };
        self.n_new = self.n_new.checked_add(1).context("there are too many new blocks")?;
        self.runs.push(address);
        Ok(address)
    }

    /// The packs of the list, and the runs with the new blocks at their places in the new packs.
    ///
    /// # Errors
    ///
    /// If another number of blocks was packed.
    pub(crate) fn settle(mut self, shelved: &[Shelved]) -> Result<(Vec<Id>, Vec<Run>)> {
        let mut starts = Vec::new();
        let mut n_before = 0;
        for pack in shelved {
            starts.push((n_before, self.place_of(pack.name)?));
            n_before += pack.n_entries;
        }
        ensure!(n_before == self.n_new, "packed {n_before} blocks of {}", self.n_new);
        let mut settled = Vec::new();
        for run in self.runs.into_vec() {
            if run.first.pack != NEW {
                settled.push(run);
                continue;
            }
            let (mut first, mut n_left) = (run.first.slot, run.n_blocks);
            while n_left > 0 {
                let nth = starts.partition_point(|(start, _)| *start <= first) - 1;
                let (start, pack) = starts[nth];
                let end = starts.get(nth + 1).map_or(n_before, |(start, _)| *start);
                let n_blocks = n_left.min(end - first);
                settled.push(Run { first: Address { pack, slot: first - start }, n_blocks });
                (first, n_left) = (first + n_blocks, n_left - n_blocks);
            }
        }
        Ok((self.packs, settled))
    }
}

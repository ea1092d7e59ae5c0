//! The blocks of the packs that are in use: a bit for each block to which a page list refers.
//!
//! Bits are set run by run, so that many lists of large databases take little time. Each block
//! counts in one pack only, even if several contain it: a pack that carries a block for another
//! comes before the other one, which a pruning was about to remove when it was killed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::Result;

use crate::backups::store::pack::{self, Pack};
use crate::backups::store::pack_index::{Opened, Shelf};
use crate::backups::store::page_list::List;
use crate::sqlite::digest::tree::Id;

/// Entries that are read at once.
const N_ENTRIES: u32 = 4096;

/// The packs of a folder and their blocks that are in use.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// The packs that can be read, in the order of their names.
    pub(crate) packs: Vec<Counted>,
    /// Lists that cannot be read.
    pub(crate) unreadable: Vec<(Id, anyhow::Error)>,
    /// Packs that are relied upon for a block, and others that have it too, by their places.
    pub(crate) twice: BTreeSet<(usize, usize)>,
    /// The present places of the blocks of each pack.
    origins: HashMap<Id, Parts>,
}

/// Parts that do not overlap, by their first slot.
type Parts = BTreeMap<u32, Part>;

/// Blocks that follow one another in a pack.
#[derive(Debug, Clone, Copy)]
struct Part {
    n_blocks: u32,
    pack: usize,
    first_entry: u32,
}

/// A pack and its blocks that are in use.
#[derive(Debug)]
pub(crate) struct Counted {
    /// The pack.
    pub(crate) pack: Pack,
    /// Bytes of its entries that are in use.
    pub(crate) live_bytes: u64,
    /// How many of its entries are.
    pub(crate) n_live: u32,
    /// A bit for each entry.
    live: Vec<u64>,
    /// The bytes of all entries before each one, and of all of them.
    before: Vec<u64>,
}

/// Result of marking the blocks of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// Bytes that were not in use before.
    pub(crate) n_bytes: u64,
    /// Blocks that no pack has.
    pub(crate) n_missing: u64,
}

impl Usage {
    /// Reads the packs of a backups folder, except some that must not be relied upon; nothing is in
    /// use yet.
    ///
    /// # Errors
    ///
    /// If the folder of packs cannot be read.
    pub(crate) fn of(backups: &Path, but: &BTreeSet<Id>) -> Result<Self> {
        let mut usage = Self::default();
        for Opened { name, pack } in Shelf::of(backups).packs()? {
            if but.contains(&name) {
                continue;
            }
            match pack.and_then(Counted::of) {
                Ok(counted) => usage.packs.push(counted),
                Err(error) => usage.unreadable.push((name, error)),
            }
        }
        for carries in [true, false] {
            for at in 0..usage.packs.len() {
                usage.place(at, carries);
            }
        }
        Ok(usage)
    }

    /// Adds the blocks that a pack carries for others, or its own, if no other pack has them
    /// already.
    fn place(&mut self, at: usize, carries: bool) {
        let pack = &self.packs[at].pack;
        for section in pack.sections.iter().filter(|s| (s.origin != pack.name) == carries) {
            let parts = self.origins.entry(section.origin).or_default();
            for winner in place(parts, at, section) {
                if winner != at {
                    self.twice.insert((winner, at));
                }
            }
        }
    }

    /// Marks the blocks that a list names.
    ///
    /// # Errors
    ///
    /// If the list is damaged.
    pub(crate) fn add(&mut self, list: &List) -> Result<Added> {
        let none = Parts::new();
        let origins: Vec<&Parts> =
            list.packs.iter().map(|origin| self.origins.get(origin).unwrap_or(&none)).collect();
        let mut added = Added::default();
        let mut cursor = list.cursor()?;
        while let Some(run) = cursor.next_run()? {
            let parts = origins[run.first.pack as usize];
            let (mut slot, end) = (run.first.slot, run.first.slot + run.n_blocks);
            while slot < end {
                let Some((part, n_ahead)) = part_of(parts, slot) else {
                    added.n_missing += 1;
                    slot += 1;
                    continue;
                };
                let n_blocks = (part.n_blocks - n_ahead).min(end - slot);
                added.n_bytes += self.packs[part.pack].mark(part.first_entry + n_ahead, n_blocks);
                slot += n_blocks;
            }
        }
        Ok(added)
    }
}

/// The part that has a block, and how far within it.
fn part_of(parts: &Parts, slot: u32) -> Option<(Part, u32)> {
    let (first, part) = parts.range(..=slot).next_back()?;
    let n_ahead = slot - first;
    (n_ahead < part.n_blocks).then_some((*part, n_ahead))
}

/// Places the blocks of a section that have no place yet; returns the packs that have the others.
fn place(parts: &mut Parts, pack: usize, section: &pack::Section) -> Vec<usize> {
    let mut winners = Vec::new();
    let end = section.first_slot + section.n_blocks;
    let mut slot = section.first_slot;
    while slot < end {
        if let Some((part, n_ahead)) = part_of(parts, slot) {
            winners.push(part.pack);
            slot += part.n_blocks - n_ahead;
            continue;
        }
        let free_until = parts.range(slot..).next().map_or(end, |(next, _)| end.min(*next));
        let first_entry = section.first_entry + (slot - section.first_slot);
        parts.insert(slot, Part { n_blocks: free_until - slot, pack, first_entry });
        slot = free_until;
    }
    winners
}

impl Counted {
    fn of(pack: Pack) -> Result<Self> {
        let file = fs_err::File::open(&pack.path)?;
        let mut before = Vec::with_capacity(pack.n_entries as usize + 1);
        let mut n_bytes = 0;
        before.push(n_bytes);
        for first in (0..pack.n_entries).step_by(N_ENTRIES as usize) {
            for entry in pack.entries(&file, first, N_ENTRIES)? {
                n_bytes += u64::from(entry.stored_bytes()) + pack::ENTRY_BYTES;
                before.push(n_bytes);
            }
        }
        let live = vec![0; (pack.n_entries as usize).div_ceil(64)];
        Ok(Self { pack, live_bytes: 0, n_live: 0, live, before })
    }

    /// Bytes of its entries that no backup needs.
    #[must_use]
    pub(crate) fn dead_bytes(&self) -> u64 {
        self.before.last().map_or(0, |all| all - self.live_bytes)
    }

    /// Whether an entry is in use.
    #[must_use]
    pub(crate) fn is_live(&self, entry: u32) -> bool {
        let word = self.live.get((entry / 64) as usize);
        word.is_some_and(|word| word >> (entry % 64) & 1 == 1)
    }

    /// Marks entries; returns the bytes of those that were not marked.
    fn mark(&mut self, first: u32, n: u32) -> u64 {
        let mut added = 0;
        let (mut at, end) = (first, first + n);
        while at < end {
            let bit = at % 64;
            let n_bits = (64 - bit).min(end - at);
            let mask = (u64::MAX >> (64 - n_bits)) << bit;
            let word = &mut self.live[(at / 64) as usize];
            let mut new = mask & !*word;
            *word |= mask;
            self.n_live += new.count_ones();
            if new == mask {
                added += self.bytes_of(at, n_bits);
                new = 0;
            }
            while new != 0 {
                added += self.bytes_of(at - bit + new.trailing_zeros(), 1);
                new &= new - 1;
            }
            at += n_bits;
        }
        self.live_bytes += added;
        added
    }

    fn bytes_of(&self, first: u32, n: u32) -> u64 {
        self.before[(first + n) as usize] - self.before[first as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn section(first_slot: u32, n_blocks: u32) -> pack::Section {
        pack::Section {
            origin: [7; 32],
            first_slot,
            n_blocks,
            first_entry: 1000,
            block_bytes: 4096,
        }
    }

    proptest! {
        #[test]
        fn a_block_has_one_place_and_the_first_that_has_it_gives_it(
            sections in prop::collection::vec((0..60_u32, 1..30_u32), 0..12),
        ) {
            let mut parts = Parts::new();
            let mut wanted = BTreeMap::<u32, (usize, u32)>::new();
            for (pack, (first, n_blocks)) in sections.iter().enumerate() {
                let winners = place(&mut parts, pack, &section(*first, *n_blocks));
                let slots = *first..first + n_blocks;
                let taken: BTreeSet<usize> =
                    slots.clone().filter_map(|slot| Some(wanted.get(&slot)?.0)).collect();
                prop_assert_eq!(winners.into_iter().collect::<BTreeSet<_>>(), taken);
                for slot in slots {
                    wanted.entry(slot).or_insert((pack, 1000 + slot - first));
                }
            }
            for slot in 0..100 {
                let found = part_of(&parts, slot);
                let found = found.map(|(part, n_ahead)| (part.pack, part.first_entry + n_ahead));
                prop_assert_eq!(found, wanted.get(&slot).copied());
            }
        }

        #[test]
        fn marked_bytes_are_counted_once(
            sizes in prop::collection::vec(1..100_u64, 200),
            runs in prop::collection::vec((0..200_u32, 0..90_u32), 0..20),
        ) {
            let mut before = vec![0];
            for size in &sizes {
                before.push(before[before.len() - 1] + size);
            }
            let pack = Pack::of_nothing(200);
            let mut counted =
                Counted { pack, live_bytes: 0, n_live: 0, live: vec![0; 4], before };
            let mut wanted = BTreeSet::new();
            let mut added = 0;
            for (first, n) in runs {
                let n = n.min(200 - first);
                added += counted.mark(first, n);
                wanted.extend(first..first + n);
            }
            let bytes: u64 = wanted.iter().map(|entry| sizes[*entry as usize]).sum();
            prop_assert_eq!((added, counted.live_bytes), (bytes, bytes));
            prop_assert_eq!(counted.n_live as usize, wanted.len());
            prop_assert!((0..200).all(|entry| counted.is_live(entry) == wanted.contains(&entry)));
        }
    }
}

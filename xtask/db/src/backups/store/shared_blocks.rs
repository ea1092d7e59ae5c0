//! The blocks that two page lists have in common.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::Result;

use crate::backups::store::page_list::{List, Run};
use crate::sqlite::digest::tree::Id;

/// The blocks that a page list names, each counted once.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// Slots in a pack, in order and apart from one another, by the pack.
    by_pack: BTreeMap<Id, Vec<Range<u32>>>,
}

impl Blocks {
    /// Finds the shared blocks of a list.
    ///
    /// # Errors
    ///
    /// If the list is damaged.
    pub(crate) fn of(list: &List) -> Result<Self> {
        let mut by_pack = BTreeMap::<Id, Vec<Range<u32>>>::new();
        let mut cursor = list.cursor()?;
        while let Some(run) = cursor.next_run()? {
            by_pack.entry(list.packs[run.first.pack as usize]).or_default().push(slots(run));
        }
        for slots in by_pack.values_mut() {
            slots.sort_unstable_by_key(|slots| (slots.start, slots.end));
            let mut apart: Vec<Range<u32>> = Vec::with_capacity(slots.len());
            for next in slots.drain(..) {
                match apart.last_mut().filter(|last| next.start <= last.end) {
                    Some(before) => before.end = before.end.max(next.end),
                    None => apart.push(next),
                }
            }
            *slots = apart;
        }
        Ok(Self { by_pack })
    }

    /// How many there are.
    #[must_use]
    pub(crate) fn n(&self) -> u64 {
        self.by_pack.values().flatten().map(|slots| u64::from(slots.end - slots.start)).sum()
    }

    /// How many of them another list also has.
    #[must_use]
    pub(crate) fn n_shared(&self, other: &Self) -> u64 {
        let shared = self.by_pack.iter().filter_map(|(pack, slots)| {
            let others = other.by_pack.get(pack)?;
            Some(slots.iter().map(|slots| n_within(slots, others)).sum::<u64>())
        });
        shared.sum()
    }
}

fn slots(run: Run) -> Range<u32> {
    run.first.slot..run.first.slot.saturating_add(run.n_blocks)
}

/// How many slots of a range are in some others, which are in order and apart.
fn n_within(slots: &Range<u32>, others: &[Range<u32>]) -> u64 {
    let first = others.partition_point(|other| other.end <= slots.start);
    let meeting = others[first..].iter().take_while(|other| other.start < slots.end);
    let n_shared = |other: &Range<u32>| other.end.min(slots.end) - other.start.max(slots.start);
    meeting.map(|other| u64::from(n_shared(other))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::store::cut::Cut;
    use crate::backups::store::page_list::Address;
    use crate::sqlite::digest::tree::Shape;

    fn blocks(runs: &[(u32, u32, u32)]) -> Blocks {
        let runs: Vec<Run> = runs
            .iter()
            .map(|&(pack, slot, n_blocks)| Run { first: Address { pack, slot }, n_blocks })
            .collect();
        let n_blocks: u32 = runs.iter().map(|run| run.n_blocks).sum();
        let shape = Shape { size_bytes: u64::from(n_blocks) * 4096, block_bytes: 4096 };
        let bytes =
            List::encode(Cut::Pages(shape), &[0; 32], &[[1; 32], [2; 32]], &runs).expect("a list");
        Blocks::of(&List::decode(&bytes).expect("a list")).expect("blocks")
    }

    #[test]
    fn a_block_that_is_named_twice_counts_once() {
        let one = blocks(&[(0, 0, 10), (1, 5, 5), (0, 3, 4), (0, 12, 3)]);
        assert_eq!(one.n(), 18);
        for (runs, n) in [
            (&[(0, 0, 10)][..], 10),
            (&[(0, 9, 4)], 2),
            (&[(0, 10, 2), (1, 0, 5)], 0),
            (&[(1, 0, 100), (0, 0, 100)], 18),
            (&[(1, 6, 1), (1, 8, 1)], 2),
        ] {
            let other = blocks(runs);
            assert_eq!((one.n_shared(&other), other.n_shared(&one)), (n, n), "{runs:?}");
        }
    }
}

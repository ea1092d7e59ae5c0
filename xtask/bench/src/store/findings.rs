//! What was measured, and what follows from it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::measurement::median_min_max;
use crate::store::keeper::{Deed, Keeper};
use crate::store::sample::{Sample, Summary};

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) samples: BTreeMap<(Deed, Keeper), Vec<Sample>>,
    /// Before each checkpoint but the first.
    pub(super) changes: Vec<Change>,
    /// Of the database at the first checkpoint.
    pub(super) n_pages: u64,
    pub(super) n_rows: u64,
}

/// What changed in the database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) changed_rows: u64,
    pub(super) changed_pages: u64,
    /// Of the whole database, afterwards.
    pub(super) pages: u64,
}

/// How many samples stand for early and for late ones.
const N_AROUND: usize = 10;

impl Findings {
    pub(super) fn add(&mut self, deed: Deed, keeper: Keeper, sample: Sample) {
        self.samples.entry((deed, keeper)).or_default().push(sample);
    }

    pub(super) fn of(&self, deed: Deed, keeper: Keeper) -> &[Sample] {
        self.samples.get(&(deed, keeper)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn summary(&self, deed: Deed, keeper: Keeper) -> Option<Summary> {
        Summary::of(self.of(deed, keeper))
    }

    /// Against `.backup` of the same database in the same turns; if there were no turns, in the
    /// series. A list says nothing about a copy.
    pub(super) fn ratio(&self, deed: Deed, keeper: Keeper) -> Option<f64> {
        let measure = match deed {
            Deed::Unchanged => Deed::Unchanged,
            Deed::Beside | Deed::Restore => Deed::Beside,
            Deed::Checkpoint | Deed::Verify | Deed::Prune => Deed::Checkpoint,
            Deed::List => return None,
        };
        let measure = self.summary(measure, Keeper::Copies)?;
        let summary = self.summary(deed, keeper)?;
        Some(summary.median.as_secs_f64() / measure.median.as_secs_f64())
    }

    /// The medians around the tenth checkpoint and of the last ten; `None` of a short series.
    pub(super) fn early_and_late(&self, keeper: Keeper) -> Option<(Duration, Duration)> {
        let samples = self.of(Deed::Checkpoint, keeper);
        let median = |samples: &[Sample]| {
            median_min_max(samples.iter().map(Sample::wall)).map(|(median, ..)| median)
        };
        let early = samples.get(N_AROUND / 2..N_AROUND + N_AROUND / 2)?;
        let late = samples.get(samples.len().checked_sub(N_AROUND)?..)?;
        if samples.len() < 3 * N_AROUND {
            return None;
        }
        median(early).zip(median(late))
    }

    /// Of all different pages of the series, the part that the newest so many states need.
    #[expect(clippy::cast_precision_loss, reason = "a share of two counts")]
    pub(super) fn share_needed(&self, n_states: usize) -> f64 {
        let n_all: u64 = self.n_pages + self.changes.iter().map(|c| c.changed_pages).sum::<u64>();
        let at = (self.changes.len() + 1).saturating_sub(n_states);
        let n_oldest = match at.checked_sub(1) {
            None => self.n_pages,
            Some(change) => self.changes[change].pages,
        };
        let later = self.changes[at..].iter().map(|change| change.changed_pages);
        (n_oldest + later.sum::<u64>()) as f64 / n_all as f64
    }

    /// The median share of the pages that differ from checkpoint to checkpoint.
    pub(super) fn share_of_pages_changed(&self) -> Option<f64> {
        median_share(self.changes.iter().map(|change| (change.changed_pages, change.pages)))
    }

    /// The median share of the rows that were changed before a checkpoint.
    pub(super) fn share_of_rows_changed(&self) -> Option<f64> {
        median_share(self.changes.iter().map(|change| (change.changed_rows, self.n_rows)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of two counts")]
fn median_share(counts: impl Iterator<Item = (u64, u64)>) -> Option<f64> {
    let mut shares: Vec<f64> = counts.map(|(part, whole)| part as f64 / whole as f64).collect();
    shares.sort_unstable_by(f64::total_cmp);
    shares.get(shares.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Run;

    fn sample(milliseconds: u64) -> Sample {
        let wall = Duration::from_millis(milliseconds);
        let run = Run { wall, cpu: wall, peak_bytes: 0 };
        Sample { run, copying: None, disk_bytes: 0, grown_bytes: 0, written_bytes: None }
    }

    #[test]
    fn the_newest_states_need_their_own_pages_and_all_of_the_oldest_among_them() {
        let change = |changed_pages| Change { changed_rows: 1, changed_pages, pages: 1000 };
        let changes = vec![change(100), change(200), change(700)];
        let findings = Findings { changes, n_pages: 1000, n_rows: 100, ..Findings::default() };
        for (n_states, needed) in [(1, 1000.0), (2, 1700.0), (3, 1900.0), (4, 2000.0), (9, 2000.0)]
        {
            let share = findings.share_needed(n_states);
            assert!((share - needed / 2000.0).abs() < 1e-9, "{n_states} states: {share}");
        }
        assert_eq!(findings.share_of_pages_changed(), Some(0.2));
        assert_eq!(findings.share_of_rows_changed(), Some(0.01));
    }

    #[test]
    fn late_checkpoints_are_set_against_those_around_the_tenth() {
        let mut findings = Findings::default();
        for n in 0..29 {
            findings.add(Deed::Checkpoint, Keeper::Ours, sample(n));
        }
        assert_eq!(findings.early_and_late(Keeper::Ours), None);
        findings.add(Deed::Checkpoint, Keeper::Ours, sample(29));
        let expected = (Duration::from_millis(10), Duration::from_millis(25));
        assert_eq!(findings.early_and_late(Keeper::Ours), Some(expected));
    }

    #[test]
    fn a_restore_is_set_against_the_copies_in_its_own_turns() {
        let mut findings = Findings::default();
        findings.add(Deed::Checkpoint, Keeper::Copies, sample(1000));
        findings.add(Deed::Restore, Keeper::Ours, sample(1000));
        assert_eq!(findings.ratio(Deed::Restore, Keeper::Ours), None);
        findings.add(Deed::Beside, Keeper::Copies, sample(500));
        assert_eq!(findings.ratio(Deed::Restore, Keeper::Ours), Some(2.0));
    }
}

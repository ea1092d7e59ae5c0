//! How two builds compare: a table for people, a document for programs.

use serde_json::{Value, json};

use super::Pair;
use super::twin::Deed;
use crate::machine::Machine;
use crate::measurement::Run;
use crate::report::{median, milliseconds, size, table};

const HEADER: [&str; 7] = ["", "OTHER", "THIS", "RATIO", "CPU", "LIMIT", ""];

/// The pairs of one deed; there is at least one.
pub(super) struct Compared {
    pub(super) deed: Deed,
    pub(super) pairs: Vec<Pair>,
}

/// A backup that was listed, and the same that was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) listed: Run,
    pub(super) verified: Run,
}

/// Everything that was found.
pub(super) struct Report<'a> {
    pub(super) machine: Machine,
    pub(super) size_bytes: u64,
    pub(super) compared: &'a [Compared],
    pub(super) readings: Vec<Reading>,
}

/// What this build may take longer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Limit {
    /// So many times as long.
    Times(f64),
    /// As long and one reading of the backup.
    OneReading,
}

impl Deed {
    fn limit(self) -> Limit {
        match self {
            Self::Commit => Limit::Times(1.05),
            Self::Checkpoint | Self::Unchanged => Limit::Times(1.15),
            Self::Branch | Self::PreMigrate => Limit::OneReading,
        }
    }
}

impl Compared {
    fn other_seconds(&self) -> f64 {
        median(self.pairs.iter().map(|pair| seconds(pair.other)))
    }

    fn this_seconds(&self) -> f64 {
        median(self.pairs.iter().map(|pair| seconds(pair.this)))
    }

    /// The median of the ratios within each pair.
    fn ratio(&self) -> f64 {
        median(self.pairs.iter().map(|pair| seconds(pair.this) / seconds(pair.other)))
    }

    /// The same of the processor time, which other programs disturb less.
    fn cpu_ratio(&self) -> f64 {
        let cpu = |run: Run| run.cpu.as_secs_f64();
        median(self.pairs.iter().map(|pair| cpu(pair.this) / cpu(pair.other)))
    }

    /// The median of what each pair differs by.
    fn difference_seconds(&self) -> f64 {
        median(self.pairs.iter().map(|pair| seconds(pair.this) - seconds(pair.other)))
    }

    fn is_within_limit(&self, reading_seconds: f64) -> bool {
        match self.deed.limit() {
            Limit::Times(times) => self.ratio() <= times,
            Limit::OneReading => self.difference_seconds() <= reading_seconds,
        }
    }
}

impl Report<'_> {
    /// The table and what it was measured on.
    pub(super) fn to_text(&self) -> String {
        let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
        rows.extend(self.compared.iter().map(|one| self.row(one)));
        let n_pairs = self.compared.iter().map(|one| one.pairs.len()).max().unwrap_or(0);
        format!(
            "{}\n{n_pairs} pairs of each, by turns; a database of {}\nOTHER and THIS the medians, RATIO \
             the median of the ratios within each pair, CPU that of the processor time\n\
             one reading of the backup: {}\n{}",
            table(&rows),
            size(self.size_bytes),
            milliseconds(self.reading_seconds()),
            self.machine.to_text(),
        )
    }

    /// The document of `--json`.
    pub(super) fn to_json(&self) -> String {
        let results: Vec<Value> = self.compared.iter().map(|one| self.result(one)).collect();
        let document = json!({
            "version": 1,
            "machine": self.machine.machine_json(),
            "versions": self.machine.versions_json(),
            "database": { "size_bytes": self.size_bytes },
            "reading_seconds": self.reading_seconds(),
            "results": results,
        });
        format!("{document:#}\n")
    }

    fn row(&self, one: &Compared) -> Vec<String> {
        let limit = match one.deed.limit() {
            Limit::Times(times) => format!("{times:.2}"),
            Limit::OneReading => "1 reading more".to_owned(),
        };
        let is_kept = one.is_within_limit(self.reading_seconds());
        vec![
            one.deed.name().to_owned(),
            milliseconds(one.other_seconds()),
            milliseconds(one.this_seconds()),
            format!("{:.2}", one.ratio()),
            format!("{:.2}", one.cpu_ratio()),
            limit,
            if is_kept { "kept" } else { "MISSED" }.to_owned(),
        ]
    }

    fn result(&self, one: &Compared) -> Value {
        let pairs = one.pairs.iter().map(|pair| {
            json!({ "other_seconds": seconds(pair.other), "this_seconds": seconds(pair.this) })
        });
        json!({
            "name": one.deed.name(),
            "other_seconds": one.other_seconds(),
            "this_seconds": one.this_seconds(),
            "ratio": one.ratio(),
            "cpu_ratio": one.cpu_ratio(),
            "difference_seconds": one.difference_seconds(),
            "within_limit": one.is_within_limit(self.reading_seconds()),
            "pairs": pairs.collect::<Vec<_>>(),
        })
    }

    /// The median of what each verification takes longer than a list.
    fn reading_seconds(&self) -> f64 {
        median(self.readings.iter().map(|r| seconds(r.verified) - seconds(r.listed)))
    }
}

fn seconds(run: Run) -> f64 {
    run.wall.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn run(milliseconds: u64) -> Run {
        Run { wall: Duration::from_millis(milliseconds), cpu: Duration::ZERO, peak_bytes: 0 }
    }

    fn compared(deed: Deed, pairs: [(u64, u64); 3]) -> Compared {
        let pairs = pairs.map(|(other, this)| Pair { other: run(other), this: run(this) });
        Compared { deed, pairs: pairs.to_vec() }
    }

    #[test]
    fn ratios_are_taken_within_each_pair() {
        let one = compared(Deed::Commit, [(10, 11), (100, 104), (20, 20)]);
        assert!((one.ratio() - 1.04).abs() < 1e-9);
        assert!(one.is_within_limit(0.0));
        let slow = compared(Deed::Commit, [(10, 11), (10, 11), (10, 10)]);
        assert!(!slow.is_within_limit(0.0));
    }

    #[test]
    fn what_is_relied_upon_may_be_read_once() {
        let one = compared(Deed::PreMigrate, [(100, 130), (100, 140), (100, 150)]);
        assert!(one.is_within_limit(0.0401));
        assert!(!one.is_within_limit(0.0399));
    }
}

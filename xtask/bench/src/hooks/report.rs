//! What the hooks cost: a table for people, a document for programs.

use serde_json::{Value, json};

use super::{DATABASE_BYTES, Pair, Touched};
use crate::machine::Machine;
use crate::report::{median, milliseconds, size, table};

const HEADER: [&str; 6] = ["", "WITHOUT", "WITH", "OVERHEAD", "LIMIT", ""];

/// The pairs of one kind of commit; there is at least one.
pub(super) struct Compared {
    pub(super) touched: Touched,
    pub(super) pairs: Vec<Pair>,
}

/// Everything that was found.
pub(super) struct Report<'a> {
    pub(super) machine: Machine,
    pub(super) compared: &'a [Compared],
}

impl Compared {
    fn without_seconds(&self) -> f64 {
        median(self.pairs.iter().map(|pair| pair.without.wall.as_secs_f64()))
    }

    fn with_seconds(&self) -> f64 {
        median(self.pairs.iter().map(|pair| pair.with.wall.as_secs_f64()))
    }

    /// The median of what each pair differs by; where hooks cost less than the noise, below zero.
    fn overhead_seconds(&self) -> f64 {
        let difference =
            |pair: &Pair| pair.with.wall.as_secs_f64() - pair.without.wall.as_secs_f64();
        median(self.pairs.iter().map(difference))
    }

    fn is_within_limit(&self) -> bool {
        self.overhead_seconds() <= self.touched.limit_seconds()
    }
}

impl Report<'_> {
    /// The table and what it was measured on.
    pub(super) fn to_text(&self) -> String {
        let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
        rows.extend(self.compared.iter().map(|one| {
            vec![
                one.touched.name().to_owned(),
                milliseconds(one.without_seconds()),
                milliseconds(one.with_seconds()),
                milliseconds(one.overhead_seconds()),
                milliseconds(one.touched.limit_seconds()),
                if one.is_within_limit() { "kept" } else { "MISSED" }.to_owned(),
            ]
        }));
        let n_pairs = self.compared.iter().map(|one| one.pairs.len()).max().unwrap_or(0);
        format!(
            "{}\n{n_pairs} pairs of each, interleaved; a database of {}\nWITHOUT and WITH the \
             medians, OVERHEAD the median of the differences within each pair\n{}",
            table(&rows),
            size(DATABASE_BYTES),
            self.machine.to_text(),
        )
    }

    /// The document of `--json`.
    pub(super) fn to_json(&self) -> String {
        let results: Vec<Value> = self.compared.iter().map(result).collect();
        let document = json!({
            "version": 1,
            "machine": self.machine.machine_json(),
            "versions": self.machine.versions_json(),
            "database": { "size_bytes": DATABASE_BYTES },
            "results": results,
        });
        format!("{document:#}\n")
    }
}

fn result(one: &Compared) -> Value {
    let pairs = one.pairs.iter().map(|pair| {
        json!({
            "without_seconds": pair.without.wall.as_secs_f64(),
            "with_seconds": pair.with.wall.as_secs_f64(),
        })
    });
    json!({
        "name": one.touched.name(),
        "without_seconds": one.without_seconds(),
        "with_seconds": one.with_seconds(),
        "overhead_seconds": one.overhead_seconds(),
        "limit_seconds": one.touched.limit_seconds(),
        "within_limit": one.is_within_limit(),
        "pairs": pairs.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measurement::Run;

    fn run(milliseconds: u64) -> Run {
        Run { wall: Duration::from_millis(milliseconds), cpu: Duration::ZERO, peak_bytes: 0 }
    }

    #[test]
    fn the_overhead_is_taken_within_each_pair() {
        let pairs = [(10, 15), (100, 104), (20, 19)];
        let pairs = pairs.map(|(without, with)| Pair { without: run(without), with: run(with) });
        let one = Compared { touched: Touched::Notes, pairs: pairs.to_vec() };
        assert!((one.overhead_seconds() - 0.004).abs() < 1e-9);
        assert!((one.without_seconds() - 0.020).abs() < 1e-9);
        assert!(one.is_within_limit());
        let slow = Compared { pairs: vec![Pair { without: run(0), with: run(11) }], ..one };
        assert!(!slow.is_within_limit());
    }
}

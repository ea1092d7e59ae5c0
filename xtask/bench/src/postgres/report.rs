//! What PostgreSQL's ways and ours cost: a table for people, a document for programs.

use serde_json::{Value, json};

use super::host::Turn;
use super::step::Step;
use crate::machine::Machine;
use crate::measurement::{Run, median_min_max};
use crate::report::{seconds, size, table};

const HEADER: [&str; 8] = ["", "MEDIAN", "RATIO", "LIMIT", "", "MIN-MAX", "CPU", "OUTPUT"];

/// What happened to one step.
pub(super) struct Timed {
    pub(super) step: Step,
    runs: Vec<Run>,
    /// The largest.
    output_bytes: Option<u64>,
}

/// Everything that was found.
pub(super) struct Report {
    pub(super) machine: Machine,
    /// The server's version.
    pub(super) server: String,
    /// On the server's disk.
    pub(super) size_bytes: u64,
    pub(super) n_rows: u64,
    pub(super) timed: Vec<Timed>,
}

impl Timed {
    /// A step without runs.
    pub(super) fn of(step: Step) -> Self {
        Self { step, runs: Vec::new(), output_bytes: None }
    }

    /// Adds a run.
    pub(super) fn add(&mut self, turn: &Turn) {
        self.runs.push(turn.run);
        self.output_bytes = self.output_bytes.max(turn.output_bytes);
    }

    fn median_seconds(&self) -> Option<f64> {
        let walls = self.runs.iter().map(|run| run.wall);
        median_min_max(walls).map(|(median, ..)| median.as_secs_f64())
    }

    /// Of the medians.
    fn ratio(&self, all: &[Self]) -> Option<f64> {
        let reference = all.iter().find(|other| other.step == self.step.reference())?;
        Some(self.median_seconds()? / reference.median_seconds()?)
    }

    /// `None` if there is no limit, or nothing to hold it against.
    fn is_within_limit(&self, all: &[Self]) -> Option<bool> {
        Some(self.ratio(all)? <= self.step.limit()?)
    }

    fn row(&self, all: &[Self]) -> Vec<String> {
        let name = self.step.name().to_owned();
        let Some((median, min, max)) = median_min_max(self.runs.iter().map(|run| run.wall)) else {
            return vec![name];
        };
        let cpu = median_min_max(self.runs.iter().map(|run| run.cpu));
        let times =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        let verdict = match self.is_within_limit(all) {
            Some(true) => "kept",
            Some(false) => "MISSED",
            None => "",
        };
        vec![
            name,
            seconds(median),
            times(self.ratio(all)),
            times(self.step.limit()),
            verdict.to_owned(),
            format!("{}-{}", seconds(min), seconds(max)),
            cpu.map_or_else(|| "-".to_owned(), |(median, ..)| seconds(median)),
            self.output_bytes.map_or_else(|| "-".to_owned(), size),
        ]
    }

    fn result(&self, all: &[Self]) -> Value {
        json!({
            "name": self.step.name(),
            "command": self.step.command(),
            "median_seconds": self.median_seconds(),
            "ratio": self.ratio(all),
            "ratio_against": self.step.reference().name(),
            "limit": self.step.limit(),
            "within_limit": self.is_within_limit(all),
            "output_bytes": self.output_bytes,
            "seconds": self.runs.iter().map(|run| run.wall.as_secs_f64()).collect::<Vec<_>>(),
        })
    }
}

impl Report {
    /// The table and what it was measured on.
    pub(super) fn to_text(&self) -> String {
        let mut lines = vec![HEADER.map(str::to_owned).to_vec()];
        lines.extend(self.timed.iter().map(|one| one.row(&self.timed)));
        let n_runs = self.timed.iter().map(|one| one.runs.len()).max().unwrap_or(0);
        format!(
            "{table}\n\
             PostgreSQL {server}, {size}, {n_rows} messages; {n_runs} runs of each, interleaved\n\
             RATIO of the medians: backups against `{backup}`, checkpoints against `{checkpoint}`, \
             restores against `{restore}`\n\
             LIMIT for 880 MB; CPU of the program alone, without the server; OUTPUT the largest\n\
             {machine}",
            table = table(&lines),
            server = self.server,
            size = size(self.size_bytes),
            n_rows = self.n_rows,
            backup = Step::Custom.name(),
            checkpoint = Step::Uncompressed.name(),
            restore = Step::PgRestore.name(),
            machine = self.machine.to_text(),
        )
    }

    /// The document of `--json`.
    pub(super) fn to_json(&self) -> String {
        let results: Vec<Value> = self.timed.iter().map(|one| one.result(&self.timed)).collect();
        let document = json!({
            "version": 1,
            "machine": self.machine.machine_json(),
            "versions": self.machine.versions_json(),
            "server": self.server,
            "database": { "size_bytes": self.size_bytes, "messages": self.n_rows },
            "results": results,
        });
        format!("{document:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn timed(step: Step, seconds: &[u64]) -> Timed {
        let run = |seconds: &u64| Run {
            wall: Duration::from_secs(*seconds),
            cpu: Duration::ZERO,
            peak_bytes: 0,
        };
        Timed { runs: seconds.iter().map(run).collect(), ..Timed::of(step) }
    }

    #[test]
    fn each_is_set_against_postgresql_s_way_of_the_same_kind() {
        let all = [
            timed(Step::Custom, &[100]),
            timed(Step::Uncompressed, &[10]),
            timed(Step::Backup, &[20, 26, 90]),
            timed(Step::NextCheckpoint, &[11]),
            timed(Step::PgRestore, &[40]),
            timed(Step::Swap, &[60]),
            timed(Step::InPlace, &[90]),
        ];
        let found: Vec<_> = all.iter().map(|one| one.is_within_limit(&all)).collect();
        let expected = [None, None, Some(false), Some(true), None, Some(true), Some(false)];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_largest_output_counts() {
        let mut one = Timed::of(Step::Backup);
        let run = Run { wall: Duration::ZERO, cpu: Duration::ZERO, peak_bytes: 0 };
        for output_bytes in [Some(7), Some(9), Some(8)] {
            one.add(&Turn { run, output_bytes });
        }
        assert_eq!(one.output_bytes, Some(9));
    }
}

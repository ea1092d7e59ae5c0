//! What the way out and back costs: a table for people, a document for programs.

use serde_json::{Value, json};

use super::Rows;
use super::step::Step;
use crate::machine::Machine;
use crate::measurement::{Run, median_min_max};
use crate::report::{seconds, size, table};

const HEADER: [&str; 7] = ["", "MEDIAN", "RATIO", "LIMIT", "", "PEAK", "OUTPUT"];

/// What happened to one step.
pub(super) struct Timed {
    pub(super) step: Step,
    /// `None` if its program is not installed.
    pub(super) runs: Option<Vec<Run>>,
    pub(super) output_bytes: u64,
}

/// Everything that was found.
pub(super) struct Report {
    pub(super) machine: Machine,
    /// Below this, peak memory cannot be told.
    pub(super) floor: u64,
    pub(super) size_bytes: u64,
    pub(super) timed: Vec<(Rows, Vec<Timed>)>,
}

impl Timed {
    fn median_seconds(&self) -> Option<f64> {
        let runs = self.runs.iter().flatten();
        median_min_max(runs.map(|run| run.wall)).map(|(median, ..)| median.as_secs_f64())
    }

    fn peak_bytes(&self) -> u64 {
        self.runs.iter().flatten().map(|run| run.peak_bytes).max().unwrap_or(0)
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
        let name = format!("  {}", self.step.name());
        let Some((median, ..)) = median_min_max(self.runs.iter().flatten().map(|run| run.wall))
        else {
            return vec![name, "not installed".to_owned()];
        };
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
            size(self.peak_bytes()),
            size(self.output_bytes),
        ]
    }

    fn result(&self, rows: Rows, all: &[Self]) -> Value {
        let seconds = self.runs.iter().flatten().map(|run| run.wall.as_secs_f64());
        json!({
            "rows": rows.name(),
            "name": self.step.name(),
            "command": self.step.command(),
            "installed": self.runs.is_some(),
            "median_seconds": self.median_seconds(),
            "ratio": self.ratio(all),
            "ratio_against": self.step.reference().name(),
            "limit": self.step.limit(),
            "within_limit": self.is_within_limit(all),
            "peak_bytes": self.peak_bytes(),
            "output_bytes": self.output_bytes,
            "seconds": seconds.collect::<Vec<_>>(),
        })
    }
}

impl Report {
    /// The table and what it was measured on.
    pub(super) fn to_text(&self) -> String {
        let mut lines = vec![HEADER.map(str::to_owned).to_vec()];
        for (rows, timed) in &self.timed {
            lines.push(vec![rows.name().to_owned()]);
            lines.extend(timed.iter().map(|one| one.row(timed)));
        }
        let n_runs = self.timed.iter().flat_map(|(_, timed)| timed);
        let n_runs = n_runs.filter_map(|one| one.runs.as_ref().map(Vec::len)).max().unwrap_or(0);
        format!(
            "{}\n{} each; {n_runs} runs of each, interleaved; the imported database is exported to \
             the same bytes\nRATIO of the medians, against `.dump` and `.read`; LIMIT for 1 \
             GB\nPEAK the highest, by wait4; below {} it cannot be measured\n{}",
            table(&lines),
            size(self.size_bytes),
            size(self.floor),
            self.machine.to_text(),
        )
    }

    /// The document of `--json`.
    pub(super) fn to_json(&self) -> String {
        let results = self
            .timed
            .iter()
            .flat_map(|(rows, timed)| timed.iter().map(|one| one.result(*rows, timed)));
        let document = json!({
            "version": 1,
            "machine": self.machine.machine_json(),
            "versions": self.machine.versions_json(),
            "database": { "size_bytes": self.size_bytes },
            "peak_floor_bytes": self.floor,
            "results": results.collect::<Vec<_>>(),
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
            peak_bytes: 7,
        };
        Timed { step, runs: Some(seconds.iter().map(run).collect()), output_bytes: 0 }
    }

    #[test]
    fn each_is_set_against_the_shell_s_way_of_the_same_direction() {
        let all = [
            timed(Step::Dump, &[10, 8, 90]),
            timed(Step::Export, &[9]),
            timed(Step::Read, &[20]),
            timed(Step::Import, &[25]),
            Timed { step: Step::ImportDump, runs: None, output_bytes: 0 },
        ];
        let found: Vec<_> =
            all.iter().map(|one| (one.ratio(&all), one.is_within_limit(&all))).collect();
        assert_eq!(
            found,
            [
                (Some(1.0), None),
                (Some(0.9), Some(true)),
                (Some(1.0), None),
                (Some(1.25), Some(false)),
                (None, None)
            ]
        );
    }
}

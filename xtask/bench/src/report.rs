//! What a bench found: a table for people, a document for programs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Timed;
use crate::contender::Contender;
use crate::machine::Machine;
use crate::measurement::{Run, median_min_max};
use crate::scratch::Generated;

const HEADER: [&str; 6] = ["", "MEDIAN", "RATIO", "MIN-MAX", "CPU", "PEAK"];

/// Everything a bench found.
pub(super) struct Report<'a> {
    pub(super) machine: Machine,
    pub(super) database: Generated,
    /// Below this, peak memory cannot be told.
    pub(super) floor: u64,
    pub(super) timed: &'a [Timed],
}

impl Report<'_> {
    /// The table and what it was measured on.
    pub(super) fn to_text(&self) -> String {
        let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
        rows.extend(self.timed.iter().map(|one| self.row(one)));
        let n_runs = self.timed.iter().filter_map(|one| one.runs.as_ref());
        let n_runs = n_runs.map(Vec::len).max().unwrap_or(0);
        format!(
            "{table}\n\
             {size}, {n_messages} messages; {n_runs} runs of each, interleaved\n\
             RATIO of the medians, against `{reference}`, for db-diff against `{diff_reference}`\n\
             CPU the median of all threads\n\
             PEAK the highest, by wait4; below {floor} it cannot be measured\n\
             {machine}",
            table = table(&rows),
            size = size(self.database.size_bytes),
            n_messages = self.database.n_messages,
            reference = Contender::SqliteBackup.name(),
            diff_reference = Contender::Sqldiff.name(),
            floor = size(self.floor),
            machine = self.machine.to_text(),
        )
    }

    /// The document of `--json`.
    pub(super) fn to_json(&self) -> String {
        let results: Vec<Value> = self.timed.iter().map(|one| self.result(one)).collect();
        let document = json!({
            "version": 1,
            "machine": self.machine.machine_json(),
            "versions": self.machine.versions_json(),
            "database": {
                "size_bytes": self.database.size_bytes,
                "messages": self.database.n_messages,
            },
            "ratio_against": Contender::SqliteBackup.name(),
            "peak_floor_bytes": self.floor,
            "results": results,
        });
        format!("{document:#}\n")
    }

    fn row(&self, one: &Timed) -> Vec<String> {
        let name = one.contender.name().to_owned();
        let Some(summary) = Summary::of(one) else {
            return vec![name, "not installed".to_owned()];
        };
        let ratio = self.ratio(one);
        vec![
            name,
            seconds(summary.median),
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
            format!("{}-{}", seconds(summary.min), seconds(summary.max)),
            seconds(summary.cpu),
            format!("{:.1} MiB", mebibytes(summary.peak_bytes)),
        ]
    }

    fn result(&self, one: &Timed) -> Value {
        let name = one.contender.name();
        let command = one.contender.command();
        let (Some(summary), Some(runs)) = (Summary::of(one), &one.runs) else {
            return json!({ "name": name, "command": command, "installed": false });
        };
        json!({
            "name": name,
            "command": command,
            "installed": true,
            "median_seconds": summary.median.as_secs_f64(),
            "min_seconds": summary.min.as_secs_f64(),
            "max_seconds": summary.max.as_secs_f64(),
            "ratio": self.ratio(one),
            "ratio_against": one.contender.reference().map(Contender::name),
            "cpu_seconds": summary.cpu.as_secs_f64(),
            "peak_bytes": summary.peak_bytes,
            "runs": runs.iter().map(run_json).collect::<Vec<_>>(),
        })
    }

    /// Of the medians; `None` if one is missing or they say nothing about each other.
    fn ratio(&self, one: &Timed) -> Option<f64> {
        let reference = one.contender.reference()?;
        let reference = self.timed.iter().find(|other| other.contender == reference)?;
        let (one, reference) = (Summary::of(one)?, Summary::of(reference)?);
        Some(one.median.as_secs_f64() / reference.median.as_secs_f64())
    }
}

/// What the runs of one contender have in common.
struct Summary {
    median: Duration,
    min: Duration,
    max: Duration,
    cpu: Duration,
    peak_bytes: u64,
}

impl Summary {
    fn of(one: &Timed) -> Option<Self> {
        let runs = one.runs.as_deref()?;
        let (median, min, max) = median_min_max(runs.iter().map(|run| run.wall))?;
        let (cpu, ..) = median_min_max(runs.iter().map(|run| run.cpu))?;
        let (.., peak_bytes) = median_min_max(runs.iter().map(|run| run.peak_bytes))?;
        Some(Self { median, min, max, cpu, peak_bytes })
    }
}

fn run_json(run: &Run) -> Value {
    json!({
        "seconds": run.wall.as_secs_f64(),
        "cpu_seconds": run.cpu.as_secs_f64(),
        "peak_bytes": run.peak_bytes,
    })
}

/// Columns padded to their widest cell, numbers to the right.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column);
            if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A time in the unit that leaves three digits.
pub(super) fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

/// Seconds as milliseconds with one decimal.
pub(super) fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1000.0)
}

/// The median; of an even number the upper middle one, so that it is always a value that was measured.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A size in its largest unit, of 1024.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => format!("{} KB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{:.1} MB", mebibytes(bytes)),
        _ => format!("{:.1} GB", mebibytes(bytes) / 1024.0),
    }
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_carry_their_units() {
        for (milliseconds, text) in [(0, "0 ms"), (999, "999 ms"), (1234, "1.23 s")] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), text);
        }
        for (bytes, text) in
            [(1023, "1023 B"), (160 << 10, "160 KB"), (3 << 19, "1.5 MB"), (1 << 30, "1.0 GB")]
        {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn numbers_stand_to_the_right_and_a_short_row_is_no_trouble() {
        let row = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect();
        let rows: Vec<Vec<String>> = vec![row(&["", "A"]), row(&["cp", "10 ms"]), row(&["x"])];
        assert_eq!(table(&rows), "        A\ncp  10 ms\nx\n");
    }
}

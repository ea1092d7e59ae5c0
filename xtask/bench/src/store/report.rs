//! What the series came to: tables for people, a document for programs.

mod document;

use crate::machine::Machine;
use crate::report::{seconds, table};
use crate::store::findings::Findings;
use crate::store::keeper::{Deed, Keeper};
use crate::store::pages::PAGE_BYTES;
use crate::store::promises;
use crate::store::sample::{Sample, Summary};

const HEADER: [&str; 9] =
    ["", "MEDIAN", "RATIO", "MIN-MAX", "ALONE", "PEAK", "FIRST", "GROWTH", "WRITTEN"];

/// The deeds that have a section of the table, with its title.
const SECTIONS: [(&str, &[Deed]); 6] = [
    ("a checkpoint", &[Deed::Checkpoint]),
    ("of the unchanged database", &[Deed::Unchanged]),
    ("the way back", &[Deed::Beside, Deed::Restore]),
    ("a list of all", &[Deed::List]),
    ("a proof of all", &[Deed::Verify]),
    ("all but the newest removed", &[Deed::Prune]),
];

/// Everything that a series found.
pub(super) struct Report {
    pub(super) machine: Machine,
    /// Below this, peak memory cannot be told.
    pub(super) floor: u64,
    pub(super) n_states_kept: usize,
    /// Everybody who was wanted; without a version, not installed.
    pub(super) keepers: Vec<(Keeper, Option<String>)>,
    pub(super) findings: Findings,
}

impl Report {
    /// The tables and what they were measured on.
    pub(super) fn to_text(&self) -> String {
        let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
        for (title, deeds) in SECTIONS {
            rows.push(vec![title.to_owned()]);
            for deed in deeds {
                let keepers = self.keepers.iter();
                rows.extend(
                    keepers.filter_map(|(keeper, version)| {
                        self.row(*deed, *keeper, version.is_some())
                    }),
                );
            }
        }
        [
            table(&rows),
            self.series(),
            format!(
                "{EXPLANATION}PEAK the highest, by wait4; below {:.1} MiB it cannot be measured\n",
                mebibytes(self.floor)
            ),
            self.room(),
            self.promises(),
            format!("{}{}", self.versions(), self.machine.to_text()),
        ]
        .join("\n")
    }

    /// The document of `--json`.
    pub(super) fn to_json(&self) -> String {
        format!("{:#}\n", document::of(self))
    }

    fn row(&self, deed: Deed, keeper: Keeper, is_installed: bool) -> Option<Vec<String>> {
        let name = format!("  {}", keeper.asked(deed)?.name());
        let Some(summary) = self.findings.summary(deed, keeper) else {
            return (!is_installed).then(|| vec![name, "not installed".to_owned()]);
        };
        let Summary { median, min, max, .. } = summary;
        let mut row = vec![
            name,
            seconds(median),
            self.findings.ratio(deed, keeper).map_or_else(none, |ratio| format!("{ratio:.2}")),
            format!("{}-{}", seconds(min), seconds(max)),
            summary.alone.map_or_else(none, seconds),
            format!("{:.1} MiB", mebibytes(summary.peak_bytes)),
        ];
        let first = self.findings.of(deed, keeper).first().map(|sample| sample.grown_bytes);
        row.extend(match deed {
            Deed::Checkpoint => {
                [first.map_or_else(none, megabytes), megabytes(summary.grown_bytes)]
            }
            Deed::Unchanged | Deed::Prune => [none(), megabytes(summary.grown_bytes)],
            Deed::Beside | Deed::Restore | Deed::List | Deed::Verify => [none(), none()],
        });
        let written = summary.written_bytes.and_then(|bytes| i64::try_from(bytes).ok());
        row.push(written.map_or_else(none, megabytes));
        Some(row)
    }

    /// What the series was.
    fn series(&self) -> String {
        let findings = &self.findings;
        let percent = |share: Option<f64>| share.unwrap_or(f64::NAN) * 100.0;
        format!(
            "{} pages of {PAGE_BYTES} bytes, {} rows; {} checkpoints, before each but the first \
             {:.2} % of the rows\nchanged at random places, {:.2} % of the pages (medians); the \
             rest {} times interleaved, verified and pruned once\n",
            findings.n_pages,
            findings.n_rows,
            findings.changes.len() + 1,
            percent(findings.share_of_rows_changed()),
            percent(findings.share_of_pages_changed()),
            findings.of(Deed::Unchanged, Keeper::Ours).len(),
        )
    }

    /// The size of every folder, before pruning and after.
    fn room(&self) -> String {
        let mut rows = vec![["", "BEFORE", "AFTER"].map(str::to_owned).to_vec()];
        for (keeper, _) in &self.keepers {
            if let Some(pruned) = self.findings.of(Deed::Prune, *keeper).first() {
                let after = pruned.disk_bytes.cast_signed();
                let folder = format!("  {}", keeper.folder());
                rows.push(vec![folder, megabytes(disk_before(pruned)), megabytes(after)]);
            }
        }
        format!(
            "Room, pruned to the {} newest states: {:.0} % of all different pages of the series\n{}",
            self.n_states_kept,
            self.findings.share_needed(self.n_states_kept) * 100.0,
            table(&rows)
        )
    }

    /// What was promised, and how early and late checkpoints compare.
    fn promises(&self) -> String {
        let mut rows = vec![["", "FOUND", "LIMIT", ""].map(str::to_owned).to_vec()];
        for one in promises::all(&self.findings, self.n_states_kept) {
            rows.push(vec![
                format!("  {}", one.what),
                one.unit.of(one.found),
                one.unit.of(one.at_most),
                if one.is_kept() { "kept" } else { "MISSED" }.to_owned(),
            ]);
        }
        let mut lines =
            vec!["Promised for 1 GB; sizes here in proportion\n".to_owned(), table(&rows)];
        for (keeper, _) in &self.keepers {
            if let Some((early, late)) = self.findings.early_and_late(*keeper) {
                let (early, late) = (seconds(early), seconds(late));
                let name = keeper.asked(Deed::Checkpoint).map_or("", |asked| asked.name());
                lines.push(format!("{name}: {early} around the tenth, {late} the last ten\n"));
            }
        }
        lines.concat()
    }

    /// The programs beside which it was measured.
    fn versions(&self) -> String {
        let others = self.keepers.iter().filter(|(keeper, _)| keeper.needs_copy());
        let said = others.map(|(keeper, version)| match version {
            Some(version) => format!("{} {version}", keeper.program()),
            None => format!("{} not installed", keeper.program()),
        });
        match said.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => none,
            said => said + "\n",
        }
    }
}

const EXPLANATION: &str = "\
RATIO of the medians, against `sqlite3 .backup` in the same turns
ALONE without the `.backup` that restic and borg read; MEDIAN with it
FIRST and GROWTH of the folder, by blocks in use; WRITTEN to files, kept or not (MB of 1,000,000 bytes)
restic and borg restore without a sync; the borg repository is not encrypted
";

/// The room that a keeper took before a deed.
fn disk_before(sample: &Sample) -> i64 {
    sample.disk_bytes.cast_signed() - sample.grown_bytes
}

fn none() -> String {
    "-".to_owned()
}

/// Of 1,000,000 bytes, because the promises are.
#[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn megabytes(bytes: i64) -> String {
    let megabytes = bytes as f64 / 1e6;
    if megabytes.abs() < 100.0 {
        format!("{megabytes:.2} MB")
    } else {
        format!("{megabytes:.0} MB")
    }
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

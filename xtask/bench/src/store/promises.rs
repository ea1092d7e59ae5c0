//! What the page store promises for the series of 1 GB, beside what was found.

use crate::store::findings::Findings;
use crate::store::keeper::{Deed, Keeper};

/// One promise; nothing fails if it is missed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promise {
    pub(super) what: &'static str,
    pub(super) found: f64,
    pub(super) at_most: f64,
    pub(super) unit: Unit,
}

/// What a promise is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Megabytes,
    Mebibytes,
    Milliseconds,
    Times,
}

/// Sizes were promised for a database of 261,555 pages; they are set against one of this size.
const PROMISED_FOR_PAGES: f64 = 261_555.0;

impl Promise {
    pub(super) fn is_kept(&self) -> bool {
        self.found <= self.at_most
    }
}

impl Unit {
    pub(super) fn of(self, value: f64) -> String {
        match self {
            Self::Megabytes => format!("{value:.2} MB"),
            Self::Mebibytes => format!("{value:.1} MiB"),
            Self::Milliseconds => format!("{value:.0} ms"),
            Self::Times => format!("{value:.2} x"),
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Megabytes => "megabytes",
            Self::Mebibytes => "mebibytes",
            Self::Milliseconds => "milliseconds",
            Self::Times => "times",
        }
    }
}

/// All promises about which something was found.
#[expect(clippy::cast_precision_loss, reason = "sizes of which two decimals are shown")]
pub(super) fn all(findings: &Findings, n_kept: usize) -> Vec<Promise> {
    let scale = findings.n_pages as f64 / PROMISED_FOR_PAGES;
    let first = findings.of(Deed::Checkpoint, Keeper::Ours).first();
    let megabytes = |bytes: i64| bytes as f64 / 1e6;
    let checkpoint = findings.summary(Deed::Checkpoint, Keeper::Ours);
    let unchanged = findings.summary(Deed::Unchanged, Keeper::Ours);
    let list = findings.summary(Deed::List, Keeper::Ours);
    let promise = |what, at_most, unit, found: Option<f64>| {
        found.map(|found| Promise { what, found, at_most, unit })
    };
    let ratio = |deed| findings.ratio(deed, Keeper::Ours);
    let written = unchanged.and_then(|one| one.written_bytes).map(|bytes| bytes as f64 / 1e6);
    let list_milliseconds = list.map(|list| list.median.as_secs_f64() * 1000.0);
    [
        promise(
            "growth per checkpoint",
            11.5 * scale,
            Unit::Megabytes,
            checkpoint.map(|one| megabytes(one.grown_bytes)),
        ),
        promise(
            "growth by the first checkpoint",
            530.0 * scale,
            Unit::Megabytes,
            first.map(|one| megabytes(one.grown_bytes)),
        ),
        promise("time per checkpoint", 0.75, Unit::Times, ratio(Deed::Checkpoint)),
        promise("time of an unchanged one", 0.4, Unit::Times, ratio(Deed::Unchanged)),
        promise("written for an unchanged one", 0.1, Unit::Megabytes, written),
        promise("time of a whole restore", 2.0, Unit::Times, ratio(Deed::Restore)),
        promise("peak memory", 128.0, Unit::Mebibytes, peak_mebibytes(findings)),
        promise("time to list them", 100.0, Unit::Milliseconds, list_milliseconds),
        promise("late against early checkpoints", 1.1, Unit::Times, late_to_early(findings)),
        promise(
            "room after pruning against what is needed",
            4.0 / 3.0,
            Unit::Times,
            room_to_needed(findings, n_kept),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The highest of all our deeds.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn peak_mebibytes(findings: &Findings) -> Option<f64> {
    let ours = findings.samples.iter().filter(|((_, keeper), _)| *keeper == Keeper::Ours);
    let peaks = ours.flat_map(|(_, samples)| samples).map(|sample| sample.run.peak_bytes);
    peaks.max().map(|bytes| bytes as f64 / f64::from(1 << 20))
}

/// Each against the copies in its own turns if there are any, so that a machine that grows slower
/// does not count.
fn late_to_early(findings: &Findings) -> Option<f64> {
    let slower = |keeper| {
        let (early, late) = findings.early_and_late(keeper)?;
        Some(late.as_secs_f64() / early.as_secs_f64())
    };
    Some(slower(Keeper::Ours)? / slower(Keeper::Copies).unwrap_or(1.0))
}

/// The room after pruning, against the part of the room before it that the pages of what is left
/// took up.
#[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn room_to_needed(findings: &Findings, n_kept: usize) -> Option<f64> {
    let pruned = findings.of(Deed::Prune, Keeper::Ours).first()?;
    let before = pruned.disk_bytes as f64 - pruned.grown_bytes as f64;
    Some(pruned.disk_bytes as f64 / (before * findings.share_needed(n_kept)))
}

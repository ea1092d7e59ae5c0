//! The document of `bench store --json`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Report, disk_before};
use crate::store::findings::Findings;
use crate::store::keeper::{Deed, Keeper};
use crate::store::pages::PAGE_BYTES;
use crate::store::promises::{self, Promise};
use crate::store::sample::{Sample, Summary};

const DEEDS: [(Deed, &str); 7] = [
    (Deed::Checkpoint, "checkpoint"),
    (Deed::Unchanged, "unchanged"),
    (Deed::Beside, "beside-restores"),
    (Deed::Restore, "restore"),
    (Deed::List, "list"),
    (Deed::Verify, "verify"),
    (Deed::Prune, "prune"),
];

/// Everything, in bytes and seconds.
pub(super) fn of(report: &Report) -> Value {
    let findings = &report.findings;
    let mut versions = report.machine.versions_json();
    for (keeper, version) in report.keepers.iter().filter(|(keeper, _)| keeper.needs_copy()) {
        versions[keeper.program()] = json!(version);
    }
    let promises = promises::all(findings, report.n_states_kept);
    json!({
        "version": 1,
        "machine": report.machine.machine_json(),
        "versions": versions,
        "database": {
            "size_bytes": findings.n_pages * PAGE_BYTES as u64,
            "pages": findings.n_pages,
            "rows": findings.n_rows,
        },
        "series": {
            "checkpoints": findings.changes.len() + 1,
            "share_of_rows_changed": findings.share_of_rows_changed(),
            "share_of_pages_changed": findings.share_of_pages_changed(),
            "pages_changed": findings.changes.iter().map(|c| c.changed_pages).collect::<Vec<_>>(),
        },
        "peak_floor_bytes": report.floor,
        "results": results(report),
        "room": room(report),
        "promises": promises.iter().map(promise).collect::<Vec<_>>(),
    })
}

fn results(report: &Report) -> Vec<Value> {
    let mut results = Vec::new();
    for (deed, word) in DEEDS {
        for (keeper, version) in &report.keepers {
            if let Some(mut result) = result(&report.findings, deed, *keeper) {
                result["deed"] = json!(word);
                result["installed"] = json!(version.is_some());
                results.push(result);
            }
        }
    }
    results
}

fn result(findings: &Findings, deed: Deed, keeper: Keeper) -> Option<Value> {
    let asked = keeper.asked(deed)?;
    let mut result = json!({ "name": asked.name(), "command": asked.words() });
    let samples = findings.of(deed, keeper);
    if let Some(summary) = Summary::of(samples) {
        result["median_seconds"] = json!(summary.median.as_secs_f64());
        result["min_seconds"] = json!(summary.min.as_secs_f64());
        result["max_seconds"] = json!(summary.max.as_secs_f64());
        result["alone_seconds"] = json!(summary.alone.map(|time| time.as_secs_f64()));
        result["ratio"] = json!(findings.ratio(deed, keeper));
        result["peak_bytes"] = json!(summary.peak_bytes);
        result["growth_bytes"] = json!(summary.grown_bytes);
        result["written_bytes"] = json!(summary.written_bytes);
        result["runs"] = samples.iter().map(run).collect();
    }
    if let (Deed::Checkpoint, Some((early, late))) = (deed, findings.early_and_late(keeper)) {
        let seconds = [early, late].map(|time: Duration| time.as_secs_f64());
        result["around_the_tenth_seconds"] = json!(seconds[0]);
        result["last_ten_seconds"] = json!(seconds[1]);
    }
    Some(result)
}

fn run(sample: &Sample) -> Value {
    json!({
        "seconds": sample.wall().as_secs_f64(),
        "alone_seconds": sample.copying.map(|_| sample.run.wall.as_secs_f64()),
        "cpu_seconds": sample.run.cpu.as_secs_f64(),
        "peak_bytes": sample.run.peak_bytes,
        "growth_bytes": sample.grown_bytes,
        "written_bytes": sample.written_bytes,
        "disk_bytes": sample.disk_bytes,
    })
}

/// The size of every folder, before pruning and after.
fn room(report: &Report) -> Value {
    let mut room = Map::new();
    for (keeper, _) in &report.keepers {
        if let Some(pruned) = report.findings.of(Deed::Prune, *keeper).first() {
            let found = json!({
                "all_bytes": disk_before(pruned),
                "pruned_bytes": pruned.disk_bytes,
            });
            room.insert(keeper.folder().to_owned(), found);
        }
    }
    json!({
        "states_kept": report.n_states_kept,
        "share_needed": report.findings.share_needed(report.n_states_kept),
        "folders": room,
    })
}

fn promise(one: &Promise) -> Value {
    json!({
        "what": one.what,
        "unit": one.unit.word(),
        "found": one.found,
        "limit": one.at_most,
        "kept": one.is_kept(),
    })
}

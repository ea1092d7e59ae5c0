//! The outcome of a verification, with reasons and warnings.

use crate::backups::backup::Backup;
use crate::backups::record::Record;
use crate::backups::record::proof::Proof;
use crate::backups::verification::outcome::{Outcome, Verification};
use crate::console::text;
use crate::files::sidecars::{JOURNAL, WAL};
use crate::sqlite::digest::database::Hashes;
use crate::sqlite::examination::finding::{Finding, Weight, has};

/// Judges the result of reading a backup against its record, and completes the verification.
pub(super) fn judge(
    backup: &Backup,
    hashes: &Hashes,
    size_bytes: u64,
    verification: &mut Verification,
) {
    match &backup.proof {
        Proof::Recorded(record) => {
            let same_bytes = compare(record, hashes, size_bytes, verification);
            if same_bytes {
                remember_data_findings(record, verification);
            }
            judge_recorded(record, same_bytes, verification);
        }
        Proof::Unrecorded => judge_unrecorded(verification, None),
        Proof::Unreadable(why) => {
            let reason = format!("its record cannot be read: {}", text::plain(why));
            judge_unrecorded(verification, Some(reason));
        }
        Proof::Damaged(_) => {
            judge_unrecorded(verification, Some("its record is damaged".to_owned()));
            verification.outcome = Outcome::Damaged;
        }
        Proof::Newer(version) => {
            let reason = format!("its record has version {version}: update xtask-db to read it");
            judge_unrecorded(verification, Some(reason));
        }
    }
    sidecars(backup, verification);
}

/// Compares size and hash with the record; returns whether the bytes are as recorded.
fn compare(
    record: &Record,
    hashes: &Hashes,
    size_bytes: u64,
    verification: &mut Verification,
) -> bool {
    let mut changed = |what: String| {
        verification.findings.insert(0, Finding::structural(what.clone()));
        verification.reasons.push(what);
    };
    if size_bytes != record.size_bytes {
        changed(format!("it has {size_bytes} bytes; {} were recorded", record.size_bytes));
        return false;
    }
    if hashes.blake3 != record.blake3 {
        let found = hashes.blake3.get(..16).unwrap_or_default();
        let recorded = record.blake3.get(..16).unwrap_or_default();
        changed(format!("its BLAKE3 is {found}…; {recorded}… was recorded"));
        return false;
    }
    true
}

/// CHECK constraints are seen only if SQLite could write, as at creation, and orphans only by a
/// deep look: in a file of the same bytes, the findings of then are still valid.
fn remember_data_findings(record: &Record, verification: &mut Verification) {
    let verified = record.verified.iter().flat_map(|verified| &verified.findings);
    for finding in record.examined.findings.iter().chain(verified) {
        if finding.kind == Weight::Data && !verification.findings.contains(finding) {
            verification.findings.push(finding.clone());
            verification.examination.findings.push(finding.clone());
        }
    }
}

fn judge_recorded(record: &Record, same_bytes: bool, verification: &mut Verification) {
    let structural = structural(verification);
    if !same_bytes {
        verification.outcome = Outcome::Damaged;
        verification.reasons.extend(structural);
        verification.reasons.push(
            "its bytes changed after it was taken: the storage failed, or a program wrote into it"
                .to_owned(),
        );
    } else if !structural.is_empty() {
        verification.outcome = Outcome::Damaged;
        verification.reasons.extend(structural);
        verification.reasons.push(
            "its bytes are as recorded: the database was damaged already when it was taken"
                .to_owned(),
        );
    }
    if same_bytes && record.content_blake3 != verification.content_blake3 {
        verification
            .warnings
            .push("the content hash in its record does not match its content".to_owned());
    }
    warn(verification);
}

fn judge_unrecorded(verification: &mut Verification, reason: Option<String>) {
    let structural = structural(verification);
    if !structural.is_empty() {
        verification.outcome = Outcome::Damaged;
        verification.reasons.extend(structural);
    } else if let Some(reason) = reason {
        verification.outcome = Outcome::CannotTell;
        verification.reasons.push(reason);
        verification.reasons.push("its structure is sound".to_owned());
    } else if has(&verification.findings, Weight::Unchecked) {
        verification.outcome = Outcome::CannotTell;
        verification.reasons.push("it is unrecorded, and not all of it can be checked".to_owned());
    } else {
        verification
            .warnings
            .push("it is unrecorded: there is no hash to compare its bytes with".to_owned());
    }
    warn(verification);
}

fn structural(verification: &Verification) -> Vec<String> {
    let findings = &verification.examination.findings;
    findings.iter().filter(|f| f.kind == Weight::Structural).map(Finding::to_string).collect()
}

fn warn(verification: &mut Verification) {
    let findings = &verification.examination.findings;
    let warnings = findings.iter().filter(|f| f.kind != Weight::Structural);
    verification.warnings.extend(warnings.map(Finding::to_string));
}

/// A `-wal` beside a backup contains pages that are not in it.
fn sidecars(backup: &Backup, verification: &mut Verification) {
    for suffix in [WAL, JOURNAL] {
        let sidecar = backup.folder.join(format!("{}{suffix}", backup.name));
        if fs_err::metadata(&sidecar).is_ok_and(|metadata| metadata.len() > 0) {
            let what = format!("there is a `{}{suffix}` beside it", backup.name);
            if matches!(backup.proof, Proof::Recorded(_)) {
                verification.warnings.push(format!("{what}, which is not part of the backup"));
            } else {
                verification
                    .reasons
                    .push(format!("{what}, which may contain pages that belong to it"));
                verification.outcome = verification.outcome.max(Outcome::CannotTell);
            }
        }
    }
}

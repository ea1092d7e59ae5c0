//! Proving that a backup is whole: its bytes against its record, its structure against SQLite.
//!
//! Three outcomes, never two: whole, damaged, or nobody can tell. A flipped bit inside a value, a
//! stale page or a cut tail pass SQLite's own checks; only the recorded hash sees them.

use anyhow::Result;

use crate::backup::Backup;
use crate::content::Hashes;
use crate::contents::Contents;
use crate::copy;
use crate::examination::{self, Examination};
use crate::finding::{Depth, Finding, Weight, has};
use crate::interrupt::Interrupt;
use crate::record::{Proof, Record};
use crate::standing::{self, Header, Standing};
use crate::store::list::Newer;
use crate::text;

/// What became of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Its bytes are as recorded, or, unrecorded, its structure is sound.
    Whole,
    /// It cannot be told.
    CannotTell,
    /// Its bytes changed, or its structure is damaged.
    Damaged,
}

impl Outcome {
    /// The word in results.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::CannotTell => "cannot-tell",
            Self::Damaged => "damaged",
        }
    }
}

/// What a verification found.
#[derive(Debug, Clone)]
pub(crate) struct Verification {
    /// The outcome.
    pub outcome: Outcome,
    /// Why, where it is not whole.
    pub reasons: Vec<String>,
    /// What a user should know of a whole one.
    pub warnings: Vec<String>,
    /// What is written into the record.
    pub findings: Vec<Finding>,
    /// How deep it looked.
    pub depth: Depth,
    /// Rows per table and the schema's hash, as read now.
    pub examination: Examination,
    /// The content's hash as read now.
    pub content_blake3: String,
}

impl Verification {
    /// What is left to say of a backup that could not even be read.
    pub(crate) fn impossible(error: &anyhow::Error) -> Self {
        Self {
            outcome: Outcome::CannotTell,
            reasons: vec![format!("it cannot be read: {error:#}")],
            warnings: Vec::new(),
            findings: Vec::new(),
            depth: Depth::Quick,
            examination: Examination::default(),
            content_blake3: String::new(),
        }
    }
}

/// Verifies one backup; it is held meanwhile, so that no pruning takes it away.
///
/// # Errors
///
/// Where the file cannot be read at all, or at the user's interrupt.
pub(crate) fn verify(backup: &Backup, depth: Depth, interrupt: &Interrupt) -> Result<Verification> {
    let _held = backup.hold()?;
    let path = backup.path();
    let standing = standing::look(&path)?;
    let (read, examined) = std::thread::scope(|scope| {
        let hashing = scope.spawn(|| copy::hash_file(&path, interrupt));
        let examined = examination::examine(&path, depth, interrupt);
        (hashing.join(), examined)
    });
    let (hashes, _, size_bytes) =
        read.map_err(|_| anyhow::anyhow!("the hashing thread ended early"))??;
    let mut examination = examined?;
    if matches!(standing, Standing::Empty | Standing::Foreign { .. }) {
        let finding = Finding::structural("it is no SQLite database");
        examination.findings = vec![finding];
    }
    if let Standing::Sqlite(header) = standing {
        examination.findings.extend(excess(&header, size_bytes));
    }
    let mut verification = Verification {
        outcome: Outcome::Whole,
        reasons: Vec::new(),
        warnings: Vec::new(),
        findings: examination.findings.clone(),
        depth,
        examination,
        content_blake3: hashes.content_blake3.clone(),
    };
    match &backup.proof {
        Proof::Recorded(record) => {
            let same_bytes = compare(record, &hashes, size_bytes, &mut verification);
            if same_bytes {
                remember_data_findings(record, &mut verification);
            }
            judge_recorded(record, same_bytes, &mut verification);
        }
        Proof::Unrecorded => judge_unrecorded(&mut verification, None),
        Proof::Unreadable(why) => {
            let reason = format!("its record cannot be read: {}", text::plain(why));
            judge_unrecorded(&mut verification, Some(reason));
        }
        Proof::Newer(version) => {
            let reason = format!("its record has version {version}: update xtask-db to read it");
            judge_unrecorded(&mut verification, Some(reason));
        }
    }
    sidecars(backup, &mut verification);
    Ok(verification)
}

/// Proves of a backup what the hashes of its bytes tell, without SQLite; of a stored one from the ids of
/// its pages, which need not be read.
///
/// # Errors
///
/// At the user's interrupt.
pub(crate) fn prove(backup: &Backup, interrupt: &Interrupt) -> Result<Verification> {
    let proved = Contents::open(backup).and_then(|contents| contents.prove(interrupt));
    interrupt.check()?;
    Ok(judge_proof(backup, proved))
}

/// Whether a failure says nothing of the bytes: a newer build wrote them, or they may not be read.
fn is_doubtful(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::{NotFound, UnexpectedEof};
    let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    error.downcast_ref::<Newer>().is_some()
        || io.is_some_and(|kind| !matches!(kind, NotFound | UnexpectedEof))
}

/// What hashes, or that there are none, say of a backup.
pub(crate) fn judge_proof(backup: &Backup, proved: Result<(Hashes, u64)>) -> Verification {
    let mut verification = Verification {
        outcome: Outcome::Whole,
        reasons: Vec::new(),
        warnings: Vec::new(),
        findings: Vec::new(),
        depth: Depth::Quick,
        examination: Examination::default(),
        content_blake3: String::new(),
    };
    let (hashes, size_bytes) = match proved {
        Ok(proved) => proved,
        Err(error) => {
            verification.outcome = Outcome::Damaged;
            if is_doubtful(&error) {
                verification.outcome = Outcome::CannotTell;
            } else {
                verification.findings.push(Finding::structural(format!("{error:#}")));
            }
            verification.reasons.push(format!("{error:#}"));
            return verification;
        }
    };
    verification.content_blake3.clone_from(&hashes.content_blake3);
    match &backup.proof {
        Proof::Recorded(record) => {
            let same_bytes = compare(record, &hashes, size_bytes, &mut verification);
            if same_bytes {
                remember_data_findings(record, &mut verification);
            }
            judge_recorded(record, same_bytes, &mut verification);
        }
        // Its page list names the hash of the whole.
        Proof::Unrecorded => judge_unrecorded(&mut verification, None),
        Proof::Unreadable(_) | Proof::Newer(_) => {
            let reason = "its record cannot be read".to_owned();
            judge_unrecorded(&mut verification, Some(reason));
        }
    }
    verification
}

/// SQLite reads over what lies behind the last page; a restore would not give it back.
fn excess(header: &Header, size_bytes: u64) -> Option<Finding> {
    let n_bytes = header.excess_bytes(size_bytes);
    (n_bytes > 0).then(|| {
        let n_bytes = text::count(n_bytes, "byte");
        Finding::structural(format!("it is longer than its header says, by {n_bytes}"))
    })
}

/// Compares size and hash with the record; returns whether the bytes are as recorded.
fn compare(
    record: &Record,
    hashes: &crate::content::Hashes,
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

/// CHECK constraints are seen only where SQLite could write, as at creation, and orphans only by a
/// deep look: in a file of the same bytes, what was found then still holds.
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
            "its bytes changed after it was taken: the storage, or a program that wrote into it"
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
        verification.warnings.push("its record's content hash is not its content's".to_owned());
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

/// A `-wal` beside a backup holds pages that are not in it.
fn sidecars(backup: &Backup, verification: &mut Verification) {
    for suffix in ["-wal", "-journal"] {
        let sidecar = backup.folder.join(format!("{}{suffix}", backup.name));
        if fs_err::metadata(&sidecar).is_ok_and(|metadata| metadata.len() > 0) {
            let what = format!("there is a `{}{suffix}` beside it", backup.name);
            if matches!(backup.proof, Proof::Recorded(_)) {
                verification.warnings.push(format!("{what}, which is not part of the backup"));
            } else {
                verification
                    .reasons
                    .push(format!("{what}, which may hold pages that belong to it"));
                verification.outcome = verification.outcome.max(Outcome::CannotTell);
            }
        }
    }
}

//! Proves that a PostgreSQL dump is whole: its bytes, and the rows of each table, against its record.
//!
//! Equal bytes, and equal chunks, are equal rows. The hashes of the tables are compared all the same: a restored database is compared
//! with those in the record, so they must be the dump's.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::reader::Contents;
use crate::backups::record::Record;
use crate::backups::verification::judgement;
use crate::backups::verification::outcome::{Outcome, Verification};
use crate::console::interrupt::Interrupt;
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::dump::read_back::ReadBack;
use crate::sqlite::digest::database::Hashes;
use crate::sqlite::examination::Examination;
use crate::sqlite::examination::finding::{Depth, Finding};

/// Reads a dump from its first to its last byte.
///
/// # Errors
///
/// If it cannot be read, or at the user's interrupt; damage is an error of type
/// [`Damage`](crate::sqlite::examination::finding::Damage).
pub(super) fn read(backup: &Backup, interrupt: &Interrupt) -> Result<Verification> {
    let ReadBack { blake3, size_bytes, proof } = Contents::open(backup)?.dump(interrupt)?;
    let rows = proof.tables.iter().map(|(table, proof)| (table.clone(), Some(proof.rows)));
    let examination = Examination {
        findings: Vec::new(),
        tables: rows.collect(),
        schema_blake3: proof.catalogue_blake3.clone(),
        schema_version: None,
    };
    let hashes = Hashes { blake3, content_blake3: proof.content_blake3.clone() };
    let mut verification = found(examination, &hashes);
    verification.depth = Some(Depth::Deep);
    judgement::judge(backup, &hashes, size_bytes, &mut verification);
    if let Some(record) = backup.record().filter(|_| verification.outcome == Outcome::Whole) {
        let differing = differing(record, &verification, &proof);
        if !differing.is_empty() {
            verification.outcome = Outcome::Damaged;
            verification.findings.extend(differing.iter().cloned().map(Finding::structural));
            verification.reasons.extend(differing);
        }
    }
    Ok(verification)
}

/// Verifies a dump by its bytes or its chunks alone: if they are those of the record or the list, the rows are those that
/// the record has.
///
/// # Errors
///
/// As [`read`].
pub(super) fn by_record(
    backup: &Backup,
    hash: impl FnOnce(&Contents) -> Result<(Hashes, u64)>,
    as_recorded: Examination,
) -> Result<Verification> {
    let (hashes, size_bytes) = hash(&Contents::open(backup)?)?;
    let recorded = backup.record().map(|record| record.content_blake3.clone());
    let hashes = Hashes { content_blake3: recorded.unwrap_or_default(), ..hashes };
    let mut verification = found(as_recorded, &hashes);
    judgement::judge(backup, &hashes, size_bytes, &mut verification);
    Ok(verification)
}

fn found(examination: Examination, hashes: &Hashes) -> Verification {
    Verification {
        outcome: Outcome::Whole,
        reasons: Vec::new(),
        warnings: Vec::new(),
        findings: examination.findings.clone(),
        depth: None,
        is_drilled: false,
        examination,
        content_blake3: hashes.content_blake3.clone(),
        suspects: Vec::new(),
    }
}

/// What the record names otherwise than the dump has it, though its bytes are the same: one of the two was not written
/// by this program.
fn differing(record: &Record, verification: &Verification, proof: &DumpProof) -> Vec<String> {
    let recorded = record.postgres.as_ref().map(|postgres| &postgres.tables);
    let mut differing = Vec::new();
    if record.tables != verification.examination.tables {
        differing.push("its tables or their numbers of rows are not as recorded".to_owned());
    }
    for (table, proof) in &proof.tables {
        if recorded.and_then(|tables| tables.get(table)) != Some(&proof.blake3) {
            differing.push(format!("the rows of `{table}` are not as recorded"));
        }
    }
    if record.content_blake3 != proof.content_blake3
        || record.schema_blake3 != proof.catalogue_blake3
    {
        differing.push("its definitions are not as recorded".to_owned());
    }
    differing
}

//! Proves that a backup is whole: its bytes against its record, its structure with SQLite.
//!
//! There are three outcomes: whole, damaged, or unknown. SQLite's own checks do not notice a
//! flipped bit inside a value, a stale page or a truncated file; only the recorded hash does.

mod judgement;
mod of_dump;
pub(crate) mod outcome;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::reader::Contents;
use crate::backups::record::Record;
use crate::backups::verification::outcome::{Outcome, Verification};
use crate::console::interrupt::Interrupt;
use crate::console::{text, threads};
use crate::sqlite::digest::database::Hashes;
use crate::sqlite::examination::finding::{Damage, Depth, Finding, Weight, has};
use crate::sqlite::examination::{self, Examination};
use crate::sqlite::header::Header;
use crate::sqlite::probe::Standing;
use crate::sqlite::snapshot::copy;

/// How deep SQLite has to examine a backup before it is restored. If `db-verify` examined it deeply
/// before and its bytes are the same, those findings are valid; the same is true of a stored backup
/// since it was taken. A dump whose bytes are the same is the one that was proved when it was written, and its rows are
/// compared again while it is loaded.
#[must_use]
pub(crate) fn depth_before_restore(backup: &Backup) -> Depth {
    let Some(record) = backup.record() else {
        return Depth::Deep;
    };
    match &record.verified {
        Some(verified) if has(&verified.findings, Weight::Structural) => Depth::Deep,
        _ if backup.name.format.is_dump() => Depth::Quick,
        Some(verified) if verified.depth == Depth::Deep => Depth::Quick,
        _ if backup.name.format == Format::Pages => Depth::Quick,
        _ => Depth::Deep,
    }
}

/// Verifies one backup; it is locked meanwhile, so that pruning cannot remove it.
///
/// A quick look at a stored backup or a dump compares hashes only: SQLite would need a private copy, and
/// the findings from when the backup was taken stay valid as long as every byte is the same.
///
/// # Errors
///
/// If the file cannot be read at all, or at the user's interrupt; damage is an outcome.
pub(crate) fn verify(backup: &Backup, depth: Depth, interrupt: &Interrupt) -> Result<Verification> {
    or_damaged(read(backup, depth, interrupt, Contents::hash), depth)
}

/// Like [`verify`], before a restore that compares every page that it reads with its id. For a
/// stored backup it is then enough that every page is there, and that the ids are those of the
/// backup.
///
/// # Errors
///
/// As [`verify`].
pub(crate) fn verify_for_restore(
    backup: &Backup,
    depth: Depth,
    interrupt: &Interrupt,
) -> Result<Verification> {
    or_damaged(read(backup, depth, interrupt, Contents::prove), depth)
}

/// Like [`verify_for_restore`], for a stored backup whose pages were already compared with their
/// ids; `check` reports whether it needs one that was damaged.
///
/// # Errors
///
/// As [`verify`].
pub(crate) fn verify_checked(
    backup: &Backup,
    check: impl FnOnce(&Contents) -> Result<()>,
    interrupt: &Interrupt,
) -> Result<Verification> {
    let hash = |contents: &Contents, interrupt: &Interrupt| {
        check(contents)?;
        contents.prove(interrupt)
    };
    // If the record cannot be relied upon, as after damage that only a deep look saw, SQLite looks
    // again, as deeply.
    let depth = match record_to_rely_on(backup) {
        Some(_) => Depth::Quick,
        None => Depth::Deep,
    };
    let mut verification = or_damaged(read(backup, depth, interrupt, hash), depth)?;
    // All its pages were read: SQLite's earlier findings are proved to be valid.
    verification.depth = Some(depth);
    Ok(verification)
}

fn or_damaged(read: Result<Verification>, depth: Depth) -> Result<Verification> {
    read.or_else(|error| match error.downcast_ref::<Damage>() {
        Some(_) => Ok(Verification::damaged(&error, depth)),
        None => Err(error),
    })
}

fn read(
    backup: &Backup,
    depth: Depth,
    interrupt: &Interrupt,
    hash: impl FnOnce(&Contents, &Interrupt) -> Result<(Hashes, u64)>,
) -> Result<Verification> {
    if backup.name.format.is_dump() {
        let by_record = record_to_rely_on(backup).filter(|_| depth == Depth::Quick);
        return match by_record {
            Some(record) => {
                let hash = |contents: &Contents| hash(contents, interrupt);
                of_dump::by_record(backup, hash, as_recorded(record))
            }
            None => of_dump::read(backup, interrupt),
        };
    }
    let contents = Contents::open(backup)?;
    let standing = contents.standing()?;
    let by_record = match depth {
        Depth::Quick => record_to_rely_on(backup),
        Depth::Deep => None,
    };
    let (hashes, size_bytes, mut examination) = match by_record {
        Some(record) => {
            let (hashes, size_bytes) = hash(&contents, interrupt)?;
            (hashes, size_bytes, as_recorded(record))
        }
        None => examined(&contents, depth, interrupt)?,
    };
    match standing {
        Standing::Sqlite(header) => examination.findings.extend(excess(&header, size_bytes)),
        Standing::Empty | Standing::Other(_) | Standing::Foreign { .. } => {
            examination.findings = vec![Finding::structural("it is not an SQLite database")];
        }
        Standing::Missing | Standing::NotAFile(_) => {}
    }
    let mut verification = Verification {
        outcome: Outcome::Whole,
        reasons: Vec::new(),
        warnings: Vec::new(),
        findings: examination.findings.clone(),
        depth: by_record.is_none().then_some(depth),
        is_drilled: false,
        examination,
        content_blake3: hashes.content_blake3.clone(),
        suspects: Vec::new(),
    };
    judgement::judge(backup, &hashes, size_bytes, &mut verification);
    Ok(verification)
}

/// The record of a stored backup or a dump, unless a later look contradicts it.
fn record_to_rely_on(backup: &Backup) -> Option<&Record> {
    let format = backup.name.format;
    let record = backup.record().filter(|_| format.is_stored() || format.is_dump())?;
    (!has(&record.last_examined().findings, Weight::Structural)).then_some(record)
}

/// SQLite's findings when the backup was taken.
fn as_recorded(record: &Record) -> Examination {
    Examination {
        findings: record.examined.findings.clone(),
        tables: record.tables.clone(),
        schema_blake3: record.schema_blake3.clone(),
        schema_version: record.schema_version,
    }
}

/// Lets SQLite examine the file, and hashes what it reads.
fn examined(
    contents: &Contents,
    depth: Depth,
    interrupt: &Interrupt,
) -> Result<(Hashes, u64, Examination)> {
    let file = contents.file(interrupt)?;
    let (read, examined) = threads::both(
        || copy::hash_file(file.path(), interrupt),
        || examination::examine(file.path(), depth, interrupt),
    );
    let (hashes, _, size_bytes) = read?;
    Ok((hashes, size_bytes, examined?))
}

/// A finding about bytes behind the last page: SQLite ignores them, and a restore would not give
/// them back.
fn excess(header: &Header, size_bytes: u64) -> Option<Finding> {
    let n_bytes = header.excess_bytes(size_bytes);
    (n_bytes > 0).then(|| {
        let n_bytes = text::count(n_bytes, "byte");
        Finding::structural(format!("it is longer than its header declares, by {n_bytes}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::backup::Pages;
    use crate::backups::name::Name;
    use crate::backups::record::Examined;
    use crate::backups::record::proof::Proof;

    /// A backup with a record and the findings of the last `db-verify`.
    fn recorded(format: Format, verified: Option<(Depth, Weight)>) -> Backup {
        let record = serde_json::json!({
            "version": 1, "sequence": 1, "database": "a", "source": "a.db", "file": "",
            "kind": "branch", "label": null, "pinned": false,
            "created_at": "2025-09-13T14:25:30+02:00", "size_bytes": 0, "blake3": "",
            "content_blake3": "", "schema_blake3": "", "tables": {}, "verified": null,
            "sqlite": { "version": "", "page_size_bytes": 0, "page_count": 0, "journal_mode": "",
                "user_version": 0, "application_id": 0, "encoding": "" },
            "examined": { "at": "2025-09-13T14:25:30+02:00", "depth": "quick", "findings": [] },
            "git": null, "enters": null, "tool": "",
        });
        let Proof::Recorded(mut record) = Proof::parse(record.to_string().as_bytes()) else {
            panic!("no record");
        };
        record.verified = verified.map(|(depth, kind)| Examined {
            depth,
            findings: vec![Finding { kind, detail: String::new(), count: 1 }],
            ..record.examined.clone()
        });
        let name = Name::parse("a.db.2025-09-13_142530.bak").expect("a name").in_format(format);
        Backup {
            created_at: record.created_at,
            name,
            folder: std::path::Path::new("").into(),
            size_bytes: 0,
            file_bytes: 0,
            identity: (0, 0),
            whose: crate::backups::home::Whose::Ours,
            pages: Pages::None,
            proof: Proof::Recorded(record),
        }
    }

    #[test]
    fn sqlite_looks_at_a_candidate_as_deep_as_nobody_did_yet() {
        use {
            Depth::{Deep, Quick},
            Format::{Pages, Plain},
            Weight::{Data, Structural},
        };
        for (format, verified, depth, relies_on_record) in [
            (Plain, None, Deep, false),
            (Plain, Some((Deep, Data)), Quick, false),
            (Plain, Some((Quick, Data)), Deep, false),
            (Plain, Some((Deep, Structural)), Deep, false),
            (Pages, None, Quick, true),
            (Pages, Some((Deep, Data)), Quick, true),
            // A damaged backup may be intact again, or not.
            (Pages, Some((Deep, Structural)), Deep, false),
            (Pages, Some((Quick, Structural)), Deep, false),
        ] {
            let backup = recorded(format, verified);
            let what = format!("{format:?} {verified:?}");
            assert_eq!(depth_before_restore(&backup), depth, "{what}");
            assert_eq!(record_to_rely_on(&backup).is_some(), relies_on_record, "{what}");
        }
    }

    #[test]
    fn a_stored_backup_without_a_record_is_not_taken_at_its_word() {
        let backup = Backup { proof: Proof::Unrecorded, ..recorded(Format::Pages, None) };
        assert!(record_to_rely_on(&backup).is_none());
        assert_eq!(depth_before_restore(&backup), Depth::Deep);
    }

    #[test]
    fn what_cannot_be_read_for_damage_is_damaged_and_what_cannot_be_read_otherwise_is_not_told() {
        let damage = anyhow::Error::from(Damage::new("a pack is gone"));
        let found = or_damaged(Err(damage.context("could not read")), Depth::Quick);
        let found = found.expect("a verification");
        assert_eq!(found.outcome, Outcome::Damaged);
        assert_eq!(found.reasons, ["could not read: a pack is gone"]);
        assert!(has(&found.findings, Weight::Structural), "the list would not show it");
        assert!(or_damaged(Err(anyhow::anyhow!("permission denied")), Depth::Quick).is_err());
    }
}

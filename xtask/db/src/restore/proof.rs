//! Proves that a restore is in place; and the drill that proves beforehand that one would be.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::reader::Contents;
use crate::backups::writer::Locked;
use crate::capture;
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::restore::plan::{self, Destination, Plan};
use crate::restore::source::{Original, Source};
use crate::restore::write::{Written, put_back};
use crate::sqlite::digest::database::Groups;
use crate::sqlite::examination::finding::{Depth, Weight};
use crate::sqlite::{connection, examination, read_only, wal};

/// How the result was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proved {
    /// The live database's content equals the backup's.
    Equal,
    /// Others have written since; the present file is structurally sound.
    WrittenSince,
}

/// Reads the live database once more and compares its content with the source's. Then its WAL is
/// checkpointed, if nobody else has it open.
///
/// # Errors
///
/// [`Unequal`] if they differ though nobody else committed, or the live database is damaged.
pub(crate) fn prove(
    written: Written,
    source: &Source,
    scratch: &Path,
    interrupt: &Arc<Interrupt>,
) -> Result<Proved> {
    let fresh = read_only::open(&written.target, written.busy_timeout)?;
    let content_blake3 = capture::content_hash(&fresh, scratch, interrupt)?;
    let proved = if content_blake3 == source.content_blake3 {
        Proved::Equal
    } else {
        let version = connection::pragma::<i64>(&written.to, "data_version").ok();
        if version == written.version {
            return Err(Unequal("it is not equal to the backup".to_owned()).into());
        }
        let _watched = interrupt.watch(&fresh);
        let findings = examination::check(&fresh, Depth::Quick)?;
        if let Some(found) = findings.iter().find(|found| found.kind == Weight::Structural) {
            return Err(Unequal(format!("it is damaged: {found}")).into());
        }
        Proved::WrittenSince
    };
    drop(fresh);
    let Written { to, target, counter, .. } = written;
    to.close().map_err(|(_, error)| error)?;
    drop(counter);
    wal::take_in(&target);
    Ok(proved)
}

/// The proof's answer is no.
#[derive(Debug)]
pub(crate) struct Unequal(String);

impl std::fmt::Display for Unequal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unequal {}

/// Restores a backup into a scratch file as a real restore would and compares the contents.
///
/// # Errors
///
/// If any step fails or the contents differ.
pub(crate) fn drill(
    backup: &Backup,
    locked: &Locked<'_>,
    content_blake3: &str,
    interrupt: &Arc<Interrupt>,
) -> Result<()> {
    let stage = locked.stage(&backup.name)?;
    let folder = locked.vault().folder();
    let busy_timeout = Duration::ZERO;
    let destination =
        Destination { path: stage.path(), backups: folder, force: false, busy_timeout };
    let plan = plan::plan(backup, &destination, interrupt)?;
    let (contents, ids) = (Contents::open(backup)?, Groups::default());
    let original = Original { contents, ids, content_blake3 };
    let source = Source::prepare(&plan, original, locked, interrupt)?;
    // A scratch file in WAL mode would leave sidecars that no stage removes.
    let plan = Plan { backup: without_journal_mode(plan.backup.clone()), ..plan };
    let mut progress = Progress::hidden(interrupt);
    let written = put_back(&plan, &source, &mut progress, || Ok(Groups::default()))?;
    match prove(written, &source, folder, interrupt)? {
        Proved::Equal => Ok(()),
        Proved::WrittenSince => anyhow::bail!("another process wrote into the scratch file"),
    }
}

fn without_journal_mode(mut backup: Backup) -> Backup {
    if let crate::backups::record::proof::Proof::Recorded(record) = &mut backup.proof
        && let Some(sqlite) = &mut record.sqlite
    {
        "delete".clone_into(&mut sqlite.journal_mode);
    }
    backup
}

//! A copy that is finished, examined and proved, but has no name yet.
//!
//! A backup publishes it at once; a rehearsal keeps it until it knows that something is pending. It
//! removes itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::backups::name::Name;
use crate::backups::reader::Contents;
use crate::backups::record::Record;
use crate::capture::dump::into_store;
use crate::capture::record::record_of;
use crate::capture::request::{Capture, Look, Taken};
use crate::capture::stored::{self, PlainCopy};
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::refusal::{Exit, Refusal};
use crate::console::threads;
use crate::files::free_space;
use crate::files::stage::Stage;
use crate::host::project::live_database::explain;
use crate::sqlite::digest::database::Groups;
use crate::sqlite::examination::finding::{Finding, Weight, has};
use crate::sqlite::examination::{self, Examination};
use crate::sqlite::read_only::{self, Looking};
use crate::sqlite::snapshot::{Reading, copy};
use crate::sqlite::trouble::{self, Trouble};

/// A finished, examined copy with its proof, which has no name yet; it removes itself.
#[derive(Debug)]
pub(crate) struct Staged {
    stage: Stage,
    name: Name,
    record: Record,
    version: Option<i64>,
    groups: Groups,
    began: Instant,
}

/// Result of a copy that is not to be published yet.
#[derive(Debug)]
pub(crate) enum Copy {
    /// A sound copy.
    Staged(Box<Staged>),
    /// None: the content equals that of [`Wanted::unless_equal`].
    Unchanged,
    /// None: the source is structurally damaged.
    Damaged(Vec<Finding>),
}

impl Staged {
    /// A dump of a PostgreSQL database, which was proved while it was written.
    #[must_use]
    pub(super) fn of_dump(stage: Stage, name: Name, record: Record, began: Instant) -> Self {
        Self { stage, name, record, version: None, groups: Groups::default(), began }
    }

    /// The path of the copy.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        self.stage.path()
    }

    /// The proof of the copy; its `file` and `sequence` are given when it is published.
    #[must_use]
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Keeps the copy from being swept while the folder's lock is given up.
    ///
    /// # Errors
    ///
    /// If the file system has no locks.
    pub(crate) fn hold(&self) -> Result<()> {
        self.stage.hold()
    }

    /// Gives the copy its name; or takes it into the page store, if requested.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails, or at the user's interrupt; nothing then stays under a final
    /// name.
    pub(crate) fn publish(self, capture: Capture<'_>, progress: &Progress) -> Result<Taken> {
        let Capture { locked, wanted, .. } = capture;
        let Self { stage, name, mut record, version, groups, began } = self;
        if wanted.format == Format::Pages {
            let copy = PlainCopy { path: stage.path(), record };
            let backup = match name.format {
                Format::Dump => into_store::publish_copy(capture, &copy, progress)?,
                _ => stored::publish_copy(capture, copy, progress)?,
            };
            return Ok(Taken::Backup(Box::new(backup), version, began.elapsed(), groups));
        }
        record.sequence = locked.next_sequence()?;
        let backup = locked.publish(&stage, name, record)?;
        demand_readable(capture, &backup, progress.interrupt())?;
        Ok(Taken::Backup(Box::new(backup), version, began.elapsed(), groups))
    }
}

/// Takes a backup back that the disk does not return as it was written, if it will be relied upon.
///
/// # Errors
///
/// A refusal if it is taken back; at the user's interrupt.
pub(super) fn demand_readable(
    capture: Capture<'_>,
    backup: &Backup,
    interrupt: &Interrupt,
) -> Result<()> {
    if capture.wanted.look != Look::AtPages || is_readable(backup, interrupt)? {
        return Ok(());
    }
    capture.locked.remove(backup)?;
    Err(Refusal::could_not(
        format!("`{}` could not be read back right after it was written", backup.name),
        "the disk of the backups folder does not return what was written: check the disk, or set \
         `DATABASE_BACKUP_DIR` to another folder; the database is untouched",
    ))
}

/// Whether a backup, read back from the disk, matches its record.
///
/// # Errors
///
/// At the user's interrupt only.
pub(crate) fn is_readable(backup: &Backup, interrupt: &Interrupt) -> Result<bool> {
    let read = Contents::open(backup).and_then(|contents| contents.read_back(interrupt));
    interrupt.check()?;
    let recorded = backup.record().map(|record| &record.blake3);
    Ok(read.is_ok_and(|blake3| Some(&blake3) == recorded))
}

/// Copies a live database into a stage and examines it there. A damaged source is an answer.
///
/// # Errors
///
/// As [`capture::take`](crate::capture::take).
pub(crate) fn stage(
    connection: &Looking,
    capture: Capture<'_>,
    progress: &mut Progress,
) -> Result<Copy> {
    match copy_and_examine(connection, capture, progress) {
        // Pages of two states look damaged.
        Err(error) if connection.prove().is_err() => connection.proved(Err(error)),
        Err(error) if trouble::trouble(&error) == Trouble::Damaged => {
            Ok(Copy::Damaged(vec![Finding::structural(trouble::message(&error))]))
        }
        copied => copied.map_err(|error| explain(error, capture.project, capture.wanted.database)),
    }
}

fn copy_and_examine(
    connection: &Looking,
    capture: Capture<'_>,
    progress: &mut Progress,
) -> Result<Copy> {
    let Capture { locked, wanted, .. } = capture;
    let began = Instant::now();
    let interrupt = Arc::clone(progress.interrupt());
    let safety = wanted.kind == Kind::Safety;
    let name = Name::new(&wanted.database.file_name(), safety, wanted.now.naive_local());
    let stage = locked.stage(&name)?;
    let (copied, journal_mode) = {
        let _watched = interrupt.watch(connection);
        let snapshot = read_only::begin(connection)?;
        let is_equal =
            |content: &str| wanted.unless_equal.is_some_and(|r| r.content_blake3 == content);
        if wanted.unless_equal.is_some_and(|record| record.size_bytes == snapshot.size_bytes())
            && snapshot.reading == Reading::Pages
            && is_equal(&copy::hash_pages(&snapshot, &interrupt)?.content_blake3)
        {
            connection.prove()?;
            return Ok(Copy::Unchanged);
        }
        free_space::demand(locked.vault().folder(), snapshot.size_bytes(), "the backup")?;
        let copied = copy::copy(&snapshot, &stage, progress)?;
        connection.prove()?;
        if is_equal(&copied.hashes.content_blake3) {
            return Ok(Copy::Unchanged);
        }
        (copied, connection.journal_mode_of(&snapshot))
    };
    let examination = match wanted.format {
        Format::Plain | Format::Dump => settle(&stage, &interrupt)?,
        // Its pages are written again, into packs that are synced: nobody relies on this file.
        Format::Pages | Format::Chunks => examine(&stage, &interrupt)?,
    };
    if has(&examination.findings, Weight::Structural) {
        return Ok(Copy::Damaged(examination.findings));
    }
    let version = examination.schema_version;
    let record = record_of(capture, &copied, journal_mode, examination);
    let groups = copied.groups;
    Ok(Copy::Staged(Box::new(Staged { stage, name, record, version, groups, began })))
}

/// Writes a finished stage back to the disk and examines it, both at once.
///
/// # Errors
///
/// If the disk fails, or at the user's interrupt.
pub(crate) fn settle(stage: &Stage, interrupt: &Interrupt) -> Result<Examination> {
    let (synced, examined) =
        threads::both(|| stage.sync(), || examination::examine_stage(stage.path(), interrupt));
    synced?;
    examined.map_err(|error| not_examined(error, stage.path()))
}

fn examine(stage: &Stage, interrupt: &Interrupt) -> Result<Examination> {
    let examined = examination::examine_stage(stage.path(), interrupt);
    examined.map_err(|error| not_examined(error, stage.path()))
}

/// The error for a copy that could not be examined, and is therefore not a backup. The hint is
/// about the copy, since the live database was read completely.
fn not_examined(error: anyhow::Error, stage: &Path) -> anyhow::Error {
    /// SQLite's own limit, the last byte a zero (`MAX_PATHNAME` in its `os_unix.c`).
    const MAX_PATH_BYTES: usize = 511;
    let n_bytes = std::path::absolute(stage).map_or(0, |path| path.as_os_str().len());
    let hint = match trouble::trouble(&error) {
        Trouble::Interrupted | Trouble::Full => return error,
        _ if error.downcast_ref::<Refusal>().is_some() => return error,
        Trouble::CannotOpen if n_bytes > MAX_PATH_BYTES => format!(
            "the path of the copy has {n_bytes} bytes but SQLite allows only {MAX_PATH_BYTES}: use \
             a backups folder with a shorter path"
        ),
        _ => {
            "nothing was published; check the disk, the memory and the permissions of the backups \
              folder, then try again"
                .to_owned()
        }
    };
    let what = "could not examine the copy, so it is not a backup".to_owned();
    error.context(Refusal { what, hint, exit: Exit::CouldNot })
}

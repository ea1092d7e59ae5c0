//! The rehearsal of a migration: the host's command runs on a private copy, which is examined.
//!
//! The copy has the database's file name and journal mode, in a private folder. The live database
//! is not touched here; [`live`] checks whether the command did.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::backups::record::Record;
use crate::capture;
use crate::console::interrupt::Interrupt;
use crate::console::threads;
use crate::files;
use crate::files::stage::Scratch;
use crate::host::command::database_users::Witness;
use crate::host::command::{self, Task};
use crate::host::project::{Database, Location, Project, live_database};
use crate::migrate::file_use::Watch;
use crate::migrate::on_server;
use crate::migrate::rehearsal_result::{Live, Rehearsal};
use crate::migrate::state::{FileState, State};
use crate::migrate::verdict::effects::{self, Effects};
use crate::sqlite::examination::finding::{Depth, Finding, Weight, has};
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::snapshot::copy;
use crate::sqlite::trouble::{self, Trouble};
use crate::sqlite::{connection, examination, read_only};

/// Everything that a rehearsal needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    /// The host.
    pub project: &'a Project,
    /// Its database.
    pub database: &'a Database,
    /// A finished copy of it.
    pub original: &'a Path,
    /// The proof of that copy.
    pub record: &'a Record,
    /// Folder for the private copy.
    pub scratch: &'a Scratch,
}

/// Runs a migration on a private copy and compares both states.
///
/// # Errors
///
/// If the copy cannot be created, or the command not be started.
pub(crate) fn rehearse(
    stage: &Stage<'_>,
    command: &[String],
    interrupt: &Arc<Interrupt>,
) -> Result<Rehearsal> {
    let Stage { project, database, original, .. } = *stage;
    let standby = command::stand_by(project);
    let (before, prepared) = threads::both(
        || State::recorded(original, stage.record, interrupt),
        || Prepared::of(stage, interrupt),
    );
    let (before, prepared) = (before?, prepared?);
    let Prepared { private, watch, mut witness } = prepared;
    let mut before = before;
    let timeout = database.migrate_timeout;
    let location = &Location::File(private.path().to_owned());
    let task = Task { project, database, location, command, timeout };
    let ended = command::migrate_before(standby, &mut witness, &task, interrupt)?;
    // If the opening cannot be proved, there was none.
    let opened = watch.was_used(interrupt).unwrap_or(false);
    let (doubts, mut after) = threads::both(
        || Ok(witness.doubts()),
        || match ended.failure() {
            Some(_) => Ok(before.clone()),
            None => finished(private.path(), interrupt),
        },
    );
    let doubts = doubts.unwrap_or_else(|_| vec!["nobody could look who had it open".to_owned()]);
    if let Ok(after) = &after
        && has(&after.findings, Weight::Structural)
    {
        before.findings = deep_findings(original, interrupt)?;
    }
    let mut effects = Effects::default();
    if let Ok(state) = &after {
        let old = FileState { path: original, state: &before };
        match compared(&old, &FileState { path: private.path(), state }, interrupt) {
            Ok(found) => effects = found,
            Err(error) => after = Err(error),
        }
    }
    let size_bytes = fs_err::metadata(private.path()).map_or(0, |metadata| metadata.len());
    Ok(Rehearsal { ended, opened, doubts, before, after, effects, size_bytes })
}

/// The private copy, and the observers that are in place before the command runs.
struct Prepared {
    /// The private copy.
    private: files::stage::Stage,
    /// Whether it is opened.
    watch: Watch,
    /// Observer of the processes that open the live database.
    witness: Witness,
}

impl Prepared {
    fn of(stage: &Stage<'_>, interrupt: &Interrupt) -> Result<Self> {
        let private = stage.scratch.stage(&stage.database.file_name())?;
        copy::copy_file(stage.original, &private, interrupt)?;
        if stage.record.journal_mode() == "wal" {
            // <https://sqlite.org/fileformat2.html>, 1.3.3: what marks a file as one with a WAL.
            private.write_at(&[2, 2], 18)?;
        }
        let watch = Watch::begin(private.path(), interrupt)?;
        Ok(Self { private, watch, witness: witness_of(stage) })
    }
}

/// A witness of the live database from the moment on in which it still has the schema of the copy.
fn witness_of(stage: &Stage<'_>) -> Witness {
    let Stage { project, database, record, .. } = *stage;
    let mut witness = Witness::begin(database.home());
    let is_same = || -> Result<bool> {
        let connection = read_only::open(database.file()?, project.busy_timeout)?;
        let user_version: i64 = connection::pragma(&connection, "user_version")?;
        let schema_blake3 = examination::schema_hash(&connection)?;
        Ok(schema_blake3 == record.schema_blake3 && user_version == record.user_version())
    };
    if !is_same().unwrap_or(false) {
        witness.doubt("its schema had changed before the command ran");
    }
    // That was our own opening.
    witness.forget();
    witness
}

/// Finds the effects between two states; there are none if they are equal or if the second has new
/// damage.
///
/// # Errors
///
/// If they cannot be compared, or at the user's interrupt.
pub(crate) fn compared(
    old: &FileState<'_>,
    new: &FileState<'_>,
    interrupt: &Interrupt,
) -> Result<Effects> {
    let (before, after) = (old.state, new.state);
    let is_new = |f: &Finding| f.kind == Weight::Structural && !before.findings.contains(f);
    if after.findings.iter().any(is_new) || before.content_blake3 == after.content_blake3 {
        return Ok(Effects::default());
    }
    effects::of(old.path, new.path, interrupt)
        .context("could not compare the states before and after")
}

/// The findings of a thorough examination: a migration is not to blame for damage that existed
/// before.
///
/// # Errors
///
/// At the user's interrupt, or if the file cannot be opened.
pub(crate) fn deep_findings(path: &Path, interrupt: &Interrupt) -> Result<Vec<Finding>> {
    Ok(examination::examine(path, Depth::Deep, interrupt)?.findings)
}

/// The state of the private copy, once the WAL that its last writer left is in the file.
fn finished(path: &Path, interrupt: &Interrupt) -> Result<State> {
    // Asked before the journal is settled.
    let is_wal = matches!(probe::look(path)?, Standing::Sqlite(header) if header.is_wal());
    let connection = read_only::open(path, Duration::from_secs(5))?;
    // Nobody needs the copy after a loss of power.
    connection.execute_batch("PRAGMA synchronous=OFF")?;
    let mode: String = connection::pragma(&connection, "journal_mode=DELETE").map_err(|error| {
        match trouble::trouble(&error) {
            Trouble::Busy => {
                error.context("something that the command started still has the copy open")
            }
            Trouble::Full => error.context(format!("the disk is full at `{}`", path.display())),
            _ => error,
        }
    })?;
    anyhow::ensure!(mode == "delete", "the copy's journal mode stayed `{mode}`");
    drop(connection);
    Ok(State { is_wal, ..State::read(path, interrupt)? })
}

/// Reads the live database; `None` if it no longer exists, or if SQLite cannot read it.
///
/// # Errors
///
/// If it stays locked, or at the user's interrupt.
pub(crate) fn live(
    project: &Project,
    database: &Database,
    interrupt: &Arc<Interrupt>,
) -> Result<Option<Live>> {
    if let Some(server) = database.server() {
        return on_server::rehearsal::live(project, server, interrupt).map(Some);
    }
    let Standing::Sqlite(_) = probe::look(database.file()?)? else {
        return Ok(None);
    };
    let read = || -> Result<Live> {
        let connection = read_only::open(database.file()?, project.busy_timeout)?;
        let content_blake3 = capture::content_hash(&connection, &project.backups, interrupt)?;
        connection.proved(Ok(Live {
            schema_blake3: examination::schema_hash(&connection)?,
            user_version: connection::pragma(&connection, "user_version")?,
            content_blake3,
        }))
    };
    match read() {
        Ok(live) => Ok(Some(live)),
        Err(error) if trouble::trouble(&error) == trouble::Trouble::Damaged => Ok(None),
        Err(error) => Err(live_database::explain(error, project, database)),
    }
}

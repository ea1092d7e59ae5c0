//! Taking a backup: one snapshot, examined, proved, published.
//!
//! The walk: look at the file, open it, begin a snapshot, copy it into a stage; then write back,
//! check and count together; make the record; publish. What is structurally damaged is never
//! published.

pub(crate) mod checkpoint;
pub(crate) mod plain;
pub(crate) mod stored;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset};
use rusqlite::Connection;

use crate::backups::backup::Backup;
use crate::backups::name::{Format, Name};
use crate::backups::record::{self, Enters, Kind, Record};
use crate::backups::writer::Locked;
use crate::capture::plain::Copy;
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::refusal::{Exit, Refusal};
use crate::files::holders;
use crate::files::publish::Stage;
use crate::host::project::{Database, FollowBranches, Project};
use crate::sqlite::connection::{self, Reading, Snapshot, Trouble};
use crate::sqlite::digest::database::Groups;
use crate::sqlite::examination::finding::Finding;
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::read_only::Looking;
use crate::sqlite::snapshot::copy;

/// What wrote a record.
pub(crate) const TOOL: &str = concat!("xtask-db ", env!("CARGO_PKG_VERSION"));

/// How thoroughly a backup is looked at before it is relied upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// That all pages are there, and at the packs that were not read for longest.
    AtIds,
    /// At every page, as the disk has it: something is destroyed next that only this backup has.
    AtPages,
}

impl Look {
    /// How a kind is looked at. What is taken of a branch that is left is relied upon only if the
    /// database is switched then.
    #[must_use]
    pub(crate) fn at(kind: Kind, follow: FollowBranches) -> Self {
        match kind {
            Kind::Safety | Kind::PreMigrate | Kind::PreDeploy => Self::AtPages,
            Kind::Branch if follow != FollowBranches::Never => Self::AtPages,
            Kind::Branch | Kind::Manual | Kind::PreCommit | Kind::Scheduled => Self::AtIds,
        }
    }
}

/// What backup is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    /// Of which database.
    pub database: &'a Database,
    /// Why.
    pub kind: Kind,
    /// How thoroughly it is looked at before it is published.
    pub look: Look,
    /// How its bytes are to be kept.
    pub format: Format,
    /// What the user calls it.
    pub label: Option<String>,
    /// Whether pruning must leave it.
    pub pinned: bool,
    /// Where the work tree stands.
    pub git: Option<record::Git>,
    /// The branch whose branch point it is.
    pub enters: Option<Enters>,
    /// The schema files whose change it is taken for.
    pub paths: Vec<String>,
    /// The backup that is about to take its place.
    pub replaced_by: Option<String>,
    /// The moment it is.
    pub now: DateTime<FixedOffset>,
    /// A whole backup that makes a new one of the same content unnecessary.
    pub unless_equal: Option<&'a Record>,
}

impl<'a> Wanted<'a> {
    /// A plain backup of a kind, and nothing else said about it.
    #[must_use]
    pub(crate) fn new(database: &'a Database, kind: Kind, now: DateTime<FixedOffset>) -> Self {
        Self {
            database,
            kind,
            look: Look::at(kind, FollowBranches::Never),
            format: Format::Plain,
            label: None,
            pinned: false,
            git: None,
            enters: None,
            paths: Vec::new(),
            replaced_by: None,
            now,
            unless_equal: None,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A backup, the version of its schema, the time it took, and the ids of its groups.
    Backup(Box<Backup>, Option<i64>, Duration, Groups),
    /// A record of its own and a hard link to an equal backup, whose name it is.
    Linked(Box<Backup>, String),
    /// Nothing: the content equals that of [`Wanted::unless_equal`].
    Unchanged,
    /// Nothing: the source is structurally damaged.
    Damaged(Vec<Finding>),
}

/// Opens a live database for a backup.
///
/// # Errors
///
/// A refusal where it is missing, empty, no file or no SQLite database (exit 2); never creates one.
pub(crate) fn open(project: &Project, database: &Database) -> Result<Looking> {
    let path = project.quoted_place(database);
    let standing = probe::look(&database.path).map_err(|error| cannot_read(error, &path))?;
    let what = match standing {
        Standing::Sqlite(_) => {
            return connection::open_live(&database.path, project.busy_timeout)
                .map_err(|error| explain(error, project, database));
        }
        Standing::Missing => {
            return Err(Refusal::could_not(
                format!("there is no database at {path}"),
                "put a backup back with `cargo xtask db-restore`, or create it with `cargo xtask \
                 db-setup`; if the path is wrong, correct it in `Cargo.toml`",
            ));
        }
        Standing::Other(engine) => {
            return Err(Refusal::could_not(format!("{path} is {}", engine.what), engine.hint));
        }
        Standing::NotAFile(kind) => format!("{path} is {kind}, not a database"),
        Standing::Empty => format!("{path} is an empty file (0 bytes), not a database"),
        Standing::Foreign { may_be_encrypted: true } => {
            format!("{path} is no SQLite database; it may be encrypted")
        }
        Standing::Foreign { .. } => format!("{path} is no SQLite database"),
    };
    Err(Refusal::could_not(
        what,
        "nothing was backed up; put a backup back with `cargo xtask db-restore`, or correct the path",
    ))
}

fn cannot_read(error: anyhow::Error, path: &str) -> anyhow::Error {
    error.context(Refusal {
        what: format!("could not read {path}"),
        hint: "check who owns it and its permissions, and those of its folder".to_owned(),
        exit: Exit::CouldNot,
    })
}

/// Adds to a failure of SQLite what it means for the live database and what to do.
#[must_use]
pub(crate) fn explain(
    error: anyhow::Error,
    project: &Project,
    database: &Database,
) -> anyhow::Error {
    let path = project.quoted_place(database);
    if error.downcast_ref::<Refusal>().is_some() {
        return error;
    }
    let (what, hint, exit) = match connection::trouble(&error) {
        Trouble::Busy => (
            format!(
                "{path} stayed locked for {}{}",
                crate::console::text::took(project.busy_timeout),
                holders::sentence(&database.path)
            ),
            "try again, wait longer with `--busy-timeout SECS`, or stop what has it open"
                .to_owned(),
            Exit::Locked,
        ),
        Trouble::Interrupted => return Refusal::interrupted(),
        Trouble::CannotOpen | Trouble::ReadOnly => (
            format!("could not open {path} for reading and writing"),
            "SQLite needs to write beside it (WAL, rollback journal): check the owner and the \
             permissions of the file and its folder"
                .to_owned(),
            Exit::CouldNot,
        ),
        Trouble::Full => (
            "the disk is full".to_owned(),
            "make room (`cargo xtask db-prune --dry-run` shows what can go)".to_owned(),
            Exit::CouldNot,
        ),
        Trouble::Damaged | Trouble::Other => return error,
    };
    error.context(Refusal { what, hint, exit })
}

/// Takes one backup of a live database. A damaged source is an answer, not an error.
///
/// # Errors
///
/// Where the source cannot be read or stays locked, the disk is full or fails, or at the user's
/// interrupt. Nothing is published then.
pub(crate) fn take(
    locked: &Locked<'_>,
    project: &Project,
    wanted: &Wanted<'_>,
    progress: &mut Progress,
) -> Result<Taken> {
    let connection = open(project, wanted.database)?;
    take_through(&connection, locked, project, wanted, progress)
}

/// As [`take`], through a connection of the caller's: where this process holds locks on the live
/// database, looking at it first would open and close a descriptor, and so drop them.
///
/// # Errors
///
/// As [`take`].
pub(crate) fn take_through(
    connection: &Looking,
    locked: &Locked<'_>,
    project: &Project,
    wanted: &Wanted<'_>,
    progress: &mut Progress,
) -> Result<Taken> {
    // In rollback-journal mode writers wait as long as anybody reads: a copy is examined there.
    let is_wal = || -> Result<bool> {
        Ok(connection::pragma::<String>(connection, "journal_mode")? == "wal")
    };
    if wanted.format == Format::Pages
        && connection::has_pages(connection)
        && (connection.is_without_locks() || is_wal().unwrap_or(false))
    {
        return stored::take(connection, locked, project, wanted, progress);
    }
    match plain::stage(connection, locked, project, wanted, progress)? {
        Copy::Staged(staged) => {
            progress.interrupt().check()?;
            let published = staged.publish(locked, wanted, progress);
            published.map_err(|error| explain(error, project, wanted.database))
        }
        // Into the store, what it is compared with is proved by that comparison; here it was none.
        Copy::Unchanged
            if wanted.format == Format::Pages && !stored::is_whole(locked, wanted, progress)? =>
        {
            let anew = Wanted { unless_equal: None, ..wanted.clone() };
            take_through(connection, locked, project, &anew, progress)
        }
        Copy::Unchanged => Ok(Taken::Unchanged),
        Copy::Damaged(findings) => Ok(Taken::Damaged(findings)),
    }
}

/// Takes a checkpoint of unchanged content: a record of its own and a hard link to the equal backup,
/// whose bytes the caller has proved.
///
/// # Errors
///
/// Where the file system has no hard links, or the disk is full or fails.
pub(crate) fn take_link(
    locked: &Locked<'_>,
    project: &Project,
    wanted: &Wanted<'_>,
    equal: (&Backup, &Record),
) -> Result<Backup> {
    let (backup, old) = equal;
    let record = Record { sequence: locked.next_sequence()?, ..record_again(project, wanted, old) };
    let safety = wanted.kind == Kind::Safety;
    let name = Name::new(&wanted.database.file_name(), safety, wanted.now.naive_local())
        .in_format(backup.name.format);
    locked.publish_link(backup, name, record)
}

/// The record of a backup with the content of another one, whose bytes the caller has proved.
#[must_use]
pub(crate) fn record_again(project: &Project, wanted: &Wanted<'_>, old: &Record) -> Record {
    Record {
        database: wanted.database.name.clone(),
        source: project.path(&wanted.database.path),
        kind: wanted.kind,
        label: wanted.label.clone(),
        pinned: wanted.pinned,
        created_at: wanted.now,
        verified: None,
        git: wanted.git.clone(),
        enters: wanted.enters.clone(),
        paths: wanted.paths.clone(),
        replaced_by: wanted.replaced_by.clone(),
        stored: old.stored.clone().map(|stored| record::Stored { new_bytes: 0, ..stored }),
        home: None,
        tool: TOOL.to_owned(),
        unknown: serde_json::Map::new(),
        ..old.clone()
    }
}

/// The hash of a live database's content in one snapshot, as a backup of it would record it; written
/// nowhere but, where the build lacks `sqlite_dbpage`, into a private stage.
///
/// # Errors
///
/// As [`take`].
pub(crate) fn content_hash(
    connection: &Connection,
    scratch: &Path,
    interrupt: &Arc<Interrupt>,
) -> Result<String> {
    let _watched = interrupt.watch(connection);
    let snapshot = Snapshot::begin(connection)?;
    let hashes = match snapshot.reading {
        Reading::Pages => copy::hash_pages(&snapshot, interrupt)?,
        Reading::BackupApi => {
            let stage =
                Stage::create(scratch, "content").context("could not make a scratch copy")?;
            copy::copy(&snapshot, &stage, &mut Progress::hidden(interrupt))?.hashes
        }
    };
    Ok(hashes.content_blake3)
}

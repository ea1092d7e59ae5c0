//! A glance at the live database, without a lock and without changing a byte.
//!
//! A connection would create the sidecars of a WAL database and remove them again. So if the main
//! file has everything, it is read as immutable and believed only if nothing moved meanwhile. If
//! the WAL contains pages, it is read beside its writers through a `-shm` that is not written. A
//! glance never waits, and reports what it could not see.

use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::Result;
use rusqlite::Connection;

use crate::backups::set_aside;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::files::holders;
use crate::files::sidecars::{self, JOURNAL, WAL};
use crate::host::project::{Database, Location, Project};
use crate::postgres::programs::Programs;
use crate::postgres::server::Server;
use crate::postgres::standing;
use crate::sqlite::probe::other_engines::Engine;
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::trouble::{self, Trouble, trouble};
use crate::sqlite::{connection, examination};

/// How often a state that changed during the reading is read again.
const MAX_READINGS: u32 = 3;
/// The first bytes of a rollback journal that has to be rolled back, or is being written
/// (<https://sqlite.org/fileformat2.html#the_rollback_journal>).
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// The live database as a glance sees it.
#[derive(Debug)]
pub(crate) struct Glance {
    /// State of the database.
    pub(crate) sight: Sight,
    /// Size of the file; 0 if there is none.
    pub(crate) size_bytes: u64,
    /// Size of the WAL beside it; 0 if there is none.
    pub(crate) wal_bytes: u64,
    /// Whether the journal is a WAL; `None` if it is not a database.
    pub(crate) wal: Option<bool>,
    /// Whether a WAL or journal is beside it, or where it should be.
    pub(crate) sidecars: bool,
}

/// State of a database at a glance.
#[derive(Debug)]
pub(crate) enum Sight {
    /// Nothing there.
    Missing,
    /// A file of 0 bytes.
    Empty,
    /// Not an SQLite database; a description of what it is.
    Foreign(String),
    /// A folder, which no command replaces.
    Folder,
    /// A database of another engine.
    Other(Engine),
    /// It may be an encrypted database.
    MayBeEncrypted,
    /// The system does not allow reading it, with its reason.
    Forbidden(String),
    /// A database whose schema SQLite cannot read, with its message.
    Damaged(String),
    /// A database whose schema could not be seen right now, and why.
    Busy(String),
    /// A PostgreSQL database that can be read, on a server of this version.
    Server(String),
    /// A PostgreSQL database that cannot be read now.
    Unreached {
        /// The reason.
        what: String,
        /// The way to mend it.
        hint: String,
    },
    /// A database that can be read.
    Schema {
        /// BLAKE3 of the schema's statements.
        schema_blake3: String,
        /// The version that the migration runner recorded, else `user_version`.
        version: Option<i64>,
    },
}

/// Glances at a database of either engine.
#[must_use]
pub(crate) fn of(project: &Project, database: &Database) -> Glance {
    match &database.location {
        Location::File(path) => at(path),
        Location::Server(server) => on(project, server),
    }
}

/// Glances at a database on a server, in two short sessions.
fn on(project: &Project, server: &Server) -> Glance {
    let interrupt = Interrupt::default();
    let looked = Programs::find(&project.search_path, &interrupt)
        .and_then(|programs| standing::found(server, &programs, &interrupt));
    let (sight, size_bytes) = match looked {
        Ok(facts) => (Sight::Server(facts.version), facts.size_bytes),
        Err(error) => {
            let hint = error.downcast_ref::<Refusal>().map(|refusal| refusal.hint.clone());
            (Sight::Unreached { what: error.to_string(), hint: hint.unwrap_or_default() }, 0)
        }
    };
    Glance { sight, size_bytes, wal_bytes: 0, wal: None, sidecars: false }
}

/// Glances at the database at a path.
#[must_use]
pub(crate) fn at(path: &Path) -> Glance {
    let size = |path: &Path| fs_err::metadata(path).map_or(0, |metadata| metadata.len());
    let is_file = path.is_file();
    let mut glance = Glance {
        sight: Sight::Missing,
        size_bytes: if is_file { size(path) } else { 0 },
        wal_bytes: size(&beside(path, WAL)),
        wal: None,
        sidecars: set_aside::raw_files(path).len() > usize::from(is_file),
    };
    glance.sight = match probe::look(path) {
        Err(error) => Sight::Forbidden(error.root_cause().to_string()),
        Ok(Standing::Missing) => Sight::Missing,
        Ok(Standing::Empty) => Sight::Empty,
        Ok(Standing::Other(engine)) => Sight::Other(engine),
        Ok(Standing::NotAFile(_)) if path.is_dir() => Sight::Folder,
        Ok(Standing::NotAFile(kind)) => Sight::Foreign(kind.to_owned()),
        Ok(Standing::Foreign { may_be_encrypted: true }) => Sight::MayBeEncrypted,
        Ok(Standing::Foreign { .. }) => Sight::Foreign("not an SQLite database".to_owned()),
        Ok(Standing::Sqlite(header)) => {
            let wal = header.is_wal();
            glance.wal = Some(wal);
            schema(path, wal)
        }
    };
    glance
}

fn schema(path: &Path, wal: bool) -> Sight {
    for _ in 0..MAX_READINGS {
        let before = Evidence::of(path);
        if before.journal {
            let holders = holders::of(path).map(|holders| holders.seen).unwrap_or_default();
            return Sight::Busy(match holders::sentence_of(&holders) {
                _ if holders.is_empty() => {
                    "a transaction was interrupted; it is rolled back when the database is opened \
                     next"
                        .to_owned()
                }
                who => format!("a transaction is under way{who}"),
            });
        }
        let in_wal = wal && before.wal_bytes > 0;
        let read = if in_wal {
            connection::open_beside_wal(path).and_then(|connection| read(&connection))
        } else {
            connection::open_immutable(path).and_then(|connection| read(&connection))
        };
        // Beside a WAL, SQLite makes sure of that; nobody does for an immutable file.
        if in_wal || before == Evidence::of(path) {
            return read.unwrap_or_else(|error| cannot(path, &error));
        }
    }
    Sight::Busy("it is being written right now".to_owned())
}

fn read(connection: &Connection) -> Result<Sight> {
    connection.execute_batch("BEGIN")?;
    Ok(Sight::Schema {
        schema_blake3: examination::schema_hash(connection)?,
        version: examination::schema_version(connection),
    })
}

fn cannot(path: &Path, error: &anyhow::Error) -> Sight {
    match trouble(error) {
        Trouble::Damaged => Sight::Damaged(trouble::message(error)),
        Trouble::Busy => Sight::Busy(format!("it is locked{}", holders::sentence(path))),
        Trouble::CannotOpen | Trouble::ReadOnly => {
            Sight::Busy("its WAL has to be recovered when it is opened next".to_owned())
        }
        _ => Sight::Busy(trouble::message(error)),
    }
}

/// The properties of the files that any commit, or a part of one, would change.
#[derive(Debug, PartialEq, Eq)]
struct Evidence {
    size_bytes: u64,
    modified: (i64, i64),
    wal_bytes: u64,
    /// Whether a rollback journal is at work.
    journal: bool,
}

impl Evidence {
    fn of(path: &Path) -> Self {
        let metadata = fs_err::metadata(path).ok();
        let mut magic = [0; 8];
        let journal = fs_err::File::open(beside(path, JOURNAL));
        let read = journal.is_ok_and(|file| file.file().read_exact_at(&mut magic, 0).is_ok());
        Self {
            size_bytes: metadata.as_ref().map_or(0, std::fs::Metadata::len),
            modified: metadata.map_or((0, 0), |metadata| (metadata.mtime(), metadata.mtime_nsec())),
            wal_bytes: fs_err::metadata(beside(path, WAL)).map_or(0, |metadata| metadata.len()),
            journal: read && magic == JOURNAL_MAGIC,
        }
    }
}

/// A sidecar is beside the file that a symbolic link leads to.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    sidecars::beside(&path, suffix)
}

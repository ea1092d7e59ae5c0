//! Takes a backup: one snapshot, examined, proved, published.
//!
//! The steps: look at the file, open it, begin a snapshot, copy it into a stage; sync, check and
//! count in parallel; write the record; publish. A structurally damaged database is never
//! published.

pub(crate) mod checkpoint;
pub(crate) mod dump;
pub(crate) mod link;
pub(crate) mod plain;
mod record;
pub(crate) mod request;
pub(crate) mod stored;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::backups::format::Format;
use crate::capture::plain::Copy;
use crate::capture::request::{Capture, Taken, Wanted};
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::files::stage::Stage;
use crate::host::project::Database;
use crate::host::project::live_database::{explain, open};
use crate::sqlite::connection;
use crate::sqlite::read_only::Looking;
use crate::sqlite::snapshot::{self, Reading, Snapshot, copy};

/// Takes one backup of a live database. A damaged source is an answer, not an error.
///
/// # Errors
///
/// If the source cannot be read or stays locked, the disk is full or fails, or at the user's
/// interrupt. Nothing is published then.
pub(crate) fn take(capture: Capture<'_>, progress: &mut Progress) -> Result<Taken> {
    if capture.wanted.database.server().is_some() {
        return take_of(capture.wanted.database, capture, progress);
    }
    let connection = open(capture.project, capture.wanted.database)?;
    take_through(&connection, capture, progress)
}

/// Like [`take`], of a PostgreSQL database that has another name on its server for the moment.
///
/// # Errors
///
/// Like [`take`].
pub(crate) fn take_of(
    database: &Database,
    capture: Capture<'_>,
    progress: &mut Progress,
) -> Result<Taken> {
    let server = database.server().context("it is not on a server")?;
    dump::take(server, capture, progress)
}

/// Like [`take`], through a connection of the caller's: if this process holds locks on the live
/// database, looking at it first would open and close a descriptor and so drop them.
///
/// # Errors
///
/// As [`take`].
pub(crate) fn take_through(
    connection: &Looking,
    capture: Capture<'_>,
    progress: &mut Progress,
) -> Result<Taken> {
    let Capture { project, wanted, .. } = capture;
    // In rollback-journal mode, writers wait for every reader: there, a copy is examined.
    let is_wal = || -> Result<bool> {
        Ok(connection::pragma::<String>(connection, "journal_mode")? == "wal")
    };
    if wanted.format == Format::Pages
        && snapshot::has_pages(connection)
        && (connection.is_without_locks() || is_wal().unwrap_or(false))
    {
        return stored::take(connection, capture, progress);
    }
    match plain::stage(connection, capture, progress)? {
        Copy::Staged(staged) => {
            progress.interrupt().check()?;
            let published = staged.publish(capture, progress);
            published.map_err(|error| explain(error, project, wanted.database))
        }
        // Into the store, what it is compared with is proved by that comparison; here it was none.
        Copy::Unchanged
            if wanted.format == Format::Pages && !stored::is_whole(capture, progress)? =>
        {
            let anew = Wanted { unless_equal: None, ..wanted.clone() };
            take_through(connection, Capture { wanted: &anew, ..capture }, progress)
        }
        Copy::Unchanged => Ok(Taken::Unchanged),
        Copy::Damaged(findings) => Ok(Taken::Damaged(findings)),
    }
}

/// The hash of a live database's content in one snapshot, as a backup of it would record it; written
/// nowhere but, if the build lacks `sqlite_dbpage`, into a private stage.
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
    snapshot_hash(&Snapshot::begin(connection)?, scratch, interrupt)
}

/// The same of a snapshot that has begun.
///
/// # Errors
///
/// As [`take`].
pub(crate) fn snapshot_hash(
    snapshot: &Snapshot<'_>,
    scratch: &Path,
    interrupt: &Arc<Interrupt>,
) -> Result<String> {
    let hashes = match snapshot.reading {
        Reading::Pages => copy::hash_pages(snapshot, interrupt)?,
        Reading::BackupApi => {
            let stage =
                Stage::create(scratch, "content").context("could not create a scratch copy")?;
            copy::copy(snapshot, &stage, &mut Progress::hidden(interrupt))?.hashes
        }
    };
    Ok(hashes.content_blake3)
}

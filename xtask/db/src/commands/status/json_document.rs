//! The output of `db-status --json` for each database and for the backups folder.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::Serialize;

use crate::backups::backup_document::BackupDocument;
use crate::commands::status::report;
use crate::health::backups_folder::Folder;
use crate::health::checkup::Checkup;
use crate::health::glance::Sight;
use crate::health::page_store::{self, Store};
use crate::host::project::Project;

/// One database.
#[derive(Serialize)]
pub(super) struct OfDatabase<'a> {
    name: &'a str,
    path: Cow<'a, str>,
    /// Source of its configuration.
    origin: Option<&'a str>,
    /// State of the database, as a word.
    sight: &'static str,
    /// Why, if there is a reason.
    detail: Option<&'a str>,
    size_bytes: u64,
    wal_bytes: u64,
    journal_mode: Option<&'static str>,
    schema_blake3: Option<&'a str>,
    schema_version: Option<i64>,
    schema_drifted: Option<bool>,
    newest_migration: Option<i64>,
    pending_migrations: Option<usize>,
    last_backup: Option<BackupDocument>,
    backups: Backups,
}

/// How many backups of a database there are, and in which states.
#[derive(Serialize)]
struct Backups {
    all: usize,
    verified: usize,
    unread: usize,
    unverified: usize,
    unrecorded: usize,
    damaged: usize,
    safety: usize,
}

impl<'a> OfDatabase<'a> {
    /// Describes a database as it was found.
    pub(super) fn of(checkup: &'a Checkup<'a>) -> Self {
        let live = &checkup.live;
        let (sight, detail) = match &live.sight {
            Sight::Missing => ("missing", None),
            Sight::Empty => ("empty", None),
            Sight::Foreign(what) => ("foreign", Some(what)),
            Sight::Folder => ("foreign", None),
            Sight::Other(_) => ("other-engine", None),
            Sight::MayBeEncrypted => ("may-be-encrypted", None),
            Sight::Forbidden(why) => ("forbidden", Some(why)),
            Sight::Damaged(why) => ("damaged", Some(why)),
            Sight::Busy(why) => ("busy", Some(why)),
            Sight::Unreached { what, .. } => ("unreachable", Some(what)),
            Sight::Schema { .. } | Sight::Server(_) => ("readable", None),
        };
        let schema_blake3 = match &live.sight {
            Sight::Schema { schema_blake3, .. } => Some(&**schema_blake3),
            _ => None,
        };
        let now = checkup.now;
        Self {
            name: &checkup.database.name,
            path: checkup.database.home().to_string_lossy(),
            origin: checkup.database.origin.as_deref(),
            sight,
            detail: detail.map(String::as_str),
            size_bytes: live.size_bytes,
            wal_bytes: live.wal_bytes,
            journal_mode: live.wal.map(|wal| if wal { "wal" } else { "delete" }),
            schema_blake3,
            schema_version: checkup.version(),
            schema_drifted: checkup.has_drifted(),
            newest_migration: checkup.newest_migration(),
            pending_migrations: checkup.n_pending(),
            last_backup: checkup.last().map(|backup| BackupDocument::of(backup, now)),
            backups: Backups {
                all: checkup.backups.len(),
                verified: checkup.n_in("verified"),
                unread: checkup.n_in("unread"),
                unverified: checkup.n_in("unverified"),
                unrecorded: checkup.n_in("unrecorded"),
                damaged: checkup.n_in("damaged"),
                safety: report::n_safety(checkup),
            },
        }
    }
}

/// The backups folder.
#[derive(Serialize)]
pub(super) struct OfFolder<'a> {
    path: Cow<'a, str>,
    exists: bool,
    backups: usize,
    used_bytes: u64,
    store: Option<page_store::Document>,
    free_bytes: Option<u64>,
    /// The policy in words.
    retention: Option<String>,
    locked_by: Option<Process<'a>>,
    stages: Vec<Cow<'a, str>>,
    lone_records: Vec<Cow<'a, str>>,
    set_aside: Vec<Aside<'a>>,
    /// The files in it that git tracks.
    tracked: &'a [String],
}

/// The process that holds its lock.
#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    name: &'a str,
}

/// Raw files that were set aside.
#[derive(Serialize)]
struct Aside<'a> {
    path: Cow<'a, str>,
    size_bytes: u64,
}

impl<'a> OfFolder<'a> {
    /// Describes the folder as it was found.
    pub(super) fn of(project: &'a Project, folder: &'a Folder) -> Self {
        let aside = folder.set_aside.iter();
        let aside =
            aside.map(|(path, bytes)| Aside { path: path.to_string_lossy(), size_bytes: *bytes });
        let holder = folder.holder.as_ref();
        Self {
            path: project.backups.to_string_lossy(),
            exists: folder.exists,
            backups: folder.n_backups,
            used_bytes: folder.used_bytes,
            store: folder.store.as_ref().map(Store::document),
            free_bytes: folder.free_bytes,
            retention: (!project.keep.is_empty()).then(|| project.keep.words()),
            locked_by: holder.map(|holder| Process { pid: holder.pid, name: &holder.name }),
            stages: texts(&folder.leftovers.stages),
            lone_records: texts(&folder.leftovers.lone_records),
            set_aside: aside.collect(),
            tracked: &folder.tracked,
        }
    }
}

/// Paths as a document, which is UTF-8, shows them.
fn texts(paths: &[PathBuf]) -> Vec<Cow<'_, str>> {
    paths.iter().map(|path| path.to_string_lossy()).collect()
}

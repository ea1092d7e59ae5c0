//! What somebody who decides about a restore wants to know, in `--dry-run --json`: both sides, and what has to be
//! handed on so that only this plan is carried out.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::verification::outcome::Verification;
use crate::capture;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::operations::restore::expected_live::Expected;
use crate::restore::plan::Live;
use crate::sqlite::snapshot::Snapshot;
use crate::sqlite::{examination, read_only};

/// The receipt of a plan.
#[derive(Serialize)]
pub(super) struct Receipt {
    database: String,
    /// The content of the backup.
    content_blake3: String,
    /// The content of the live database; null if there is none, or it cannot be read, or is on a server.
    live_blake3: Option<String>,
    /// The value of `--if-live` with which only this plan is carried out; null if there is none.
    if_live: Option<String>,
    /// How the present state is kept: `safety` backup, its raw files `aside`, or null if there is nothing to keep.
    keeps: Option<&'static str>,
    protected: bool,
    /// The name that has to be typed: without a terminal, the value of `--db`.
    typed_name: Option<String>,
    backup: Side,
    /// Null as `live_blake3`.
    live: Option<Side>,
    /// Commands of the host that run afterwards.
    after_restore: Vec<Vec<String>>,
}

/// The size and the rows of one side.
#[derive(Serialize)]
struct Side {
    size_bytes: u64,
    /// Rows per table; null for one that cannot be counted.
    tables: BTreeMap<String, Option<u64>>,
}

/// The plan that a receipt is about.
pub(super) struct Planned<'a> {
    pub(super) project: &'a Project,
    pub(super) database: &'a Database,
    pub(super) backup: &'a Backup,
    pub(super) verification: &'a Verification,
}

impl Planned<'_> {
    /// The receipt of a restore that finds the live database like this.
    ///
    /// # Errors
    ///
    /// If a live database that could be read can no longer be, or at the user's interrupt.
    pub(super) fn receipt(&self, session: &Session, live: &Live) -> Result<Receipt> {
        if matches!(live, Live::Readable(_)) {
            return self.of_readable(session);
        }
        let if_live = Expected::instead_of_a_database(live);
        let if_live = if_live.map(|expected| expected.word().to_owned());
        let keeps = match live {
            Live::Absent { sidecars: false } => None,
            _ => Some("aside"),
        };
        Ok(Receipt { if_live, keeps, ..self.of_unknown() })
    }

    /// The receipt of a restore into a live database that SQLite reads.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or at the user's interrupt.
    pub(super) fn of_readable(&self, session: &Session) -> Result<Receipt> {
        let (content_blake3, live) = self.present(session)?;
        let if_live = Some(content_blake3.clone());
        let live_blake3 = Some(content_blake3);
        Ok(Receipt { live_blake3, if_live, live: Some(live), ..self.of_unknown() })
    }

    /// The receipt of a restore to a server, whose state has no name, or as long as nothing is known of it.
    #[must_use]
    pub(super) fn of_unknown(&self) -> Receipt {
        let Self { database, backup, verification, .. } = *self;
        let tables = verification.examination.tables.clone();
        Receipt {
            database: database.name.clone(),
            content_blake3: verification.content_blake3.clone(),
            live_blake3: None,
            if_live: None,
            keeps: Some("safety"),
            protected: database.protected,
            typed_name: database.protected.then(|| database.name.clone()),
            backup: Side { size_bytes: backup.size_bytes, tables },
            live: None,
            after_restore: database.after_restore.clone(),
        }
    }

    /// The content of the live database, its size and its rows, all in one snapshot.
    fn present(&self, session: &Session) -> Result<(String, Side)> {
        let Self { project, database, .. } = *self;
        let progress = session.progress("Reading the current state");
        let interrupt = progress.interrupt();
        let connection = read_only::open(database.file()?, project.busy_timeout)?;
        let _watched = interrupt.watch(&connection);
        let snapshot = Snapshot::begin(&connection)?;
        let content_blake3 = capture::snapshot_hash(&snapshot, &project.backups, interrupt)?;
        let tables = examination::count(snapshot.connection())?.tables;
        connection.prove()?;
        Ok((content_blake3, Side { size_bytes: snapshot.size_bytes(), tables }))
    }
}

//! A new database, built apart from the live one, from the host's migrations or from a file.
//!
//! It begins as an empty file in a private folder beside the backups. The result is taken and
//! verified there like any backup, so that it can be written into the live file like one. The live
//! database is not touched here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset};
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::backups::verification;
use crate::backups::verification::outcome::{Outcome, Verification};
use crate::capture;
use crate::capture::request::{Capture, Taken, Wanted};
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::refusal::{Exit, Refusal};
use crate::files::stage::Scratch;
use crate::host::command::{self, Task, missing_program};
use crate::host::project::{Database, Location, Project};
use crate::sqlite::examination::finding::Depth;
use crate::sqlite::probe::{self, Standing};

/// A new database, as a backup in a folder of its own, which is removed with it.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// The database.
    pub(crate) backup: Backup,
    /// Result of its verification, which found it intact.
    pub(crate) verification: Verification,
    _scratch: Scratch,
}

/// A new database that is being built.
pub(crate) struct Building<'p> {
    project: &'p Project,
    /// The database, an empty file at first.
    new: Database,
    /// Its file.
    file: PathBuf,
    scratch: Scratch,
}

const UNTOUCHED: &str = "the database is untouched";

impl<'p> Building<'p> {
    /// Begins with an empty file. The backups folder is not locked while the database is built,
    /// because that may take minutes, and may take backups.
    ///
    /// # Errors
    ///
    /// As [`Vault::lock`]; if the folder cannot be written.
    pub(crate) fn begin(
        project: &'p Project,
        database: &Database,
        now: DateTime<FixedOffset>,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let scratch = scratch(project, database, now, interrupt)?;
        let path = scratch.path().join(database.file_name());
        fs_err::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self {
            project,
            new: Database { location: Location::File(path.clone()), ..database.clone() },
            file: path,
            scratch,
        })
    }

    /// The file to build in.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.file
    }

    /// Takes the database that `maker` created, and verifies it as deeply as this was not already
    /// done.
    ///
    /// # Errors
    ///
    /// A refusal (exit 1) if it is damaged; at the user's interrupt.
    pub(crate) fn finish(
        self,
        maker: &str,
        depth: Depth,
        now: DateTime<FixedOffset>,
        interrupt: &Arc<Interrupt>,
    ) -> Result<Fresh> {
        let backup = self.taken(maker, now, interrupt)?;
        let verification = verification::verify(&backup, depth, interrupt)?;
        if verification.outcome != Outcome::Whole {
            return Err(unsound(maker, &verification.reasons.join("; ")));
        }
        Ok(Fresh { backup, verification, _scratch: self.scratch })
    }

    /// The result, as a backup in the scratch folder: one file, whatever its journal mode.
    fn taken(
        &self,
        maker: &str,
        now: DateTime<FixedOffset>,
        interrupt: &Arc<Interrupt>,
    ) -> Result<Backup> {
        let Self { project, new, .. } = self;
        let folder = self.file.parent().context("a database is in a folder")?;
        let vault = Vault::at(folder, now);
        let locked = vault.lock(project.busy_timeout, interrupt)?;
        let wanted = Wanted::new(new, Kind::Manual, now);
        let capture = Capture { locked: &locked, project, wanted: &wanted };
        let taken = capture::take(capture, &mut Progress::hidden(interrupt))
            .context("could not read the new database; the live one is untouched")?;
        match taken {
            Taken::Backup(backup, ..) => Ok(*backup),
            Taken::Damaged(findings) => Err(Refusal::no(
                format!("`{maker}` created a damaged database: {}", findings[0]),
                UNTOUCHED,
            )),
            Taken::Linked(..) | Taken::Unchanged => {
                anyhow::bail!("a new backup is taken unconditionally")
            }
        }
    }
}

impl Fresh {
    /// Returns the database if it has tables: a database with data is not replaced by one without
    /// any.
    ///
    /// # Errors
    ///
    /// A refusal (exit 1) if it has none.
    pub(crate) fn with_tables(self, maker: &str) -> Result<Self> {
        if self.verification.examination.tables.is_empty() {
            return Err(unsound(maker, "it has no tables"));
        }
        Ok(self)
    }
}

fn unsound(maker: &str, reasons: &str) -> anyhow::Error {
    Refusal::no(format!("`{maker}` did not create a sound database: {reasons}"), UNTOUCHED)
}

/// The command ended well and left the file that it was pointed to as empty as it was.
#[derive(Debug)]
pub(crate) struct NothingWritten;

impl std::fmt::Display for NothingWritten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the file is still empty")
    }
}

impl std::error::Error for NothingWritten {}

/// Runs the host's migrations on an empty file and verifies the result.
///
/// # Errors
///
/// A refusal (exit 1) if the migrations fail, leave the file empty, or create a damaged database;
/// as [`Vault::lock`]; at the user's interrupt.
pub(crate) fn build(
    project: &Project,
    database: &Database,
    now: DateTime<FixedOffset>,
    interrupt: &Arc<Interrupt>,
) -> Result<Fresh> {
    let building = Building::begin(project, database, now, interrupt)?;
    let new = &building.new;
    let command = new.migrate.join(" ");
    let (location, timeout) = (&new.location, new.migrate_timeout);
    let task = Task { project, database: new, location, command: &new.migrate, timeout };
    command::run(&task, interrupt).map_err(|error| {
        let way_on = missing_program::way_on(&error, new, &new.migrate);
        error.context(Refusal {
            what: format!("could not build a new database with `{command}`"),
            hint: way_on.map_or_else(String::new, |way_on| way_on + "; ") + UNTOUCHED,
            exit: Exit::No,
        })
    })?;
    refuse_empty(new, &command)?;
    building.finish(&command, Depth::Deep, now, interrupt)
}

fn scratch(
    project: &Project,
    database: &Database,
    now: DateTime<FixedOffset>,
    interrupt: &Interrupt,
) -> Result<Scratch> {
    let vault = Vault::of(project, now);
    let locked = vault.lock(project.busy_timeout, interrupt)?;
    locked.keep_private()?;
    locked.scratch(&database.file_name())
}

fn refuse_empty(new: &Database, command: &str) -> Result<()> {
    if !matches!(probe::look(new.file()?)?, Standing::Missing | Standing::Empty) {
        return Ok(());
    }
    let hint = format!(
        "it got the path in `{}`: check `migrate-env`; if it used the live database instead, it \
         has migrated that",
        new.migrate_env
    );
    let what =
        format!("`{command}` succeeded but wrote nothing into the new file that it was given");
    Err(anyhow::Error::from(NothingWritten).context(Refusal { what, hint, exit: Exit::No }))
}

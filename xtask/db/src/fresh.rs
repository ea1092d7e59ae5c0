//! A new database from the host's migrations, built apart from the live one.
//!
//! The migrations run on an empty file in a private folder beside the backups; what they made is
//! then taken and verified there like any backup, so that it can be put into the live file like one.
//! The live database is not looked at here.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset};
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::backup::Backup;
use crate::durable::Scratch;
use crate::finding::Depth;
use crate::hostcommand;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::project::{Database, Project};
use crate::record::Kind;
use crate::refusal::{Exit, Refusal};
use crate::standing::{self, Standing};
use crate::taking::{self, Taken, Wanted};
use crate::vault::Vault;
use crate::verification::{self, Outcome, Verification};

/// A new database, as a backup in a folder of its own that goes with it.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// The database.
    pub(crate) backup: Backup,
    /// What its verification found; it is whole.
    pub(crate) verification: Verification,
    _scratch: Scratch,
}

const UNTOUCHED: &str = "the database is untouched";

/// Runs the host's migrations on an empty file and verifies what they made. The backups folder is
/// not locked meanwhile: they may take minutes, and backups of their own.
///
/// # Errors
///
/// A refusal (exit 1) where the migrations fail, leave the file empty, or make what is damaged; as
/// [`Vault::lock`]; at the user's interrupt.
pub(crate) fn build(
    project: &Project,
    database: &Database,
    now: DateTime<FixedOffset>,
    interrupt: &Arc<Interrupt>,
) -> Result<Fresh> {
    let scratch = scratch(project, database, now, interrupt)?;
    let path = scratch.path().join(database.file_name());
    fs_err::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let new = Database { path, ..database.clone() };
    let command = new.migrate.join(" ");
    hostcommand::run(project, &new, &new.migrate, new.migrate_timeout, interrupt).map_err(
        |error| {
            error.context(Refusal {
                what: format!("could not build a new database with `{command}`"),
                hint: UNTOUCHED.to_owned(),
                exit: Exit::No,
            })
        },
    )?;
    refuse_empty(&new, &command)?;
    let backup = taken(project, &new, scratch.path(), now, interrupt)?;
    let verification = verification::verify(&backup, Depth::Deep, interrupt)?;
    let n_tables = verification.examination.tables.len();
    if verification.outcome != Outcome::Whole || n_tables == 0 {
        let reasons = match n_tables {
            0 => "it has no tables".to_owned(),
            _ => verification.reasons.join("; "),
        };
        return Err(Refusal::no(
            format!("`{command}` made no sound database: {reasons}"),
            UNTOUCHED,
        ));
    }
    Ok(Fresh { backup, verification, _scratch: scratch })
}

fn scratch(
    project: &Project,
    database: &Database,
    now: DateTime<FixedOffset>,
    interrupt: &Interrupt,
) -> Result<Scratch> {
    let vault = Vault::at(&project.backups, now);
    let locked = vault.lock(project.busy_timeout, interrupt)?;
    locked.keep_private()?;
    locked.scratch(&database.file_name())
}

fn refuse_empty(new: &Database, command: &str) -> Result<()> {
    if !matches!(standing::look(&new.path)?, Standing::Missing | Standing::Empty) {
        return Ok(());
    }
    Err(Refusal::no(
        format!("`{command}` ended well but wrote nothing into the new file it was given"),
        format!(
            "it was told the path in `{}`: check `migrate-env`; if it went to the live database \
             instead, it has migrated that",
            new.migrate_env
        ),
    ))
}

/// What the migrations made, as a backup in the scratch folder: one file, whatever its journal mode.
fn taken(
    project: &Project,
    new: &Database,
    scratch: &Path,
    now: DateTime<FixedOffset>,
    interrupt: &Arc<Interrupt>,
) -> Result<Backup> {
    let vault = Vault::at(scratch, now);
    let locked = vault.lock(project.busy_timeout, interrupt)?;
    let wanted = Wanted::new(new, Kind::Manual, now);
    let taken = taking::take(&locked, project, &wanted, &mut Progress::hidden(interrupt))
        .context("could not read the new database; the live one is untouched")?;
    match taken {
        Taken::Backup(backup, ..) => Ok(*backup),
        Taken::Damaged(findings) => Err(Refusal::no(
            format!("the migrations made a damaged database: {}", findings[0]),
            UNTOUCHED,
        )),
        Taken::Linked(..) | Taken::Unchanged => {
            anyhow::bail!("a new backup is taken unconditionally")
        }
    }
}

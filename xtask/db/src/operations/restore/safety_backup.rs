//! The safety backup of what a command is about to replace.
//!
//! If the command is refused, its safety backup is removed again: nothing was replaced, and it
//! could push out an older one that still matters.

use anyhow::{Context, Result};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::set_aside::Aside;
use crate::backups::writer::Locked;
use crate::capture;
use crate::capture::request::{Capture, Taken, Wanted};
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::git::repository;
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::sqlite::digest::database::Groups;
use crate::sqlite::read_only;
use crate::sqlite::trouble::{self, Trouble};

/// Removes a safety backup if this error means that the database is as it was: a refusal, a lock that was not
/// had, an interrupt. After a failure of the disk it stays, and is returned, because nobody knows.
#[must_use]
pub(crate) fn after(
    error: &anyhow::Error,
    locked: &Locked<'_>,
    safety: Option<Box<Backup>>,
) -> Option<Box<Backup>> {
    let safety = safety?;
    if leaves_all_as_it_was(error) { unneeded(locked, safety) } else { Some(safety) }
}

/// The same of whatever was kept: raw files that were set aside stay.
#[must_use]
pub(crate) fn kept_after(error: &anyhow::Error, locked: &Locked<'_>, kept: Kept) -> Kept {
    match kept {
        Kept::Backup(safety) => {
            after(error, locked, Some(safety)).map_or(Kept::Nothing, Kept::Backup)
        }
        Kept::Aside(_) | Kept::Nothing => kept,
    }
}

/// Removes a safety backup of a database that was not changed; returns it if it cannot be removed.
#[must_use]
pub(crate) fn unneeded(locked: &Locked<'_>, safety: Box<Backup>) -> Option<Box<Backup>> {
    match locked.remove(&safety) {
        Ok(None) => None,
        Ok(Some(_)) | Err(_) => Some(safety),
    }
}

/// Reports where a safety backup is.
pub(crate) fn say(session: &mut Session, project: &Project, safety: Option<&Backup>) {
    if let Some(safety) = safety {
        let path = project.dotted(&safety.path());
        session.say(format!("[✓] Safety backup created → {path}"));
    }
}

/// Whether an error means that nothing was written: a refusal, a lock that stayed taken, an interrupt.
#[must_use]
pub(crate) fn leaves_all_as_it_was(error: &anyhow::Error) -> bool {
    let exit = error.downcast_ref::<Refusal>().map(|refusal| refusal.exit);
    matches!(exit, Some(Exit::No | Exit::Locked | Exit::Interrupted))
        || matches!(trouble::trouble(error), Trouble::Busy | Trouble::Interrupted)
}

/// How the replaced state was kept.
pub(crate) enum Kept {
    Backup(Box<Backup>),
    Aside(Aside),
    Nothing,
}

impl Kept {
    /// The name of the safety backup, as `--json` has it.
    #[must_use]
    pub(crate) fn safety(&self) -> Option<String> {
        match self {
            Self::Backup(safety) => Some(safety.name.to_string()),
            Self::Aside(_) | Self::Nothing => None,
        }
    }

    /// The folder of the raw files, as `--json` has it.
    #[must_use]
    pub(crate) fn set_aside(&self) -> Option<String> {
        match self {
            Self::Aside(aside) => Some(aside.folder.to_string_lossy().into_owned()),
            Self::Backup(_) | Self::Nothing => None,
        }
    }
}

/// The command that brings the replaced state back, as it can be pasted into a shell.
pub(crate) fn undo(
    session: &Session,
    project: &Project,
    database: &Database,
    safety: &Backup,
) -> String {
    let name = text::shell(&safety.name.to_string());
    let configured = project.databases.iter().any(|other| other.location == database.location);
    let into = if configured {
        String::new()
    } else {
        // `--into` is relative to the folder the command is called in.
        let path = database.home();
        let path = path.strip_prefix(session.folder()).unwrap_or(path);
        let path = path.to_string_lossy();
        // A path that begins with a dash would be read as a flag.
        let here = if path.starts_with('-') { "./" } else { "" };
        format!(" --into {} --force", text::shell(&format!("{here}{path}")))
    };
    let end_of_flags = if name.starts_with('-') { " --" } else { "" };
    format!("cargo xtask db-restore{into}{end_of_flags} {name}")
}

pub(crate) fn say_kept(session: &mut Session, project: &Project, kept: &Kept) {
    session.say(match kept {
        Kept::Backup(backup) => {
            format!("[✓] Safety backup created → {}", project.dotted(&backup.path()))
        }
        Kept::Aside(aside) => {
            format!("[✓] Raw files set aside → {}", project.dotted(&aside.folder))
        }
        Kept::Nothing => "[✓] There was no database to keep".to_owned(),
    });
}

/// The safety backup to take of a database; the caller may add what replaces it.
pub(crate) fn wanted<'a>(
    session: &Session,
    project: &Project,
    database: &'a Database,
) -> Wanted<'a> {
    Wanted {
        git: project.git.as_ref().and_then(repository::Place::state),
        format: project.format(Kind::Safety),
        ..Wanted::new(database, Kind::Safety, session.now())
    }
}

/// Takes a safety backup, and returns the ids of its groups as well; `None` if the current database
/// is damaged.
pub(crate) fn safety_backup(
    session: &mut Session,
    project: &Project,
    locked: &Locked<'_>,
    wanted: &Wanted<'_>,
) -> Result<Option<(Box<Backup>, Groups)>> {
    let database = wanted.database;
    let mut progress = session.progress("Keeping the current state");
    let taken = if database.server().is_some() {
        capture::take(Capture { locked, project, wanted }, &mut progress)
    } else {
        read_only::open(database.file()?, project.busy_timeout)
            .map_err(|error| live_database::explain(error, project, database))
            .and_then(|connection| {
                let capture = Capture { locked, project, wanted };
                capture::take_through(&connection, capture, &mut progress)
            })
    };
    drop(progress);
    match taken.context("could not take the safety backup; the database is untouched")? {
        Taken::Backup(backup, .., ids) => Ok(Some((backup, ids))),
        Taken::Damaged(findings) => {
            for finding in findings {
                session.note(format!("The present database is damaged: {finding}"));
            }
            Ok(None)
        }
        Taken::Linked(backup, _) => Ok(Some((backup, Groups::default()))),
        Taken::Unchanged => {
            anyhow::bail!("a safety backup is taken unconditionally")
        }
    }
}

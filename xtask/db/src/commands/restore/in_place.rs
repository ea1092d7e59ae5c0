//! The restore into the live database: safety backup, write, proof, derived data.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use crate::aside;
use crate::backup::Backup;
use crate::database;
use crate::git;
use crate::hostcommand;
use crate::locked::Locked;
use crate::progress::Progress;
use crate::project::{Database, Project};
use crate::record::Kind;
use crate::refusal::{Answer, Exit, Refusal};
use crate::restoring::{Live, Plan};
use crate::session::Session;
use crate::taking::{self, Taken, Wanted};
use crate::text;
use crate::verification::Verification;
use crate::writeback::{self, LiveIsDamaged, Proved, Source};

/// What was kept of the replaced state.
pub(super) enum Kept {
    Backup(Box<Backup>),
    Aside(PathBuf),
    Nothing,
}

/// Safety backup, write, proof, derived data.
pub(super) fn restore(
    session: &mut Session,
    project: &Project,
    database: &Database,
    locked: &Locked<'_>,
    plan: &Plan,
    verification: &Verification,
) -> Result<Answer> {
    let place = project.dotted(&database.path);
    let interrupt = session.interrupt().clone();
    let _held = plan.backup.hold()?;
    let source = Source::prepare(plan, locked, &verification.content_blake3, &interrupt)?;
    let mut kept = Kept::Nothing;
    let mut put = put_back(session, project, plan, &source, |session| {
        let newer = keep(session, project, database, locked, &plan.live)?;
        // A writer slipped in: the newer safety backup takes the place of this run's earlier one.
        if let Kept::Backup(superseded) = std::mem::replace(&mut kept, newer) {
            locked.remove(&superseded)?;
        }
        Ok(())
    });
    if put.as_ref().is_err_and(|error| error.downcast_ref::<LiveIsDamaged>().is_some()) {
        kept = Kept::Aside(set_aside(session, database, locked)?);
        put = put_back(session, project, plan, &source, |_| Ok(()));
    }
    put.map_err(|error| taking::explain(error, project, database)).with_context(|| {
        could_not_restore(project, database, &kept, "the old state is in place")
    })?;
    say_kept(session, project, &kept);
    session.say(format!("[✓] Restored → {place}"));
    let folder = locked.vault().folder();
    let proved = writeback::prove(plan, &source, folder, project.busy_timeout, &interrupt)
        .with_context(|| could_not_restore(project, database, &kept, "it could not be proved"))?;
    match proved {
        Proved::Equal => session.say("[✓] SQLite integrity_check: ok"),
        Proved::WrittenSince => {
            session.say("[✓] SQLite quick_check: ok (the application has written since)");
        }
    }
    session.say("");
    session.say("Done. You may need to restart your backend if it was running.");
    if let Kept::Backup(safety) = &kept {
        say_undo(session, project, database, safety);
    }
    after_restore(session, project, database)?;
    session.document(&json!({
        "version": 1,
        "restored": plan.backup.to_json(session.now())?,
        "into": plan.target,
        "safety": match &kept { Kept::Backup(b) => Some(b.name.to_string()), _ => None },
        "set_aside": match &kept { Kept::Aside(folder) => Some(folder), _ => None },
        "content_blake3": verification.content_blake3,
        "written_since": proved == Proved::WrittenSince,
    }));
    Ok(Answer::Yes)
}

fn could_not_restore(project: &Project, database: &Database, kept: &Kept, state: &str) -> String {
    let kept = match kept {
        Kept::Backup(safety) => format!("; `{}` is its safety backup", safety.name),
        Kept::Aside(folder) => format!("; its raw files are in `{}`", project.path(folder)),
        Kept::Nothing => String::new(),
    };
    format!("could not restore `{}`: {state}{kept}", project.path(&database.path))
}

/// The command that brings the replaced state back, as it can be pasted into a shell.
pub(super) fn say_undo(
    session: &mut Session,
    project: &Project,
    database: &Database,
    safety: &Backup,
) {
    let name = text::shell(&safety.name.to_string());
    let configured = project.databases.iter().any(|other| other.name == database.name);
    let into = if configured {
        String::new()
    } else {
        // `--into` is relative to the folder the command is called in.
        let path = database.path.strip_prefix(session.folder()).unwrap_or(&database.path);
        format!(" --into {} --force", text::shell(&path.to_string_lossy()))
    };
    session.say(format!("Undo with: cargo xtask db-restore {name}{into}"));
}

pub(super) fn say_kept(session: &mut Session, project: &Project, kept: &Kept) {
    session.say(match kept {
        Kept::Backup(backup) => {
            format!("[✓] Safety backup created → {}", project.dotted(&backup.path()))
        }
        Kept::Aside(folder) => format!("[✓] Raw files set aside → {}", project.dotted(folder)),
        Kept::Nothing => "[✓] There was no database to keep".to_owned(),
    });
}

fn put_back(
    session: &mut Session,
    project: &Project,
    plan: &Plan,
    source: &Source,
    mut keep: impl FnMut(&mut Session) -> Result<()>,
) -> Result<()> {
    let mut progress = Progress::new(session, "Restoring");
    let timeout = project.busy_timeout;
    writeback::put_back(plan, source, timeout, &mut progress, || keep(session))
}

/// Keeps the present state: a safety backup, or its raw files where SQLite cannot read it.
fn keep(
    session: &mut Session,
    project: &Project,
    database: &Database,
    locked: &Locked<'_>,
    live: &Live,
) -> Result<Kept> {
    match live {
        Live::Absent { sidecars: false } => Ok(Kept::Nothing),
        Live::Readable(_) => match safety_backup(session, project, database, locked)? {
            Some(backup) => Ok(Kept::Backup(backup)),
            None => Err(LiveIsDamaged.into()),
        },
        Live::Absent { sidecars: true } | Live::Unreadable(_) | Live::MayBeEncrypted => {
            set_aside(session, database, locked).map(Kept::Aside)
        }
    }
}

/// Sets the raw files aside; no connection to them may be open.
fn set_aside(session: &Session, database: &Database, locked: &Locked<'_>) -> Result<PathBuf> {
    let time = session.now().naive_local();
    aside::set_aside(&database.path, locked.vault().folder(), time)
}

/// Takes the safety backup; `None` where the present database is damaged.
pub(super) fn safety_backup(
    session: &mut Session,
    project: &Project,
    database: &Database,
    locked: &Locked<'_>,
) -> Result<Option<Box<Backup>>> {
    let wanted = Wanted {
        database,
        kind: Kind::Safety,
        label: None,
        pinned: false,
        git: project.git.as_ref().and_then(git::Place::state),
        now: session.now(),
        unless_equal: None,
    };
    let mut progress = Progress::new(session, "Keeping the present state");
    let taken = database::open_live(&database.path, project.busy_timeout)
        .map_err(|error| taking::explain(error, project, database))
        .and_then(|connection| {
            taking::take_through(&connection, locked, project, &wanted, &mut progress)
        });
    drop(progress);
    match taken.context("could not take the safety backup; the database is untouched")? {
        Taken::Backup(backup, ..) => Ok(Some(backup)),
        Taken::Damaged(findings) => {
            for finding in findings {
                session.note(format!("The present database is damaged: {finding}"));
            }
            Ok(None)
        }
        Taken::Unchanged => anyhow::bail!("a safety backup is taken unconditionally"),
    }
}

/// Runs the host's commands that rebuild derived data; the restored data stays whatever they do.
pub(super) fn after_restore(
    session: &mut Session,
    project: &Project,
    database: &Database,
) -> Result<()> {
    for command in &database.after_restore {
        session.note(format!("Running {}", command.join(" ")));
        hostcommand::run(project, database, command, &database.path).map_err(|error| {
            error.context(Refusal {
                what: format!("the data is restored, but `{}` failed", command.join(" ")),
                hint: "run it by hand; the database holds the backup's content".to_owned(),
                exit: Exit::CouldNot,
            })
        })?;
    }
    Ok(())
}

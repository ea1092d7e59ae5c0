//! The restore into the live database: safety backup, write, proof, derived data.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::backups::backup::Backup;
use crate::backups::reader::Contents;
use crate::backups::set_aside::{self, Aside};
use crate::backups::verification;
use crate::backups::verification::outcome::{Outcome, Verification};
use crate::backups::writer::Locked;
use crate::capture;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text;
use crate::files::holders;
use crate::host::command;
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::operations::restore::candidate;
use crate::operations::restore::safety_backup::{self, Kept, safety_backup, say_kept, undo};
use crate::recovery::database_lock::Claim;
use crate::recovery::interrupted_step::Step;
use crate::restore::plan::{self, Live, Plan};
use crate::restore::proof::{self, Proved};
use crate::restore::source::Source;
use crate::restore::write::{self, Committed, Written};
use crate::sqlite::digest::database::Groups;
use crate::sqlite::examination::finding::Depth;
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::{read_only, wal};

/// What is known of the live database before a state that is restored right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Was {
    /// It was read a moment ago: what looks encrypted now is garbage.
    Readable,
    /// Nothing.
    Unknown,
}

/// What a restore did.
pub(crate) struct Restored {
    /// What was kept of the replaced state.
    pub(crate) kept: Kept,
    /// How the result was proved.
    pub(crate) proved: Proved,
}

/// Safety backup, write, proof, derived data, and a line about each.
pub(crate) fn restore(
    session: &mut Session,
    claim: Claim<'_>,
    locked: Locked<'_>,
    plan: &Plan,
    verification: &Verification,
) -> Result<Answer> {
    let Claim { project, database, .. } = claim;
    let place = project.dotted(&database.path);
    let left = claim.left();
    let Restored { kept, proved } = put_in_place(session, &claim, &locked, (plan, verification))?;
    claim.end(&locked, &left).context("the data is restored, but the note could not be removed")?;
    say_kept(session, project, &kept);
    session.say(format!("[✓] Restored → {place}"));
    match proved {
        Proved::Equal => session.say(candidate::checked(&plan.backup, verification)),
        Proved::WrittenSince => {
            session.say("[✓] SQLite quick_check: ok (the application has written since)");
        }
    }
    note_wal(session, database);
    session.say("");
    session.say("Done. You may need to restart your backend if it was running.");
    if let Kept::Backup(safety) = &kept {
        let undo = undo(session, project, database, safety);
        session.say(format!("Undo with: {undo}"));
    }
    // The host's commands may take backups of their own, and merge rows.
    drop(locked);
    drop(claim);
    after_restore(session, project, database)?;
    session.document(&json!({
        "version": 1,
        "restored": plan.backup.to_json(session.now())?,
        "into": plan.target.to_string_lossy(),
        "safety": match &kept { Kept::Backup(b) => Some(b.name.to_string()), _ => None },
        "set_aside": match &kept { Kept::Aside(aside) => Some(aside.folder.to_string_lossy()), _ => None },
        "content_blake3": verification.content_blake3,
        "written_since": proved == Proved::WrittenSince,
    }));
    Ok(Answer::Yes)
}

/// Keeps the current state, writes the backup into the live database and proves the result; prints
/// nothing but that Litestream must be restarted, and runs no command of the host.
///
/// # Errors
///
/// If the backup changed since it was examined, the database stays locked, the disk is full or
/// fails, or at the user's interrupt; the message says which state is in place.
pub(crate) fn put_in_place(
    session: &mut Session,
    claim: &Claim<'_>,
    locked: &Locked<'_>,
    (plan, verification): (&Plan, &Verification),
) -> Result<Restored> {
    let Claim { project, database, .. } = *claim;
    let interrupt = session.interrupt().clone();
    let is_replicated =
        matches!(plan.live, Live::Readable(_)) && is_replicated(project, &plan.target);
    let contents = Contents::open(&plan.backup)?;
    let ids = candidate::unchanged(plan, &contents, (verification, &interrupt))?;
    let content_blake3 = &verification.content_blake3;
    let source = Source::prepare((plan, contents, ids), locked, content_blake3, &interrupt)?;
    // What SQLite reads it also rolls back; anything else is several steps, the journal mode the last.
    let is_noted = !claim.has_begun() && !matches!(plan.live, Live::Readable(_));
    if is_noted {
        // The new database goes with this process: it cannot be put in place again.
        let outlives = !plan.backup.is_unfinished();
        claim.begin(locked, Step::Write, outlives.then_some(&plan.backup), session.now())?;
    }
    let (mut kept, mut superseded) = (Kept::Nothing, Vec::new());
    let put = put_back(session, project, plan, &source, |session| {
        let (newer, ids) = keep(session, project, database, (locked, plan))?;
        // A writer slipped in: the newer safety backup takes the place of this run's earlier one.
        match std::mem::replace(&mut kept, newer) {
            Kept::Backup(older) => drop(locked.remove(&older)?),
            older => superseded.push(older),
        }
        Ok(ids)
    });
    let written = put
        .map_err(|error| candidate::explain_damage(error, &plan.backup))
        .map_err(|error| live_database::explain(error, project, database))
        .map_err(|error| {
            let committed = error.downcast_ref::<Committed>().is_some();
            let mut state = InPlace::New;
            if !committed {
                state = state_after(&error, (locked, plan), &kept, session);
                kept = safety_backup::kept_after(
                    &error,
                    locked,
                    std::mem::replace(&mut kept, Kept::Nothing),
                );
            }
            if is_noted && !committed {
                // A note that stays only says more than was left.
                let _ = claim.withdraw(locked);
            }
            error.context(could_not_restore(project, database, &kept, state))
        })?;
    let proved = proof::prove(written, &source, locked.vault().folder(), &interrupt)
        .with_context(|| could_not_restore(project, database, &kept, InPlace::Unproved))?;
    if is_noted {
        claim.conclude(locked)?;
    }
    if is_replicated {
        warn_of_replica(session);
    }
    Ok(Restored { kept, proved })
}

/// Whether Litestream keeps its own tables in a database that is about to be written
/// (<https://litestream.io/how-it-works/>).
pub(crate) fn is_replicated(project: &Project, path: &Path) -> bool {
    let question = "SELECT 1 FROM sqlite_schema WHERE name LIKE '\\_litestream\\_%' ESCAPE '\\'";
    read_only::open(path, project.busy_timeout)
        .is_ok_and(|live| live.query_row(question, [], |_| Ok(())).is_ok())
}

/// Reports what Litestream needs after one transaction has replaced much of a database.
pub(crate) fn warn_of_replica(session: &mut Session) {
    session.warn(
        "Litestream replicates this database and must be restarted now, so that it creates a new \
         snapshot: `systemctl restart litestream`, or stop and start `litestream replicate`; until \
         then its replica may contain neither state",
    );
}

/// Puts a backup back that no user chose just now: examined, with a safety backup, in one transaction,
/// proved; without a question and silently. What is there now is replaced even if it looks encrypted
/// if it was readable before: its raw files are set aside.
///
/// # Errors
///
/// A refusal if it is not proved whole, else as [`put_in_place`].
pub(crate) fn put_checkpoint_back(
    session: &mut Session,
    claim: &Claim<'_>,
    locked: &Locked<'_>,
    (backup, was): (&Backup, Was),
) -> Result<Restored> {
    let Claim { project, database, .. } = *claim;
    let interrupt = session.interrupt().clone();
    let verification = verification::verify_for_restore(backup, Depth::Quick, &interrupt)?;
    if verification.outcome != Outcome::Whole {
        return Err(Refusal::no(
            format!("`{}` is not proved whole: {}", backup.name, verification.reasons.join(", ")),
            "`cargo xtask db-verify --all` shows which backups are; the database is untouched",
        ));
    }
    let is_garbage =
        was == Was::Readable && matches!(probe::look(&database.path)?, Standing::Foreign { .. });
    let destination = candidate::destination(project, database, is_garbage);
    let plan = plan::plan(backup, &destination, &interrupt)
        .map_err(|error| live_database::explain(error, project, database))?;
    put_in_place(session, claim, locked, (&plan, &verification))
}

/// What a restore that failed left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InPlace {
    Old,
    New,
    Unproved,
}

/// The state after a restore that did not commit: after a failure of the disk the database is read
/// again, because SQLite then does not know what it wrote.
fn state_after(
    error: &anyhow::Error,
    (locked, plan): (&Locked<'_>, &Plan),
    kept: &Kept,
    session: &Session,
) -> InPlace {
    // What is not kept yet is not written over either.
    let is_begun = !matches!((kept, &plan.live), (Kept::Nothing, Live::Readable(_)));
    if !is_begun || safety_backup::leaves_all_as_it_was(error) {
        return InPlace::Old;
    }
    let Kept::Backup(safety) = kept else { return InPlace::Unproved };
    let now = read_only::open(&plan.target, Duration::ZERO).and_then(|live| {
        capture::content_hash(&live, locked.vault().folder(), session.interrupt())
    });
    match (now, safety.record()) {
        (Ok(now), Some(old)) if now == old.content_blake3 => InPlace::Old,
        _ => InPlace::Unproved,
    }
}

/// That a restore failed.
#[derive(Debug)]
struct CouldNotRestore {
    state: InPlace,
    what: String,
}

impl std::fmt::Display for CouldNotRestore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for CouldNotRestore {}

/// Whether a failure to put a backup in place left the database as it was.
#[must_use]
pub(crate) fn is_untouched(error: &anyhow::Error) -> bool {
    let could_not = error.downcast_ref::<CouldNotRestore>();
    could_not.is_none_or(|could_not| could_not.state == InPlace::Old)
}

fn could_not_restore(
    project: &Project,
    database: &Database,
    kept: &Kept,
    state: InPlace,
) -> CouldNotRestore {
    let kept = match kept {
        Kept::Backup(safety) => format!("; `{}` is its safety backup", safety.name),
        Kept::Aside(aside) => {
            format!("; its raw files are in `{}`", project.path(&aside.folder))
        }
        Kept::Nothing => String::new(),
    };
    let said = match state {
        InPlace::Old => "it is unchanged",
        InPlace::New => "the new state is committed, but not proved",
        InPlace::Unproved => "its current content is not proved",
    };
    let what = format!("could not restore `{}`: {said}{kept}", project.path(&database.path));
    CouldNotRestore { state, what }
}

/// Reports how large the WAL is, if another process that has the database open prevents its
/// checkpoint.
pub(crate) fn note_wal(session: &mut Session, database: &Database) {
    let n_bytes = wal::size_bytes(&database.path);
    if n_bytes > 0 {
        session.note(format!(
            "The WAL is {} large and part of the database; the application's next WAL checkpoint \
             merges it{}",
            text::size(n_bytes),
            holders::sentence(&database.path)
        ));
    }
}

fn put_back(
    session: &mut Session,
    project: &Project,
    plan: &Plan,
    source: &Source,
    mut keep: impl FnMut(&mut Session) -> Result<Groups>,
) -> Result<Written> {
    let mut progress = session.progress("Restoring");
    let timeout = project.busy_timeout;
    write::put_back(plan, source, timeout, &mut progress, || keep(session))
}

/// Keeps the current state: a safety backup, or its raw files if SQLite cannot read it. Returns the
/// ids of its groups, if they are known.
fn keep(
    session: &mut Session,
    project: &Project,
    database: &Database,
    (locked, plan): (&Locked<'_>, &Plan),
) -> Result<(Kept, Groups)> {
    let kept = match &plan.live {
        Live::Absent { sidecars: false } => Kept::Nothing,
        Live::Readable(_) => match safety_backup(session, project, database, (locked, Some(plan)))?
        {
            Some((backup, ids)) => return Ok((Kept::Backup(backup), ids)),
            None => Kept::Aside(set_aside(session, database, locked)?),
        },
        Live::Absent { sidecars: true } | Live::Unreadable(_) | Live::MayBeEncrypted => {
            Kept::Aside(set_aside(session, database, locked)?)
        }
    };
    Ok((kept, Groups::default()))
}

/// Sets the raw files aside.
fn set_aside(session: &Session, database: &Database, locked: &Locked<'_>) -> Result<Aside> {
    let time = session.now().naive_local();
    set_aside::set_aside(&database.path, locked.vault().folder(), time)
}

/// Runs the host's commands that rebuild derived data; the restored data stays whatever they do.
pub(crate) fn after_restore(
    session: &mut Session,
    project: &Project,
    database: &Database,
) -> Result<()> {
    let done = ("the data is restored", "the database has the backup's content");
    rebuild(session, project, database, done)
}

/// The same in other words: what was done before, and what the database contains now.
pub(crate) fn rebuild(
    session: &mut Session,
    project: &Project,
    database: &Database,
    (done, holds): (&str, &str),
) -> Result<()> {
    for command in &database.after_restore {
        session.note(format!("Running {}", command.join(" ")));
        let interrupt = session.interrupt().clone();
        let run = command::run(project, database, command, Duration::MAX, &interrupt);
        run.map_err(|error| {
            error.context(Refusal {
                what: format!("{done}, but `{}` failed", command.join(" ")),
                hint: format!("run it by hand; {holds}"),
                exit: Exit::CouldNot,
            })
        })?;
    }
    Ok(())
}

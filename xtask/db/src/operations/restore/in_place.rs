//! The restore into the live database: safety backup, write, proof.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::backup_document::BackupDocument;
use crate::backups::reader::Contents;
use crate::backups::set_aside::{self, Aside};
use crate::backups::verification;
use crate::backups::verification::outcome::{Outcome, Verification};
use crate::backups::writer::Locked;
use crate::capture;
use crate::capture::request::Wanted;
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::files::holders;
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::restore::candidate::{self, Candidate};
use crate::operations::restore::derived_data;
use crate::operations::restore::safety_backup::{self, Kept, safety_backup, say_kept, undo};
use crate::operations::restore::state_left::{CouldNotRestore, InPlace};
use crate::recovery::database_lock::Claim;
use crate::recovery::note::Step;
use crate::restore::plan::{self, Destination, Live, Plan};
use crate::restore::proof::{self, Proved};
use crate::restore::source::{Original, Source};
use crate::restore::write::{self, Committed, Written};
use crate::sqlite::digest::database::Groups;
use crate::sqlite::examination::finding::Depth;
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::{read_only, wal};

/// Output of `--json` for a restore of the live database.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    /// The backup.
    restored: BackupDocument,
    into: Cow<'a, str>,
    safety: Option<String>,
    set_aside: Option<String>,
    content_blake3: &'a str,
    /// Whether the application has written since, so that only the structure was checked.
    written_since: bool,
}

/// Result of a restore.
pub(crate) struct Restored {
    /// The replaced state, as it was kept.
    pub(crate) kept: Kept,
    /// How the result was proved.
    pub(crate) proved: Proved,
}

/// Safety backup, write, proof, derived data, and a line about each.
pub(crate) fn restore(
    session: &mut Session,
    claim: Claim<'_>,
    locked: Locked<'_>,
    candidate: &Candidate<'_>,
) -> Result<Answer> {
    let Candidate { plan, verification, .. } = *candidate;
    let Claim { project, database, .. } = claim;
    let place = project.dotted_place(database);
    let left = claim.left();
    let Restored { kept, proved } = put_in_place(session, &claim, &locked, candidate)?;
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
    derived_data::after_restore(session, project, database)?;
    session.document(&Document {
        version: VERSION,
        restored: BackupDocument::of(&plan.backup, session.now()),
        into: plan.target.to_string_lossy(),
        safety: kept.safety(),
        set_aside: kept.set_aside(),
        content_blake3: &verification.content_blake3,
        written_since: proved == Proved::WrittenSince,
    });
    Ok(Answer::Yes)
}

/// Keeps the current state, writes the backup into the live database and proves the result; prints
/// nothing but that Litestream must be restarted, and runs no command of the host.
///
/// # Errors
///
/// If the backup changed since it was examined, the database stays locked, the disk is full or
/// fails, or at the user's interrupt; the message names the state that is in place.
pub(crate) fn put_in_place(
    session: &mut Session,
    claim: &Claim<'_>,
    locked: &Locked<'_>,
    candidate: &Candidate<'_>,
) -> Result<Restored> {
    let Candidate { plan, verification, .. } = *candidate;
    let Claim { project, database, .. } = *claim;
    let interrupt = session.interrupt().clone();
    let is_replicated =
        matches!(plan.live, Live::Readable(_)) && is_replicated(project, &plan.target);
    let contents = Contents::open(&plan.backup)?;
    let ids = candidate.unchanged(&contents, &interrupt)?;
    let content_blake3 = &verification.content_blake3;
    let original = Original { contents, ids, content_blake3 };
    let source = Source::prepare(plan, original, locked, &interrupt)?;
    // SQLite rolls back a database that it can read; for any other there are several steps, the journal mode last.
    let is_noted = !claim.has_begun() && !matches!(plan.live, Live::Readable(_));
    if is_noted {
        // The new database goes with this process: it cannot be put in place again.
        let outlives = !plan.backup.is_unfinished();
        claim.begin(locked, Step::Write, outlives.then_some(&plan.backup), session.now())?;
    }
    let (mut kept, mut superseded) = (Kept::Nothing, Vec::new());
    let replacement = Replacement { claim, locked, candidate };
    let put = replacement.put_back(session, &source, |session| {
        let (newer, ids) = replacement.keep(session)?;
        // A writer slipped in: the newer safety backup takes the place of this run's earlier one.
        match std::mem::replace(&mut kept, newer) {
            Kept::Backup(older) => drop(locked.remove(&older)?),
            older => superseded.push(older),
        }
        replacement.demand_expected(&kept)?;
        Ok(ids)
    });
    let written = put
        .map_err(|error| candidate::explain_damage(error, &plan.backup))
        .map_err(|error| live_database::explain(error, project, database))
        .map_err(|error| {
            let committed = error.downcast_ref::<Committed>().is_some();
            let mut state = InPlace::New;
            if !committed {
                state = replacement.state_after(session, &error, &kept);
                kept = safety_backup::kept_after(
                    &error,
                    locked,
                    std::mem::replace(&mut kept, Kept::Nothing),
                );
            }
            if is_noted && !committed {
                // A note that stays only reports more than there is.
                let _ = claim.withdraw(locked);
            }
            error.context(CouldNotRestore::of(project, database, &kept, state))
        })?;
    let proved = proof::prove(written, &source, locked.vault().folder(), &interrupt)
        .with_context(|| CouldNotRestore::of(project, database, &kept, InPlace::Unproved))?;
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

/// Reports what to do about Litestream after one transaction has replaced much of a database.
pub(crate) fn warn_of_replica(session: &mut Session) {
    session.warn(
        "Litestream replicates this database and must be restarted now, so that it creates a new \
         snapshot: `systemctl restart litestream`, or stop and start `litestream replicate`; until \
         then its replica may contain neither state",
    );
}

/// Restores a backup that the user did not choose just now to a database of which nothing is known:
/// examined, with a safety backup, in one transaction, proved; without a question and silently.
///
/// # Errors
///
/// A refusal if it is not proved whole, else as [`put_in_place`].
pub(crate) fn put_checkpoint_in_place(
    session: &mut Session,
    claim: &Claim<'_>,
    locked: &Locked<'_>,
    checkpoint: &Backup,
) -> Result<Restored> {
    let verification = demand_whole(session, checkpoint)?;
    let destination = candidate::destination(claim.project, claim.database, false);
    let plan = planned(session, claim, checkpoint, &destination)?;
    put_in_place(session, claim, locked, &Candidate::of(&plan, &verification))
}

/// Does the same in a database that was readable a moment ago: if it looks encrypted now, it is
/// garbage, and is replaced too; its raw files are set aside.
///
/// # Errors
///
/// As [`put_checkpoint_in_place`].
pub(crate) fn put_checkpoint_back(
    session: &mut Session,
    claim: &Claim<'_>,
    locked: &Locked<'_>,
    checkpoint: &Backup,
) -> Result<Restored> {
    let Claim { project, database, .. } = *claim;
    let verification = demand_whole(session, checkpoint)?;
    let is_garbage = matches!(probe::look(database.file()?)?, Standing::Foreign { .. });
    let destination = candidate::destination(project, database, is_garbage);
    let plan = planned(session, claim, checkpoint, &destination)?;
    put_in_place(session, claim, locked, &Candidate::of(&plan, &verification))
}

/// Examines a checkpoint: a backup that the user did not choose must be proved intact.
///
/// # Errors
///
/// A refusal if it is not, or at the user's interrupt.
pub(super) fn demand_whole(session: &Session, checkpoint: &Backup) -> Result<Verification> {
    let interrupt = session.interrupt();
    let verification = verification::verify_for_restore(checkpoint, Depth::Quick, interrupt)?;
    if verification.outcome == Outcome::Whole {
        return Ok(verification);
    }
    let reasons = verification.reasons.join(", ");
    Err(Refusal::no(
        format!("`{}` is not proved whole: {reasons}", checkpoint.name),
        "`cargo xtask db-verify --all` shows which backups are; the database is untouched",
    ))
}

fn planned(
    session: &Session,
    claim: &Claim<'_>,
    checkpoint: &Backup,
    destination: &Destination<'_>,
) -> Result<Plan> {
    plan::plan(checkpoint, destination, session.interrupt())
        .map_err(|error| live_database::explain(error, claim.project, claim.database))
}

/// A replacement of the live database that is under way.
struct Replacement<'a> {
    claim: &'a Claim<'a>,
    locked: &'a Locked<'a>,
    candidate: &'a Candidate<'a>,
}

impl Replacement<'_> {
    /// Writes the backup; `keep` keeps the current state first.
    fn put_back(
        &self,
        session: &mut Session,
        source: &Source,
        mut keep: impl FnMut(&mut Session) -> Result<Groups>,
    ) -> Result<Written> {
        let mut progress = session.progress("Restoring");
        write::put_back(self.candidate.plan, source, &mut progress, || keep(session))
    }

    /// Keeps the current state: a safety backup, or its raw files if SQLite cannot read it. Returns
    /// the ids of its groups, if they are known.
    fn keep(&self, session: &mut Session) -> Result<(Kept, Groups)> {
        let Self { claim: Claim { project, database, .. }, locked, .. } = *self;
        let plan = self.candidate.plan;
        let kept = match &plan.live {
            Live::Absent { sidecars: false } => Kept::Nothing,
            Live::Readable(_) => {
                let wanted = Wanted {
                    replaced_by: Some(plan.backup.name.to_string()),
                    ..safety_backup::wanted(session, project, database)
                };
                if let Some((backup, ids)) = safety_backup(session, project, locked, &wanted)? {
                    return Ok((Kept::Backup(backup), ids));
                }
                self.demand_expected_of_damaged(session)?;
                Kept::Aside(set_aside(session, database, locked)?)
            }
            Live::Absent { sidecars: true } | Live::Unreadable(_) | Live::MayBeEncrypted => {
                Kept::Aside(set_aside(session, database, locked)?)
            }
        };
        Ok((kept, Groups::default()))
    }

    /// Demands that the state which was just kept is the expected one.
    fn demand_expected(&self, kept: &Kept) -> Result<()> {
        let (Some(expected), Kept::Backup(safety)) = (self.candidate.expected, kept) else {
            return Ok(());
        };
        expected.demand_kept(safety, &self.quoted_place())
    }

    /// Demands the expected content of a database that is damaged, so that there is no safety backup of it.
    fn demand_expected_of_damaged(&self, session: &Session) -> Result<()> {
        let Some(expected) = self.candidate.expected else { return Ok(()) };
        let live = read_only::open(&self.candidate.plan.target, Duration::ZERO)?;
        let scratch = self.locked.vault().folder();
        let content_blake3 = capture::content_hash(&live, scratch, session.interrupt())?;
        expected.demand_content(&content_blake3, &self.quoted_place())
    }

    fn quoted_place(&self) -> String {
        self.claim.project.quoted_place(self.claim.database)
    }

    /// The state after a replacement that did not commit. After a failure of the disk the database
    /// is read again, because SQLite then does not know what it wrote.
    fn state_after(&self, session: &Session, error: &anyhow::Error, kept: &Kept) -> InPlace {
        // A state that is not kept yet is not overwritten either.
        let is_begun =
            !matches!((kept, &self.candidate.plan.live), (Kept::Nothing, Live::Readable(_)));
        if !is_begun || safety_backup::leaves_all_as_it_was(error) {
            return InPlace::Old;
        }
        let Kept::Backup(safety) = kept else { return InPlace::Unproved };
        let now = read_only::open(&self.candidate.plan.target, Duration::ZERO).and_then(|live| {
            capture::content_hash(&live, self.locked.vault().folder(), session.interrupt())
        });
        match (now, safety.record()) {
            (Ok(now), Some(old)) if now == old.content_blake3 => InPlace::Old,
            _ => InPlace::Unproved,
        }
    }
}

/// Reports how large the WAL is, if another process that has the database open prevents its
/// checkpoint.
pub(crate) fn note_wal(session: &mut Session, database: &Database) {
    let n_bytes = wal::size_bytes(database.home());
    if n_bytes > 0 {
        session.note(format!(
            "The WAL is {} large and part of the database; the application's next WAL checkpoint \
             merges it{}",
            text::size(n_bytes),
            holders::sentence(database.home())
        ));
    }
}

/// Sets the raw files aside.
fn set_aside(session: &Session, database: &Database, locked: &Locked<'_>) -> Result<Aside> {
    let time = session.now().naive_local();
    set_aside::set_aside(database.file()?, locked.vault().folder(), time)
}

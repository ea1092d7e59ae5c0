//! The migration on the live database: a second checkpoint right before, the command, the same
//! examination as in the rehearsal, and the way back if anything differs from the rehearsal.

use anyhow::{Context, Result};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::reader::Contents;
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::capture::checkpoint;
use crate::capture::plain::{self, Copy};
use crate::capture::request::{Capture, Taken};
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::files::holders;
use crate::host::command::supervised::NotStarted;
use crate::host::command::{self, Ending, Task};
use crate::host::project::live_database;
use crate::host::session::Session;
use crate::migrate::on_server::sight::Sight;
use crate::migrate::rehearsal;
use crate::migrate::state::{FileState, State};
use crate::migrate::verdict::losses;
use crate::operations::migration::conclusion::{After, Run};
use crate::operations::migration::document::{self, Document};
use crate::operations::migration::job::Job;
use crate::operations::migration::rehearsal_steps;
use crate::operations::migration::rehearsed::{Outcome, Rehearsed};
use crate::operations::migration::way_back::{self, way_back};
use crate::operations::migration::{live_on_server, rehearsal_end, report, room};
use crate::recovery::note::Step;
use crate::sqlite::examination::finding::{Finding, Weight, has};
use crate::sqlite::probe::{self, Standing};

/// Runs the migration that a rehearsal allowed.
///
/// # Errors
///
/// If a checkpoint cannot be taken (nothing has run then), or the old state not be restored.
pub(crate) fn run(
    session: &mut Session,
    job: &Job<'_>,
    vault: &Vault,
    rehearsed: Rehearsed,
) -> Result<Answer> {
    let ready = prepare(session, job, vault, rehearsed)?;
    let _held = ready.second.hold()?;
    let interrupt = session.interrupt().clone();
    interrupt.check()?;
    let Job { project, database, .. } = *job;
    let locked = vault.lock(project.busy_timeout, &interrupt)?;
    job.claim.begin(&locked, Step::Command, Some(&ready.second), session.now())?;
    let reserve = match room::reserve(job, vault, ready.second.size_bytes, ready.new_bytes) {
        Ok(reserve) => reserve,
        Err(error) => {
            job.claim.withdraw(&locked)?;
            return Err(error);
        }
    };
    drop(locked);
    session.note(format!("Running {} on {}", job.quoted_command(), project.place(database)));
    let timeout = database.migrate_timeout;
    let location = &database.location;
    let task = Task { project, database, location, command: &job.command, timeout };
    // A second interrupt kills the command, a later one stops the restore with a note.
    let _supervising = interrupt.while_supervising();
    let file = database.file_if_any().map(holders::identity);
    let ended = command::migrate(&task, &interrupt);
    reserve.release();
    let ended = ended.inspect_err(|error| withdraw(session, job, vault, error))?;
    if let Some(path) = database.file_if_any()
        && file != Some(holders::identity(path))
    {
        let who = holders::sentence_of(&holders::of_deleted(path));
        session.warn(format!(
            "the migration replaced the file of {}: a process that had it open before still writes \
             to the old file, which nobody else reads; restart the application{who}",
            project.place(database)
        ));
    }
    // The steps that restore order are completed; another interrupt counts again.
    let interrupted = interrupt.acknowledge() || matches!(ended.ending, Ending::Interrupted);
    let unexamined = || unexamined(job, &ready.second);
    let locked = way_back::lock(session, job, vault).with_context(unexamined)?;
    let after = examine(session, job, &locked, &ready).with_context(unexamined)?;
    let Ready { second, earlier, before, rehearsed, mut document, .. } = ready;
    document.migration = Some(document::Run::of(&ended));
    let run = Run { second, earlier, before, ended, interrupted, after, rehearsed, document };
    run.conclude(session, job, locked)
}

/// Removes the note if the command did not even start.
fn withdraw(session: &Session, job: &Job<'_>, vault: &Vault, error: &anyhow::Error) {
    if error.downcast_ref::<NotStarted>().is_none() {
        return;
    }
    // If this fails too, the note stays and `db-recover` ends it.
    if let Ok(locked) = vault.lock(job.project.busy_timeout, session.interrupt()) {
        let _ = job.claim.withdraw(&locked);
    }
}

/// Everything that must exist before the live database is touched.
struct Ready {
    /// The checkpoint taken right before.
    second: Backup,
    /// Backup from before the rehearsal, if rows changed since.
    earlier: Option<Backup>,
    /// The state that it contains.
    before: State,
    /// The state that the rehearsal led to.
    rehearsed: State,
    /// The size that the rehearsed copy had at most.
    new_bytes: u64,
    /// What a session saw of it, if it is on a server.
    sight: Option<Sight>,
    /// The document of `--json`.
    document: Document,
}

impl Ready {
    fn changes_journal_only(&self) -> bool {
        self.before.content_blake3 == self.rehearsed.content_blake3
            && self.before.is_wal != self.rehearsed.is_wal
    }
}

/// Reports the rehearsal and takes both checkpoints.
fn prepare(
    session: &mut Session,
    job: &Job<'_>,
    vault: &Vault,
    mut rehearsed: Rehearsed,
) -> Result<Ready> {
    if let Outcome::Allowed(losses) = &rehearsed.outcome {
        rehearsal_end::say_rehearsed(session, job, &rehearsed, losses);
    }
    let mut document = Document::of(job, &rehearsed);
    let mut before = std::mem::take(&mut rehearsed.rehearsal.before);
    let after = std::mem::replace(&mut rehearsed.rehearsal.after, Ok(State::default()))?;
    let new_bytes = room::demand(job, vault, &rehearsed)?;
    let first = rehearsal_end::keep_checkpoint(session, job, vault, rehearsed)?;
    let second = second_checkpoint(session, job, vault, &first)?;
    document.first_checkpoint = Some(first.name.to_string());
    document.checkpoint = Some(second.name.to_string());
    let (mut earlier, mut sight) = (None, None);
    let is_other = content_of(&first) != content_of(&second);
    if job.database.server().is_some() {
        let (seen, now) = live_on_server::before(session, job, &second)?;
        let then = std::mem::replace(&mut before, now);
        if is_other {
            let then = Checkpoint { backup: &first, state: &then };
            refuse_loss(job, &then, &Checkpoint { backup: &second, state: &before })?;
            earlier = Some(first);
        }
        sight = Some(seen);
    } else if is_other {
        let record = second.record().context("a checkpoint has a record")?;
        let interrupt = session.interrupt().clone();
        let contents = Contents::open(&second)?;
        let now = State::recorded(contents.file(&interrupt)?.path(), record, &interrupt)?;
        let then = Checkpoint { backup: &first, state: &before };
        refuse_loss(job, &then, &Checkpoint { backup: &second, state: &now })?;
        before = now;
        earlier = Some(first);
    }
    Ok(Ready { second, earlier, before, rehearsed: after, new_bytes, sight, document })
}

/// A checkpoint, and the state in it.
struct Checkpoint<'a> {
    backup: &'a Backup,
    state: &'a State,
}

/// Refuses if rows disappeared between the checkpoints: the rehearsed command may have removed
/// them, and running it again would hide that behind the second checkpoint.
fn refuse_loss(job: &Job<'_>, first: &Checkpoint<'_>, second: &Checkpoint<'_>) -> Result<()> {
    let (then, now) = (first.state, second.state);
    let fewer = |table: &String| losses::fewer_rows(table, then.n_rows(table), now);
    let losses: Vec<_> = then.tables.keys().filter_map(fewer).map(|loss| loss.what).collect();
    if losses.is_empty() {
        return Ok(());
    }
    let place = job.project.quoted_place(job.database);
    let what = format!("{place} lost rows during the rehearsal; the migration did not run on it");
    let hint = format!(
        "before the rehearsal: `{}`; its current state: `{}`; if an application deleted them, run \
         `cargo xtask db-migrate` again",
        way_back(job, first.backup),
        way_back(job, second.backup)
    );
    Err(report::because(&losses, Refusal { what, hint, exit: Exit::No }))
}

fn unexamined(job: &Job<'_>, second: &Backup) -> Refusal {
    Refusal {
        what: format!(
            "{} ended, but {} could not be examined afterwards",
            job.quoted_command(),
            job.project.quoted_place(job.database)
        ),
        hint: format!("inspect it, or go back with `{}`", way_back(job, second)),
        exit: Exit::CouldNot,
    }
}

fn content_of(backup: &Backup) -> Option<&str> {
    backup.record().map(|record| record.content_blake3.as_str())
}

/// The checkpoint immediately before; a hard link if nobody wrote since the first.
fn second_checkpoint(
    session: &mut Session,
    job: &Job<'_>,
    vault: &Vault,
    first: &Backup,
) -> Result<Backup> {
    let Job { project, database, .. } = *job;
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    let wanted = job.wanted(session, Kind::PreMigrate);
    let mut progress = session.progress("Copying");
    let capture = Capture { locked: &locked, project, wanted: &wanted };
    let taken = checkpoint::take(capture, Some(first), &mut progress)?;
    drop(progress);
    let second = match taken {
        Taken::Backup(backup, ..) | Taken::Linked(backup, _) => *backup,
        Taken::Damaged(findings) => return Err(rehearsal_steps::damaged(session, job, &findings)),
        Taken::Unchanged => anyhow::bail!("a checkpoint is taken unconditionally"),
    };
    let schema =
        |backup: &Backup| backup.record().map(|r| (r.schema_blake3.clone(), r.user_version()));
    if schema(first) != schema(&second) {
        return Err(Refusal::no(
            format!("the schema of {} changed since the rehearsal", project.quoted_place(database)),
            "something else is migrating it: stop that and run this again; nothing was run",
        ));
    }
    Ok(second)
}

/// Examines the live database as the rehearsal examined its copy, by a copy, so that writers wait
/// no longer than for a backup.
fn examine(
    session: &mut Session,
    job: &Job<'_>,
    locked: &Locked<'_>,
    ready: &Ready,
) -> Result<After> {
    let Job { project, database, .. } = *job;
    let interrupt = session.interrupt().clone();
    if let Some(sight) = &ready.sight {
        let before = live_on_server::Seen { checkpoint: &ready.second, sight };
        return live_on_server::examine(session, job, locked, &before);
    }
    if !matches!(probe::look(database.file()?)?, Standing::Sqlite(_)) {
        return Ok(After::Broken(vec!["it is no longer an SQLite database".to_owned()]));
    }
    let wanted = job.wanted(session, Kind::PreMigrate);
    let mut progress = session.progress("Examining");
    let copy = {
        let connection = live_database::open(project, database)?;
        plain::stage(&connection, Capture { locked, project, wanted: &wanted }, &mut progress)?
    };
    drop(progress);
    let staged = match copy {
        Copy::Staged(staged) => staged,
        Copy::Damaged(findings) => return Ok(After::Broken(said(&findings))),
        Copy::Unchanged => anyhow::bail!("nothing to compare with was given"),
    };
    let is_wal = staged.record().journal_mode() == "wal";
    // If only the journal was to change, it has to have changed.
    let is_same_journal = is_wal == ready.before.is_wal || !ready.changes_journal_only();
    if staged.record().content_blake3 == ready.before.content_blake3 && is_same_journal {
        return Ok(After::Same);
    }
    let state = State { is_wal, ..State::read(staged.path(), &interrupt)? };
    let contents = Contents::open(&ready.second)?;
    let second = contents.file(&interrupt)?;
    if has(&state.findings, Weight::Structural) {
        // It is not to blame for earlier damage.
        let old = rehearsal::deep_findings(second.path(), &interrupt)?;
        let is_new = |f: &&Finding| f.kind == Weight::Structural && !old.contains(f);
        let new: Vec<_> = state.findings.iter().filter(is_new).cloned().collect();
        if !new.is_empty() {
            return Ok(After::Broken(said(&new)));
        }
    }
    let before = FileState { path: second.path(), state: &ready.before };
    let after = FileState { path: staged.path(), state: &state };
    let effects = rehearsal::compared(&before, &after, &interrupt)?;
    Ok(After::Other(Box::new(state), Box::new(effects)))
}

fn said(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("the database is damaged: {finding}")).collect()
}

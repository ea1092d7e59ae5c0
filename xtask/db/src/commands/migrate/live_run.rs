//! The migration on the live database: a second checkpoint right before, the command, the same
//! examination as in the rehearsal, and the way back where anything is other than there.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::backup::Backup;
use crate::checkpoint;
use crate::commands::backup::prune_automatic;
use crate::commands::migrate::ending;
use crate::commands::migrate::job::Job;
use crate::commands::migrate::putting_back::{kept, put_back, way_back};
use crate::commands::migrate::rehearsing::{self, Outcome, Rehearsed};
use crate::commands::migrate::telling;
use crate::finding::{Depth, Finding, Weight, has};
use crate::hostcommand::{self, Ended, Ending, Task};
use crate::locked::Locked;
use crate::migration::{self, Loss, Verdict};
use crate::progress::Progress;
use crate::record::Kind;
use crate::refusal::{Answer, Exit, Refusal};
use crate::rehearsal;
use crate::session::Session;
use crate::standing::{self, Standing};
use crate::state::State;
use crate::taking::{self, Copy, Taken};
use crate::text;
use crate::vault::Vault;

/// What the live database is after the command.
enum After {
    /// Its content is that of the second checkpoint: nothing happened.
    Same,
    /// Another state.
    Other(Box<State>),
    /// It is gone or damaged, and how.
    Broken(Vec<String>),
}

/// One migration of the live database.
struct Run {
    /// The checkpoint taken right before.
    second: Backup,
    /// The state that it holds.
    before: State,
    /// How the command ended.
    ended: Ended,
    /// Whether the user interrupted.
    interrupted: bool,
    /// What is there now.
    after: After,
    /// What the rehearsal left.
    rehearsed: State,
    /// What `--json` says.
    document: Value,
}

/// Runs the migration that a rehearsal allowed.
///
/// # Errors
///
/// Where a checkpoint cannot be taken (nothing has run then), or the old state not be put back.
pub(super) fn run(
    session: &mut Session,
    job: &Job<'_>,
    vault: &Vault,
    mut rehearsed: Rehearsed,
) -> Result<Answer> {
    if let Outcome::Allowed(losses) = &rehearsed.outcome {
        ending::say_rehearsed(session, job, &rehearsed, losses);
    }
    let mut document = telling::document(job, &rehearsed);
    let before = std::mem::take(&mut rehearsed.rehearsal.before);
    let after = std::mem::replace(&mut rehearsed.rehearsal.after, Ok(State::default()))?;
    let first = ending::keep_checkpoint(session, job, vault, rehearsed)?;
    let second = second_checkpoint(session, job, vault, &first)?;
    document["checkpoint"] = second.name.to_string().into();
    let _held = second.hold()?;
    let interrupt = session.interrupt().clone();
    interrupt.check()?;
    let before = match content_of(&first) == content_of(&second) {
        true => before,
        false => State::read(&second.path(), Depth::Quick, &interrupt)?,
    };
    let Job { project, database, .. } = *job;
    session.note(format!("Running {} on {}", job.quoted_command(), project.place(database)));
    let timeout = database.migrate_timeout;
    let task = Task { project, database, path: &database.path, command: &job.command, timeout };
    let ended = hostcommand::migrate(&task, &interrupt)?;
    // What brings things in order runs to its end; another interrupt counts anew.
    let interrupted = interrupt.acknowledge() || matches!(ended.ending, Ending::Interrupted);
    document["migration"] = telling::of_run(&ended);
    let unexamined = || Refusal {
        what: format!(
            "{} ended, but {} could not be examined afterwards",
            job.quoted_command(),
            project.quoted_place(database)
        ),
        hint: format!("look at it, or go back with `{}`", way_back(job, &second)),
        exit: Exit::CouldNot,
    };
    let locked = vault.lock(project.busy_timeout, &interrupt).with_context(unexamined)?;
    let after_live = examine(session, job, &locked, (&before, &second)).with_context(unexamined)?;
    let run =
        Run { second, before, ended, interrupted, after: after_live, rehearsed: after, document };
    run.conclude(session, job, locked)
}

fn content_of(backup: &Backup) -> Option<&str> {
    backup.record().map(|record| record.content_blake3.as_str())
}

/// The checkpoint immediately before; a hard link where nobody wrote since the first.
fn second_checkpoint(
    session: &mut Session,
    job: &Job<'_>,
    vault: &Vault,
    first: &Backup,
) -> Result<Backup> {
    let Job { project, database, .. } = *job;
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    let wanted = rehearsing::wanted(session, job, Kind::PreMigrate);
    let mut progress = Progress::new(session, "Copying");
    let taken = checkpoint::take(&locked, project, &wanted, Some(first), &mut progress)?;
    drop(progress);
    let second = match taken {
        Taken::Backup(backup, ..) | Taken::Linked(backup) => *backup,
        Taken::Damaged(findings) => return Err(rehearsing::damaged(session, job, &findings)),
        Taken::Unchanged => anyhow::bail!("a checkpoint is taken unconditionally"),
    };
    let schema =
        |backup: &Backup| backup.record().map(|r| (r.schema_blake3.clone(), r.sqlite.user_version));
    if schema(first) != schema(&second) {
        return Err(Refusal::no(
            format!("the schema of {} changed since the rehearsal", project.quoted_place(database)),
            "something else migrates it: stop that and run this again; nothing was run",
        ));
    }
    Ok(second)
}

/// Looks at the live database as the rehearsal looked at its copy; a copy is what is looked at, so
/// that writers wait no longer than for a backup.
fn examine(
    session: &mut Session,
    job: &Job<'_>,
    locked: &Locked<'_>,
    (before, second): (&State, &Backup),
) -> Result<After> {
    let Job { project, database, .. } = *job;
    let interrupt = session.interrupt().clone();
    if !matches!(standing::look(&database.path)?, Standing::Sqlite(_)) {
        return Ok(After::Broken(vec!["it is no SQLite database any more".to_owned()]));
    }
    let wanted = rehearsing::wanted(session, job, Kind::PreMigrate);
    let mut progress = Progress::new(session, "Examining");
    let copy = {
        let connection = taking::open(project, database)?;
        taking::stage(&connection, locked, project, &wanted, &mut progress)?
    };
    drop(progress);
    let staged = match copy {
        Copy::Staged(staged) => staged,
        Copy::Damaged(findings) => return Ok(After::Broken(said(&findings))),
        Copy::Unchanged => anyhow::bail!("nothing to compare with was given"),
    };
    if staged.record().content_blake3 == before.content_blake3 {
        return Ok(After::Same);
    }
    let state = State::read(staged.path(), Depth::Deep, &interrupt)?;
    if has(&state.findings, Weight::Structural) {
        let old = rehearsal::deep_findings(&second.path(), &interrupt)?;
        let new: Vec<_> = state
            .findings
            .iter()
            .filter(|f| f.kind == Weight::Structural && !old.contains(f))
            .cloned()
            .collect();
        if !new.is_empty() {
            return Ok(After::Broken(said(&new)));
        }
    }
    Ok(After::Other(Box::new(state)))
}

fn said(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("the database is damaged: {finding}")).collect()
}

/// The same, with the exit code of an interrupt.
fn interrupted(error: &anyhow::Error) -> anyhow::Error {
    let hint = "run `cargo xtask db-migrate` again".to_owned();
    Refusal { what: error.to_string(), hint, exit: Exit::Interrupted }.into()
}

impl Run {
    /// Says that it is done, or goes back.
    fn conclude(
        mut self,
        session: &mut Session,
        job: &Job<'_>,
        locked: Locked<'_>,
    ) -> Result<Answer> {
        let (mut reasons, losses) = self.reasons(&job.allowed);
        reasons.splice(0..0, self.ended.failure());
        if reasons.is_empty() && !self.interrupted {
            return self.succeed(session, job, &locked, &losses);
        }
        let error = match &self.after {
            After::Same => self.unchanged(job, &reasons),
            After::Other(after) if after.has_schema_of(&self.before) => {
                self.left_alone(job, &reasons)
            }
            After::Other(_) | After::Broken(_) => {
                let restored = put_back(session, job, &locked, &self.second)?;
                drop(locked);
                ending::say_put_back(session, job, &self.second, &restored.kept);
                ending::rebuild_derived(session, job);
                self.document["safety"] = ending::safety(&restored.kept);
                self.document["outcome"] = "put-back".into();
                self.was_put_back(job, &reasons, &kept(job, &restored.kept))
            }
        };
        if self.interrupted {
            return Err(interrupted(&error));
        }
        Ok(telling::decline(session, &error, self.document))
    }

    /// What speaks against the new state, and the losses that were let through.
    fn reasons(&self, allowed: &[String]) -> (Vec<String>, Vec<Loss>) {
        let after = match &self.after {
            After::Same if self.ended.failure().is_none() => {
                let reason = "it changed nothing, although it did in the rehearsal";
                return (vec![reason.to_owned()], Vec::new());
            }
            After::Same => return (Vec::new(), Vec::new()),
            After::Broken(reasons) => return (reasons.clone(), Vec::new()),
            After::Other(after) => after,
        };
        let (mut reasons, losses) = match migration::judge(&self.before, after, allowed) {
            Verdict::Refused(losses) => {
                (losses.into_iter().map(|loss| loss.what).collect(), Vec::new())
            }
            Verdict::Allowed(losses) => (Vec::new(), losses),
            Verdict::NothingPending => (Vec::new(), Vec::new()),
        };
        if self.ended.failure().is_none() && !after.has_schema_of(&self.rehearsed) {
            reasons.push("the schema is not the one that the rehearsal led to".to_owned());
            let changes = self.rehearsed.schema.changes(&after.schema);
            reasons.extend(changes.iter().map(|change| format!("other than rehearsed: {change}")));
        }
        (reasons, losses)
    }

    fn succeed(
        mut self,
        session: &mut Session,
        job: &Job<'_>,
        locked: &Locked<'_>,
        losses: &[Loss],
    ) -> Result<Answer> {
        let After::Other(after) = &self.after else {
            anyhow::bail!("a migration that changed nothing is no success");
        };
        let place = job.project.place(job.database);
        session.say(format!("Migrated {place} in {}", text::took(self.ended.took)));
        telling::say_changes(session, &self.before, after, losses);
        let differing: Vec<_> = migration::rows(&self.rehearsed, after).into_keys().collect();
        if !differing.is_empty() {
            session.note(format!(
                "Other numbers of rows than in the rehearsal, written by others meanwhile: {}",
                differing.join(", ")
            ));
        }
        session.say(format!("Undo with: {}", way_back(job, &self.second)));
        prune_automatic(session, job.project, locked, job.database)?;
        self.document["outcome"] = "migrated".into();
        self.document["let_through"] = telling::let_through(losses);
        session.document(&self.document);
        Ok(Answer::Yes)
    }

    fn failed(&self, job: &Job<'_>, state: &str) -> String {
        let place = job.project.quoted_place(job.database);
        let verb = if self.interrupted { "was interrupted" } else { "failed" };
        format!("the migration of {place} {verb}; {state}")
    }

    fn unchanged(&mut self, job: &Job<'_>, reasons: &[String]) -> anyhow::Error {
        self.document["outcome"] = "unchanged".into();
        let refusal = Refusal {
            what: self.failed(job, "the database is as it was before"),
            hint: "correct the cause and run `cargo xtask db-migrate` again".to_owned(),
            exit: Exit::No,
        };
        telling::because(reasons, refusal)
    }

    /// Rows differ, the schema does not: those of the application cannot be told from those of the
    /// migration, so neither are replaced.
    fn left_alone(&mut self, job: &Job<'_>, reasons: &[String]) -> anyhow::Error {
        self.document["outcome"] = "left-alone".into();
        let refusal = Refusal {
            what: self.failed(
                job,
                "its schema is as before, its rows are not, by the migration or an application; \
                 nothing was put back",
            ),
            hint: format!(
                "go back with `{}` (a safety backup is taken first), or go on with `cargo xtask \
                 db-migrate`",
                way_back(job, &self.second)
            ),
            exit: Exit::No,
        };
        telling::because(reasons, refusal)
    }

    fn was_put_back(&self, job: &Job<'_>, reasons: &[String], replaced: &str) -> anyhow::Error {
        let state = format!("the state before it was put back; what it replaced: {replaced}");
        let refusal = Refusal {
            what: self.failed(job, &state),
            hint: "correct the cause and run `cargo xtask db-migrate` again".to_owned(),
            exit: Exit::No,
        };
        telling::because(reasons, refusal)
    }
}

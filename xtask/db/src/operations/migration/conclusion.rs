//! How a migration of the live database ends: it succeeds, or the old state is restored.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::writer::Locked;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text;
use crate::host::command::Ended;
use crate::host::session::Session;
use crate::migrate::state::State;
use crate::migrate::verdict::effects::Effects;
use crate::migrate::verdict::loss::{Comparison, Loss};
use crate::migrate::verdict::{self, Verdict};
use crate::operations::migration::document::{Document, let_through};
use crate::operations::migration::job::Job;
use crate::operations::migration::way_back::{kept, put_back, way_back};
use crate::operations::migration::{rehearsal_end, report};
use crate::operations::retain::prune_automatic;

/// State of the live database after the command.
pub(crate) enum After {
    /// Its content is that of the second checkpoint: nothing happened.
    Same,
    /// Another state.
    Other(Box<State>, Box<Effects>),
    /// It is gone or damaged, and how.
    Broken(Vec<String>),
}

/// One migration of the live database.
pub(crate) struct Run {
    /// The checkpoint taken right before.
    pub(crate) second: Backup,
    /// Backup from before the rehearsal, if rows changed since.
    pub(crate) earlier: Option<Backup>,
    /// The state that it contains.
    pub(crate) before: State,
    /// How the command ended.
    pub(crate) ended: Ended,
    /// Whether the user interrupted.
    pub(crate) interrupted: bool,
    /// State of the live database now.
    pub(crate) after: After,
    /// The state that the rehearsal produced.
    pub(crate) rehearsed: State,
    /// The document of `--json`.
    pub(crate) document: Document,
}

/// The same, with the exit code of an interrupt.
fn interrupted(error: &anyhow::Error) -> anyhow::Error {
    let hint = "run `cargo xtask db-migrate` again".to_owned();
    Refusal { what: error.to_string(), hint, exit: Exit::Interrupted }.into()
}

impl Run {
    /// Reports success, or restores the old state.
    pub(crate) fn conclude(
        mut self,
        session: &mut Session,
        job: &Job<'_>,
        locked: Locked<'_>,
    ) -> Result<Answer> {
        let (mut reasons, losses) = self.reasons(job);
        reasons.splice(0..0, self.ended.failure());
        let is_done = reasons.is_empty() && !self.interrupted;
        if is_done || !self.is_other() {
            job.claim.conclude(&locked)?;
        }
        if is_done {
            return self.succeed(session, job, &locked, &losses);
        }
        let error = match &self.after {
            After::Same => self.unchanged(job, &reasons),
            After::Other(after, _) if after.has_schema_of(&self.before) => {
                self.left_alone(job, &reasons)
            }
            After::Other(..) | After::Broken(_) => {
                let restored = put_back(session, job, &locked, &self.second)?;
                job.claim.conclude(&locked)?;
                drop(locked);
                rehearsal_end::say_put_back(session, job, &self.second, &restored);
                rehearsal_end::rebuild_derived(session, job);
                self.document.safety = restored.safety();
                self.document.outcome = Some("put-back");
                self.was_put_back(job, &reasons, &kept(job, &restored))
            }
        };
        if self.interrupted {
            return Err(interrupted(&error));
        }
        self.document.error = Some(report::decline(session, &error));
        session.document(&self.document);
        Ok(Answer::No)
    }

    /// Whether it may be unusable: with another schema, or unreadable.
    fn is_other(&self) -> bool {
        match &self.after {
            After::Same => false,
            After::Other(after, _) => !after.has_schema_of(&self.before),
            After::Broken(_) => true,
        }
    }

    /// The objections to the new state, and the losses that were allowed.
    fn reasons(&self, job: &Job<'_>) -> (Vec<String>, Vec<Loss>) {
        let (after, effects) = match &self.after {
            After::Same if self.ended.failure().is_none() => {
                let reason = "it changed nothing, unlike in the rehearsal";
                return (vec![reason.to_owned()], Vec::new());
            }
            After::Same => return (Vec::new(), Vec::new()),
            After::Broken(reasons) => return (reasons.clone(), Vec::new()),
            After::Other(after, effects) => (after, effects),
        };
        let of = Comparison { before: &self.before, after, effects };
        let (mut reasons, losses) = match verdict::judge(&of, &job.allowances(&of)) {
            Verdict::Refused(losses) => {
                let mut reasons: Vec<_> = losses.into_iter().map(|loss| loss.what).collect();
                let why =
                    "the rehearsal had no such loss: an application may have written meanwhile";
                reasons.push(why.to_owned());
                (reasons, Vec::new())
            }
            Verdict::Allowed(losses) => (Vec::new(), losses),
            Verdict::NothingPending => (Vec::new(), Vec::new()),
        };
        if self.ended.failure().is_none() && !after.has_schema_of(&self.rehearsed) {
            reasons.push("the schema differs from the one after the rehearsal".to_owned());
            let changes = self.rehearsed.schema.changes(&after.schema);
            reasons
                .extend(changes.iter().map(|change| format!("unlike in the rehearsal: {change}")));
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
        let After::Other(after, effects) = &self.after else {
            anyhow::bail!("a migration that changed nothing is not a success");
        };
        let place = job.project.place(job.database);
        session.say(format!("Migrated {place} in {}", text::took(self.ended.took)));
        let of = Comparison { before: &self.before, after, effects };
        report::say_changes(session, &of, losses);
        let differing: Vec<_> = verdict::rows(&self.rehearsed, after).into_keys().collect();
        if !differing.is_empty() {
            session.note(format!(
                "Row counts that differ from the rehearsal, written by others in the meantime: {}",
                differing.join(", ")
            ));
        }
        session.say(format!("Undo with: {}", way_back(job, &self.second)));
        if let Some(earlier) = &self.earlier {
            session.say(format!("Before the rehearsal: {}", way_back(job, earlier)));
        }
        prune_automatic(session, job.project, locked, job.database)?;
        self.document.outcome = Some("migrated");
        self.document.let_through = Some(let_through(losses));
        session.document(&self.document);
        Ok(Answer::Yes)
    }

    fn failed(&self, job: &Job<'_>, state: &str) -> String {
        let place = job.project.quoted_place(job.database);
        let verb = if self.interrupted { "was interrupted" } else { "failed" };
        format!("the migration of {place} {verb}; {state}")
    }

    fn unchanged(&mut self, job: &Job<'_>, reasons: &[String]) -> anyhow::Error {
        self.document.outcome = Some("unchanged");
        let refusal = Refusal {
            what: self.failed(job, "the database is as it was before"),
            hint: "correct the cause and run `cargo xtask db-migrate` again".to_owned(),
            exit: Exit::No,
        };
        report::because(reasons, refusal)
    }

    /// Rows differ, the schema does not: those of the application cannot be told from those of the
    /// migration, so neither are replaced.
    fn left_alone(&mut self, job: &Job<'_>, reasons: &[String]) -> anyhow::Error {
        self.document.outcome = Some("left-alone");
        let refusal = Refusal {
            what: self.failed(
                job,
                "its schema is unchanged, but the migration or an application changed its rows; \
                 nothing was restored",
            ),
            hint: format!(
                "go back with `{}` (a safety backup is taken first), or go on with `cargo xtask \
                 db-migrate`",
                way_back(job, &self.second)
            ),
            exit: Exit::No,
        };
        report::because(reasons, refusal)
    }

    fn was_put_back(&self, job: &Job<'_>, reasons: &[String], replaced: &str) -> anyhow::Error {
        let state = format!("the state before it was restored; what it replaced: {replaced}");
        let refusal = Refusal {
            what: self.failed(job, &state),
            hint: "correct the cause and run `cargo xtask db-migrate` again".to_owned(),
            exit: Exit::No,
        };
        report::because(reasons, refusal)
    }
}

//! The output of `--json` for a rehearsal and a migration.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::host::command::Ended;
use crate::host::session::failure::Failure;
use crate::host::session::json_stream::VERSION;
use crate::migrate::verdict::loss::{Comparison, Loss};
use crate::migrate::verdict::{self, Rows, remarks};
use crate::operations::migration::job::Job;
use crate::operations::migration::rehearsed::Rehearsed;
use crate::sqlite::schema::change::Change;

/// A rehearsal, and the migration if one followed.
#[derive(Serialize)]
pub(crate) struct Document {
    version: u32,
    database: String,
    command: Vec<String>,
    /// How it ended, as a word; `None` until that is known.
    pub(crate) outcome: Option<&'static str>,
    /// The checkpoint from before the rehearsal, if the migration followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_checkpoint: Option<String>,
    /// The checkpoint to go back to.
    pub(crate) checkpoint: Option<String>,
    /// The safety backup of the replaced state.
    pub(crate) safety: Option<String>,
    rehearsal: Rehearsal,
    rows_changed_meanwhile: bool,
    #[serde(flatten)]
    effects: Option<Effects>,
    /// The run on the live database, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) migration: Option<Run>,
    /// The losses that the user let through, if it was allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) let_through: Option<Vec<String>>,
    /// Why the answer is no, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Failure>,
}

/// The changes of the rehearsal, if they could be determined.
#[derive(Serialize)]
struct Effects {
    changes: Vec<Change>,
    rows: BTreeMap<String, Rows>,
    values: Vec<String>,
    warnings: Vec<String>,
}

/// The run of the command on a copy.
#[derive(Serialize)]
struct Rehearsal {
    #[serde(flatten)]
    run: Run,
    /// Whether the command opened the copy.
    opened: bool,
}

/// One run of the command.
#[derive(Serialize)]
pub(crate) struct Run {
    exit_code: Option<i32>,
    failure: Option<String>,
    took_ms: u64,
}

impl Document {
    /// Describes a rehearsal whose outcome is not reported yet.
    #[must_use]
    pub(crate) fn of(job: &Job<'_>, rehearsed: &Rehearsed) -> Self {
        let rehearsal = &rehearsed.rehearsal;
        Self {
            version: VERSION,
            database: job.database.name.clone(),
            command: job.command.clone(),
            outcome: None,
            first_checkpoint: None,
            checkpoint: None,
            safety: None,
            rehearsal: Rehearsal { run: Run::of(&rehearsal.ended), opened: rehearsal.opened },
            rows_changed_meanwhile: rehearsed.rows_changed,
            effects: rehearsal.comparison().map(|of| Effects::of(&of)),
            migration: None,
            let_through: None,
            error: None,
        }
    }

    /// The changes of the rehearsal to the schema.
    #[must_use]
    pub(crate) fn changes(&self) -> &[Change] {
        self.effects.as_ref().map_or(&[], |effects| &effects.changes)
    }
}

impl Effects {
    fn of(of: &Comparison<'_>) -> Self {
        Self {
            changes: of.before.schema.changes(&of.after.schema),
            rows: verdict::rows(of.before, of.after),
            values: remarks::remarks(of.effects),
            warnings: remarks::warnings(of),
        }
    }
}

impl Run {
    /// How the command ended.
    #[must_use]
    pub(crate) fn of(ended: &Ended) -> Self {
        Self {
            exit_code: ended.exit_code(),
            failure: ended.failure(),
            took_ms: u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The losses that the user let through, in words.
#[must_use]
pub(crate) fn let_through(losses: &[Loss]) -> Vec<String> {
    losses.iter().map(|loss| loss.what.clone()).collect()
}

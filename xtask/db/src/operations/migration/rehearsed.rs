//! A rehearsal that was done, and what follows from it.

use crate::capture::plain::Staged;
use crate::migrate::rehearsal_result::Rehearsal;
use crate::migrate::verdict::loss::Loss;

/// A rehearsal and its outcome.
pub(crate) struct Rehearsed {
    /// The copy of the state before; it becomes the checkpoint.
    pub(crate) staged: Box<Staged>,
    /// The rehearsal.
    pub(crate) rehearsal: Rehearsal,
    /// Its outcome.
    pub(crate) outcome: Outcome,
    /// Whether rows of the live database changed in the meantime.
    pub(crate) rows_changed: bool,
}

/// The outcome of a rehearsal.
pub(crate) enum Outcome {
    /// Nothing is to be done.
    NothingPending,
    /// The migration may run; the losses are those that were allowed.
    Allowed(Vec<Loss>),
    /// It may not, and why not.
    Refused(Vec<String>, Hint),
    /// The command changed the schema of the live database.
    Touched(Vec<String>),
    /// The schema of the live database changed, and this is known about who did it: perhaps somebody else.
    Changed(Vec<String>),
    /// The user interrupted.
    Interrupted,
}

/// The hint of a refusal.
pub(crate) enum Hint {
    /// Correct the migration.
    Correct,
    /// Name the losses to allow.
    Allow(Vec<String>),
    /// Point the command at the copy.
    Variable,
}

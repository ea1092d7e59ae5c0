//! The result of a rehearsal, whatever the engine.

use anyhow::Result;

use crate::host::command::Ended;
use crate::migrate::state::State;
use crate::migrate::verdict::effects::Effects;
use crate::migrate::verdict::loss::Comparison;

/// Result of a rehearsal.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    /// How the command ended.
    pub ended: Ended,
    /// Whether it opened the copy.
    pub opened: bool,
    /// Reasons why another process may have changed the live database in the meantime; empty if
    /// only the command can have.
    pub doubts: Vec<String>,
    /// The state before.
    pub before: State,
    /// The state after, or why it could not be read; the state before if the command failed.
    pub after: Result<State>,
    /// Effects on values, beyond row counts.
    pub effects: Effects,
    /// The size of the copy that the command left.
    pub size_bytes: u64,
}

impl Rehearsal {
    /// Both states, if the second can be read.
    #[must_use]
    pub(crate) fn comparison(&self) -> Option<Comparison<'_>> {
        let after = self.after.as_ref().ok()?;
        Some(Comparison { before: &self.before, after, effects: &self.effects })
    }
}

/// Identity of the state of the live database, read quickly and in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    /// BLAKE3 of the schema's statements.
    pub schema_blake3: String,
    /// `PRAGMA user_version`.
    pub user_version: i64,
    /// BLAKE3 of all content.
    pub content_blake3: String,
}

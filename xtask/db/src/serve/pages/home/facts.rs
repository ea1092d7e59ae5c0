//! What the first page is made from.

use crate::serve::documents::backup::{Backup, State};
use crate::serve::documents::diff::Difference;
use crate::serve::documents::status::Status;
use crate::serve::pages::home::query::Query;

/// What the first page is made from: all about the database that `Context` names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HomeFacts<'a> {
    pub(crate) status: &'a Status,
    /// The backups of the database, newest first.
    pub(crate) backups: &'a [Backup],
    /// What changed in the database since [`newest_proved`].
    pub(crate) since: Since<'a>,
    pub(crate) query: &'a Query,
}

/// What changed in the database since the newest proved backup.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Since<'a> {
    Known(&'a Difference),
    /// It is being computed.
    Pending,
    /// It could not be computed, for this reason.
    Failed(&'a str),
}

/// The newest backup whose last examination was clean: the one to compare with.
#[must_use]
pub(crate) fn newest_proved(backups: &[Backup]) -> Option<&Backup> {
    let is_proved = |backup: &&Backup| backup.state() == State::Verified && backup.age_seconds >= 0;
    let is_safety = |backup: &&Backup| backup.kind() == "safety";
    let proved = || backups.iter().filter(is_proved);
    // A safety backup is the state that somebody chose to leave.
    proved().find(|backup| !is_safety(backup)).or_else(|| proved().next())
}

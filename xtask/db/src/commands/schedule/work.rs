//! What a run works for.

use std::time::Duration;

use chrono::{DateTime, FixedOffset};

use crate::host::project::Project;
use crate::host::project::schedule::Schedule;
use crate::schedule::home::Home;

/// A run, and its slot.
pub(super) struct Work<'a> {
    pub(super) project: &'a Project,
    pub(super) schedule: &'a Schedule,
    pub(super) home: &'a Home,
    pub(super) slot: DateTime<FixedOffset>,
    /// The lock timeout that was given.
    pub(super) patience: Option<Duration>,
}

//! What a run works for.

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
}

//! Decides which backups are kept and why, and removes the others.

pub(crate) mod branch_states;
#[cfg(feature = "bundle")]
pub(crate) mod by_time;
pub(crate) mod plan;
pub(crate) mod protection;
pub(crate) mod prune;
pub(crate) mod repack;
pub(crate) mod repack_plan;
pub(crate) mod weight;

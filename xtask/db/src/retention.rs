//! Which backups are kept and why, and the removal of the others.

pub(crate) mod branch_states;
pub(crate) mod plan;
pub(crate) mod protection;
pub(crate) mod prune;
pub(crate) mod reclaim_plan;
pub(crate) mod repack;
pub(crate) mod weight;

//! The way back: the plan, the write into the live database, the proof.

pub(crate) mod by_difference;
pub(crate) mod keep_present;
pub(crate) mod plan;
pub(crate) mod proof;
pub(crate) mod source;
pub(crate) mod tables;
pub(crate) mod write;

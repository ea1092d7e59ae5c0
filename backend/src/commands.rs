//! One file per command: its arguments and its act.

pub(crate) mod migrate;
pub(crate) mod reindex;
pub(crate) mod seed;
pub(crate) mod serve;

//! Bundles: one archive of a whole installation, and the way back from it.

pub(crate) mod attacks;
pub(crate) mod installation;
pub(crate) mod kills;
pub(crate) mod older_server;
pub(crate) mod rescue;
pub(crate) mod retention;
pub(crate) mod round_trip;
pub(crate) mod snapshots;
pub(crate) mod streams;
pub(crate) mod volumes;
pub(crate) mod ways_out;

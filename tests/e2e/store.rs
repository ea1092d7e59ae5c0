//! The page store.

pub(crate) mod flipped_bits;
pub(crate) mod kill;
pub(crate) mod pack_readings;
pub(crate) mod proof;
pub(crate) mod prune;
pub(crate) mod verify;

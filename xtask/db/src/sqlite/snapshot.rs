//! One consistent snapshot of a live database.

pub(crate) mod copy;

//! Restores a database to the state of a backup: the old state or the new one, proved before it counts.
//!
//! Two ways: a swap builds a new database beside the old one and exchanges their names; in place, one
//! transaction replaces the content, so that connected sessions survive.

pub(crate) mod fill;
pub(crate) mod in_place;
pub(crate) mod leftovers;
mod load;
pub(crate) mod source;
pub(crate) mod swap;

#[cfg(test)]
mod tests;

//! The documents for people: every command in them is run.

pub(crate) mod configuration_tables;
pub(crate) mod guides;

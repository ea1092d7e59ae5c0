//! The steps of a restore, for every command that restores.

pub(crate) mod candidate;
mod confirmation;
pub(crate) mod derived_data;
pub(crate) mod dialogue;
pub(crate) mod expected_live;
pub(crate) mod in_place;
pub(crate) mod into_path;
pub(crate) mod on_server;
pub(crate) mod preview;
pub(crate) mod put_back;
mod receipt;
pub(crate) mod request;
pub(crate) mod restore_one;
pub(crate) mod safety_backup;
mod single_tables;
pub(crate) mod state_left;

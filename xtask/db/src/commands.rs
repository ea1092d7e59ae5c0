//! One file per command: its arguments and its run, which gathers, decides, acts and reports.

pub(crate) mod backup;
pub(crate) mod bundle;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod flags;
pub(crate) mod hooks;
pub(crate) mod import;
pub(crate) mod label;
pub(crate) mod list;
pub(crate) mod migrate;
pub(crate) mod pin;
pub(crate) mod pre_deploy;
pub(crate) mod pre_migrate;
pub(crate) mod prune;
pub(crate) mod recover;
pub(crate) mod remove;
pub(crate) mod reset;
pub(crate) mod restore;
pub(crate) mod rollback;
pub(crate) mod schedule;
pub(crate) mod setup;
pub(crate) mod status;
pub(crate) mod supervise;
pub(crate) mod verify;

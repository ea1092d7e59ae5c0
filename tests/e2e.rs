//! End to end: the real binary in a sealed sandbox, one feature per file.

#[path = "e2e/sandbox.rs"]
mod sandbox;

#[path = "e2e/backup.rs"]
mod backup;
#[path = "e2e/configuration.rs"]
mod configuration;
#[path = "e2e/help.rs"]
mod help;
#[path = "e2e/large.rs"]
mod large;
#[path = "e2e/list.rs"]
mod list;
#[path = "e2e/prune.rs"]
mod prune;
#[path = "e2e/setup.rs"]
mod setup;
#[path = "e2e/tidy.rs"]
mod tidy;

//! End to end: the real binary in a sealed sandbox, one feature per file.

mod backup;
mod backups;
mod bench;
mod bundle;
mod ci;
mod console;
mod documents;
mod faults;
mod folder;
mod hooks;
mod host;
mod live;
mod migrate;
mod postgres;
mod predecessors;
mod restore;
mod rollback;
mod rows;
mod schedule;
mod serve;
mod status;
mod store;
mod support;
mod tidy;

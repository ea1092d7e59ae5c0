//! End to end: the real binary in a sealed sandbox, one feature per file.

#[path = "e2e/sandbox.rs"]
mod sandbox;

#[path = "e2e/backup.rs"]
mod backup;

#[path = "e2e/bench.rs"]
mod bench;

#[path = "e2e/ci.rs"]
mod ci;

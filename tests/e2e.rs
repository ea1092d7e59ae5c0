//! End to end: the real binary in a sealed sandbox, one feature per file.

#[path = "e2e/sandbox.rs"]
mod sandbox;

#[path = "e2e/backup.rs"]
mod backup;

#[path = "e2e/museum.rs"]
mod museum;

#[path = "e2e/matrix.rs"]
mod matrix;

#[path = "e2e/inuse.rs"]
mod inuse;

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

#[path = "e2e/roundtrip.rs"]
mod roundtrip;

#[path = "e2e/damage.rs"]
mod damage;

#[path = "e2e/sources.rs"]
mod sources;

#[path = "e2e/records.rs"]
mod records;

#[path = "e2e/strace.rs"]
mod strace;

#[path = "e2e/diskfull.rs"]
mod diskfull;

#[path = "e2e/kill.rs"]
mod kill;

#[path = "e2e/server.rs"]
mod server;

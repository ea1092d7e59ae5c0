//! Snapshots of file systems: taken before a bundle under names of ours, listed, sent as streams, and removed.
//!
//! Each kind is a contract with other programs: `zfs`, `btrfs`, or the two commands that the configuration names.
//! Nothing is removed whose name is not ours. Going back to a snapshot, and receiving a stream, are left to the user.

pub(crate) mod name;
mod notes;
pub(crate) mod programs;
pub(crate) mod receive;
mod running;
mod send;
pub(crate) mod volume;

//! Kills, full disks, refused threads, and what they leave.

pub(crate) mod disk_full;
pub(crate) mod interrupted_commands;
pub(crate) mod kill;
pub(crate) mod refused_threads;

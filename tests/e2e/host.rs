//! What comes from the host: its configuration and its commands.

pub(crate) mod configuration;
pub(crate) mod several_databases;
pub(crate) mod supervised_commands;

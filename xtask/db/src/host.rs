//! Everything from outside: the project, its configuration, its commands, the session.

pub(crate) mod command;
pub(crate) mod configuration;
pub(crate) mod environment;
pub(crate) mod project;
pub(crate) mod session;

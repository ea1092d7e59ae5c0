//! The tasks as a host sees them: one value that clap parses and a session runs.

use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{ArgMatches, FromArgMatches, Parser, Subcommand};

use crate::cli::Task;
use crate::console::refusal::Exit;
use crate::host::session::Session;

/// Any `db-*` task; flatten it into the enum of your own xtask.
///
/// Which tasks and flags there are is for people to know and not for programs: a host compiles with
/// every newer version, and `Command` is as small as a pointer.
#[derive(Debug)]
pub struct Command(Box<Task>);

impl Command {
    /// Runs the command, prints the result and returns the exit code of the process.
    #[must_use]
    pub fn run(self, session: Session) -> ExitCode {
        ExitCode::from(self.run_to_end(session) as u8)
    }

    pub(crate) fn run_to_end(self, session: Session) -> Exit {
        self.0.run(session)
    }
}

/// The versions of this crate and of the SQLite inside it, on one line: what a host's `--version` prints.
#[must_use]
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        format!("xtask-db {}, SQLite {}", env!("CARGO_PKG_VERSION"), rusqlite::version())
    });
    &VERSION
}

/// Database tasks of this workspace; other tasks are not listed here
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    override_usage = "cargo xtask <COMMAND>\n       cargo xtask db-help [COMMAND]",
    disable_help_subcommand = true,
    disable_version_flag = true
)]
pub(crate) struct Alone {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl FromArgMatches for Command {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Task::from_arg_matches(matches).map(|task| Self(Box::new(task)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl Subcommand for Command {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        Task::augment_subcommands(command)
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Task::augment_subcommands_for_update(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Task::has_subcommand(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_s_enum_does_not_grow_with_our_flags() {
        assert_eq!(size_of::<Command>(), size_of::<usize>());
    }
}

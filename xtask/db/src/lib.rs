//! A safety net for a project's SQLite database: `cargo xtask db-*`.
//!
//! # A guided walk
//!
//! A host flattens [`Command`] into its own xtask and runs it in a [`Session`]:
//!
//! ```no_run
//! #[derive(clap::Parser)]
//! enum Xtask {
//!     #[command(flatten)]
//!     Db(xtask_db::Command),
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let Xtask::Db(command) = xtask_db::parse();
//!     xtask_db::main(command)
//! }
//! ```
//!
//! Everything from outside (clock, environment, streams, signals) enters with the session; the
//! host's settings are a [`Project`], read from `[workspace.metadata.db]` or built in code.
//!
//! The wings, from the roof to the ground, each using only what is below it: `commands` and the
//! `operations` that they share; `health`, `restore`, `migrate`; `rows`; `hooks`, `capture`,
//! `retention`, `schedule`, `recovery`; `host`; `branches`; `backups`; `git`; `sqlite`; `files`; `console`.
//!
//! One backup: `sqlite::probe` looks at the file, `sqlite::connection` opens it, `sqlite::snapshot`
//! writes one snapshot into a stage of `files`, `sqlite::examination` finds what is wrong with it,
//! `backups::record` is its proof, `backups::writer` publishes both. One restore:
//! `backups::reference` finds the backup, `backups::verification` proves it, `restore::plan` plans,
//! `operations::restore` takes a safety backup, `restore::write` writes through SQLite's own locks
//! and proves the result.

mod arguments;
mod backups;
mod branches;
#[cfg(feature = "bundle")]
mod bundle;
mod capture;
mod cli;
mod command;
mod commands;
mod console;
mod files;
mod git;
mod health;
mod hooks;
mod host;
mod migrate;
mod operations;
mod postgres;
mod recovery;
mod restore;
mod retention;
mod rows;
mod schedule;
#[cfg(feature = "serve")]
mod serve;
mod sqlite;

use std::process::ExitCode;

use crate::console::refusal::Exit;
use crate::host::session;

pub use crate::arguments::parse;
pub use crate::console::text::Span;
pub use crate::git::repository::Place;
pub use crate::host::project::policy::Policy;
pub use crate::host::project::{Database, FollowBranches, Location, OnFailure, Project};
pub use crate::host::session::{NOW_VARIABLE, Session};
pub use crate::postgres::server::Server;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use crate::rows::import::load_sql;
pub use crate::sqlite::declared_references::{References, Referent};
pub use command::{Command, version};

/// Runs a command in the session of this process: what a host's `main` calls.
#[must_use]
pub fn main(command: Command) -> ExitCode {
    ExitCode::from(run_in_process(command) as u8)
}

/// Runs the `db-*` task that the first argument names, and ends the process; returns if it names none.
/// `db-help` lists the tasks, because the xtask's own `--help` does not know them.
///
/// For the first line of `main` in an xtask that does not read its arguments with clap, or whose commands
/// should stay as they are:
///
/// ```no_run
/// xtask_db::intercept();
/// // … the xtask's own tasks
/// ```
pub fn intercept() {
    if let Some(typed) = arguments::ours(std::env::args_os().collect()) {
        let exit = run_in_process(arguments::parse_words::<command::Alone>(&typed).command);
        // The command has returned: nothing is staged or locked any more.
        std::process::exit(exit as i32);
    }
}

#[expect(clippy::print_stderr, reason = "there is no session yet to print it")]
fn run_in_process(command: Command) -> Exit {
    match Session::from_process() {
        Ok(session) => command.run_to_end(session),
        Err(error) => {
            eprintln!("error: {}", session::fit(&format!("{error:#}")));
            Exit::CouldNot
        }
    }
}

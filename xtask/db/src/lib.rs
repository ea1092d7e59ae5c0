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
//! Everything from outside (clock, environment, streams, signals) enters with the session; what the
//! host says about itself is a [`Project`], read from `[workspace.metadata.db]` or built by hand.
//!
//! One backup goes through these rooms, each handing a value on and never back: `database` looks at
//! the file and opens it, `copy` writes one snapshot into a stage of `durable`, `examination` finds
//! what is wrong with it, `record` is its proof, `vault` publishes both. One restore: `reference`
//! finds the backup, `verification` proves it, `restoring` plans, takes a safety backup, writes
//! through SQLite's own locks and proves the result.

mod aside;
mod backup;
mod bounds;
mod branching;
mod checkpoint;
mod claim;
mod cli;
mod command;
mod commands;
mod configuration;
mod content;
mod contents;
mod copy;
mod database;
mod declared;
mod difference;
mod differing;
mod durable;
mod examination;
mod finding;
mod fresh;
mod git;
mod github;
mod glance;
mod health;
mod hidden;
mod holders;
mod home;
mod hooks;
mod hostcommand;
mod importing;
mod intent;
mod interrupt;
mod locked;
mod machine;
mod merging;
mod migration;
mod name;
mod orphans;
mod planted;
mod portable;
mod privacy;
mod progress;
mod project;
mod pruning;
mod record;
mod reference;
mod refusal;
mod rehearsal;
mod remaining;
mod remarks;
mod reserve;
mod restoring;
mod retention;
mod rollback;
mod schema;
mod schemafiles;
mod screen;
mod secret;
mod session;
mod space;
mod staging;
mod standing;
mod state;
mod store;
mod storing;
mod streamed;
mod tables;
mod taking;
mod text;
mod threads;
mod trailer;
mod vault;
mod verification;
mod watching;
mod witness;
mod writeback;

use std::process::ExitCode;
use std::sync::LazyLock;

use refusal::Exit;

pub use command::Command;
pub use commands::arguments::parse;
pub use declared::{References, Referent};
pub use git::Place;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use importing::load_sql;
pub use project::{Database, FollowBranches, OnFailure, Project};
pub use retention::Policy;
pub use session::{NOW_VARIABLE, Session};
pub use text::Span;

/// The versions of this crate and of the SQLite inside it, on one line: what a host's `--version` prints.
#[must_use]
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        format!("xtask-db {}, SQLite {}", env!("CARGO_PKG_VERSION"), rusqlite::version())
    });
    &VERSION
}

/// Runs a command in the session of this process: what a host's `main` calls.
#[must_use]
pub fn main(command: Command) -> ExitCode {
    ExitCode::from(run_in_process(command) as u8)
}

/// Runs the `db-*` task that the first argument names, and ends the process; returns if it names none.
///
/// For the first line of `main` in an xtask that does not read its arguments with clap, or whose commands
/// should stay as they are:
///
/// ```no_run
/// xtask_db::intercept();
/// // … the xtask's own tasks
/// ```
pub fn intercept() {
    let task = std::env::args_os().nth(1);
    if task.is_some_and(|task| task.as_encoded_bytes().starts_with(b"db-")) {
        let exit = run_in_process(parse::<command::Alone>().command);
        // The command has returned: nothing is staged or locked any more.
        std::process::exit(exit as i32);
    }
}

#[expect(clippy::print_stderr, reason = "there is no session yet that could say it")]
fn run_in_process(command: Command) -> Exit {
    match Session::from_process() {
        Ok(session) => command.run_to_end(session),
        Err(error) => {
            eprintln!("error: {}", session::fit(&format!("{error:#}")));
            Exit::CouldNot
        }
    }
}

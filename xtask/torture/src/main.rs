//! `torture`: random commands of `xtask-db` under random faults, each held against two questions.
//!
//! *Lost*: is there a state that still had an undamaged copy and cannot be restored? *A lie*: did a
//! command call something proved that it did not read, or that is not so? A third count, *broken*, has
//! whatever else must not happen: a command that crashes, or a next command that does not work.
//!
//! Every run has a seed, so that it can be repeated: `--seed N --runs 1`.

mod dice;
mod fault;
mod host;
mod ledger;
mod outcome;
mod power;
mod program;
mod run;
mod scenarios;
mod session;
mod state;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Random commands under random faults
#[derive(Debug, Parser)]
#[command(name = "cargo xtask torture", bin_name = "cargo xtask torture", max_term_width = 80)]
struct Torture {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    session: session::Args,
}

/// What this program plays within a world, started by the commands under test.
#[derive(Debug, Subcommand)]
enum Role {
    /// The host's migration command
    #[command(hide = true)]
    HostMigrate,
    /// The host's application, which writes all the time
    #[command(hide = true)]
    HostWrite,
}

fn main() -> ExitCode {
    let torture = Torture::parse();
    let outcome = match torture.role {
        Some(Role::HostMigrate) => host::migrate(),
        Some(Role::HostWrite) => host::write(),
        None => torture.session.run(),
    };
    outcome.unwrap_or_else(|error| {
        outcome::complain(&format!("error: {error:#}"));
        ExitCode::from(2)
    })
}

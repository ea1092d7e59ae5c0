//! The host's own tasks: the database's, and what this workspace needs besides.

mod bench;
mod ci;
mod package;
mod torture;

use std::process::ExitCode;

use clap::Parser;

/// Tasks of this workspace
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version = xtask_db::version(),
    arg_required_else_help = true
)]
enum Xtask {
    #[command(flatten)]
    Db(xtask_db::Command),
    /// Time the commands against `cp`, `.backup` and `VACUUM INTO`
    Bench(bench::Args),
    /// Run every check that a change must pass, like `.ci/run`
    #[command(after_help = ci::EXAMPLE)]
    Ci(ci::Args),
    /// Run random commands under random faults; report what was lost
    #[command(after_help = torture::EXAMPLE)]
    Torture(torture::Args),
}

fn main() -> ExitCode {
    let outcome = match xtask_db::parse() {
        Xtask::Db(command) => return xtask_db::main(command),
        Xtask::Bench(args) => args.run(),
        Xtask::Ci(args) => args.run(),
        Xtask::Torture(args) => args.run(),
    };
    outcome.unwrap_or_else(|error| fail(&error))
}

/// Reports why a task of this file could not be done.
#[expect(clippy::print_stderr, reason = "the one printer of these errors")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  caused by: {cause}");
    }
    ExitCode::from(2)
}

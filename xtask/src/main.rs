//! The host's own tasks: the database's, and what this workspace needs besides.

use std::process::ExitCode;

use clap::Parser;

/// Tasks of this workspace
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
enum Xtask {
    #[command(flatten)]
    Db(xtask_db::Command),
}

fn main() -> ExitCode {
    let Xtask::Db(command) = Xtask::parse();
    xtask_db::main(command)
}

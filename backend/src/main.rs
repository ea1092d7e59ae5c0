//! The sample host: a small chat backend that owns the database `kalito.db`.
//!
//! `migrate` creates the database and brings its schema up, `serve` answers
//! HTTP on the loopback interface, `seed` fills it with sample talks, `reindex`
//! rebuilds the full-text search. Only `migrate` ever creates a database file.

mod api;
mod commands;
mod connections;
mod database;
mod location;
mod migrations;
mod sample;
mod say;

use std::env;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::commands::{migrate, reindex, seed, serve};
use crate::location::Location;

/// A small chat backend
///
/// The database is the file in the variable `DATABASE_PATH` (relative to the
/// current folder), else `backend/db/kalito.db` in the workspace around it.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Migrate(migrate::Args),
    Serve(serve::Args),
    Seed(seed::Args),
    Reindex(reindex::Args),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// Finds the database and hands over to the command.
fn run(arguments: &Arguments) -> Result<()> {
    let folder = env::current_dir().context("could not read the current folder")?;
    let location = Location::find(env::var_os("DATABASE_PATH"), &folder)?;
    match &arguments.command {
        Command::Migrate(args) => migrate::run(args, &location),
        Command::Serve(args) => serve::run(args, &location),
        Command::Seed(args) => seed::run(args, &location),
        Command::Reindex(args) => reindex::run(args, &location),
    }
}

//! `cargo xtask-db init` adds xtask-db to a project: it shows every change as a diff, asks, and writes.
//! `cargo xtask-db uninit` takes the changes out again.

mod additions;
mod alias;
mod command;
mod consent;
mod database;
mod files;
mod host;
mod hunk;
mod ignored;
mod leftovers;
mod manifest;
mod migrations;
mod plan;
mod record;
mod refusal;
mod screen;
mod tasks;
mod toml_text;
mod uninit;
mod walk;
mod writing;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // As a subcommand, cargo repeats its name.
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "xtask-db") {
        words.remove(1);
    }
    let outcome = command::Command::parse_from(words).run();
    outcome.unwrap_or_else(|error| screen::fail(&error))
}

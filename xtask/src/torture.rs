//! `torture`: builds and runs the package of that name, which no other task compiles.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::package;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask torture --minutes 3
  cargo xtask torture --seed 4711 --runs 1     # the same run again
  cargo xtask torture --planted                # is each of three bugs found?
  cargo xtask torture -- --help                # every option";

/// The bugs of a test build, and the scenario that must find each.
const PLANTED: [(&str, &str); 3] =
    [("missing-folder-sync", "power"), ("unread-block", "store"), ("unwritten-note", "killed")];
/// A bug that is not found in so many runs is not found.
const MAX_RUNS: &str = "150";

/// Arguments of `torture`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Build in three bugs, one at a time, and fail unless each is found
    #[arg(long)]
    planted: bool,
    /// Options: `--minutes N`, `--runs N`, `--seed N`, `--only SCENARIO`,
    /// `--jobs N`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<OsString>,
}

impl Args {
    /// Runs the package with this program under test; its exit code is ours.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let xtask = package::xtask()?;
        if !self.planted {
            return package::exec(torture(&xtask, &self.options)?);
        }
        let built = build_with_bugs(&xtask)?;
        for (bug, scenario) in PLANTED {
            let options = ["--plant", bug, "--only", scenario, "--runs", MAX_RUNS];
            let options: Vec<OsString> = options.iter().map(OsString::from).collect();
            let mut command = torture(&built, &[&options[..], &self.options[..]].concat())?;
            let status = command.status().context("could not run cargo")?;
            if !status.success() {
                let code = status.code().and_then(|code| u8::try_from(code).ok());
                return Ok(ExitCode::from(code.unwrap_or(2)));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The package with the program under test and these options.
fn torture(xtask: &Path, options: &[OsString]) -> Result<Command> {
    let mut arguments = vec!["--xtask".into(), xtask.into()];
    arguments.extend_from_slice(options);
    package::command("torture", &arguments)
}

/// Builds the `xtask` with the bugs in it, and puts it beside the ordinary one, which stays.
fn build_with_bugs(xtask: &Path) -> Result<PathBuf> {
    let (shell, cargo) = (Shell::new()?, package::cargo());
    let (kept, built) = (xtask.with_extension("ordinary"), xtask.with_extension("planted"));
    fs_err::copy(xtask, &kept)?;
    let cargo_build =
        cmd!(shell, "{cargo} build --quiet --package xtask --features xtask-db/planted-faults");
    let status = Command::from(cargo_build).status().context("could not run cargo")?;
    ensure!(status.success(), "`cargo build` failed");
    fs_err::copy(xtask, &built)?;
    // In a new file: this one may be running.
    fs_err::remove_file(xtask)?;
    fs_err::copy(&kept, xtask)?;
    Ok(built)
}

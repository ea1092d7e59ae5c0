//! Tasks that are packages of their own, compiled when they are first asked for and not with every
//! first `cargo xtask`.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// Variables that `cargo run` sets for package `xtask`: with them, build scripts would run again
/// and tests would use that package's folder as their own.
const OF_CARGO_RUN: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// What `--quiet` takes away and a first build needs: the alias in `.cargo/config.toml` has it too.
const WITH_PROGRESS_BAR: [&str; 4] =
    ["--config", "term.progress.when='always'", "--config", "term.progress.width=80"];

/// This program, which the other packages try and time.
pub(crate) fn xtask() -> Result<PathBuf> {
    std::env::current_exe().context("could not find this program")
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds a package, with the profile of this program, and runs it with these arguments.
pub(crate) fn command(package: &str, arguments: &[OsString]) -> Result<Command> {
    let (shell, cargo) = (Shell::new()?, cargo());
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let mut command = Command::from(cmd!(shell, "{cargo} run --quiet --profile {profile}"));
    if std::io::stderr().is_terminal() {
        command.args(WITH_PROGRESS_BAR);
    }
    command.args(["--package", package, "--"]).args(arguments);
    forget_cargo_run(&mut command);
    Ok(command)
}

/// Puts the command in the place of this program, so that its exit code and its signals are ours.
pub(crate) fn exec(mut command: Command) -> Result<ExitCode> {
    // It returns only if the command could not be started.
    Err(command.exec()).context("could not run cargo")
}

/// Removes what the command inherited from the `cargo run` of this program.
pub(crate) fn forget_cargo_run(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if is_of_cargo_run(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
}

fn is_of_cargo_run(variable: &str) -> bool {
    OF_CARGO_RUN.iter().any(|prefix| variable.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_the_package_is_kept_from_the_command() {
        assert!(is_of_cargo_run("CARGO_MANIFEST_DIR"));
        assert!(is_of_cargo_run("CARGO_PKG_NAME"));
        assert!(!is_of_cargo_run("CARGO_HOME"));
        assert!(!is_of_cargo_run("CARGO_TARGET_DIR"));
    }
}

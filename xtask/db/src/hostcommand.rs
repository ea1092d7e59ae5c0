//! The host's own commands: its migrations, and what rebuilds derived data.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::git;
use crate::project::{Database, Project};

/// Runs a command of the host in its root, pointed at a database file. What it prints goes to
/// stderr as it comes, so that stdout keeps our results only; it cannot ask anything.
///
/// # Errors
///
/// Where it cannot be started or fails.
pub(crate) fn run(
    project: &Project,
    database: &Database,
    command: &[String],
    path: &Path,
) -> Result<()> {
    let (program, arguments) = command.split_first().context("the command is empty")?;
    let shell = Shell::new()?;
    shell.change_dir(&project.root);
    let (variable, value) = database.migrate_variable(path);
    let command = cmd!(shell, "{program} {arguments...}").env(variable, value);
    let mut command = std::process::Command::from(git::without_git_variables(command));
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("could not start `{program}`"))?;
    anyhow::ensure!(status.success(), "it ended with {status}");
    Ok(())
}

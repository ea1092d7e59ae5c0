//! The host's own commands: its migrations, and what rebuilds derived data.

use std::path::Path;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::git;
use crate::project::{Database, Project};

/// Runs a command of the host in its root, pointed at a database file. Its output goes to stderr,
/// so that stdout keeps our results only.
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
    let command = cmd!(shell, "{program} {arguments...}")
        .env(variable, value)
        .quiet();
    let output = git::without_git_variables(command)
        .ignore_status()
        .output()?;
    let said = [output.stdout, output.stderr].concat();
    std::io::Write::write_all(&mut std::io::stderr(), &said)?;
    anyhow::ensure!(output.status.success(), "it ended with {}", output.status);
    Ok(())
}

//! The host's own commands: its migrations, and what rebuilds derived data.

use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::git;
use crate::interrupt::Interrupt;
use crate::project::{Database, Project};
use crate::text;

/// Runs a command of the host in its root, pointed at the database. What it prints goes to
/// stderr as it comes, so that stdout keeps our results only; it cannot ask anything.
///
/// # Errors
///
/// Where it cannot be started, fails, takes longer than the timeout (it is killed then), or at the
/// user's interrupt.
pub(crate) fn run(
    project: &Project,
    database: &Database,
    command: &[String],
    timeout: Duration,
    interrupt: &Interrupt,
) -> Result<()> {
    let (program, arguments) = command.split_first().context("the command is empty")?;
    let shell = Shell::new()?;
    shell.change_dir(&project.root);
    let (variable, value) = database.migrate_variable(&database.path);
    let command = cmd!(shell, "{program} {arguments...}").env(variable, value);
    let mut command = std::process::Command::from(git::without_git_variables(command));
    let child = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .spawn()
        .with_context(|| format!("could not start `{program}`"))?;
    let status = wait(child, timeout, interrupt)?;
    anyhow::ensure!(status.success(), "it ended with {status}");
    Ok(())
}

fn wait(mut child: Child, timeout: Duration, interrupt: &Interrupt) -> Result<ExitStatus> {
    const PAUSE: Duration = Duration::from_millis(20);
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            // A child that shares our terminal is interrupted together with us.
            interrupt.check()?;
            return Ok(status);
        }
        if interrupt.check().is_err() || began.elapsed() > timeout {
            child.kill()?;
            child.wait()?;
            interrupt.check()?;
            anyhow::bail!("it did not end within {}", text::took(timeout));
        }
        std::thread::sleep(PAUSE);
    }
}

//! A step that is another of our commands: it runs as a process of its own, and what it prints is ours.

use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use anyhow::{Context as _, Result};

use super::work::Work;
use crate::console::refusal::{Exit, Refusal};
use crate::host::session::Session;
use crate::schedule::program;

/// Runs one of our commands.
///
/// # Errors
///
/// A refusal with its own error and hint if it fails.
pub(super) fn run(session: &mut Session, work: &Work<'_>, arguments: &[&str]) -> Result<()> {
    let own = session.binary().context("could not find this program's own file")?;
    let mut command = program::command_in(&work.project.root, &[own])?;
    let (reader, writer) = std::io::pipe()?;
    command.args(arguments).stdin(Stdio::null());
    let patience = work.project.busy_timeout.as_millis();
    command.arg("--busy-timeout").arg(format!("{patience}ms"));
    command.stdout(OwnedFd::from(writer.try_clone()?)).stderr(OwnedFd::from(writer));
    let mut child = command.spawn().context("could not start this program again")?;
    // It holds the ends for writing: without it, the reading ends with the child.
    drop(command);
    let (mut what, mut hint) = (None, None);
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if let Some(error) = line.strip_prefix("error: ") {
            what = Some(error.to_owned());
        } else if let Some(text) = line.strip_prefix("hint: ") {
            hint = Some(text.to_owned());
        }
        session.note(format!("  {line}"));
    }
    let status = child.wait()?;
    session.interrupt().check()?;
    let exit = match status.code() {
        Some(0) => return Ok(()),
        Some(1) => Exit::No,
        Some(3) => Exit::Locked,
        Some(130) => Exit::Interrupted,
        _ => Exit::CouldNot,
    };
    let shown = arguments.iter().take_while(|word| !word.starts_with('-')).copied();
    let shown = shown.collect::<Vec<_>>().join(" ");
    let what = what.unwrap_or_else(|| format!("it ended with {status}"));
    Err(Refusal {
        what: format!("`{shown}` failed: {what}"),
        hint: hint.unwrap_or_else(|| format!("run `cargo xtask {shown}` to see more")),
        exit,
    }
    .into())
}

//! The host's own commands: its migrations, and what rebuilds derived data.
//!
//! Each runs in a process group of its own, so that what it started can be ended together with it:
//! `cargo run` or `sh` alone would die and leave the migration running. Ctrl-C at a terminal then
//! reaches only us, and we end the group, and what left it.

mod descendants;
mod output;

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use xshell::{Shell, cmd};

use crate::git;
use crate::interrupt::Interrupt;
use crate::project::{Database, Project};
use crate::text;

use descendants::Descendants;
pub(crate) use output::read;

/// How often a child is asked whether it has ended.
const PAUSE: Duration = Duration::from_millis(10);
/// So long may a group that was asked to end (SIGTERM) take before it is killed or the user
/// interrupts again.
const GRACE: Duration = Duration::from_secs(2);

/// A command of the host, and the file it is pointed at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    /// In whose root it runs.
    pub project: &'a Project,
    /// Whose variable points it at the file.
    pub database: &'a Database,
    /// The file.
    pub path: &'a Path,
    /// Program and arguments.
    pub command: &'a [String],
    /// How long it may take.
    pub timeout: Duration,
}

/// How a command ended, and after how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// How.
    pub ending: Ending,
    /// After how long.
    pub took: Duration,
}

/// How a command ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// It took longer than this and was ended.
    TooLong(Duration),
    /// The user interrupted, and it was ended.
    Interrupted,
    /// What it printed was no good, and it was ended.
    Unwanted,
}

impl Ended {
    /// Why it failed, if it did.
    #[must_use]
    pub(crate) fn failure(&self) -> Option<String> {
        match self.ending {
            Ending::Exited(status) if status.success() => None,
            Ending::Exited(status) => Some(format!("it ended with {status}")),
            Ending::TooLong(timeout) => {
                Some(format!("it did not end within {}", text::took(timeout)))
            }
            Ending::Interrupted => Some("it was interrupted".to_owned()),
            Ending::Unwanted => Some("it was ended, because its output is no good".to_owned()),
        }
    }

    /// The exit code; `None` where a signal ended it.
    #[must_use]
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match self.ending {
            Ending::Exited(status) => status.code(),
            Ending::TooLong(_) | Ending::Interrupted | Ending::Unwanted => None,
        }
    }
}

/// How far its output was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Reading {
    /// There may be more.
    Goes,
    /// To its end, or nobody wants it.
    Over,
    /// No further: it is no good.
    GivenUp,
}

/// What becomes of processes that a command started and left running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leftovers {
    /// They stay: a command may start the application anew.
    Stay,
    /// They end: what they wrote would be seen by nobody.
    End,
}

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
    let task = Task { project, database, path: &database.path, command, timeout };
    let ended = supervise(&task, Leftovers::Stay, interrupt)?;
    interrupt.check()?;
    match ended.failure() {
        Some(failure) => anyhow::bail!(failure),
        None => Ok(()),
    }
}

/// Runs a migration to its end, whatever that is, with all that it started.
///
/// # Errors
///
/// Where it cannot be started.
pub(crate) fn migrate(task: &Task<'_>, interrupt: &Interrupt) -> Result<Ended> {
    supervise(task, Leftovers::End, interrupt)
}

fn supervise(task: &Task<'_>, leftovers: Leftovers, interrupt: &Interrupt) -> Result<Ended> {
    let _supervising = interrupt.while_supervising();
    let descendants = Descendants::watch();
    let child = spawn(task, Stdio::from(std::io::stderr()))?;
    let nobody_reads = AtomicU8::new(Reading::Over as u8);
    await_end((task, child), leftovers, (interrupt, &descendants), &nobody_reads)
}

/// Waits until a command has ended and its output was read, or ends it.
fn await_end(
    (task, mut child): (&Task<'_>, Child),
    leftovers: Leftovers,
    (interrupt, descendants): (&Interrupt, &Descendants),
    reading: &AtomicU8,
) -> Result<Ended> {
    let began = Instant::now();
    let group = Pid::from_child(&child);
    let ending = loop {
        let reading = reading.load(Ordering::SeqCst);
        if reading == Reading::GivenUp as u8 {
            break Some(Ending::Unwanted);
        }
        // As long as somebody holds its output open, there may be more of it.
        if has_ended(group)? && reading == Reading::Over as u8 {
            break None;
        }
        if interrupt.check().is_err() {
            break Some(Ending::Interrupted);
        }
        if began.elapsed() > task.timeout {
            break Some(Ending::TooLong(task.timeout));
        }
        std::thread::sleep(PAUSE);
    };
    if ending.is_some() {
        let asked = Instant::now();
        signal(group, Signal::TERM);
        while !has_ended(group)? && asked.elapsed() < GRACE && !interrupt.is_urgent() {
            std::thread::sleep(PAUSE);
        }
    }
    // The leader is not reaped yet, so that the group's number is nobody else's.
    if ending.is_some() || leftovers == Leftovers::End {
        signal(group, Signal::KILL);
        descendants.end(group);
    }
    let status = child.wait()?;
    Ok(Ended { ending: ending.unwrap_or(Ending::Exited(status)), took: began.elapsed() })
}

fn spawn(task: &Task<'_>, output: Stdio) -> Result<Child> {
    let (program, arguments) = task.command.split_first().context("the command is empty")?;
    let shell = Shell::new()?;
    shell.change_dir(&task.project.root);
    let (variable, value) = task.database.migrate_variable(task.path);
    let command = cmd!(shell, "{program} {arguments...}").env(variable, value);
    let mut command = std::process::Command::from(git::without_hook_variables(command));
    for variable in &task.project.hidden_variables {
        command.env_remove(variable);
    }
    command
        .stdin(Stdio::null())
        .stdout(output)
        .process_group(0)
        .spawn()
        .with_context(|| format!("could not start `{program}`"))
}

/// Whether the child has ended; it is not reaped.
fn has_ended(child: Pid) -> Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    match waitid(WaitId::Pid(child), options) {
        Ok(ended) => Ok(ended.is_some()),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(std::io::Error::from(error)).context("could not wait for the command"),
    }
}

/// A group that is gone already needs no signal.
fn signal(group: Pid, signal: Signal) {
    let _ = kill_process_group(group, signal);
}

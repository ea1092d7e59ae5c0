//! The output of a command, read while it runs.

use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::process::ChildStdout;
use std::time::Instant;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::console::interrupt::Interrupt;
use crate::host::command::patience::PAUSE;
use crate::host::command::supervised::{Meanwhile, Output, Standby};
use crate::host::command::{Ending, Leftovers, Run, Task, start};

/// Runs a command of the user in the project's root and passes its output to `read`; its messages
/// go to stderr. If the command fails, even at its very end, its output does not count.
///
/// # Errors
///
/// If it cannot be started, fails, exceeds the timeout, `read` fails, or at the user's interrupt.
pub(crate) fn read<T>(
    task: &Task<'_>,
    interrupt: &Interrupt,
    read: impl FnOnce(&mut dyn Read) -> Result<T>,
) -> Result<T> {
    let _supervising = interrupt.while_supervising();
    let standby = Standby::begin(task.project.itself.as_ref(), Output::Piped);
    let mut running = start(task, standby, interrupt)?;
    let output = running.take_output().context("the command has no output")?;
    let began = Instant::now();
    let run = Run { task, leftovers: Leftovers::Stay, interrupt };
    let mut output = UpToEnd { output, run, began, ending: None, is_over: false };
    let done = read(&mut output);
    let (ending, is_over) = (output.ending, output.is_over);
    // A process that still writes gets an error, because nobody reads.
    drop(output);
    // Output may be incomplete because the command failed.
    let is_good = done.is_ok() || is_over;
    let ended = match ending.or((!is_good).then_some(Ending::Unwanted)) {
        Some(ending) => run.conclude(running, Some(ending), began)?,
        None => run.await_end(running, Meanwhile { interrupt, began, witness: None })?,
    };
    interrupt.check()?;
    match ended.failure_of(&task.name()) {
        Some(failure) if !matches!(ended.ending, Ending::Unwanted) => anyhow::bail!(failure),
        _ => done,
    }
}

/// An output that knows when it was read to the end, and ends early when the command has to.
struct UpToEnd<'a> {
    output: ChildStdout,
    run: Run<'a>,
    began: Instant,
    /// Why the command has to end.
    ending: Option<Ending>,
    is_over: bool,
}

impl Read for UpToEnd<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while !self.can_read()? {
            self.ending = self.run.must_end(self.began);
            if self.ending.is_some() {
                return Err(io::Error::other("the command was ended"));
            }
        }
        let n_bytes = self.output.read(to)?;
        self.is_over |= n_bytes == 0 && !to.is_empty();
        Ok(n_bytes)
    }
}

impl UpToEnd<'_> {
    /// Waits a moment, and returns whether something can be read, or the end.
    fn can_read(&self) -> io::Result<bool> {
        let mut bells = [PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::IN)];
        match poll(&mut bells, Timespec::try_from(PAUSE).ok().as_ref()) {
            Ok(n_ready) => Ok(n_ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

//! A running command of the host, with everything that it started.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::host::command::descendants::Descendants;
use crate::host::command::patience::PAUSE;

/// A command in a process group of its own: `cargo run` or `sh` alone would die and leave the
/// migration running. Ctrl-C at a terminal reaches only us.
#[derive(Debug)]
pub(super) struct Tree {
    child: Child,
    group: Pid,
    /// Can be read once the command has ended, if the system has such a thing.
    end: Option<OwnedFd>,
    descendants: Descendants,
}

impl Tree {
    /// Starts a command.
    ///
    /// # Errors
    ///
    /// If the program cannot be started.
    pub(super) fn start(command: &mut Command) -> std::io::Result<Self> {
        let descendants = Descendants::watch();
        let child = command.stdin(Stdio::null()).process_group(0).spawn()?;
        let group = Pid::from_child(&child);
        Ok(Self { group, child, end: end_of(group), descendants })
    }

    /// The stdout of the command, if that is a pipe.
    pub(super) fn take_output(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Whether the command has ended. It is not reaped, so that its group's number stays its own.
    ///
    /// # Errors
    ///
    /// If the system does not report it.
    pub(super) fn has_ended(&self) -> Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(WaitId::Pid(self.group), options) {
            Ok(ended) => Ok(ended.is_some()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => {
                Err(std::io::Error::from(error)).context("could not wait for the command")
            }
        }
    }

    /// Waits a moment for the end of the command, unless that is known, or until something comes from
    /// `other`; returns whether that is so.
    pub(super) fn wait(&self, other: BorrowedFd<'_>, has_ended: bool) -> bool {
        let end = self.end.iter().filter(|_| !has_ended).map(OwnedFd::as_fd);
        let bell = |descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
        let mut bells: Vec<_> = std::iter::once(other).chain(end).map(bell).collect();
        let rang = poll(&mut bells, Timespec::try_from(PAUSE).ok().as_ref());
        rang.is_ok_and(|n_rang| n_rang > 0 && !bells[0].revents().is_empty())
    }

    /// Whether all of its processes have ended.
    ///
    /// # Errors
    ///
    /// As [`Tree::has_ended`].
    pub(super) fn is_gone(&self) -> Result<bool> {
        Ok(self.has_ended()? && self.descendants.is_gone())
    }

    /// Asks everything to end. A stopped process hears that only once it continues.
    pub(super) fn ask(&self) {
        for signal in [Signal::TERM, Signal::CONT] {
            // A group that is gone needs no signal.
            let _ = kill_process_group(self.group, signal);
            self.descendants.signal_outside(self.group, signal);
        }
    }

    /// Kills everything and returns how many processes could not be killed.
    pub(super) fn kill(&mut self) -> usize {
        let _ = kill_process_group(self.group, Signal::KILL);
        // Once it is reaped, orphans are the only children.
        let is_reaped = self.child.try_wait().is_ok_and(|status| status.is_some());
        if is_reaped && self.descendants.has_none() {
            return 0;
        }
        self.descendants.end(Some(self.group))
    }

    /// How the command ended; waits for that.
    ///
    /// # Errors
    ///
    /// If the system does not report it.
    pub(super) fn status(mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

#[cfg(target_os = "linux")]
fn end_of(command: Pid) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};

    pidfd_open(command, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn end_of(_command: Pid) -> Option<OwnedFd> {
    None
}

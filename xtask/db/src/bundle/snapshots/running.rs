//! A program for snapshots while it runs: it cannot ask anything, has a limit of time, and is ended together with what it
//! started.
//!
//! It has its own process group: Ctrl-C at a terminal reaches only us, and we end it. One thread serves both of its pipes, so
//! that it never waits for us.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::console::interrupt::Interrupt;
use crate::console::text;

/// How often the interrupt, the time and the end of the program are looked at.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// How long its end is waited for once its pipes are closed, before it is looked for again.
const MOMENT: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
const NOTHING: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// How long it may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How much is kept of what it complains about.
const MAX_COMPLAINT_BYTES: usize = 16 << 10;
/// How much of its complaints is read at once.
const PART_BYTES: usize = 4 << 10;

/// When the last of a program's output was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// When all that have its output closed it: nothing of a stream may be missing.
    Closed,
    /// When it has ended: what it left running may have its output for ever.
    Ended,
}

/// What a program needs beside its words.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    /// The user's interrupt.
    pub(super) interrupt: &'a Interrupt,
    /// How long it may take; if its output is a stream, how long it may print nothing.
    pub(super) timeout: Duration,
    /// When its output is complete.
    pub(super) until: Until,
}

/// A program that runs; it is ended with this value.
pub(super) struct Running<'a> {
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    complaint: Vec<u8>,
    /// Since when its time is counted.
    since: Instant,
    status: Option<ExitStatus>,
    limits: Limits<'a>,
}

impl<'a> Running<'a> {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub(super) fn start(command: &mut Command, limits: Limits<'a>) -> std::io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (complaint, since, status) = (Vec::new(), Instant::now(), None);
        Ok(Self { child, stdout, stderr, complaint, since, status, limits })
    }

    /// The next bytes that it prints; 0 after the last.
    ///
    /// # Errors
    ///
    /// If it takes too long, or at the user's interrupt.
    pub(super) fn read(&mut self, room: &mut [u8]) -> Result<usize> {
        while self.stdout.is_some() {
            let has_ended = self.limits.until == Until::Ended && self.has_ended()?;
            if !self.serve()? {
                if has_ended {
                    self.stdout = None;
                }
                continue;
            }
            let Some(n) = self.take_output(room)? else { continue };
            if n == 0 {
                self.stdout = None;
            } else if self.limits.until == Until::Closed {
                self.since = Instant::now();
            }
            return Ok(n);
        }
        Ok(0)
    }

    fn take_output(&mut self, room: &mut [u8]) -> Result<Option<usize>> {
        let Some(stdout) = &mut self.stdout else { return Ok(Some(0)) };
        match stdout.read(room) {
            Ok(n) => Ok(Some(n)),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it has ended; returns how, and what it complained about.
    ///
    /// # Errors
    ///
    /// If it takes too long, or at the user's interrupt.
    pub(super) fn wait(mut self) -> Result<(ExitStatus, String)> {
        self.stdout = None;
        while !self.has_ended()? {
            self.serve()?;
        }
        // What is in the pipe by now is all of its own.
        while self.stderr.is_some() && self.ready(NOTHING)?.complaint {
            self.take_complaint()?;
        }
        let status = self.status.unwrap_or_default();
        Ok((status, String::from_utf8_lossy(&self.complaint).into_owned()))
    }

    fn has_ended(&mut self) -> Result<bool> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status.is_some())
    }

    /// Waits a moment for one of its pipes; returns whether there is output to read.
    fn serve(&mut self) -> Result<bool> {
        self.limits.interrupt.check()?;
        if self.since.elapsed() > self.limits.timeout {
            let took = text::took(self.limits.timeout);
            match self.limits.until {
                Until::Closed => bail!("it printed nothing for {took}, and was stopped"),
                Until::Ended => bail!("it did not end within {took}, and was stopped"),
            }
        }
        let ready = self.ready(PAUSE)?;
        if ready.complaint {
            self.take_complaint()?;
        }
        Ok(ready.output)
    }

    /// Waits until one of its pipes has something, or is closed.
    fn ready(&self, pause: Timespec) -> Result<Ready> {
        let (stdout, stderr) =
            (self.stdout.as_ref().map(AsFd::as_fd), self.stderr.as_ref().map(AsFd::as_fd));
        let pipes = stdout.iter().chain(stderr.iter());
        let mut waited: Vec<_> =
            pipes.map(|pipe| PollFd::from_borrowed_fd(*pipe, PollFlags::IN)).collect();
        // Without a pipe, this is a pause.
        let pause = if waited.is_empty() { MOMENT } else { pause };
        match poll(&mut waited, Some(&pause)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut states = waited.iter().map(|pipe| !pipe.revents().is_empty());
        let output = stdout.is_some() && states.next().unwrap_or(false);
        Ok(Ready { output, complaint: states.next().unwrap_or(false) })
    }

    fn take_complaint(&mut self) -> Result<()> {
        let Some(stderr) = &mut self.stderr else { return Ok(()) };
        let mut part = [0; PART_BYTES];
        match stderr.read(&mut part) {
            Ok(0) => self.stderr = None,
            Ok(n) => {
                let room = MAX_COMPLAINT_BYTES.saturating_sub(self.complaint.len());
                self.complaint.extend_from_slice(&part[..n.min(room)]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Which pipes have something.
struct Ready {
    output: bool,
    complaint: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.status.is_some() {
            return;
        }
        // With its pipes closed, it cannot wait for us.
        (self.stdout, self.stderr) = (None, None);
        let group = Pid::from_child(&self.child);
        for signal in [Signal::TERM, Signal::KILL] {
            let _ = kill_process_group(group, signal);
            let asked = Instant::now();
            while asked.elapsed() < GRACE {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use xshell::{Shell, cmd};

    use super::*;

    fn check(script: &str, limits: Limits<'_>) -> Result<(String, ExitStatus, String)> {
        let shell = Shell::new()?;
        let mut command = Command::from(cmd!(shell, "sh -c {script}"));
        let mut running = Running::start(&mut command, limits)?;
        let (mut printed, mut room) = (Vec::new(), [0; 100]);
        loop {
            let n = running.read(&mut room)?;
            if n == 0 {
                break;
            }
            printed.extend_from_slice(&room[..n]);
        }
        let (status, complaint) = running.wait()?;
        Ok((String::from_utf8_lossy(&printed).into_owned(), status, complaint))
    }

    #[test]
    fn output_and_complaints_of_any_size_are_read_and_the_status_counts() {
        let interrupt = Interrupt::default();
        for until in [Until::Closed, Until::Ended] {
            let limits = Limits { interrupt: &interrupt, timeout: Duration::from_mins(1), until };
            let script = "yes | head -n 100000; yes no | head -n 100000 >&2; exit 3";
            let (printed, status, complaint) = check(script, limits).expect("it ran");
            assert_eq!((printed.len(), status.code()), (200_000, Some(3)));
            assert_eq!(complaint.len(), MAX_COMPLAINT_BYTES);
        }
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended_with_what_it_started() {
        let interrupt = Interrupt::default();
        let timeout = Duration::from_millis(300);
        for (until, expected) in
            [(Until::Closed, "printed nothing for"), (Until::Ended, "did not end within")]
        {
            let began = Instant::now();
            let limits = Limits { interrupt: &interrupt, timeout, until };
            let error = check("sleep 60 | cat", limits).expect_err("too long");
            assert!(error.to_string().contains(expected), "{error:#}");
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        }
    }

    #[test]
    fn what_a_program_leaves_running_holds_up_nothing_unless_it_prints_a_stream() {
        let interrupt = Interrupt::default();
        let limits =
            |until| Limits { interrupt: &interrupt, timeout: Duration::from_mins(1), until };
        let began = Instant::now();
        let (printed, ..) = check("echo a; sleep 30 &", limits(Until::Ended)).expect("it ran");
        assert_eq!(printed, "a\n");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let (printed, ..) = check("(sleep 0.3; echo b) &", limits(Until::Closed)).expect("it ran");
        assert_eq!(printed, "b\n");
    }

    #[test]
    fn an_interrupt_ends_it() {
        let interrupt = Interrupt::default();
        interrupt.raise();
        let timeout = Duration::from_mins(1);
        let limits = Limits { interrupt: &interrupt, timeout, until: Until::Ended };
        let error = check("sleep 60", limits).expect_err("interrupted");
        assert!(error.to_string().contains("interrupted"), "{error:#}");
    }
}

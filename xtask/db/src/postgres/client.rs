//! A running program of PostgreSQL's: the only file that starts one.
//!
//! One thread serves its three pipes, so that neither side can wait for the other for ever, and an
//! interrupt is noticed while it works. It has its own process group: Ctrl-C at a terminal reaches only
//! us, and we end it.

use std::io::{ErrorKind, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use xshell::{Shell, cmd};

use crate::console::interrupt::Interrupt;
use crate::postgres::server::Server;
use crate::postgres::trouble::Trouble;

/// How often an interrupt is looked for.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// How long a program may take to cancel what the server does for it.
const GRACE: Duration = Duration::from_secs(2);
/// What is kept of its complaints.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// What is read at once.
const PIPE_BYTES: usize = 64 << 10;
/// How much of a dump is handed on at once: `pg_dump` prints 4 KiB at a time, and waking threads for each
/// would take longer than what they do.
const PART_BYTES: usize = 512 << 10;
/// What a pipe holds: the most that Linux allows to every user.
#[cfg(target_os = "linux")]
const PIPE_CAPACITY_BYTES: usize = 1 << 20;
/// How long a pipe is left alone while much passes: the programs read and write 4 KiB at a time, and to be woken for each of them
/// takes a third of the time.
const NAP: Duration = Duration::from_micros(500);

/// What to start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: &'a [&'a str],
    /// Where it connects; `None` if it only prints its version.
    pub(crate) server: Option<&'a Server>,
}

/// A program that runs; it is ended with this value.
pub(crate) struct Client<'a> {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// What it printed and nobody has read yet.
    output: Vec<u8>,
    errors: Vec<u8>,
    /// Where a pipe is read into.
    room: Vec<u8>,
    status: Option<ExitStatus>,
    interrupt: &'a Interrupt,
    /// Past a point of no return, it must be known how the work ends.
    is_uninterruptible: bool,
}

impl<'a> Client<'a> {
    /// Starts a program.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub(crate) fn start(order: &Order<'_>, interrupt: &'a Interrupt) -> Result<Self> {
        let name = order.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (program, arguments) = (order.program, order.arguments);
        let shell = Shell::new()?;
        let mut command = Command::from(cmd!(shell, "{program} {arguments...}"));
        for (name, value) in order.server.map(Server::environment).unwrap_or_default() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.process_group(0).spawn();
        let mut child = child.with_context(|| format!("could not start `{name}`"))?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let pipes = [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd)];
        for pipe in pipes.into_iter().chain([stderr.as_ref().map(AsFd::as_fd)]).flatten() {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
            enlarge(pipe);
        }
        let (output, errors, room) = (Vec::new(), Vec::new(), vec![0; PIPE_BYTES]);
        let (status, is_uninterruptible) = (None, false);
        Ok(Self {
            name,
            child,
            stdin,
            stdout,
            stderr,
            output,
            errors,
            room,
            status,
            interrupt,
            is_uninterruptible,
        })
    }

    /// Writes to its stdin. Up to 4096 bytes arrive whole or not at all, even if we are killed.
    ///
    /// # Errors
    ///
    /// What it complained about, if it has ended; or at the user's interrupt.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let Some(stdin) = &mut self.stdin else { return Err(self.failure()) };
            match stdin.write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(NAP);
                    self.serve(true)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(self.failure()),
            }
        }
        Ok(())
    }

    /// Ignores the user's interrupt from now on.
    pub(crate) fn make_uninterruptible(&mut self) {
        self.is_uninterruptible = true;
    }

    /// Closes its stdin: it has all it gets.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The next bytes that it prints, in the buffer, whose content is replaced; none after its last.
    ///
    /// # Errors
    ///
    /// At the user's interrupt.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        while self.output.is_empty() && self.stdout.is_some() {
            self.serve(false)?;
        }
        buffer.clear();
        std::mem::swap(buffer, &mut self.output);
        Ok(())
    }

    /// The same in larger parts: it waits until there is enough for one, or the end.
    ///
    /// # Errors
    ///
    /// At the user's interrupt.
    pub(crate) fn read_much(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        while self.output.len() < PART_BYTES && self.stdout.is_some() {
            self.serve(false)?;
            if self.output.len() < PART_BYTES {
                std::thread::sleep(NAP);
            }
        }
        self.read(buffer)
    }

    /// Waits until one of its pipes can be used, and reads what is there.
    fn serve(&mut self, is_writing: bool) -> Result<()> {
        if !self.is_uninterruptible {
            self.interrupt.check()?;
        }
        let ready = self.ready(is_writing)?;
        if ready.output {
            take(&mut self.stdout, &mut self.output, &mut self.room);
        }
        if ready.errors {
            take(&mut self.stderr, &mut self.errors, &mut self.room);
            // The first complaint is what counts.
            self.errors.truncate(MAX_ERROR_BYTES);
        }
        Ok(())
    }

    fn ready(&self, is_writing: bool) -> Result<Ready> {
        let stdin = self.stdin.as_ref().filter(|_| is_writing).map(AsFd::as_fd);
        let stdout = self.stdout.as_ref().map(AsFd::as_fd);
        let stderr = self.stderr.as_ref().map(AsFd::as_fd);
        let mut waited = Vec::with_capacity(3);
        waited.extend(stdout.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
        waited.extend(stderr.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
        waited.extend(stdin.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::OUT)));
        match poll(&mut waited, Some(&PAUSE)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut states = waited.iter().map(|fd| !fd.revents().is_empty());
        let output = stdout.is_some() && states.next().unwrap_or(false);
        let errors = stderr.is_some() && states.next().unwrap_or(false);
        Ok(Ready { output, errors })
    }

    /// Waits until it has ended, with the rest of its complaints.
    ///
    /// # Errors
    ///
    /// At the user's interrupt.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        self.close_stdin();
        while self.stdout.is_some() || self.stderr.is_some() {
            self.serve(false)?;
        }
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    /// What it wrote to its stderr until now.
    #[must_use]
    pub(crate) fn errors(&self) -> String {
        String::from_utf8_lossy(&self.errors).into_owned()
    }

    /// Why it ended, once it has.
    #[must_use]
    pub(crate) fn failure(&mut self) -> anyhow::Error {
        if let Err(error) = self.wait() {
            return error;
        }
        let errors = self.errors();
        Trouble::read(&errors).unwrap_or_else(|| Trouble::unexplained(&self.name, &errors)).into()
    }

    /// Ends it: it is asked to cancel what the server does, and killed if it does not.
    fn end(&mut self) {
        // With the pipes closed it cannot wait for us.
        (self.stdin, self.stdout, self.stderr) = (None, None, None);
        let ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = Instant::now();
        let mut is_asked = false;
        while !ended(&mut self.child) && asked.elapsed() < GRACE {
            // A program that waits for our next word ends by itself.
            if !is_asked && asked.elapsed() > GRACE / 20 {
                is_asked = true;
                let _ = pid.map(|pid| kill_process(pid, Signal::INT));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.end();
        }
    }
}

/// Lets a pipe contain more. If that is refused, a dump takes longer.
#[cfg(target_os = "linux")]
fn enlarge(pipe: BorrowedFd<'_>) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_CAPACITY_BYTES);
}

#[cfg(not(target_os = "linux"))]
fn enlarge(_: BorrowedFd<'_>) {}

/// Which pipes have something.
struct Ready {
    output: bool,
    errors: bool,
}

/// Appends what a pipe has, up to a part; at its end, the pipe is given up.
fn take<P: std::io::Read>(pipe: &mut Option<P>, to: &mut Vec<u8>, room: &mut [u8]) {
    let Some(open) = pipe else { return };
    let mut is_open = true;
    while is_open && to.len() < PART_BYTES {
        match open.read(room) {
            Ok(n) => {
                is_open = n > 0;
                to.extend_from_slice(&room[..n]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => is_open = false,
        }
    }
    if !is_open {
        *pipe = None;
    }
}

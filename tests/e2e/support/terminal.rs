//! A real terminal (a pty) with the real binary before it: keys go in, the screen comes out.
//!
//! The binary leads its own session and the pty is its controlling terminal, so that Ctrl-C and
//! Ctrl-D mean what they mean to a person. `setsid --ctty` of util-linux arranges that; if it is
//! missing, the test says so and is skipped.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use fs_err::File;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::sandbox::{Running, Sandbox};

/// What the keyboard sends.
pub(crate) const ENTER: &str = "\r";
/// Ends the input if the line is empty.
pub(crate) const CTRL_D: &str = "\x04";
/// Interrupts what runs in the foreground.
pub(crate) const CTRL_C: &str = "\x03";

/// Longer than any command here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A terminal in which one command runs.
pub(crate) struct Terminal {
    child: Running,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    /// Everything shown so far, echoed keys included.
    screen: Vec<u8>,
    /// How much of it was waited for.
    seen: usize,
    root: String,
}

/// How a command on a terminal ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Everything that was on the screen, the sandbox's folder shown as `$ROOT`.
    pub(crate) screen: String,
}

impl Terminal {
    /// Runs the xtask on a terminal of its own; `None`, said loudly, if that is impossible.
    pub(crate) fn run(sandbox: &Sandbox, arguments: &[&str]) -> Option<Self> {
        Self::run_under(sandbox, &[], arguments)
    }

    /// As [`Terminal::run`], on a terminal of so many rows and columns.
    pub(crate) fn run_sized(
        sandbox: &Sandbox,
        size: (usize, usize),
        arguments: &[&str],
    ) -> Option<Self> {
        Self::start(sandbox, Some(size), (&[], arguments))
    }

    /// As [`Terminal::run`], the xtask being run by another program.
    pub(crate) fn run_under(
        sandbox: &Sandbox,
        program: &[&str],
        arguments: &[&str],
    ) -> Option<Self> {
        Self::start(sandbox, None, (program, arguments))
    }

    fn start(
        sandbox: &Sandbox,
        size: Option<(usize, usize)>,
        (program, arguments): (&[&str], &[&str]),
    ) -> Option<Self> {
        if !has_setsid(sandbox) {
            return None;
        }
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty");
        rustix::io::fcntl_setfd(&controller, rustix::io::FdFlags::CLOEXEC).expect("close on exec");
        grantpt(&controller).expect("granted");
        unlockpt(&controller).expect("unlocked");
        let name = ptsname(&controller, Vec::new()).expect("a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let user = rustix::fs::open(&name, flags, Mode::empty()).expect("the user's side");
        if let Some((n_rows, n_columns)) = size {
            let narrow = |n: usize| u16::try_from(n).expect("a size");
            let size = rustix::termios::Winsize {
                ws_row: narrow(n_rows),
                ws_col: narrow(n_columns),
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            rustix::termios::tcsetwinsize(&user, size).expect("a size");
        }
        let another = || Stdio::from(user.try_clone().expect("a descriptor"));

        let program = [&["setsid", "--ctty", "--"], program].concat();
        let mut command = sandbox.xtask_under(&program, arguments);
        command.env("TERM", "xterm");
        command.stdin(another()).stdout(another()).stderr(another());
        let child = Running(command.spawn().expect("setsid runs"));
        // Ours would keep the terminal open after the command's end.
        drop((command, user));

        let path = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
        let keyboard = File::from_parts(std::fs::File::from(controller), path);
        let output = listen(keyboard.try_clone().expect("a descriptor"));
        Some(Self {
            child,
            keyboard,
            output,
            screen: Vec::new(),
            seen: 0,
            root: sandbox.root().to_string_lossy().into_owned(),
        })
    }

    /// Waits until a text is shown after what was waited for before.
    pub(crate) fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let unseen = &self.screen[self.seen..];
            let at = unseen.windows(text.len()).position(|piece| piece == text.as_bytes());
            if let Some(at) = at {
                self.seen += at + text.len();
                return;
            }
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(rest) {
                Ok(piece) => self.screen.extend(piece),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("`{text}` was not shown:\n{}", self.text())
                }
            }
        }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("pressed");
    }

    /// Waits for a question and answers it with a line.
    pub(crate) fn answer(&mut self, question: &str, line: &str) {
        self.expect(question);
        self.press(line);
        self.press(ENTER);
    }

    /// Waits for the command's end.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(rest) {
                Ok(piece) => self.screen.extend(piece),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it did not end:\n{}", self.text()),
            }
        }
        let status = self.child.0.wait().expect("its status");
        Ended { code: status.code(), screen: self.text() }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen).replace("\r\n", "\n").replace(&self.root, "$ROOT")
    }
}

fn has_setsid(sandbox: &Sandbox) -> bool {
    let tried = sandbox.command("setsid").arg("--help").output();
    let can = tried.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("--ctty"));
    if !can {
        // The macros would be silenced with the output of every test that passes.
        let message = "SKIPPED: a real terminal needs `setsid --ctty` of util-linux";
        writeln!(std::io::stderr(), "{message}").expect("stderr");
    }
    can
}

/// Reads the screen until the last process has left the terminal.
fn listen(mut screen: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        let mut n_failures = 0;
        // A terminal that everybody has left answers with EIO; Linux may do so once before it hands
        // over what was written last.
        while n_failures < 2 {
            let Ok(n_bytes @ 1..) = screen.read(&mut piece) else {
                n_failures += 1;
                continue;
            };
            n_failures = 0;
            if sender.send(piece[..n_bytes].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

//! Programs that a world starts: sealed, limited in time, and under a fault.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, kill_process};

use crate::fault::Fault;

/// Nothing that a world starts takes so long, unless it hangs.
const LONGEST: Duration = Duration::from_secs(90);

/// How a program ended, and what it printed.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its stdout.
    pub(crate) out: String,
    /// Its stderr.
    pub(crate) err: String,
    /// Whether it had to be ended because it took too long.
    pub(crate) hung: bool,
}

impl Said {
    /// Whether it says that it succeeded.
    pub(crate) fn is_ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Whether it says that the work is done, though perhaps its results could not be printed.
    pub(crate) fn is_done(&self) -> bool {
        self.is_ok() || self.err.contains("the work is done, but its results could not be written")
    }

    /// Whether it says of itself that it crashed.
    pub(crate) fn crashed(&self) -> bool {
        self.hung || self.code == Some(101) || self.err.contains("panicked at")
    }
}

/// A command for a program under a fault; the signal comes later, by [`finish`].
#[expect(clippy::disallowed_methods, reason = "each world seals the environment itself")]
pub(crate) fn command(program: &OsStr, fault: Fault, trace: &Path) -> Command {
    match fault {
        Fault::None | Fault::Signal { .. } => Command::new(program),
        Fault::AtCall { calls, when, effect } => {
            let mut command = Command::new("strace");
            let inject = format!("inject={calls}:{effect}:when={when}");
            command.args(["-f", "-qq", "-o"]).arg(trace);
            command.args(["-e", &format!("trace={calls}"), "-e", &inject]).arg(program);
            command
        }
        Fault::Descriptors(n) => {
            let mut command = Command::new("prlimit");
            command.arg(format!("--nofile={n}")).arg("--").arg(program);
            command
        }
    }
}

/// Starts a program whose output is kept.
pub(crate) fn start(command: &mut Command) -> Result<Child> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().with_context(|| format!("could not start `{program}`"))
}

/// Waits for the end of a program and of all that holds its output, with the fault's signal on the way.
pub(crate) fn finish(mut child: Child, fault: Fault) -> Result<Said> {
    let out = reader(child.stdout.take().context("no stdout")?)?;
    let err = reader(child.stderr.take().context("no stderr")?)?;
    let began = Instant::now();
    let mut is_to_come = matches!(fault, Fault::Signal { .. });
    let mut hung = false;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Fault::Signal { signal, after } = fault
            && is_to_come
            && began.elapsed() >= after
        {
            is_to_come = false;
            let id = Pid::from_raw(child.id().cast_signed()).context("no id")?;
            let _ = kill_process(id, signal);
        }
        if began.elapsed() > LONGEST {
            hung = true;
            child.kill()?;
        }
        std::thread::sleep(Duration::from_micros(200));
    };
    let out = out.join().unwrap_or_default();
    let err = err.join().unwrap_or_default();
    Ok(Said { code: status.code(), out, err, hung })
}

fn reader(
    mut pipe: impl std::io::Read + Send + 'static,
) -> Result<std::thread::JoinHandle<String>> {
    let thread = std::thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })?;
    Ok(thread)
}

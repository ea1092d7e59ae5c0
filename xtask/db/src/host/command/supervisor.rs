//! The supervisor of a command of the host: our own binary once more, between us and the command. It asks
//! the command to end (Ctrl-C, timeout, our own end), waits, and kills it.
//!
//! It makes sure that the host's command ends with us however we end, `kill -9` included: nobody
//! would examine a migration that continues. It leads its own process group, so that signals to
//! ours do not reach it, and adopts every orphan below it. If the socket to us closes, it asks
//! everything below it to end, waits, and kills the rest.
//!
//! It needs one thread, opens no database, and prints nothing.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::console::interrupt::Interrupt;
use crate::console::progress_lines;
use crate::host::command::patience::{GRACE, PAUSE};
use crate::host::command::tree::Tree;
use crate::host::command::wire::{Came, Order, Report, Wire, Wish};

/// The variable that is set for the supervisor alone. A host whose `main` ignores its arguments would
/// otherwise start supervisors without end.
pub(crate) const MARK: &str = "XTASK_DB_SUPERVISES";

/// Supervises one command until it is over.
///
/// # Errors
///
/// If stdin is not the socket of a command that wants this.
pub(crate) fn serve(stdin: OwnedFd, interrupt: &Interrupt) -> Result<()> {
    let socket = UnixStream::from(stdin);
    socket.peer_addr().context("stdin is not the socket of a `db-*` command")?;
    let mut wire = Wire::new(socket);
    wire.send(&Report::Ready)?;
    let Some(order) = ordered(&mut wire)? else { return Ok(()) };
    let mut tree = match command(&order).and_then(|mut command| Ok(Tree::start(&mut command)?)) {
        Ok(tree) => tree,
        Err(error) => return Ok(wire.send(&failed(&error))?),
    };
    // If the message cannot be sent, nobody is there: the next look at the socket shows that.
    let _ = wire.send(&Report::Started);
    release_output();
    let wish = supervise(&mut wire, &tree, interrupt)?;
    let left = match wish {
        Wish::Leave => 0,
        Wish::Kill => tree.kill(),
        Wish::End => end(&mut wire, &mut tree)?,
    };
    let status = tree.status()?.into_raw();
    // Nobody may be there any more.
    let _ = wire.send(&Report::Over { status, left });
    Ok(())
}

fn failed(error: &anyhow::Error) -> Report {
    let why = format!("{error:#}");
    if is_missing(error) { Report::Missing(why) } else { Report::Failed(why) }
}

/// Whether the system did not find the program, or what interprets it.
pub(super) fn is_missing(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// The order; `None` if the process that would give it has ended.
fn ordered(wire: &mut Wire) -> Result<Option<Order>> {
    loop {
        match wire.receive(PAUSE)? {
            Came::Message(order) => return Ok(Some(order)),
            Came::Nothing => {}
            Came::End => return Ok(None),
        }
    }
}

/// The command of an order, as it can be started.
///
/// # Errors
///
/// If there is no program.
pub(super) fn command(order: &Order) -> Result<Command> {
    let (program, arguments) = order.words.split_first().context("the command is empty")?;
    let shell = Shell::new()?;
    shell.change_dir(PathBuf::from(&order.folder));
    let mut command = Command::from(cmd!(shell, "{program} {arguments...}"));
    command.env_remove(MARK);
    // Its progress is not ours.
    command.env_remove(progress_lines::VARIABLE);
    for (name, value) in &order.variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    Ok(command)
}

/// Waits for a wish, and reports in the meantime when the command has ended. The end of the socket
/// is the wish that everything ends; an interrupt is for the other side to judge.
fn supervise(wire: &mut Wire, tree: &Tree, interrupt: &Interrupt) -> Result<Wish> {
    let mut is_reported = false;
    loop {
        if !is_reported && tree.has_ended()? {
            is_reported = true;
            let _ = wire.send(&Report::Ended);
        }
        if interrupt.acknowledge() {
            let _ = wire.send(&Report::Interrupted);
        }
        if !wire.has_more() && !tree.wait(wire.bell(), is_reported) {
            continue;
        }
        match wire.receive(PAUSE) {
            Ok(Came::Message(wish)) => return Ok(wish),
            Ok(Came::Nothing) => {}
            Ok(Came::End) | Err(_) => return Ok(Wish::End),
        }
    }
}

/// Asks all processes to end, and kills those that have not ended after a while or at the wish to
/// hurry. Returns how many processes could not be killed.
fn end(wire: &mut Wire, tree: &mut Tree) -> Result<usize> {
    tree.ask();
    let asked = Instant::now();
    while !tree.is_gone()? && asked.elapsed() < GRACE {
        match wire.receive::<Wish>(PAUSE) {
            Ok(Came::Message(Wish::Kill)) => break,
            Ok(Came::Message(_) | Came::Nothing) => {}
            // The end of the socket comes at once every time.
            Ok(Came::End) | Err(_) => std::thread::sleep(PAUSE),
        }
    }
    Ok(tree.kill())
}

/// Closes stdout, so that its reader sees the end when the command and everything it started are
/// gone.
fn release_output() {
    let nothing = fs_err::OpenOptions::new().write(true).open("/dev/null");
    if let Ok(nothing) = nothing {
        let _ = rustix::stdio::dup2_stdout(nothing.file());
    }
}

/// How this program is started once more so that it arrives at [`serve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Itself {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
}

impl Itself {
    /// The current program with arguments that make it a supervisor: the ones before the task stay,
    /// because a host may nest its tasks.
    #[must_use]
    pub(crate) fn of(program: PathBuf, arguments: &[OsString]) -> Self {
        let is_task = |word: &OsString| word.as_encoded_bytes().starts_with(b"db-");
        let task = arguments.iter().position(is_task).unwrap_or(0);
        let mut told = arguments[..task].to_vec();
        told.push(NAME.into());
        // The binary may have been rebuilt since: this one is the one that speaks as we do.
        let same = PathBuf::from("/proc/self/exe");
        let program = if same.exists() { same } else { program };
        Self { program, arguments: told }
    }
}

/// The task that a supervisor is.
const NAME: &str = "db-supervise";

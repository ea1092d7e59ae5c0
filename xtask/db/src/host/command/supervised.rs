//! A running command of the host, seen from us: behind its supervisor, or as a direct child if the
//! host's binary cannot be a supervisor.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use xshell::{Shell, cmd};

use crate::console::interrupt::Interrupt;
use crate::host::command::database_users::Witness;
use crate::host::command::descendants::Descendants;
use crate::host::command::patience::{GRACE, PAUSE};
use crate::host::command::supervisor::{self, Itself, MARK};
use crate::host::command::tree::Tree;
use crate::host::command::wire::{Came, Order, Report, Wire, Wish};

/// The program could not even be started.
#[derive(Debug)]
pub(crate) struct NotStarted {
    /// Which.
    pub(crate) program: String,
    /// Whether there is no such program.
    pub(crate) is_missing: bool,
}

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "could not start `{}`", self.program)
    }
}

impl std::error::Error for NotStarted {}

/// The destination of a command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// To our stderr.
    ToStderr,
    /// To us.
    Piped,
}

impl Output {
    fn stdio(self) -> Stdio {
        match self {
            Self::ToStderr => Stdio::from(std::io::stderr()),
            Self::Piped => Stdio::piped(),
        }
    }
}

/// Context of a command that is running.
pub(super) struct Meanwhile<'a> {
    pub(super) interrupt: &'a Interrupt,
    pub(super) began: Instant,
    pub(super) witness: Option<&'a mut Witness>,
}

/// How long our own binary may take to start.
const START: Duration = Duration::from_secs(30);
/// How long a supervisor may take beyond the grace before it is given up.
const PATIENCE: Duration = Duration::from_secs(15);

/// No time at all is not a timeout.
const AT_ONCE: Duration = Duration::from_micros(1);

/// A command that runs.
#[derive(Debug)]
pub(super) enum Running {
    /// Behind a supervisor.
    Supervised(Supervised),
    /// A child of this process: it would outlive us if we were killed.
    Direct(Tree),
}

/// A supervisor at work.
#[derive(Debug)]
pub(super) struct Supervised {
    child: Child,
    wire: Wire,
    /// If the supervisor is killed, the processes that it supervised become our children.
    descendants: Descendants,
    has_ended: bool,
    is_lost: bool,
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Over {
    /// The program's status; `None` if the supervisor itself was killed.
    pub(super) status: Option<ExitStatus>,
    /// How many processes could not be ended.
    pub(super) left: usize,
}

/// What became of an order.
#[derive(Debug)]
enum Given {
    /// The program runs.
    Started,
    /// There is no such program.
    Missing(String),
    /// It could not be started for another reason.
    Failed(String),
}

/// A supervisor that has no order yet: our binary takes a moment to start. It ends with this.
#[derive(Debug)]
pub(crate) struct Standby {
    /// `None` if the host's binary cannot supervise.
    begun: Option<Result<Supervised>>,
    output: Output,
}

impl Standby {
    /// Begins a supervisor, and waits for nothing.
    pub(super) fn begin(itself: Option<&Itself>, output: Output) -> Self {
        Self { begun: itself.map(|itself| Supervised::begin(itself, output)), output }
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        if let Some(Ok(supervised)) = &mut self.begun {
            supervised.kill();
        }
    }
}

impl Running {
    /// Starts a command.
    ///
    /// # Errors
    ///
    /// If the program cannot be started, or at the user's interrupt.
    pub(super) fn start(
        mut standby: Standby,
        order: &Order,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let output = standby.output;
        let program = order.words.first().context("the command is empty")?.to_string_lossy();
        let could_not = |is_missing| NotStarted { program: program.to_string(), is_missing };
        let directly = || {
            Self::directly(order, output).map_err(|error| {
                let is_missing = supervisor::is_missing(&error);
                error.context(could_not(is_missing))
            })
        };
        let Some(begun) = standby.begun.take() else {
            return directly();
        };
        let mut supervised = begun.with_context(|| could_not(false))?;
        if !supervised.is_ready(interrupt)? {
            supervised.kill();
            return directly();
        }
        match supervised.give(order, interrupt)? {
            Given::Started => Ok(Self::Supervised(supervised)),
            Given::Missing(why) => Err(anyhow!(why).context(could_not(true))),
            Given::Failed(why) => Err(anyhow!(why).context(could_not(false))),
        }
    }

    fn directly(order: &Order, output: Output) -> Result<Self> {
        let mut command = supervisor::command(order)?;
        Ok(Self::Direct(Tree::start(command.stdout(output.stdio()))?))
    }

    /// The stdout of the command, if that is a pipe.
    pub(super) fn take_output(&mut self) -> Option<ChildStdout> {
        match self {
            Self::Supervised(supervised) => supervised.child.stdout.take(),
            Self::Direct(tree) => tree.take_output(),
        }
    }

    /// Waits a moment, and returns whether the command has ended.
    ///
    /// # Errors
    ///
    /// If the system does not report it.
    pub(super) fn wait(&mut self, meanwhile: &mut Meanwhile<'_>) -> Result<bool> {
        let interrupt = meanwhile.interrupt;
        let witness = meanwhile.witness.as_deref_mut();
        match self {
            Self::Supervised(supervised) => {
                let Some(witness) = witness else {
                    return Ok(supervised.wait(interrupt, PAUSE));
                };
                witness.wait(Some(supervised.wire.bell()), PAUSE);
                witness.look(supervised.child.id());
                Ok(supervised.wait(interrupt, AT_ONCE))
            }
            Self::Direct(tree) => {
                let has_ended = tree.has_ended()?;
                match witness {
                    Some(witness) => {
                        witness.wait(None, PAUSE);
                        witness.look(std::process::id());
                    }
                    None if !has_ended => std::thread::sleep(PAUSE),
                    None => {}
                }
                Ok(has_ended)
            }
        }
    }

    /// Ends it as wished and returns how it ended; `is_urgent` cuts the asking short.
    ///
    /// # Errors
    ///
    /// If the system does not report how it ended.
    pub(super) fn conclude(self, wish: Wish, is_urgent: impl Fn() -> bool) -> Result<Over> {
        let mut tree = match self {
            Self::Supervised(supervised) => return Ok(supervised.conclude(wish, is_urgent)),
            Self::Direct(tree) => tree,
        };
        if wish == Wish::End {
            tree.ask();
            let asked = Instant::now();
            while !tree.is_gone()? && asked.elapsed() < GRACE && !is_urgent() {
                std::thread::sleep(PAUSE);
            }
        }
        let left = if wish == Wish::Leave { 0 } else { tree.kill() };
        Ok(Over { status: Some(tree.status()?), left })
    }
}

impl Supervised {
    fn begin(itself: &Itself, output: Output) -> Result<Self> {
        let descendants = Descendants::watch();
        let (ours, theirs) = UnixStream::pair()?;
        let Itself { program, arguments } = itself;
        let shell = Shell::new()?;
        // If we are killed, the next command reads from this whose processes it ends.
        let own_id = std::process::id().to_string();
        let mut command = Command::from(cmd!(shell, "{program} {arguments...}").env(MARK, own_id));
        let child = command
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(output.stdio())
            .process_group(0)
            .spawn()
            .context("could not start the supervisor of the command")?;
        let wire = Wire::new(ours);
        Ok(Self { child, wire, descendants, has_ended: false, is_lost: false })
    }

    /// Whether it is the supervisor, and not a host's binary that does something else.
    fn is_ready(&mut self, interrupt: &Interrupt) -> Result<bool> {
        let began = Instant::now();
        while began.elapsed() < START {
            match self.wire.receive(PAUSE) {
                Ok(Came::Message(Report::Ready)) => return Ok(true),
                Ok(Came::Nothing) => {}
                Ok(Came::Message(_) | Came::End) | Err(_) => return Ok(false),
            }
            if let Err(interrupted) = interrupt.check() {
                self.kill();
                return Err(interrupted);
            }
        }
        Ok(false)
    }

    /// Gives the order and waits until the program runs, or cannot be started.
    fn give(&mut self, order: &Order, interrupt: &Interrupt) -> Result<Given> {
        if let Err(error) = self.wire.send(order) {
            self.kill();
            return Ok(Given::Failed(format!("its supervisor is gone: {error}")));
        }
        loop {
            match self.wire.receive(PAUSE) {
                Ok(Came::Message(Report::Started)) => return Ok(Given::Started),
                Ok(Came::Message(Report::Failed(why))) => {
                    let _ = self.child.wait();
                    return Ok(Given::Failed(why));
                }
                Ok(Came::Message(Report::Missing(why))) => {
                    let _ = self.child.wait();
                    return Ok(Given::Missing(why));
                }
                // Starting takes a moment: the interrupt is heeded right afterwards.
                Ok(Came::Nothing) if !interrupt.is_urgent() => {}
                _ => {
                    self.kill();
                    return Err(anyhow!(
                        "the supervisor of `{}` was ended",
                        order.words[0].display()
                    ));
                }
            }
        }
    }

    fn wait(&mut self, interrupt: &Interrupt, within: Duration) -> bool {
        if self.is_lost {
            std::thread::sleep(PAUSE);
            return true;
        }
        match self.wire.receive(within) {
            Ok(Came::Message(Report::Ended)) => self.has_ended = true,
            Ok(Came::Message(Report::Interrupted)) => interrupt.raise_first(),
            Ok(Came::Message(_) | Came::Nothing) => {}
            Ok(Came::End) | Err(_) => (self.has_ended, self.is_lost) = (true, true),
        }
        self.has_ended
    }

    fn conclude(mut self, wish: Wish, is_urgent: impl Fn() -> bool) -> Over {
        let asked = Instant::now();
        let mut is_hurried = false;
        // Stopped, it would not hear us.
        signal(&self.child, rustix::process::Signal::CONT);
        self.is_lost |= self.wire.send(&wish).is_err();
        while !self.is_lost && asked.elapsed() < GRACE + PATIENCE {
            match self.wire.receive(PAUSE) {
                Ok(Came::Message(Report::Over { status, left })) => {
                    let _ = self.child.wait();
                    return Over { status: Some(ExitStatus::from_raw(status)), left };
                }
                Ok(Came::Message(_) | Came::Nothing) => {}
                Ok(Came::End) | Err(_) => self.is_lost = true,
            }
            if is_urgent() && !is_hurried {
                is_hurried = true;
                let _ = self.wire.send(&Wish::Kill);
            }
        }
        Over { status: None, left: self.kill() }
    }

    /// Kills it and all that came to us from it.
    fn kill(&mut self) -> usize {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.descendants.end(None)
    }
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(child), signal);
}

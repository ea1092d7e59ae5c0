//! The host's own commands (migrations, and what rebuilds derived data), and when each is ended: Ctrl-C or a
//! timeout.
//!
//! Each runs below a supervisor, so that it ends together with us and everything it started,
//! however we end: `cargo run` or `sh` alone would die and leave the migration running. It has its
//! own process group: Ctrl-C at a terminal reaches only us, and we end it.

pub(crate) mod database_users;
pub(crate) mod descendants;
pub(crate) mod missing_program;
pub(crate) mod output;
mod patience;
pub(crate) mod supervised;
pub(crate) mod supervisor;
mod tree;
mod wire;
pub(crate) mod words;

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use supervised::{Meanwhile, Output, Over, Running, Standby};
use wire::{Order, Wish};

use crate::console::interrupt::Interrupt;
use crate::console::text;
use crate::git::repository;
use crate::host::command::database_users::Witness;
use crate::host::project::{Database, Location, Project};

/// A command of the host, and the database it is pointed at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    /// In whose root it runs.
    pub project: &'a Project,
    /// Database whose variable points the command at that.
    pub database: &'a Database,
    /// Where that is.
    pub location: &'a Location,
    /// Program and arguments.
    pub command: &'a [String],
    /// How long it may take.
    pub timeout: Duration,
}

impl Task<'_> {
    /// The program in backticks.
    fn name(&self) -> String {
        format!("`{}`", text::plain(self.command.first().map_or("", String::as_str)))
    }
}

/// How a command ended, and after how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// How.
    pub ending: Ending,
    /// After how long.
    pub took: Duration,
    /// How many processes of it could not be ended.
    pub left: usize,
}

/// How a command ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    /// It ended by itself.
    Exited(ExitStatus),
    /// It took longer than this and was ended.
    TooLong(Duration),
    /// The user interrupted, and it was ended.
    Interrupted,
    /// Its output could not be used, and it was stopped.
    Unwanted,
    /// Its supervisor was killed, and it was ended.
    Lost,
}

impl Ended {
    /// Why it failed, if it did.
    #[must_use]
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure_of("the command")
    }

    /// The same in a sentence about the command under some name.
    fn failure_of(&self, name: &str) -> Option<String> {
        match self.ending {
            Ending::Exited(status) if status.success() => (self.left > 0).then(|| {
                format!(
                    "{} that {name} started could not be ended",
                    text::count(self.left as u64, "process")
                )
            }),
            Ending::Exited(status) => Some(format!("{name} ended with {status}")),
            Ending::TooLong(timeout) => {
                Some(format!("{name} did not end within {}", text::took(timeout)))
            }
            Ending::Interrupted => Some(format!("{name} was interrupted")),
            Ending::Unwanted => {
                Some(format!("{name} was stopped because its output cannot be used"))
            }
            Ending::Lost => Some(format!("{name} was stopped because its supervisor was killed")),
        }
    }

    /// The exit code; `None` if a signal ended it.
    #[must_use]
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match self.ending {
            Ending::Exited(status) => status.code(),
            _ => None,
        }
    }
}

/// How to treat processes that a command started and left running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leftovers {
    /// They stay: a command may start the application again.
    Stay,
    /// They end: nobody would see what they write.
    End,
}

/// One run of a command.
#[derive(Clone, Copy)]
struct Run<'a> {
    task: &'a Task<'a>,
    leftovers: Leftovers,
    /// Interrupt that ends the command early, like its timeout.
    interrupt: &'a Interrupt,
}

/// Runs a command of the host in its root, pointed at the database. Its output goes to stderr as it
/// comes, so that stdout has our results only; it cannot ask anything.
///
/// # Errors
///
/// If it cannot be started, fails, exceeds the timeout (then it is killed), or at the user's
/// interrupt.
pub(crate) fn run(task: &Task<'_>, interrupt: &Interrupt) -> Result<()> {
    let run = Run { task, leftovers: Leftovers::Stay, interrupt };
    let ended = run.supervise(stand_by(task.project), None)?;
    interrupt.check()?;
    match ended.failure_of(&task.name()) {
        Some(failure) => anyhow::bail!(failure),
        None => Ok(()),
    }
}

/// Runs a migration to the end, whatever that is, with all that it started.
///
/// # Errors
///
/// If it cannot be started.
pub(crate) fn migrate(task: &Task<'_>, interrupt: &Interrupt) -> Result<Ended> {
    let run = Run { task, leftovers: Leftovers::End, interrupt };
    run.supervise(stand_by(task.project), None)
}

/// Starts the supervisor of a migration early, while there is something else to do.
#[must_use]
pub(crate) fn stand_by(project: &Project) -> Standby {
    Standby::begin(project.itself.as_ref(), Output::ToStderr)
}

/// The same as [`migrate`] while a witness looks who has another file open.
///
/// # Errors
///
/// As [`migrate`].
pub(crate) fn migrate_before(
    standby: Standby,
    witness: &mut Witness,
    task: &Task<'_>,
    interrupt: &Interrupt,
) -> Result<Ended> {
    let run = Run { task, leftovers: Leftovers::End, interrupt };
    run.supervise(standby, Some(witness))
}

impl Run<'_> {
    /// Runs it below a supervisor.
    fn supervise(&self, standby: Standby, witness: Option<&mut Witness>) -> Result<Ended> {
        let interrupt = self.interrupt;
        let _supervising = interrupt.while_supervising();
        let running = start(self.task, standby, interrupt)?;
        self.await_end(running, Meanwhile { interrupt, began: Instant::now(), witness })
    }

    /// Waits until the command has ended, or ends it.
    fn await_end(&self, mut running: Running, mut meanwhile: Meanwhile<'_>) -> Result<Ended> {
        let began = meanwhile.began;
        let mut ending = None;
        while ending.is_none() && !running.wait(&mut meanwhile)? {
            ending = self.must_end(began);
        }
        self.conclude(running, ending, began)
    }

    /// Why the command has to end now, if it has.
    fn must_end(&self, began: Instant) -> Option<Ending> {
        if self.interrupt.check().is_err() {
            return Some(Ending::Interrupted);
        }
        let timeout = self.task.timeout;
        (began.elapsed() > timeout).then_some(Ending::TooLong(timeout))
    }

    /// Ends the command for a reason; or, if it has ended, the processes that it left.
    fn conclude(&self, running: Running, ending: Option<Ending>, began: Instant) -> Result<Ended> {
        let wish = match (ending, self.leftovers) {
            (Some(_), _) => Wish::End,
            (None, Leftovers::End) => Wish::Kill,
            (None, Leftovers::Stay) => Wish::Leave,
        };
        let Over { status, left } = running.conclude(wish, || self.interrupt.is_urgent())?;
        let by_itself = status.map_or(Ending::Lost, Ending::Exited);
        Ok(Ended { ending: ending.unwrap_or(by_itself), took: began.elapsed(), left })
    }
}

fn start(task: &Task<'_>, standby: Standby, interrupt: &Interrupt) -> Result<Running> {
    let (variable, value) = task.database.variable_of(task.location);
    // The variable comes last: it is set even if it is one of those that are kept back.
    let hidden = task.project.hidden_variables.iter().map(Into::into);
    let hidden = repository::hook_variables().map(Into::into).chain(hidden);
    let mut variables: Vec<_> = hidden.map(|name| (name, None)).collect();
    variables.push((variable.into(), Some(value)));
    let order = Order {
        words: task.command.iter().map(Into::into).collect(),
        folder: task.project.root.clone().into(),
        variables,
    };
    let running = Running::start(standby, &order, interrupt);
    running.map_err(|error| missing_program::explain(error, task.database, task.command))
}

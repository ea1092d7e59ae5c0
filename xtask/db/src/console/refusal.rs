//! Refusals, and the exit code of every ending.
//!
//! A refusal is our decision: nothing was touched, and there is a way on. Everything else that goes
//! wrong is a failure of the world, a plain `anyhow` error. If there is a way on from a failure
//! too, a refusal is added as its context, with the hint and the exit code.

use std::fmt;

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or the answer is yes.
    Yes = 0,
    /// The answer is no: damage found, declined, a source that is damaged.
    No = 1,
    /// Could not: usage, a missing or foreign file, a failure.
    CouldNot = 2,
    /// The database or the backups folder stayed locked longer than the timeout.
    Locked = 3,
    /// Interrupted by the user.
    Interrupted = 130,
}

/// A refusal: an action that we decline, and what to do instead.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// The thing that is refused, and why: a lowercase fragment.
    pub what: String,
    /// Hint for the user; empty if an interrupt left nothing to do.
    pub hint: String,
    /// Exit code for the shell.
    pub exit: Exit,
}

impl Refusal {
    /// A refusal for usage, a missing or a foreign file (exit 2).
    pub(crate) fn could_not(what: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self { what: what.into(), hint: hint.into(), exit: Exit::CouldNot }.into()
    }

    /// A refusal whose answer is no (exit 1).
    pub(crate) fn no(what: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self { what: what.into(), hint: hint.into(), exit: Exit::No }.into()
    }

    /// A refusal because something stayed locked (exit 3).
    pub(crate) fn locked(what: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self { what: what.into(), hint: hint.into(), exit: Exit::Locked }.into()
    }

    /// The user's interrupt (exit 130).
    pub(crate) fn interrupted() -> anyhow::Error {
        Self { what: "interrupted".to_owned(), hint: String::new(), exit: Exit::Interrupted }.into()
    }
}

/// The user answered no to a question: neither an error nor a refusal of ours (exit 1).
#[derive(Debug, Clone)]
pub(crate) struct Declined {
    /// The thing that is unchanged: a fragment.
    pub untouched: String,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not confirmed; {}", self.untouched)
    }
}

impl std::error::Error for Declined {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Refusal {}

/// The answer of a finished command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Exit 0.
    Yes,
    /// Exit 1; the reasons were already printed.
    No,
    /// Exit 2; the reasons were already printed.
    CannotTell,
}

//! How a failure is printed, and its exit code.

use std::fmt::Write as _;

use serde::Serialize;

use crate::console::refusal::{Declined, Exit, Refusal};
use crate::console::text;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::sqlite::trouble::{self, Trouble};

/// The one printer of errors.
pub(crate) fn fail(error: &anyhow::Error, session: &mut Session) -> Exit {
    let exit = exit_of(error);
    let (text, hint) = layout(error);
    session.complain(&text);
    session.document(&Document { version: VERSION, error: Failure::of(error, hint, exit) });
    exit
}

/// Output of `--json` for a failure, perhaps beside more.
#[derive(Serialize)]
pub(crate) struct Document {
    /// Always [`VERSION`].
    pub(crate) version: u32,
    /// The failure.
    pub(crate) error: Failure,
}

/// A failure in `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    /// The thing that failed.
    pub(crate) message: String,
    /// Why, the outermost cause first.
    pub(crate) causes: Vec<String>,
    /// Hint for the user.
    pub(crate) hint: Option<String>,
    /// The exit code of the process.
    pub(crate) exit_code: i32,
}

impl Failure {
    /// Describes an error with its hint, as [`layout`] gives it.
    #[must_use]
    pub(crate) fn of(error: &anyhow::Error, hint: Option<String>, exit: Exit) -> Self {
        let causes = error.chain().skip(1).map(ToString::to_string).collect();
        Self { message: error.to_string(), causes, hint, exit_code: exit as i32 }
    }
}

/// The exit code of an error.
#[must_use]
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    let interrupted = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.exit == Exit::Interrupted)
    };
    if error.chain().any(interrupted) {
        return Exit::Interrupted;
    }
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return refusal.exit;
    }
    if error.downcast_ref::<Declined>().is_some() {
        return Exit::No;
    }
    match trouble::trouble(error) {
        Trouble::Busy => Exit::Locked,
        Trouble::Interrupted => Exit::Interrupted,
        _ => Exit::CouldNot,
    }
}

/// The layout of an error, and its hint.
pub(crate) fn layout(error: &anyhow::Error) -> (String, Option<String>) {
    if exit_of(error) == Exit::Interrupted {
        let said = text::plain(&error.to_string());
        // The code that knows the state of things reports it, with a hint.
        let told = error.downcast_ref::<Refusal>().filter(|refusal| !refusal.hint.is_empty());
        if let Some(Refusal { hint, .. }) = told {
            let text = format!("interrupted: {said}\nhint: {}\n", text::plain(hint));
            return (text, Some(hint.clone()));
        }
        let hint = "nothing was changed except what was reported as done";
        // Without a context there is nothing to add to the word.
        let is_bare = error.chain().next().is_some_and(<dyn std::error::Error>::is::<Refusal>);
        let said = if is_bare { hint.to_owned() } else { format!("{said}; {hint}") };
        return (format!("interrupted: {said}\n"), Some(hint.to_owned()));
    }
    if let Some(declined) = error.downcast_ref::<Declined>() {
        let said = text::plain(&declined.to_string());
        return (format!("{said}\n"), Some(declined.untouched.clone()));
    }
    let mut text = format!("error: {}\n", text::plain(&error.to_string()));
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // A cause that only repeats the line above it, or adds SQLite's number for it, shows nothing.
        let is_numbered = cause.starts_with("Error code ") && cause.ends_with(&last);
        if !last.ends_with(&cause) && !is_numbered {
            let _ = writeln!(text, "  caused by: {}", text::plain(&cause));
        }
        last = cause;
    }
    let hint = error.downcast_ref::<Refusal>().map(|refusal| refusal.hint.clone());
    if let Some(hint) = &hint {
        let _ = writeln!(text, "hint: {}", text::plain(hint));
    }
    (text, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_shows_the_way_on_if_there_is_one() {
        let bare = || Refusal::interrupted();
        let what = "the migration did not run".to_owned();
        let hint = "go back with `cargo xtask db-restore latest`".to_owned();
        let told = Refusal { what, hint, exit: Exit::Interrupted };
        for (error, expected) in [
            (bare(), "interrupted: nothing was changed except what was reported as done\n"),
            (
                bare().context("could not copy"),
                "interrupted: could not copy; nothing was changed except what was reported as done\n",
            ),
            (
                told.into(),
                "interrupted: the migration did not run\n\
                 hint: go back with `cargo xtask db-restore latest`\n",
            ),
        ] {
            assert_eq!(layout(&error).0, expected);
        }
    }
}

//! The host's commands that rebuild derived data, after rows were restored or added.

use std::time::Duration;

use anyhow::Result;

use crate::console::refusal::{Exit, Refusal};
use crate::host::command::{self, Task};
use crate::host::project::{Database, Project};
use crate::host::session::Session;

/// The work done before the host's commands, as their failure mentions it: the data stays.
#[derive(Clone, Copy)]
pub(crate) struct Done {
    /// E.g. `the data is restored`.
    pub(crate) what: &'static str,
    /// Content of the database now, as a clause.
    pub(crate) content: &'static str,
}

/// Runs the host's commands that rebuild derived data; the restored data stays whatever they do.
///
/// # Errors
///
/// If a command fails; the message confirms that the data is restored.
pub(crate) fn after_restore(
    session: &mut Session,
    project: &Project,
    database: &Database,
) -> Result<()> {
    let what = "the data is restored";
    let content = "the database has the backup's content";
    rebuild(session, project, database, Done { what, content })
}

/// The same after something else than a restore, which `Done` names.
///
/// # Errors
///
/// If a command fails; the message names what was done before.
pub(crate) fn rebuild(
    session: &mut Session,
    project: &Project,
    database: &Database,
    Done { what, content }: Done,
) -> Result<()> {
    for command in &database.after_restore {
        session.note(format!("Running {}", command.join(" ")));
        let interrupt = session.interrupt().clone();
        let (location, timeout) = (&database.location, Duration::MAX);
        let task = Task { project, database, location, command, timeout };
        command::run(&task, &interrupt).map_err(|error| {
            error.context(Refusal {
                what: format!("{what}, but `{}` failed", command.join(" ")),
                hint: format!("run it by hand; {content}"),
                exit: Exit::CouldNot,
            })
        })?;
    }
    Ok(())
}

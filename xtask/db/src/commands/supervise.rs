//! `db-supervise`: started by other tasks to supervise a command of the host; not for people.

use anyhow::Result;

use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Refusal};
use crate::host::command::supervisor;
use crate::host::session::Session;

/// Arguments of `db-supervise`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    #[expect(clippy::unused_self, reason = "every command is run like this")]
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        if !session.is_to_supervise() {
            return Err(Refusal::could_not(
                "`db-supervise` is started by other tasks",
                "run `cargo xtask db-migrate` to migrate the database",
            ));
        }
        // The command is ended if the process that started us ends, never by a signal to us.
        let interrupt = session.interrupt().clone();
        let _supervising = interrupt.while_supervising();
        supervisor::serve(session.stdin()?, &interrupt)?;
        Ok(Answer::Yes)
    }
}

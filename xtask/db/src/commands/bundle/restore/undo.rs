//! `db-bundle restore --undo`: every item is again what it was before, in the opposite order.

use anyhow::{Context, Result};

use crate::bundle::journal::{Phase, State};
use crate::bundle::manifest::Kind;
use crate::bundle::switch;
use crate::commands::bundle::RestoreArgs;
use crate::commands::bundle::restore::Restoring;
use crate::console::refusal::Answer;
use crate::host::session::Session;

impl Restoring {
    pub(super) fn undo(&mut self, session: &mut Session, args: &RestoreArgs) -> Result<Answer> {
        if self.journal.phase != Phase::Backward {
            self.demand_safety_backups(session, args)?;
        }
        if !args.yes {
            let question = format!("Undo the restore of {}?", self.journal.bundle);
            session.confirm(&question, "nothing was changed")?;
        }
        self.journal.phase = Phase::Backward;
        self.journal.write(&self.folder)?;
        self.backward(session, args).context(
            "the restore is not undone yet: `cargo xtask db-bundle restore --undo` continues",
        )?;
        self.journal.phase = Phase::Undone;
        self.journal.write(&self.folder)?;
        session.say(format!("Undone. What the bundle had brought is in {}", self.folder.display()));
        self.document(session, Vec::new());
        Ok(Answer::Yes)
    }

    fn backward(&mut self, session: &mut Session, args: &RestoreArgs) -> Result<()> {
        for at in (0..self.journal.steps.len()).rev() {
            session.interrupt().check()?;
            if matches!(self.journal.steps[at].state, State::Waiting | State::Undone) {
                continue;
            }
            self.note(at, State::Undoing)?;
            match self.journal.steps[at].kind {
                Kind::Database => self.undo_database(session, args, at)?,
                // It changed nothing.
                Kind::Snapshot => {}
                Kind::File | Kind::Folder => {
                    switch::back(&self.journal.steps[at])?;
                    let step = &self.journal.steps[at];
                    session.say(format!(
                        "[✓] {} is as it was: {}",
                        step.name,
                        step.place.display()
                    ));
                }
            }
            self.note(at, State::Undone)?;
        }
        Ok(())
    }
}

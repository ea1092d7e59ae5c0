//! The question of `db-restore`: whether this backup may replace the live database.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::console::refusal::Refusal;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::operations::restore::dialogue::{self, Consent};
use crate::operations::restore::request::Request;

impl Request {
    /// Asks whether the live database may be replaced, unless that was answered already.
    ///
    /// # Errors
    ///
    /// A refusal if it may not.
    pub(super) fn confirm(
        &self,
        session: &mut Session,
        project: &Project,
        database: &Database,
        backup: &Backup,
    ) -> Result<()> {
        let (place, quoted) = (project.place(database), project.quoted_place(database));
        let untouched = "the database is untouched";
        let was_chosen_in_dialogue = self.reference.is_none();
        if !was_chosen_in_dialogue && session.has_terminal() && !self.yes {
            dialogue::say_choice(session, backup);
        }
        if database.protected {
            let consent = Consent { named: self.database.as_deref(), yes: self.yes };
            return dialogue::confirm_protected(session, &place, database, &consent);
        }
        self.point_out_other_source(session, project, database, backup)?;
        if self.yes {
            return Ok(());
        }
        if !session.has_terminal() {
            return Err(Refusal::could_not(
                format!("restoring into {quoted} needs `--yes` when there is no terminal"),
                "pass `--yes`, or look first with `--dry-run`",
            ));
        }
        session.confirm(&format!("Restore this backup into {place} ?"), untouched)
    }
}

//! `db-pin` and `db-unpin`: protect a backup from pruning, and allow it again.

use anyhow::Result;

use crate::backups::backup_document::BackupDocument;
use crate::commands::flags::Common;
use crate::console::refusal::Answer;
use crate::host::session::Session;
use crate::operations::find_backup::Wanted;
use crate::operations::label_or_pin::amend;
use crate::operations::list_document::Document;

pub(crate) const EXAMPLE: &str = "\
Example:
  cargo xtask db-pin latest";

pub(crate) const EXAMPLE_UNPIN: &str = "\
Example:
  cargo xtask db-unpin 2025-09-13_1425";

/// Arguments of `db-pin` and `db-unpin`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Backup, e.g. `latest`, `latest~2`, `@branch`, `3d` or a name; see
    /// `db-restore --help` for all forms
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn pin(self, session: &mut Session) -> Result<Answer> {
        self.write(session, true, "pinned: pruning will keep it")
    }

    pub(crate) fn unpin(self, session: &mut Session) -> Result<Answer> {
        self.write(session, false, "not pinned: pruning may remove it")
    }

    fn write(self, session: &mut Session, pinned: bool, outcome: &str) -> Result<Answer> {
        let project = self.common.project(session)?;
        let wanted = Wanted { reference: &self.reference, database: self.common.db.as_deref() };
        let backup = amend(session, &project, wanted, |record| record.pinned = pinned)?;
        session.say(format!("{} is {outcome}", backup.name));
        session.document(&Document::of(vec![BackupDocument::of(&backup, session.now())]));
        Ok(Answer::Yes)
    }
}

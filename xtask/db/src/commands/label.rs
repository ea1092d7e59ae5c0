//! `db-label`: changes the label of a backup.

use anyhow::Result;

use crate::backups::backup_document::BackupDocument;
use crate::commands::flags::Common;
use crate::console::refusal::Answer;
use crate::console::{secrets, text};
use crate::host::session::Session;
use crate::operations::find_backup::{self, Wanted};
use crate::operations::label_or_pin;
use crate::operations::list_document::Document;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-label latest 'before the merge'
  cargo xtask db-restore 'before the merge'
  cargo xtask db-label 'before the merge' ''     # removes the label

A label is a reference too, if exactly one backup has it.";

/// Arguments of `db-label`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Backup to label, e.g. `latest`, `latest~2` or a name; see
    /// `db-restore --help` for all forms
    #[arg(value_name = "REF")]
    reference: String,
    /// New label; an empty string removes the label
    #[arg(value_name = "TEXT")]
    label: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let label = secrets::masked(&self.label).into_owned();
        let label = (!label.is_empty()).then_some(label);
        let wanted = Wanted { reference: &self.reference, database: self.common.db.as_deref() };
        let backup = label_or_pin::amend(session, &project, wanted, |record| {
            record.label.clone_from(&label);
        })?;
        let name = &backup.name;
        match &label {
            None => session.say(format!("{name} has no label")),
            Some(label) => {
                session.say(format!("{name} is labelled \"{}\"", text::plain(label)));
                let wanted = Wanted { reference: label, ..wanted };
                if !find_backup::means(session, &project, wanted, &backup)? {
                    session.note(
                        "The label cannot be used as a reference to it: something else has that \
                         name. The name of the backup always can.",
                    );
                }
            }
        }
        session.document(&Document::of(vec![BackupDocument::of(&backup, session.now())]));
        Ok(Answer::Yes)
    }
}

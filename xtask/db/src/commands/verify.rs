//! `db-verify`: proves that backups are whole; with `operations/verify_one.rs`, which writes `verified` into each record.

mod all_stored_together;
mod rolling_share;

use anyhow::Result;
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::backup_document::BackupDocument;
use crate::backups::vault::Vault;
use crate::backups::verification::outcome::{Outcome, Verification};
use crate::commands::flags::Common;
use crate::console::refusal::Answer;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::find_backup::{self, Wanted};
use crate::operations::list_document::Document;
use crate::operations::rolling_share::{self as rolling, Share};
use crate::operations::verify_one::{self, verify_one};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-verify                  # the newest backup
  cargo xtask db-verify --all --drill
  cargo xtask db-verify --all --read 5%  # daily from cron: reads all in 20 days

A page in the page store counts as read for 7 days, or for `read-within`. After
that, its backups are `unread since` a date, and `db-status` reports them.";

/// Arguments of `db-verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Backup to verify [default: the newest of each database]
    #[arg(value_name = "REF", conflicts_with = "all")]
    reference: Option<String>,
    /// Verify every backup
    #[arg(long)]
    all: bool,
    /// With `--all`, read only this share of all packs and plain backups, e.g.
    /// `5%`, the least recently read first [default: all of them]
    #[arg(long, value_name = "SHARE", requires = "all", conflicts_with = "drill")]
    read: Option<Share>,
    /// Restore each backup into a scratch file, as a real restore would,
    /// and compare the contents
    #[arg(long)]
    drill: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// One backup in `--json`.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    backup: BackupDocument,
    outcome: &'static str,
    reasons: Vec<String>,
    warnings: Vec<String>,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let vault = Vault::of(&project, session.now());
        let named = self.common.db.as_deref();
        let databases = project.chosen(named)?;
        let mut backups = Vec::new();
        if self.all {
            let mine = |b: &Backup| named.is_none() || databases.iter().any(|d| b.is_of(d));
            backups.extend(vault.backups()?.into_iter().filter(mine));
        } else if let Some(reference) = &self.reference {
            let wanted = Wanted { reference, database: named };
            backups.push(find_backup::backup(session, &project, &vault, wanted)?);
        } else {
            for database in &databases {
                let name = Some(database.name.as_str());
                let wanted = Wanted { reference: "latest", database: name };
                backups.push(find_backup::backup(session, &project, &vault, wanted)?);
            }
        }
        if backups.is_empty() {
            session.say(format!("No backups in {} to verify.", project.dotted(&project.backups)));
        } else if let Some(share) = self.read {
            let chosen = rolling::choose(&vault, &backups, share)?;
            return rolling_share::read(session, &project, &vault, &chosen);
        }
        let worst = self.each(session, &project, &backups)?;
        Ok(match worst {
            Outcome::Whole => Answer::Yes,
            Outcome::Damaged => Answer::No,
            Outcome::CannotTell => Answer::CannotTell,
        })
    }

    fn each(
        &self,
        session: &mut Session,
        project: &Project,
        backups: &[Backup],
    ) -> Result<Outcome> {
        // A drill reads every page anyway.
        let together = self.all && !self.drill;
        let checked = if together { all_stored_together::check(session, backups)? } else { None };
        let (mut worst, mut rows, mut reasons) = (Outcome::Whole, Vec::new(), Vec::new());
        for backup in backups {
            // Another command may have pruned it since it was listed.
            if self.all && fs_err::symlink_metadata(backup.path()).is_err() {
                continue;
            }
            let verification = match &checked {
                Some(checked) if backup.name.format.is_stored() => {
                    let verification = checked.verify(session, backup);
                    verify_one::conclude(session, project, backup, verification)?
                }
                _ => verify_one(session, project, backup, self.drill)?,
            };
            worst = worst.max(verification.outcome);
            rows.push((backup, verification.clone()));
            reasons.extend(verification.reasons);
        }
        if let Some(checked) = checked {
            checked.conclude(session, project, &reasons)?;
        }
        let rows: Result<Vec<Row>> = rows
            .iter()
            .map(|(backup, verification)| row(session, project, backup, verification))
            .collect();
        let rows = rows?;
        session.document(&Document::of(rows));
        Ok(worst)
    }
}

fn row(
    session: &Session,
    project: &Project,
    backup: &Backup,
    verification: &Verification,
) -> Result<Row> {
    let vault = Vault::for_project(project, &backup.folder, session.now());
    let now = vault.read(backup.name.clone())?;
    Ok(Row {
        backup: BackupDocument::of(now.as_ref().unwrap_or(backup), session.now()),
        outcome: verification.outcome.word(),
        reasons: verification.reasons.clone(),
        warnings: verification.warnings.clone(),
    })
}

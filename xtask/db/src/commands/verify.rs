//! `db-verify`: proves that backups are whole.

mod rolling_share;
mod stored_backups;

use anyhow::Result;
use serde_json::{Value, json};

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::record::{Examined, Proof};
use crate::backups::vault::Vault;
use crate::backups::verification::{self, Outcome, Verification};
use crate::commands::flags::Common;
use crate::commands::verify::rolling_share::Share;
use crate::console::refusal::Answer;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::{find_backup, list_document};
use crate::restore::proof::{self, Unequal};
use crate::sqlite::examination::finding::{Depth, Finding, Weight, has};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-verify                  # the newest backup
  cargo xtask db-verify --all --drill
  cargo xtask db-verify --all --read 5%  # daily from cron: all within 20 days

Pages of stored backups count as read for 7 days, or for `read-within`. After
that their backups are `unread since` a date, and `db-status` reports it.";

/// Arguments of `db-verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Backup to verify [default: the newest of each database]
    #[arg(value_name = "REF", conflicts_with = "all")]
    reference: Option<String>,
    /// Verify every backup
    #[arg(long)]
    all: bool,
    /// Read only this share of all packs and plain backups, starting with
    /// those not read for longest
    #[arg(long, value_name = "SHARE", requires = "all", conflicts_with = "drill")]
    read: Option<Share>,
    /// Restore each into a scratch file, as a real restore would, and compare
    /// the contents
    #[arg(long)]
    drill: bool,
    #[command(flatten)]
    pub(crate) common: Common,
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
            backups.push(find_backup::backup(session, &project, &vault, reference, named)?);
        } else {
            for database in &databases {
                let name = Some(database.name.as_str());
                backups.push(find_backup::backup(session, &project, &vault, "latest", name)?);
            }
        }
        if backups.is_empty() {
            session.say(format!("No backups in {} to verify.", project.dotted(&project.backups)));
        } else if let Some(share) = self.read {
            return rolling_share::read(session, (&project, &vault), &backups, share);
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
        let checked = if together { stored_backups::check(session, backups)? } else { None };
        let (mut worst, mut rows, mut reasons) = (Outcome::Whole, Vec::new(), Vec::new());
        for backup in backups {
            // Another command may have pruned it since it was listed.
            if self.all && fs_err::symlink_metadata(backup.path()).is_err() {
                continue;
            }
            let verification = match &checked {
                Some(checked) if backup.name.format == Format::Pages => {
                    let verification = checked.verify(session, backup);
                    conclude(session, project, backup, (verification, false))?
                }
                _ => one(session, project, backup, self.drill)?,
            };
            worst = worst.max(verification.outcome);
            rows.push((backup, verification.clone()));
            reasons.extend(verification.reasons);
        }
        if let Some(checked) = checked {
            checked.conclude(session, project, &reasons)?;
        }
        let rows: Result<Vec<Value>> = rows
            .iter()
            .map(|(backup, verification)| row(session, project, backup, verification))
            .collect();
        let rows = rows?;
        session.document(&list_document::document(&rows));
        Ok(worst)
    }
}

/// Verifies one backup deeply, says so, and writes the record's `verified`.
pub(crate) fn one(
    session: &mut Session,
    project: &Project,
    backup: &Backup,
    drill: bool,
) -> Result<Verification> {
    let verification = verification::verify(backup, Depth::Deep, session.interrupt());
    let verification = conclude(session, project, backup, (verification, drill))?;
    stored_backups::note(session, project, backup, &verification)?;
    Ok(verification)
}

/// Drills what was verified, where that is wanted, says the outcome and remembers it.
fn conclude(
    session: &mut Session,
    project: &Project,
    backup: &Backup,
    (verification, drill): (Result<Verification>, bool),
) -> Result<Verification> {
    let mut verification = match verification {
        Ok(verification) => verification,
        Err(error) => {
            session.interrupt().check()?;
            let verification = Verification::impossible(&error);
            say(session, backup, &verification, drill);
            return Ok(verification);
        }
    };
    if drill && verification.outcome != Outcome::Damaged {
        judge_drill(session, project, backup, &mut verification)?;
    }
    remember(session, project, backup, &verification)?;
    say(session, backup, &verification, drill);
    Ok(verification)
}

/// Restores it into a scratch file: an unequal result is damage, a full disk is not.
fn judge_drill(
    session: &Session,
    project: &Project,
    backup: &Backup,
    verification: &mut Verification,
) -> Result<()> {
    let interrupt = session.interrupt();
    let vault = Vault::for_project(project, &backup.folder, session.now());
    let drilled = vault
        .lock(project.busy_timeout, interrupt)
        .and_then(|locked| proof::drill(backup, &locked, &verification.content_blake3, interrupt));
    let Err(error) = drilled else { return Ok(()) };
    interrupt.check()?;
    if error.downcast_ref::<Unequal>().is_some() {
        let what = format!("restored into a scratch file, {error:#}");
        verification.outcome = Outcome::Damaged;
        verification.findings.insert(0, Finding::structural(what.clone()));
        verification.reasons.push(what);
    } else {
        verification.outcome = Outcome::CannotTell;
        verification.reasons.push(format!("the restore drill could not be done: {error:#}"));
    }
    Ok(())
}

fn say(session: &mut Session, backup: &Backup, verification: &Verification, drill: bool) {
    let examination = &verification.examination;
    let n_rows: u64 = examination.tables.values().flatten().sum();
    let proof = match backup.proof {
        Proof::Recorded(_) => "size and BLAKE3 as recorded, ",
        _ => "",
    };
    let is_deep = verification.depth == Some(Depth::Deep);
    let examined = match has(&examination.findings, Weight::Unchecked) {
        true if is_deep => "integrity_check incomplete",
        false if is_deep => "integrity_check ok",
        // Every byte is as it was then.
        true => "quick_check incomplete when it was taken",
        false => "quick_check ok when it was taken",
    };
    match verification.outcome {
        Outcome::Whole => session.say(format!(
            "{} is whole: {proof}{examined}, {}, {}{}",
            backup.name,
            text::count(examination.tables.len() as u64, "table"),
            text::count(n_rows, "row"),
            if drill { ", restore drill ok" } else { "" }
        )),
        Outcome::CannotTell => session.say(format!("{}: cannot tell", backup.name)),
        Outcome::Damaged => session.say(format!("{} is damaged", backup.name)),
    }
    for reason in &verification.reasons {
        session.say(format!("  {reason}"));
    }
    for warning in &verification.warnings {
        session.warn(format!("{}: {warning}", backup.name));
    }
    if verification.outcome == Outcome::Damaged {
        session
            .note("hint: take a new one with `cargo xtask db-backup`; this one stays where it is");
    }
}

/// Writes the record's `verified`; a folder that cannot be written is no reason to doubt a backup.
fn remember(
    session: &mut Session,
    project: &Project,
    backup: &Backup,
    verification: &Verification,
) -> Result<()> {
    // What SQLite did not look at is no examination.
    let Some(depth) = verification.depth else { return Ok(()) };
    let vault = Vault::for_project(project, &backup.folder, session.now());
    let write = || -> Result<()> {
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        // The record as it is now: another command may have pinned it meanwhile.
        let Some(mut backup) = vault.read(backup.name.clone())? else {
            return Ok(());
        };
        let Proof::Recorded(record) = &mut backup.proof else {
            return Ok(());
        };
        let mut examined = Examined {
            at: session.now(),
            depth,
            findings: verification.findings.clone(),
            unknown: serde_json::Map::new(),
        };
        // What a deep look found holds as long as the bytes are the same.
        if let Some(before) = record.verified.take()
            && verification.outcome == Outcome::Whole
            && (depth, before.depth) == (Depth::Quick, Depth::Deep)
        {
            examined = Examined { at: examined.at, ..before };
        }
        record.verified = Some(examined);
        let record = record.clone();
        locked.rewrite(&backup, &record)
    };
    if let Err(error) = write() {
        session.interrupt().check()?;
        session.warn(format!("the result could not be written into the record: {error:#}"));
    }
    Ok(())
}

fn row(
    session: &Session,
    project: &Project,
    backup: &Backup,
    verification: &Verification,
) -> Result<Value> {
    let vault = Vault::for_project(project, &backup.folder, session.now());
    let now = vault.read(backup.name.clone())?;
    let mut row = now.as_ref().unwrap_or(backup).to_json(session.now())?;
    row["outcome"] = json!(verification.outcome.word());
    row["reasons"] = json!(verification.reasons);
    row["warnings"] = json!(verification.warnings);
    Ok(row)
}

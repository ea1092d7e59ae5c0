//! `db-setup`: makes a fresh clone ready; a second run changes nothing.

mod missing_database;

use anyhow::Result;

use crate::backups::backup_document::BackupDocument;
use crate::backups::vault::Vault;
use crate::backups::verification::outcome::Outcome;
use crate::commands::flags::Common;
use crate::console::refusal::Answer;
use crate::console::text;
use crate::health;
use crate::host::project::Project;
use crate::host::project::schedule::Scheduled;
use crate::host::session::Session;
use crate::operations::list_document::Document;
use crate::operations::verify_one::verify_one;
use crate::operations::{back_up_each, hook_blocks};
use crate::schedule::home::Home;
use crate::schedule::installation::Installation;

pub(crate) const EXAMPLE: &str = "\
Example:
  cargo xtask db-setup";

/// Arguments of `db-setup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let databases = project.chosen(self.common.db.as_deref())?;
        for database in &databases {
            missing_database::create_if_missing(session, &project, database)?;
        }
        warn_of_tracked(session, &project);
        for remark in health::remarks(&project) {
            session.warn(format!("{}: {}", remark.what, remark.remedy));
        }
        if let Some(place) = &project.git {
            // A hook that is left alone was warned of, and is not a reason to fail.
            hook_blocks::install(session, &project, place)?;
        }
        let taken = back_up_each::Request::if_changed(self.common.db.clone())
            .take_all(session, &project)?;
        let mut answer = Answer::Yes;
        for backup in &taken {
            match verify_one(session, &project, backup, false)?.outcome {
                Outcome::Whole => {}
                Outcome::Damaged => answer = Answer::No,
                Outcome::CannotTell => answer = Answer::CannotTell,
            }
        }
        session.say("");
        session.say("Three commands to know:");
        session.say("  cargo xtask db-backup     before anything risky");
        session.say("  cargo xtask db-list       the backups you can go back to");
        session.say("  cargo xtask db-restore    the way back");
        mention_schedule(session, &project);
        let now = session.now();
        let vault = Vault::of(&project, now);
        let mut rows = Vec::new();
        for backup in &taken {
            let backup_now = vault.read(backup.name.clone())?;
            rows.push(BackupDocument::of(backup_now.as_ref().unwrap_or(backup), now));
        }
        session.document(&Document::of(rows));
        Ok(answer)
    }
}

/// Mentions backups by the clock that are configured and not installed: they are installed only by those who ask.
fn mention_schedule(session: &mut Session, project: &Project) {
    let Scheduled::Yes(schedule) = &project.schedule else { return };
    let Some(folder) = session.state_folder() else { return };
    let installed = Installation::read(&Home::of(project, &folder));
    if matches!(installed, Ok(None)) {
        session.say("");
        session.say(format!(
            "Backups by the clock are configured ({}); to install them here:",
            schedule.when
        ));
        session.say("  cargo xtask db-schedule install");
    }
}

fn warn_of_tracked(session: &mut Session, project: &Project) {
    let Some(place) = &project.git else { return };
    let tracked = place.tracked(&project.backups);
    let tracked: Vec<_> = tracked.iter().filter(|file| !file.ends_with(".gitignore")).collect();
    if let Some(first) = tracked.first() {
        session.warn(format!(
            "git tracks {} in the backups folder, e.g. {first}: untrack it with `git rm --cached`",
            text::count(tracked.len() as u64, "file")
        ));
    }
}

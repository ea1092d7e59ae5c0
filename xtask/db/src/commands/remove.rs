//! `db-remove`: removes one backup on purpose, and reports what else has its content.

use anyhow::Result;
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::obstacle::Obstacle;
use crate::backups::remaining_copies::{self, Remaining};
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Declined, Refusal};
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::find_backup::{self, Wanted};
use crate::operations::reclaim_packs::{self, Outcome};
use crate::retention::plan::reason::{self, Reasons};
use crate::retention::protection;
use crate::retention::repack_plan::Extent;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-remove 2025-09-13_1425      # asks you to type its name
  cargo xtask db-remove kalito.db.2025-09-13_142530.bak --yes

To get rid of a secret that was backed up: delete it from the database, take a
new backup, then remove each backup that still contains it. The report names the
backups with equal content or shared pages. Deleted bytes may stay on the disk
until they are overwritten, so rotate the secret as well.

Protected backups are not removed: the newest verified one, the newest three
safety backups, the branch point of an unmerged branch, and others that pruning
always keeps. `--force` removes them anyway, but neither a pinned one (unpin it
first) nor one that an interrupted command needs (run `db-recover` first).";

/// How many names a line shows.
const MAX_NAMES: usize = 5;

/// Arguments of `db-remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Backup to remove; `--yes` needs its exact file name
    #[arg(value_name = "REF")]
    reference: String,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Remove the backup even if pruning always keeps it
    #[arg(long)]
    force: bool,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Result for the backup.
enum Done {
    /// Nothing was removed yet.
    Planned,
    /// Its file is gone.
    Removed,
    /// Its page list is gone, with this result for its pages.
    Reclaimed(Outcome),
}

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    backup: String,
    removed: bool,
    equal: &'a [String],
    sharing: Vec<Sharing<'a>>,
    unreadable: &'a [String],
    /// Result for the page store, if the removed backup was in it.
    store: Option<reclaim_packs::Document>,
}

/// Another backup with pages of this one.
#[derive(Serialize)]
struct Sharing<'a> {
    name: &'a str,
    pages: u64,
}

impl<'a> Document<'a> {
    fn of(backup: &Backup, remaining: &'a Remaining, done: &Done) -> Self {
        let sharing = remaining.sharing.iter();
        Self {
            version: VERSION,
            backup: backup.name.to_string(),
            removed: !matches!(done, Done::Planned),
            equal: &remaining.equal,
            sharing: sharing.map(|o| Sharing { name: &o.name, pages: o.n_pages }).collect(),
            unreadable: &remaining.unreadable,
            store: match done {
                Done::Reclaimed(store) => Some(store.document()),
                Done::Planned | Done::Removed => None,
            },
        }
    }
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let vault = Vault::of(&project, session.now());
        let named = self.common.db.as_deref();
        let wanted = Wanted { reference: &self.reference, database: named };
        let backup = find_backup::backup(session, &project, &vault, wanted)?;
        // A backup given by its path may be in another folder.
        let vault = if *backup.folder == *vault.folder() {
            vault
        } else {
            Vault::for_project(&project, &backup.folder, session.now())
        };
        self.demand_leave(session, &project, &vault, &backup)?;
        let interrupt = session.interrupt().clone();
        let remaining = remaining_copies::of(&backup, &vault.backups()?, &interrupt)?;
        say_remaining(session, &backup, &remaining);
        if self.dry_run {
            session.say(format!("Would remove {}", backup.name));
            session.document(&Document::of(&backup, &remaining, &Done::Planned));
            return Ok(Answer::Yes);
        }
        self.confirm(session, &backup)?;
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        // Another command may have changed the folder while the question was open.
        self.demand_leave(session, &project, &vault, &backup)?;
        self.remove(&locked, &backup)?;
        session.say(format!("Removed {}", backup.name));
        let done = match backup.name.format {
            Format::Plain | Format::Dump => Done::Removed,
            Format::Pages | Format::Chunks => Done::Reclaimed(reclaim(session, &project, &locked)?),
        };
        session.document(&Document::of(&backup, &remaining, &done));
        Ok(answer(&done))
    }

    /// Refuses backups that pruning would never remove, unless that is forced.
    fn demand_leave(
        &self,
        session: &Session,
        project: &Project,
        vault: &Vault,
        backup: &Backup,
    ) -> Result<()> {
        let name = &backup.name;
        if backup.is_pinned() {
            return Err(Refusal::no(
                format!("`{name}` is pinned, and pinned backups are never removed"),
                format!("allow it with `cargo xtask db-unpin {}`", shell(backup)),
            ));
        }
        let again = format!("`cargo xtask db-remove {} --force`", shell(backup));
        if !backup.whose.is_ours() && !self.force {
            return Err(Refusal::no(
                format!("`{name}` may be another project's only backup"),
                format!("if it is not needed there, run {again}"),
            ));
        }
        let reasons = protection::reasons(vault, project, backup, session.now())?;
        if let Some(reason) = reasons.iter().find(|reason| reason::is_way_back(reason)) {
            return Err(Refusal::no(
                format!("`{name}` cannot be removed now: {reason}"),
                "settle the interrupted command with `cargo xtask db-recover`, then remove it",
            ));
        }
        if self.force {
            return Ok(());
        }
        if reasons.is_empty() {
            return Ok(());
        }
        Err(Refusal::no(
            format!("`{name}` is protected: {reasons}"),
            format!("{}{again} removes it anyway", way_on(&reasons)),
        ))
    }

    fn remove(&self, locked: &Locked<'_>, backup: &Backup) -> Result<()> {
        let name = &backup.name;
        let obstacle =
            if self.force { locked.remove_anyway(backup)? } else { locked.remove(backup)? };
        match obstacle {
            None => Ok(()),
            Some(Obstacle::Read) => Err(Refusal::locked(
                format!("`{name}` was not removed: {}", Obstacle::Read),
                "try again when it is done",
            )),
            Some(why) => Err(Refusal::could_not(
                format!("`{name}` was not removed: {why}"),
                format!("`cargo xtask db-verify {}` shows its state", shell(backup)),
            )),
        }
    }

    /// The name typed out on a terminal; without one, the exact name as REF and `--yes`.
    fn confirm(&self, session: &mut Session, backup: &Backup) -> Result<()> {
        let name = backup.name.to_string();
        if self.yes && self.reference == name {
            return Ok(());
        }
        if !session.has_terminal() {
            return Err(Refusal::could_not(
                "without a terminal `db-remove` needs the exact name and `--yes`",
                format!("`cargo xtask db-remove {} --yes`; nothing was removed", shell(backup)),
            ));
        }
        let shown = text::plain(&name);
        let question = format!("This cannot be undone. Type `{shown}` to remove it: ");
        match session.ask(&question)? {
            Some(answer) if answer == name || answer == shown => Ok(()),
            _ => Err(Declined { untouched: "nothing was removed".to_owned() }.into()),
        }
    }
}

fn shell(backup: &Backup) -> String {
    text::shell(&backup.name.to_string())
}

/// A way that does not need `--force`, if there is one.
fn way_on(reasons: &Reasons) -> &'static str {
    if reasons.iter().any(reason::is_newest) {
        "create a newer one with `cargo xtask db-backup`, then remove this one; or "
    } else {
        ""
    }
}

fn reclaim(session: &mut Session, project: &Project, locked: &Locked<'_>) -> Result<Outcome> {
    let store = reclaim_packs::reclaim(session, locked, Extent::All)?;
    store.say(session, project);
    Ok(store)
}

/// No, if pages of the removed backup may still be in the store.
fn answer(done: &Done) -> Answer {
    match done {
        Done::Reclaimed(Outcome::Refused(_)) => Answer::No,
        Done::Reclaimed(Outcome::Reclaimed(done)) if done.is_read || !done.left.is_empty() => {
            Answer::No
        }
        _ => Answer::Yes,
    }
}

fn say_remaining(session: &mut Session, backup: &Backup, remaining: &Remaining) {
    let equal: Vec<&str> = remaining.equal.iter().map(String::as_str).collect();
    if !equal.is_empty() {
        session.warn(format!("the same content is also in {}", names(&equal)));
    }
    let sharing: Vec<String> = remaining
        .sharing
        .iter()
        .map(|other| format!("{} ({})", other.name, text::digits(other.n_pages)))
        .collect();
    if !sharing.is_empty() {
        let sharing: Vec<&str> = sharing.iter().map(String::as_str).collect();
        let part = if backup.name.format.is_dump() { "chunk" } else { "page" };
        let n = text::count(remaining.n_pages, part);
        session.warn(format!("some of its {n} are also in {}", names(&sharing)));
    }
    let unreadable: Vec<&str> = remaining.unreadable.iter().map(String::as_str).collect();
    if !unreadable.is_empty() {
        session.warn(format!("it is unknown what {} shares with it", names(&unreadable)));
    }
    if remaining.n_unknown > 0 {
        let n = text::count(remaining.n_unknown, "other backup");
        session.note(format!(
            "{n} of this database may have the same rows; `cargo xtask db-export` shows them"
        ));
    }
}

fn names(all: &[&str]) -> String {
    let shown = all.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

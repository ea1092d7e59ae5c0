//! `db-list`: every backup, newest first, with the reference to type.

use anyhow::Result;
use serde_json::{Value, json};

use crate::backup::Backup;
use crate::cli::Common;
use crate::name::Format;
use crate::project::{Database, Project};
use crate::record::{Kind, Proof};
use crate::refusal::Answer;
use crate::session::Session;
use crate::text;
use crate::vault::Vault;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-list
  cargo xtask db-list --json | jq -r '.backups[0].name'";

const WIDTH: usize = 80;

/// Arguments of `db-list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let vault = Vault::at(&project.backups, session.now());
        let mut backups = vault.backups()?;
        if let Some(name) = self.common.db.as_deref() {
            let database = project.one(Some(name))?;
            backups.retain(|backup| backup.is_of(&database));
        }
        let now = session.now();
        let rows: Result<Vec<Value>> = backups.iter().map(|backup| backup.to_json(now)).collect();
        session.document(&document(&rows?));
        if backups.is_empty() {
            let folder = project.dotted(&project.backups);
            session.say(format!("No backups in {folder}. Take one with `cargo xtask db-backup`."));
        } else {
            say_table(session, &project, &backups);
        }
        for (folder, size_bytes) in vault.set_aside()? {
            let (folder, size) = (project.dotted(&folder), text::size(size_bytes));
            session.say(format!(
                "Raw files set aside: {folder}, {size}; remove it when it has served"
            ));
        }
        warn_of_strangers(session, &backups);
        Ok(Answer::Yes)
    }
}

/// The document of `--json`.
pub(crate) fn document(backups: &[Value]) -> Value {
    json!({ "version": 1, "backups": backups })
}

fn say_table(session: &mut Session, project: &Project, backups: &[Backup]) {
    let now = session.now();
    let references = references(project, backups);
    let mut rows = vec![["REFERENCE", "NAME", "SIZE", "AGE", "STATE"].map(str::to_owned).to_vec()];
    for (backup, reference) in backups.iter().zip(references) {
        rows.push(vec![
            reference,
            text::plain(&backup.name.to_string()),
            text::size(backup.size_bytes),
            text::age(backup.age(now)),
            backup.state().word().to_owned(),
        ]);
    }
    let table = text::table(&rows, &[2, 3]);
    let mut lines = table.lines();
    session.say(lines.next().unwrap_or_default());
    let indent = rows.iter().map(|row| row[0].chars().count()).max().unwrap_or(0) + 2;
    for (line, backup) in lines.zip(backups) {
        session.say(line);
        let details = text::cut(&details(project, backup, now), WIDTH - indent);
        session.say(format!("{:indent$}{details}", ""));
    }
}

/// Kind, branch@commit, label, pinned and what else is worth knowing.
pub(crate) fn details(
    project: &Project,
    backup: &Backup,
    now: chrono::DateTime<chrono::FixedOffset>,
) -> String {
    let mut parts = vec![backup.kind().map_or("no record", Kind::word).to_owned()];
    if backup.name.format == Format::Pages && backup.record().is_some() {
        parts.push(match backup.new_bytes() {
            0 => "nothing new".to_owned(),
            new_bytes => format!("{} new", text::size(new_bytes)),
        });
    }
    if backup.is_pinned() {
        parts.push("pinned".to_owned());
    }
    if backup.is_from_the_future(now) {
        parts.push("dated in the future".to_owned());
    }
    if backup.worktree() != project.worktree() {
        parts.push(match backup.worktree() {
            "." => "main worktree".to_owned(),
            linked => format!("worktree {linked}"),
        });
    }
    parts.extend(backup.branch_at_commit());
    parts.extend(backup.label().map(|label| format!("\"{label}\"")));
    text::plain(&parts.join("  "))
}

/// What to type for each backup: `latest~N` or `safety~N` where there is one database, else the time.
fn references(project: &Project, backups: &[Backup]) -> Vec<String> {
    let one = project.databases.len() == 1;
    let is_mine = |backup: &Backup, database: &Database| {
        backup.is_of(database) && backup.worktree() == project.worktree()
    };
    let (mut n_ordinary, mut n_safety) = (0, 0);
    let counted = |word: &str, n: &mut usize| {
        let reference = if *n == 0 { word.to_owned() } else { format!("{word}~{n}") };
        *n += 1;
        reference
    };
    let mut references = Vec::new();
    for backup in backups {
        let mine = one && project.databases.iter().any(|database| is_mine(backup, database));
        references.push(match backup.kind() {
            Some(Kind::Safety) if mine => counted("safety", &mut n_safety),
            _ if mine => counted("latest", &mut n_ordinary),
            _ => backup.name.time_text(),
        });
    }
    references
}

fn warn_of_strangers(session: &mut Session, backups: &[Backup]) {
    for backup in backups {
        match &backup.proof {
            Proof::Newer(version) => session.warn(format!(
                "the record of {} has version {version}: update xtask-db to use it",
                backup.name
            )),
            Proof::Unreadable(why) => session.warn(format!(
                "the record of {} cannot be read ({}); `cargo xtask db-verify {}` says what is left",
                backup.name,
                text::plain(why),
                backup.name
            )),
            Proof::Recorded(_) | Proof::Unrecorded => {}
        }
    }
}

//! `db-list`: every backup, newest first, with the name to type and its number beside it.

use anyhow::Result;
use chrono::{DateTime, FixedOffset};
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::backup_document::BackupDocument;
use crate::backups::home::Whose;
use crate::backups::record::proof::Proof;
use crate::backups::reference;
use crate::backups::reference::field::Field;
use crate::backups::reference::printed::{self, Printed};
use crate::backups::vault::Vault;
use crate::commands::flags::Common;
use crate::console::refusal::Answer;
use crate::console::text;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::find_backup;
use crate::operations::list_document::details;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-list
  cargo xtask db-list --json | jq -r '.backups[0].name'";

const INDENT: &str = "    ";

/// Arguments of `db-list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
}

/// One backup and the references to print for it.
struct Row<'a> {
    backup: &'a Backup,
    printed: &'a Printed,
}

/// Output of `--json` after its `backups`, which are written one by one.
#[derive(Serialize)]
struct Document {
    version: u32,
}

/// One backup in `--json`.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    backup: BackupDocument,
    reference: String,
    /// Another reference that means it, e.g. `latest~2`.
    number: Option<String>,
    whose: &'static str,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let vault = Vault::of(&project, session.now());
        let databases = project.chosen(self.common.db.as_deref())?;
        let backups = vault.backups()?;
        let folder = session.folder().to_owned();
        let field = Field {
            all: &backups,
            databases: databases.iter().map(Database::owner).collect(),
            git: project.git.as_ref(),
            vault: &vault,
            folder: &folder,
            now: session.now(),
        };
        let printed = printed::all(&field);
        let latest = reference::resolve("latest", &field).ok().map(|found| found.backup.name);
        let latest = latest.and_then(|name| {
            let at = backups.iter().position(|backup| backup.name == name)?;
            Some(printed[at].reference(&backups[at]))
        });
        let rows = backups.iter().zip(&printed);
        let mut rows: Vec<Row<'_>> =
            rows.map(|(backup, printed)| Row { backup, printed }).collect();
        if self.common.db.is_some() {
            rows.retain(|row| databases.iter().any(|database| row.backup.is_named_for(database)));
        }
        stream(session, &rows);
        if rows.is_empty() {
            let folder = project.dotted(&project.backups);
            session
                .say(format!("No backups in {folder}. Create one with `cargo xtask db-backup`."));
        } else {
            say_table(session, &project, &rows);
        }
        if let Some(reference) = latest.filter(|_| !rows.is_empty()) {
            session.say("");
            session.say(format!("`latest` means {reference}"));
        }
        for (folder, size_bytes) in vault.set_aside()? {
            let (folder, size) = (project.dotted(&folder), text::size(size_bytes));
            session.say(format!(
                "Raw files set aside: {folder}, {size}; remove it when you no longer need it"
            ));
        }
        point_out_strangers(session, &rows);
        Ok(Answer::Yes)
    }
}

impl Row<'_> {
    fn document(&self, now: DateTime<FixedOffset>) -> Listed {
        Listed {
            // The record that is unpacked for it goes with the clone.
            backup: BackupDocument::of(&self.backup.clone(), now),
            reference: self.printed.reference(self.backup),
            number: self.printed.number.map(|number| number.to_string()),
            whose: self.backup.whose.word(),
        }
    }
}

/// Writes the document of `--json`, row by row: a list of many backups need not be kept.
fn stream(session: &mut Session, rows: &[Row<'_>]) {
    if !session.wants_json() {
        return;
    }
    let now = session.now();
    session.stream(|streamed| streamed.begin_object() + &streamed.begin_array("backups"));
    for row in rows {
        let row = row.document(now);
        session.stream(|streamed| streamed.element(&row));
    }
    session.document(&Document { version: VERSION });
}

/// The database whose name a backup has, as the record or the file name has it.
fn database_of(project: &Project, backup: &Backup) -> String {
    let configured = project.databases.iter().find(|database| backup.is_named_for(database));
    match (backup.summary(), configured) {
        (Some(record), _) => record.database.to_string(),
        (None, Some(database)) => database.name.clone(),
        (None, None) => backup.name.file.clone(),
    }
}

fn say_table(session: &mut Session, project: &Project, rows: &[Row<'_>]) {
    const HEAD: [&str; 6] = ["NAME", "DATABASE", "ALSO", "SIZE", "AGE", "STATE"];
    let now = session.now();
    let several = project.databases.len() > 1;
    let numbered = rows.iter().any(|row| row.printed.number.is_some());
    // An empty column is left out.
    let shown = |cells: [String; 6]| -> Vec<String> {
        let is_shown = |column: usize| (column != 1 || several) && (column != 2 || numbered);
        let cells = cells.into_iter().enumerate().filter(|(column, _)| is_shown(*column));
        cells.map(|(_, cell)| cell).collect()
    };
    let cells = |Row { backup, printed }: &Row<'_>| {
        shown([
            text::plain(&printed.reference(backup)),
            text::plain(&database_of(project, backup)),
            printed.number.map(|number| number.to_string()).unwrap_or_default(),
            text::size(backup.size_bytes),
            text::age(backup.age(now)),
            backup.state().to_string(),
        ])
    };
    let head = shown(HEAD.map(str::to_owned));
    let mut columns = text::Columns::default();
    columns.measure(&head);
    for row in rows {
        columns.measure(&cells(row));
    }
    let right_aligned = [head.len() - 3, head.len() - 2];
    session.say(columns.line(&head, &right_aligned));
    for row in rows {
        session.say(columns.line(&cells(row), &right_aligned));
        // The record that is unpacked for it goes with the clone.
        let backup = row.backup.clone();
        session.say_facts(&format!("{INDENT}{}", details(project, &backup, now)), INDENT.len());
    }
}

/// Reports that the project was moved, until it has a backup of where it is now.
fn point_out_move(session: &mut Session, rows: &[Row<'_>]) {
    let moved = |row: &&Row<'_>| matches!(row.backup.whose, Whose::Moved(_));
    let newest = rows.iter().find(|row| row.backup.whose.is_ours());
    if let Some(Whose::Moved(from)) = newest.map(|row| &row.backup.whose) {
        let n = rows.iter().filter(moved).count() as u64;
        let were = format!("{} {}", text::count(n, "backup"), if n == 1 { "was" } else { "were" });
        session.note(find_backup::moved(&were, from));
    }
}

fn point_out_strangers(session: &mut Session, rows: &[Row<'_>]) {
    point_out_move(session, rows);
    for Row { backup, .. } in rows {
        match &backup.proof {
            Proof::Newer(version) => session.warn(format!(
                "the record of {} has version {version}: `cargo update --package xtask-db` gets an xtask-db \
                 that may know it",
                backup.name
            )),
            Proof::Damaged(_) => session.warn(format!(
                "the record of {} is damaged: its checksum is wrong; `cargo xtask db-verify {}` \
                 shows what is left",
                backup.name, backup.name
            )),
            Proof::Unreadable(why) => session.warn(format!(
                "the record of {} cannot be read ({}); `cargo xtask db-verify {}` shows what is \
                 left",
                backup.name,
                text::plain(why),
                backup.name
            )),
            Proof::Recorded(_) | Proof::Unrecorded => {}
        }
    }
}

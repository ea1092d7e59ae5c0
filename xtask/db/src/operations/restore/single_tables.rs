//! `--table`: restores single tables of a backup into the live database, after a safety backup.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::backup_document::BackupDocument;
use crate::backups::reader::Contents;
use crate::backups::vault::Vault;
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::host::project::live_database;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::restore::receipt::{Planned, Receipt};
use crate::operations::restore::request::Request;
use crate::operations::restore::{derived_data, in_place, safety_backup};
use crate::recovery::database_lock::Claim;
use crate::restore::tables::Tables;
use crate::sqlite::foreign_keys;

/// Output of `--table --json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    /// The backup.
    restored: BackupDocument,
    tables: Vec<Table<'a>>,
    safety: String,
}

/// A table that was restored, and its rows now.
#[derive(Serialize)]
struct Table<'a> {
    table: &'a str,
    rows: i64,
}

/// Output of `--table --dry-run --json`.
#[derive(Serialize)]
struct PlannedTables<'a> {
    version: u32,
    dry_run: bool,
    would_restore: String,
    tables: &'a [String],
    #[serde(flatten)]
    receipt: Receipt,
}

impl Request {
    pub(super) fn put_tables_back(
        &self,
        session: &mut Session,
        planned: &Planned<'_>,
    ) -> Result<Answer> {
        let Planned { project, database, backup, .. } = *planned;
        // Refuses a live database that is missing or cannot be read.
        drop(live_database::open(project, database)?);
        let interrupt = session.interrupt().clone();
        let contents = Contents::open(backup)?;
        let file = contents.file(&interrupt)?;
        let tables = Tables {
            names: &self.tables,
            backup: file.path(),
            live: database.file()?,
            busy_timeout: project.busy_timeout,
        };
        tables.plan().map_err(|error| live_database::explain(error, project, database))?;
        let list = self.tables.join(", ");
        let place = project.quoted_place(database);
        if self.dry_run {
            session.say("Would take a safety backup first");
            session.say(format!("Would restore {list} from {} into {place}", backup.name));
            return self.say_planned(session, planned);
        }
        self.confirm(session, project, database, backup)?;
        let claim = Claim::take(project, database, self.command, &interrupt)?;
        let vault = Vault::of(project, session.now());
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        let is_replicated = in_place::is_replicated(project, database.file()?);
        let mut taken = None;
        let put_back = tables.put_back(&interrupt, || {
            let wanted = safety_backup::wanted(session, project, database);
            let kept = safety_backup::safety_backup(session, project, &locked, &wanted)?;
            taken = kept.map(|(safety, _)| safety);
            if let Some(safety) = &taken {
                return self.demand_expected(safety, &place);
            }
            Err(Refusal::no(
                format!("{place} is damaged; single tables cannot be restored into it"),
                "restore the whole database: leave `--table` out",
            ))
        });
        let (done, unchecked) = match put_back {
            Ok(done) => done,
            Err(error) => {
                let error = live_database::explain(error, project, database);
                let left = safety_backup::after(&error, &locked, taken);
                safety_backup::say(session, project, left.as_deref());
                return Err(error);
            }
        };
        drop(locked);
        drop(claim);
        let safety = taken.context("a safety backup was taken")?;
        safety_backup::say(session, project, Some(&safety));
        for table in &done {
            let before = table.n_before.map_or("missing".to_owned(), rows);
            session.say(format!(
                "[✓] {}: {before} → {}",
                text::plain(&table.table),
                rows(table.n_after)
            ));
        }
        for said in unchecked {
            session.warn(foreign_keys::unchecked(&said));
        }
        for table in done.iter().filter(|table| !table.triggers.is_empty()) {
            session.warn(format!(
                "the triggers of {} did not run ({}): data that they maintain elsewhere may be \
                 stale",
                table.table,
                table.triggers.join(", ")
            ));
        }
        if is_replicated {
            in_place::warn_of_replica(session);
        }
        in_place::note_wal(session, database);
        let undo = safety_backup::undo(session, project, database, &safety);
        session.say(format!("Undo with: {undo}"));
        derived_data::after_restore(session, project, database)?;
        session.document(&Document {
            version: VERSION,
            restored: BackupDocument::of(backup, session.now()),
            tables: done.iter().map(|t| Table { table: &t.table, rows: t.n_after }).collect(),
            safety: safety.name.to_string(),
        });
        Ok(Answer::Yes)
    }

    /// The document of a dry run.
    fn say_planned(&self, session: &mut Session, planned: &Planned<'_>) -> Result<Answer> {
        if session.wants_json() {
            session.document(&PlannedTables {
                version: VERSION,
                dry_run: true,
                would_restore: planned.backup.name.to_string(),
                tables: &self.tables,
                receipt: planned.of_readable(session)?,
            });
        }
        Ok(Answer::Yes)
    }

    /// Demands that the state which was just kept is the expected one.
    fn demand_expected(&self, safety: &Backup, place: &str) -> Result<()> {
        let Some(expected) = &self.if_live else { return Ok(()) };
        expected.demand_kept(safety, place)
    }
}

fn rows(n: i64) -> String {
    text::count(n.unsigned_abs(), "row")
}

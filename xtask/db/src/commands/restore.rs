//! `db-restore`: puts a backup back; a dialogue without REF.

pub(crate) mod into_path;
mod single_tables;

use std::cell::Cell;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use crate::backups::backup::Backup;
use crate::backups::vault::Vault;
use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::operations::find_backup;
use crate::operations::restore::{candidate, dialogue, in_place, preview};
use crate::recovery::database_lock::Claim;
use crate::restore::plan;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-restore                       # choose from a list
  cargo xtask db-restore latest --yes
  cargo xtask db-restore @main --dry-run
  cargo xtask db-restore 3d --into /tmp/three-days-ago.db
  cargo xtask db-restore latest --table messages --yes

REF is `latest`, `latest~2`, `oldest`, `safety`, a file name, a path, the
beginning of a name or of its time (`2025-09-13_14`), a label, `@branch`, an age
(`2h`, `3d`) or a git revision (`HEAD~3`, `v1.2`).";

/// How often a reference is looked up whose backup is removed before it is read.
const MAX_ATTEMPTS: usize = 5;

/// Arguments of `db-restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Backup to restore [default: choose from a list]
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Write the backup to this file; the live database is not touched
    #[arg(long, value_name = "PATH")]
    pub(crate) into: Option<PathBuf>,
    /// Restore only this table (repeatable)
    #[arg(long = "table", value_name = "T", conflicts_with = "into")]
    tables: Vec<String>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Restore even over a database that may be encrypted, over an existing
    /// `--into` file, or from a backup that cannot be verified
    #[arg(long)]
    pub(crate) force: bool,
    /// The command that this is a part of.
    #[arg(skip = "db-restore")]
    command: &'static str,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    /// The restore of a backup that `db-rollback` chose.
    pub(crate) fn of_backup(
        backup: &Backup,
        (yes, dry_run): (bool, bool),
        common: &Common,
    ) -> Self {
        Self {
            reference: Some(backup.name.to_string()),
            yes,
            into: None,
            tables: Vec::new(),
            dry_run,
            force: false,
            command: "db-rollback",
            common: common.clone(),
        }
    }

    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let vault = Vault::of(&project, session.now());
        let asked = self.reference.is_none();
        if asked && !session.has_terminal() {
            return Err(Refusal::could_not(
                "without a terminal `db-restore` needs a REF and `--yes`",
                "as `cargo xtask db-restore latest --yes`; `cargo xtask db-list` shows the backups",
            ));
        }
        if let Some(into) = &self.into {
            candidate::refuse_names_of_others(&project, &session.folder().join(into))?;
        }
        let mut n_attempts = 0;
        loop {
            n_attempts += 1;
            let Some(backup) = self.choose(session, &project, &vault)? else {
                session.note("Nothing was restored.");
                session.document(&json!({ "version": 1, "restored": null }));
                return Ok(Answer::No);
            };
            let begun = Cell::new(false);
            let outcome = self.restore(session, (&project, &vault), &backup, &begun);
            let was_raced = outcome.is_err()
                && !begun.get()
                && self.reference.as_ref().is_some_and(|given| *given != backup.name.to_string())
                && find_backup::is_gone(&backup);
            if !was_raced || n_attempts == MAX_ATTEMPTS {
                return outcome;
            }
            session.note(format!("{} was removed meanwhile; looking again", backup.name));
        }
    }

    /// Restores a backup. `begun` is set once something was changed: then there is no second attempt.
    fn restore(
        &self,
        session: &mut Session,
        (project, vault): (&Project, &Vault),
        backup: &Backup,
        begun: &Cell<bool>,
    ) -> Result<Answer> {
        let database = self.database(project, backup)?;
        if self.into.as_ref().is_some_and(|path| !session.folder().join(path).exists()) {
            return self.write_elsewhere(session, project, backup);
        }
        let database = self.target(session, project, &database)?;
        let verification = self.examine(session, project, &database, backup)?;
        if !self.tables.is_empty() {
            begun.set(true);
            return self.put_tables_back(session, project, &database, backup);
        }
        let (interrupt, destination) =
            (session.interrupt().clone(), candidate::destination(project, &database, self.force));
        let explain = |error| live_database::explain(error, project, &database);
        let plan = plan::plan(backup, &destination, &interrupt).map_err(explain)?;
        preview::point_out_equal(
            session,
            (project, &database),
            (&plan, &verification.content_blake3),
        );
        preview::point_out_old_schema(session, project, &database, &verification);
        if self.dry_run {
            preview::say_plan(session, project, &database, &plan);
            return Ok(Answer::Yes);
        }
        self.confirm(session, project, &database, backup, self.reference.is_none())?;
        let claim = Claim::take(project, &database, self.command, &interrupt)?;
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        locked.keep_private()?;
        if find_backup::is_gone(backup) {
            return Err(Refusal::could_not(
                format!("`{}` was removed meanwhile", backup.name),
                "the database is untouched; `cargo xtask db-list` shows what there is",
            ));
        }
        let plan = plan.anew(&destination, &interrupt).map_err(explain)?;
        begun.set(true);
        in_place::restore(session, claim, locked, &plan, &verification)
    }

    /// The backup that REF names, or that the user picks from the list; `None` for `q`.
    fn choose(
        &self,
        session: &mut Session,
        project: &Project,
        vault: &Vault,
    ) -> Result<Option<Backup>> {
        if let Some(reference) = &self.reference {
            let named = self.common.db.as_deref();
            return find_backup::backup(session, project, vault, reference, named).map(Some);
        }
        let database = project.one(self.common.db.as_deref())?;
        let mut backups = vault.backups()?;
        backups.retain(|backup| backup.is_of(&database));
        if backups.is_empty() {
            return Err(Refusal::could_not(
                format!("there are no backups in `{}`", vault.folder().display()),
                "take one with `cargo xtask db-backup`",
            ));
        }
        dialogue::pick(session, project, vault, &backups)
    }

    /// Whose backup it is: the named database's, the record's, else the only one's.
    fn database(&self, project: &Project, backup: &Backup) -> Result<Database> {
        if self.common.db.is_some() {
            return project.one(self.common.db.as_deref());
        }
        let mut owners = project.databases.iter().filter(|database| backup.is_named_for(database));
        match (owners.next(), owners.next()) {
            (Some(owner), None) => return Ok(owner.clone()),
            (Some(_), Some(_)) => return project.one(None),
            (None, _) => {}
        }
        match backup.record() {
            Some(record) if self.into.is_none() => Err(Refusal::could_not(
                format!(
                    "`{}` is a backup of `{}`, which is not configured",
                    backup.name,
                    text::plain(&record.database)
                ),
                "write it elsewhere with `--into PATH`, or say with `--db NAME` where it belongs",
            )),
            Some(_) => Ok(project.databases.first().context("no database")?.clone()),
            None => project.one(None),
        }
    }

    /// The live database, or with `--into` and `--force` the existing file in its place.
    fn target(
        &self,
        session: &Session,
        project: &Project,
        database: &Database,
    ) -> Result<Database> {
        let Some(into) = &self.into else {
            return Ok(database.clone());
        };
        let path = session.folder().join(into);
        if path.is_dir() {
            return Err(Refusal::could_not(
                format!("`{}` is a folder", project.path(&path)),
                "name the file to write in it",
            ));
        }
        if !self.force {
            return Err(Refusal::could_not(
                format!("`{}` exists already", project.path(&path)),
                "choose another path, or say `--force` to restore over it after a safety backup",
            ));
        }
        // A configured database stays what it is, protection and all, however it is named.
        let is_same = |database: &&Database| {
            let (a, b) = (fs_err::canonicalize(&database.path), fs_err::canonicalize(&path));
            a.is_ok() && a.ok() == b.ok()
        };
        if let Some(configured) = project.databases.iter().find(is_same) {
            let origin = Some("--into".to_owned());
            return Ok(Database { origin, ..configured.clone() });
        }
        // No configured database can have this name, whatever the file is called.
        let name = format!("into:{}", fs_err::canonicalize(&path)?.display());
        let mut other = Database::new(name, path.clone());
        other.origin = Some("--into".to_owned());
        Ok(other)
    }

    fn confirm(
        &self,
        session: &mut Session,
        project: &Project,
        database: &Database,
        backup: &Backup,
        asked: bool,
    ) -> Result<()> {
        let (place, quoted) = (project.place(database), project.quoted_place(database));
        let untouched = "the database is untouched";
        if !asked && session.has_terminal() && !self.yes {
            dialogue::say_choice(session, backup);
        }
        if database.protected {
            return dialogue::confirm_protected(
                session,
                &place,
                database,
                self.common.db.as_deref(),
                self.yes,
            );
        }
        self.point_out_other_source(session, project, database, backup)?;
        if self.yes {
            return Ok(());
        }
        if !session.has_terminal() {
            return Err(Refusal::could_not(
                format!("restoring into {quoted} needs `--yes` where there is no terminal to ask"),
                "say `--yes`, or look first with `--dry-run`",
            ));
        }
        session.confirm(&format!("Restore this backup into {place} ?"), untouched)
    }
}

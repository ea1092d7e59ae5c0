//! One restore from beginning to end: choose, examine, plan, confirm, restore.

use std::cell::Cell;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::vault::Vault;
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::find_backup::{self, Wanted};
use crate::operations::restore::candidate::Candidate;
use crate::operations::restore::dialogue::Offer;
use crate::operations::restore::on_server::OnServer;
use crate::operations::restore::receipt::Planned;
use crate::operations::restore::request::Request;
use crate::operations::restore::{candidate, dialogue, in_place, preview};
use crate::recovery::database_lock::Claim;
use crate::restore::plan;

/// How often a reference is looked up whose backup is removed before it is read.
const MAX_ATTEMPTS: usize = 5;

/// Output of `--json` if no backup was chosen.
#[derive(Serialize)]
struct Nothing {
    version: u32,
    restored: (),
}

/// One attempt to restore a backup.
struct Attempt<'a> {
    request: &'a Request,
    project: &'a Project,
    vault: &'a Vault,
    backup: &'a Backup,
    /// Set before anything is changed: then there is no second attempt.
    has_begun: Cell<bool>,
}

impl Attempt<'_> {
    fn run(&self, session: &mut Session) -> Result<Answer> {
        let Self { request, project, vault, backup, .. } = *self;
        let database = request.owner(project, backup)?;
        if let Some(server) = database.server() {
            self.has_begun.set(true);
            let on = OnServer { request, project, vault, backup, database: &database, server };
            return on.restore(session);
        }
        if request.into.as_ref().is_some_and(|path| !session.folder().join(path).exists()) {
            return request.write_elsewhere(session, project, backup);
        }
        let database = request.target(session, project, &database)?;
        let verification = request.examine(session, project, &database, backup)?;
        if !request.tables.is_empty() {
            self.has_begun.set(true);
            let planned =
                Planned { project, database: &database, backup, verification: &verification };
            return request.put_tables_back(session, &planned);
        }
        let interrupt = session.interrupt().clone();
        let destination = candidate::destination(project, &database, request.force);
        let explain = |error| live_database::explain(error, project, &database);
        let plan = plan::plan(backup, &destination, &interrupt).map_err(explain)?;
        let expected = request.if_live.as_ref();
        let candidate = Candidate { expected, ..Candidate::of(&plan, &verification) };
        preview::point_out_equal(session, project, &database, &candidate);
        preview::point_out_old_schema(session, project, &database, &verification);
        if request.dry_run {
            let planned =
                Planned { project, database: &database, backup, verification: &verification };
            return planned.say(session, &plan).map_err(explain);
        }
        request.confirm(session, project, &database, backup)?;
        let claim = Claim::take(project, &database, request.command, &interrupt)?;
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        locked.keep_private()?;
        find_backup::demand_there(backup)?;
        let plan = plan.anew(&destination, &interrupt).map_err(explain)?;
        if let Some(expected) = expected {
            expected.demand_kind(&plan.live, &project.quoted_place(&database))?;
        }
        self.has_begun.set(true);
        in_place::restore(session, claim, locked, &Candidate { plan: &plan, ..candidate })
    }
}

impl Request {
    /// Restores the requested backup.
    ///
    /// # Errors
    ///
    /// A refusal; else the last cause states the condition of the database.
    pub(crate) fn run(self, session: &mut Session, project: &Project) -> Result<Answer> {
        let vault = Vault::of(project, session.now());
        let asked = self.reference.is_none();
        if asked && !session.has_terminal() {
            return Err(Refusal::could_not(
                "without a terminal `db-restore` needs a REF and `--yes`",
                "e.g. `cargo xtask db-restore latest --yes`; `cargo xtask db-list` shows the \
                 backups",
            ));
        }
        if let Some(into) = &self.into {
            candidate::refuse_names_of_others(project, &session.folder().join(into))?;
        }
        let mut n_attempts = 0;
        loop {
            n_attempts += 1;
            let Some(backup) = self.choose(session, project, &vault)? else {
                session.note("Nothing was restored.");
                session.document(&Nothing { version: VERSION, restored: () });
                return Ok(Answer::No);
            };
            let attempt = Attempt {
                request: &self,
                project,
                vault: &vault,
                backup: &backup,
                has_begun: Cell::new(false),
            };
            let outcome = attempt.run(session);
            let was_raced = outcome.is_err()
                && !attempt.has_begun.get()
                && self.reference.as_ref().is_some_and(|given| *given != backup.name.to_string())
                && find_backup::is_gone(&backup);
            if !was_raced || n_attempts == MAX_ATTEMPTS {
                return outcome;
            }
            session.note(format!("{} was removed meanwhile; looking again", backup.name));
        }
    }

    /// The backup that REF names, or that the user picks from the list; `None` for `q`.
    fn choose(
        &self,
        session: &mut Session,
        project: &Project,
        vault: &Vault,
    ) -> Result<Option<Backup>> {
        if let Some(reference) = &self.reference {
            let named = self.database.as_deref();
            return find_backup::backup(
                session,
                project,
                vault,
                Wanted { reference, database: named },
            )
            .map(Some);
        }
        let database = project.one(self.database.as_deref())?;
        let mut backups = vault.backups()?;
        backups.retain(|backup| backup.is_of(&database));
        if backups.is_empty() {
            return Err(Refusal::could_not(
                format!("there are no backups in `{}`", project.path(vault.folder())),
                "create one with `cargo xtask db-backup`",
            ));
        }
        let offer = Offer { project, vault, database: &database, backups: &backups };
        dialogue::pick(session, offer)
    }

    /// The database that a backup belongs to: the named one, the one in its record, else the only
    /// one.
    fn owner(&self, project: &Project, backup: &Backup) -> Result<Database> {
        if self.database.is_some() {
            return project.one(self.database.as_deref());
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
                "write it elsewhere with `--into PATH`, or choose the database that it belongs to \
                 with `--db NAME`",
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
                format!("`{}` already exists", project.path(&path)),
                "choose another path, or pass `--force` to restore over it after a safety backup",
            ));
        }
        // A configured database stays what it is, protection and all, however it is named.
        let is_same = |database: &&Database| {
            let (a, b) =
                (database.file_if_any().map(fs_err::canonicalize), fs_err::canonicalize(&path));
            matches!((a, b), (Some(Ok(a)), Ok(b)) if a == b)
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
}

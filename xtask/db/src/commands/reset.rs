//! `db-reset`: replaces the database with a new one from the migrations, after a safety backup.

mod on_server;
mod report;
mod safety_before_run;

use anyhow::{Context, Result};

use crate::backups::vault::Vault;
use crate::backups::verification::outcome::Verification;
use crate::commands::flags::Common;
use crate::commands::reset::report::Document;
use crate::console::refusal::{Answer, Refusal};
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::migrate::new_database::{self, Fresh};
use crate::operations::restore::candidate::{self, Candidate};
use crate::operations::restore::derived_data;
use crate::operations::restore::dialogue::{self, Consent};
use crate::operations::restore::in_place::{self, Restored};
use crate::operations::restore::preview;
use crate::operations::restore::safety_backup;
use crate::postgres::server::Server;
use crate::recovery::database_lock::Claim;
use crate::restore::plan::{self, Live};
use crate::restore::proof::Proved;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-reset                # asks first; keeps a safety backup
  cargo xtask db-reset --dry-run
  cargo xtask db-reset --yes && cargo xtask db-backup --label fresh

The configured `migrate` command builds the new database in a private file. If
that file passes its checks, it replaces the current database in one
transaction: a running application sees the old state or the new one.";

/// Arguments of `db-reset`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Reset even a database that may be encrypted, or one that was deleted
    /// while it was open
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let database = project.one(self.common.db.as_deref())?;
        refuse_without_migrations(&project, &database)?;
        if let Some(server) = database.server() {
            return self.run_on_server(session, &project, &database, server);
        }
        let (target, live) = plan::present(database.file()?, self.force, project.busy_timeout)
            .map_err(|error| live_database::explain(error, &project, &database))?;
        if self.dry_run {
            say_plan(session, &project, &database, &live);
            report::plan(session, &database, &target.to_string_lossy());
            return Ok(Answer::Yes);
        }
        self.confirm(session, &project, &database)?;
        let interrupt = session.interrupt().clone();
        let claim = Claim::take_settled(&project, &database, "db-reset", &interrupt)?;
        let command = database.migrate.join(" ");
        session.note(format!("Building a new database with `{command}`"));
        let before = safety_before_run::keep(session, &claim, Some(&live))?;
        let built = new_database::build(&project, &database, session.now(), &interrupt)
            .and_then(|fresh| fresh.with_tables(&command));
        let fresh = safety_before_run::compare(session, &claim, before, built)
            .with_context(|| format!("could not reset {}", project.quoted_place(&database)))?;
        for warning in &fresh.verification.warnings {
            session.warn(format!("the new database: {warning}"));
        }
        self.put_in_place(session, &claim, &fresh)
    }

    fn run_on_server(
        &self,
        session: &mut Session,
        project: &Project,
        database: &Database,
        server: &Server,
    ) -> Result<Answer> {
        database.demand_variable()?;
        if self.dry_run {
            on_server::say_plan(session, project, database);
            report::plan(session, database, &database.home().to_string_lossy());
            return Ok(Answer::Yes);
        }
        self.confirm(session, project, database)?;
        let interrupt = session.interrupt().clone();
        let claim = Claim::take_settled(project, database, "db-reset", &interrupt)?;
        session.note(format!("Building a new database with `{}`", database.migrate.join(" ")));
        let before = safety_before_run::keep(session, &claim, None)?;
        let built = on_server::build(session, &claim, server);
        let fresh = safety_before_run::compare(session, &claim, before, built)
            .with_context(|| format!("could not reset {}", project.quoted_place(database)))?;
        on_server::put_in_place(session, &claim, &fresh)
    }

    fn confirm(&self, session: &mut Session, project: &Project, database: &Database) -> Result<()> {
        let place = project.place(database);
        // A typing error in a URL must not overwrite what others work with.
        let is_far = database.server().is_some_and(|server| !server.is_loopback());
        if database.protected || is_far {
            let consent = Consent { named: self.common.db.as_deref(), yes: self.yes };
            return dialogue::confirm_protected(session, &place, database, &consent);
        }
        if self.yes {
            return Ok(());
        }
        if !session.has_terminal() {
            let quoted = project.quoted_place(database);
            return Err(Refusal::could_not(
                format!("resetting {quoted} needs `--yes` when there is no terminal"),
                "pass `--yes`, or look first with `--dry-run`",
            ));
        }
        let question = format!("Replace {place} with a new database from the migrations ?");
        session.confirm(&question, "the database is untouched")
    }

    fn put_in_place(
        &self,
        session: &mut Session,
        claim: &Claim<'_>,
        fresh: &Fresh,
    ) -> Result<Answer> {
        let Claim { project, database, .. } = *claim;
        let Fresh { backup, verification, .. } = fresh;
        let vault = Vault::of(project, session.now());
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        let destination = candidate::destination(project, database, self.force);
        let plan = plan::plan(backup, &destination, session.interrupt())
            .map_err(|error| live_database::explain(error, project, database))?;
        let candidate = Candidate::of(&plan, verification);
        let could_not = || format!("could not reset {}", project.quoted_place(database));
        let restored =
            in_place::put_in_place(session, claim, &locked, &candidate).with_context(could_not)?;
        claim.conclude(&locked).with_context(could_not)?;
        say_done(session, claim, verification, &restored);
        // The host's commands may take backups of their own, and merge rows.
        drop(locked);
        claim.release();
        derived_data::rebuild(session, project, database, report::DONE)?;
        session.document(&Document {
            into: plan.target.to_string_lossy(),
            schema_version: verification.examination.schema_version,
            content_blake3: &verification.content_blake3,
            safety: restored.kept.safety(),
            set_aside: restored.kept.set_aside(),
            written_since: restored.proved == Proved::WrittenSince,
            ..Document::new(database, &verification.examination.tables)
        });
        Ok(Answer::Yes)
    }
}

fn refuse_without_migrations(project: &Project, database: &Database) -> Result<()> {
    if !database.migrate.is_empty() {
        return Ok(());
    }
    Err(Refusal::could_not(
        format!("no `migrate` command is configured to build {}", project.quoted_place(database)),
        format!("set `migrate` in `[workspace.metadata.db.databases.{}]`", database.name),
    ))
}

fn say_plan(session: &mut Session, project: &Project, database: &Database, live: &Live) {
    let place = project.place(database);
    session.say(format!("Would build a new database with `{}`", database.migrate.join(" ")));
    session.say(preview::would_keep(project, database, live));
    session.say(format!("Would put the new database in place → {place}"));
    for command in &database.after_restore {
        session.say(format!("Would run {}", command.join(" ")));
    }
}

fn say_done(
    session: &mut Session,
    claim: &Claim<'_>,
    verification: &Verification,
    restored: &Restored,
) {
    let (project, database) = (claim.project, claim.database);
    let examination = &verification.examination;
    let version = examination.schema_version.filter(|version| *version > 0);
    let version = version.map_or(String::new(), |v| format!(", schema version {v}"));
    report::say_new(session, examination.tables.len(), &format!("{version}, integrity_check ok"));
    safety_backup::say_kept(session, project, &restored.kept);
    session.say(format!("[✓] Reset → {}", project.dotted_place(database)));
    if restored.proved == Proved::WrittenSince {
        session.say("[✓] SQLite quick_check: ok (the application has written since)");
    }
    in_place::note_wal(session, database);
    report::say_undo(session, claim, &restored.kept);
}

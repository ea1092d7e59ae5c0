//! Creates a missing database: the host's migrations build it in a private file, then it is put in
//! place in one transaction. A kill at any moment leaves nothing, an empty file or the whole
//! database, and the next `db-setup` continues.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::console::refusal::{Exit, Refusal};
use crate::host::command::missing_program;
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::migrate::new_database::{self, Fresh};
use crate::operations::restore::candidate::{self, Candidate};
use crate::operations::restore::in_place;
use crate::postgres::programs::Programs;
use crate::postgres::standing;
use crate::recovery::database_lock::Claim;
use crate::recovery::interrupted_step::{self, Left};
use crate::recovery::note::Step;
use crate::restore::plan;
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::read_only;

const COMMAND: &str = "db-setup";

/// Creates a database if there is nothing or a file of 0 bytes; a server must have it already.
///
/// # Errors
///
/// A refusal if there are backups of it, or no command makes one; if the command fails; if the database
/// stays locked.
pub(super) fn create_if_missing(
    session: &mut Session,
    project: &Project,
    database: &Database,
) -> Result<()> {
    if let Some(server) = database.server() {
        let interrupt = session.interrupt().clone();
        let programs = Programs::find(&project.search_path, &interrupt)?;
        return standing::found(server, &programs, &interrupt).map(drop);
    }
    if read_only::is_there(database.file()?)? {
        return finish_left(session, project, database);
    }
    let vault = Vault::of(project, session.now());
    refuse(project, database, &vault.backups()?)?;
    let interrupt = session.interrupt().clone();
    let claim = Claim::take(project, database, COMMAND, &interrupt)?;
    // Another command may have created it while its lock was waited for.
    if read_only::is_there(database.file()?)? {
        return Ok(());
    }
    refuse_unfinished(&claim)?;
    let place = project.quoted_place(database);
    let command = database.migrate.join(" ");
    // Only what cargo runs has to be built first.
    let is_cargo = database.migrate.first().is_some_and(|program| program == "cargo");
    let patience = if is_cargo { "; a first build takes a few minutes" } else { "" };
    session.note(format!("Creating {place} with `{command}`{patience}"));
    let locked = vault.lock(project.busy_timeout, &interrupt)?;
    locked.keep_private()?;
    claim.begin(&locked, Step::Command, None, session.now())?;
    drop(locked);
    let built = new_database::build(project, database, session.now(), &interrupt);
    let locked = vault.lock(project.busy_timeout, &interrupt)?;
    if read_only::is_there(database.file()?)? {
        return made_by_itself(session, &claim, &locked, built.err());
    }
    // The new database is put in its place in one transaction, with a note of its own.
    claim.conclude(&locked)?;
    let fresh = built.map_err(|error| could_not(error, project, database))?;
    put_in_place(session, &claim, &locked, &fresh)?;
    session.say(format!("Created {}", project.dotted_place(database)));
    Ok(())
}

fn refuse(project: &Project, database: &Database, backups: &[Backup]) -> Result<()> {
    let place = project.quoted_place(database);
    if let Some(newest) = backups.iter().find(|backup| backup.is_of(database)) {
        return Err(Refusal::could_not(
            format!("there is no database at {place}, but there are backups of it"),
            format!(
                "restore one with `cargo xtask db-restore` (the newest is `{}`), or create an \
                 empty database with the application's migrations",
                newest.name
            ),
        ));
    }
    if database.migrate.is_empty() {
        return Err(Refusal::could_not(
            format!("there is no database at {place}, and no `migrate` command to create it"),
            format!(
                "set `migrate` in `[workspace.metadata.db.databases.{}]`, or correct the path",
                database.name
            ),
        ));
    }
    Ok(())
}

/// Refuses if a command other than `db-setup` was interrupted.
fn refuse_unfinished(claim: &Claim<'_>) -> Result<()> {
    let left = claim.left();
    let other = left.iter().find(|left| left.note().is_none_or(|note| note.command != COMMAND));
    match other {
        Some(left) => Err(left.refusal(claim.project, claim.database)),
        None => Ok(()),
    }
}

fn put_in_place(
    session: &mut Session,
    claim: &Claim<'_>,
    locked: &Locked<'_>,
    fresh: &Fresh,
) -> Result<()> {
    let Claim { project, database, .. } = *claim;
    let destination = candidate::destination(project, database, false);
    let plan = plan::plan(&fresh.backup, &destination, session.interrupt())
        .map_err(|error| live_database::explain(error, project, database));
    let put = plan.and_then(|plan| {
        let candidate = Candidate::of(&plan, &fresh.verification);
        in_place::put_in_place(session, claim, locked, &candidate)
    });
    put.map(drop).map_err(|error| could_not(error, project, database))
}

/// A setup that was killed right after the transaction which put the database there has nothing left to do.
fn finish_left(session: &Session, project: &Project, database: &Database) -> Result<()> {
    let is_written = |left: &Left| {
        left.note().is_some_and(|note| note.command == COMMAND && note.step == Step::Write)
    };
    if !interrupted_step::left(project, database).iter().any(is_written) {
        return Ok(());
    }
    let interrupt = session.interrupt().clone();
    let claim = Claim::take(project, database, COMMAND, &interrupt)?;
    let left: Vec<Left> = claim.left().into_iter().filter(is_written).collect();
    let vault = Vault::of(project, session.now());
    claim.end(&vault.lock(project.busy_timeout, &interrupt)?, &left)
}

/// The command created the database at its usual place instead of the file that it was pointed to.
fn made_by_itself(
    session: &mut Session,
    claim: &Claim<'_>,
    locked: &Locked<'_>,
    error: Option<anyhow::Error>,
) -> Result<()> {
    let Claim { project, database, .. } = *claim;
    let is_sound = matches!(probe::look(database.file()?)?, Standing::Sqlite(_));
    // It may fail only for want of anything in that file.
    let is_finished = error.as_ref().is_none_or(anyhow::Error::is::<new_database::NothingWritten>);
    if !is_sound || !is_finished {
        // The note stays: it is unknown how far the database got.
        let error =
            error.unwrap_or_else(|| anyhow::anyhow!("what it created is not an SQLite database"));
        return Err(could_not(error, project, database));
    }
    claim.conclude(locked)?;
    session.warn(format!(
        "`{}` was pointed to a new file in `{}` and created {} instead: check `migrate-env` before you \
         migrate",
        database.migrate.join(" "),
        database.migrate_env,
        project.quoted_place(database)
    ));
    session.say(format!("Created {}", project.dotted_place(database)));
    Ok(())
}

fn could_not(error: anyhow::Error, project: &Project, database: &Database) -> anyhow::Error {
    let said = error.downcast_ref::<Refusal>();
    let exit = match said.map(|refusal| refusal.exit) {
        Some(exit @ (Exit::Locked | Exit::Interrupted)) => exit,
        _ => Exit::CouldNot,
    };
    let way_on = missing_program::way_on(&error, database, &database.migrate);
    let hint = match (said, way_on) {
        (Some(refusal), _) if error.is::<new_database::NothingWritten>() => refusal.hint.clone(),
        (_, Some(way_on)) => format!("{way_on}, then run `cargo xtask db-setup` again"),
        _ => "correct the cause and run `cargo xtask db-setup` again".to_owned(),
    };
    let command = database.migrate.join(" ");
    let what = format!("could not create {} with `{command}`", project.quoted_place(database));
    error.context(Refusal { what, hint, exit })
}

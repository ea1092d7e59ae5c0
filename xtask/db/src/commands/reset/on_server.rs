//! Replaces a database on a server with a new one from the migrations: built beside it, dumped, and restored.

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::capture;
use crate::capture::request::{Capture, Taken, Wanted};
use crate::commands::reset::report::{self, Document};
use crate::console::progress::Progress;
use crate::console::refusal::Answer;
use crate::files::stage::Scratch;
use crate::host::project::{Database, Location, Project};
use crate::host::session::Session;
use crate::migrate::on_server::new_database;
use crate::operations::restore::derived_data;
use crate::operations::restore::on_server::checkpoint;
use crate::operations::restore::safety_backup;
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::postgres::server::Server;
use crate::recovery::database_lock::Claim;

/// A dump of the new database, in a folder of its own, which is removed with it.
pub(super) struct Fresh {
    backup: Backup,
    _folder: Scratch,
}

/// Builds the new database and dumps it.
///
/// # Errors
///
/// As [`new_database::build`]; if the disk is full or fails.
pub(super) fn build(session: &mut Session, claim: &Claim<'_>, server: &Server) -> Result<Fresh> {
    let Claim { project, database, .. } = *claim;
    let interrupt = session.interrupt().clone();
    let programs = Programs::find(&project.search_path, &interrupt)?;
    let place = Place { server, programs: &programs, interrupt: &interrupt };
    let new = new_database::build(place, project, database, &interrupt)?;
    let folder = {
        let vault = Vault::of(project, session.now());
        let locked = vault.lock(project.busy_timeout, &interrupt)?;
        locked.keep_private()?;
        locked.scratch(&database.file_name())?
    };
    let vault = Vault::at(folder.path(), session.now());
    let locked = vault.lock(project.busy_timeout, &interrupt)?;
    let wanted = Wanted::new(database, Kind::Manual, session.now());
    let capture = Capture { locked: &locked, project, wanted: &wanted };
    let from = Database { location: Location::Server(new.server()), ..database.clone() };
    let taken = capture::take_of(&from, capture, &mut Progress::hidden(&interrupt))
        .context("could not dump the new database; the live one is untouched")?;
    let Taken::Backup(backup, ..) = taken else {
        anyhow::bail!("a new backup is taken unconditionally");
    };
    Ok(Fresh { backup: *backup, _folder: folder })
}

/// Prints what would be done.
pub(super) fn say_plan(session: &mut Session, project: &Project, database: &Database) {
    let (place, folder) = (project.place(database), project.dotted(&project.backups));
    session.say(format!("Would build a new database with `{}`", database.migrate.join(" ")));
    session.say(format!("Would create a safety backup of {place} in {folder}"));
    session.say(format!("Would put the new database in place → {place}"));
    for command in &database.after_restore {
        session.say(format!("Would run {}", command.join(" ")));
    }
}

/// Restores the new database over the live one, with a safety backup.
///
/// # Errors
///
/// As any restore.
pub(super) fn put_in_place(
    session: &mut Session,
    claim: &Claim<'_>,
    fresh: &Fresh,
) -> Result<Answer> {
    let Claim { project, database, .. } = *claim;
    let vault = Vault::of(project, session.now());
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    let could_not = || format!("could not reset {}", project.quoted_place(database));
    let kept =
        checkpoint::put_back(session, claim, &locked, &fresh.backup).with_context(could_not)?;
    claim.conclude(&locked).with_context(could_not)?;
    let record = fresh.backup.record().context("a new backup has a record")?;
    report::say_new(session, record.tables.len(), ", its dump is proved");
    safety_backup::say_kept(session, project, &kept);
    session.say(format!("[✓] Reset → {}", project.dotted_place(database)));
    report::say_undo(session, claim, &kept);
    // The host's commands may take backups of their own, and merge rows.
    drop(locked);
    claim.release();
    derived_data::rebuild(session, project, database, report::DONE)?;
    session.document(&Document {
        content_blake3: &record.content_blake3,
        safety: kept.safety(),
        ..Document::new(database, &record.tables)
    });
    Ok(Answer::Yes)
}

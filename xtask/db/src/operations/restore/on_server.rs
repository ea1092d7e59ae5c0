//! Restores a PostgreSQL database: in place if it can be done so that sessions survive, else by a swap.
//!
//! Either way there is a safety backup, and the new state is compared with the backup before it counts. In place the
//! safety backup is taken while nobody can write; by a swap it is a dump of the old database, which nobody can write
//! any more and which goes only after its dump is published.

pub(crate) mod checkpoint;
pub(crate) mod keeping;
pub(crate) mod leftovers;
mod report;
pub(crate) mod run;

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::record::Postgres;
use crate::backups::vault::Vault;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::operations::dump_source::DumpSource;
use crate::operations::find_backup;
use crate::operations::restore::derived_data;
use crate::operations::restore::on_server::keeping::Keeping;
use crate::operations::restore::on_server::run::{AlreadyThere, Choice, Run, Way};
use crate::operations::restore::receipt::Planned;
use crate::operations::restore::request::Request;
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::postgres::psql::Psql;
use crate::postgres::restore::source::EndUnknown;
use crate::postgres::restore::swap;
use crate::postgres::server::Server;
use crate::postgres::standing;
use crate::postgres::standing::fit::{self, Needs};
use crate::postgres::temporary;
use crate::recovery::database_lock::Claim;
use crate::recovery::note::Step;

/// Up to this size of the SQL a restore is done in place: writers wait as long as it takes.
const MAX_IN_PLACE_BYTES: u64 = 256 << 20;

/// What is restored, and where.
pub(super) struct OnServer<'a> {
    /// The request.
    pub(super) request: &'a Request,
    /// The host.
    pub(super) project: &'a Project,
    /// The backups folder.
    pub(super) vault: &'a Vault,
    /// The backup.
    pub(super) backup: &'a Backup,
    /// The database.
    pub(super) database: &'a Database,
    /// Its server.
    pub(super) server: &'a Server,
}

impl OnServer<'_> {
    /// Restores it.
    ///
    /// # Errors
    ///
    /// A refusal; else the last cause states the condition of the database.
    pub(super) fn restore(&self, session: &mut Session) -> Result<Answer> {
        self.demand_whole_database()?;
        let Self { request, project, database, backup, .. } = *self;
        let verification = request.examine(session, project, database, backup)?;
        let source = DumpSource::of(backup)?;
        let interrupt = session.interrupt().clone();
        let programs = Programs::find(&project.search_path, &interrupt)?;
        let place = Place { server: self.server, programs: &programs, interrupt: &interrupt };
        self.demand_fit(place)?;
        let choice = self.choice(session, place, &source.proof)?;
        // A typing error in a URL must not overwrite what others work with.
        let is_near = self.server.is_loopback();
        let asked = Database { protected: database.protected || !is_near, ..database.clone() };
        if request.dry_run {
            let (database, verification) = (&asked, &verification);
            let planned = Planned { project, database, backup, verification };
            return Ok(self.say_plan(session, &planned, choice.way()));
        }
        request.confirm(session, project, &asked, backup)?;
        let claim = Claim::take(project, database, request.command, &interrupt)?;
        let locked = self.vault.lock(project.busy_timeout, &interrupt)?;
        locked.keep_private()?;
        find_backup::demand_there(backup)?;
        let left = claim.left();
        let name = backup.name.to_string();
        let keeping =
            Keeping { project, database, place, locked: &locked, replaced_by: Some(&name) };
        leftovers::settle(session, &Keeping { replaced_by: None, ..keeping })?;
        claim.begin(&locked, Step::Write, Some(backup), session.now())?;
        let run = Run { keeping, source: &source, choice };
        let done = run.run(session);
        if let Err(error) = done.as_ref()
            && error.is::<EndUnknown>()
        {
            // The note stays: `db-recover` finds out.
            let (place, flag) = (project.quoted_place(database), project.database_flag(database));
            return done.map(|_| Answer::Yes).with_context(|| Refusal {
                what: format!("could not find out whether {place} was restored"),
                hint: format!(
                    "once the server answers again, run `cargo xtask db-recover{flag}`; the safety backup, \
                     if one was taken, is kept"
                ),
                exit: Exit::CouldNot,
            });
        }
        // Whatever came of it, the server is in one of two states, and not between them.
        claim.conclude(&locked)?;
        let done = match done {
            Err(error) if error.is::<AlreadyThere>() => {
                claim.end(&locked, &left)?;
                return Ok(self.say_nothing_to_do(session));
            }
            done => done.with_context(|| {
                format!("could not restore {}: it is unchanged", project.quoted_place(database))
            })?,
        };
        claim
            .end(&locked, &left)
            .context("the data is restored, but the note could not be removed")?;
        self.say(session, &done);
        // The host's commands may take backups of their own, and merge rows.
        drop(locked);
        drop(claim);
        derived_data::after_restore(session, project, database)?;
        self.document(session, &done);
        Ok(Answer::Yes)
    }

    /// A dump goes back to its server, whole.
    fn demand_whole_database(&self) -> Result<()> {
        if self.request.if_live.is_some() {
            return Err(Refusal::could_not(
                "`--if-live` compares SQLite databases only: the state of a server has no name",
                "leave it out; the safety backup has whatever is replaced",
            ));
        }
        let name = text::shell(&self.backup.name.to_string());
        let dotted = self.project.dotted(&self.backup.folder.join(self.backup.name.to_string()));
        if self.request.into.is_some() {
            return Err(Refusal::could_not(
                "`--into` writes an SQLite file, and this is a dump of a PostgreSQL database",
                format!(
                    "load it into a database of your own: `zstd -dc {} | psql NEW_DATABASE`",
                    text::shell(&dotted)
                ),
            ));
        }
        if !self.request.tables.is_empty() {
            return Err(Refusal::could_not(
                "`--table` restores tables of SQLite databases only: other tables of a PostgreSQL database may depend \
                 on these",
                format!(
                    "write their rows to a file with `cargo xtask db-export {name} --format sql --table TABLE` and \
                     load what you need with psql, or restore all of it with `cargo xtask db-restore {name}`"
                ),
            ));
        }
        Ok(())
    }

    /// Refuses what would fail in the middle: a role, an extension or a right that is missing.
    fn demand_fit(&self, place: Place<'_>) -> Result<()> {
        let facts = standing::found(self.server, place.programs, place.interrupt)?;
        if facts.is_standby {
            return Err(Refusal::could_not(
                format!(
                    "{} is on a standby, which only repeats another server",
                    self.server.place()
                ),
                "restore on the primary server: its standbys follow",
            ));
        }
        let postgres = self.backup.record().and_then(|record| record.postgres.as_ref());
        if let Some(Postgres { extensions, roles, .. }) = postgres {
            let mut psql = Psql::connect(self.server, place.programs.any()?, place.interrupt)?;
            fit::check(&mut psql, &Needs { extensions, roles })?;
            psql.close()?;
        }
        Ok(())
    }

    /// The way that was demanded, or else the one that suits the size and our rights.
    fn choice(&self, session: &mut Session, place: Place<'_>, proof: &DumpProof) -> Result<Choice> {
        let choice = match self.request.way {
            Some(way) => Choice::Demanded(way),
            None if proof.sql_bytes <= MAX_IN_PLACE_BYTES => Choice::Suitable(Way::InPlace),
            None if temporary::may_create(place)? => Choice::Suitable(Way::Swap),
            None => {
                session.note(format!(
                    "Restoring in place, although the dump has {}, because the role may not create \
                     databases: writers wait until the end",
                    text::size(proof.sql_bytes)
                ));
                Choice::Suitable(Way::InPlace)
            }
        };
        if choice.way() == Way::Swap {
            swap::check(place)?;
        }
        Ok(choice)
    }
}

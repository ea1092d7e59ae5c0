//! Restores a PostgreSQL database: in place if it can be done so that sessions survive, else by a swap.
//!
//! Either way there is a safety backup, and the new state is compared with the backup before it counts. In place the
//! safety backup is taken while nobody can write; by a swap it is a dump of the old database, which nobody can write
//! any more and which goes only after its dump is published.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::backup_document::BackupDocument;
use crate::backups::record::Postgres;
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::capture;
use crate::capture::request::{Capture, Taken, Wanted};
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text;
use crate::host::project::{Database, Location, Project};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::dump_source::DumpSource;
use crate::operations::find_backup;
use crate::operations::restore::request::Request;
use crate::operations::restore::safety_backup;
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::maintenance;
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::postgres::psql::Psql;
use crate::postgres::restore::fill::Differs;
use crate::postgres::restore::in_place::obstacles::Obstructed;
use crate::postgres::restore::leftovers::{self, Leftovers};
use crate::postgres::restore::source::{EndUnknown, Proved, Source};
use crate::postgres::restore::swap;
use crate::postgres::restore::{fill, in_place};
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

/// How a restore is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Way {
    InPlace,
    Swap,
}

/// What a restore did.
struct Done {
    way: Way,
    safety: Option<Box<Backup>>,
    proved: Proved,
    /// How long nobody could connect, and how many sessions were ended.
    closed: Option<(Duration, usize)>,
    /// A database that was replaced and could not be dropped.
    old: Option<String>,
}

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    restored: BackupDocument,
    into: String,
    /// `in-place` or `swap`.
    way: Way,
    safety: Option<String>,
    content_blake3: &'a str,
    /// Milliseconds in which nobody could connect; `None` in place.
    closed_ms: Option<u128>,
    /// Sessions that were ended.
    sessions_ended: usize,
}

/// Output of `--json` with `--dry-run`.
#[derive(Serialize)]
struct Planned {
    version: u32,
    dry_run: bool,
    would_restore: String,
    into: String,
    way: Way,
}

/// The content is there already.
#[derive(Debug)]
struct AlreadyThere;

impl std::fmt::Display for AlreadyThere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the content is there already")
    }
}

impl std::error::Error for AlreadyThere {}

impl OnServer<'_> {
    /// Restores it.
    ///
    /// # Errors
    ///
    /// A refusal; else the last cause states the condition of the database.
    pub(super) fn restore(&self, session: &mut Session) -> Result<Answer> {
        self.demand_whole_database()?;
        let Self { request, project, database, backup, .. } = *self;
        request.examine(session, project, database, backup)?;
        let source = DumpSource::of(backup)?;
        let way = self.way(&source.proof);
        let interrupt = session.interrupt().clone();
        let programs = Programs::find(&project.search_path, &interrupt)?;
        let place = Place { server: self.server, programs: &programs, interrupt: &interrupt };
        self.demand_fit(place, way)?;
        if request.dry_run {
            return Ok(self.say_plan(session, way));
        }
        // A typing error in a URL must not overwrite what others work with.
        let is_near = self.server.is_loopback();
        let asked = Database { protected: database.protected || !is_near, ..database.clone() };
        request.confirm(session, project, &asked, backup)?;
        let claim = Claim::take(project, database, request.command, &interrupt)?;
        let locked = self.vault.lock(project.busy_timeout, &interrupt)?;
        locked.keep_private()?;
        find_backup::demand_there(backup)?;
        let left = claim.left();
        say_leftovers(session, &leftovers::settle(place)?);
        claim.begin(&locked, Step::Write, Some(backup), session.now())?;
        let run = Run { on: self, place, locked: &locked, source: &source, way };
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
        session.document(&Document {
            version: VERSION,
            restored: BackupDocument::of(backup, session.now()),
            into: self.server.place(),
            way: done.way,
            safety: done.safety.as_ref().map(|safety| safety.name.to_string()),
            content_blake3: &source.proof.content_blake3,
            closed_ms: done.closed.map(|(time, _)| time.as_millis()),
            sessions_ended: done.closed.map_or(0, |(_, n)| n),
        });
        Ok(Answer::Yes)
    }

    /// A dump goes back to its server, whole.
    fn demand_whole_database(&self) -> Result<()> {
        let name = text::shell(&self.backup.name.to_string());
        let dotted = self.project.dotted(&self.backup.folder.join(self.backup.name.to_string()));
        if self.request.into.is_some() {
            return Err(Refusal::could_not(
                "`--into` writes a file, and a PostgreSQL dump is one already",
                format!("read it with `zstd -dc {}`", text::shell(&dotted)),
            ));
        }
        if !self.request.tables.is_empty() {
            return Err(Refusal::could_not(
                "`--table` restores tables of SQLite databases only",
                format!("restore all of it with `cargo xtask db-restore {name}`"),
            ));
        }
        Ok(())
    }

    /// Refuses what would fail in the middle: a role, an extension or a right that is missing.
    fn demand_fit(&self, place: Place<'_>, way: Way) -> Result<()> {
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
        if way == Way::Swap { swap::check(place) } else { Ok(()) }
    }

    fn way(&self, proof: &DumpProof) -> Way {
        if self.request.swap || proof.sql_bytes > MAX_IN_PLACE_BYTES {
            Way::Swap
        } else {
            Way::InPlace
        }
    }

    fn say_plan(&self, session: &mut Session, way: Way) -> Answer {
        let Self { project, database, backup, .. } = *self;
        let (place, folder) = (project.place(database), project.dotted(&project.backups));
        session.say(format!("Would create a safety backup of {place} in {folder}"));
        let how = match way {
            Way::InPlace => "in place, in one transaction: sessions survive, writers wait",
            Way::Swap => "by a swap: a new database gets its name, and sessions are ended",
        };
        let size = text::size(backup.size_bytes);
        session.say(format!("Would restore {} ({size}) → {place}", backup.name));
        session.say(format!("  {how}"));
        session.document(&Planned {
            version: VERSION,
            dry_run: true,
            would_restore: backup.name.to_string(),
            into: self.server.place(),
            way,
        });
        Answer::Yes
    }

    fn say_nothing_to_do(&self, session: &mut Session) -> Answer {
        let Self { project, database, backup, .. } = *self;
        let place = project.place(database);
        session
            .say(format!("Nothing to restore: {place} already has the content of {}", backup.name));
        session.document(&serde_json::json!({ "version": VERSION, "restored": null }));
        Answer::Yes
    }

    fn say(&self, session: &mut Session, done: &Done) {
        let Self { project, database, .. } = *self;
        safety_backup::say(session, project, done.safety.as_deref());
        session.say(format!("[✓] Restored → {}", project.dotted_place(database)));
        session.say(match done.proved {
            Proved::Whole => "[✓] Definitions and rows: equal to the backup, byte for byte",
            Proved::Rows => "[✓] Rows of each table: equal to the backup",
        });
        if let Some((time, n_sessions)) = done.closed {
            let ended = text::count(n_sessions as u64, "session");
            session.say(format!("{ended} ended; nobody could connect for {}", text::took(time)));
        }
        if let Some(old) = &done.old {
            session.warn(format!(
                "the replaced database is still on the server as `{}`, closed to connections: drop it if \
                 you do not need it",
                text::plain(old)
            ));
        }
        if let Some(safety) = &done.safety {
            session.say("");
            session.say(format!(
                "Undo with: {}",
                safety_backup::undo(session, project, database, safety)
            ));
        }
    }
}

/// One restore that is under way.
struct Run<'a> {
    on: &'a OnServer<'a>,
    place: Place<'a>,
    locked: &'a Locked<'a>,
    source: &'a DumpSource,
    way: Way,
}

impl Run<'_> {
    fn run(&self, session: &mut Session) -> Result<Done> {
        let source = self.source.source();
        if self.way == Way::Swap {
            return self.swap(session, &source);
        }
        match self.in_place(session, &source) {
            // A swap may not meet the same obstacle.
            Err(error) if is_obstacle(&error) => {
                session.note(format!("{error:#}: restoring by a swap instead"));
                self.swap(session, &source)
            }
            done => done,
        }
    }

    fn in_place(&self, session: &mut Session, source: &Source<'_>) -> Result<Done> {
        let safety = RefCell::new(None);
        let wanted = self.wanted(session);
        let mut progress = session.progress("Restoring");
        let restored = in_place::restore(self.place, source, &mut || {
            let taken = self.keep(&wanted, self.on.database, &mut progress)?;
            let is_equal = taken
                .record()
                .is_some_and(|record| record.content_blake3 == source.proof.content_blake3);
            safety.replace(Some(Box::new(taken)));
            if is_equal { Err(AlreadyThere.into()) } else { Ok(()) }
        });
        drop(progress);
        let safety = safety.into_inner();
        if let Err(error) = restored {
            // Rolled back, the database is as the safety backup has it; otherwise only that may have it.
            if let Some(safety) = safety.filter(|_| !error.is::<EndUnknown>()) {
                let _ = safety_backup::unneeded(self.locked, safety);
            }
            return Err(error);
        }
        // The rows were compared before the commit. Unless others have written since, all of it can be.
        let proved = fill::prove(self.place, source).unwrap_or_else(|error| {
            if error.is::<Differs>() {
                session.note(format!(
                    "Since the commit, {error}: an application has written, or a definition could not be \
                     restored in place; `db-restore --swap` restores every definition"
                ));
            }
            Proved::Rows
        });
        Ok(Done { way: Way::InPlace, safety, proved, closed: None, old: None })
    }

    fn swap(&self, session: &mut Session, source: &Source<'_>) -> Result<Done> {
        let progress = session.progress("Restoring");
        let built = swap::build(self.place, source);
        drop(progress);
        let built = built?;
        let proved = built.proved;
        let swapped = built.swap(&session.now().format("%Y%m%d_%H%M%S").to_string())?;
        let safety = self.keep_old(session, &swapped.old);
        let (safety, old) = match safety {
            Ok(safety) => (Some(Box::new(safety)), None),
            Err(error) => {
                session.warn(format!("the replaced database could not be dumped: {error:#}"));
                (None, Some(swapped.old))
            }
        };
        let closed = Some((swapped.closed_for, swapped.n_sessions));
        Ok(Done { way: Way::Swap, safety, proved, closed, old })
    }

    /// Dumps the replaced database, and drops it.
    fn keep_old(&self, session: &mut Session, old: &str) -> Result<Backup> {
        let server = self.on.server.with_database(old);
        let place = Place { server: &server, ..self.place };
        let calm = Interrupt::default();
        let mut psql = maintenance::connect(&server, place.programs, &calm)?;
        maintenance::allow_connections(&mut psql, old, maintenance::Allow::Yes)?;
        let wanted = self.wanted(session);
        let location = Location::Server(server.clone());
        let database = Database { location, ..self.on.database.clone() };
        let mut progress = session.progress("Keeping the replaced state");
        let kept = self.keep(&wanted, &database, &mut progress);
        drop(progress);
        match kept {
            Ok(_) => temporary::drop_with_sessions(&mut psql, old)?,
            Err(_) => maintenance::allow_connections(&mut psql, old, maintenance::Allow::No)?,
        }
        psql.close()?;
        kept
    }

    fn wanted(&self, session: &Session) -> Wanted<'_> {
        let OnServer { project, database, backup, .. } = *self.on;
        Wanted {
            replaced_by: Some(backup.name.to_string()),
            ..safety_backup::wanted(session, project, database)
        }
    }

    /// Takes the safety backup, of a database that may have another name by now.
    fn keep(
        &self,
        wanted: &Wanted<'_>,
        from: &Database,
        progress: &mut Progress,
    ) -> Result<Backup> {
        let OnServer { project, .. } = *self.on;
        let capture = Capture { locked: self.locked, project, wanted };
        match capture::take_of(from, capture, progress)? {
            Taken::Backup(backup, ..) => Ok(*backup),
            _ => anyhow::bail!("a safety backup is taken unconditionally"),
        }
    }
}

/// Whether in place was refused before anything was done, for a reason that a swap may not have.
fn is_obstacle(error: &anyhow::Error) -> bool {
    error.is::<Obstructed>()
}

/// Settles what a restore that was killed left on a server, and reports it.
///
/// # Errors
///
/// If the server cannot be reached or refuses.
pub(crate) fn settle(session: &mut Session, project: &Project, server: &Server) -> Result<()> {
    let interrupt = session.interrupt().clone();
    let programs = Programs::find(&project.search_path, &interrupt)?;
    let place = Place { server, programs: &programs, interrupt: &interrupt };
    say_leftovers(session, &leftovers::settle(place)?);
    Ok(())
}

/// Reports what an earlier restore that was killed had left on the server.
fn say_leftovers(session: &mut Session, left: &Leftovers) {
    if left.was_closed {
        session.note(
            "An interrupted restore had closed the database to connections: it is open again",
        );
    }
    if let Some(old) = &left.renamed {
        session.note(format!(
            "An interrupted restore had renamed the database to `{old}`: it is back"
        ));
    }
    for old in &left.old {
        session.warn(format!(
            "an earlier restore was killed after it had replaced the database; the replaced one is still on the \
             server as `{}`: dump it if you need it, then drop it",
            text::plain(old)
        ));
    }
}

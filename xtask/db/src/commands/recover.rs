//! `db-recover`: settles what an interrupted command left: goes back, or accepts the current state.

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::migrate::rehearsal;
use crate::operations::restore::dialogue::{self, Consent};
use crate::operations::restore::on_server::keeping::Keeping;
use crate::operations::restore::on_server::leftovers;
use crate::operations::restore::{derived_data, put_back, safety_backup};
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::postgres::server::Server;
use crate::recovery::database_lock::Claim;
use crate::recovery::interrupted_step;
use crate::recovery::note::Step;
use crate::sqlite::read_only;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-recover              # restores the earlier state
  cargo xtask db-recover --accept     # keeps the database as it is

A command that is killed midway leaves a note. Until you run `db-recover`,
`db-status` exits with 1, and the database cannot be migrated, reset, merged
into or switched. A successful `db-restore` of the database removes it, too.";

/// Arguments of `db-recover`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep the database as it is now instead of restoring the earlier state
    #[arg(long)]
    accept: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Output of `--json` if something was recovered.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    /// `back` or `accepted`.
    recovered: &'static str,
    database: &'a str,
    /// The backup that the database went back to.
    backup: Option<String>,
    safety: Option<String>,
    set_aside: Option<String>,
}

impl<'a> Document<'a> {
    /// No backup was needed.
    fn of(recovered: &'static str, database: &'a Database) -> Self {
        Self {
            version: VERSION,
            recovered,
            database: &database.name,
            backup: None,
            safety: None,
            set_aside: None,
        }
    }
}

/// Output of `--json` if there was nothing to recover.
#[derive(Serialize)]
struct Nothing {
    version: u32,
    recovered: (),
}

/// The state to which a database goes back.
enum Back {
    /// This backup.
    To(Box<Backup>),
    /// The file is intact or missing: it was written in one transaction.
    Nowhere,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project_to_recover(session)?;
        let Some(database) = self.interrupted(&project)? else {
            session.say("Nothing to recover: no command was interrupted in the middle");
            session.document(&Nothing { version: VERSION, recovered: () });
            return Ok(Answer::Yes);
        };
        for left in interrupted_step::left(&project, &database) {
            session.note(capital(&left.sentence(&project, &database)));
        }
        if let Some(server) = database.server()
            && !is_of_command(&project, &database)
        {
            return settle_server(session, &project, &database, server);
        }
        // Refuses before it asks.
        if !self.accept {
            let back = Self::back(session, &project, &database)?;
            say_back(session, &back);
        }
        self.confirm(session, &project, &database)?;
        let interrupt = session.interrupt().clone();
        let claim = Claim::take(&project, &database, "db-recover", &interrupt)?;
        let vault = Vault::of(&project, session.now());
        let locked = vault.lock(project.busy_timeout, &interrupt)?;
        locked.keep_private()?;
        if self.accept {
            return accept(session, &claim, &locked);
        }
        match Self::back(session, &project, &database)? {
            Back::To(backup) => go_back(session, claim, locked, &backup),
            Back::Nowhere => {
                claim.end(&locked, &claim.left())?;
                let place = project.place(&database);
                session.say(if read_only::is_there(database.file()?)? {
                    format!("Recovered {place}: all of it had been written")
                } else {
                    format!("Recovered {place}: there was no database, and there is none")
                });
                session.document(&Document::of("back", &database));
                Ok(Answer::Yes)
            }
        }
    }

    /// The database to recover: the named one, else the only one with a note of an interrupted
    /// command.
    fn interrupted(&self, project: &Project) -> Result<Option<Database>> {
        let mut databases = project.chosen(self.common.db.as_deref())?;
        databases.retain(|database| !interrupted_step::left(project, database).is_empty());
        match databases.len() {
            0 | 1 => Ok(databases.pop()),
            _ => {
                let names: Vec<_> = databases.iter().map(|d| format!("`{}`", d.name)).collect();
                Err(Refusal::could_not(
                    "commands on several databases were interrupted",
                    format!("choose one with `--db`: {}", names.join(", ")),
                ))
            }
        }
    }

    /// Finds the state to which the database goes back: that from before the step that began last.
    fn back(session: &Session, project: &Project, database: &Database) -> Result<Back> {
        let by_hand = format!(
            "restore a backup with `cargo xtask db-restore REF`, which also settles it, or keep \
             the current state with `cargo xtask db-recover{} --accept`",
            project.database_flag(database)
        );
        let left = interrupted_step::left(project, database);
        if let Some(illegible) = left.iter().find(|left| left.note().is_none()) {
            return Err(Refusal::no(illegible.sentence(project, database), by_hand));
        }
        let Some(left) = left.iter().max_by_key(|left| left.note().map(|note| note.begun_at))
        else {
            return Err(Refusal::no(
                "another command has settled it in the meantime",
                "nothing was changed",
            ));
        };
        let note = left.note().context("it was read")?;
        let Some(name) = &note.back else {
            let file = database.file_if_any();
            let is_there = file.map_or(Ok(true), read_only::is_there)?;
            if note.step == Step::Write || !is_there {
                return Ok(Back::Nowhere);
            }
            let what = "there was no readable database before it, so there is no way back";
            return Err(Refusal::no(what, by_hand));
        };
        let gone = || {
            let name = text::plain(name);
            Refusal::no(format!("the backup to go back to, `{name}`, is gone"), by_hand)
        };
        let backup = left.back(session.now())?.ok_or_else(gone)?;
        Ok(Back::To(Box::new(backup)))
    }

    fn confirm(&self, session: &mut Session, project: &Project, database: &Database) -> Result<()> {
        let place = project.place(database);
        if database.protected {
            let consent = Consent { named: self.common.db.as_deref(), yes: self.yes };
            return dialogue::confirm_protected(session, &place, database, &consent);
        }
        if self.yes {
            return Ok(());
        }
        if !session.has_terminal() {
            let quoted = project.quoted_place(database);
            return Err(Refusal::could_not(
                format!("recovering {quoted} needs `--yes` when there is no terminal"),
                "pass `--yes` to go back, or also `--accept` to keep the current state",
            ));
        }
        let question = if self.accept {
            format!("Keep {place} as it is now ?")
        } else {
            format!("Restore this backup into {place} ?")
        };
        session.confirm(&question, "the database is untouched")
    }
}

/// Whether a command of the host was running, so that nobody knows what it has done.
fn is_of_command(project: &Project, database: &Database) -> bool {
    let left = interrupted_step::left(project, database);
    left.iter().any(|left| left.note().is_none_or(|note| note.step == Step::Command))
}

/// Settles an interrupted restore of a PostgreSQL database: each way of restoring one exchanges the old state for the
/// new one in a single step, so there is nothing to go back from.
fn settle_server(
    session: &mut Session,
    project: &Project,
    database: &Database,
    server: &Server,
) -> Result<Answer> {
    let interrupt = session.interrupt().clone();
    let claim = Claim::take(project, database, "db-recover", &interrupt)?;
    let vault = Vault::of(project, session.now());
    let locked = vault.lock(project.busy_timeout, &interrupt)?;
    locked.keep_private()?;
    let programs = Programs::find(&project.search_path, &interrupt)?;
    let place = Place { server, programs: &programs, interrupt: &interrupt };
    let keeping = Keeping { project, database, place, locked: &locked, replaced_by: None };
    leftovers::settle(session, &keeping)?;
    claim.end(&locked, &claim.left())?;
    session.say(format!(
        "Recovered {}: it has either the state before the interrupted command or the one after it, and \
         nothing in between",
        project.place(database)
    ));
    session.document(&Document::of("back", database));
    Ok(Answer::Yes)
}

fn say_back(session: &mut Session, back: &Back) {
    match back {
        Back::To(backup) => {
            let age = text::age(backup.age(session.now()));
            session.note(format!("Going back restores {}, taken {age} ago", backup.name));
        }
        Back::Nowhere => session.note("There is nothing to restore"),
    }
}

fn accept(session: &mut Session, claim: &Claim<'_>, locked: &Locked<'_>) -> Result<Answer> {
    let Claim { project, database, .. } = *claim;
    claim.end(locked, &claim.left())?;
    session.say(format!("Accepted: {} stays as it is now", project.place(database)));
    session.document(&Document::of("accepted", database));
    Ok(Answer::Yes)
}

fn go_back(
    session: &mut Session,
    claim: Claim<'_>,
    locked: Locked<'_>,
    backup: &Backup,
) -> Result<Answer> {
    let Claim { project, database, .. } = claim;
    let interrupt = session.interrupt().clone();
    let left = claim.left();
    let recorded = backup.record().map(|record| record.content_blake3.as_str());
    let live = rehearsal::live(project, database, &interrupt).ok().flatten();
    if live.is_some_and(|live| Some(live.content_blake3.as_str()) == recorded) {
        claim.end(&locked, &left)?;
        let place = project.place(database);
        session.say(format!("Recovered {place}: it has the content of {}", backup.name));
        let backup = Some(backup.name.to_string());
        session.document(&Document { backup, ..Document::of("back", database) });
        return Ok(Answer::Yes);
    }
    let could_not = || Refusal {
        what: format!("could not recover {}", project.quoted_place(database)),
        hint:
            "restore another backup with `cargo xtask db-restore REF`, or keep the current state \
             with `cargo xtask db-recover --accept`"
                .to_owned(),
        exit: Exit::No,
    };
    let kept = put_back::put_back(session, &claim, &locked, backup).with_context(could_not)?;
    claim
        .end(&locked, &left)
        .context("the database is restored, but the note could not be removed")?;
    safety_backup::say_kept(session, project, &kept);
    session.say(format!("[✓] Recovered → {}: {}", project.dotted_place(database), backup.name));
    // The host's commands may take backups of their own, and merge rows.
    drop(locked);
    drop(claim);
    derived_data::after_restore(session, project, database)?;
    session.document(&Document {
        backup: Some(backup.name.to_string()),
        safety: kept.safety(),
        set_aside: kept.set_aside(),
        ..Document::of("back", database)
    });
    Ok(Answer::Yes)
}

/// A sentence in the form for a line of its own.
fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

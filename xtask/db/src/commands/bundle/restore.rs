//! `db-bundle restore`: the whole installation from one file, in steps that can be continued or undone.
//!
//! The bundle is extracted to private places and proved whole before anything changes. Files come first, because `.env`
//! may say where the databases are; then each database by the ordinary restore. A journal is written before each step.

mod database;
mod extraction;
mod plan;
mod received;
mod server;
mod undo;

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::backups::folder_lock;
use crate::backups::vault::{LOCK, Vault};
use crate::bundle::journal::{self, Identity, Journal, Phase, State, Step};
use crate::bundle::manifest::Kind;
use crate::bundle::read;
use crate::bundle::{inspect, switch};
use crate::commands::bundle::restore::extraction::Extraction;
use crate::commands::bundle::restore::plan::{Choice, Plan};
use crate::commands::bundle::restore::received::Received;
use crate::commands::bundle::{RestoreArgs, find};
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text;
use crate::host::environment::Environment;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::recovery::interrupted_bundle::FOLDER;
use crate::sqlite::examination::finding::Damage;

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    bundle: &'a str,
    phase: Phase,
    items: Vec<&'a str>,
    streams: Vec<Received>,
    left_out: &'a [crate::bundle::manifest::LeftOut],
    not_covered: &'a [String],
}

/// Output of `--json` with `--dry-run`.
#[derive(Serialize)]
struct Planned<'a> {
    version: u32,
    dry_run: bool,
    would_restore: Vec<&'a str>,
}

impl RestoreArgs {
    pub(super) fn run(self, session: &mut Session) -> Result<Answer> {
        let asks = !self.yes && !self.dry_run && !self.resume;
        if asks && !session.has_terminal() {
            return Err(Refusal::could_not(
                "without a terminal `db-bundle restore` needs `--yes`",
                "`--dry-run` shows what it would do",
            ));
        }
        if self.resume || self.undo {
            return self.go_on(session);
        }
        let file = self.file.as_ref().context("clap demands a file")?;
        let keys = self.keys.read(session)?;
        let interrupt = session.interrupt().clone();
        // Without `.env`, nothing may say where the databases are: then the bundle does.
        let mut given = Environment::new();
        let project = match self.common.project_to_recover(session) {
            Ok(project) => project,
            Err(error) => {
                let path = session.folder().join(file);
                if !path.is_file() {
                    return Err(error);
                }
                given = plan::environment(&path, &keys, &interrupt).map_err(before_a_change)?;
                session.project_with(&given)?
            }
        };
        let path = find::one(session, &project, Some(file))?;
        let manifest = read::manifest(&path, &keys, &interrupt).map_err(before_a_change)?;
        let plan =
            Plan::of(session, &project, &manifest, &Choice { only: &self.only, skip: &self.skip })?;
        refuse_unfinished(&project)?;
        plan.say(session, &project, &path, &manifest);
        if self.dry_run {
            let mut progress = session.progress("Verifying");
            inspect::prove(&path, &keys, &mut progress).map_err(before_a_change)?;
            drop(progress);
            session.say("[✓] The bundle is whole. Nothing was changed.");
            let would_restore = plan.items.iter().map(|one| one.item.name.as_str()).collect();
            session.document(&Planned { version: VERSION, dry_run: true, would_restore });
            return Ok(Answer::Yes);
        }
        plan.demand_possible(session, &project)?;
        if !self.yes {
            let question = format!("Restore {} into {}?", plan.names(), project.root.display());
            session.confirm(&question, "nothing was changed")?;
        }
        let lock = lock(session, &project)?;
        // While the question was open, another restore may have begun.
        refuse_unfinished(&project)?;
        let extraction = Extraction {
            project: &project,
            path: &path,
            keys: &keys,
            plan: &plan,
            manifest: &manifest,
        };
        let folder = extraction.run(session).map_err(before_a_change)?;
        let journal = Journal::read(&folder)?;
        let mut restoring = Restoring { folder, journal, given, _lock: lock };
        restoring.run(session, &self)
    }

    /// Continues or undoes the last restore.
    fn go_on(&self, session: &mut Session) -> Result<Answer> {
        let (project, given) = match self.common.project_to_recover(session) {
            Ok(project) => (project, Environment::new()),
            // `.env` may be one of the items that are still to come.
            Err(error) => {
                let given = plan::staged_environment(session).with_context(|| error.to_string())?;
                (session.project_with(&given)?, given)
            }
        };
        let lock = lock(session, &project)?;
        let newest = journal::all(&project.backups)?.into_iter().next();
        let (folder, journal) = newest.ok_or_else(|| {
            Refusal::could_not(
                "no restore of a bundle has begun here",
                "begin one with `cargo xtask db-bundle restore FILE`",
            )
        })?;
        let mut restoring = Restoring { folder, journal, given, _lock: lock };
        match (self.undo, restoring.journal.phase) {
            (false, Phase::Forward) => restoring.run(session, self),
            (false, Phase::Done) => {
                session.say("Nothing to resume: the last restore is complete");
                let streams = restoring.streams(session, self);
                restoring.document(session, streams);
                Ok(Answer::Yes)
            }
            (false, Phase::Backward) => Err(Refusal::could_not(
                "the last restore is being undone",
                "end that with `cargo xtask db-bundle restore --undo`",
            )),
            (_, Phase::Undone | Phase::Staging) => {
                session.say("Nothing to do: the last restore is undone");
                restoring.document(session, Vec::new());
                Ok(Answer::Yes)
            }
            (true, _) => restoring.undo(session, self),
        }
    }
}

/// A restore that is under way.
struct Restoring {
    folder: PathBuf,
    journal: Journal,
    /// Variables of the bundle's `.env`, until it is in its place.
    given: Environment,
    /// Only one at a time.
    _lock: fs_err::File,
}

impl Restoring {
    /// Does what is left to do.
    fn run(&mut self, session: &mut Session, args: &RestoreArgs) -> Result<Answer> {
        let interrupted = "the restore is not complete: `cargo xtask db-bundle restore --resume` continues it, \
                           `--undo` undoes it";
        self.forward(session, args).context(interrupted)?;
        self.journal.phase = Phase::Done;
        self.journal.write(&self.folder)?;
        let streams = self.streams(session, args);
        self.say(session, &streams);
        self.document(session, streams);
        Ok(Answer::Yes)
    }

    fn forward(&mut self, session: &mut Session, args: &RestoreArgs) -> Result<()> {
        for at in 0..self.journal.steps.len() {
            session.interrupt().check()?;
            if self.journal.steps[at].state == State::Done {
                continue;
            }
            match self.journal.steps[at].kind {
                Kind::Database => self.restore_database(session, args, at)?,
                // It is extracted, and receiving it is left to the user.
                Kind::Snapshot => self.note(at, State::Done)?,
                Kind::File | Kind::Folder => {
                    if self.journal.steps[at].state == State::Waiting {
                        let step = &mut self.journal.steps[at];
                        step.original = Identity::at(&step.place);
                        step.created = switch::missing_parents(&step.place);
                        self.note(at, State::Switching)?;
                    }
                    switch::forward(&self.journal.steps[at])?;
                    self.note(at, State::Done)?;
                    let Step { name, place, .. } = &self.journal.steps[at];
                    session.say(format!("[✓] {name} → {}", place.display()));
                }
            }
        }
        Ok(())
    }

    /// The streams that were extracted.
    fn streams(&self, session: &mut Session, args: &RestoreArgs) -> Vec<Received> {
        received::streams(&self.journal.steps, self.project(session, args).ok().as_ref())
    }

    /// Notes how far a step is.
    fn note(&mut self, at: usize, state: State) -> Result<()> {
        self.journal.steps[at].state = state;
        self.journal.write(&self.folder)
    }

    fn say(&self, session: &mut Session, streams: &[Received]) {
        let Journal { bundle, left_out, not_covered, .. } = &self.journal;
        session.say(format!("Restored from {}", text::plain(bundle)));
        session.say(format!("What was replaced is kept in {}", self.folder.display()));
        if !left_out.is_empty() || !not_covered.is_empty() || !streams.is_empty() {
            session.say("");
            session.say("Left to do by hand:");
        }
        for left in left_out {
            session.say(format!("  rebuild {}: `{}`", left.name, text::plain(&left.rebuild)));
        }
        for line in not_covered {
            session.say(format!("  {}", text::plain(line)));
        }
        for stream in streams {
            stream.say(session);
        }
        session.say("");
        session.say("Undo with: cargo xtask db-bundle restore --undo");
    }

    fn document(&self, session: &mut Session, streams: Vec<Received>) {
        let Journal { bundle, phase, steps, left_out, not_covered, .. } = &self.journal;
        let items = steps.iter().map(|step| step.name.as_str()).collect();
        session.document(&Document {
            version: VERSION,
            bundle,
            phase: *phase,
            items,
            streams,
            left_out,
            not_covered,
        });
    }
}

/// Makes an answer of a bundle that is damaged, as long as nothing was changed.
fn before_a_change(error: anyhow::Error) -> anyhow::Error {
    if !error.is::<Damage>() {
        return error;
    }
    error.context(Refusal {
        what: "the bundle is damaged, and nothing was changed".to_owned(),
        hint: "restore another one: `cargo xtask db-bundle list` shows them".to_owned(),
        exit: Exit::No,
    })
}

/// The lock of all restores of bundles of this project.
fn lock(session: &Session, project: &Project) -> Result<fs_err::File> {
    let vault = Vault::of(project, session.now());
    vault.lock(project.busy_timeout, session.interrupt())?.keep_private()?;
    let folder = project.backups.join(FOLDER);
    extraction::private_folder(&folder)?;
    folder_lock::take(&folder.join(LOCK), project.busy_timeout, session.interrupt())
        .context("another restore of a bundle is under way")
}

/// Refuses to begin while another restore is neither done nor undone.
fn refuse_unfinished(project: &Project) -> Result<()> {
    for (_, journal) in journal::all(&project.backups)? {
        if matches!(journal.phase, Phase::Forward | Phase::Backward) {
            return Err(Refusal::could_not(
                format!("a restore of `{}` was interrupted", text::plain(&journal.bundle)),
                "continue it with `cargo xtask db-bundle restore --resume`, or undo it with `--undo`",
            ));
        }
    }
    Ok(())
}

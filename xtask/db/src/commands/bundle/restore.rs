//! `db-bundle restore`: the whole installation from one file, in steps that can be continued or undone.
//!
//! The bundle is extracted to private places and proved whole before anything changes. Files come first, because `.env`
//! may say where the databases are; then each database by the ordinary restore. A journal is written before each step.

mod database;
mod plan;
mod server;
mod undo;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::bundle::journal::{self, Identity, Journal, NEW, OLD, Phase, State, Step};
use crate::bundle::manifest::{Item, Kind, Manifest};
use crate::bundle::read;
use crate::bundle::staging::Staging;
use crate::bundle::{inspect, switch};
use crate::commands::bundle::restore::plan::Plan;
use crate::commands::bundle::{RestoreArgs, find};
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::files::{free_space, publish};
use crate::host::environment::Environment;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::recovery::interrupted_bundle::{FILE, FOLDER};

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    bundle: &'a str,
    phase: Phase,
    items: Vec<&'a str>,
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
                given = plan::environment(&path, &keys, &interrupt)?;
                session.project_with(&given)?
            }
        };
        let path = find::one(session, &project, Some(file))?;
        let manifest = read::manifest(&path, &keys, &interrupt)?;
        let plan = Plan::of(session, &project, &manifest, &self.only)?;
        refuse_unfinished(&project)?;
        plan.say(session, &project, &path, &manifest);
        if self.dry_run {
            let mut progress = session.progress("Verifying");
            inspect::prove(&path, &keys, &mut progress)?;
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
        let folder = self.stage(session, &project, &path, &keys, &plan, &manifest)?;
        let mut restoring = Restoring { folder, journal: Journal::read_in(&project)?, given };
        restoring.run(session, &self)
    }

    /// Extracts the bundle, which proves it; the journal is the last that is written.
    fn stage(
        &self,
        session: &mut Session,
        project: &Project,
        path: &Path,
        keys: &crate::bundle::seal::Keys,
        plan: &Plan,
        manifest: &Manifest,
    ) -> Result<PathBuf> {
        let time = session.now().format("%Y-%m-%d_%H%M%S").to_string();
        let folder = new_folder(project, &time)?;
        let mut steps = Vec::new();
        let mut targets = BTreeMap::new();
        for one in &plan.items {
            let step = step_of(&one.item, &one.place, &folder, &time)?;
            targets.insert(step.name.clone(), step.new.clone());
            steps.push(step);
        }
        let mut progress = session.progress("Extracting");
        let interrupt = session.interrupt().clone();
        let mut staging = Staging::begin(&targets, &mut progress);
        let read = read::read(path, keys, &interrupt, &mut staging).and_then(|read| {
            anyhow::ensure!(read == *manifest, "the bundle changed while it was read");
            staging.finish()
        });
        drop(progress);
        let read = read.and_then(|()| plan.demand_fit(session, project, &steps));
        if let Err(error) = read {
            sweep(&folder, &steps);
            return Err(error.context("nothing was changed"));
        }
        for step in &mut steps {
            step.staged = Identity::at(&step.new);
        }
        let journal = Journal {
            version: journal::VERSION,
            bundle: path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            began_at: session.now().to_rfc3339(),
            phase: Phase::Forward,
            steps,
            left_out: manifest.left_out.clone(),
            not_covered: manifest.not_covered.clone(),
        };
        journal.write(&folder)?;
        Ok(folder)
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
        let newest = journal::folders(&project.backups)?.into_iter().next();
        let folder = newest.ok_or_else(|| {
            Refusal::could_not(
                "no restore of a bundle has begun here",
                "begin one with `cargo xtask db-bundle restore FILE`",
            )
        })?;
        let mut restoring = Restoring { journal: Journal::read(&folder)?, folder, given };
        match (self.undo, restoring.journal.phase) {
            (false, Phase::Forward) => restoring.run(session, self),
            (false, Phase::Done) => {
                session.say("Nothing to resume: the last restore is complete");
                restoring.document(session);
                Ok(Answer::Yes)
            }
            (false, Phase::Backward) => Err(Refusal::could_not(
                "the last restore is being undone",
                "end that with `cargo xtask db-bundle restore --undo`",
            )),
            (_, Phase::Undone) => {
                session.say("Nothing to do: the last restore is undone");
                restoring.document(session);
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
}

impl Restoring {
    /// Does what is left to do.
    fn run(&mut self, session: &mut Session, args: &RestoreArgs) -> Result<Answer> {
        let interrupted = "the restore is not complete: `cargo xtask db-bundle restore --resume` continues it, \
                           `--undo` undoes it";
        self.forward(session, args).context(interrupted)?;
        self.journal.phase = Phase::Done;
        self.journal.write(&self.folder)?;
        self.say(session);
        self.document(session);
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

    /// Notes how far a step is.
    fn note(&mut self, at: usize, state: State) -> Result<()> {
        self.journal.steps[at].state = state;
        self.journal.write(&self.folder)
    }

    fn say(&self, session: &mut Session) {
        let Journal { bundle, left_out, not_covered, .. } = &self.journal;
        session.say(format!("Restored from {}", text::plain(bundle)));
        session.say(format!("What was replaced is kept in {}", self.folder.display()));
        if !left_out.is_empty() || !not_covered.is_empty() {
            session.say("");
            session.say("Left to do by hand:");
        }
        for left in left_out {
            session.say(format!("  rebuild {}: `{}`", left.name, text::plain(&left.rebuild)));
        }
        for line in not_covered {
            session.say(format!("  {}", text::plain(line)));
        }
        session.say("");
        session.say("Undo with: cargo xtask db-bundle restore --undo");
    }

    fn document(&self, session: &mut Session) {
        let Journal { bundle, phase, steps, left_out, not_covered, .. } = &self.journal;
        let items = steps.iter().map(|step| step.name.as_str()).collect();
        session.document(&Document {
            version: VERSION,
            bundle,
            phase: *phase,
            items,
            left_out,
            not_covered,
        });
    }
}

impl Journal {
    /// The journal of the newest restore.
    fn read_in(project: &Project) -> Result<Self> {
        let newest = journal::folders(&project.backups)?.into_iter().next();
        Self::read(&newest.context("the journal disappeared")?)
    }
}

/// Refuses to begin while another restore is neither done nor undone.
fn refuse_unfinished(project: &Project) -> Result<()> {
    for folder in journal::folders(&project.backups)? {
        let journal = Journal::read(&folder)?;
        if matches!(journal.phase, Phase::Forward | Phase::Backward) {
            return Err(Refusal::could_not(
                format!("a restore of `{}` was interrupted", text::plain(&journal.bundle)),
                "continue it with `cargo xtask db-bundle restore --resume`, or undo it with `--undo`",
            ));
        }
    }
    Ok(())
}

/// The folder of a restore, with places for what comes and what goes.
fn new_folder(project: &Project, time: &str) -> Result<PathBuf> {
    let parent = project.backups.join(FOLDER);
    private_folder(&parent)?;
    // What a killed program extracted, without a journal, was never used.
    for one in fs_err::read_dir(&parent)? {
        let path = one?.path();
        if path.is_dir() && !path.join(FILE).exists() {
            fs_err::remove_dir_all(&path)?;
        }
    }
    let mut folder = parent.join(time);
    let mut n = 1;
    while folder.exists() {
        n += 1;
        folder = parent.join(format!("{time}-{n}"));
    }
    for folder in [&folder, &folder.join(NEW), &folder.join(OLD)] {
        private_folder(folder)?;
    }
    Ok(folder)
}

fn private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    publish::create_folders(folder)?;
    fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}

/// The step of an item: it is extracted to the file system that it belongs to.
fn step_of(item: &Item, place: &Path, folder: &Path, time: &str) -> Result<Step> {
    let near = place.ancestors().skip(1).find(|folder| folder.is_dir());
    let beside = match near {
        Some(near)
            if item.kind != Kind::Database && !free_space::same_file_system(near, folder) =>
        {
            let beside = near.join(format!(".xtask-bundle-{time}-{}", item.name));
            private_folder(&beside.join(NEW))?;
            private_folder(&beside.join(OLD))?;
            private_folder(&beside)?;
            beside
        }
        _ => folder.to_owned(),
    };
    Ok(Step {
        name: item.name.clone(),
        kind: item.kind,
        state: State::Waiting,
        place: place.to_owned(),
        new: beside.join(NEW).join(&item.name),
        old: beside.join(OLD).join(&item.name),
        staged: None,
        original: None,
        created: Vec::new(),
        backup: None,
        sequence_before: None,
        existed: None,
    })
}

/// Removes what was extracted for nothing.
fn sweep(folder: &Path, steps: &[Step]) {
    let beside = steps.iter().filter_map(|step| step.new.parent()?.parent());
    for folder in beside.chain([folder]) {
        // If that fails, the next restore does it.
        let _ = fs_err::remove_dir_all(folder);
    }
}

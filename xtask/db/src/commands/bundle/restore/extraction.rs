//! Extracts a bundle before anything changes: to the file systems that its items belong to, each file proved.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::bundle::journal::{self, Identity, Journal, NEW, OLD, Phase, State, Step};
use crate::bundle::manifest::{Item, Kind, Manifest};
use crate::bundle::read;
use crate::bundle::seal::Keys;
use crate::bundle::staging::Staging;
use crate::commands::bundle::restore::plan::Plan;
use crate::files::{free_space, publish};
use crate::host::project::Project;
use crate::host::session::Session;
use crate::recovery::interrupted_bundle::{FILE, FOLDER};

/// A bundle that is to be extracted.
pub(super) struct Extraction<'a> {
    pub(super) project: &'a Project,
    /// The bundle.
    pub(super) path: &'a Path,
    /// What opens it.
    pub(super) keys: &'a Keys,
    /// The items that are wanted.
    pub(super) plan: &'a Plan,
    /// What the bundle announced when the plan was made.
    pub(super) manifest: &'a Manifest,
}

impl Extraction<'_> {
    /// Extracts it, which proves it. From then on the journal, in the folder that is returned, leads to either end.
    ///
    /// # Errors
    ///
    /// If the bundle is damaged, or a server cannot take a dump: then nothing was changed.
    pub(super) fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let Self { project, path, keys, plan, manifest } = *self;
        let time = session.now().format("%Y-%m-%d_%H%M%S").to_string();
        let folder = new_folder(project, &time)?;
        let mut steps = Vec::new();
        let mut targets = BTreeMap::new();
        for one in &plan.items {
            let step = step_of(&one.item, &one.place, &folder, &time);
            targets.insert(step.name.clone(), step.new.clone());
            steps.push(step);
        }
        let mut journal = Journal {
            version: journal::VERSION,
            bundle: path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            began_at: session.now().to_rfc3339(),
            phase: Phase::Staging,
            steps,
            left_out: manifest.left_out.clone(),
            not_covered: manifest.not_covered.clone(),
        };
        journal.write(&folder)?;
        create_places(&journal.steps)?;
        let mut progress = session.progress("Extracting");
        let interrupt = session.interrupt().clone();
        let mut staging = Staging::begin(&targets, &mut progress);
        let read = read::read(path, keys, &interrupt, &mut staging).and_then(|read| {
            anyhow::ensure!(read == *manifest, "the bundle changed while it was read");
            staging.finish()
        });
        drop(progress);
        let read = read.and_then(|()| plan.demand_fit(session, project, &journal.steps));
        if let Err(error) = read {
            sweep(&folder);
            return Err(error.context("nothing was changed"));
        }
        for step in &mut journal.steps {
            step.staged = Identity::at(&step.new);
        }
        journal.phase = Phase::Forward;
        journal.write(&folder)?;
        Ok(folder)
    }
}

/// The folder of a restore, with places for what comes and what goes.
fn new_folder(project: &Project, time: &str) -> Result<PathBuf> {
    let parent = project.backups.join(FOLDER);
    // What a killed program had extracted was never used.
    for folder in journal::folders(&project.backups)? {
        let journal = Journal::read(&folder);
        if journal.is_ok_and(|journal| journal.phase == Phase::Staging)
            || !folder.join(FILE).exists()
        {
            sweep(&folder);
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

pub(super) fn private_folder(folder: &Path) -> Result<()> {
    publish::create_folders(folder)?;
    fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}

/// The step of an item: it is extracted to the file system that it belongs to.
fn step_of(item: &Item, place: &Path, folder: &Path, time: &str) -> Step {
    let near = place.ancestors().skip(1).find(|folder| folder.is_dir());
    let beside = match near {
        Some(near)
            if matches!(item.kind, Kind::File | Kind::Folder)
                && !free_space::same_file_system(near, folder) =>
        {
            near.join(format!(".xtask-bundle-{time}-{}", item.name))
        }
        _ => folder.to_owned(),
    };
    let new = beside.join(NEW).join(&item.name);
    Step {
        name: item.name.clone(),
        kind: item.kind,
        state: State::Waiting,
        place: if item.kind == Kind::Snapshot { new.clone() } else { place.to_owned() },
        new,
        old: beside.join(OLD).join(&item.name),
        staged: None,
        original: None,
        created: Vec::new(),
        backup: None,
        safety: None,
        sequence_before: None,
        existed: None,
        stream: item.stream.clone(),
    }
}

/// Creates the private folders of items that belong to other file systems.
fn create_places(steps: &[Step]) -> Result<()> {
    for folder in steps.iter().flat_map(|step| [step.new.parent(), step.old.parent()]).flatten() {
        if let Some(beside) = folder.parent() {
            private_folder(beside)?;
        }
        private_folder(folder)?;
    }
    Ok(())
}

/// Removes what was extracted for nothing. If that fails, the next restore does it.
fn sweep(folder: &Path) {
    let steps = Journal::read(folder).map(|journal| journal.steps).unwrap_or_default();
    for beside in steps.iter().filter_map(|step| step.new.parent()?.parent()) {
        if beside != folder {
            let _ = publish::remove_tree(beside);
        }
    }
    let _ = publish::remove_tree(folder);
}

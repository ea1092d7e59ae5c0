//! Snapshots of file systems: `db-bundle create` takes them before it gathers anything, and removes the old ones;
//! `db-bundle snapshots` lists them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::backups::vault::{BUNDLE_SNAPSHOTS, Vault};
use crate::bundle::snapshots::name::Name;
use crate::bundle::snapshots::programs::Programs;
use crate::bundle::snapshots::volume::{self, Volume};
use crate::commands::bundle::SnapshotsArgs;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text;
use crate::host::project::Project;
use crate::host::project::bundle::{Means, Snapshots};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::retention::by_time::{self, Dated};

/// Output of `--json`.
#[derive(Serialize)]
struct Document {
    version: u32,
    snapshots: Vec<One>,
}

/// A snapshot in `--json`.
#[derive(Debug, Serialize)]
pub(super) struct One {
    of: String,
    kind: &'static str,
    place: String,
    name: String,
    way_back: Vec<String>,
}

/// A configured volume.
struct Configured<'p> {
    snapshots: &'p Snapshots,
    volume: Volume,
}

impl Configured<'_> {
    fn one(&self, name: Name) -> One {
        One {
            of: self.snapshots.name.clone(),
            kind: self.volume.kind(),
            place: self.volume.place(),
            name: name.to_string(),
            way_back: self.volume.way_back(name),
        }
    }

    /// For people.
    fn words(&self) -> String {
        let place = text::plain(&self.volume.place());
        format!("{} ({} {place})", self.snapshots.name, self.volume.kind())
    }
}

/// The volumes of a project.
fn configured(project: &Project) -> Vec<Configured<'_>> {
    let mut all = Vec::new();
    for snapshots in &project.bundle.snapshots {
        let volumes = match &snapshots.means {
            Means::Zfs(datasets) => datasets.iter().cloned().map(Volume::Dataset).collect(),
            Means::Btrfs(paths) => {
                paths.iter().map(|path| Volume::Subvolume(project.root.join(path))).collect()
            }
            Means::Commands { make, remove } => vec![Volume::Commands {
                make: make.clone(),
                remove: remove.clone(),
                notes: project.backups.join(BUNDLE_SNAPSHOTS).join(&snapshots.name),
            }],
        };
        all.extend(volumes.into_iter().map(|volume| Configured { snapshots, volume }));
    }
    all
}

/// The folders with snapshots, which no item of a bundle contains.
pub(super) fn folders(project: &Project) -> Vec<PathBuf> {
    let all = configured(project).into_iter().filter_map(|one| match one.volume {
        Volume::Subvolume(path) => Some(volume::snapshots_in(&path)),
        Volume::Dataset(_) | Volume::Commands { .. } => None,
    });
    all.collect()
}

/// Takes all configured snapshots, and then removes old ones as configured.
///
/// # Errors
///
/// If one cannot be taken, or at the user's interrupt. One that cannot be removed is a warning.
pub(super) fn take(session: &mut Session, project: &Project) -> Result<Vec<One>> {
    let all = configured(project);
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let interrupt = session.interrupt().clone();
    if all.iter().any(|one| matches!(one.volume, Volume::Commands { .. })) {
        let vault = Vault::of(project, session.now());
        vault.lock(project.busy_timeout, &interrupt)?.keep_private()?;
    }
    let programs = programs(project, &interrupt);
    let failed = |error: anyhow::Error| stop(error, &interrupt);
    let mut listed = Vec::new();
    for one in &all {
        listed.push(one.volume.list(&programs).map_err(failed)?);
    }
    let name = Name::new(session.now().naive_local(), &listed.concat());
    let volumes: Vec<_> = all.iter().map(|one| &one.volume).collect();
    if let Err(error) = volume::take_all(&volumes, name, &programs) {
        take_back(session, &all, name, &programs);
        return Err(failed(error));
    }
    for (one, before) in all.iter().zip(listed) {
        session.note(format!("Took snapshot {name} of {}", one.words()));
        retain(session, one, &[vec![name], before].concat(), &programs)?;
    }
    Ok(all.iter().map(|one| one.one(name)).collect())
}

/// Removes the snapshots that were taken before one failed: nothing else would, if the next run fails too.
fn take_back(session: &mut Session, all: &[Configured<'_>], name: Name, programs: &Programs<'_>) {
    for one in all {
        let removed = one.volume.list(programs).and_then(|names| {
            if names.contains(&name) { one.volume.remove(name, programs) } else { Ok(()) }
        });
        if let Err(error) = removed {
            session.warn(format!("snapshot {name} of {} may be left: {error:#}", one.words()));
        }
    }
}

fn programs<'p>(
    project: &'p Project,
    interrupt: &'p crate::console::interrupt::Interrupt,
) -> Programs<'p> {
    Programs { folder: &project.root, hidden: &project.hidden_variables, interrupt }
}

/// The way on after a snapshot failed.
fn stop(error: anyhow::Error, interrupt: &crate::console::interrupt::Interrupt) -> anyhow::Error {
    if interrupt.check().is_err() {
        return error;
    }
    let hint = match error.downcast_ref::<Refusal>() {
        Some(refusal) => format!("{}, or pass `--no-snapshot`", refusal.hint),
        None => "correct what it complains about, or pass `--no-snapshot`".to_owned(),
    };
    let what = "a snapshot could not be taken, and no bundle was written".to_owned();
    error.context(Refusal { what, hint, exit: Exit::CouldNot })
}

/// Removes the old snapshots of a volume; `names` begins with the one that was just taken.
fn retain(
    session: &mut Session,
    one: &Configured<'_>,
    names: &[Name],
    programs: &Programs<'_>,
) -> Result<()> {
    if one.snapshots.keep.is_empty() {
        return Ok(());
    }
    let mut newest_first = names.to_vec();
    newest_first.sort_by(|a, b| b.cmp(a));
    let dated = |name: &Name| Dated {
        name: name.to_string(),
        time: name.time,
        size_bytes: 0,
        is_good: true,
        guarded: (names.first() == Some(name)).then_some("taken just now"),
    };
    let all: Vec<_> = newest_first.iter().map(dated).collect();
    for (name, why) in by_time::doomed(&by_time::plan(&all, &one.snapshots.keep, session.now())?) {
        programs.interrupt.check()?;
        let snapshot = Name::parse(&name).context("a snapshot has another name")?;
        match one.volume.remove(snapshot, programs) {
            Ok(()) => session.note(format!("Removed snapshot {name} of {}: {why}", one.words())),
            Err(error) => {
                programs.interrupt.check()?;
                session.warn(format!("snapshot {name} of {} stays: {error:#}", one.words()));
                if let Some(note) = one.volume.note(snapshot) {
                    session.note(format!("If it is gone, remove {}", text::shell(&note)));
                }
            }
        }
    }
    Ok(())
}

impl SnapshotsArgs {
    pub(super) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project_to_look_at(session)?;
        let all = configured(&project);
        let interrupt = session.interrupt().clone();
        let programs = programs(&project, &interrupt);
        if all.is_empty() {
            session.say("No snapshots are configured");
            session.note("Configure them in `[workspace.metadata.db.bundle.snapshots.NAME]`");
        }
        let (mut snapshots, mut failure) = (Vec::new(), None);
        for one in &all {
            match one.volume.list(&programs) {
                Ok(names) => {
                    say(session, one, &names);
                    snapshots.extend(names.into_iter().map(|name| one.one(name)));
                }
                Err(error) => {
                    interrupt.check()?;
                    session.warn(format!(
                        "could not list the snapshots of {}: {error:#}",
                        one.words()
                    ));
                    failure = Some(Answer::CannotTell);
                }
            }
        }
        session.document(&Document { version: VERSION, snapshots });
        Ok(failure.unwrap_or(Answer::Yes))
    }
}

/// Prints the snapshots of a volume, and the way back to the newest.
fn say(session: &mut Session, one: &Configured<'_>, names: &[Name]) {
    let Some(newest) = names.first() else {
        session.say(format!("{}: no snapshot yet", one.words()));
        return;
    };
    session.say(format!("{}: {}", one.words(), text::count(names.len() as u64, "snapshot")));
    for name in names {
        session.say(format!("  {name}"));
    }
    session.say(format!("  To go back to {newest}:"));
    for line in one.volume.way_back(*newest) {
        session.say(format!("    {line}"));
    }
}

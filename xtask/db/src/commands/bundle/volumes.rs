//! The configured volumes whose snapshots are taken before bundles, and the names of their streams in a bundle.

use std::path::PathBuf;

use serde::Serialize;

use crate::backups::vault::BUNDLE_SNAPSHOTS;
use crate::bundle::snapshots::name::Name;
use crate::bundle::snapshots::programs::Programs;
use crate::bundle::snapshots::volume::{self, Volume};
use crate::console::interrupt::Interrupt;
use crate::console::text;
use crate::host::project::Project;
use crate::host::project::bundle::{Means, Snapshots};

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
pub(super) struct Configured<'p> {
    pub(super) snapshots: &'p Snapshots,
    pub(super) volume: Volume,
    /// The name of its stream in a bundle.
    pub(super) stream: String,
}

impl Configured<'_> {
    /// As a snapshot of it is shown.
    pub(super) fn one(&self, name: Name) -> One {
        One {
            of: self.snapshots.name.clone(),
            kind: self.volume.kind(),
            place: self.volume.place(),
            name: name.to_string(),
            way_back: self.volume.way_back(name),
        }
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        let place = text::plain(&self.volume.place());
        format!("{} ({} {place})", self.snapshots.name, self.volume.kind())
    }
}

/// The volumes of a project.
pub(super) fn configured(project: &Project) -> Vec<Configured<'_>> {
    let mut all = Vec::<Configured<'_>>::new();
    for snapshots in &project.bundle.snapshots {
        let volumes: Vec<_> = match &snapshots.means {
            Means::Zfs(datasets) => datasets.iter().cloned().map(Volume::Dataset).collect(),
            Means::Btrfs(paths) => {
                paths.iter().map(|path| Volume::Subvolume(project.root.join(path))).collect()
            }
            Means::Commands { make, remove, send } => vec![Volume::Commands {
                make: make.clone(),
                remove: remove.clone(),
                send: send.clone(),
                notes: project.backups.join(BUNDLE_SNAPSHOTS).join(&snapshots.name),
            }],
        };
        let is_only = volumes.len() == 1;
        for (at, volume) in volumes.into_iter().enumerate() {
            let number = if is_only { String::new() } else { format!("-{}", at + 1) };
            let stream = format!("snapshot-{}{number}", snapshots.name);
            all.push(Configured { snapshots, volume, stream });
        }
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

/// What runs the commands for snapshots.
pub(super) fn programs<'p>(project: &'p Project, interrupt: &'p Interrupt) -> Programs<'p> {
    let (folder, hidden) = (project.root.as_path(), project.hidden_variables.as_slice());
    Programs { folder, hidden, timeout: project.bundle.snapshot_timeout, interrupt }
}

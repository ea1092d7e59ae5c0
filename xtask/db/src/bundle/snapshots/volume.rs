//! Something that a snapshot can be taken of: a ZFS dataset, a btrfs subvolume, or what a pair of commands knows.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bundle::snapshots::name::Name;
use crate::bundle::snapshots::notes;
use crate::bundle::snapshots::programs::Programs;
use crate::console::refusal::Refusal;
use crate::console::text;

/// The folder in a subvolume that contains its snapshots.
const SNAPSHOTS: &str = ".xtask-db-snapshots";
/// The inode of the root of each btrfs subvolume
/// (<https://btrfs.readthedocs.io/en/latest/btrfs-subvolume.html>).
const ROOT_OF_SUBVOLUME: u64 = 256;
/// What a configured command has in the place of the snapshot's name.
const PLACE_OF_NAME: &str = "{name}";

/// Something that a snapshot can be taken of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Volume {
    /// A ZFS dataset.
    Dataset(String),
    /// A btrfs subvolume, absolute.
    Subvolume(PathBuf),
    /// What a pair of commands knows.
    Commands {
        /// Makes a snapshot.
        make: Vec<String>,
        /// Removes it.
        remove: Vec<String>,
        /// Prints its stream; empty if nothing does.
        send: Vec<String>,
        /// The folder that remembers which there are.
        notes: PathBuf,
    },
}

/// The folder in a subvolume that contains its snapshots.
#[must_use]
pub(crate) fn snapshots_in(subvolume: &Path) -> PathBuf {
    subvolume.join(SNAPSHOTS)
}

/// Takes a snapshot of each volume under one name; datasets of one pool in one moment.
///
/// # Errors
///
/// If one fails; those that were taken before it are there.
pub(crate) fn take_all(volumes: &[&Volume], name: Name, programs: &Programs<'_>) -> Result<()> {
    let mut pools = BTreeMap::<&str, Vec<String>>::new();
    for dataset in volumes.iter().filter_map(|volume| volume.dataset()) {
        let pool = dataset.split('/').next().unwrap_or(dataset);
        pools.entry(pool).or_default().push(format!("{dataset}@{name}"));
    }
    for snapshots in pools.into_values() {
        let words = ["zfs", "snapshot"].map(str::to_owned).into_iter().chain(snapshots);
        programs.run(&words.collect::<Vec<_>>())?;
        programs.interrupt.check()?;
    }
    for volume in volumes {
        match volume {
            Volume::Dataset(_) => {}
            Volume::Subvolume(path) => take_of_subvolume(path, name, programs)?,
            Volume::Commands { make, notes, .. } => take_by_command(make, notes, name, programs)?,
        }
        programs.interrupt.check()?;
    }
    Ok(())
}

fn take_of_subvolume(path: &Path, name: Name, programs: &Programs<'_>) -> Result<()> {
    let is_subvolume = |meta: std::fs::Metadata| meta.is_dir() && meta.ino() == ROOT_OF_SUBVOLUME;
    if !fs_err::metadata(path).is_ok_and(is_subvolume) {
        return Err(Refusal::could_not(
            format!("`{}` is not a btrfs subvolume", path.display()),
            "`btrfs subvolume list PATH` shows which ones there are",
        ));
    }
    let folder = snapshots_in(path);
    match fs_err::symlink_metadata(&folder) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => anyhow::bail!("`{}` is not a folder", folder.display()),
        // A file in a snapshot keeps the permissions that it had then: nobody else gets in.
        Err(_) => {
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&folder)
                .with_context(|| format!("could not create `{}`", folder.display()))?;
            fs_err::write(folder.join(".gitignore"), "*\n")?;
        }
    }
    let to = folder.join(name.to_string());
    let words = ["btrfs", "subvolume", "snapshot", "-r"].map(AsRef::as_ref);
    programs.run(&[&words[..], &[path.as_os_str(), to.as_os_str()]].concat())?;
    Ok(())
}

fn take_by_command(
    make: &[String],
    folder: &Path,
    name: Name,
    programs: &Programs<'_>,
) -> Result<()> {
    let words = named(make, name);
    notes::add(folder, name, &words)?;
    let done = programs.run(&words);
    if done.is_err() {
        notes::forget(folder, name)?;
    }
    done.map(drop)
}

/// A configured command for a snapshot.
pub(super) fn named(command: &[String], name: Name) -> Vec<String> {
    let name = name.to_string();
    command.iter().map(|word| word.replace(PLACE_OF_NAME, &name)).collect()
}

impl Volume {
    fn dataset(&self) -> Option<&str> {
        match self {
            Self::Dataset(dataset) => Some(dataset),
            Self::Subvolume(_) | Self::Commands { .. } => None,
        }
    }

    /// What it is, in `--json` and for people.
    #[must_use]
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Dataset(_) => "zfs",
            Self::Subvolume(_) => "btrfs",
            Self::Commands { .. } => "commands",
        }
    }

    /// What it is a snapshot of.
    #[must_use]
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Dataset(dataset) => dataset.clone(),
            Self::Subvolume(path) => path.display().to_string(),
            Self::Commands { make, .. } => make.join(" "),
        }
    }

    /// The snapshots with names of ours, newest first.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    pub(crate) fn list(&self, programs: &Programs<'_>) -> Result<Vec<Name>> {
        let mut names = match self {
            Self::Dataset(dataset) => {
                let words = ["zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-d", "1"];
                names_of(&programs.run(&[&words[..], &[dataset]].concat())?, dataset)
            }
            Self::Subvolume(path) => folders_in(&snapshots_in(path))?,
            Self::Commands { notes, .. } => notes::list(notes)?,
        };
        names.sort_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// Removes a snapshot.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub(crate) fn remove(&self, name: Name, programs: &Programs<'_>) -> Result<()> {
        match self {
            Self::Dataset(dataset) => {
                programs.run(&["zfs", "destroy", &format!("{dataset}@{name}")])?;
            }
            Self::Subvolume(path) => {
                let path = snapshots_in(path).join(name.to_string());
                let words = ["btrfs", "subvolume", "delete"].map(AsRef::as_ref);
                programs.run(&[&words[..], &[path.as_os_str()]].concat())?;
            }
            Self::Commands { remove, notes, .. } => {
                programs.run(&named(remove, name))?;
                notes::forget(notes, name)?;
            }
        }
        Ok(())
    }

    /// The file that remembers a snapshot, if nothing else does.
    #[must_use]
    pub(crate) fn note(&self, name: Name) -> Option<String> {
        match self {
            Self::Commands { notes, .. } => Some(notes::path(notes, name).display().to_string()),
            Self::Dataset(_) | Self::Subvolume(_) => None,
        }
    }

    /// How to go back to a snapshot, a line for each way.
    #[must_use]
    pub(crate) fn way_back(&self, name: Name) -> Vec<String> {
        match self {
            Self::Dataset(dataset) => {
                let snapshot = text::shell(&format!("{dataset}@{name}"));
                vec![
                    format!(
                        "single files: copy them from `.zfs/snapshot/{name}` below its mount point"
                    ),
                    format!(
                        "all of it: `zfs rollback -r {snapshot}`; all that is newer is lost, newer snapshots too"
                    ),
                ]
            }
            Self::Subvolume(path) => {
                let snapshot = snapshots_in(path).join(name.to_string()).display().to_string();
                let (path, beside) =
                    (path.display().to_string(), format!("{}.restored", path.display()));
                let [snapshot, path, beside] =
                    [&snapshot, &path, &beside].map(|path| text::shell(path));
                vec![
                    format!("single files: copy them from {snapshot}"),
                    format!(
                        "all of it: `btrfs subvolume snapshot {snapshot} {beside}`, then put it in the place of {path}"
                    ),
                ]
            }
            Self::Commands { make, .. } => {
                let words = named(make, name);
                let words: Vec<_> = words.iter().map(|word| text::shell(word)).collect();
                vec![format!("it was made by `{}`: its program knows the way", words.join(" "))]
            }
        }
    }
}

/// The names of ours in what `zfs list` prints.
fn names_of(listed: &str, dataset: &str) -> Vec<Name> {
    let name = |line: &str| line.strip_prefix(dataset)?.strip_prefix('@').and_then(Name::parse);
    listed.lines().filter_map(name).collect()
}

/// The folders with names of ours.
fn folders_in(folder: &Path) -> Result<Vec<Name>> {
    if !fs_err::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir()) {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for one in fs_err::read_dir(folder)? {
        let one = one?;
        let name = one.file_name().to_str().and_then(Name::parse);
        names.extend(name.filter(|_| one.file_type().is_ok_and(|kind| kind.is_dir())));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_zfs_lists_only_names_of_ours_on_this_dataset_count() {
        let listed = "zroot/app@xtask-db_2025-09-13_142530\n\
                      zroot/app@daily\n\
                      zroot/app/inner@xtask-db_2025-09-13_142530\n\
                      zroot/app2@xtask-db_2025-09-14_142530\n\
                      zroot/app@xtask-db_2025-09-12_142530\n";
        let names: Vec<_> = names_of(listed, "zroot/app").iter().map(Name::to_string).collect();
        assert_eq!(names, ["xtask-db_2025-09-13_142530", "xtask-db_2025-09-12_142530"]);
    }

    #[test]
    fn a_command_gets_the_name_wherever_it_asks_for_it() {
        let name = Name::parse("xtask-db_2025-09-13_142530").expect("a name");
        let command = ["lvcreate", "--name={name}", "vg/root", "{name}/{name}"].map(str::to_owned);
        assert_eq!(
            named(&command, name),
            [
                "lvcreate",
                "--name=xtask-db_2025-09-13_142530",
                "vg/root",
                "xtask-db_2025-09-13_142530/xtask-db_2025-09-13_142530"
            ]
        );
    }
}

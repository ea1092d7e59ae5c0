//! Extracts items of a bundle to private places.
//!
//! Paths are those of the manifest, which was checked: they stay in their items, and no link is anybody's parent. Links
//! are created last, so nothing is ever written through one. Every file is new (`O_EXCL`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{FileTimes, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::bundle::manifest::{Content, Entry, Item, Kind, Manifest};
use crate::bundle::read::Receive;
use crate::console::progress::Progress;
use crate::files::{free_space, publish};

/// Extracts items.
pub(crate) struct Staging<'a> {
    /// Where each item that is wanted is extracted to, by its name.
    targets: &'a BTreeMap<String, PathBuf>,
    progress: &'a mut Progress,
    n_bytes: u64,
    /// Folders with their permissions, which they get when they are full.
    folders: Vec<(PathBuf, Entry)>,
    links: Vec<(PathBuf, String)>,
}

impl<'a> Staging<'a> {
    /// Begins to extract to places in folders of ours, where nothing is yet.
    pub(crate) fn begin(
        targets: &'a BTreeMap<String, PathBuf>,
        progress: &'a mut Progress,
    ) -> Self {
        Self { targets, progress, n_bytes: 0, folders: Vec::new(), links: Vec::new() }
    }

    /// Creates the links, gives the folders their permissions, and syncs all of it.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails.
    pub(crate) fn finish(self) -> Result<()> {
        for (path, target) in &self.links {
            fs_err::os::unix::fs::symlink(target, path)?;
        }
        for (path, entry) in self.folders.iter().rev() {
            publish::sync_folder(path)?;
            // Afterwards, its permissions may forbid that.
            let folder = fs_err::File::open(path)?;
            fs_err::set_permissions(path, Permissions::from_mode(entry.mode))?;
            // A date is nice to have.
            let _ = set_modified(&folder, entry);
        }
        let parents = self.targets.values().filter_map(|path| path.parent());
        parents.collect::<BTreeSet<_>>().into_iter().try_for_each(publish::sync_folder)
    }

    fn create(&mut self, target: &Path, entry: &Entry, bytes: &mut dyn Read) -> Result<()> {
        let mut path = target.to_owned();
        if !entry.path.is_empty() {
            path.push(&entry.path);
        }
        match &entry.content {
            Content::Folder => {
                fs_err::create_dir(&path)?;
                fs_err::set_permissions(&path, Permissions::from_mode(0o700))?;
                self.folders.push((path, entry.clone()));
            }
            Content::Link { target } => self.links.push((path, target.clone())),
            Content::File { .. } => {
                let mut file = fs_err::OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path)?;
                io::copy(bytes, &mut file)
                    .with_context(|| format!("could not extract `{}`", path.display()))?;
                fs_err::set_permissions(&path, Permissions::from_mode(entry.mode))?;
                let _ = set_modified(&file, entry);
                file.sync_all()?;
            }
        }
        Ok(())
    }
}

impl Receive for Staging<'_> {
    fn begin(&mut self, manifest: &Manifest) -> Result<()> {
        let mut needed = BTreeMap::new();
        for item in &manifest.items {
            let Some(target) = self.targets.get(&item.name) else { continue };
            let folder = target.parent().context("an item would be extracted to no folder")?;
            // Items that go to one folder need the sum of their room.
            let needed_bytes = needed.entry(folder).or_insert(0_u64);
            *needed_bytes = needed_bytes.saturating_add(item.size_bytes());
            free_space::demand(folder, *needed_bytes, "the items of the bundle")?;
            if item.kind == Kind::Database {
                fs_err::create_dir(target)?;
            }
        }
        self.progress.expect_bytes(manifest.size_bytes());
        Ok(())
    }

    fn take(&mut self, item: &Item, entry: &Entry, bytes: &mut dyn Read) -> Result<()> {
        if let Some(target) = self.targets.get(&item.name) {
            self.create(target, entry, bytes)?;
        }
        self.n_bytes += entry.size_bytes();
        self.progress.reach(self.n_bytes);
        Ok(())
    }
}

fn set_modified(file: &fs_err::File, entry: &Entry) -> io::Result<()> {
    let seconds = Duration::from_secs(u64::try_from(entry.modified).unwrap_or(0));
    file.file().set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + seconds))
}

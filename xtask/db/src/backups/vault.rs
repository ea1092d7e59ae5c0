//! The backups folder and its content.
//!
//! Listing takes no lock and hashes no backup; `backups/writer.rs` changes the folder. Symbolic
//! links and files whose names are not ours are never listed, read or removed.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, FixedOffset, TimeZone as _};

use crate::backups::backup::{self, Backup, Pages};
use crate::backups::format::Format;
use crate::backups::home::{Home, Whose, Workspace};
use crate::backups::name::Name;
use crate::backups::ownership::Homes;
use crate::backups::place::Place;
use crate::backups::record::packing::Packing;
use crate::backups::record::proof::Proof;
use crate::backups::store::freshness::Freshness;
use crate::backups::store::pack_folder;
use crate::console::remarks::Remarks;
use crate::console::text::Span;
use crate::files::holders::{self, Holder};
use crate::files::stage;

/// The file whose lock the one writer holds.
pub(crate) const LOCK: &str = ".lock";
/// The folder in the backups folder for notes about steps that are under way.
pub(crate) const NOTES: &str = "under-way";
/// The folder in the backups folder in which restores of bundles keep what they need.
pub(crate) const BUNDLE_RESTORES: &str = "bundle-restore";
/// The folder in the backups folder that remembers the snapshots of configured commands.
pub(crate) const BUNDLE_SNAPSHOTS: &str = "bundle-snapshots";

/// A record is a few kilobytes; a larger file is not a record.
const MAX_RECORD_BYTES: u64 = 16 << 20;

/// A backups folder.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    folder: Arc<Path>,
    /// The moment it is; its offset is that in which the times of unrecorded names are read.
    now: DateTime<FixedOffset>,
    /// In a folder outside the workspace: the homes that show whose a backup is.
    homes: Option<Arc<Homes>>,
    /// Properties of a project's own backups folder; `None` for another folder.
    place: Option<Arc<Place>>,
    /// How long a reading of the pages of a stored backup counts.
    read_within: Span,
    remarks: Remarks,
}

/// How long a reading of a stored backup's pages counts, unless that is configured.
pub(crate) const READ_WITHIN: Span =
    Span { n_months: 0, n_days: 7, n_hours: 0, n_minutes: 0, n_seconds: 0 };

/// Files that a killed run left in the folder; the next command that takes the lock removes them.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// Unfinished files and folders.
    pub(crate) stages: Vec<PathBuf>,
    /// Records whose backup was never published.
    pub(crate) lone_records: Vec<PathBuf>,
}

impl Vault {
    /// The vault in a folder that may not exist yet; `now` lends its offset to unrecorded names.
    #[must_use]
    pub(crate) fn at(folder: impl Into<PathBuf>, now: DateTime<FixedOffset>) -> Self {
        let (folder, remarks) = (folder.into().into(), Remarks::default());
        Self { folder, now, homes: None, place: None, read_within: READ_WITHIN, remarks }
    }

    /// The same as a folder that gets backups of a project.
    #[must_use]
    pub(crate) fn shared_by(self, workspace: &Workspace<'_>) -> Self {
        let homes = Homes::of(workspace, &self.folder).map(Arc::new);
        Self { homes, ..self }
    }

    /// The same as the folder in which a project keeps its backups.
    #[must_use]
    pub(crate) fn kept_by(self, workspace: &Workspace<'_>) -> Self {
        let place = Some(Arc::new(Place::of(workspace, &self.folder)));
        Self { place, ..self }.shared_by(workspace)
    }

    /// The same, with another time for which a reading of the pages of a stored backup counts.
    #[must_use]
    pub(crate) fn read_within(self, read_within: Span) -> Self {
        Self { read_within, ..self }
    }

    /// The same, with another place to leave remarks in.
    #[must_use]
    pub(crate) fn telling(self, remarks: Remarks) -> Self {
        Self { remarks, ..self }
    }

    /// Leaves a remark for the person at the terminal.
    pub(crate) fn remark(&self, remark: String) {
        self.remarks.leave(remark);
    }

    /// The properties of a project's own backups folder; `None` for another folder.
    #[must_use]
    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_deref()
    }

    /// The place and project of a database, for its record; `None` inside the workspace.
    #[must_use]
    pub(crate) fn home(&self, database: &str) -> Option<Home> {
        self.homes.as_ref()?.home(database)
    }

    /// Whether the folder is outside the workspace, where other projects may also keep their
    /// backups.
    #[must_use]
    pub(crate) fn is_shared(&self) -> bool {
        self.homes.is_some()
    }

    /// The folder.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The moment it is.
    #[must_use]
    pub(crate) fn now(&self) -> DateTime<FixedOffset> {
        self.now
    }

    /// Every backup, newest first; none if the folder is missing.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn backups(&self) -> Result<Vec<Backup>> {
        let mut names = Vec::new();
        self.each_name(|name| {
            names.extend(Name::parse(&name));
            Ok(())
        })?;
        // Records that are neighbours in the list are packed together.
        names.sort_unstable();
        let mut backups = Vec::with_capacity(names.len());
        let (mut freshness, mut packing) = (self.freshness(), Packing::new());
        for name in names {
            if let Some(mut backup) = self.read_by(name, &mut freshness)? {
                backup.pack(&mut packing);
                backups.push(backup);
            }
        }
        backup::sort_newest_first(&mut backups);
        if let Some(homes) = &self.homes {
            homes.mark(&mut backups);
        }
        Ok(backups)
    }

    /// The folders of raw files that were set aside, and their size.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn set_aside(&self) -> Result<Vec<(PathBuf, u64)>> {
        let mut folders = Vec::new();
        self.each_name(|name| {
            let path = self.folder.join(&name);
            if name.contains(".ASIDE.") && !stage::is_stage(&name) && path.is_dir() {
                let files = fs_err::read_dir(&path)?.flatten();
                let sizes = files.filter_map(|file| Some(file.metadata().ok()?.len()));
                folders.push((path, sizes.sum()));
            }
            Ok(())
        })?;
        folders.sort();
        Ok(folders)
    }

    /// The files that a killed run left and no process has locked. Only the lock of the folder
    /// makes it certain that no process still works on them.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn leftovers(&self) -> Result<Leftovers> {
        let mut leftovers = Leftovers::default();
        self.each_name(|file_name| {
            let path = self.folder.join(&file_name);
            if stage::is_stage(&file_name) && !stage::is_held(&path) {
                leftovers.stages.push(path);
            } else if self.is_lone_record(&file_name)? {
                leftovers.lone_records.push(path);
            }
            Ok(())
        })?;
        let packs = Vault { folder: self.folder.join(pack_folder::FOLDER).into(), ..self.clone() };
        if pack_folder::is_there(&packs.folder).unwrap_or(false) {
            packs.each_name(|file_name| {
                let path = packs.folder.join(&file_name);
                if stage::is_stage(&file_name) && !stage::is_held(&path) {
                    leftovers.stages.push(path);
                }
                Ok(())
            })?;
        }
        leftovers.stages.sort();
        leftovers.lone_records.sort();
        Ok(leftovers)
    }

    /// Whether a file has the name of a record whose backup does not exist.
    fn is_lone_record(&self, file_name: &str) -> Result<bool> {
        let Some(name) = file_name.strip_suffix(".json").and_then(Name::parse) else {
            return Ok(false);
        };
        let has_backup = fs_err::symlink_metadata(self.folder.join(name.to_string())).is_ok();
        if has_backup || regular(&self.folder.join(file_name))?.is_none() {
            return Ok(false);
        }
        Ok(match self.proof(&name)? {
            Proof::Recorded(record) => record.is_of_file(&name.to_string()),
            // There is no backup that it could be wrong about.
            Proof::Damaged(file) => file == name.to_string(),
            Proof::Unrecorded | Proof::Unreadable(_) | Proof::Newer(_) => false,
        })
    }

    /// The process that holds the lock right now, if the system shows it.
    #[must_use]
    pub(crate) fn holder(&self) -> Option<Holder> {
        holders::of_lock(&self.folder.join(LOCK))
    }

    /// Reads one backup by its name; `None` if it is gone or not a regular file.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn read(&self, name: Name) -> Result<Option<Backup>> {
        self.read_by(name, &mut self.freshness())
    }

    fn freshness(&self) -> Freshness {
        Freshness::of(&self.folder, self.now, self.read_within)
    }

    fn read_by(&self, name: Name, freshness: &mut Freshness) -> Result<Option<Backup>> {
        let Some(metadata) = regular(&self.folder.join(name.to_string()))? else {
            return Ok(None);
        };
        let proof = self.proof(&name)?;
        let created_at = match &proof {
            Proof::Recorded(record) => record.created_at,
            // In the repeated hour of a clock change the earlier one is meant.
            _ => self.now.offset().from_local_datetime(&name.time).earliest().unwrap_or_default(),
        };
        let identity = (metadata.dev(), metadata.ino());
        let pages = match name.format {
            Format::Plain | Format::Dump => Pages::None,
            Format::Pages | Format::Chunks => {
                freshness.pages(&self.folder.join(name.to_string()), identity)
            }
        };
        Ok(Some(Backup {
            folder: self.folder.clone(),
            pages,
            size_bytes: match &proof {
                Proof::Recorded(record) if record.stored.is_some() => record.size_bytes,
                _ => metadata.len(),
            },
            file_bytes: metadata.len(),
            identity,
            name,
            proof,
            created_at,
            whose: Whose::Ours,
        }))
    }

    pub(crate) fn proof(&self, name: &Name) -> Result<Proof> {
        let path = self.folder.join(name.record());
        let Some(metadata) = regular(&path)? else {
            return Ok(Proof::Unrecorded);
        };
        if metadata.len() > MAX_RECORD_BYTES {
            return Ok(Proof::Unreadable("it is far too large".to_owned()));
        }
        match fs_err::read(&path) {
            Ok(bytes) => Ok(Proof::parse(&bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Proof::Unrecorded),
            Err(error) => Ok(Proof::Unreadable(error.to_string())),
        }
    }

    /// Calls `each` with the name of every file, in no particular order; never if the folder is
    /// missing.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read, or `each` fails.
    pub(crate) fn each_name(&self, mut each: impl FnMut(String) -> Result<()>) -> Result<()> {
        let entries = match fs_err::read_dir(&*self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            // A name that is not UTF-8 is not ours.
            if let Ok(name) = entry?.file_name().into_string() {
                each(name)?;
            }
        }
        Ok(())
    }
}

/// The metadata of a regular file; `None` for a symbolic link, a folder or nothing.
pub(crate) fn regular(path: &Path) -> Result<Option<std::fs::Metadata>> {
    match fs_err::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

//! The backups folder with its lock held (`folder_lock.rs`): the one writer.
//!
//! Everything that changes the folder is a method of [`Locked`], so it cannot be called without the
//! lock, which ends with the process.

use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::backups::backup::{self, Backup};
use crate::backups::folder_lock;
use crate::backups::format::Format;
use crate::backups::name::Name;
use crate::backups::obstacle::Obstacle;
use crate::backups::place::Standing;
use crate::backups::record::Record;
use crate::backups::store::pack_folder;
use crate::backups::vault::{LOCK, Vault, regular};
use crate::console::interrupt::Interrupt;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::files::publish::{self, Published};
use crate::files::stage::{self, Scratch, Stage};

/// The folder with its lock held; it is released when this is dropped or the process dies.
#[derive(Debug)]
pub(crate) struct Locked<'v> {
    vault: &'v Vault,
    /// Backups that were listed, and those that this run has published since.
    listed: RefCell<Option<Arc<Vec<Backup>>>>,
    standing: Standing,
    _lock: fs_err::File,
}

impl Vault {
    /// Creates the folder if it is missing, waits for its lock, and removes the files that a killed
    /// run left.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written, or its lock stays taken (exit 3).
    pub(crate) fn lock(&self, timeout: Duration, interrupt: &Interrupt) -> Result<Locked<'_>> {
        let locked = self.lock_only(timeout, interrupt).map_err(|error| {
            let what = format!("could not lock the backups folder `{}`", self.folder().display());
            match error.downcast_ref::<Refusal>() {
                Some(_) => error.context(what),
                None => error.context(Refusal {
                    what,
                    hint: format!(
                        "check who owns it, its permissions and the free space, with {}",
                        text::look_at(self.folder())
                    ),
                    exit: Exit::CouldNot,
                }),
            }
        })?;
        locked.sweep()?;
        Ok(locked)
    }

    fn lock_only(&self, timeout: Duration, interrupt: &Interrupt) -> Result<Locked<'_>> {
        let standing = self.make_folder()?;
        let lock = folder_lock::take(&self.folder().join(LOCK), timeout, interrupt)?;
        Ok(Locked { vault: self, listed: RefCell::new(None), standing, _lock: lock })
    }
}

impl Locked<'_> {
    /// The vault.
    #[must_use]
    pub(crate) fn vault(&self) -> &Vault {
        self.vault
    }

    /// Whether the folder was ours when the lock was taken.
    #[must_use]
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Every backup, newest first. While the lock is held, no other process changes the folder, so
    /// it is read again only after this run has changed it.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn backups(&self) -> Result<Arc<Vec<Backup>>> {
        if let Some(listed) = &*self.listed.borrow() {
            return Ok(Arc::clone(listed));
        }
        let backups = Arc::new(self.vault.backups()?);
        self.listed.replace(Some(Arc::clone(&backups)));
        Ok(backups)
    }

    /// Adds a backup that was just published to the list.
    fn add_listed(&self, listed: Option<Arc<Vec<Backup>>>, backup: &Backup) {
        // In a folder of several projects, each new backup may show whose the others are.
        let Some(mut listed) = listed.filter(|_| !self.vault.is_shared()) else { return };
        let backups = Arc::make_mut(&mut listed);
        backups.push(backup.clone());
        backup::sort_newest_first(backups);
        self.listed.replace(Some(listed));
    }

    /// Forgets the list, because something that it depends on has changed.
    pub(crate) fn forget_listed(&self) {
        self.listed.replace(None);
    }

    /// Removes unlocked stages and lone records: with the lock held, both were left by a killed
    /// run.
    fn sweep(&self) -> Result<()> {
        let left = self.vault.leftovers()?;
        for stage in &left.stages {
            stage::remove_if_abandoned(stage)?;
        }
        for record in &left.lone_records {
            publish::remove(record)?;
        }
        if left.stages.is_empty() && left.lone_records.is_empty() {
            return Ok(());
        }
        publish::sync_folder(self.vault.folder())
    }

    /// A new stage in the folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn stage(&self, name: &Name) -> Result<Stage> {
        Stage::create(self.vault.folder(), &name.to_string())
    }

    /// The folder of packs, created if it is missing.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn packs_folder(&self) -> Result<PathBuf> {
        pack_folder::is_there(&self.vault.folder().join(pack_folder::FOLDER))?;
        self.private_folder(pack_folder::FOLDER)
    }

    /// A folder in the folder, created if it is missing.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn private_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.vault.folder().join(name);
        if !folder.is_dir() {
            publish::create_folders(&folder)?;
            fs_err::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        }
        Ok(folder)
    }

    /// A new private folder in the folder; it outlives the lock.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn scratch(&self, name: &str) -> Result<Scratch> {
        Scratch::create(self.vault.folder(), name)
    }

    /// The next sequence number: one more than the highest in the folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn next_sequence(&self) -> Result<u64> {
        let backups = self.backups()?;
        let highest = backups.iter().filter_map(|b| b.summary().map(|r| r.sequence)).max();
        Ok(highest.unwrap_or(0).saturating_add(1))
    }

    /// Publishes a synced stage and its record: the record first, because a record without its file
    /// is harmless and the reverse is not. If a name is taken, the next one of the same second is.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails; nothing of this backup then stays under a final name.
    pub(crate) fn publish(&self, stage: &Stage, name: Name, record: Record) -> Result<Backup> {
        self.publish_through(name, record, |path| stage.publish(path))
    }

    /// Publishes a separate record for a file that another backup already has: a hard link, which
    /// takes no space.
    ///
    /// # Errors
    ///
    /// If the file system has no hard links, or the disk is full or fails.
    pub(crate) fn publish_link(&self, to: &Backup, name: Name, record: Record) -> Result<Backup> {
        self.publish_through(name, record, |path| publish::link(&to.path(), path))
    }

    fn publish_through(
        &self,
        name: Name,
        mut record: Record,
        publish: impl Fn(&Path) -> Result<Published>,
    ) -> Result<Backup> {
        let folder = self.vault.folder();
        let mut name = name;
        record.home = self.vault.home(&record.database);
        // If this fails, it is unknown what is there.
        let listed = self.listed.take();
        loop {
            // One time means one backup, in whichever format.
            if self.is_taken(&name) {
                name = name.next();
                continue;
            }
            record.file = name.to_string();
            let record_path = folder.join(name.record());
            let record_stage = Stage::create(folder, &name.record())?;
            record_stage.append(&record.to_bytes()?)?;
            record_stage.sync()?;
            if record_stage.publish(&record_path)? == Published::NameTaken {
                name = name.next();
                continue;
            }
            let published = self.publish_database(&name, &publish);
            match published {
                Ok(Published::Yes) => break,
                Ok(Published::NameTaken) => {
                    publish::remove(&record_path)?;
                    name = name.next();
                }
                Err(error) => {
                    // The next command would sweep it; this spares the user the sight.
                    let _ = publish::remove(&record_path);
                    return Err(error);
                }
            }
        }
        let backup = self.vault.read(name)?;
        let backup = backup.context("the backup disappeared right after it was published")?;
        self.add_listed(listed, &backup);
        Ok(backup)
    }

    /// Whether another format has a name.
    fn is_taken(&self, name: &Name) -> bool {
        let others = Format::ALL.into_iter().filter(|format| *format != name.format);
        let mut others = others.map(|format| name.clone().in_format(format).to_string());
        others.any(|other| fs_err::symlink_metadata(self.vault.folder().join(other)).is_ok())
    }

    fn publish_database(
        &self,
        name: &Name,
        publish: &impl Fn(&Path) -> Result<Published>,
    ) -> Result<Published> {
        let folder = self.vault.folder();
        publish::sync_folder(folder)?;
        let path = folder.join(name.to_string());
        let published = publish(&path)?;
        if published == Published::Yes {
            // The stage's own name goes with the stage, or is swept later: it does no harm.
            publish::sync_folder(folder).inspect_err(|_| {
                // Not durable, so not published: the caller takes the record away too.
                let _ = publish::remove(&path);
            })?;
        }
        Ok(published)
    }

    /// Rewrites a record in one step.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails; the old record then stays.
    pub(crate) fn rewrite(&self, backup: &Backup, record: &Record) -> Result<()> {
        self.listed.replace(None);
        let stage = Stage::create(self.vault.folder(), &backup.name.record())?;
        stage.append(&record.to_bytes()?)?;
        stage.sync()?;
        stage.replace(&backup.record_path())?;
        publish::sync_folder(self.vault.folder())
    }

    /// Removes a backup and its record, if it is still the one that was listed, its record agrees
    /// and nobody reads it. Returns why not, otherwise.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn remove(&self, backup: &Backup) -> Result<Option<Obstacle>> {
        if !backup.record_agrees() {
            return Ok(Some(Obstacle::Disagrees));
        }
        self.remove_anyway(backup)
    }

    /// The same for a person who asks for it, even if its record does not agree: of a damaged backup,
    /// it does not.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn remove_anyway(&self, backup: &Backup) -> Result<Option<Obstacle>> {
        self.listed.replace(None);
        let Some(now) = self.vault.read(backup.name.clone())? else {
            return Ok(Some(Obstacle::Gone));
        };
        let is_same = now.identity == backup.identity
            && now.proof == backup.proof
            && now.file_bytes == backup.file_bytes;
        if !is_same {
            return Ok(Some(Obstacle::Changed));
        }
        let path = backup.path();
        let file = fs_err::File::open(&path)?;
        if file.file().try_lock().is_err() {
            return Ok(Some(Obstacle::Read));
        }
        publish::remove(&path)?;
        if regular(&backup.record_path())?.is_some() {
            publish::remove(&backup.record_path())?;
        }
        publish::sync_folder(self.vault.folder())?;
        Ok(None)
    }
}

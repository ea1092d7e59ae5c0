//! The backups folder: what lies in it, and the one writer that may change it.
//!
//! Listing needs no lock and never hashes. Everything that changes the folder is a method of
//! [`Locked`], so that it cannot be called without the lock. Symbolic links and files whose names
//! are not ours are never listed, read or removed.

use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset, TimeZone as _};
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::backup::{self, Backup};
use crate::durable::{self, Published, Stage};
use crate::interrupt::Interrupt;
use crate::name::Name;
use crate::record::{Proof, Record};
use crate::refusal::Refusal;

const LOCK: &str = ".lock";
const IGNORE: &str = ".gitignore";
/// A record is a few kilobytes; what is larger than this is none.
const MOST_RECORD_BYTES: u64 = 16 << 20;

/// A backups folder.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    folder: PathBuf,
    /// The offset in which the times of unrecorded names are read.
    offset: FixedOffset,
}

/// The folder with its lock held; it is released when this is dropped or the process dies.
#[derive(Debug)]
pub(crate) struct Locked<'v> {
    vault: &'v Vault,
    _lock: fs_err::File,
}

/// A backup that is being read and must not be removed meanwhile.
#[derive(Debug)]
pub(crate) struct Held {
    _file: fs_err::File,
}

impl Vault {
    /// The vault in a folder that may not exist yet; `now` lends its offset to unrecorded names.
    #[must_use]
    pub(crate) fn at(folder: impl Into<PathBuf>, now: DateTime<FixedOffset>) -> Self {
        Self {
            folder: folder.into(),
            offset: *now.offset(),
        }
    }

    /// The folder.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every backup, newest first; none where the folder is missing.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read.
    pub(crate) fn backups(&self) -> Result<Vec<Backup>> {
        let mut backups = Vec::new();
        for name in self.file_names()? {
            if let Some(name) = Name::parse(&name)
                && let Some(backup) = self.read(name)?
            {
                backups.push(backup);
            }
        }
        backup::sort_newest_first(&mut backups);
        Ok(backups)
    }

    /// One backup by its name; `None` where it is gone or no regular file.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read.
    pub(crate) fn read(&self, name: Name) -> Result<Option<Backup>> {
        let Some(metadata) = regular(&self.folder.join(name.to_string()))? else {
            return Ok(None);
        };
        let proof = self.proof(&name)?;
        let created_at = match &proof {
            Proof::Recorded(record) => record.created_at,
            // In the repeated hour of a clock change the earlier one is meant.
            _ => self
                .offset
                .from_local_datetime(&name.time)
                .earliest()
                .unwrap_or_default(),
        };
        Ok(Some(Backup {
            folder: self.folder.clone(),
            size_bytes: metadata.len(),
            identity: (metadata.dev(), metadata.ino()),
            name,
            proof,
            created_at,
        }))
    }

    fn proof(&self, name: &Name) -> Result<Proof> {
        let path = self.folder.join(name.record());
        let Some(metadata) = regular(&path)? else {
            return Ok(Proof::Unrecorded);
        };
        if metadata.len() > MOST_RECORD_BYTES {
            return Ok(Proof::Unreadable("it is far too large".to_owned()));
        }
        match fs_err::read(&path) {
            Ok(bytes) => Ok(Proof::parse(&bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Proof::Unrecorded),
            Err(error) => Ok(Proof::Unreadable(error.to_string())),
        }
    }

    fn file_names(&self) -> Result<Vec<String>> {
        let entries = match fs_err::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is not UTF-8 is not ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    /// Makes the folder if it is missing, waits for its lock, and removes what a killed run left.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be written, or its lock stays taken (exit 3).
    pub(crate) fn lock(&self, timeout: Duration, interrupt: &Interrupt) -> Result<Locked<'_>> {
        let locked = self.lock_only(timeout, interrupt).with_context(|| {
            format!(
                "could not lock the backups folder `{}`",
                self.folder.display()
            )
        })?;
        locked.sweep()?;
        Ok(locked)
    }

    fn lock_only(&self, timeout: Duration, interrupt: &Interrupt) -> Result<Locked<'_>> {
        self.make_folder()?;
        let path = self.folder.join(LOCK);
        let mut file = fs_err::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        let began = Instant::now();
        loop {
            match file.file().try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if began.elapsed() >= timeout => {
                    let mut holder = String::new();
                    let _ = file.read_to_string(&mut holder);
                    return Err(Refusal::locked(
                        format!(
                            "another command works in it{}: waited {}",
                            holder_text(&holder),
                            crate::text::took(timeout)
                        ),
                        "try again when it is done, or wait longer with `--busy-timeout SECS`",
                    ));
                }
                Err(TryLockError::WouldBlock) => {
                    interrupt.check()?;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        // Who holds it is a courtesy for the one who waits; failing to say so harms nobody.
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Locked {
            vault: self,
            _lock: file,
        })
    }

    fn make_folder(&self) -> Result<()> {
        if self.folder.is_dir() {
            return Ok(());
        }
        fs_err::create_dir_all(&self.folder)?;
        fs_err::set_permissions(&self.folder, std::fs::Permissions::from_mode(0o700))?;
        if let Some(parent) = self.folder.parent() {
            durable::sync_folder(parent)?;
        }
        Ok(())
    }
}

fn holder_text(holder: &str) -> String {
    match holder.trim().parse::<u32>() {
        Ok(pid) => format!(" (process {pid})"),
        Err(_) => String::new(),
    }
}

/// The metadata of a regular file; `None` for a symbolic link, a folder or nothing.
fn regular(path: &Path) -> Result<Option<std::fs::Metadata>> {
    match fs_err::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Locked<'_> {
    /// The vault.
    #[must_use]
    pub(crate) fn vault(&self) -> &Vault {
        self.vault
    }

    /// Keeps git from tracking the folder, through the folder's own `.gitignore`.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be written.
    pub(crate) fn keep_from_git(&self) -> Result<()> {
        let path = self.vault.folder.join(IGNORE);
        if fs_err::symlink_metadata(&path).is_err() {
            fs_err::write(&path, "*\n!.gitignore\n")?;
        }
        Ok(())
    }

    /// Removes stages and lone records: with the lock held, both were left by a killed run.
    fn sweep(&self) -> Result<()> {
        let folder = &self.vault.folder;
        let mut swept = false;
        for file_name in self.vault.file_names()? {
            let path = folder.join(&file_name);
            if durable::is_stage(&file_name) {
                durable::remove_stage(&path)?;
                swept = true;
            }
            let Some(name) = file_name.strip_suffix(".json").and_then(Name::parse) else {
                continue;
            };
            if regular(&path)?.is_none()
                || fs_err::symlink_metadata(folder.join(name.to_string())).is_ok()
            {
                continue;
            }
            // Only what is a record of ours for just this name is removed.
            if let Proof::Recorded(record) = self.vault.proof(&name)?
                && record.file == name.to_string()
            {
                durable::remove(&path)?;
                swept = true;
            }
        }
        if swept {
            durable::sync_folder(folder)
        } else {
            Ok(())
        }
    }

    /// A new stage in the folder.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be written.
    pub(crate) fn stage(&self, name: &Name) -> Result<Stage> {
        Stage::create(&self.vault.folder, &name.to_string())
    }

    /// One more than the highest sequence in the folder.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read.
    pub(crate) fn next_sequence(&self) -> Result<u64> {
        let backups = self.vault.backups()?;
        let highest = backups
            .iter()
            .filter_map(|b| b.record().map(|r| r.sequence))
            .max();
        Ok(highest.unwrap_or(0) + 1)
    }

    /// Publishes a synced stage and its record: the record first, because a record without its file
    /// is harmless and the reverse is not. Where a name is taken, the next one of the same second is.
    ///
    /// # Errors
    ///
    /// Where the disk is full or fails; nothing of this backup then stays under a final name.
    pub(crate) fn publish(&self, stage: &Stage, name: Name, mut record: Record) -> Result<Backup> {
        let folder = &self.vault.folder;
        let mut name = name;
        loop {
            record.file = name.to_string();
            let record_path = folder.join(name.record());
            let record_stage = Stage::create(folder, &name.record())?;
            record_stage.append(&record.to_bytes()?)?;
            record_stage.sync()?;
            if record_stage.publish(&record_path)? == Published::NameTaken {
                name = name.next();
                continue;
            }
            let published = self.publish_database(stage, &name);
            match published {
                Ok(Published::Yes) => break,
                Ok(Published::NameTaken) => {
                    durable::remove(&record_path)?;
                    name = name.next();
                }
                Err(error) => {
                    // The next command would sweep it; this spares the user the sight.
                    let _ = durable::remove(&record_path);
                    return Err(error);
                }
            }
        }
        self.vault
            .read(name)?
            .context("the backup vanished right after it was published")
    }

    fn publish_database(&self, stage: &Stage, name: &Name) -> Result<Published> {
        let folder = &self.vault.folder;
        durable::sync_folder(folder)?;
        let path = folder.join(name.to_string());
        let published = stage.publish(&path)?;
        if published == Published::Yes {
            durable::remove(stage.path())?;
            durable::sync_folder(folder)?;
        }
        Ok(published)
    }

    /// Writes a record anew in one step.
    ///
    /// # Errors
    ///
    /// Where the disk is full or fails; the old record then stays.
    pub(crate) fn rewrite(&self, backup: &Backup, record: &Record) -> Result<()> {
        let stage = Stage::create(&self.vault.folder, &backup.name.record())?;
        stage.append(&record.to_bytes()?)?;
        stage.sync()?;
        stage.replace(&backup.record_path())?;
        durable::sync_folder(&self.vault.folder)
    }

    /// Removes a backup and its record, if it is still the one that was listed, its record agrees
    /// and nobody reads it. Returns why not, otherwise.
    ///
    /// # Errors
    ///
    /// Where the file system refuses.
    pub(crate) fn remove(&self, backup: &Backup) -> Result<Option<&'static str>> {
        let Some(now) = self.vault.read(backup.name.clone())? else {
            return Ok(Some("it is gone already"));
        };
        if now.identity != backup.identity || now.proof != backup.proof {
            return Ok(Some("it changed meanwhile"));
        }
        if !now.record_agrees() {
            return Ok(Some("its record does not agree with it"));
        }
        let path = backup.path();
        let file = fs_err::File::open(&path)?;
        if file.file().try_lock().is_err() {
            return Ok(Some("another command reads it"));
        }
        durable::remove(&path)?;
        durable::remove(&backup.record_path())?;
        durable::sync_folder(&self.vault.folder)?;
        Ok(None)
    }
}

impl Backup {
    /// Holds the backup while it is read: pruning leaves it meanwhile.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened.
    pub(crate) fn hold(&self) -> Result<Held> {
        let file = fs_err::File::open(self.path())?;
        // Only a removal takes the exclusive lock, and only for a moment.
        file.file().lock_shared()?;
        Ok(Held { _file: file })
    }
}

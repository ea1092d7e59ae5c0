//! The lock of one database file: every command that replaces or migrates the database holds it,
//! from any project and with any backups folder.
//!
//! It is an `flock` on a file beside the database, `<name>-xtask-lock`. Everybody who can reach the
//! database finds the same file, including another user, another project and a container with the
//! same volume, which a state folder per user would not give. The path is the canonical one. The
//! database itself is never locked: closing any descriptor on it would drop SQLite's own locks. The
//! file is removed when the work is done. A killed process leaves it unlocked, and the file then
//! contains the path of the note if one is left.
//!
//! If the folder cannot be written, the folder itself is locked, which everybody else shares.

use std::cell::RefCell;
use std::fs::TryLockError;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset};
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::backups::backup::Backup;
use crate::backups::writer::Locked;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::{Exit, Refusal};
use crate::files::{holders, publish};
use crate::host::command::supervisor::MARK;
use crate::host::project::{Database, Project};
use crate::recovery::anchor;
use crate::recovery::interrupted_step::{self, Begun, Intent, Left};
use crate::recovery::lock_file::{Said, beside, holder};
use crate::recovery::note::Step;

const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// The lock of a database file, held until this is dropped or the process dies.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    /// The host.
    pub(crate) project: &'a Project,
    /// Its database.
    pub(crate) database: &'a Database,
    /// What is locked beside: the database's canonical path, or what stands for it.
    path: PathBuf,
    /// The command that holds it.
    command: &'static str,
    /// Until it is released.
    lock: RefCell<Option<Lock>>,
    /// The note that this command wrote.
    begun: RefCell<Option<Begun>>,
    /// Folders that were made for the lock, the innermost first.
    made: Vec<PathBuf>,
}

/// The file that is locked.
#[derive(Debug)]
enum Lock {
    /// The file beside the database; the folder is shared, if the system lets it be locked at all.
    Beside {
        file: fs_err::File,
        path: PathBuf,
        note: Option<PathBuf>,
        _folder: Option<fs_err::File>,
    },
    /// The folder, which cannot be written.
    Folder { _folder: fs_err::File },
}

impl<'a> Claim<'a> {
    /// Waits for the lock of a database file, which may not exist yet.
    ///
    /// # Errors
    ///
    /// If it stays locked (exit 3), or at the user's interrupt.
    pub(crate) fn take(
        project: &'a Project,
        database: &'a Database,
        command: &'static str,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let cannot = || cannot(project, database);
        let path = anchor::of(project, database).with_context(cannot)?;
        let folder = path.parent().context("a database is in a folder")?;
        let missing = |folder: &&Path| fs_err::symlink_metadata(folder).is_err();
        let made: Vec<_> = folder.ancestors().take_while(missing).map(Path::to_owned).collect();
        let started = Instant::now();
        loop {
            publish::create_folders(folder).with_context(cannot)?;
            let who = match Lock::try_take(&path, command).with_context(cannot)? {
                Tried::Taken(lock) => {
                    let (lock, begun) = (RefCell::new(Some(lock)), RefCell::new(None));
                    let made = made.clone();
                    let claim =
                        Self { project, database, path: path.clone(), command, lock, begun, made };
                    match claim.still_runs() {
                        None => return Ok(claim),
                        Some(pid) => {
                            format!(": what an interrupted command started (process {pid})")
                        }
                    }
                }
                Tried::Gone => continue,
                Tried::Busy(who) => who,
            };
            if started.elapsed() >= project.busy_timeout {
                let place = project.quoted_place(database);
                let waited = crate::console::text::took(project.busy_timeout);
                return Err(Refusal::locked(
                    format!("another command is working on {place}{who}: waited {waited}"),
                    "try again when it is done, or wait longer with `--busy-timeout SECS`",
                ));
            }
            interrupt.check()?;
            std::thread::sleep(PAUSE);
        }
    }

    /// The supervisor that is still ending the processes of a killed command.
    fn still_runs(&self) -> Option<u32> {
        let left = self.left();
        let mut pids = left.iter().filter_map(|left| Some(left.note()?.pid));
        pids.find_map(|pid| holders::with_variable(MARK, &pid.to_string()))
    }

    /// Does the same for commands that must not build on the state that an interrupted command
    /// left.
    ///
    /// # Errors
    ///
    /// As [`Claim::take`]; a refusal (exit 1) if such a state is left.
    pub(crate) fn take_settled(
        project: &'a Project,
        database: &'a Database,
        command: &'static str,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let claim = Self::take(project, database, command, interrupt)?;
        match claim.left().first() {
            Some(left) => Err(left.refusal(project, database)),
            None => Ok(claim),
        }
    }

    /// The notes that interrupted commands left for the database.
    #[must_use]
    pub(crate) fn left(&self) -> Vec<Left> {
        interrupted_step::left(self.project, self.database)
    }

    /// Whether something is noted as under way.
    #[must_use]
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.borrow().is_some()
    }

    /// Notes durably what is about to begin and could not be rolled back by SQLite itself; `back` is the
    /// backup that brings a known state back. A file that is not configured is not noted: no other
    /// command would look for it.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails; then nothing must begin.
    pub(crate) fn begin(
        &self,
        locked: &Locked<'_>,
        step: Step,
        back: Option<&Backup>,
        now: DateTime<FixedOffset>,
    ) -> Result<()> {
        let (project, database) = (self.project, self.database);
        if !project.databases.iter().any(|configured| configured.name == database.name) {
            return Ok(());
        }
        let intent = Intent { project, database, path: &self.path, step, back };
        let begun = locked
            .note(self.command, &intent, now)
            .context("could not note what is under way; nothing was begun")?;
        self.remember(Some(begun.path())).inspect_err(|_| {
            // Nothing begins, so nothing is to be noted.
            let _ = locked.forget(begun.path());
        })?;
        self.begun.replace(Some(begun));
        Ok(())
    }

    /// Removes the note of a step that failed before anything changed, unless it replaced an
    /// earlier note.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn withdraw(&self, locked: &Locked<'_>) -> Result<()> {
        let is_first = self.begun.borrow().as_ref().is_some_and(Begun::is_first);
        if is_first { self.conclude(locked) } else { Ok(()) }
    }

    /// Removes the note, because the step has ended in one way or another.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn conclude(&self, locked: &Locked<'_>) -> Result<()> {
        let Some(begun) = self.begun.take() else { return Ok(()) };
        // In rollback-journal mode the last commit of a migration is durable only once the journal's removal
        // is; without its note nobody would ask what happened to it.
        if let Some(folder) = self.path.parent().filter(|folder| folder.is_dir()) {
            publish::sync_folder(folder)?;
        }
        locked.forget(begun.path()).context("could not remove the note of what was under way")?;
        self.remember(None)
    }

    /// Removes the notes of interrupted commands, once the database is in order.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn end(&self, locked: &Locked<'_>, left: &[Left]) -> Result<()> {
        for left in left {
            left.remove(locked)?;
        }
        if left.is_empty() { Ok(()) } else { self.remember(None) }
    }

    fn remember(&self, note: Option<&Path>) -> Result<()> {
        match &mut *self.lock.borrow_mut() {
            Some(lock) => lock.remember(self.command, note),
            None => Ok(()),
        }
    }

    /// Lets others have the database: a command of the host that follows may merge rows into it.
    pub(crate) fn release(&self) {
        // A note that stays is found through the lock file by projects with another backups folder.
        if let Some(Lock::Beside { path, note: None, .. }) = &*self.lock.borrow() {
            // The next command that takes the lock removes a leftover file.
            let _ = publish::remove(path);
            publish::remove_empty_folders(&self.made);
        }
        self.lock.take();
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.release();
    }
}

/// Result of one try.
enum Tried {
    Taken(Lock),
    /// Its holder has just removed it.
    Gone,
    /// Somebody has it, and who.
    Busy(String),
}

impl Lock {
    fn try_take(database: &Path, command: &'static str) -> Result<Tried> {
        let path = beside(database);
        let folder = database.parent().context("a database is in a folder")?;
        let (file, is_ours) = match open(&path) {
            Ok(opened) => opened,
            Err(error) if is_unwritable(&error) => return Self::try_folder(folder, &path),
            Err(error) => return Err(error.into()),
        };
        anyhow::ensure!(file.metadata()?.is_file(), "`{}` is not a file", path.display());
        // The system may not lock folders: then nobody can be there who needs to.
        let shared = fs_err::File::open(folder).ok();
        let shared = match shared.map(|folder| (folder.file().try_lock_shared(), folder)) {
            Some((Err(TryLockError::WouldBlock), _)) => return Ok(Tried::Busy(String::new())),
            Some((Ok(()), folder)) => Some(folder),
            _ => None,
        };
        match file.file().try_lock() {
            Ok(()) if !publish::is_still(&file, &path) => return Ok(Tried::Gone),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Tried::Busy(holder(&path))),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if is_ours {
            give_to_owner(&file, database);
        }
        let note = Said::read(&file).and_then(|said| said.note);
        let note = note.filter(|note| !interrupted_step::is_concluded(note));
        let mut lock = Self::Beside { file, path, note: note.clone(), _folder: shared };
        // The name of the holder is a courtesy; another user's file cannot be written.
        let _ = lock.write(command, note);
        Ok(Tried::Taken(lock))
    }

    fn try_folder(folder: &Path, path: &Path) -> Result<Tried> {
        let folder = fs_err::File::open(folder)?;
        match folder.file().try_lock() {
            Ok(()) => Ok(Tried::Taken(Self::Folder { _folder: folder })),
            Err(TryLockError::WouldBlock) => Ok(Tried::Busy(holder(path))),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Writes the path of the note durably.
    fn remember(&mut self, command: &str, note: Option<&Path>) -> Result<()> {
        let Self::Beside { file, path, .. } = self else { return Ok(()) };
        let (file, folder) = (file.try_clone()?, path.parent().map(Path::to_owned));
        self.write(command, note.map(Path::to_owned))?;
        file.sync_all()?;
        folder.map_or(Ok(()), |folder| publish::sync_folder(&folder))
    }

    fn write(&mut self, command: &str, said: Option<PathBuf>) -> Result<()> {
        let Self::Beside { file, note, .. } = self else { return Ok(()) };
        let mut bytes = format!("{} {command}\n", std::process::id()).into_bytes();
        bytes.extend_from_slice(said.as_ref().map_or(&[][..], |path| path.as_os_str().as_bytes()));
        file.file().write_all_at(&bytes, 0)?;
        file.set_len(bytes.len() as u64)?;
        *note = said;
        Ok(())
    }
}

/// Opens or creates the lock file; whether it may be written.
fn open(path: &Path) -> std::io::Result<(fs_err::File, bool)> {
    // A pipe in its place would be waited for without an end.
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed();
    let mut options = fs_err::OpenOptions::new();
    options.read(true).custom_flags(flags);
    let mut writing = options.clone();
    match writing.write(true).create(true).truncate(false).mode(0o644).open(path) {
        Ok(file) => Ok((file, true)),
        // Another user's, or one on a medium that cannot be written: it can be locked anyway.
        Err(error) if is_unwritable(&error) => {
            options.open(path).map(|file| (file, false)).map_err(|_| error)
        }
        Err(error) => Err(error),
    }
}

/// Gives the lock file to the owner of the database, as SQLite does with what it makes beside one: who
/// may open the database must be able to lock it, whatever the umask and the order.
fn give_to_owner(lock: &fs_err::File, database: &Path) {
    // With a second name, it is also a file of another name.
    if !lock.metadata().is_ok_and(|metadata| metadata.nlink() == 1) {
        return;
    }
    let like = fs_err::metadata(database).ok();
    if let (Some(like), true) = (&like, rustix::process::geteuid().is_root()) {
        // A file system without owners has none to give it to.
        let _ = std::os::unix::fs::fchown(lock.file(), Some(like.uid()), Some(like.gid()));
    }
    // Its owner notes in it what is under way, even of a database that is set read-only.
    let mode = like.map_or(0o644, |like| like.mode() & 0o666 | 0o600);
    let _ = lock.set_permissions(std::fs::Permissions::from_mode(mode));
}

fn is_unwritable(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem
    )
}

fn cannot(project: &Project, database: &Database) -> Refusal {
    Refusal {
        what: format!("could not lock {} for this command", project.quoted_place(database)),
        hint: "check who owns its folder, and the permissions; nothing was changed".to_owned(),
        exit: Exit::CouldNot,
    }
}

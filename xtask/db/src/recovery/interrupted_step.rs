//! Notes of steps under way: written before a step that SQLite cannot roll back by itself, removed
//! after its conclusion. A leftover note means that a command was killed in the middle.
//!
//! Notes are in `under-way/` beside the backups, one per database, named by the hash of its
//! canonical path. The working command holds an `flock` on the note; without that lock, the note is
//! a leftover. A damaged note and one of a newer version are reported too.

use std::fs::TryLockError;
use std::io::{ErrorKind, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::OFlags;

use crate::backups::backup::Backup;
use crate::backups::name::Name;
use crate::backups::vault::{self, Vault};
use crate::backups::writer::Locked;
use crate::console::planted_faults::Planted;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::files::publish;
use crate::files::stage::Stage;
use crate::host::project::{Database, Project};
use crate::recovery::note::{Found, Note, Step, VERSION};
use crate::recovery::{anchor, lock_file};

const ENDING: &str = "note";
/// A note is a few hundred bytes; a larger file is not a note.
const MAX_BYTES: u64 = 64 << 10;

/// The step that a command is about to take.
#[derive(Debug)]
pub(crate) struct Intent<'a> {
    /// The host.
    pub(crate) project: &'a Project,
    /// Its database.
    pub(crate) database: &'a Database,
    /// The database's canonical path.
    pub(crate) path: &'a Path,
    /// The next phase.
    pub(crate) step: Step,
    /// The backup that brings a known state back; `None` if there was no database.
    pub(crate) back: Option<&'a Backup>,
}

/// A note that this process holds.
#[derive(Debug)]
pub(crate) struct Begun {
    path: PathBuf,
    /// Whether no note was there before it.
    is_first: bool,
    /// Its lock shows that the command is running.
    _held: Stage,
}

/// A note that nobody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// Path of the note.
    path: PathBuf,
    /// Its text.
    pub(crate) found: Found,
}

impl Begun {
    /// The path of the note.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it replaced no earlier note.
    #[must_use]
    pub(crate) fn is_first(&self) -> bool {
        self.is_first
    }
}

impl Locked<'_> {
    /// Writes a note and holds it; one that was left of the same database is replaced.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails.
    pub(crate) fn note(
        &self,
        command: &'static str,
        intent: &Intent<'_>,
        now: DateTime<FixedOffset>,
    ) -> Result<Begun> {
        let note = Note {
            version: VERSION,
            command: command.to_owned(),
            database: intent.database.name.clone(),
            path: intent.path.to_string_lossy().into_owned(),
            worktree: intent.project.worktree().to_owned(),
            begun_at: now,
            pid: std::process::id(),
            step: intent.step,
            back: intent.back.map(|back| named(back, self.vault())),
        };
        let (folder, name) = (self.private_folder(vault::NOTES)?, key(intent.path));
        let path = folder.join(&name);
        // A stage among the backups: there a sweep finds it.
        let stage = Stage::create(self.vault().folder(), &name)?;
        stage.hold_alone()?;
        stage.append(&note.to_bytes()?)?;
        stage.sync()?;
        let is_first = fs_err::symlink_metadata(&path).is_err();
        if !Planted::UnwrittenNote.is_on() {
            stage.replace(&path)?;
        }
        publish::sync_folder(&folder)?;
        Ok(Begun { path, is_first, _held: stage })
    }

    /// Removes a note durably.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    #[expect(clippy::unused_self, reason = "only the holder of the folder's lock may do it")]
    pub(crate) fn forget(&self, note: &Path) -> Result<()> {
        publish::remove(note)?;
        publish::sync_folder(note.parent().context("a note is in a folder")?)
    }
}

/// A backup as a note names it: its name in the same folder, else its path.
fn named(backup: &Backup, vault: &Vault) -> String {
    let name = backup.name.to_string();
    if *backup.folder == *vault.folder() {
        return name;
    }
    backup.folder.join(name).to_string_lossy().into_owned()
}

/// The leftover notes of a database: in this project's backups folder, or at the path in the lock
/// file beside the database. Nobody holds any of them.
#[must_use]
pub(crate) fn left(project: &Project, database: &Database) -> Vec<Left> {
    let Ok(path) = anchor::of(project, database) else { return Vec::new() };
    let own = project.backups.join(vault::NOTES).join(key(&path));
    let mut left: Vec<Left> = look(&own).into_iter().collect();
    if let Some(elsewhere) = lock_file::note_of(&path).filter(|note| !is_same(note, &own)) {
        left.extend(look_elsewhere(&elsewhere));
    }
    let others = all(&project.backups).unwrap_or_default().into_iter().filter(|note| *note != own);
    let others = others.filter_map(|note| look(&note));
    left.extend(others.filter(|left| left.is_of_moved(project, database, &path)));
    left
}

/// The notes in a backups folder, held or left, whosoever's.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn all(backups: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs_err::read_dir(backups.join(vault::NOTES)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut notes = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            notes.push(path);
        }
    }
    notes.sort();
    Ok(notes)
}

/// The names of the backups in a folder that a step under way, or a leftover one, needs.
///
/// # Errors
///
/// If the folder or one of its notes cannot be read: then it is unknown what is needed.
pub(crate) fn needed(backups: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for path in all(backups)? {
        match read(&path) {
            Ok((_, Found::Read(note))) => names.extend(note.back),
            Ok((_, Found::Damaged(why))) => anyhow::bail!("`{}`: {why}", path.display()),
            Ok((_, Found::Newer(version))) => {
                anyhow::bail!("`{}` has a newer version, {version}", path.display())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(names)
}

/// Whether the step of a note has ended: the note is gone, but its folder still exists.
#[must_use]
pub(crate) fn is_concluded(note: &Path) -> bool {
    let seen = fs_err::symlink_metadata(note);
    seen.is_err_and(|error| error.kind() == ErrorKind::NotFound)
        && note.parent().is_some_and(Path::is_dir)
}

/// Reads one note; `None` if there is none, or its command is running.
fn look(path: &Path) -> Option<Left> {
    let (file, found) = match read(path) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            let found = Found::Damaged(error.to_string());
            return Some(Left { path: path.to_owned(), found });
        }
    };
    let is_held = matches!(file.file().try_lock_shared(), Err(TryLockError::WouldBlock));
    // Its holder may have removed it right before the lock was free.
    let is_there = publish::is_still(&file, path);
    (!is_held && is_there).then(|| Left { path: path.to_owned(), found })
}

/// Does the same for a note in another project's folder, which may be gone as a whole.
fn look_elsewhere(path: &Path) -> Option<Left> {
    let is_lost = fs_err::symlink_metadata(path).is_err() && !is_concluded(path);
    let lost = || Left { path: path.to_owned(), found: Found::Damaged("it is gone".to_owned()) };
    if is_lost { Some(lost()) } else { look(path) }
}

fn read(path: &Path) -> std::io::Result<(fs_err::File, Found)> {
    // A pipe in its place would be waited for without an end.
    let file = fs_err::OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Ok((file, Found::Damaged("it is not a file".to_owned())));
    }
    let mut bytes = Vec::new();
    (&file).take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok((file, Found::parse(&bytes)))
}

/// The file name of the note of a database.
fn key(database: &Path) -> String {
    let hash = blake3::hash(database.as_os_str().as_bytes()).to_hex();
    format!("{}.{ENDING}", &hash[..32])
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || fs_err::canonicalize(one)
            .is_ok_and(|one| fs_err::canonicalize(other).is_ok_and(|o| o == one))
}

impl Left {
    /// Whether it belongs to this database, which was moved since: it has the same name, and its
    /// path no longer exists.
    fn is_of_moved(&self, project: &Project, database: &Database, path: &Path) -> bool {
        let Found::Read(note) = &self.found else { return false };
        let then = Path::new(&note.path);
        // Another project that shares the folder may only have lost its database.
        let is_own_folder = project.backups.starts_with(&project.root);
        note.database == database.name
            && note.worktree == project.worktree()
            && then != path
            && !then.exists()
            && (is_own_folder || !then.parent().is_some_and(Path::is_dir))
    }

    /// The note, if it can be read.
    #[must_use]
    pub(crate) fn note(&self) -> Option<&Note> {
        match &self.found {
            Found::Read(note) => Some(note),
            Found::Damaged(_) | Found::Newer(_) => None,
        }
    }

    /// Describes the interruption in words.
    #[must_use]
    pub(crate) fn sentence(&self, project: &Project, database: &Database) -> String {
        let place = project.quoted_place(database);
        match &self.found {
            Found::Read(note) => {
                let moved =
                    if anchor::of(project, database).is_ok_and(|p| p == Path::new(&note.path)) {
                        String::new()
                    } else {
                        format!(" at its former path `{}`", text::plain(&note.path))
                    };
                format!(
                    "`{}` of {place}{moved}, begun {} (process {}), was interrupted",
                    text::plain(&note.command),
                    note.begun_at.format("%Y-%m-%d %H:%M:%S"),
                    note.pid
                )
            }
            Found::Damaged(why) => format!(
                "a command on {place} was interrupted, and its note `{}` cannot be read: {}",
                project.path(&self.path),
                text::plain(why)
            ),
            Found::Newer(version) => format!(
                "a command on {place} was interrupted, and its note `{}` has a newer version, \
                 {version}",
                project.path(&self.path)
            ),
        }
    }

    /// The remedy.
    #[must_use]
    pub(crate) fn remedy(&self, project: &Project, database: &Database) -> String {
        let flag = project.database_flag(database);
        let back = match &self.found {
            Found::Read(_) => format!("`cargo xtask db-recover{flag}` goes back"),
            _ => "`cargo xtask db-restore REF` restores a backup".to_owned(),
        };
        format!("{back}, `cargo xtask db-recover{flag} --accept` keeps the current state")
    }

    /// The refusal to build on it.
    #[must_use]
    pub(crate) fn refusal(&self, project: &Project, database: &Database) -> anyhow::Error {
        let what = self.sentence(project, database);
        Refusal { what, hint: self.remedy(project, database), exit: Exit::No }.into()
    }

    /// The backups folder that it is in.
    #[must_use]
    pub(crate) fn backups(&self) -> &Path {
        self.path.parent().and_then(Path::parent).unwrap_or(&self.path)
    }

    /// The backup that restores a known state; `None` if the note names none or that is gone.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn back(&self, now: DateTime<FixedOffset>) -> Result<Option<Backup>> {
        let Found::Read(Note { back: Some(back), .. }) = &self.found else { return Ok(None) };
        let path = self.backups().join(back);
        let name = path.file_name().and_then(|name| name.to_str()).and_then(Name::parse);
        let (Some(name), Some(folder)) = (name, path.parent()) else { return Ok(None) };
        Vault::at(folder, now).read(name)
    }

    /// Removes it durably.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn remove(&self, locked: &Locked<'_>) -> Result<()> {
        if self.path.parent().is_some_and(Path::is_dir) {
            locked.forget(&self.path)
        } else {
            Ok(())
        }
    }
}

//! The folder of packs: its files.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Result;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::OFlags;

use crate::backups::store::pack;
use crate::console::refusal::Refusal;
use crate::sqlite::digest::tree::{self, Id};

/// The folder of packs within a backups folder.
pub(crate) const FOLDER: &str = "packs";

/// Locks the packs of a backups folder like a reader, so that none is moved; `None` if there are
/// none.
///
/// # Errors
///
/// If the folder of packs cannot be opened, or the file system has no locks.
pub(crate) fn hold(backups: &Path) -> Result<Option<fs_err::File>> {
    let Some(packs) = open(&backups.join(FOLDER))? else { return Ok(None) };
    packs.file().lock_shared()?;
    Ok(Some(packs))
}

/// Opens a folder of packs; `None` if it is missing.
///
/// # Errors
///
/// A refusal if it is a symbolic link or not a folder, or if it cannot be opened.
pub(crate) fn open(folder: &Path) -> Result<Option<fs_err::File>> {
    if !is_there(folder)? {
        return Ok(None);
    }
    let mut options = fs_err::OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
    options.read(true).custom_flags(flags.bits().cast_signed());
    Ok(Some(options.open(folder)?))
}

/// Whether a folder of packs exists. The target of a symbolic link is not ours to read or to
/// remove.
///
/// # Errors
///
/// A refusal if it is a symbolic link or not a folder.
pub(crate) fn is_there(folder: &Path) -> Result<bool> {
    let what = match fs_err::symlink_metadata(folder) {
        Ok(metadata) if metadata.is_dir() => return Ok(true),
        Ok(metadata) if metadata.is_symlink() => "a symbolic link",
        Ok(_) => "not a folder",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    Err(Refusal::could_not(
        format!("`{}` is {what}: the page store needs a folder there", folder.display()),
        "move the folder with the packs there; to keep backups on another disk, set `backups` or \
         `DATABASE_BACKUP_DIR` to a folder there",
    ))
}

/// Identity of a file, which distinguishes it from another one of the same name, and from itself
/// after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(super) inode: u64,
    pub(super) size_bytes: u64,
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, i64),
    pub(super) changed: (i64, i64),
}

impl Identity {
    /// The identity of a file with this metadata.
    #[must_use]
    pub(crate) fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The identity of the file that has a pack's name; `None` if there is no such file.
///
/// # Errors
///
/// If it cannot be looked at.
pub(crate) fn look(folder: &Path, pack: &Id) -> Result<Option<Identity>> {
    match fs_err::symlink_metadata(folder.join(pack::file_name(pack))) {
        Ok(metadata) => Ok(metadata.is_file().then(|| Identity::of(&metadata))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The names of the packs in a folder; none if it is missing. Other files are ignored.
///
/// # Errors
///
/// As [`is_there`], or if it cannot be read.
pub(crate) fn names(folder: &Path) -> Result<Vec<Id>> {
    let mut names = Vec::new();
    if !is_there(folder)? {
        return Ok(names);
    }
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let is_file = entry.file_type()?.is_file();
        let name = entry.file_name().to_str().and_then(pack::parse_name);
        names.extend(name.filter(|_| is_file));
    }
    Ok(names)
}

/// The path of a pack in messages.
#[must_use]
pub(crate) fn said(name: &Id) -> String {
    format!("{FOLDER}/{}…", &tree::hex(name)[..16])
}

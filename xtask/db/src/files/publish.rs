//! Writing that survives a power cut: stages, publishing without replacing, synced folders.
//!
//! This is the only file that links, renames or removes. Measured with power cuts on ext4: a
//! published name is complete afterwards only if the file *and* its folder were synced; with the
//! folder alone, an empty file has the final name.

use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::console::planted_faults::Planted;

/// Whether a name could be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// It is published.
    Yes,
    /// Something else has that name; nothing was replaced.
    NameTaken,
}

/// Writes a folder's names back to the disk.
///
/// # Errors
///
/// If the disk reports an error; SQLite ignores this one, we do not.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if Planted::MissingFolderSync.is_on() {
        return Ok(());
    }
    fs_err::File::open(folder)?.sync_all()?;
    Ok(())
}

/// Asks the system to forget what it has cached of a file, so that the next reading comes from the disk.
/// Only a request: pages that wait to be written stay, and a disk has a cache of its own.
pub(crate) fn forget_cached(file: &fs_err::File) {
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// Creates a folder and those above it that are missing, each of them on the disk.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn create_folders(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        create_folders(above)?;
        match fs_err::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => sync_folder(above)?,
        }
    }
    Ok(())
}

/// Removes folders that were created for nothing, the innermost first, as far as they are empty.
pub(crate) fn remove_empty_folders(folders: &[PathBuf]) {
    for folder in folders {
        match fs_err::remove_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return,
            _ => {}
        }
    }
}

/// Removes one file; it is not an error if it is already gone.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether a path still leads to a file that was opened there.
#[must_use]
pub(crate) fn is_still(file: &fs_err::File, path: &Path) -> bool {
    let of = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let (now, opened) = (fs_err::symlink_metadata(path), file.metadata());
    now.ok().map(of).is_some_and(|now| Some(now) == opened.ok().map(of))
}

/// A random number, for names.
#[must_use]
pub(crate) fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// Renames a file, and fails if the new name is taken.
///
/// # Errors
///
/// If the file system refuses for another reason than the name.
pub(crate) fn rename_without_replacing(from: &Path, to: &Path) -> Result<Published> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Published::Yes),
        Err(rustix::io::Errno::EXIST) => Ok(Published::NameTaken),
        Err(error) => Err(io::Error::from(error)).with_context(|| {
            format!("could not rename `{}` to `{}`", from.display(), to.display())
        }),
    }
}

/// Renames a file or a folder, in place of what has the new name.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn move_to(from: &Path, to: &Path) -> Result<()> {
    rustix::fs::renameat(rustix::fs::CWD, from, rustix::fs::CWD, to)
        .map_err(|error| unrenamed(error, from, to))
}

/// Exchanges what has two names, in one step. Returns false if the file system cannot do that.
///
/// # Errors
///
/// If it refuses for another reason.
#[cfg(feature = "bundle")]
pub(crate) fn exchange(one: &Path, other: &Path) -> Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;

    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(unrenamed(error, one, other)),
    }
}

fn unrenamed(error: rustix::io::Errno, from: &Path, to: &Path) -> anyhow::Error {
    let what = format!("could not rename `{}` to `{}`", from.display(), to.display());
    anyhow::Error::from(io::Error::from(error)).context(what)
}

/// Removes a folder with all that is in it.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn remove_tree(folder: &Path) -> Result<()> {
    Ok(fs_err::remove_dir_all(folder)?)
}

/// Gives a file a second name in the same folder, never replacing anything.
///
/// # Errors
///
/// If the file system refuses for another reason than the name.
pub(crate) fn link(from: &Path, to: &Path) -> Result<Published> {
    match fs_err::hard_link(from, to) {
        Ok(()) => Ok(Published::Yes),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Published::NameTaken),
        Err(error) => Err(error.into()),
    }
}

/// Whether a failure to link may mean that this file system has no hard links (FAT answers EPERM).
pub(crate) fn lacks_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::stage::{Stage, is_stage};

    #[test]
    fn a_stage_removes_itself_and_never_replaces() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let taken = folder.path().join("taken");
        fs_err::write(&taken, "theirs")?;
        let stage = Stage::create(folder.path(), "a.bak")?;
        stage.append(b"ours")?;
        assert!(is_stage(stage.path().file_name().and_then(|n| n.to_str()).unwrap_or("")));
        assert_eq!(stage.publish(&taken)?, Published::NameTaken);
        assert_eq!(rename_without_replacing(stage.path(), &taken)?, Published::NameTaken);
        assert_eq!(stage.publish(&folder.path().join("free"))?, Published::Yes);
        drop(stage);
        assert_eq!(fs_err::read_to_string(&taken)?, "theirs");
        assert_eq!(fs_err::read_dir(folder.path())?.count(), 2);
        Ok(())
    }

    #[test]
    fn only_our_stages_are_stages() {
        assert!(is_stage(".a.bak.stage-12-0123456789abcdef"));
        assert!(is_stage(".a.bak.stage-12-0123456789abcdef-journal"));
        for other in
            ["a.bak.stage-12-0123456789abcdef", ".a.stage-", ".a.stage-x-0123456789abcdef", ".a"]
        {
            assert!(!is_stage(other), "{other}");
        }
    }
}

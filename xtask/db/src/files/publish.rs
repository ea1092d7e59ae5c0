//! What survives a loss of power: stages, publishing without replacing, synced folders.
//!
//! The only room that links, renames or removes. Measured with power cuts on ext4: a published name
//! is complete afterwards only if the file *and* its folder were synced; with the folder alone it is
//! an empty file under the final name.

pub(crate) use crate::files::early_sync::Ahead;

use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};

use crate::console::planted_faults::Planted;

const STAGE: &str = ".stage-";

/// An unfinished file; removes itself unless it is published.
///
/// The descriptor stays open from creation to the end, because an error of writing back is reported
/// once per descriptor.
#[derive(Debug)]
pub(crate) struct Stage {
    path: PathBuf,
    file: fs_err::File,
}

/// Whether a name could be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// It is there now.
    Yes,
    /// Something else has that name; nothing was replaced.
    NameTaken,
}

impl Stage {
    /// Creates `.<name>.stage-<pid>-<random>` in a folder, readable by its owner only.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be written.
    pub(crate) fn create(folder: &Path, name: &str) -> Result<Self> {
        Self::at(folder.join(stage_name(name)))
    }

    fn at(path: PathBuf) -> Result<Self> {
        let file = fs_err::OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self { path, file })
    }

    /// Where it lies.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its descriptor.
    #[must_use]
    pub(crate) fn file(&self) -> &fs_err::File {
        &self.file
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// Where the disk is full or fails.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<()> {
        Ok((&self.file).write_all(bytes)?)
    }

    /// Overwrites bytes at an offset.
    ///
    /// # Errors
    ///
    /// Where the disk is full or fails.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let written = self.file.file().write_all_at(bytes, offset);
        written.with_context(|| format!("could not write `{}`", self.path.display()))
    }

    /// Writes everything back to the disk.
    ///
    /// # Errors
    ///
    /// Where the disk reports an error.
    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.file.sync_all()?)
    }

    /// Marks the stage as alive, as long as this process has it: a sweep leaves it.
    ///
    /// # Errors
    ///
    /// Where the file system has no locks.
    pub(crate) fn hold(&self) -> Result<()> {
        Ok(self.file.file().lock_shared()?)
    }

    /// The same, so that nobody else can have it meanwhile.
    ///
    /// # Errors
    ///
    /// Where the file system has no locks.
    pub(crate) fn hold_alone(&self) -> Result<()> {
        Ok(self.file.file().lock()?)
    }

    /// Gives the file its final name, never replacing anything. The stage must be synced before and
    /// the folder afterwards.
    ///
    /// # Errors
    ///
    /// Where the file system refuses for another reason than the name.
    pub(crate) fn publish(&self, to: &Path) -> Result<Published> {
        link(&self.path, to).or_else(|error| match error.downcast_ref::<io::Error>() {
            Some(cause) if lacks_links(cause) => rename_without_replacing(&self.path, to),
            _ => Err(error),
        })
    }

    /// Writes it back to the disk and leaves it where it is, in a folder that is published whole.
    ///
    /// # Errors
    ///
    /// Where the disk reports an error.
    pub(crate) fn keep(mut self) -> Result<()> {
        self.sync()?;
        // Nothing is left to remove.
        self.path.clear();
        Ok(())
    }

    /// Gives the file a name that may be taken already, replacing what is there in one step.
    /// For records, exports and small files of git's only: a backup is never replaced.
    ///
    /// # Errors
    ///
    /// Where the file system refuses.
    #[expect(clippy::disallowed_methods, reason = "this is the room that may")]
    pub(crate) fn replace(&self, to: &Path) -> Result<()> {
        Ok(fs_err::rename(&self.path, to)?)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        // Published, it has another name by now; otherwise the next command sweeps what stays.
        let _ = fs_err::remove_file(&self.path);
    }
}

/// A private folder that removes itself with all that is in it; a sweep leaves it while its process
/// lives.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _held: fs_err::File,
}

impl Scratch {
    /// Creates `.<name>.stage-<pid>-<random>` as a folder, open to its owner only.
    ///
    /// # Errors
    ///
    /// Where the folder around it cannot be written, or the file system has no locks.
    pub(crate) fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(stage_name(name));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("could not create `{}`", path.display()))?;
        let held = fs_err::File::open(&path)?;
        held.file().lock_shared()?;
        Ok(Self { path, _held: held })
    }

    /// Where it lies.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder its final name, never replacing anything. What is in it must be synced before,
    /// and the folder around it afterwards.
    ///
    /// # Errors
    ///
    /// Where the file system refuses for another reason than the name.
    pub(crate) fn publish(&self, to: &Path) -> Result<Published> {
        sync_folder(&self.path)?;
        rename_without_replacing(&self.path, to)
    }

    /// A new file in it, under a name of one's own.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be written, or the name is taken.
    pub(crate) fn stage(&self, name: &str) -> Result<Stage> {
        Stage::at(self.path.join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is a stage, which the next command sweeps.
        let _ = fs_err::remove_dir_all(&self.path);
    }
}

/// The name of a stage without that of a file that SQLite keeps beside it.
fn without_sidecar(name: &str) -> &str {
    ["-journal", "-wal", "-shm"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// Whether a file name is a stage's.
#[must_use]
pub(crate) fn is_stage(name: &str) -> bool {
    let Some((before, after)) = name.rsplit_once(STAGE) else {
        return false;
    };
    // SQLite keeps a journal beside a stage that is written through it.
    let after = without_sidecar(after);
    let Some((pid, random)) = after.split_once('-') else {
        return false;
    };
    before.starts_with('.')
        && !pid.is_empty()
        && pid.bytes().all(|byte| byte.is_ascii_digit())
        && random.len() == 16
        && random.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Writes a folder's names back to the disk.
///
/// # Errors
///
/// Where the disk reports an error; SQLite ignores this one, we do not.
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
/// Where the file system refuses.
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

/// Removes folders that were made for nothing, the innermost first, as far as they are empty.
pub(crate) fn remove_empty_folders(folders: &[PathBuf]) {
    for folder in folders {
        if fs_err::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// Removes one file; it is no error where it is gone already.
///
/// # Errors
///
/// Where the file system refuses.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a small file in one step, replacing what has its name.
///
/// # Errors
///
/// Where the disk is full or fails; the old content then stays.
pub(crate) fn replace_file(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        anyhow::bail!("`{}` is no file", path.display());
    };
    let stage = Stage::create(folder, &name.to_string_lossy())?;
    stage.append(bytes)?;
    stage.file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    stage.sync()?;
    stage.replace(path)
}

/// Whether a path still leads to a file that was opened there.
#[must_use]
pub(crate) fn is_still(file: &fs_err::File, path: &Path) -> bool {
    let of = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let (now, opened) = (fs_err::symlink_metadata(path), file.metadata());
    now.ok().map(of).is_some_and(|now| Some(now) == opened.ok().map(of))
}

/// Whether a process holds a stage, or the one that a sidecar lies beside.
#[must_use]
pub(crate) fn is_held(stage: &Path) -> bool {
    let Some(name) = stage.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    // Only a look: a symbolic link or a pipe under such a name is nobody's stage.
    let stage = stage.with_file_name(without_sidecar(name));
    let is_ours = fs_err::symlink_metadata(&stage).is_ok_and(|m| m.is_file() || m.is_dir());
    is_ours
        && fs_err::File::open(&stage).is_ok_and(|file| {
            matches!(file.file().try_lock(), Err(std::fs::TryLockError::WouldBlock))
        })
}

/// Removes an abandoned stage: a file, or a folder of raw files. A symbolic link is not followed.
///
/// # Errors
///
/// Where the file system refuses.
pub(crate) fn remove_stage(path: &Path) -> Result<()> {
    match fs_err::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(fs_err::remove_dir_all(path)?),
        _ => remove(path),
    }
}

/// Removes stages of a name that processes left which are dead now, where no lock says so.
///
/// # Errors
///
/// Where the folder cannot be read, or the file system refuses.
pub(crate) fn sweep_dead_stages(folder: &Path, name: &str) -> Result<()> {
    let start = format!(".{name}{STAGE}");
    for entry in fs_err::read_dir(folder)? {
        let Ok(file_name) = entry?.file_name().into_string() else { continue };
        let pid = file_name.strip_prefix(&start).and_then(|rest| rest.split('-').next());
        let pid = pid.and_then(|pid| pid.parse().ok()).and_then(rustix::process::Pid::from_raw);
        let Some(pid) = pid.filter(|_| is_stage(&file_name)) else { continue };
        if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            remove_stage(&folder.join(file_name))?;
        }
    }
    Ok(())
}

/// A name for a stage of something.
fn stage_name(name: &str) -> String {
    format!(".{name}{STAGE}{}-{:016x}", std::process::id(), random())
}

/// A random number, for names.
#[must_use]
pub(crate) fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// Copies files into a new folder that appears under its final name only when all of them are on
/// the disk. `to` gets `-2`, `-3` … where its name is taken; returns the name it got.
///
/// # Errors
///
/// Where a file cannot be read, or the disk is full or fails.
pub(crate) fn copy_into_folder(files: &[fs_err::File], to: &Path) -> Result<PathBuf> {
    let (Some(folder), Some(name)) = (to.parent(), to.file_name().and_then(|n| n.to_str())) else {
        anyhow::bail!("`{}` is no name for a folder", to.display());
    };
    let stage = folder.join(stage_name(name));
    let copy = || -> Result<PathBuf> {
        std::fs::DirBuilder::new().mode(0o700).create(&stage)?;
        for mut file in files {
            let Some(name) = file.path().file_name() else { continue };
            let mut copy = fs_err::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(stage.join(name))?;
            io::copy(&mut file, &mut copy)?;
            copy.sync_all()?;
        }
        sync_folder(&stage)?;
        let mut ordinal = 1;
        loop {
            let suffix = if ordinal > 1 { format!("-{ordinal}") } else { String::new() };
            let published = folder.join(format!("{name}{suffix}"));
            if rename_without_replacing(&stage, &published)? == Published::Yes {
                sync_folder(folder)?;
                return Ok(published);
            }
            ordinal += 1;
        }
    };
    copy().inspect_err(|_| {
        // What stays is a stage, which the next command sweeps.
        let _ = remove_stage(&stage);
    })
}

/// Renames, failing where the new name is taken.
///
/// # Errors
///
/// Where the file system refuses for another reason than the name.
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

/// Gives a file a second name in the same folder, never replacing anything.
///
/// # Errors
///
/// Where the file system refuses for another reason than the name.
pub(crate) fn link(from: &Path, to: &Path) -> Result<Published> {
    match fs_err::hard_link(from, to) {
        Ok(()) => Ok(Published::Yes),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Published::NameTaken),
        Err(error) => Err(error.into()),
    }
}

/// Whether a failure to link may say that this file system has no hard links (FAT answers EPERM).
pub(crate) fn lacks_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

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

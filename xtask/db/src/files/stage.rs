//! A stage: a file without its final name, which is removed unless it is published. Also a scratch
//! folder.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::files::publish::{
    Published, is_still, lacks_links, link, random, remove, rename_without_replacing, sync_folder,
};
use crate::files::sidecars;

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

impl Stage {
    /// Creates `.<name>.stage-<pid>-<random>` in a folder, readable by its owner only.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn create(folder: &Path, name: &str) -> Result<Self> {
        Self::at(folder.join(stage_name(name)))
    }

    /// The same outside the folder's lock: others, who have it, sweep the folder meanwhile, and leave this one.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written, or the file system has no locks.
    pub(crate) fn create_held(folder: &Path, name: &str) -> Result<Self> {
        loop {
            let stage = Self::create(folder, name)?;
            stage.hold()?;
            // It may have been swept before it was held.
            if is_still(&stage.file, &stage.path) {
                return Ok(stage);
            }
        }
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

    /// The path of the file.
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
    /// If the disk is full or fails.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<()> {
        Ok((&self.file).write_all(bytes)?)
    }

    /// Overwrites bytes at an offset.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let written = self.file.file().write_all_at(bytes, offset);
        written.with_context(|| format!("could not write `{}`", self.path.display()))
    }

    /// Writes everything back to the disk.
    ///
    /// # Errors
    ///
    /// If the disk reports an error.
    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.file.sync_all()?)
    }

    /// Marks the stage as alive, as long as this process has it: a sweep leaves it.
    ///
    /// # Errors
    ///
    /// If the file system has no locks.
    pub(crate) fn hold(&self) -> Result<()> {
        Ok(self.file.file().lock_shared()?)
    }

    /// The same, locked so that no other process can have it.
    ///
    /// # Errors
    ///
    /// If the file system has no locks.
    pub(crate) fn hold_alone(&self) -> Result<()> {
        Ok(self.file.file().lock()?)
    }

    /// Gives the file its final name, never replacing anything. The stage must be synced before and
    /// the folder afterwards.
    ///
    /// # Errors
    ///
    /// If the file system refuses for another reason than the name.
    pub(crate) fn publish(&self, to: &Path) -> Result<Published> {
        link(&self.path, to).or_else(|error| match error.downcast_ref::<io::Error>() {
            Some(cause) if lacks_links(cause) => rename_without_replacing(&self.path, to),
            _ => Err(error),
        })
    }

    /// Writes it back to the disk and leaves it in its folder, which is published as a whole.
    ///
    /// # Errors
    ///
    /// If the disk reports an error.
    pub(crate) fn keep(mut self) -> Result<()> {
        self.sync()?;
        // Nothing is left to remove.
        self.path.clear();
        Ok(())
    }

    /// Gives the file a name that may already be taken, replacing the old file in one step. For
    /// records, exports and small files of git's only: a backup is never replaced.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
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
    /// If the folder around it cannot be written, or the file system has no locks.
    pub(crate) fn create(folder: &Path, name: &str) -> Result<Self> {
        loop {
            let path = folder.join(stage_name(name));
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&path)
                .with_context(|| format!("could not create `{}`", path.display()))?;
            let held = match fs_err::File::open(&path) {
                Ok(held) => held,
                // It may be swept before it is held.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            held.file().lock_shared()?;
            if is_still(&held, &path) {
                return Ok(Self { path, _held: held });
            }
        }
    }

    /// The path of the folder.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder its final name, never replacing anything. Its files must be synced before,
    /// and the folder around it afterwards.
    ///
    /// # Errors
    ///
    /// If the file system refuses for another reason than the name.
    pub(crate) fn publish(&self, to: &Path) -> Result<Published> {
        sync_folder(&self.path)?;
        rename_without_replacing(&self.path, to)
    }

    /// A new file in it, under a name of one's own.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written, or the name is taken.
    pub(crate) fn stage(&self, name: &str) -> Result<Stage> {
        Stage::at(self.path.join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The stage stays, and the next command sweeps it.
        let _ = fs_err::remove_dir_all(&self.path);
    }
}

/// The name of a stage without that of a file that SQLite keeps beside it.
fn without_sidecar(name: &str) -> &str {
    sidecars::ALL.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
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

/// The name that a stage would have got; `None` if a file name is not a stage's.
#[cfg(feature = "bundle")]
#[must_use]
pub(crate) fn future_name(name: &str) -> Option<&str> {
    let (before, _) = name.rsplit_once(STAGE).filter(|_| is_stage(name))?;
    before.strip_prefix('.')
}

/// Whether a process has locked a stage, or the one that a sidecar is beside.
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

/// Removes a stage, or what SQLite keeps beside one, unless a process has it locked. The lock is kept until it is gone,
/// so a process that locks it a moment later can see that.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn remove_if_abandoned(path: &Path) -> Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stage = path.with_file_name(without_sidecar(name));
    let is_ours = fs_err::symlink_metadata(&stage).is_ok_and(|m| m.is_file() || m.is_dir());
    let file = if is_ours { fs_err::File::open(&stage).ok() } else { None };
    if let Some(file) = &file
        && matches!(file.file().try_lock(), Err(std::fs::TryLockError::WouldBlock))
    {
        return Ok(());
    }
    remove_stage(path)
}

/// Removes an abandoned stage: a file, or a folder of raw files. A symbolic link is not followed.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn remove_stage(path: &Path) -> Result<()> {
    match fs_err::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(fs_err::remove_dir_all(path)?),
        _ => remove(path),
    }
}

/// Removes stages of a name that processes left which are dead now, if no lock shows that.
///
/// # Errors
///
/// If the folder cannot be read, or the file system refuses.
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
pub(crate) fn stage_name(name: &str) -> String {
    format!(".{name}{STAGE}{}-{:016x}", std::process::id(), random())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn what_is_held_outlives_a_sweep_whenever_that_comes() {
        let folder = tempfile::tempdir().expect("a folder");
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::SeqCst) {
                    for entry in fs_err::read_dir(folder.path()).expect("a folder").flatten() {
                        let _ = remove_if_abandoned(&entry.path());
                    }
                }
            });
            for _ in 0..500 {
                let stage = Stage::create_held(folder.path(), "a").expect("a stage");
                let scratch = Scratch::create(folder.path(), "b").expect("a folder");
                std::thread::yield_now();
                assert!(stage.path().exists() && scratch.path().exists());
            }
            ended.store(true, Ordering::SeqCst);
        });
        let stage = Stage::create(folder.path(), "a").expect("a stage");
        remove_if_abandoned(stage.path()).expect("removed");
        assert!(!stage.path().exists());
    }
}

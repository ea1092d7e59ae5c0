//! Proves that a command used a file: the command, or a process that it started, opened it.
//!
//! On Linux, the folder of the file is watched (inotify). The folder is private, so only a process
//! that was given its path opens anything there. On other systems, or if no watch is left, the
//! file's bytes must have changed. Openings by this process would count too, so it opens nothing
//! meanwhile.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::console::interrupt::Interrupt;
use crate::files::sidecars::{WAL, beside};
use crate::sqlite::snapshot::copy;

/// A file that is watched until the result is asked for.
#[derive(Debug)]
pub(crate) struct Watch {
    path: PathBuf,
    how: How,
}

#[derive(Debug)]
enum How {
    #[cfg(target_os = "linux")]
    Events(rustix::fd::OwnedFd),
    Bytes(String),
}

impl Watch {
    /// Begins to watch a file in a private folder.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or at the user's interrupt.
    pub(crate) fn begin(path: &Path, interrupt: &Interrupt) -> Result<Self> {
        let path = path.to_owned();
        #[cfg(target_os = "linux")]
        if let Ok(events) = events(&path) {
            return Ok(Self { path, how: How::Events(events) });
        }
        let hash = copy::hash_file(&path, interrupt)?.0.blake3;
        Ok(Self { path, how: How::Bytes(hash) })
    }

    /// Whether the file was used since.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or at the user's interrupt.
    pub(crate) fn was_used(self, interrupt: &Interrupt) -> Result<bool> {
        match self.how {
            #[cfg(target_os = "linux")]
            How::Events(events) => Ok(any_of(&self.path, events)?),
            How::Bytes(before) => {
                let wal = beside(&self.path, WAL);
                let has_wal = fs_err::metadata(wal).is_ok_and(|wal| wal.len() > 0);
                Ok(has_wal || copy::hash_file(&self.path, interrupt)?.0.blake3 != before)
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn events(path: &Path) -> rustix::io::Result<rustix::fd::OwnedFd> {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};

    let events = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    // A runner may also put another file in its place.
    add_watch(&events, folder, WatchFlags::OPEN | WatchFlags::MODIFY | WatchFlags::MOVED_TO)?;
    Ok(events)
}

#[cfg(target_os = "linux")]
fn any_of(path: &Path, events: rustix::fd::OwnedFd) -> rustix::io::Result<bool> {
    use std::os::unix::ffi::OsStrExt as _;

    let name = path.file_name().map(std::ffi::OsStr::as_bytes);
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut events = rustix::fs::inotify::Reader::new(events, &mut buffer);
    loop {
        match events.next() {
            Ok(event) if event.file_name().map(std::ffi::CStr::to_bytes) == name => {
                return Ok(true);
            }
            Ok(_) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_opens_the_file_itself_has_used_it() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.db");
        fs_err::write(&path, "x")?;
        fs_err::write(folder.path().join("a.db-wal"), "")?;
        let interrupt = Interrupt::default();
        let watch = Watch::begin(&path, &interrupt)?;
        assert!(path.exists());
        assert_eq!(fs_err::read_dir(folder.path())?.count(), 2);
        assert!(fs_err::read(folder.path().join("a.db-wal"))?.is_empty());
        assert!(!watch.was_used(&interrupt)?);
        let watch = Watch::begin(&path, &interrupt)?;
        fs_err::write(&path, "y")?;
        assert!(watch.was_used(&interrupt)?);
        Ok(())
    }

    #[test]
    fn without_a_watch_the_bytes_tell() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.db");
        fs_err::write(&path, "x")?;
        let interrupt = Interrupt::default();
        let watch = || -> Result<Watch> {
            let before = copy::hash_file(&path, &interrupt)?.0.blake3;
            Ok(Watch { path: path.clone(), how: How::Bytes(before) })
        };
        let unused = watch()?;
        assert!(!unused.was_used(&interrupt)?);
        let used = watch()?;
        fs_err::write(&path, "y")?;
        assert!(used.was_used(&interrupt)?);
        Ok(())
    }
}

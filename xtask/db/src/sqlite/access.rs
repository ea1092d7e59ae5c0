//! The owner of a database, the rights of this user, and the proof that nobody wrote to it while it
//! was read.
//!
//! SQLite creates a `-wal` and a `-shm` for every reader of a WAL database. If another user creates
//! them, the owner is locked out. So a user who may only read does without them, and the result
//! counts only if nothing moved.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::fs::{Access, AtFlags, CWD};

use crate::console::refusal::Refusal;
use crate::files::sidecars::{JOURNAL, WAL, WITH_DATABASE, beside};

/// Time stamps are not finer than a tick of the kernel, at most 10 ms.
const TICK: Duration = Duration::from_millis(50);
/// A file system with whole seconds only, e.g. FAT, which counts two at a time.
const LONG_TICK: Duration = Duration::from_millis(2100);

/// Whether this user may write a file.
#[must_use]
pub(crate) fn may_write(path: &Path) -> bool {
    rustix::fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

/// Whether a sidecar that this user makes would keep the owner of the database from writing. It gets
/// the mode of the database, and as root its owner too
/// (`findCreateFileMode` in <https://sqlite.org/src/file/src/os_unix.c>).
#[must_use]
pub(crate) fn would_lock_out_owner(path: &Path) -> bool {
    let me = rustix::process::geteuid();
    let Ok(metadata) = fs_err::metadata(path) else { return false };
    if me.is_root() || metadata.uid() == me.as_raw() || metadata.mode() & 0o002 != 0 {
        return false;
    }
    let folder = path.parent().and_then(|folder| fs_err::metadata(folder).ok());
    let inherited = folder.filter(|folder| folder.mode() & 0o2000 != 0).map(|folder| folder.gid());
    let group = inherited.unwrap_or_else(|| rustix::process::getegid().as_raw());
    metadata.mode() & 0o020 == 0 || group != metadata.gid()
}

/// The owner of a file, e.g. `` `alice` `` or `user 1000`.
#[must_use]
pub(crate) fn owner(path: &Path) -> String {
    let Ok(metadata) = fs_err::metadata(path) else { return "somebody else".to_owned() };
    let uid = metadata.uid().to_string();
    let users = fs_err::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    match name {
        Some(name) => format!("`{}`", crate::console::text::plain(&name)),
        None => format!("user {uid}"),
    }
}

/// Refuses to write a database that only others may write; one that is not there yet is allowed.
///
/// # Errors
///
/// A refusal that names the owner.
pub(crate) fn demand_writable(path: &Path) -> Result<()> {
    if !path.exists() || may_write(path) {
        return Ok(());
    }
    let owner = owner(path);
    Err(Refusal::could_not(
        format!("`{}` cannot be written: it belongs to {owner}", path.display()),
        format!("run this as {owner}; the database is untouched"),
    ))
}

/// The properties of a file before it was read, as far as a commit would change them.
#[derive(Debug)]
pub(crate) struct Still {
    path: PathBuf,
    marks: Vec<Option<Mark>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    inode: (u64, u64),
    size_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Mark {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs_err::metadata(path).ok()?;
        Some(Self {
            inode: (metadata.dev(), metadata.ino()),
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

fn marks(path: &Path) -> Vec<Option<Mark>> {
    WITH_DATABASE.iter().map(|suffix| Mark::of(&beside(path, suffix))).collect()
}

impl Still {
    /// Waits until the time stamps are older than a tick, so that the next commit changes them.
    ///
    /// # Errors
    ///
    /// A refusal if it is written all the time, or what is beside it contains pages.
    pub(crate) fn wait_for(path: &Path, busy_timeout: Duration) -> Result<Self> {
        let began = Instant::now();
        loop {
            let still = Self { path: path.to_owned(), marks: marks(path) };
            still.refuse_pages_beside()?;
            std::thread::sleep(still.tick());
            if still.is_so() {
                return Ok(still);
            }
            if began.elapsed() > busy_timeout {
                return Err(still.moved());
            }
        }
    }

    fn tick(&self) -> Duration {
        let is_whole = |mark: &Mark| mark.modified.1 == 0 && mark.changed.1 == 0;
        if self.marks.iter().flatten().all(is_whole) { LONG_TICK } else { TICK }
    }

    fn is_so(&self) -> bool {
        marks(&self.path) == self.marks
    }

    fn refuse_pages_beside(&self) -> Result<()> {
        for (suffix, mark) in WITH_DATABASE.iter().zip(&self.marks) {
            let n_bytes = mark.as_ref().map_or(0, |mark| mark.size_bytes);
            if n_bytes == 0 || ![WAL, JOURNAL].contains(suffix) {
                continue;
            }
            let (what, owner) = (self.path.display(), owner(&self.path));
            return Err(Refusal::could_not(
                format!(
                    "`{what}` belongs to {owner}, and its `{suffix}` contains {} that only {owner} \
                     can recover",
                    crate::console::text::size(n_bytes)
                ),
                format!("run this as {owner}, or let the application open the database first"),
            ));
        }
        Ok(())
    }

    /// Proves that everything that was read since is one state.
    ///
    /// # Errors
    ///
    /// A refusal if it was written.
    pub(crate) fn prove(&self) -> Result<()> {
        if self.is_so() { Ok(()) } else { Err(self.moved()) }
    }

    fn moved(&self) -> anyhow::Error {
        let (what, owner) = (self.path.display(), owner(&self.path));
        Refusal::could_not(
            format!(
                "`{what}` was written while it was read, and belongs to {owner}: what was read may \
                 mix two states"
            ),
            format!("it was discarded; run this as {owner}, or while the database is idle"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::sidecars;

    #[test]
    fn whatever_is_written_after_the_wait_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        fs_err::write(&path, "one").expect("written");
        let wait = || Still::wait_for(&path, Duration::from_secs(5)).expect("it is still");
        wait().prove().expect("nobody wrote");
        for _ in 0..5 {
            // Just written, and of the same size: only the time stamps can tell.
            fs_err::write(&path, "two").expect("written");
            let still = wait();
            fs_err::write(&path, "two").expect("written");
            still.prove().expect_err("somebody wrote");
        }
        for suffix in sidecars::ALL {
            let still = wait();
            fs_err::write(beside(&path, suffix), "").expect("written");
            still.prove().expect_err("somebody opened it");
        }
    }

    #[test]
    fn pages_beside_the_file_are_not_passed_over() {
        for suffix in [WAL, JOURNAL] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("a.db");
            fs_err::write(&path, "one").expect("written");
            fs_err::write(beside(&path, suffix), "pages").expect("written");
            let error = Still::wait_for(&path, Duration::ZERO).expect_err("it has pages");
            assert!(error.to_string().contains(suffix), "{error}");
        }
    }
}

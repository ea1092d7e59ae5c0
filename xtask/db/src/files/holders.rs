//! The processes that have a file open, if the system shows that (Linux: `/proc`). This is for
//! messages; if safety depends on it, only a complete view counts. A process in another container
//! is never seen.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use crate::files::processes::{self, Process};
use crate::files::sidecars::{SHM, WAL, beside};

/// How long after the first look the second one is made.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// A process that has the file or one of its sidecars open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

/// Other processes that have a file open, as far as this user can see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holders {
    /// Processes that have it open.
    pub(crate) seen: Vec<Holder>,
    /// Whether every process could be inspected; those of another user cannot.
    pub(crate) complete: bool,
}

/// The other processes that have a database or its WAL open; `None` if the system cannot tell.
#[must_use]
pub(crate) fn of(path: &Path) -> Option<Holders> {
    let look = || {
        let mut seen = Vec::new();
        let complete = each(path, |pid| seen.extend(named(pid)))?;
        Some(Holders { seen, complete })
    };
    let first = look()?;
    if first.seen.is_empty() {
        return Some(first);
    }
    // A process that is about to run another program has the descriptors of its parent for a moment.
    std::thread::sleep(BETWEEN_LOOKS);
    look()
}

/// Calls `found` for each other process that has a database or its WAL open, and returns whether
/// every process could be inspected; `None` if the system does not show who has a file open.
fn each(path: &Path, mut found: impl FnMut(u32)) -> Option<bool> {
    let look = Look::at(path);
    let mut complete = true;
    for pid in processes::others()? {
        match look.is_held_by(pid) {
            Some(true) => found(pid),
            Some(false) => {}
            None => complete = false,
        }
    }
    Some(complete)
}

/// A database and its sidecars, to search for among the descriptors of processes.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    path: &'a Path,
    files: Vec<(u64, u64)>,
}

impl<'a> Look<'a> {
    /// Begins a look for a database.
    #[must_use]
    pub(crate) fn at(path: &'a Path) -> Self {
        Self { path, files: identities(path) }
    }

    /// Whether a process has any of the files open; `None` if this user cannot see that.
    #[must_use]
    pub(crate) fn is_held_by(&self, pid: u32) -> Option<bool> {
        let descriptors = match fs_err::read_dir(format!("/proc/{pid}/fd")) {
            Ok(descriptors) => descriptors,
            // A zombie's descriptors are nobody's to see, and it has none.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Process::of(pid.cast_signed())
                    .is_none_or(|process| !process.runs)
                    .then_some(false);
            }
            // It ended while we looked.
            Err(_) => return Some(false),
        };
        let files = descriptors.flatten().filter_map(|descriptor| identity(&descriptor.path()));
        let held: Vec<_> = files.filter(|file| self.files.contains(file)).collect();
        // A WAL may be deleted while we look, and its inode become another file of another process.
        let is_still = || identities(self.path).iter().any(|file| held.contains(file));
        Some(!held.is_empty() && is_still())
    }
}

/// A process by its id; `None` if it is gone.
#[must_use]
pub(crate) fn named(pid: u32) -> Option<Holder> {
    holder(&Path::new("/proc").join(pid.to_string()))
}

/// A database's file and its sidecars.
fn identities(path: &Path) -> Vec<(u64, u64)> {
    let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let sidecar = |suffix: &&str| identity(&beside(&path, suffix));
    ["", WAL, SHM].iter().filter_map(sidecar).collect()
}

/// A process that has a variable of this value in its environment, if the system shows it.
#[must_use]
pub(crate) fn with_variable(name: &str, value: &str) -> Option<u32> {
    let wanted = format!("{name}={value}");
    processes::others()?.find(|pid| {
        let environment = fs_err::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    })
}

/// The identity of a file, which distinguishes it from another one of the same name; `None` if
/// there is no file.
#[must_use]
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs_err::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The other processes that still have a deleted file of this path open: what they write is lost,
/// and they have the last copy of its data.
#[must_use]
pub(crate) fn of_deleted(path: &Path) -> Vec<Holder> {
    let wanted = format!("{} (deleted)", path.display());
    let has_it = |process: &Path| {
        let descriptors = fs_err::read_dir(process.join("fd")).into_iter().flatten().flatten();
        descriptors.into_iter().any(|descriptor| {
            fs_err::read_link(descriptor.path()).is_ok_and(|link| link.to_string_lossy() == wanted)
        })
    };
    let processes = fs_err::read_dir("/proc").into_iter().flatten().flatten();
    let with_it = processes.filter(|process| has_it(&process.path()));
    with_it.filter_map(|process| holder(&process.path())).collect()
}

/// The process that holds a lock file's `flock`, found without touching the lock; `None` if there
/// is none, or the system does not show it.
#[must_use]
pub(crate) fn of_lock(path: &Path) -> Option<Holder> {
    let metadata = fs_err::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let locks = fs_err::read_to_string("/proc/locks").ok()?;
    let said = fs_err::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    let (inode, device) = (metadata.ino(), metadata.dev());
    let device = (rustix::fs::major(device), rustix::fs::minor(device));
    let is_its = |lock: &Flock| {
        // On btrfs the device that `stat` names is another than the one listed here.
        lock.inode == inode && (lock.device == device || Some(lock.pid) == said)
    };
    let lock = locks.lines().filter_map(Flock::parse).find(is_its)?;
    holder(&Path::new("/proc").join(lock.pid.to_string()))
}

/// One line of `/proc/locks`, e.g. `1: FLOCK  ADVISORY  WRITE 4711 08:02:1234567 0 EOF`
/// (<https://man7.org/linux/man-pages/man5/proc_locks.5.html>).
#[derive(Debug, PartialEq, Eq)]
struct Flock {
    pid: u32,
    device: (u32, u32),
    inode: u64,
}

impl Flock {
    /// `None` for a lock of another kind, and for one that is only waited for (`1: -> FLOCK …`).
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, file, ..] = words.as_slice() else { return None };
        let [major, minor, inode] = file.split(':').collect::<Vec<_>>().try_into().ok()?;
        let hexadecimal = |text| u32::from_str_radix(text, 16).ok();
        Some(Self {
            pid: pid.parse().ok()?,
            device: (hexadecimal(major)?, hexadecimal(minor)?),
            inode: inode.parse().ok()?,
        })
    }
}

fn holder(process: &Path) -> Option<Holder> {
    let pid = process.file_name()?.to_str()?.parse().ok()?;
    let name = fs_err::read_to_string(process.join("comm")).ok()?;
    Some(Holder { pid, name: crate::console::text::plain(name.trim()) })
}

/// `: backend (process 4711) has it open`, or nothing.
#[must_use]
pub(crate) fn sentence(path: &Path) -> String {
    sentence_of(&of(path).map(|holders| holders.seen).unwrap_or_default())
}

/// The same of holders that are known.
#[must_use]
pub(crate) fn sentence_of(holders: &[Holder]) -> String {
    clause_of(holders).map_or_else(String::new, |clause| format!(": {clause}"))
}

/// `backend (process 4711) has it open`; `None` if nobody has.
#[must_use]
pub(crate) fn clause_of(holders: &[Holder]) -> Option<String> {
    let names: Vec<_> =
        holders.iter().map(|h| format!("`{}` (process {})", h.name, h.pid)).collect();
    match &names[..] {
        [] => None,
        [one] => Some(format!("{one} has it open")),
        several => Some(format!("{} have it open", several.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    #[expect(
        clippy::disallowed_methods,
        reason = "the file is open in a process that the test starts"
    )]
    fn a_file_that_is_no_longer_the_database_s_wal_is_not_taken_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        fs_err::write(&path, "x").expect("written");
        let wal = beside(&path, WAL);
        fs_err::write(&wal, "x").expect("written");
        let input = std::fs::File::open(&wal).expect("opened");
        let mut holder =
            std::process::Command::new("sleep").arg("60").stdin(input).spawn().expect("a process");
        let look = Look::at(&path);
        let held = look.is_held_by(holder.id());
        // As if it were deleted and its inode became another file.
        fs_err::rename(&wal, folder.path().join("other")).expect("renamed");
        let still_held = look.is_held_by(holder.id());
        holder.kill().expect("killed");
        holder.wait().expect("it ended");
        assert_eq!((held, still_held), (Some(true), Some(false)));
    }

    #[test]
    fn only_locks_that_are_held_are_read_from_the_system_s_list() {
        let line = "1: FLOCK  ADVISORY  WRITE 4711 08:1a:1234567 0 EOF";
        let held = Flock { pid: 4711, device: (8, 26), inode: 1_234_567 };
        assert_eq!(Flock::parse(line), Some(held));
        for other in [
            "1: -> FLOCK  ADVISORY  WRITE 4711 08:02:1234567 0 EOF",
            "2: POSIX  ADVISORY  READ 4711 08:02:1234567 128 128",
            "3: FLOCK  ADVISORY  WRITE -1 08:02:1234567 0 EOF",
            "",
        ] {
            assert_eq!(Flock::parse(other), None, "{other}");
        }
    }
}

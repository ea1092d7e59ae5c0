//! The processes that had the live database open while a command ran that was pointed at a copy.
//!
//! A change of the live database is undone only if our own command was seen with it open and nobody
//! else can have made the change. On Linux, each opening of the file wakes us (inotify), and we
//! look at once which process has it open (`/proc`). An opening by a process that is gone counts as
//! somebody else's, and so does a process that we may not inspect: then nothing is undone.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::files::holders::{self, Holder, Look};
use crate::files::processes;
use crate::host::command::descendants::{self, Family};

/// How long to wait before each further look for who opened it. The opener may not get its
/// descriptor sooner than a busy machine lets it run.
const BETWEEN_LOOKS_MS: [u64; 9] = [1, 1, 2, 2, 4, 8, 16, 32, 64];
/// Openings within so many looks may be one process's: it opens a database several times in a row.
const N_QUICK_LOOKS: usize = 5;

/// Observes which processes open one file, from its creation on.
#[derive(Debug)]
pub(crate) struct Witness {
    path: PathBuf,
    /// Can be read once the file was opened.
    openings: Option<OwnedFd>,
    /// Whether a process of our command had it open.
    is_ours_seen: bool,
    /// Others that had it open.
    others: Vec<Holder>,
    /// Other reasons why it may have been another process.
    doubts: Vec<String>,
}

const UNSEEN: &str = "a process opened it and was gone before it could be identified";
const HIDDEN: &str = "not every process can be inspected, e.g. not those of other users";
const NO_VIEW: &str = "this system does not show who has a file open";

impl Witness {
    /// Begins to watch.
    #[must_use]
    pub(crate) fn begin(path: &Path) -> Self {
        let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut witness = Self {
            openings: watch(&path).ok(),
            path,
            is_ours_seen: false,
            others: Vec::new(),
            doubts: Vec::new(),
        };
        if witness.openings.is_none() {
            witness.doubt(NO_VIEW);
        }
        witness.scan(None);
        witness
    }

    /// Adds a reason why another process may have changed the file.
    pub(crate) fn doubt(&mut self, why: &str) {
        if !self.doubts.iter().any(|doubt| doubt == why) {
            self.doubts.push(why.to_owned());
        }
    }

    /// Forgets the openings so far: they were our own.
    pub(crate) fn forget(&mut self) {
        self.was_opened();
    }

    /// Waits so long until the file is opened or something comes from `other`.
    pub(crate) fn wait(&self, other: Option<BorrowedFd<'_>>, within: Duration) {
        let bells = self.openings.iter().map(OwnedFd::as_fd).chain(other);
        let bell = |descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
        let mut bells: Vec<_> = bells.map(bell).collect();
        // A timeout that does not fit is none that we use; a wait that fails is a short one.
        let _ = poll(&mut bells, Timespec::try_from(within).ok().as_ref());
    }

    /// Looks who has it open, if it was opened since; everything below `root` is our command.
    pub(crate) fn look(&mut self, root: u32) {
        if !self.was_opened() {
            return;
        }
        // We hear of an opening a moment before the process has the descriptor.
        for (nth, pause_ms) in BETWEEN_LOOKS_MS.iter().enumerate() {
            if self.scan(Some(root)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(*pause_ms));
            // The process that is seen now may be the second one, and the first one gone.
            if nth >= N_QUICK_LOOKS && self.was_opened() {
                self.doubt(UNSEEN);
            }
        }
        if !self.scan(Some(root)) {
            self.doubt(UNSEEN);
        }
    }

    /// Looks one last time, when nothing of our command runs any more, and returns why somebody else
    /// may have changed the file; nothing if only our command can have.
    #[must_use]
    pub(crate) fn doubts(mut self) -> Vec<String> {
        let was_opened = self.was_opened();
        if !self.scan(None) && was_opened {
            self.doubt(UNSEEN);
        }
        let mut doubts = std::mem::take(&mut self.doubts);
        if !self.is_ours_seen {
            doubts.insert(0, "the command was not seen with it open".to_owned());
        }
        doubts.extend(
            self.others.iter().map(|o| format!("`{}` (process {}) had it open", o.name, o.pid)),
        );
        doubts
    }

    /// Whether any process has it open; everything below `root` is our command.
    fn scan(&mut self, root: Option<u32>) -> bool {
        let Some(others) = processes::others() else {
            self.doubt(NO_VIEW);
            return false;
        };
        let path = self.path.clone();
        let look = Look::at(&path);
        // Ours first: a look at everybody takes longer than many migrations keep a file open.
        let mut ours = root.map(descendants::ids_below).into_iter().flatten();
        let mut is_held = ours.any(|pid| look.is_held_by(pid) == Some(true));
        self.is_ours_seen |= is_held;
        let mut family = root.map(Family::of);
        for pid in others {
            // Met before it is looked at: it may be gone right after.
            if let Some(family) = &mut family {
                family.meet(pid);
            }
            match look.is_held_by(pid) {
                Some(true) => {
                    is_held = true;
                    self.note(pid, family.as_ref());
                }
                Some(false) => {}
                None => self.doubt(HIDDEN),
            }
        }
        is_held
    }

    fn note(&mut self, pid: u32, family: Option<&Family>) {
        if family.is_some_and(|family| family.includes(pid)) {
            self.is_ours_seen = true;
            return;
        }
        match holders::named(pid) {
            Some(holder) if self.others.contains(&holder) => {}
            Some(holder) => self.others.push(holder),
            None => self.doubt(UNSEEN),
        }
    }
}

#[cfg(target_os = "linux")]
impl Witness {
    /// Whether it was opened since the last time. The folder is watched, so that a file that takes its
    /// place is seen too.
    fn was_opened(&mut self) -> bool {
        use std::os::unix::ffi::OsStrExt as _;

        use rustix::fs::inotify::{ReadFlags, Reader};

        let name = self.path.file_name().map(std::ffi::OsStr::as_bytes);
        let Some(openings) = &self.openings else { return false };
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(openings, &mut buffer);
        let mut was_opened = false;
        while let Ok(event) = events.next() {
            let is_lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            was_opened |= is_lost || event.file_name().map(std::ffi::CStr::to_bytes) == name;
        }
        was_opened
    }
}

#[cfg(not(target_os = "linux"))]
impl Witness {
    fn was_opened(&mut self) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
fn watch(path: &Path) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};

    let openings = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    add_watch(&openings, folder, WatchFlags::OPEN | WatchFlags::MOVED_TO)?;
    Ok(openings)
}

#[cfg(not(target_os = "linux"))]
fn watch(_path: &Path) -> rustix::io::Result<OwnedFd> {
    Err(rustix::io::Errno::NOSYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_by_nobody_in_sight_is_a_doubt_and_our_own_are_forgotten() {
        if cfg!(not(target_os = "linux")) {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        fs_err::write(&path, "x").expect("written");
        let mut witness = Witness::begin(&path);
        fs_err::read(&path).expect("read");
        witness.forget();
        witness.look(std::process::id());
        assert!(!witness.doubts.iter().any(|doubt| doubt == UNSEEN), "{witness:?}");
        fs_err::read(&path).expect("read");
        witness.look(std::process::id());
        let doubts = witness.doubts();
        assert!(doubts.iter().any(|doubt| doubt == UNSEEN), "{doubts:?}");
        assert_eq!(doubts[0], "the command was not seen with it open");
    }
}

//! What a command started and left running, in whatever session or group: where the system tells
//! (Linux), orphans become our children for the time of the command, and are found through `/proc`.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::PAUSE;

/// So often is looked whether something is left: what is killed may have started another before.
const ROUNDS: usize = 200;

/// What was below this process before a command ran; orphans come to us as long as this lives.
#[derive(Debug)]
pub(super) struct Descendants {
    before: BTreeSet<i32>,
    adopts: bool,
}

impl Descendants {
    /// Begins to adopt orphans.
    pub(super) fn watch() -> Self {
        Self { before: below_us(), adopts: adopt(true) }
    }

    /// Kills all that came since, but the command itself, which the caller waits for. Zombies stay
    /// nobody's.
    pub(super) fn end(&self, command: Pid) {
        if !self.adopts {
            return;
        }
        for _ in 0..ROUNDS {
            let mut left = below_us();
            left.retain(|pid| !self.before.contains(pid));
            left.remove(&command.as_raw_nonzero().get());
            if left.is_empty() {
                return;
            }
            for pid in left.into_iter().filter_map(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
                // Only what is our own child by now can be waited for.
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Descendants {
    fn drop(&mut self) {
        adopt(false);
    }
}

#[cfg(target_os = "linux")]
fn adopt(orphans: bool) -> bool {
    // Any process id stands for yes.
    let us = orphans.then(rustix::process::getpid);
    rustix::process::set_child_subreaper(us).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn adopt(_orphans: bool) -> bool {
    false
}

/// The processes whose chain of parents leads to this one.
fn below_us() -> BTreeSet<i32> {
    let mut children = BTreeMap::<i32, Vec<i32>>::new();
    for process in fs_err::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
        let stat = fs_err::read_to_string(process.path().join("stat"));
        if let (Some(pid), Ok(stat)) = (pid, stat)
            && let Some(parent) = parent(&stat)
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut below = BTreeSet::new();
    let mut next = vec![rustix::process::getpid().as_raw_nonzero().get()];
    while let Some(pid) = next.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            below.insert(child);
            next.push(child);
        }
    }
    below
}

/// The parent in a `/proc/PID/stat`, after the name, which may hold anything
/// (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
fn parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parent;

    #[test]
    fn a_name_with_brackets_and_spaces_hides_no_parent() {
        assert_eq!(parent("4711 (sh) S 12 4711 1"), Some(12));
        assert_eq!(parent("4711 (a) R 9 (b) S 12 4711 1"), Some(12));
        assert_eq!(parent("4711"), None);
    }
}

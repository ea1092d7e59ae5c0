//! The processes that a command started, in whatever session or group. If the system allows it
//! (Linux), orphans become children of the supervising process and are found through `/proc`.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitid, waitpid,
};

use crate::files::processes::{self, Process};
use crate::host::command::patience::PAUSE;

/// How often to look for processes that are left: one that is killed may have started another before.
const ROUNDS: usize = 200;

/// The descendants that this process had before a command ran; as long as this value lives, orphans
/// become its children.
#[derive(Debug)]
pub(super) struct Descendants {
    before: Vec<i32>,
    adopts: bool,
}

impl Descendants {
    /// Begins to adopt orphans.
    pub(super) fn watch() -> Self {
        let before = if has_children() { below(us()) } else { Vec::new() };
        let before = before.into_iter().map(|process| process.pid).collect();
        Self { before, adopts: adopt(true) }
    }

    /// Whether it is certain that there are no descendants: every descendant has a parent that is
    /// this process or a descendant of it.
    pub(super) fn has_none(&self) -> bool {
        self.adopts && !has_children()
    }

    /// The processes that came since and still run. Without adoption none is known.
    fn running(&self) -> Vec<Process> {
        let mut running = if self.adopts { below(us()) } else { Vec::new() };
        running.retain(|process| !self.before.contains(&process.pid));
        running
    }

    /// Whether all descendants that were started since have ended.
    pub(super) fn is_gone(&self) -> bool {
        self.running().is_empty()
    }

    /// Sends a signal to everything that came since and is not in a group that got it already.
    pub(super) fn signal_outside(&self, group: Pid, signal: Signal) {
        let group = group.as_raw_nonzero().get();
        let outside = self.running().into_iter().filter(|process| process.group != group);
        for pid in outside.filter_map(|process| Pid::from_raw(process.pid)) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills everything that came since, and returns how many processes could not be killed. The
    /// command itself is not reaped: its caller waits for it.
    pub(super) fn end(&self, command: Option<Pid>) -> usize {
        let command = command.map(|pid| pid.as_raw_nonzero().get());
        let mut left = self.running();
        for _ in 0..ROUNDS {
            if left.is_empty() {
                break;
            }
            for Process { pid, .. } in &left {
                let Some(process) = Pid::from_raw(*pid) else { continue };
                let _ = kill_process(process, Signal::KILL);
                // Only a child of ours can be waited for.
                if command != Some(*pid) {
                    let _ = waitpid(Some(process), WaitOptions::NOHANG);
                }
            }
            left = self.running();
            if !left.is_empty() {
                std::thread::sleep(PAUSE);
                left = self.running();
            }
        }
        left.len()
    }
}

impl Drop for Descendants {
    fn drop(&mut self) {
        adopt(false);
    }
}

fn us() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

#[cfg(target_os = "linux")]
fn adopt(orphans: bool) -> bool {
    // Any process id means yes.
    let us = orphans.then(rustix::process::getpid);
    rustix::process::set_child_subreaper(us).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn adopt(_orphans: bool) -> bool {
    false
}

/// Whether this process has a child, even one that only was not waited for. True if that is unknown.
fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::All, options), Err(rustix::io::Errno::CHILD))
}

/// The processes that run and whose chain of parents leads to this one.
fn below(ancestor: i32) -> Vec<Process> {
    let mut children = BTreeMap::<i32, Vec<Process>>::new();
    let pids = processes::others().into_iter().flatten().map(u32::cast_signed);
    for process in pids.filter_map(Process::of) {
        children.entry(process.parent).or_default().push(process);
    }
    let mut below = Vec::new();
    let mut next = vec![ancestor];
    while let Some(pid) = next.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            next.push(child.pid);
            if child.runs {
                below.push(child);
            }
        }
    }
    below
}

/// The ids of the processes that run and are below one.
#[must_use]
pub(crate) fn ids_below(root: u32) -> Vec<u32> {
    below(root.cast_signed()).into_iter().map(|process| process.pid.cast_unsigned()).collect()
}

/// The processes below one that started them. A process that was seen once is known even after its
/// end.
#[derive(Debug)]
pub(crate) struct Family {
    root: i32,
    /// The parent of each process that was met.
    parents: BTreeMap<i32, i32>,
}

impl Family {
    /// The family of a process; none of its members has been seen yet.
    #[must_use]
    pub(crate) fn of(root: u32) -> Self {
        Self { root: root.cast_signed(), parents: BTreeMap::new() }
    }

    /// Notes the parent of a process while it can still be asked.
    pub(crate) fn meet(&mut self, pid: u32) {
        if let Some(process) = Process::of(pid.cast_signed()) {
            self.parents.insert(process.pid, process.parent);
        }
    }

    /// Whether the chain of a process's parents leads to the root.
    #[must_use]
    pub(crate) fn includes(&self, pid: u32) -> bool {
        let (mut next, mut seen) = (pid.cast_signed(), BTreeSet::new());
        // A number that was given twice meanwhile leads around in no circle.
        while seen.insert(next) {
            let parent = Process::of(next).map(|process| process.parent);
            match parent.or_else(|| self.parents.get(&next).copied()) {
                Some(parent) if parent == self.root => return true,
                Some(parent) if parent > 1 => next = parent,
                _ => return false,
            }
        }
        false
    }
}

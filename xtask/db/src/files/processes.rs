//! The processes that the system shows (Linux: `/proc`): their ids, parents and groups.

/// The ids of the other processes; `None` if the system does not list them.
#[must_use]
pub(crate) fn others() -> Option<impl Iterator<Item = u32>> {
    let processes = fs_err::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    Some(pids.filter(|pid| *pid != std::process::id()))
}

/// A process as `/proc/PID/stat` describes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) pid: i32,
    /// The id of its parent.
    pub(crate) parent: i32,
    /// The id of its group.
    pub(crate) group: i32,
    /// Whether it is more than a zombie.
    pub(crate) runs: bool,
}

impl Process {
    /// Reads what the system shows of a process; `None` if it has ended.
    #[must_use]
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Self::parse(pid, &fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// State, parent and group come after the name, which may contain anything
    /// (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
    fn parse(pid: i32, stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        Some(Self { pid, parent, group, runs: !matches!(state, "Z" | "X") })
    }
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn a_name_with_brackets_and_spaces_hides_no_parent() {
        let parsed = |stat| Process::parse(4711, stat);
        let process = |runs| Some(Process { pid: 4711, parent: 12, group: 47, runs });
        assert_eq!(parsed("4711 (sh) S 12 47 1"), process(true));
        assert_eq!(parsed("4711 (a) R 9 (b) Z 12 47 1"), process(false));
        assert_eq!(parsed("4711"), None);
    }
}

//! The run of git that called a hook.

/// The `git` process among the ancestors of this one, e.g. `pid start-time`; `None` if the system
/// does not show it. Two hooks of one commit have the same; a later commit has another.
#[must_use]
pub(crate) fn calling_git() -> Option<String> {
    const MAX_ANCESTORS: usize = 16;
    let mut pid = std::process::id();
    for _ in 0..MAX_ANCESTORS {
        let text = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let process = Process::parse(&text)?;
        if process.name == "git" {
            return Some(format!("{pid} {}", process.started));
        }
        pid = process.parent;
    }
    None
}

/// The document of `/proc/PID/stat` (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
struct Process<'a> {
    name: &'a str,
    parent: u32,
    /// In clock ticks since the system started.
    started: u64,
}

impl<'a> Process<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // The name is in parentheses and may contain some itself.
        let (begin, end) = (text.find('(')?, text.rfind(')')?);
        let fields: Vec<&str> = text.get(end + 1..)?.split_ascii_whitespace().collect();
        Some(Self {
            name: text.get(begin + 1..end)?,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_read() {
        let text = "12 (a) b) S 7 12 12 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        let process = Process::parse(text).expect("a process");
        assert_eq!((process.name, process.parent, process.started), ("a) b", 7, 4711));
    }
}

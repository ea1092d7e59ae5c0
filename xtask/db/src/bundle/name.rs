//! The names of bundles: `<project>.<YYYY-MM-DD_HHMMSS>.tar.zst`, and `.age` behind it if it is encrypted.

use std::fmt;

use chrono::NaiveDateTime;

/// As in the names of backups.
const TIME: &str = "%Y-%m-%d_%H%M%S";
const PLAIN: &str = ".tar.zst";
const SEALED: &str = ".tar.zst.age";

/// The name of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// The project's.
    pub(crate) project: String,
    /// When it was created, in local time.
    pub(crate) time: NaiveDateTime,
    /// Counts the bundles of one second; 1 is not written.
    n: u32,
    /// Whether it is encrypted.
    pub(crate) is_sealed: bool,
}

impl Name {
    /// The name of a new bundle.
    #[must_use]
    pub(crate) fn new(project: &str, time: NaiveDateTime, is_sealed: bool) -> Self {
        Self { project: project.to_owned(), time, n: 1, is_sealed }
    }

    /// The next name of the same second.
    #[must_use]
    pub(crate) fn next(mut self) -> Self {
        self.n += 1;
        self
    }

    /// Reads the name of a file; `None` if it is not a bundle's.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (rest, is_sealed) = match text.strip_suffix(SEALED) {
            Some(rest) => (rest, true),
            None => (text.strip_suffix(PLAIN)?, false),
        };
        let (project, time) = rest.rsplit_once('.')?;
        let (time, n) = match time.get(17..) {
            Some("") => (time, 1),
            Some(count) => (time.get(..17)?, count.strip_prefix('-')?.parse().ok()?),
            None => return None,
        };
        let time = NaiveDateTime::parse_from_str(time, TIME).ok()?;
        let name = Self { project: project.to_owned(), time, n, is_sealed };
        (!project.is_empty() && name.to_string() == text).then_some(name)
    }

    /// The name of the record beside it.
    #[must_use]
    pub(crate) fn record(&self) -> String {
        format!("{self}.json")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.project, self.time.format(TIME))?;
        if self.n > 1 {
            write!(f, "-{}", self.n)?;
        }
        f.write_str(if self.is_sealed { SEALED } else { PLAIN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for name in [
            "kalito.2025-09-13_142530.tar.zst",
            "kalito.2025-09-13_142530-2.tar.zst.age",
            "a.b c.2025-09-13_142530.tar.zst.age",
        ] {
            assert_eq!(Name::parse(name).expect(name).to_string(), name);
        }
        for name in [
            "kalito.tar.zst",
            ".2025-09-13_142530.tar.zst",
            "kalito.2025-09-13_142530-1.tar.zst",
            "kalito.2025-13-13_142530.tar.zst",
            "kalito.2025-09-13_142530.bak",
            "kalito.2025-09-13_142530é.tar.zst",
        ] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }
}

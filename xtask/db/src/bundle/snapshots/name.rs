//! The names of snapshots: `xtask-db_<YYYY-MM-DD_HHMMSS>`, and `-2` behind it for the second one of a second.

use std::fmt;

use chrono::NaiveDateTime;

const START: &str = "xtask-db_";
/// As in the names of backups.
const TIME: &str = "%Y-%m-%d_%H%M%S";

/// The name of a snapshot. The later one is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// When it was taken, in local time.
    pub(crate) time: NaiveDateTime,
    /// Counts the snapshots of one second; 1 is not written.
    n: u32,
}

impl Name {
    /// The name of a new snapshot, which none of these has.
    #[must_use]
    pub(crate) fn new(time: NaiveDateTime, taken: &[Self]) -> Self {
        let second = NaiveDateTime::parse_from_str(&time.format(TIME).to_string(), TIME);
        let mut name = Self { time: second.unwrap_or(time), n: 1 };
        while taken.contains(&name) {
            name.n += 1;
        }
        name
    }

    /// Reads a name; `None` if it is not one of ours.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(START)?;
        let n = match rest.get(17..)? {
            "" => 1,
            count => count.strip_prefix('-')?.parse().ok()?,
        };
        let time = NaiveDateTime::parse_from_str(rest.get(..17)?, TIME).ok()?;
        let name = Self { time, n };
        (name.to_string() == text).then_some(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{START}{}", self.time.format(TIME))?;
        if self.n > 1 { write!(f, "-{}", self.n) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written_and_others_are_not_ours() {
        for name in ["xtask-db_2025-09-13_142530", "xtask-db_2025-09-13_142530-2"] {
            assert_eq!(Name::parse(name).expect(name).to_string(), name);
        }
        for name in [
            "2025-09-13_142530",
            "autosnap_2025-09-13_142530",
            "xtask-db_2025-13-13_142530",
            "xtask-db_2025-09-13_142530-1",
            "xtask-db_2025-09-13_142530-02",
            "xtask-db_2025-09-13_142530/..",
            "xtask-db_2025-09-13_14253é",
            "xtask-db_",
        ] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }

    #[test]
    fn two_snapshots_of_one_second_have_two_names_in_order() {
        let first = Name::parse("xtask-db_2025-09-13_142530").expect("a name");
        let second = Name::new(first.time, &[first]);
        assert_eq!(second.to_string(), "xtask-db_2025-09-13_142530-2");
        let third = Name::new(first.time, &[second, first]);
        assert!(first < second && second < third, "{third}");
    }
}

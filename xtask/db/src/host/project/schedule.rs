//! Backups by the clock, as configured: when, what else happens then, and who is told.

use std::fmt;

use chrono::{NaiveTime, Weekday};

/// The configured schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// The times at which a backup is due.
    pub(crate) when: When,
    /// The origin of these times, if that is not `Cargo.toml`, e.g. `AUTO_BACKUP_TIME in .env`.
    pub(crate) origin: Option<String>,
    /// Whether a bundle is created too.
    pub(crate) bundle: bool,
    /// The rows that are exported too.
    pub(crate) export: Option<Export>,
    /// A dead man's switch, which is called at the start and at each end.
    pub(crate) ping: Option<Address>,
    /// It gets failures and recoveries as JSON.
    pub(crate) webhook: Option<Address>,
    /// The variables that are named to contain an address.
    pub(crate) named: Vec<Named>,
    /// The command that gets failures and recoveries on its standard input; empty if there is none.
    pub(crate) notify: Vec<String>,
}

/// A variable that is named to contain an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The key that names it, e.g. `ping-env`.
    pub(crate) key: String,
    /// The name of the variable.
    pub(crate) variable: String,
    /// Whether it is set here: not every machine has it, and without it nobody is called.
    pub(crate) is_set: bool,
}

/// Whether there are backups by the clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Scheduled {
    /// Nothing is configured.
    #[default]
    No,
    /// A variable switches them off; its name and origin.
    Off(String),
    /// There are.
    Yes(Box<Schedule>),
}

/// The times at which a backup is due, in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Every day at this time.
    Daily(NaiveTime),
    /// Every week on this day at this time.
    Weekly(Weekday, NaiveTime),
    /// Every so many minutes, counted from midnight; a day is a whole number of times this.
    Minutes(u32),
    /// Every so many days at midnight, counted from 1970-01-01.
    Days(u32),
}

/// An export that is kept in a folder, for git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    /// The folder, relative to the root.
    pub(crate) into: String,
    /// The format, as `db-export --format` has it.
    pub(crate) format: String,
    /// Whether the files are committed.
    pub(crate) commit: bool,
    /// The remote to which the commit is pushed.
    pub(crate) push: Option<String>,
}

/// An address on the web that is itself a secret: messages name its host only.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address(String);

impl Address {
    /// Reads an address; `None` if it does not begin with `http://` or `https://`, or has characters that no URL has.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || "\"'\\<>^`{|}".contains(c);
        let has_host = rest.starts_with(|c: char| c.is_alphanumeric() || c == '[');
        (has_host && !rest.contains(is_odd)).then(|| Self(text.to_owned()))
    }

    /// The whole address, for the one program that calls it.
    #[must_use]
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// The address of another event: a further part of the path, before any query.
    #[must_use]
    pub(crate) fn below(&self, part: &str) -> Self {
        let (path, query) = self.0.split_at(self.0.find(['?', '#']).unwrap_or(self.0.len()));
        Self(format!("{}/{part}{query}", path.trim_end_matches('/')))
    }

    /// The address as messages have it: its scheme and host.
    #[must_use]
    pub(crate) fn host(&self) -> String {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{host}/…")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host())
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daily(time) => write!(f, "daily at {}", time.format("%H:%M")),
            Self::Weekly(day, time) => {
                write!(f, "weekly on {day} at {}", time.format("%H:%M"))
            }
            Self::Minutes(60) => f.write_str("every hour"),
            Self::Minutes(n) if n.is_multiple_of(60) => write!(f, "every {} hours", n / 60),
            Self::Minutes(n) => write!(f, "every {n} minutes"),
            Self::Days(1) => f.write_str("daily at 00:00"),
            Self::Days(n) => write!(f, "every {n} days at 00:00"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_host_of_an_address_only() {
        for (address, host, start) in [
            ("https://hc-ping.com/uuid", "https://hc-ping.com/…", "https://hc-ping.com/uuid/start"),
            ("http://u:p@h:8/a/?b=c", "http://h:8/…", "http://u:p@h:8/a/start?b=c"),
            ("https://[::1]:9/x", "https://[::1]:9/…", "https://[::1]:9/x/start"),
        ] {
            let address = Address::parse(address).expect(address);
            assert_eq!(format!("{address:?}"), host);
            assert_eq!(address.below("start").secret(), start);
        }
        for wrong in [
            "",
            "hc-ping.com/x",
            "ftp://h/x",
            "https://",
            "https://h/a b",
            "https://h/\"",
            "file:///x",
        ] {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
    }
}

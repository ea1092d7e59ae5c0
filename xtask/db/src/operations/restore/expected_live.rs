//! The live database as the plan of a restore found it, which `--if-live` demands to be there still.
//!
//! The content is compared with what the safety backup has, while nobody else can commit: a change is never
//! overwritten because it came after the comparison.

use std::str::FromStr;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::capture;
use crate::console::refusal::Refusal;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::restore::plan::{self, Live};
use crate::sqlite::read_only;

/// Digits of a BLAKE3.
const N_DIGITS: usize = 64;

/// What is expected in place of the live database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A database with this content: the `content_blake3` of a backup of it.
    Content(String),
    /// No database.
    Absent,
    /// A file that SQLite cannot read. Its raw files are set aside, whatever they are.
    Unreadable,
}

impl Expected {
    /// The state that a plan found in place of a database that can be read.
    #[must_use]
    pub(super) fn instead_of_a_database(live: &Live) -> Option<Self> {
        match live {
            Live::Absent { .. } => Some(Self::Absent),
            Live::Unreadable(_) | Live::MayBeEncrypted => Some(Self::Unreadable),
            Live::Readable(_) => None,
        }
    }

    /// The state of the live database now.
    ///
    /// # Errors
    ///
    /// A refusal if it may not be replaced, e.g. because it may be encrypted; if it stays locked, or at the user's
    /// interrupt.
    pub(crate) fn live(session: &Session, project: &Project, database: &Database) -> Result<Self> {
        let (path, live) = plan::present(database.file()?, true, project.busy_timeout)?;
        if let Some(found) = Self::instead_of_a_database(&live) {
            return Ok(found);
        }
        let connection = read_only::open(&path, project.busy_timeout)?;
        let hash = capture::content_hash(&connection, &project.backups, session.interrupt())?;
        connection.prove()?;
        Ok(Self::Content(hash))
    }

    /// The value of `--if-live`.
    #[must_use]
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Content(hash) => hash,
            Self::Absent => "absent",
            Self::Unreadable => "unreadable",
        }
    }

    /// Demands that a database, an unreadable file or nothing is there, as expected; its content is not looked at.
    ///
    /// # Errors
    ///
    /// A refusal if something else is there.
    pub(crate) fn demand_kind(&self, live: &Live, place: &str) -> Result<()> {
        let is_as_expected = match Self::instead_of_a_database(live) {
            Some(found) => found == *self,
            None => matches!(self, Self::Content(_)),
        };
        if is_as_expected { Ok(()) } else { Err(changed(place)) }
    }

    /// Demands that a safety backup which was just taken has the expected content.
    ///
    /// # Errors
    ///
    /// A refusal if it has another one.
    pub(crate) fn demand_kept(&self, safety: &Backup, place: &str) -> Result<()> {
        self.demand_content(safety.record().map_or("", |record| &record.content_blake3), place)
    }

    /// Demands this content of a readable database.
    ///
    /// # Errors
    ///
    /// A refusal if it has another one.
    pub(super) fn demand_content(&self, content_blake3: &str, place: &str) -> Result<()> {
        match self {
            Self::Content(expected) if expected == content_blake3 => Ok(()),
            _ => Err(changed(place)),
        }
    }
}

fn changed(place: &str) -> anyhow::Error {
    Refusal::no(
        format!("{place} has changed since the plan was made"),
        "look at the plan again with `--dry-run`, then decide; nothing was changed",
    )
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text {
            "absent" => Ok(Self::Absent),
            "unreadable" => Ok(Self::Unreadable),
            hash if hash.len() == N_DIGITS && hash.bytes().all(is_digit) => {
                Ok(Self::Content(hash.to_owned()))
            }
            _ => {
                Err("give the `if_live` of `--dry-run --json`: 64 hexadecimal digits, `absent` or \
                      `unreadable`"
                    .to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plan_prints_is_read_again() {
        let hash = "0f".repeat(32);
        for expected in [Expected::Content(hash), Expected::Absent, Expected::Unreadable] {
            assert_eq!(expected.word().parse(), Ok(expected.clone()));
        }
        for wrong in ["", "0f", "ABSENT", &"0F".repeat(32), &"0g".repeat(32)] {
            assert!(wrong.parse::<Expected>().is_err(), "{wrong}");
        }
    }
}

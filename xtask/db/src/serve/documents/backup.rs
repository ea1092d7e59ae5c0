//! A backup in `db-list --json` and in the documents that name one.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use serde::Deserialize;

/// Output of `db-list --json` and `db-backup --json`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct List {
    /// Newest first.
    pub(crate) backups: Vec<Backup>,
}

/// One backup: its record, and what it is now.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Backup {
    pub(crate) name: String,
    /// Another reference that means it, e.g. `latest~2`.
    #[serde(default)]
    pub(crate) number: Option<String>,
    #[serde(default)]
    pub(crate) database: Option<String>,
    #[serde(default)]
    pub(crate) source: Option<String>,
    #[serde(default)]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) label: Option<String>,
    #[serde(default)]
    pub(crate) pinned: bool,
    pub(crate) created_at: DateTime<FixedOffset>,
    #[serde(default)]
    pub(crate) age_seconds: i64,
    pub(crate) size_bytes: u64,
    #[serde(default)]
    pub(crate) blake3: Option<String>,
    #[serde(default)]
    pub(crate) content_blake3: Option<String>,
    #[serde(default)]
    pub(crate) schema_version: Option<i64>,
    /// Rows of each table; none for a table that could not be counted.
    #[serde(default)]
    pub(crate) tables: BTreeMap<String, Option<u64>>,
    #[serde(default)]
    pub(crate) sqlite: Option<Sqlite>,
    #[serde(default)]
    pub(crate) git: Option<Git>,
    #[serde(default)]
    pub(crate) examined: Option<Examination>,
    #[serde(default)]
    pub(crate) verified: Option<Examination>,
    #[serde(default)]
    pub(crate) stored: Option<Stored>,
    /// `verified`, `damaged`, `unverified`, `unrecorded` or `unread since <date>`.
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) tool: Option<String>,
}

/// The SQLite file that was backed up.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Sqlite {
    pub(crate) version: String,
    pub(crate) page_size_bytes: u64,
    pub(crate) page_count: u64,
    pub(crate) journal_mode: String,
}

/// What was checked out.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Git {
    #[serde(default)]
    pub(crate) branch: Option<String>,
    #[serde(default)]
    pub(crate) commit: Option<String>,
    #[serde(default)]
    pub(crate) dirty: bool,
    #[serde(default)]
    pub(crate) worktree: Option<String>,
}

/// One examination.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Examination {
    pub(crate) at: DateTime<FixedOffset>,
    #[serde(default)]
    pub(crate) depth: String,
    #[serde(default)]
    pub(crate) findings: Vec<Finding>,
}

/// Something that an examination found.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Finding {
    pub(crate) kind: String,
    pub(crate) detail: String,
}

/// What a backup in the page store added to it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Stored {
    pub(crate) new_bytes: u64,
}

/// The state of a backup, without the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Verified,
    Unread,
    Unverified,
    Unrecorded,
    Damaged,
}

impl State {
    /// All states, from the best to the worst.
    pub(crate) const ALL: [Self; 5] =
        [Self::Verified, Self::Unread, Self::Unverified, Self::Unrecorded, Self::Damaged];

    /// The word for it.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unread => "unread",
            Self::Unverified => "unverified",
            Self::Unrecorded => "unrecorded",
            Self::Damaged => "damaged",
        }
    }
}

impl Backup {
    /// Its state; a state that a newer program reports is not relied upon.
    #[must_use]
    pub(crate) fn state(&self) -> State {
        let word = self.state.split(' ').next().unwrap_or_default();
        let known = State::ALL.into_iter().find(|state| state.word() == word);
        known.unwrap_or(State::Unverified)
    }

    /// What created it.
    #[must_use]
    pub(crate) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("no record")
    }

    #[must_use]
    pub(crate) fn branch(&self) -> Option<&str> {
        self.git.as_ref().and_then(|git| git.branch.as_deref())
    }

    /// The commit, in seven digits.
    #[must_use]
    pub(crate) fn commit(&self) -> Option<&str> {
        let commit = self.git.as_ref().and_then(|git| git.commit.as_deref());
        commit.map(|commit| commit.get(..7).unwrap_or(commit))
    }

    /// Rows of all tables that could be counted.
    #[must_use]
    pub(crate) fn rows(&self) -> u64 {
        self.tables.values().flatten().sum()
    }

    /// Bytes that it added to the backups folder.
    #[must_use]
    pub(crate) fn new_bytes(&self) -> u64 {
        self.stored.as_ref().map_or(self.size_bytes, |stored| stored.new_bytes)
    }

    /// The newest examination, the one at its creation included.
    #[must_use]
    pub(crate) fn last_examination(&self) -> Option<&Examination> {
        self.verified.as_ref().or(self.examined.as_ref())
    }
}

//! A backup as `--json` shows it: its record, and what it is now.

use chrono::{DateTime, FixedOffset};
use serde::Serialize;

use crate::backups::backup::{Backup, Pages};
use crate::backups::kind::Kind;
use crate::backups::record::Record;

/// A backup in `--json`.
#[derive(Serialize)]
pub(crate) struct BackupDocument {
    #[serde(flatten)]
    known: Known,
    name: String,
    state: String,
    /// Time at which the pages of a stored backup were last read, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<ReadAt>,
    age_seconds: i64,
}

/// State of a backup, as far as it is known.
#[derive(Serialize)]
#[serde(untagged)]
enum Known {
    Recorded(Box<Record>),
    /// There is no record that can be read.
    Unrecorded {
        database: (),
        file: String,
        kind: Option<Kind>,
        label: (),
        pinned: bool,
        created_at: DateTime<FixedOffset>,
        size_bytes: u64,
    },
}

/// A moment; null if no date can represent it.
#[derive(Serialize)]
struct ReadAt(Option<DateTime<FixedOffset>>);

impl BackupDocument {
    /// Describes a backup as it is now.
    #[must_use]
    pub(crate) fn of(backup: &Backup, now: DateTime<FixedOffset>) -> Self {
        let known = match backup.record() {
            Some(record) => Known::Recorded(Box::new(record.clone())),
            None => Known::Unrecorded {
                database: (),
                file: backup.name.to_string(),
                kind: backup.kind(),
                label: (),
                pinned: false,
                created_at: backup.created_at,
                size_bytes: backup.size_bytes,
            },
        };
        let read_at = match backup.pages {
            Pages::Read(at) | Pages::Unread(Some(at)) => {
                let at = DateTime::from_timestamp(at, 0);
                Some(ReadAt(at.map(|at| at.with_timezone(backup.created_at.offset()))))
            }
            _ => None,
        };
        Self {
            known,
            name: backup.name.to_string(),
            state: backup.state().to_string(),
            read_at,
            age_seconds: backup.age(now).num_seconds(),
        }
    }
}

//! The record beside a backup: what it is, where it came from, and its proof.
//!
//! Version 1. Unknown fields are kept when a record is rewritten, a newer version is refused, and
//! an unreadable record is distinguished from a missing one. A record carries a checksum of itself:
//! if it is wrong, the record is damaged and nothing in it is trusted.

pub(crate) mod listed;
pub(crate) mod of_dump;
pub(crate) mod packing;
pub(crate) mod proof;

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::backups::home::Home;
use crate::backups::kind::Kind;
use crate::git::recorded::{Enters, Git};
use crate::sqlite::examination::finding::{Depth, Finding, Weight, has};

/// The record's version that this build reads and writes.
pub(crate) const VERSION: u64 = 1;

/// Fields that this build does not know.
type Unknown = Map<String, Value>;

/// The JSON file beside a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Always [`VERSION`].
    pub version: u64,
    /// Number that is higher than every other in the folder at that time.
    pub sequence: u64,
    /// The configured name of the database.
    pub database: String,
    /// The database's path, relative to the workspace root if it is inside.
    pub source: String,
    /// The backup's file name.
    pub file: String,
    /// Why it was taken.
    pub kind: Kind,
    /// Label that the user gave it.
    pub label: Option<String>,
    /// Whether pruning must leave it.
    pub pinned: bool,
    /// Time at which its snapshot was taken.
    pub created_at: DateTime<FixedOffset>,
    /// Size of the file.
    pub size_bytes: u64,
    /// BLAKE3 of the whole file, 64 lowercase hex digits.
    pub blake3: String,
    /// BLAKE3 of the same bytes with the header's bookkeeping masked; of the SQL in a dump, without the lines
    /// that differ between dumps of equal databases.
    pub content_blake3: String,
    /// Properties of the file that SQLite reports; `None` for a PostgreSQL dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlite: Option<Sqlite>,
    /// Properties of a PostgreSQL dump; `None` for an SQLite database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Postgres>,
    /// BLAKE3 of the schema's statements in a fixed order, or of all in a dump that is not rows.
    pub schema_blake3: String,
    /// The version that the migration runner recorded in it, else `user_version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<i64>,
    /// Rows per table; `None` if a table could not be counted.
    pub tables: BTreeMap<String, Option<u64>>,
    /// The findings when it was taken; never changes.
    pub examined: Examined,
    /// Result of the last `db-verify`.
    pub verified: Option<Examined>,
    /// State of the git repository when the backup was taken.
    pub git: Option<Git>,
    /// The branch whose branch point this is.
    pub enters: Option<Enters>,
    /// The schema files whose change it was taken for, relative to the repository's root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// For a safety backup: the backup that was restored over its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// For a backup in the page store: its size there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
    /// In a backups folder outside the workspace: whose backup this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Home>,
    /// Program and version that wrote the record.
    pub tool: String,
    /// BLAKE3 of the rest of the record, 64 lowercase hex digits, as it is on the disk; older builds wrote
    /// none. [`Record::to_bytes`] computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[expect(clippy::struct_field_names, reason = "the name in the file")]
    pub record_blake3: Option<String>,
    /// Fields of other builds.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The size of a backup in the page store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Size of its page list.
    pub list_bytes: u64,
    /// Bytes that it added to the store when it was taken, its page list included.
    pub new_bytes: u64,
    /// Fields of other builds.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Properties of a backup's file that SQLite reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sqlite {
    /// The library that read the source, e.g. `3.54.1`.
    pub version: String,
    /// Page size.
    pub page_size_bytes: u64,
    /// Number of pages.
    pub page_count: u64,
    /// The source's journal mode, e.g. `wal` or `delete`.
    pub journal_mode: String,
    /// `PRAGMA user_version`.
    pub user_version: i64,
    /// `PRAGMA application_id`.
    pub application_id: i64,
    /// `UTF-8`, `UTF-16le` or `UTF-16be`.
    pub encoding: String,
    /// Fields of other builds.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What is known of a PostgreSQL dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Postgres {
    /// The server's version, e.g. `15.18`.
    pub server_version: String,
    /// The version of `pg_dump`.
    pub client_version: String,
    /// Size of the SQL before it was compressed.
    pub sql_bytes: u64,
    /// BLAKE3 of the rows of each table, as `COPY` writes them, in the order of the dump.
    pub tables: BTreeMap<String, String>,
    /// The installed extensions and their versions.
    pub extensions: BTreeMap<String, String>,
    /// The roles that the dump refers to, sorted.
    pub roles: Vec<String>,
    /// Fields of other builds.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// One examination of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Examined {
    /// When.
    pub at: DateTime<FixedOffset>,
    /// How deep it was.
    pub depth: Depth,
    /// Findings, structural ones first.
    pub findings: Vec<Finding>,
    /// Fields of other builds.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The member that contains a record's checksum.
pub(super) const CHECKSUM: &str = "record_blake3";

/// The checksum of a record: BLAKE3 of it as one line of JSON without that member, the members of each
/// object in the order of their names. So the content of the file counts, and its layout does not.
pub(super) fn checksum(record: &mut Value) -> String {
    if let Some(members) = record.as_object_mut() {
        members.remove(CHECKSUM);
    }
    // The members of a `Value` are in the order of their names.
    blake3::hash(record.to_string().as_bytes()).to_hex().to_string()
}

impl Record {
    /// The record as it is written: pretty, one final newline, with its own checksum.
    ///
    /// # Errors
    ///
    /// Never in practice; a map key that is not a string would be one.
    pub(crate) fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        let checksum = checksum(&mut serde_json::to_value(self)?);
        let record = Self { record_blake3: Some(checksum), ..self.clone() };
        let mut bytes = serde_json::to_vec_pretty(&record)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The last examination: `db-verify`'s, else the one at creation.
    #[must_use]
    pub(crate) fn last_examined(&self) -> &Examined {
        self.verified.as_ref().unwrap_or(&self.examined)
    }

    /// The source's journal mode; empty if it has none.
    #[must_use]
    pub(crate) fn journal_mode(&self) -> &str {
        self.sqlite.as_ref().map_or("", |sqlite| &sqlite.journal_mode)
    }

    /// `PRAGMA user_version`; 0 if there is none.
    #[must_use]
    pub(crate) fn user_version(&self) -> i64 {
        self.sqlite.as_ref().map_or(0, |sqlite| sqlite.user_version)
    }

    /// The size of a page; 0 if there are none.
    #[must_use]
    pub(crate) fn page_size_bytes(&self) -> u64 {
        self.sqlite.as_ref().map_or(0, |sqlite| sqlite.page_size_bytes)
    }

    /// Whether the last examination found structural damage.
    #[must_use]
    pub(crate) fn is_marked_damaged(&self) -> bool {
        has(&self.last_examined().findings, Weight::Structural)
    }

    /// The linked worktree it was taken in; `.` for the main one and if there was no git.
    #[must_use]
    pub(crate) fn worktree(&self) -> &str {
        self.git.as_ref().map_or(".", |git| git.worktree.as_str())
    }

    /// Rows in all counted tables together.
    #[must_use]
    pub(crate) fn n_rows(&self) -> u64 {
        self.tables.values().flatten().fold(0, |sum, n| sum.saturating_add(*n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::record::proof::Proof;

    pub(super) const EXAMPLE: &str = r#"{ "version": 1, "sequence": 41, "database": "kalito",
      "source": "backend/db/kalito.db",
      "file": "kalito.db.2025-09-13_142530.bak", "kind": "pre-commit", "label": null,
      "pinned": false, "created_at": "2025-09-13T14:25:30.123456+02:00",
      "size_bytes": 163840, "blake3": "aa", "content_blake3": "bb",
      "sqlite": { "version": "3.50.4", "page_size_bytes": 4096, "page_count": 40,
        "journal_mode": "wal", "user_version": 12, "application_id": 0, "encoding": "UTF-8",
        "later": 1 },
      "schema_blake3": "cc", "tables": { "messages": 812, "geo": null },
      "examined": { "at": "2025-09-13T14:25:30+02:00", "depth": "quick", "findings": [] },
      "verified": null,
      "git": { "branch": "feature/x", "commit": "dd", "dirty": true, "worktree": "." },
      "enters": { "branch": "feature/x", "base": "main", "commit": null, "later": 2 }, "tool": "xtask-db 0.1.0", "from_tomorrow": { "a": [1] } }"#;

    #[test]
    fn the_contract_s_example_survives_a_rewrite_with_its_unknown_fields() {
        let Proof::Recorded(record) = Proof::parse(EXAMPLE.as_bytes()) else {
            panic!("not a record");
        };
        assert_eq!(record.kind, Kind::PreCommit);
        assert_eq!(record.n_rows(), 812);
        let mut again: Value =
            serde_json::from_slice(&record.to_bytes().expect("bytes")).expect("json");
        checksum(&mut again);
        let before: Value = serde_json::from_str(EXAMPLE).expect("json");
        assert_eq!(again, before);
    }

    #[test]
    fn a_record_with_a_flipped_bit_says_the_same_or_is_not_believed() {
        let Proof::Recorded(record) = Proof::parse(EXAMPLE.as_bytes()) else {
            panic!("not a record");
        };
        let bytes = record.to_bytes().expect("bytes");
        let Proof::Recorded(written) = Proof::parse(&bytes) else { panic!("not a record") };
        let said = |record: &Record| {
            let mut value = serde_json::to_value(record).expect("json");
            checksum(&mut value);
            value.as_object().expect("an object").clone()
        };
        let wanted = said(&written);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                if let Proof::Recorded(read) = Proof::parse(&flipped) {
                    // Beside the layout only the name of the checksum may change, to one nobody knows.
                    let read = said(&read);
                    let is_same = wanted.iter().all(|(name, value)| read.get(name) == Some(value));
                    assert!(is_same && read.len() <= wanted.len() + 1, "byte {at}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn the_layout_of_a_record_is_not_part_of_its_checksum() {
        let Proof::Recorded(record) = Proof::parse(EXAMPLE.as_bytes()) else {
            panic!("not a record");
        };
        let bytes = record.to_bytes().expect("bytes");
        let value: Value = serde_json::from_slice(&bytes).expect("json");
        for text in [value.to_string(), format!("{value:#}\r\n")] {
            assert!(matches!(Proof::parse(text.as_bytes()), Proof::Recorded(_)), "{text}");
        }
        let edited = value.to_string().replace("\"pinned\":false", "\"pinned\":true");
        assert!(matches!(Proof::parse(edited.as_bytes()), Proof::Damaged(_)));
    }

    #[test]
    fn a_truncated_record_is_unreadable_at_every_length() {
        let whole = EXAMPLE.as_bytes();
        for length in 0..whole.len() {
            let proof = Proof::parse(&whole[..length]);
            assert!(matches!(proof, Proof::Unreadable(_)), "{length}: {proof:?}");
        }
    }

    #[test]
    fn a_newer_record_is_told_apart() {
        let newer = EXAMPLE.replacen("\"version\": 1", "\"version\": 2", 1);
        assert_eq!(Proof::parse(newer.as_bytes()), Proof::Newer(2));
        let odd = EXAMPLE.replacen("\"version\": 1", "\"version\": \"1\"", 1);
        assert!(matches!(Proof::parse(odd.as_bytes()), Proof::Unreadable(_)));
    }
}

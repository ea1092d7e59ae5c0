//! The note of a step under way, as it is written: a line of JSON, and a second line with its BLAKE3.

use anyhow::Result;
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};

/// The version that is written.
pub(super) const VERSION: u64 = 1;

/// The phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// A command of the host is running: it is unknown what it has done so far.
    Command,
    /// A single transaction writes. It follows that an existing database is intact.
    Write,
}

/// A note as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(super) version: u64,
    /// The command.
    pub(crate) command: String,
    /// The database's name in the configuration.
    pub(crate) database: String,
    /// Its canonical path.
    pub(crate) path: String,
    /// Its work tree.
    pub(crate) worktree: String,
    /// Time at which it began.
    pub(crate) begun_at: DateTime<FixedOffset>,
    /// The process.
    pub(crate) pid: u32,
    /// The step that was under way.
    pub(crate) step: Step,
    /// The backup that brings a known state back: a name in this folder, or a path.
    pub(crate) back: Option<String>,
}

/// A note that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It can be read.
    Read(Note),
    /// It cannot, and why.
    Damaged(String),
    /// A newer version wrote it.
    Newer(u64),
}

impl Note {
    /// Its two lines.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        let checksum = blake3::hash(&bytes).to_hex();
        bytes.extend_from_slice(format!("\n{checksum}\n").as_bytes());
        Ok(bytes)
    }
}

impl Found {
    /// Reads it.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let (line, rest) = bytes.split_at(end);
        let newer = serde_json::from_slice::<Versioned>(line).ok().filter(|v| v.version > VERSION);
        if let Some(newer) = newer {
            return Self::Newer(newer.version);
        }
        if rest.trim_ascii() != blake3::hash(line).to_hex().as_bytes() {
            return Self::Damaged("its checksum is wrong".to_owned());
        }
        match serde_json::from_slice(line) {
            Ok(note) => Self::Read(note),
            Err(error) => Self::Damaged(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Result<Note> {
        Ok(Note {
            version: VERSION,
            command: "db-migrate".to_owned(),
            database: "app".to_owned(),
            path: "/srv/app.db".to_owned(),
            worktree: ".".to_owned(),
            begun_at: DateTime::parse_from_rfc3339("2025-09-13T14:25:30+02:00")?,
            pid: 4711,
            step: Step::Command,
            back: Some("app.db.2025-09-13_142530.pages".to_owned()),
        })
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_every_flipped_bit_is_noticed() -> Result<()> {
        let bytes = note()?.to_bytes()?;
        assert_eq!(Found::parse(&bytes), Found::Read(note()?));
        // The very last byte is a line break, which means nothing.
        for bit in 0..(bytes.len() - 1) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Found::parse(&flipped), Found::Read(note()?), "bit {bit}");
        }
        for n_bytes in 0..bytes.len() - 1 {
            assert!(
                matches!(Found::parse(&bytes[..n_bytes]), Found::Damaged(_)),
                "{n_bytes} bytes"
            );
        }
        Ok(())
    }

    #[test]
    fn a_note_of_a_newer_version_says_so() -> Result<()> {
        let newer = Note { version: VERSION + 1, ..note()? };
        assert_eq!(Found::parse(&newer.to_bytes()?), Found::Newer(VERSION + 1));
        Ok(())
    }
}

//! The record beside a backup, or the reason why it cannot be used.

use serde_json::Value;

use crate::backups::record::listed::Recorded;
use crate::backups::record::{CHECKSUM, Record, VERSION, checksum};

/// The record of a backup, or the reason why there is none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Proof {
    /// A record of this version.
    Recorded(Box<Recorded>),
    /// No record: the backup was made by an older script.
    Unrecorded,
    /// A record that cannot be read, and why.
    Unreadable(String),
    /// A record whose checksum is wrong: nothing in it is trusted, not even the file name.
    Damaged(String),
    /// A record of a version that this build does not know.
    Newer(u64),
}

impl Proof {
    /// Reads a record's bytes; never fails, because what cannot be read is itself a fact.
    #[must_use]
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut value: Value = match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(error) => return Self::Unreadable(error.to_string()),
        };
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => return Self::Newer(newer),
            _ => return Self::Unreadable("it has no known `version`".to_owned()),
        }
        let recorded = match value.get(CHECKSUM) {
            None => None,
            Some(Value::String(recorded)) => Some(recorded.clone()),
            Some(_) => Some(String::new()),
        };
        if recorded.is_some_and(|recorded| recorded != checksum(&mut value)) {
            let file = value.get("file").and_then(Value::as_str).unwrap_or_default();
            return Self::Damaged(file.to_owned());
        }
        match serde_json::from_slice(bytes) {
            Ok(record) => {
                // It served: what is written again gets another one.
                let record = Record { record_blake3: None, ..record };
                Self::Recorded(Box::new(Recorded::of(record)))
            }
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}

//! The findings of an examination, and what each means for the copy.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How deep an examination looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Depth {
    /// `quick_check`: pages and trees.
    Quick,
    /// `integrity_check` and `foreign_key_check` too: indexes against rows, rows against parents.
    Deep,
}

/// The weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Weight {
    /// Damage: the content cannot be trusted.
    Structural,
    /// A violated rule in a sound file.
    Data,
    /// Something that could not be checked.
    Unchecked,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// Its weight.
    pub kind: Weight,
    /// Description, in SQLite's words or ours.
    pub detail: String,
    /// How often it was found.
    #[serde(default = "once")]
    pub count: u64,
}

fn once() -> u64 {
    1
}

impl Finding {
    /// A finding of damage.
    #[must_use]
    pub(crate) fn structural(detail: impl Into<String>) -> Self {
        Self { kind: Weight::Structural, detail: detail.into(), count: 1 }
    }

    /// A finding about something that could not be checked.
    #[must_use]
    pub(crate) fn unchecked(detail: impl Into<String>) -> Self {
        Self { kind: Weight::Unchecked, detail: detail.into(), count: 1 }
    }
}

/// A failure to read something because it is damaged, not because of the disk or a permission.
#[derive(Debug)]
pub(crate) struct Damage {
    /// The thing that is damaged.
    pub what: String,
    /// The packs in which the damage may be; empty if it is elsewhere.
    pub packs: Vec<PathBuf>,
}

impl Damage {
    /// Damage that no pack is to blame for.
    #[must_use]
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), packs: Vec::new() }
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Damage {}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::console::text::plain(&self.detail))?;
        if self.count > 1 { write!(f, " ({} times)", self.count) } else { Ok(()) }
    }
}

/// Whether any finding has a weight.
#[must_use]
pub(crate) fn has(findings: &[Finding], weight: Weight) -> bool {
    findings.iter().any(|finding| finding.kind == weight)
}

/// Sorts SQLite's messages (<https://sqlite.org/pragma.html#pragma_integrity_check>).
pub(crate) fn weigh(message: &str) -> Weight {
    if message.starts_with("CHECK constraint failed in ") || message.starts_with("NULL value in ") {
        return Weight::Data;
    }
    // `TEXT value in t.c`, and `non-INTEGER value in t.c` of a STRICT table.
    if let Some((storage, _)) = message.split_once(" value in ") {
        let storage = storage.strip_prefix("non-").unwrap_or(storage);
        if storage.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Weight::Data;
        }
    }
    if message.starts_with("unable to validate the inverted index") {
        return Weight::Unchecked;
    }
    Weight::Structural
}

//! The result of a verification: an outcome, reasons, warnings.

use std::path::PathBuf;

use crate::sqlite::examination::Examination;
use crate::sqlite::examination::finding::{Damage, Depth, Finding};

/// Result for one backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Its bytes are as recorded, or, unrecorded, its structure is sound.
    Whole,
    /// It is unknown which of the two it is.
    CannotTell,
    /// Its bytes changed, or its structure is damaged.
    Damaged,
}

impl Outcome {
    /// The word in results.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::CannotTell => "cannot-tell",
            Self::Damaged => "damaged",
        }
    }
}

/// Result of a verification.
#[derive(Debug, Clone)]
pub(crate) struct Verification {
    /// The outcome.
    pub outcome: Outcome,
    /// Why, if it is not whole.
    pub reasons: Vec<String>,
    /// Remarks on a whole backup.
    pub warnings: Vec<String>,
    /// Findings to write into the record.
    pub findings: Vec<Finding>,
    /// How deep SQLite looked; `None` if it did not, because the record contains its findings.
    pub depth: Option<Depth>,
    /// Whether it was also restored into a scratch file.
    pub is_drilled: bool,
    /// Rows per table and the schema's hash, as read now or recorded.
    pub examination: Examination,
    /// The content's hash as read now.
    pub content_blake3: String,
    /// The packs that damage of a stored backup may be in.
    pub suspects: Vec<PathBuf>,
}

impl Verification {
    /// Reasons for a backup that could not even be read.
    pub(crate) fn impossible(error: &anyhow::Error) -> Self {
        let reason = format!("it cannot be read: {error:#}");
        Self::unread(Outcome::CannotTell, reason, None)
    }

    /// The verification of a backup that cannot be read because it is damaged.
    pub(super) fn damaged(error: &anyhow::Error, depth: Depth) -> Self {
        let mut verification = Self::unread(Outcome::Damaged, format!("{error:#}"), Some(depth));
        let findings = verification.reasons.iter().cloned().map(Finding::structural);
        verification.findings = findings.collect();
        if let Some(damage) = error.downcast_ref::<Damage>() {
            verification.suspects.clone_from(&damage.packs);
        }
        verification
    }

    pub(super) fn unread(outcome: Outcome, reason: String, depth: Option<Depth>) -> Self {
        Self {
            outcome,
            reasons: vec![reason],
            warnings: Vec::new(),
            findings: Vec::new(),
            depth,
            is_drilled: false,
            examination: Examination::default(),
            content_blake3: String::new(),
            suspects: Vec::new(),
        }
    }
}

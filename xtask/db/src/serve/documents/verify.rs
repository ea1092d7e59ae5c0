//! Output of `db-verify --json`.

use serde::Deserialize;

/// The examined backups.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Verification {
    pub(crate) backups: Vec<Verified>,
}

/// What the examination of one backup showed.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Verified {
    pub(crate) name: String,
    /// `whole`, `damaged` …
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) reasons: Vec<String>,
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
}

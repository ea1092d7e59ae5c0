//! Output of `db-prune --json`.

use serde::Deserialize;

/// A plan with `--dry-run`, else what was done.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Prune {
    pub(crate) backups: Vec<Verdict>,
    pub(crate) removed: Vec<String>,
    #[serde(default)]
    pub(crate) store: Store,
}

/// What happens to one backup, and why.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(crate) keep: bool,
    #[serde(default)]
    pub(crate) reasons: Vec<String>,
    #[serde(default)]
    pub(crate) freed_bytes: u64,
}

/// What happens to the packs of the page store.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Store {
    #[serde(default)]
    pub(crate) freed_bytes: u64,
    #[serde(default)]
    pub(crate) trouble: Option<String>,
}

impl Prune {
    /// Backups that are removed.
    pub(crate) fn doomed(&self) -> impl Iterator<Item = &Verdict> {
        self.backups.iter().filter(|verdict| !verdict.keep)
    }
}

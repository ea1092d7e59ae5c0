//! Output of `db-status --json`.

use serde::Deserialize;

/// Health of all databases and of the backups folder.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Status {
    pub(crate) databases: Vec<Database>,
    #[serde(default)]
    pub(crate) folder: Folder,
    #[serde(default)]
    pub(crate) problems: Vec<Problem>,
}

/// One database.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Database {
    pub(crate) name: String,
    /// `readable`, `missing`, `damaged` …
    pub(crate) sight: String,
}

/// The backups folder.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Folder {
    #[serde(default)]
    pub(crate) used_bytes: u64,
    #[serde(default)]
    pub(crate) free_bytes: Option<u64>,
    /// The retention policy in words.
    #[serde(default)]
    pub(crate) retention: Option<String>,
    #[serde(default)]
    pub(crate) store: Option<Store>,
}

/// The page store.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Store {
    #[serde(default)]
    pub(crate) backups: u64,
    #[serde(default)]
    pub(crate) logical_bytes: u64,
    #[serde(default)]
    pub(crate) packs_bytes: u64,
}

/// Something that needs attention, with its remedy.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Problem {
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) database: Option<String>,
    pub(crate) what: String,
    #[serde(default)]
    pub(crate) remedy: String,
}

impl Status {
    /// A database by its name.
    #[must_use]
    pub(crate) fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == name)
    }
}

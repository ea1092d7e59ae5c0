//! What `db-bundle` puts into one archive beside the databases, as configured.

/// The configuration of bundles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// The folder that bundles are written to, relative to the root, if not the backups folder.
    pub(crate) output: Option<String>,
    /// The `age` recipients that can read a bundle.
    pub(crate) recipients: Vec<String>,
    /// What a bundle deliberately does not contain, in words.
    pub(crate) not_covered: Vec<String>,
    /// The items, in the order of their names.
    pub(crate) items: Vec<Item>,
}

/// Something that a bundle contains; or, under a database's name, what is to be known of that database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its name.
    pub(crate) name: String,
    /// Where it is: a file or a folder, relative to the root, absolute or below `~/`. `None` for a database.
    pub(crate) path: Option<String>,
    /// Whether a bundle with it must be encrypted.
    pub(crate) secret: bool,
    /// The command that makes it anew, if it can be left out.
    pub(crate) rebuild: Option<String>,
}

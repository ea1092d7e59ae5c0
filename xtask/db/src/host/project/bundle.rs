//! What `db-bundle` puts into one archive beside the databases, as configured.

use std::time::Duration;

use crate::host::project::policy::Policy;

/// How long a command for snapshots may take, unless that is configured: as long as a migration.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_mins(10);
/// How many streams are sent before one is sent in full again, unless that is configured.
pub(crate) const FULL_EVERY: u32 = 30;

/// The configuration of bundles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// The folder that bundles are written to, relative to the root, if not the backups folder.
    pub(crate) output: Option<String>,
    /// The `age` recipients that can read a bundle.
    pub(crate) recipients: Vec<String>,
    /// What a bundle deliberately does not contain, in words.
    pub(crate) not_covered: Vec<String>,
    /// The items, in the order of their names.
    pub(crate) items: Vec<Item>,
    /// The snapshots of file systems that are taken before a bundle, in the order of their names.
    pub(crate) snapshots: Vec<Snapshots>,
    /// How long a command for snapshots may take; one that sends, how long it may print nothing.
    pub(crate) snapshot_timeout: Duration,
}

impl Default for Bundle {
    fn default() -> Self {
        Self {
            output: None,
            recipients: Vec::new(),
            not_covered: Vec::new(),
            items: Vec::new(),
            snapshots: Vec::new(),
            snapshot_timeout: SNAPSHOT_TIMEOUT,
        }
    }
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
    /// The command that rebuilds it, if it can be left out.
    pub(crate) rebuild: Option<String>,
}

/// Snapshots of file systems, taken before each bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshots {
    /// Its name.
    pub(crate) name: String,
    /// What takes them.
    pub(crate) means: Means,
    /// Which are kept; all of them if it is empty.
    pub(crate) keep: Policy,
    /// Whether a bundle with their streams must be encrypted.
    pub(crate) secret: bool,
    /// How many streams there are from one in full to the next.
    pub(crate) full_every: u32,
}

/// What takes and removes snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Means {
    /// `zfs`, of these datasets.
    Zfs(Vec<String>),
    /// `btrfs`, of these subvolumes, relative to the root or absolute.
    Btrfs(Vec<String>),
    /// A pair of commands that have `{name}` in their words.
    Commands {
        /// Makes one.
        make: Vec<String>,
        /// Removes it.
        remove: Vec<String>,
        /// Prints the stream of one, with `{parent}` in the place of the snapshot that it builds on; empty if there is no
        /// such command.
        send: Vec<String>,
    },
}

/// Whether a name can be that of an item, which is a part of paths in the archive.
#[must_use]
pub(crate) fn is_name(name: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= 64 && name.chars().all(is_good)
}

//! Faults that a test build can switch on, to check that the fault matrix finds them:
//! `cargo xtask torture --planted`. An ordinary build has none of them.

/// The variable that switches one on.
const VARIABLE: &str = "XTASK_DB_PLANT";

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// A folder is not synced after a name was published in it.
    MissingFolderSync,
    /// Blocks of the page store are built upon and never read.
    UnreadBlock,
    /// The note of a step under way is not written.
    UnwrittenNote,
}

impl Planted {
    fn name(self) -> &'static str {
        match self {
            Self::MissingFolderSync => "missing-folder-sync",
            Self::UnreadBlock => "unread-block",
            Self::UnwrittenNote => "unwritten-note",
        }
    }

    /// Whether it is on.
    pub(crate) fn is_on(self) -> bool {
        cfg!(feature = "planted-faults")
            && std::env::var_os(VARIABLE).is_some_and(|name| name == self.name())
    }
}

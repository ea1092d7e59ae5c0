//! Why a backup was not removed.

use std::fmt;

/// What kept a backup from being removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// Somebody else removed it.
    Gone,
    /// It is another one than the one that was listed.
    Changed,
    /// Its record describes something else.
    Disagrees,
    /// Another command is reading it.
    Read,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "it is already gone",
            Self::Changed => "it changed in the meantime",
            Self::Disagrees => "its record does not match it",
            Self::Read => "another command is reading it",
        })
    }
}

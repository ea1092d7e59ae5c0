//! A checkout from one branch to another, as the hooks see it.

use crate::git::branch::Branch;

/// A checkout from one branch to another.
pub(super) struct Switch {
    /// The branch that is left; `None` for a detached HEAD.
    pub(super) left: Option<String>,
    /// The branch that is entered.
    pub(super) entered: Option<Branch>,
    /// The commits before and after.
    pub(super) commits: (String, String),
    /// Whether there was a switch before it that the hooks did not see; `left` is the branch where they
    /// saw the database last.
    pub(super) unseen: bool,
}

impl Switch {
    pub(super) fn left_name(&self) -> &str {
        self.left.as_deref().unwrap_or("")
    }
}

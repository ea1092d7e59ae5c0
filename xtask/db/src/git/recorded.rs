//! The state of git in a backup's record: the state of the worktree, and the branch that was entered.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// State of the worktree in a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Git {
    /// The branch; `None` if HEAD is detached.
    pub branch: Option<String>,
    /// The commit, 40 hex digits; `None` before the first one.
    pub commit: Option<String>,
    /// Whether tracked files differed from the commit.
    pub dirty: bool,
    /// `.` for the main worktree, else the linked one's name.
    pub worktree: String,
    /// How the branch's reflog begins: the commit, a space, and the second of the creation since 1970.
    /// It distinguishes the branch from an older one of its name, whatever the clock did since. `None`
    /// if HEAD is detached or git keeps no reflog, and in records of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch_created: Option<String>,
    /// The line of HEAD's reflog with which the branch was left, in a checkpoint of that moment: the
    /// commit before, the one after and the second since 1970, with spaces between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    /// Fields of other builds.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// The branch that was entered for the first time when a checkpoint was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enters {
    /// The branch.
    pub branch: String,
    /// The branch that was left; `None` if HEAD was detached.
    pub base: Option<String>,
    /// The commit that was left, 40 hex digits; `None` before the first one.
    pub commit: Option<String>,
    /// The first entry of the branch's reflog, which distinguishes a branch from a later one of the
    /// same name; `None` if git keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Fields of other builds.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

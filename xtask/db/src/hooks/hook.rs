//! The hooks that have a block of ours.

use std::str::FromStr;

/// The hooks that have a block of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// A checkpoint before a commit that touches schema files.
    PreCommit,
    /// Its name in the commit message.
    PrepareCommitMsg,
    /// A checkpoint when the branch is switched.
    PostCheckout,
    /// A checkpoint when a merge changed schema files.
    PostMerge,
    /// A checkpoint when a rebase or an amendment changed schema files.
    PostRewrite,
}

impl Hook {
    /// All hooks, in the order in which a user meets them.
    pub(crate) const ALL: [Self; 5] = [
        Self::PreCommit,
        Self::PrepareCommitMsg,
        Self::PostCheckout,
        Self::PostMerge,
        Self::PostRewrite,
    ];

    /// The name of its file.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PrepareCommitMsg => "prepare-commit-msg",
            Self::PostCheckout => "post-checkout",
            Self::PostMerge => "post-merge",
            Self::PostRewrite => "post-rewrite",
        }
    }
}

impl FromStr for Hook {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|hook| hook.word() == word).ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().map(|hook| hook.word()).collect();
            format!("the hooks are {}", words.join(", "))
        })
    }
}

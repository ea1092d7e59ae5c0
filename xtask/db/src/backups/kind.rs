//! The kind of a backup: what created it, and why.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a backup was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The user asked for it.
    Manual,
    /// A restore kept the state that it replaced.
    Safety,
    /// Before a commit that touches schema files.
    PreCommit,
    /// At a branch switch.
    Branch,
    /// Before a migration.
    PreMigrate,
    /// Before a deployment.
    PreDeploy,
    /// By a scheduler such as cron.
    Scheduled,
}

impl Kind {
    /// The word in records, lists and flags.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Safety => "safety",
            Self::PreCommit => "pre-commit",
            Self::Branch => "branch",
            Self::PreMigrate => "pre-migrate",
            Self::PreDeploy => "pre-deploy",
            Self::Scheduled => "scheduled",
        }
    }

    /// All kinds, in the order of the documentation.
    pub(crate) const ALL: [Self; 7] = [
        Self::Manual,
        Self::Safety,
        Self::PreCommit,
        Self::Branch,
        Self::PreMigrate,
        Self::PreDeploy,
        Self::Scheduled,
    ];

    /// Whether such backups are taken automatically; the policy that runs by itself counts and
    /// removes only these.
    #[must_use]
    pub(crate) fn is_automatic(self) -> bool {
        match self {
            Self::PreCommit | Self::Branch | Self::PreMigrate | Self::Scheduled => true,
            Self::Manual | Self::Safety | Self::PreDeploy => false,
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().map(|kind| kind.word()).collect();
            format!("the kinds are {}", words.join(", "))
        })
    }
}

//! What a receipt plans, and the words for it.

use crate::serve::documents::backup::Backup;
use crate::serve::documents::diff::Difference;
use crate::serve::documents::failure::Failure;
use crate::serve::documents::import::Import;
use crate::serve::documents::prune::Prune;
use crate::serve::documents::restore::Plan;
use crate::serve::pages::web_address;

/// The plan.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Planned<'a> {
    Restore {
        plan: &'a Plan,
        backup: &'a Backup,
        /// From the backup to the live database.
        since: Option<&'a Difference>,
    },
    Prune(&'a Prune),
    Import(&'a Import),
    /// There can be no plan.
    Refused {
        failure: &'a Failure,
        /// The uploaded file, for another plan.
        upload: Option<&'a str>,
    },
}

impl Planned<'_> {
    /// Whether there is nothing to confirm.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Restore { .. } | Self::Import(Import::New(_)) => false,
            Self::Prune(prune) => prune.doomed().next().is_none() && prune.store.freed_bytes == 0,
            Self::Import(Import::Merge(merge)) => merge.inserted + merge.replaced == 0,
            Self::Refused { .. } => true,
        }
    }

    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::Restore { plan, .. } if plan.tables.is_empty() => "Restore this backup?",
            Self::Restore { .. } => "Restore these tables?",
            Self::Prune(_) if self.is_empty() => "Nothing to prune",
            Self::Prune(_) => "Remove these backups?",
            Self::Import(_) if self.is_empty() => "Nothing new in this file",
            Self::Import(_) => "Import this file?",
            Self::Refused { .. } => "This cannot be done as it is",
        }
    }

    pub(super) fn button(&self) -> String {
        match self {
            Self::Restore { .. } => "Restore now".to_owned(),
            Self::Prune(prune) => match prune.doomed().count() {
                0 => "Repack now".to_owned(),
                1 => "Remove 1 backup".to_owned(),
                n => format!("Remove {n} backups"),
            },
            Self::Import(_) | Self::Refused { .. } => "Import now".to_owned(),
        }
    }

    pub(super) fn is_destructive(&self) -> bool {
        matches!(self, Self::Prune(_))
    }

    pub(super) fn origin(&self) -> String {
        match self {
            Self::Restore { backup, .. } => web_address::backup(&backup.name),
            Self::Prune(_) | Self::Refused { upload: None, .. } => "/".to_owned(),
            Self::Import(_) | Self::Refused { upload: Some(_), .. } => "/import".to_owned(),
        }
    }
}

//! A reference that means several backups, and what to choose among them by.

use chrono::{DateTime, FixedOffset};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;

/// How many of them are shown.
const MAX_SHOWN: usize = 10;

/// Several backups match, newest first.
#[derive(Debug)]
pub(crate) struct Ambiguous {
    reference: String,
    by: By,
    backups: Vec<Backup>,
}

/// What they have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The label.
    Label,
    /// The beginning of the name or of the time; one of them may have it as its label.
    Beginning,
}

impl Ambiguous {
    pub(super) fn of(reference: &str, by: By, backups: &[&Backup]) -> Self {
        let backups = backups.iter().map(|backup| (*backup).clone()).collect();
        Self { reference: reference.to_owned(), by, backups }
    }

    /// The refusal to choose: the age, kind and branch of each, and the command that `again` makes for
    /// the newest.
    #[must_use]
    pub(crate) fn refusal(
        &self,
        now: DateTime<FixedOffset>,
        again: impl Fn(&Backup) -> Option<String>,
    ) -> Refusal {
        let mut shown: Vec<_> =
            self.backups.iter().take(MAX_SHOWN).map(|backup| described(backup, now)).collect();
        if self.backups.len() > MAX_SHOWN {
            let n_more = self.backups.len() - MAX_SHOWN;
            shown.push(format!("and {n_more} more, see `cargo xtask db-list`"));
        }
        let newest = self.backups.first();
        let example = newest.and_then(again).map(|command| format!(", e.g. `{command}`"));
        let example = example.unwrap_or("; `cargo xtask db-list` shows all backups".to_owned());
        let hint = match self.by {
            By::Label => {
                format!("`cargo xtask db-label` changes a label; or give the name of one{example}")
            }
            By::Beginning => format!("give the name of one{example}"),
        };
        let what = format!("{self}: {}", shown.join(", "));
        Refusal { what, hint, exit: Exit::CouldNot }
    }
}

impl std::fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n = text::count(self.backups.len() as u64, "backup");
        let verb = match self.by {
            By::Label => "is the label of",
            By::Beginning => "means",
        };
        write!(f, "`{}` {verb} {n}", text::plain(&self.reference))
    }
}

impl std::error::Error for Ambiguous {}

/// A backup with what tells it from others.
fn described(backup: &Backup, now: DateTime<FixedOffset>) -> String {
    let kind = backup.kind().map_or("no record", Kind::word).to_owned();
    let facts: Vec<_> = std::iter::once(kind).chain(backup.branch_at_commit()).collect();
    let age = text::age(backup.age(now));
    format!("`{}` ({age} ago, {})", backup.name, text::plain(&facts.join(", ")))
}

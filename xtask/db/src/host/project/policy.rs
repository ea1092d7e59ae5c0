//! The retention policy that a project configures.

use crate::console::text::{self, Span};

/// A retention policy; zero and `None` mean that a rule is not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Keep the newest N.
    pub last: u32,
    /// Keep the newest of each of N hours.
    pub hourly: u32,
    /// Keep the newest of each of N days.
    pub daily: u32,
    /// Keep the newest of each of N ISO weeks.
    pub weekly: u32,
    /// Keep the newest of each of N months.
    pub monthly: u32,
    /// Keep the newest of each of N years.
    pub yearly: u32,
    /// Keep all within this span before the newest.
    pub within: Option<Span>,
    /// Keep all that have one of these labels.
    pub labels: Vec<String>,
    /// The size that the kept ones may take up together.
    pub max_size_bytes: Option<u64>,
}

impl Policy {
    /// Whether no rule is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The policy in words, e.g. `the last 10, all within 30d, 2.0 GB at most`.
    #[must_use]
    pub(crate) fn words(&self) -> String {
        let rules = [
            (self.last, "the last"),
            (self.hourly, "hourly"),
            (self.daily, "daily"),
            (self.weekly, "weekly"),
            (self.monthly, "monthly"),
            (self.yearly, "yearly"),
        ];
        let set = rules.iter().filter(|(n, _)| *n > 0);
        let mut words: Vec<String> = set.map(|(n, word)| format!("{word} {n}")).collect();
        words.extend(self.within.map(|span| format!("all within {span}")));
        words.extend(self.labels.iter().map(|label| format!("all labelled \"{label}\"")));
        words.extend(self.max_size_bytes.map(|size| format!("{} at most", text::size(size))));
        words.join(", ")
    }

    /// Whether any rule keeps backups; without one, all backups are kept up to `max-size`.
    pub(crate) fn has_keep_rules(&self) -> bool {
        !Self { max_size_bytes: None, ..self.clone() }.is_empty()
    }
}

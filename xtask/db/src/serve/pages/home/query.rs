//! The filters, the order and the page of the table, as the query of the address has them.

use serde::Deserialize;

use crate::serve::documents::backup::{Backup, State};
use crate::serve::pages::web_address::encode;

/// Backups on one page of the table.
pub(crate) const PAGE_ROWS: usize = 25;

/// The query of the first page. A word that means nothing is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Query {
    pub(crate) db: String,
    pub(crate) kind: String,
    pub(crate) branch: String,
    pub(crate) state: String,
    /// Words that a backup must contain.
    pub(crate) q: String,
    pub(crate) sort: String,
    pub(crate) order: String,
    pub(crate) page: String,
}

/// What the table is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Time,
    Kind,
    Branch,
    Label,
    Size,
    New,
    State,
}

impl Sort {
    /// All columns that the table can be ordered by.
    pub(crate) const ALL: [Self; 7] =
        [Self::Time, Self::Kind, Self::Branch, Self::Label, Self::Size, Self::New, Self::State];

    /// The word in the query.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Kind => "kind",
            Self::Branch => "branch",
            Self::Label => "label",
            Self::Size => "size",
            Self::New => "new",
            Self::State => "state",
        }
    }

    /// Whether a first click shows the largest first.
    fn begins_with_largest(self) -> bool {
        matches!(self, Self::Time | Self::Size | Self::New | Self::State)
    }
}

impl Query {
    /// What the table is ordered by.
    #[must_use]
    pub(crate) fn sort(&self) -> Sort {
        Sort::ALL.into_iter().find(|sort| sort.word() == self.sort).unwrap_or(Sort::Time)
    }

    /// Whether the largest, or newest, comes first.
    #[must_use]
    pub(crate) fn is_descending(&self) -> bool {
        match self.order.as_str() {
            "asc" => false,
            "desc" => true,
            _ => self.sort().begins_with_largest(),
        }
    }

    /// Number of the page, from 1.
    #[must_use]
    pub(crate) fn page_number(&self) -> usize {
        self.page.parse().unwrap_or(1).max(1)
    }

    /// Whether the table shows less than all backups.
    #[must_use]
    pub(crate) fn has_filters(&self) -> bool {
        [&self.kind, &self.branch, &self.state, &self.q].iter().any(|filter| !filter.is_empty())
    }

    /// The backups that match, in order.
    #[must_use]
    pub(crate) fn select<'b>(&self, backups: &'b [Backup]) -> Vec<&'b Backup> {
        let words: Vec<String> = self.q.split_whitespace().map(str::to_lowercase).collect();
        let mut selected: Vec<_> =
            backups.iter().filter(|backup| self.matches(backup, &words)).collect();
        let sort = self.sort();
        // They come newest first, and equal ones stay so.
        match (sort, self.is_descending()) {
            (Sort::Time, true) => {}
            (Sort::Time, false) => selected.reverse(),
            (_, true) => selected.sort_by(|a, b| compare(b, a, sort)),
            (_, false) => selected.sort_by(|a, b| compare(a, b, sort)),
        }
        selected
    }

    fn matches(&self, backup: &Backup, words: &[String]) -> bool {
        let is = |filter: &str, value: &str| filter.is_empty() || filter == value;
        is(&self.kind, backup.kind())
            && is(&self.branch, backup.branch().unwrap_or_default())
            && is(&self.state, backup.state().word())
            && (words.is_empty() || {
                let text = searched(backup);
                words.iter().all(|word| text.contains(word))
            })
    }

    /// The link that orders by a column; a second click turns the order around.
    #[must_use]
    pub(crate) fn sorted_by(&self, sort: Sort) -> String {
        let is_descending =
            if sort == self.sort() { !self.is_descending() } else { sort.begins_with_largest() };
        let order = if is_descending { "desc" } else { "asc" };
        Self {
            sort: sort.word().to_owned(),
            order: order.to_owned(),
            page: String::new(),
            ..self.clone()
        }
        .link()
    }

    /// The link to another page of the table.
    #[must_use]
    pub(crate) fn at_page(&self, page: usize) -> String {
        Self { page: page.to_string(), ..self.clone() }.link()
    }

    /// The address of this query.
    #[must_use]
    pub(crate) fn link(&self) -> String {
        let fields = [
            ("db", &self.db),
            ("kind", &self.kind),
            ("branch", &self.branch),
            ("state", &self.state),
            ("q", &self.q),
            ("sort", &self.sort),
            ("order", &self.order),
            ("page", &self.page),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<_> =
            given.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        if pairs.is_empty() {
            "/#backups".to_owned()
        } else {
            format!("/?{}#backups", pairs.join("&"))
        }
    }
}

fn compare(a: &Backup, b: &Backup, sort: Sort) -> std::cmp::Ordering {
    match sort {
        Sort::Time => a.created_at.cmp(&b.created_at),
        Sort::Kind => a.kind().cmp(b.kind()),
        Sort::Branch => a.branch().cmp(&b.branch()),
        Sort::Label => a.label.cmp(&b.label),
        Sort::Size => a.size_bytes.cmp(&b.size_bytes),
        Sort::New => a.new_bytes().cmp(&b.new_bytes()),
        Sort::State => rank(a.state()).cmp(&rank(b.state())),
    }
}

fn rank(state: State) -> usize {
    State::ALL.into_iter().position(|known| known == state).unwrap_or_default()
}

/// What the words of a search are looked for in.
fn searched(backup: &Backup) -> String {
    let parts = [
        &*backup.name,
        backup.label.as_deref().unwrap_or_default(),
        backup.branch().unwrap_or_default(),
        backup.commit().unwrap_or_default(),
        backup.kind(),
        if backup.pinned { "pinned" } else { "" },
    ];
    parts.join(" ").to_lowercase()
}

#[cfg(test)]
mod tests;

//! The columns of two tables side by side.

use crate::rows::diff::table_pair::Pair;
use crate::sqlite::schema::Nature;

/// How the columns of a pair are.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// How many are in both.
    pub n_shared: usize,
    /// Columns among those that are computed now.
    pub computed: Vec<usize>,
}

impl Shape {
    /// The shape of a pair.
    pub(super) fn of(pair: &Pair<'_>) -> Self {
        let is_computed = |at: &usize| {
            let column = pair.columns_after.get(*at).and_then(|c| pair.after.column(&c.shown));
            column.is_some_and(|c| !matches!(c.nature, Nature::Ordinary | Nature::Hidden))
        };
        let computed = (0..pair.n_shared).filter(is_computed).collect();
        Self { n_shared: pair.n_shared, computed }
    }

    /// Whether a column that both have is computed now.
    pub(super) fn is_computed(&self, at: usize) -> bool {
        self.computed.contains(&at)
    }
}

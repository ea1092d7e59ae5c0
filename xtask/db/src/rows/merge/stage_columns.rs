//! The names of a stage's columns in SQL: for each column of a layout the value here and, if they
//! are kept, the file's own and that of the row that stays; and the locator of the row here.

/// The columns of a stage, either of a row with an alias or without one. Columns are given by their
/// places in [`Layout::columns`](crate::rows::merge::layout::Layout::columns) or in its locator.
#[derive(Debug, Clone, Copy)]
pub(super) struct StageColumns<'a> {
    /// The alias of the row; empty if there is none.
    alias: &'a str,
}

impl<'a> StageColumns<'a> {
    /// Without an alias.
    pub(super) const BARE: Self = Self { alias: "" };

    /// The columns of the row with this alias.
    #[must_use]
    pub(super) const fn of(alias: &'a str) -> Self {
        Self { alias }
    }

    /// The value as it will be here: references are translated in it.
    #[must_use]
    pub(super) fn value(self, at: usize) -> String {
        self.column('c', at)
    }

    /// The file's own value; only there if the layout keeps it.
    #[must_use]
    pub(super) fn original(self, at: usize) -> String {
        self.column('o', at)
    }

    /// The value of the row of the database that was found; present only if others refer to the
    /// column.
    #[must_use]
    pub(super) fn found(self, at: usize) -> String {
        self.column('f', at)
    }

    /// A column of the locator, by which the row here is found again.
    #[must_use]
    pub(super) fn locator(self, at: usize) -> String {
        self.column('t', at)
    }

    /// All `n` columns of a locator, as a list.
    #[must_use]
    pub(super) fn locators(self, n: usize) -> String {
        (0..n).map(|at| self.locator(at)).collect::<Vec<_>>().join(", ")
    }

    fn column(self, kind: char, at: usize) -> String {
        match self.alias {
            "" => format!("{kind}{at}"),
            alias => format!("{alias}.{kind}{at}"),
        }
    }
}

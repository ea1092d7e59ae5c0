//! By which name the rowid of a table is reached.

use crate::sqlite::schema::{Column, Storage, Table};

impl Table {
    /// The column that is the rowid, if one is (<https://sqlite.org/lang_createtable.html#rowid>).
    #[must_use]
    pub(crate) fn rowid_column(&self) -> Option<&Column> {
        let mut key = self.columns.iter().filter(|column| column.key_position > 0);
        match (key.next(), key.next()) {
            (Some(column), None) => Some(column).filter(|column| self.keeps_rowids_in(column)),
            _ => None,
        }
    }

    /// A name for the rowid that no column has.
    #[must_use]
    pub(crate) fn free_rowid_name(&self) -> Option<&'static str> {
        ["rowid", "_rowid_", "oid"].into_iter().find(|name| self.column(name).is_none())
    }

    /// The column that is the rowid, else a name for it that no column has.
    #[must_use]
    pub(crate) fn rowid_name(&self) -> Option<String> {
        let column = self.rowid_column().map(|column| column.name.clone());
        column.or_else(|| self.free_rowid_name().map(str::to_owned))
    }

    /// Whether the only column of the key is the rowid.
    fn keeps_rowids_in(&self, column: &Column) -> bool {
        self.storage == Storage::Rowid
            && column.declared_type.eq_ignore_ascii_case("integer")
            && !column.definition.contains("primary key desc")
    }
}

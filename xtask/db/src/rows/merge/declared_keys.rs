//! The keys and references that the configuration declares, looked up in the schema.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::project::Database;
use crate::rows::merge::keys::Reference;
use crate::sqlite::declared_references::{self, Declared, Resolved};
use crate::sqlite::schema::{Schema, Table};

/// The declarations in the configuration.
pub(super) struct Said<'a> {
    /// Columns that identify a row, by table.
    pub merge_key: &'a BTreeMap<String, Vec<String>>,
    /// Tables whose primary key is just a number.
    pub renumber: &'a [String],
    /// References without a foreign key, and columns that are none.
    pub declared: Resolved,
}

impl<'a> Said<'a> {
    /// The declarations for a database with this schema.
    ///
    /// # Errors
    ///
    /// A refusal if `references` names something that does not exist.
    pub(super) fn of(database: &'a Database, schema: &Schema) -> Result<Self> {
        let declared = declared_references::resolve(&database.references, schema)?;
        let Database { merge_key, renumber, .. } = database;
        Ok(Self { merge_key, renumber, declared })
    }

    /// Adds the declared references of a table to its foreign keys.
    ///
    /// # Errors
    ///
    /// A refusal if a foreign key contradicts one.
    pub(super) fn add_to(&self, references: &mut Vec<Reference>, table: &Table) -> Result<()> {
        let name = table.name.to_ascii_lowercase();
        for reference in references.iter() {
            if let [from] = reference.from.as_slice()
                && self.contradicts(&name, from, reference)
            {
                return Err(Refusal::could_not(
                    format!(
                        "`references` contradicts the foreign key of `{}.{}`, which refers to `{}`",
                        text::plain(&table.name),
                        text::plain(from),
                        text::plain(&reference.parent)
                    ),
                    "remove it from `references` in `Cargo.toml`; the database is untouched",
                ));
            }
        }
        for declared in self.about(&name) {
            let is_it = |known: &Reference| {
                known.from.len() == 1 && known.from[0].eq_ignore_ascii_case(&declared.from)
            };
            if declared.only.is_some() || !references.iter().any(is_it) {
                references.push(declared.clone().into());
            }
        }
        Ok(())
    }

    /// Whether it declares anything about the only column of a reference.
    #[must_use]
    pub(super) fn is_about(&self, table: &str, reference: &Reference) -> bool {
        let [from] = reference.from.as_slice() else { return false };
        self.is_none(table, from)
            || self.about(table).any(|declared| declared.from.eq_ignore_ascii_case(from))
    }

    /// Whether it declares that a column refers to nothing.
    #[must_use]
    pub(super) fn is_none(&self, table: &str, column: &str) -> bool {
        let place = (table.to_ascii_lowercase(), column.to_ascii_lowercase());
        self.declared.none.contains(&place)
    }

    /// Whether it declares which table a kind means, or that it means none.
    #[must_use]
    pub(super) fn is_kind_known(&self, table: &str, column: &str, value: &str) -> bool {
        let (table, column) = (table.to_ascii_lowercase(), column.to_ascii_lowercase());
        let is_it = |declared: &Declared| {
            declared.from.eq_ignore_ascii_case(&column)
                && declared.only.as_ref().is_some_and(|only| only.value == value)
        };
        self.about(&table).any(is_it)
            || self.declared.no_table.contains(&(table, column, value.to_owned()))
    }

    /// The column of a table's numbers, if the configuration declares that they mean nothing elsewhere.
    #[must_use]
    pub(super) fn renumbered<'t>(&self, table: &'t Table) -> Option<&'t str> {
        let is_named = self.renumber.iter().any(|name| name.eq_ignore_ascii_case(&table.name));
        let mut key = table.columns.iter().filter(|column| column.key_position > 0);
        match (key.next(), key.next()) {
            (Some(column), None) if is_named => Some(&column.name),
            _ => None,
        }
    }

    fn about(&self, table: &str) -> impl Iterator<Item = &Declared> {
        self.declared.references.iter().filter(move |declared| declared.child == table)
    }

    fn contradicts(&self, table: &str, from: &str, reference: &Reference) -> bool {
        let is_other = |declared: &Declared| {
            declared.from.eq_ignore_ascii_case(from)
                && (declared.only.is_some()
                    || declared.parent != reference.parent
                    || !reference.to.iter().all(|to| to.eq_ignore_ascii_case(&declared.to)))
        };
        self.is_none(table, from) || self.about(table).any(is_other)
    }
}

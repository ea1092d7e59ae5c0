//! References that the configuration declares and the schema does not: columns that refer to
//! rows of a table without a foreign key, columns that only look like references, and tables whose
//! numbers mean nothing elsewhere.

pub(crate) mod lines;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::console::nearest_word::nearest;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::sqlite::schema::{Schema, Storage, Table};

/// The references of columns, by table and column.
pub type References = BTreeMap<String, BTreeMap<String, Referent>>;

/// The table that one column refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referent {
    /// Rows of this table, by its primary key.
    Table(String),
    /// Rows of the table that another column names.
    By {
        /// Column that names the table.
        column: String,
        /// Table for each of its values; `None` if the value belongs to no table.
        tables: BTreeMap<String, Option<String>>,
    },
    /// Nothing, whatever its name suggests.
    Nothing,
}

/// One reference as the schema has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    /// The table that refers, in lower case.
    pub child: String,
    /// The column that refers, as the table spells it.
    pub from: String,
    /// The table that it refers to, in lower case.
    pub parent: String,
    /// The column there, the primary key.
    pub to: String,
    /// The rows that refer; all of them if there is no condition.
    pub only: Option<Only>,
}

/// The rows of a table whose column has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Only {
    /// The column, as the table spells it.
    pub column: String,
    /// The value.
    pub value: String,
}

/// All that is declared, as the schema has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolved {
    /// The references.
    pub references: Vec<Declared>,
    /// Tables and columns that refer to nothing, in lower case.
    pub none: BTreeSet<(String, String)>,
    /// The same for single values of the column that names the table.
    pub no_table: BTreeSet<(String, String, String)>,
}

/// The condition that an expression refers to a row of a table, by one of its columns: applications without foreign
/// keys write 0 or an empty text for none, unless there is such a row.
#[must_use]
pub(crate) fn refers(expression: &str, table: &str, to: &str) -> String {
    format!(
        "({expression} IS NOT NULL AND ({expression} NOT IN (0, '')
           OR EXISTS (SELECT 1 FROM {table} AS z WHERE z.{to} = +{expression})))"
    )
}

impl Only {
    /// The condition, about the column as an expression.
    #[must_use]
    pub(crate) fn is(&self, column: &str) -> String {
        format!("{column} = '{}'", self.value.replace('\'', "''"))
    }
}

/// Resolves the declared references in a schema.
///
/// # Errors
///
/// A refusal that names the nearest one if a table or a column is not there, or cannot refer or be referred to.
pub(crate) fn resolve(references: &References, schema: &Schema) -> Result<Resolved> {
    let mut resolved = Resolved::default();
    for (child, columns) in references {
        let child = table(schema, child)?;
        for (from, target) in columns {
            let from = column(child, from)?;
            let one = One { schema, child, from };
            match target {
                Referent::Nothing => drop(resolved.none.insert(one.place())),
                Referent::Table(parent) => resolved.references.push(one.to(parent, None)?),
                Referent::By { column: by, tables } => one.by(by, tables, &mut resolved)?,
            }
        }
    }
    Ok(resolved)
}

/// The declared references to follow.
#[derive(Debug, Clone)]
pub(crate) enum Followed {
    /// All of them; the tables and columns that they name must exist.
    All(References),
    /// Those that an older state has, whatever the current one has.
    Known(References),
}

impl Default for Followed {
    fn default() -> Self {
        Self::All(References::new())
    }
}

impl Followed {
    /// Finds them in a schema.
    ///
    /// # Errors
    ///
    /// As [`resolve`], unless an older state may lack them.
    pub(crate) fn within(&self, schema: &Schema) -> Result<Resolved> {
        let references = match self {
            Self::All(references) => return resolve(references, schema),
            Self::Known(references) => references,
        };
        let mut known = Resolved::default();
        for (table, columns) in references {
            for (column, referent) in columns {
                let columns = BTreeMap::from([(column.clone(), referent.clone())]);
                let one = References::from([(table.clone(), columns)]);
                if let Ok(one) = resolve(&one, schema) {
                    known.references.extend(one.references);
                }
            }
        }
        Ok(known)
    }
}

/// One column that refers.
struct One<'s> {
    schema: &'s Schema,
    child: &'s Table,
    from: &'s str,
}

impl One<'_> {
    fn place(&self) -> (String, String) {
        (self.child.name.to_ascii_lowercase(), self.from.to_ascii_lowercase())
    }

    fn to(&self, parent: &str, only: Option<Only>) -> Result<Declared> {
        let parent = table(self.schema, parent)?;
        let key = parent.primary_key();
        let [to] = key.as_slice() else {
            return Err(wrong(
                &format!(
                    "declares that `{}.{}` refers to `{}`, which has no primary key of one column",
                    text::plain(&self.child.name),
                    text::plain(self.from),
                    text::plain(&parent.name)
                ),
                "",
            ));
        };
        let (child, from) = (self.child.name.to_ascii_lowercase(), self.from.to_owned());
        let parent = parent.name.to_ascii_lowercase();
        Ok(Declared { child, from, parent, to: to.clone(), only })
    }

    fn by(
        &self,
        by: &str,
        tables: &BTreeMap<String, Option<String>>,
        resolved: &mut Resolved,
    ) -> Result<()> {
        let by = column(self.child, by)?;
        for (value, parent) in tables {
            if let Some(parent) = parent {
                let only = Only { column: by.to_owned(), value: value.clone() };
                resolved.references.push(self.to(parent, Some(only))?);
            } else {
                let (table, column) = self.place();
                resolved.no_table.insert((table, column, value.clone()));
            }
        }
        Ok(())
    }
}

/// A table whose rows can refer and be referred to.
///
/// # Errors
///
/// A refusal if there is none of that name.
fn table<'s>(schema: &'s Schema, name: &str) -> Result<&'s Table> {
    let is_ordinary = |table: &&Table| !matches!(table.storage, Storage::Virtual(_));
    if let Some(table) = schema.table(name).filter(is_ordinary) {
        return Ok(table);
    }
    let known = schema.tables.values().filter(is_ordinary).map(|table| table.name.as_str());
    let near = nearest(known, name);
    Err(wrong(
        &format!("names the table `{}`, which does not exist here", text::plain(name)),
        &near,
    ))
}

fn column<'t>(table: &'t Table, name: &str) -> Result<&'t str> {
    if let Some(column) = table.column(name) {
        return Ok(&column.name);
    }
    let near = nearest(table.columns.iter().map(|column| column.name.as_str()), name);
    let (name, table) = (text::plain(name), text::plain(&table.name));
    Err(wrong(&format!("names the column `{name}`, which `{table}` does not have"), &near))
}

fn wrong(what: &str, near: &str) -> anyhow::Error {
    Refusal::could_not(
        format!("`references` {what}{near}"),
        "correct it in `Cargo.toml`; the database is untouched",
    )
}

#[cfg(test)]
mod tests;

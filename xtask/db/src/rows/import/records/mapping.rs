//! The value that each column gets: a field of each record, or one value for all.

use anyhow::Result;
use rusqlite::types::Value;
use xtask_db_format::records::{Field, Found, Pointer};

use crate::console::nearest_word::nearest;
use crate::console::refusal::Refusal;
use crate::rows::import::records::conversion::Takes;
use crate::sqlite::connection::quoted;
use crate::sqlite::schema::{Column, Nature, Storage, Table};

/// The source of each column.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// The table.
    pub table: String,
    /// Whether its types are enforced.
    pub is_strict: bool,
    /// Whether the user named the field; otherwise each column gets the field with its name.
    pub is_explicit: bool,
    /// Its columns that take something, in the table's order.
    pub columns: Vec<Mapped>,
    /// All of its columns to which values can be written.
    all: Vec<String>,
}

/// A column that takes something.
#[derive(Debug)]
pub(crate) struct Mapped {
    /// The column.
    pub column: Column,
    /// Its source.
    pub takes: Takes,
    /// Source of its values.
    pub source: Source,
    /// Whether it numbers the rows: then all records have it, or none.
    pub is_number: bool,
}

/// The source of a column's values.
#[derive(Debug)]
pub(crate) enum Source {
    /// A field of each record.
    Field(Field),
    /// The user.
    Constant(Value),
}

impl Mapping {
    /// The user's settings for a table: `COLUMN=FIELD` and `COLUMN=VALUE`.
    ///
    /// # Errors
    ///
    /// A refusal if a column is unknown, computed, named twice, or would be empty though it must
    /// not be.
    pub(crate) fn of(table: &Table, fields: &[String], values: &[String]) -> Result<Self> {
        if let Storage::Virtual(module) = &table.storage {
            return Err(Refusal::could_not(
                format!(
                    "`{}` is a virtual table of `{module}`, which accepts no records",
                    table.name
                ),
                "import into the table that it is built from",
            ));
        }
        let is_strict = table.constraints.iter().any(|option| option == "strict");
        let is_explicit = !fields.is_empty();
        let mut said = Vec::new();
        for text in fields {
            let (name, field) = split(text, "--map", "COLUMN=FIELD")?;
            let column = column(table, name)?;
            said.push((column, Source::Field(field_of(field)?)));
        }
        for text in values {
            let (name, value) = split(text, "--set", "COLUMN=VALUE")?;
            let column = column(table, name)?;
            said.push((column, Source::Constant(constant(column, is_strict, value)?)));
        }
        refuse_twice(&said)?;
        let mut mapping = Self {
            table: table.name.clone(),
            is_strict,
            is_explicit,
            columns: Vec::new(),
            all: ordinary(table).map(|column| column.name.clone()).collect(),
        };
        let rowid = table.rowid_column().map(|column| &column.name);
        for column in ordinary(table) {
            let is_number = rowid == Some(&column.name);
            let at = said.iter().position(|(named, _)| named.name == column.name);
            let source = match at {
                Some(at) => said.swap_remove(at).1,
                None if is_explicit && !is_needed(column, is_number) => continue,
                None if is_explicit => return Err(needed(column)),
                None => Source::Field(Field::Name(column.name.clone())),
            };
            let takes = Takes::of(column, is_strict);
            mapping.columns.push(Mapped { column: column.clone(), takes, source, is_number });
        }
        Ok(mapping)
    }

    /// Whether a member of a record is used.
    #[must_use]
    pub(crate) fn takes(&self, member: &str) -> bool {
        self.columns.iter().any(|mapped| match &mapped.source {
            Source::Field(field) => field.member() == Some(member),
            Source::Constant(_) => false,
        })
    }

    /// The names of all columns, for messages.
    #[must_use]
    pub(crate) fn listed(&self) -> String {
        let names: Vec<_> = self.all.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    }
}

impl Mapped {
    /// Whether every row needs it.
    #[must_use]
    pub(crate) fn is_needed(&self) -> bool {
        is_needed(&self.column, self.is_number)
    }

    /// Its definition in the scratch database, with the same default for missing values as in the
    /// live one.
    #[must_use]
    pub(crate) fn definition(&self) -> String {
        let (name, declared) = (quoted(&self.column.name), &self.column.declared_type);
        // A word is a text or a constant, in brackets it would be a column.
        let is_word = |text: &str| {
            text.starts_with(['"', '`', '['])
                || text.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        match &self.column.default {
            None => format!("{name} {declared}"),
            Some(default) if is_word(default) => format!("{name} {declared} DEFAULT {default}"),
            Some(default) => format!("{name} {declared} DEFAULT ({default})"),
        }
    }
}

fn ordinary(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| column.nature == Nature::Ordinary)
}

fn is_needed(column: &Column, is_number: bool) -> bool {
    column.not_null && column.default.is_none() && !is_number
}

fn needed(column: &Column) -> anyhow::Error {
    let name = &column.name;
    Refusal::could_not(
        format!("the column `{name}` needs a value, and none is mapped to it"),
        format!("pass `--map {name}=FIELD`, or `--set {name}=VALUE` for one that all rows have"),
    )
}

fn split<'t>(text: &'t str, flag: &str, form: &str) -> Result<(&'t str, &'t str)> {
    text.split_once('=').filter(|(column, _)| !column.is_empty()).ok_or_else(|| {
        Refusal::could_not(
            format!("`{flag} {text}` is not of the form `{form}`"),
            format!("pass `{flag} {form}`"),
        )
    })
}

fn column<'t>(table: &'t Table, name: &str) -> Result<&'t Column> {
    match table.column(name) {
        Some(column) if column.nature == Nature::Ordinary => Ok(column),
        Some(_) => Err(Refusal::could_not(
            format!("the column `{name}` of `{}` is computed and accepts no values", table.name),
            "leave it out: SQLite computes it",
        )),
        None => {
            let known = || ordinary(table).map(|column| column.name.as_str());
            let names: Vec<_> = known().map(|name| format!("`{name}`")).collect();
            Err(Refusal::could_not(
                format!("`{}` has no column `{name}`{}", table.name, nearest(known(), name)),
                format!("its columns are {}", names.join(", ")),
            ))
        }
    }
}

fn field_of(text: &str) -> Result<Field> {
    if text.is_empty() {
        return Err(Refusal::could_not(
            "a column is mapped to a field without a name",
            "pass `--map COLUMN=FIELD`; a field in another one is written `/outer/inner`",
        ));
    }
    if !text.starts_with('/') {
        return Ok(Field::Name(text.to_owned()));
    }
    let pointer = Pointer::parse(text).map_err(|error| {
        Refusal::could_not(error.to_string(), "a name that begins with `/` is written `/~1name`")
    })?;
    Ok(Field::At(pointer))
}

/// A value that the user typed, which is read as a field of CSV would be.
fn constant(column: &Column, is_strict: bool, text: &str) -> Result<Value> {
    let value = Takes::of(column, is_strict).value(&Found::Quoted(text));
    let refuse = |why: &str| {
        let name = &column.name;
        Refusal::could_not(
            format!("`--set {name}={text}`: the column `{name}` {why}"),
            "leave it out to use its default",
        )
    };
    match value.map_err(refuse)?.unwrap_or(Value::Null) {
        Value::Null if column.not_null => Err(refuse("must have a value")),
        value => Ok(value),
    }
}

fn refuse_twice(said: &[(&Column, Source)]) -> Result<()> {
    for (at, (column, _)) in said.iter().enumerate() {
        if said[..at].iter().any(|(before, _)| before.name == column.name) {
            return Err(Refusal::could_not(
                format!("the column `{}` is given twice", column.name),
                "pass `--map` or `--set` once for each column",
            ));
        }
    }
    Ok(())
}

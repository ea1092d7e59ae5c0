//! The changes between two schemas: one line each, and the same for `--json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::sqlite::schema::definition::normal;
use crate::sqlite::schema::{Column, Entry, Nature, Schema, Table};

/// One thing that was added, removed or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// The kind of change.
    #[serde(rename = "change")]
    pub what: What,
    /// The kind of object.
    pub kind: Kind,
    /// Its name; of a setting, the pragma's.
    pub name: String,
    /// Its name before, if only the case of its letters has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formerly: Option<String>,
    /// The table that a column, an index or a trigger belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The old state: a column's definition, a statement, a setting's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The new state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether a column was stored before and is computed now: its values are gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub loses_values: bool,
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// It exists now.
    Added,
    /// It is gone.
    Removed,
    /// It is different now.
    Changed,
}

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A table; changed if its constraints, its options or the order of its columns did.
    Table,
    /// A column of a table that both states have.
    Column,
    /// An index that was created by a statement.
    Index,
    /// A view.
    View,
    /// A trigger.
    Trigger,
    /// `user_version`, `application_id` or `encoding`.
    Setting,
    /// An object that only PostgreSQL has, by its word, e.g. `function`.
    Object(&'static str),
    /// A property of an object of PostgreSQL's, by its word: its name is that of the object.
    Property(&'static str),
}

impl What {
    /// The word in results.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

impl Kind {
    /// The word in results.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Column => "column",
            Self::Index => "index",
            Self::View => "view",
            Self::Trigger => "trigger",
            Self::Setting => "setting",
            Self::Object(word) | Self::Property(word) => word,
        }
    }
}

impl Serialize for What {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.what {
            What::Added => '+',
            What::Removed => '-',
            What::Changed => '~',
        };
        write!(f, "{sign} ")?;
        if self.kind != Kind::Setting {
            write!(f, "{} ", self.kind.word())?;
        }
        match (self.kind, &self.table) {
            (Kind::Column, Some(table)) => write!(f, "{table}.")?,
            (Kind::Property(_), _) => write!(f, "of ")?,
            _ => {}
        }
        write!(f, "{}", self.name)?;
        if let (Kind::Object(_), Some(table)) = (self.kind, &self.table) {
            write!(f, " of {table}")?;
        }
        if let Some(formerly) = &self.formerly {
            return write!(f, " (was {formerly})");
        }
        match (self.kind, &self.before, &self.after) {
            (Kind::Column | Kind::Setting | Kind::Property(_), Some(before), Some(after)) => {
                write!(f, ": {} → {}", said(before), said(after))
            }
            (Kind::Table, ..) if self.what == What::Changed => {
                write!(f, " (constraints, options or order of columns)")
            }
            _ => Ok(()),
        }
    }
}

fn said(definition: &str) -> &str {
    if definition.is_empty() { "no type" } else { definition }
}

impl Schema {
    /// The changes from this older state to a newer one, tables first.
    #[must_use]
    pub(crate) fn changes(&self, new: &Self) -> Vec<Change> {
        changes(self, new)
    }
}

/// The changes, in the order of [`Kind`].
fn changes(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut of_columns = Vec::new();
    for key in keys(&old.tables, &new.tables) {
        match (old.tables.get(key), new.tables.get(key)) {
            (Some(before), Some(after)) => {
                changes.extend(renamed(Kind::Table, &before.name, &after.name, None));
                columns(before, after, &mut of_columns);
                changes.extend(otherwise(before, after));
            }
            (before, after) => changes.push(Change {
                formerly: None,
                what: what(before.is_some()),
                kind: Kind::Table,
                name: before.or(after).map_or_else(String::new, |table| table.name.clone()),
                table: None,
                before: before.map(|table| table.sql.clone()),
                after: after.map(|table| table.sql.clone()),
                loses_values: false,
            }),
        }
    }
    changes.append(&mut of_columns);
    entries(Kind::Index, &old.indexes, &new.indexes, &mut changes);
    entries(Kind::View, &old.views, &new.views, &mut changes);
    entries(Kind::Trigger, &old.triggers, &new.triggers, &mut changes);
    others(old, new, &mut changes);
    for (name, after) in &new.settings {
        let before = old.settings.get(name).filter(|before| *before != after);
        changes.extend(before.map(|before| Change {
            formerly: None,
            what: What::Changed,
            kind: Kind::Setting,
            name: (*name).to_owned(),
            table: None,
            before: Some(before.clone()),
            after: Some(after.clone()),
            loses_values: false,
        }));
    }
    changes
}

fn others(old: &Schema, new: &Schema, changes: &mut Vec<Change>) {
    let keys: BTreeSet<_> = old.others.keys().chain(new.others.keys()).collect();
    for key in keys {
        let (before, after) = (old.others.get(key), new.others.get(key));
        if before == after {
            continue;
        }
        let is_in_both = before.is_some() && after.is_some();
        changes.push(Change {
            formerly: None,
            what: if is_in_both { What::Changed } else { what(before.is_some()) },
            kind: Kind::Object(key.0),
            name: key.1.clone(),
            table: None,
            // A definition may contain the password of another server.
            before: None,
            after: None,
            loses_values: false,
        });
    }
}

fn keys<'a, T>(old: &'a BTreeMap<String, T>, new: &'a BTreeMap<String, T>) -> BTreeSet<&'a String> {
    old.keys().chain(new.keys()).collect()
}

fn what(is_old: bool) -> What {
    if is_old { What::Removed } else { What::Added }
}

/// Names that SQLite treats as equal, although other readers may not: `Messages` and `messages`.
fn renamed(kind: Kind, old: &str, new: &str, table: Option<&str>) -> Option<Change> {
    (old != new).then(|| Change {
        what: What::Changed,
        kind,
        name: new.to_owned(),
        formerly: Some(old.to_owned()),
        table: table.map(str::to_owned),
        before: None,
        after: None,
        loses_values: false,
    })
}

fn columns(before: &Table, after: &Table, changes: &mut Vec<Change>) {
    for old in &before.columns {
        let name = after.column(&old.name).map_or(&old.name, |column| &column.name);
        changes.extend(renamed(Kind::Column, &old.name, name, Some(&after.name)));
    }
    let mut push = |what, old: Option<&Column>, new: Option<&Column>| {
        changes.push(Change {
            formerly: None,
            what,
            kind: Kind::Column,
            name: new.or(old).map_or_else(String::new, |column| column.name.clone()),
            table: Some(after.name.clone()),
            before: old.map(|column| column.definition.clone()),
            after: new.map(|column| column.definition.clone()),
            loses_values: old.is_some_and(|old| !is_computed(old)) && new.is_some_and(is_computed),
        });
    };
    for old in &before.columns {
        match after.column(&old.name) {
            None => push(What::Removed, Some(old), None),
            Some(new) if is_other(old, new) => push(What::Changed, Some(old), Some(new)),
            Some(_) => {}
        }
    }
    for new in after.columns.iter().filter(|column| before.column(&column.name).is_none()) {
        push(What::Added, None, Some(new));
    }
}

fn is_computed(column: &Column) -> bool {
    matches!(column.nature, Nature::GeneratedVirtual | Nature::GeneratedStored)
}

/// Whether a column is defined in other words. Its place in the key counts only if its own words
/// give it: otherwise the table's constraints have changed.
fn is_other(old: &Column, new: &Column) -> bool {
    old.definition != new.definition
        || old.declared_type != new.declared_type
        || old.nature != new.nature
}

/// A table that changed beyond its columns coming, going or changing.
fn otherwise(before: &Table, after: &Table) -> Option<Change> {
    let shared = |one: &Table, other: &Table| -> Vec<String> {
        let shared = one.columns.iter().filter(|column| other.column(&column.name).is_some());
        shared.map(|column| column.name.to_ascii_lowercase()).collect()
    };
    let is_other = before.constraints != after.constraints
        || before.storage != after.storage
        || shared(before, after) != shared(after, before);
    is_other.then(|| Change {
        formerly: None,
        what: What::Changed,
        kind: Kind::Table,
        name: after.name.clone(),
        table: None,
        before: Some(before.sql.clone()),
        after: Some(after.sql.clone()),
        loses_values: false,
    })
}

fn entries(
    kind: Kind,
    old: &BTreeMap<String, Entry>,
    new: &BTreeMap<String, Entry>,
    changes: &mut Vec<Change>,
) {
    for key in keys(old, new) {
        let (before, after) = (old.get(key), new.get(key));
        if let (Some(before), Some(after)) = (before, after) {
            let table = (kind != Kind::View).then_some(after.table.as_str());
            changes.extend(renamed(kind, &before.name, &after.name, table));
        }
        let what = match (before, after) {
            (Some(before), Some(after)) if normal(&before.sql) == normal(&after.sql) => continue,
            (Some(_), Some(_)) => What::Changed,
            _ => what(before.is_some()),
        };
        let Some(entry) = after.or(before) else { continue };
        changes.push(Change {
            formerly: None,
            what,
            kind,
            name: entry.name.clone(),
            table: (kind != Kind::View).then(|| entry.table.clone()),
            before: before.map(|entry| entry.sql.clone()),
            after: after.map(|entry| entry.sql.clone()),
            loses_values: false,
        });
    }
}

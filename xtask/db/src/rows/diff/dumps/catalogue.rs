//! The definitions of a dump by name, and their changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::dump::copy_target::CopyTarget;
use crate::postgres::dump_objects::{Object, SETTING, objects_of};
use crate::rows::diff::dumps::create_table::{Column, Parts};
use crate::rows::diff::dumps::statements::{
    Title, Titles, kind, primary_key, qualified, sequence_value, table_name, without_owner,
};
use crate::sqlite::schema::change::{Change, Kind, What};

/// Settings that are the same in every dump unless a tablespace or an access method was chosen.
const USUAL_SETTINGS: [&str; 2] =
    ["SET default_tablespace = '';", "SET default_table_access_method = heap;"];
/// The title of the contents of large objects, which come in many pieces.
const LARGE_OBJECTS: &str = "BLOBS";
/// Titles that only announce rows.
const ROWS: [&str; 2] = ["TABLE DATA", "STATISTICS DATA"];
/// Parts of a table, which go and come with it.
const OF_TABLE: [&str; 6] = [
    "CONSTRAINT",
    "CHECK CONSTRAINT",
    "DEFAULT",
    "SEQUENCE OWNED BY",
    "ROW SECURITY",
    "TABLE ATTACH",
];

/// The definitions of a dump.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    tables: BTreeMap<String, Table>,
    objects: BTreeMap<Id, String>,
    /// The properties of objects: word, name, value.
    properties: BTreeMap<(&'static str, String), String>,
    /// All that was read, until the tables are known.
    read: Vec<Object>,
    is_in_large_objects: bool,
    /// The columns of the rows of each table.
    rows: BTreeMap<String, Vec<String>>,
}

/// A table.
#[derive(Debug, Default)]
struct Table {
    sql: String,
    parts: Parts,
    key: Vec<String>,
}

/// What an object is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    kind: String,
    name: String,
    table: Option<String>,
}

impl Catalogue {
    /// Takes a piece of definitions.
    pub(super) fn define(&mut self, text: &[u8]) {
        let mut objects = objects_of(text);
        if objects.is_empty() && self.is_in_large_objects {
            objects.push(Object {
                kind: LARGE_OBJECTS.to_owned(),
                schema: None,
                name: LARGE_OBJECTS.to_owned(),
                sql: String::from_utf8_lossy(text).into_owned(),
            });
        }
        for mut object in objects {
            self.is_in_large_objects = object.kind == LARGE_OBJECTS;
            if self.is_in_large_objects {
                // They may be large, and of what they contain a hash is enough.
                object.sql = blake3::hash(text).to_hex().to_string();
            }
            if !ROWS.contains(&object.kind.as_str()) {
                self.read.push(object);
            }
        }
    }

    /// Takes the columns of the rows of a table.
    pub(super) fn has_rows(&mut self, target: &CopyTarget) {
        self.rows.insert(target.name.clone(), target.column_names());
    }

    /// Sorts what was read by name.
    pub(super) fn finish(&mut self) {
        let read = std::mem::take(&mut self.read);
        let mut titles = Titles::new();
        for object in read.iter().filter(|object| object.kind == "TABLE") {
            if let Some(name) = table_name(&object.sql) {
                titles.insert((object.schema.clone(), object.name.clone()), name.to_owned());
            }
        }
        let mut settings = BTreeMap::new();
        for mut object in read {
            // A view that needs a primary key is created without its query, which comes later.
            if let Some(view) =
                object.name.strip_suffix(" _RETURN").filter(|_| object.kind == "RULE")
            {
                (object.kind, object.name) = ("VIEW".to_owned(), view.to_owned());
            }
            if object.kind == SETTING {
                let key = object.sql.split(" = ").next().unwrap_or_default().to_owned();
                settings.insert(key, object.sql);
                continue;
            }
            let unusual = settings.values().filter(|line| !USUAL_SETTINGS.contains(&line.as_str()));
            let unusual = unusual.map(String::as_str).collect::<Vec<_>>().join("\n");
            self.take(object, &titles, &unusual);
        }
    }

    fn take(&mut self, object: Object, titles: &Titles, settings: &str) {
        let Object { kind, schema, name, sql } = object;
        let (mut sql, owner) = without_owner(&sql);
        let mut parts = Parts::of(&sql);
        let key = primary_key(&sql);
        let title = Title { kind: &kind, schema: schema.as_deref(), name: &name };
        let table = title.table(&sql, titles);
        if kind == "SEQUENCE SET" {
            let value = sequence_value(&sql).unwrap_or(sql);
            self.properties.insert(("value", qualified(schema.as_deref(), &name)), value);
            return;
        }
        if ["TABLE", "INDEX", "CONSTRAINT", "MATERIALIZED VIEW"].contains(&kind.as_str())
            && !settings.is_empty()
        {
            sql = format!("{settings}\n{sql}");
            parts.rest = format!("{settings}\n{}", parts.rest);
        }
        let whole = titles.get(&(schema.clone(), name.clone())).filter(|_| kind == "TABLE");
        let shown = whole.cloned().unwrap_or_else(|| title.own_name(titles));
        if let Some(owner) = owner {
            self.properties.insert(("owner", shown.clone()), owner);
        }
        if let (Some(table), Some(key)) = (&table, key) {
            self.tables.entry(table.clone()).or_default().key = key;
        }
        if kind == "TABLE" {
            let found = self.tables.entry(shown).or_default();
            (found.sql, found.parts) = (sql, parts);
            return;
        }
        let text = self.objects.entry(Id { kind, name: shown, table }).or_default();
        // Two objects may have one title, and large objects have many pieces.
        *text = if text.is_empty() {
            sql
        } else {
            blake3::hash(format!("{text}{sql}").as_bytes()).to_hex().to_string()
        };
    }

    /// The names of its tables.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().chain(self.rows.keys()).map(String::as_str)
    }

    /// The columns of the rows of a table.
    pub(super) fn columns(&self, table: &str) -> &[String] {
        self.rows.get(table).map(Vec::as_slice).unwrap_or_default()
    }

    /// The columns of its primary key; empty if it has none.
    pub(super) fn key(&self, table: &str) -> &[String] {
        self.tables.get(table).map(|table| table.key.as_slice()).unwrap_or_default()
    }

    /// The type of a column, e.g. `integer`; empty if it is not known.
    pub(super) fn column_type(&self, table: &str, column: &str) -> &str {
        let column = self.tables.get(table).and_then(|table| table.parts.column(column));
        let definition = column.map_or("", |column| column.definition.as_str());
        definition.split([' ', '(']).next().unwrap_or_default()
    }

    /// The changes from this older state to a newer one, tables first.
    pub(super) fn changes(&self, new: &Self) -> Vec<Change> {
        let (mut changes, mut of_columns) = (Vec::new(), Vec::new());
        let mut come_or_gone = BTreeSet::new();
        for name in both(&self.tables, &new.tables) {
            match (self.tables.get(name), new.tables.get(name)) {
                (Some(a), Some(b)) => {
                    columns(name, a, b, &mut of_columns);
                    if a.parts.rest != b.parts.rest || shared(a, b) != shared(b, a) {
                        changes.push(change(Kind::Table, name, Some(&a.sql), Some(&b.sql)));
                    }
                }
                (a, b) => {
                    let sql = |table: Option<&Table>| table.map(|table| table.sql.clone());
                    let (a, b) = (sql(a), sql(b));
                    changes.push(change(Kind::Table, name, a.as_deref(), b.as_deref()));
                    come_or_gone.insert(name.as_str());
                }
            }
        }
        changes.append(&mut of_columns);
        for id in both(&self.objects, &new.objects) {
            let (a, b) = (self.objects.get(id), new.objects.get(id));
            let goes_with_table =
                id.table.as_ref().is_some_and(|table| come_or_gone.contains(table.as_str()));
            if a == b || goes_with_table && OF_TABLE.contains(&id.kind.as_str()) {
                continue;
            }
            let (a, b) = (a.map(String::as_str), b.map(String::as_str));
            changes
                .push(Change { table: id.table.clone(), ..change(kind(&id.kind), &id.name, a, b) });
        }
        for key in both(&self.properties, &new.properties) {
            let (a, b) = (self.properties.get(key), new.properties.get(key));
            if let (Some(a), Some(b)) = (a, b)
                && a != b
            {
                changes.push(change(Kind::Property(key.0), &key.1, Some(a), Some(b)));
            }
        }
        changes
    }
}

fn both<'k, K: Ord, V>(a: &'k BTreeMap<K, V>, b: &'k BTreeMap<K, V>) -> BTreeSet<&'k K> {
    a.keys().chain(b.keys()).collect()
}

fn columns(name: &str, a: &Table, b: &Table, changes: &mut Vec<Change>) {
    let definition = |column: Option<&Column>| column.map(|column| column.definition.clone());
    let mut compare = |column: &str| {
        let (a, b) = (definition(a.parts.column(column)), definition(b.parts.column(column)));
        if a != b {
            let change = change(Kind::Column, column, a.as_deref(), b.as_deref());
            changes.push(Change { table: Some(name.to_owned()), ..change });
        }
    };
    a.parts.columns.iter().for_each(|column| compare(&column.name));
    let added = b.parts.columns.iter().filter(|column| a.parts.column(&column.name).is_none());
    added.for_each(|column| compare(&column.name));
}

/// The columns that another table has too, in this one's order.
fn shared<'t>(one: &'t Table, other: &Table) -> Vec<&'t str> {
    let names = one.parts.columns.iter().map(|column| column.name.as_str());
    names.filter(|name| other.parts.column(name).is_some()).collect()
}

fn change(kind: Kind, name: &str, before: Option<&str>, after: Option<&str>) -> Change {
    let what = match (before, after) {
        (None, _) => What::Added,
        (_, None) => What::Removed,
        _ => What::Changed,
    };
    Change {
        what,
        kind,
        name: name.to_owned(),
        formerly: None,
        table: None,
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        loses_values: false,
    }
}

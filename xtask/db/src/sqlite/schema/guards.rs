//! Guards of a database that are gone: indexes, triggers, views and constraints of tables that are
//! still there. No data is lost with them, until the next write.

use std::collections::BTreeMap;

use crate::sqlite::schema::definition::normal;
use crate::sqlite::schema::{Entry, Nature, Schema, Storage, Table};

/// Words of a column's definition that refuse a value.
const OF_COLUMNS: [&str; 6] =
    ["not null", "unique", "primary key", "autoincrement", "check (", "references"];

/// How the statement of a trigger ends that does nothing.
pub(crate) const DISABLED: &str = " (disabled)";

/// Describes the objects that are gone, e.g. ``index `i` of `t` ``.
#[must_use]
pub(crate) fn lost(before: &Schema, after: &Schema) -> Vec<String> {
    let mut lost = Vec::new();
    for (kind, old, new) in
        [("index", &before.indexes, &after.indexes), ("trigger", &before.triggers, &after.triggers)]
    {
        let gone = entries(old, new).into_iter().filter(|entry| is_left(after, &entry.table));
        lost.extend(gone.map(|entry| format!("{kind} `{}` of `{}`", entry.name, entry.table)));
    }
    for (key, trigger) in &after.triggers {
        let was = before.triggers.get(key).is_some_and(|trigger| !is_disabled(trigger));
        if was && is_disabled(trigger) {
            let Entry { name, table, .. } = trigger;
            lost.push(format!("trigger `{name}` of `{table}`: it is disabled"));
        }
    }
    lost.extend(entries(&before.views, &after.views).iter().map(|v| format!("view `{}`", v.name)));
    for (key, table) in &before.tables {
        if let Some(now) = after.tables.get(key)
            && !matches!(table.storage, Storage::Virtual(_))
        {
            lost.append(&mut of_table(table, now));
        }
    }
    lost
}

/// Entries that are gone, and not only under another name.
fn entries<'e>(old: &'e BTreeMap<String, Entry>, new: &BTreeMap<String, Entry>) -> Vec<&'e Entry> {
    let nameless = |entry: &Entry| {
        normal(&entry.sql).replacen(&format!(" {} ", entry.name.to_ascii_lowercase()), " ", 1)
    };
    let gone = old.iter().filter(|(key, _)| !new.contains_key(*key)).map(|(_, entry)| entry);
    gone.filter(|entry| !new.values().any(|other| nameless(other) == nameless(entry))).collect()
}

/// Whether a trigger does nothing, which only another engine knows.
fn is_disabled(trigger: &Entry) -> bool {
    trigger.sql.ends_with(DISABLED)
}

fn is_left(schema: &Schema, name: &str) -> bool {
    schema.table(name).is_some() || schema.views.contains_key(&name.to_ascii_lowercase())
}

fn of_table(before: &Table, after: &Table) -> Vec<String> {
    let mut lost = Vec::new();
    let now: Vec<_> = after.constraints.iter().map(|item| unnamed(item)).collect();
    for item in before.constraints.iter().map(|item| unnamed(item)) {
        if !now.contains(&item) {
            lost.push(format!("`{item}` of `{}`", after.name));
        }
    }
    for old in before.columns.iter().filter(|column| column.nature == Nature::Ordinary) {
        let Some(new) = after.column(&old.name) else { continue };
        for word in OF_COLUMNS {
            let of_table = |item: &&&str| item.contains(word) && item.contains(&old.name);
            if old.definition.contains(word)
                && !new.definition.contains(word)
                && !now.iter().any(|item| of_table(&item))
            {
                let word = word.trim_end_matches(" (").to_ascii_uppercase();
                lost.push(format!("{word} of `{}.{}`", after.name, old.name));
            }
        }
    }
    lost
}

/// A constraint without its name.
fn unnamed(item: &str) -> &str {
    let rest = item.strip_prefix("constraint ").and_then(|rest| rest.split_once(' '));
    rest.map_or(item, |(_, rest)| rest)
}

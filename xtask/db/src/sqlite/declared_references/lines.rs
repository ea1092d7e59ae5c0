//! Lines to paste into the configuration. They include what is configured already, because TOML
//! accepts each key only once.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::sqlite::declared_references::{References, Referent};

/// The line of `references`.
#[must_use]
pub(crate) fn references(references: &References) -> String {
    let tables = references.iter().map(|(table, columns)| {
        let columns = columns
            .iter()
            .map(|(column, target)| format!("{} = {}", key(column), of_target(target)));
        format!("{} = {}", key(table), braces(columns))
    });
    format!("references = {}", braces(tables))
}

/// The line of `merge-key`.
#[must_use]
pub(crate) fn merge_key(keys: &BTreeMap<String, Vec<String>>) -> String {
    let tables = keys.iter().map(|(table, columns)| format!("{} = {}", key(table), list(columns)));
    format!("merge-key = {}", braces(tables))
}

/// The line of `renumber`.
#[must_use]
pub(crate) fn renumber(tables: &[String]) -> String {
    format!("renumber = {}", list(tables))
}

fn of_target(target: &Referent) -> String {
    match target {
        Referent::Nothing => "false".to_owned(),
        Referent::Table(table) => quoted(table),
        Referent::By { column, tables } => {
            let tables = tables.iter().map(|(value, table)| {
                let table = table.as_ref().map_or_else(|| "false".to_owned(), |t| quoted(t));
                format!("{} = {table}", key(value))
            });
            braces(std::iter::once(format!("by = {}", quoted(column))).chain(tables))
        }
    }
}

fn braces(parts: impl Iterator<Item = String>) -> String {
    format!("{{ {} }}", parts.collect::<Vec<_>>().join(", "))
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("[{}]", names.join(", "))
}

/// A key, bare if TOML allows that.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            _ if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            _ => quoted.push(c),
        }
    }
    quoted + "\""
}

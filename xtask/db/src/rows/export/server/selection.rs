//! Which tables an export contains, in which order.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::console::nearest_word::nearest;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::export::order;
use crate::rows::export::server::tables::Found;

/// The part of a database to export.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Only these tables; all if it is empty.
    pub tables: Vec<String>,
    /// Tables whose rows are left out.
    pub without: Vec<String>,
    /// Groups of tables that the configuration knows, for messages if one is mistyped.
    pub groups: Vec<String>,
}

/// The tables of an export.
pub(super) struct Selection<'t> {
    /// Those with rows, parents before children.
    pub(super) tables: Vec<&'t Found>,
    /// All that are defined, the partitioned ones too.
    pub(super) defined: Vec<&'t Found>,
    left_out: BTreeSet<&'t str>,
}

impl<'t> Selection<'t> {
    /// Chooses among the tables of a database.
    pub(super) fn of(all: &'t [Found], wanted: &Wanted) -> Result<Self> {
        let chosen = named(all, &wanted.tables, wanted)?;
        let left_out = named(all, &wanted.without, wanted)?;
        let is_chosen =
            |table: &&Found| wanted.tables.is_empty() || chosen.contains(table.qualified.as_str());
        let defined: Vec<&Found> = all.iter().filter(is_chosen).collect();
        let with_rows: Vec<&Found> =
            defined.iter().copied().filter(|table| table.has_rows()).collect();
        Ok(Self { tables: parents_first(all, &with_rows), defined, left_out })
    }

    /// Whether only the definition of a table is wanted.
    pub(super) fn is_left_out(&self, table: &Found) -> bool {
        self.left_out.contains(table.qualified.as_str())
    }

    /// Warnings of foreign keys whose parents are not exported.
    pub(super) fn missing_parents(&self) -> Vec<String> {
        let is_here = |parent: &&String| {
            self.defined.iter().any(|table| table.qualified == **parent)
                && !self.left_out.contains(parent.as_str())
        };
        let with_rows = self.tables.iter().filter(|table| !self.is_left_out(table));
        let missing = with_rows.flat_map(|table| {
            let missing = table.parents.iter().filter(|parent| !is_here(parent));
            missing.map(|parent| {
                format!(
                    "`{}` refers to `{}`, whose rows are not in this export",
                    text::plain(&table.qualified),
                    text::plain(parent)
                )
            })
        });
        missing.collect()
    }
}

/// The qualified names of the tables that a user names; a partitioned table means its partitions.
fn named<'t>(all: &'t [Found], names: &[String], wanted: &Wanted) -> Result<BTreeSet<&'t str>> {
    let mut found = BTreeSet::new();
    for name in names {
        let exact = all.iter().find(|table| table.qualified == *name);
        let mut matching = all.iter().filter(|table| table.is_named(name));
        let table = match exact {
            Some(table) => table,
            None => match (matching.next(), matching.next()) {
                (Some(table), None) => table,
                (None, _) => return Err(unknown(all, name, wanted)),
                (Some(one), Some(other)) => return Err(ambiguous(name, one, other)),
            },
        };
        let of_table = all.iter().filter(|one| one.partition_of.contains(&table.qualified));
        found.extend(of_table.chain([table]).map(|table| table.qualified.as_str()));
    }
    Ok(found)
}

fn ambiguous(name: &str, one: &Found, other: &Found) -> anyhow::Error {
    Refusal::could_not(
        format!("there are several tables `{}`", text::plain(name)),
        format!(
            "name the schema too: `{}` or `{}`",
            text::plain(&one.qualified),
            text::plain(&other.qualified)
        ),
    )
}

fn unknown(all: &[Found], name: &str, wanted: &Wanted) -> anyhow::Error {
    let listed = |names: &mut dyn Iterator<Item = &String>| {
        names.map(|name| format!("`{}`", text::plain(name))).collect::<Vec<_>>().join(", ")
    };
    let names = all.iter().flat_map(|table| [&table.name, &table.qualified]).chain(&wanted.groups);
    let meant = nearest(names.map(String::as_str), name);
    let mut hint = match all.len() {
        0 => "the database has no tables".to_owned(),
        _ => format!("there are {}", listed(&mut all.iter().map(|table| &table.qualified))),
    };
    if !wanted.groups.is_empty() {
        hint = format!("{hint}; groups: {}", listed(&mut wanted.groups.iter()));
    }
    let what = format!("there is no table `{}`{}", text::plain(name), text::plain(&meant));
    Refusal::could_not(what, hint)
}

/// An order in which each table is after those that its foreign keys refer to, as far as no cycle forbids it;
/// otherwise by name. A reference to a partitioned table is one to its partitions.
fn parents_first<'t>(all: &'t [Found], tables: &[&'t Found]) -> Vec<&'t Found> {
    let with_partitions = |parent: &String| {
        let below = all.iter().filter(|table| table.partition_of.contains(parent));
        below.map(|table| table.qualified.clone()).chain([parent.clone()]).collect::<Vec<_>>()
    };
    let parents = |table: &Found| table.parents.iter().flat_map(with_partitions).collect();
    let graph = tables.iter().map(|table| (table.qualified.clone(), parents(table))).collect();
    let by_name: BTreeMap<&str, &Found> =
        tables.iter().map(|table| (table.qualified.as_str(), *table)).collect();
    let order = order::parents_first(&graph);
    order.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect()
}

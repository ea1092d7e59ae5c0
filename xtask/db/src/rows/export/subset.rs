//! A self-contained part of a database: the rows that match a condition, all rows that refer to
//! them through foreign keys and declared references, and the parents that all of these need.
//!
//! There are two passes, each table by table and step by step, never row by row: down to the
//! children until there are no new ones, then up to the parents. A parent that is only needed does
//! not include its other children. The chosen rows are noted in TEMP tables, so memory does not
//! grow with them, and the database is not written. SQLite itself decides what a reference means:
//! with the affinity and collation of the parent's columns, and NULL in any column refers to
//! nothing.

pub(crate) mod condition;
mod edge;
mod indexes;
mod member;
mod reference;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::export::subset::condition::Root;
use crate::rows::export::subset::edge::{Edge, End, Parts, Steps};
use crate::rows::export::subset::reference::{Obstacle, Reference};
use crate::sqlite::declared_references::Declared;
use crate::sqlite::schema::{Schema, Storage, Table};

pub(super) use crate::rows::export::subset::member::Member;

/// The choices that the schema does not make.
pub(super) struct Chosen<'c> {
    /// The rows to begin with.
    pub root: &'c Root,
    /// The tables whose rows take no part, in lower case.
    pub without: &'c BTreeSet<String>,
    /// References without a foreign key.
    pub declared: &'c [Declared],
}

/// The rows that were taken.
pub(super) struct Subset {
    members: BTreeMap<String, Member>,
    /// Remarks for the user.
    pub remarks: Vec<String>,
}

/// State while the rows are gathered.
struct Gathering<'p> {
    connection: &'p Connection,
    interrupt: &'p Interrupt,
    members: BTreeMap<String, Member>,
    edges: Vec<Edge>,
    /// References that lead to no rows, and why.
    dangling: Vec<(Reference, Obstacle)>,
}

impl Subset {
    /// Finds the rows, in the read transaction of the connection.
    ///
    /// # Errors
    ///
    /// A refusal if the root or its condition makes no sense, or no row matches it (exit 1); if
    /// SQLite cannot read; the user's interrupt.
    pub(super) fn gather(
        connection: &Connection,
        schema: &Schema,
        chosen: &Chosen<'_>,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let Chosen { root, without, declared } = chosen;
        let start = start(schema, root, without)?;
        // The noted keys go to a file, and this much of it stays in memory.
        connection.execute_batch("PRAGMA temp.cache_size = -16384")?;
        let mut gathering = Gathering {
            connection,
            interrupt,
            members: members(connection, schema, without)?,
            edges: Vec::new(),
            dangling: Vec::new(),
        };
        gathering.refuse_damaged_indexes()?;
        gathering.find_edges(schema, declared)?;
        let name = start.name.to_ascii_lowercase();
        let Some(member) = gathering.members.get(&name) else {
            return Err(cannot_be_told_apart(&root.table));
        };
        condition::choose(connection, start, member, root)?;
        let last = gathering.descend(name)?;
        gathering.ascend(last)?;
        gathering.count()?;
        let remarks = gathering.remarks()?;
        Ok(Self { members: gathering.members, remarks })
    }

    /// The chosen rows of a table; `None` if there cannot be any.
    pub(super) fn member(&self, table: &str) -> Option<&Member> {
        self.members.get(&table.to_ascii_lowercase())
    }
}

/// The table to begin with.
fn start<'s>(schema: &'s Schema, root: &Root, without: &BTreeSet<String>) -> Result<&'s Table> {
    let name = text::plain(&root.table);
    let table = schema.table(&root.table).with_context(|| format!("there is no table `{name}`"))?;
    if let Storage::Virtual(_) = table.storage {
        return Err(Refusal::could_not(
            format!("no rows can refer to `{name}`: it is a virtual table"),
            "choose the table that it is an index of, or export it with `--table`",
        ));
    }
    if without.contains(&root.table.to_ascii_lowercase()) {
        return Err(Refusal::could_not(
            format!("`--root` asks for rows of `{name}`, and `--without` leaves them out"),
            "leave one of them out",
        ));
    }
    Ok(table)
}

fn cannot_be_told_apart(table: &str) -> anyhow::Error {
    Refusal::could_not(
        format!("rows of `{}` cannot be told apart: columns hide their rowids", text::plain(table)),
        "give the table a primary key, or export all of it",
    )
}

/// The tables whose rows can be taken, none of them yet.
fn members(
    connection: &Connection,
    schema: &Schema,
    without: &BTreeSet<String>,
) -> Result<BTreeMap<String, Member>> {
    let mut members = BTreeMap::new();
    for (name, table) in &schema.tables {
        let is_virtual = matches!(table.storage, Storage::Virtual(_));
        if !is_virtual
            && !without.contains(name)
            && let Some(member) = Member::create(connection, table, members.len())?
        {
            members.insert(name.clone(), member);
        }
    }
    Ok(members)
}

impl Gathering<'_> {
    /// Refuses damaged indexes, before any row is looked up.
    fn refuse_damaged_indexes(&self) -> Result<()> {
        for name in self.members.keys() {
            self.interrupt.check()?;
            indexes::prove(self.connection, name)?;
        }
        Ok(())
    }

    /// Finds the references between members, and those that lead elsewhere.
    fn find_edges(&mut self, schema: &Schema, declared: &[Declared]) -> Result<()> {
        for (name, table) in &schema.tables {
            for reference in Reference::all_of(self.connection, table, declared)? {
                let Some(child) = self.members.get(name) else { continue };
                match (reference.obstacle(schema), self.members.get(&reference.parent)) {
                    (None, Some(member)) => {
                        let parent = End::parent(&schema.tables[&reference.parent], member);
                        let child = End::child(table, child);
                        let parts = Parts::of(&reference, self.edges.len(), parent, child);
                        self.edges.push(Edge::of(self.connection, reference, &parts));
                    }
                    (obstacle, _) => {
                        let obstacle = obstacle.unwrap_or(Obstacle::LeftOut);
                        self.dangling.push((reference, obstacle));
                    }
                }
            }
        }
        // Two statements for each edge are asked again and again.
        self.connection.set_prepared_statement_cache_capacity(self.edges.len() * 2 + 16);
        Ok(())
    }

    /// Adds the children of all chosen rows; returns the number of the last step.
    fn descend(&mut self, start: String) -> Result<i64> {
        let mut fresh = BTreeSet::from([start]);
        let mut steps = Steps { first: 0, last: 0 };
        while !fresh.is_empty() {
            self.interrupt.check()?;
            let mut next = BTreeSet::new();
            for edge in self.edges.iter_mut().filter(|edge| fresh.contains(&edge.reference.parent))
            {
                if edge.take_children(self.connection, steps)? > 0 {
                    next.insert(edge.reference.child.clone());
                }
            }
            fresh = next;
            steps = Steps { first: steps.last + 1, last: steps.last + 1 };
        }
        Ok(steps.last)
    }

    /// Adds the parents of all chosen rows.
    fn ascend(&mut self, last: i64) -> Result<()> {
        let mut fresh: BTreeSet<String> = self.members.keys().cloned().collect();
        let mut steps = Steps { first: 0, last };
        while !fresh.is_empty() {
            self.interrupt.check()?;
            let mut next = BTreeSet::new();
            for edge in self.edges.iter_mut().filter(|edge| fresh.contains(&edge.reference.child)) {
                if edge.take_parents(self.connection, steps)? > 0 {
                    next.insert(edge.reference.parent.clone());
                }
            }
            fresh = next;
            steps = Steps { first: steps.last + 1, last: steps.last + 1 };
        }
        Ok(())
    }

    fn count(&mut self) -> Result<()> {
        for member in self.members.values_mut() {
            self.interrupt.check()?;
            member.count(self.connection)?;
        }
        Ok(())
    }

    /// References of rows that were taken, which lead nowhere: never silent.
    fn remarks(&self) -> Result<Vec<String>> {
        let mut remarks = Vec::new();
        for edge in &self.edges {
            let n_rows = edge.count_orphans(self.connection)?;
            if n_rows > 0 {
                remarks.push(edge.reference.remark(n_rows, Obstacle::NoRow));
            }
        }
        for (reference, obstacle) in &self.dangling {
            let Some(child) = self.members.get(&reference.child) else { continue };
            let n_rows = reference.count(self.connection, child)?;
            if n_rows > 0 {
                remarks.push(reference.remark(n_rows, *obstacle));
            }
        }
        Ok(remarks)
    }
}

#[cfg(test)]
mod tests;

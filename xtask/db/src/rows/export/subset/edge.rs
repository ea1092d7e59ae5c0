//! One foreign key between two tables, walked both ways in set-based steps.
//!
//! If an index leads from the rows on one side to those on the other, it is used. Otherwise, or if
//! the index has another affinity than the comparison, all pairs of the two tables are written once
//! into a TEMP table, so that no step reads a whole table again, however many steps there are.

use anyhow::{Context, Result};
use rusqlite::{Connection, params};
use xtask_db_format::Affinity;

use crate::console::text;
use crate::rows::export::subset::member::Member;
use crate::rows::export::subset::reference::Reference;
use crate::sqlite::connection::quoted;
use crate::sqlite::schema::Table;

/// A range of steps, both ends included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    /// The first.
    pub first: i64,
    /// The last; what is added now belongs to the next.
    pub last: i64,
}

/// One foreign key between two members.
pub(super) struct Edge {
    /// The reference as it was declared.
    pub reference: Reference,
    down: Way,
    up: Way,
    /// Counts chosen rows that refer to a row that does not exist.
    orphans: String,
    /// Writes down all pairs.
    pairs: String,
    has_pairs: bool,
}

/// How rows on the other side are taken.
struct Way {
    insert: String,
    /// Whether the pairs must be written down before.
    needs_pairs: bool,
}

/// One of the two tables of a reference, as an edge's statements name it.
pub(super) struct End<'m> {
    table: &'m Table,
    /// The rows of it that were chosen.
    member: &'m Member,
    /// A row of it.
    alias: &'static str,
    /// The prefix that the columns of its key have in a pair.
    prefix: &'static str,
}

impl<'m> End<'m> {
    /// The table referred to.
    pub(super) fn parent(table: &'m Table, member: &'m Member) -> Self {
        Self { table, member, alias: "p", prefix: "p" }
    }

    /// The table that refers.
    pub(super) fn child(table: &'m Table, member: &'m Member) -> Self {
        Self { table, member, alias: "r", prefix: "c" }
    }

    /// The columns of its key in a pair.
    fn names(&self) -> Vec<String> {
        names(self.member, self.prefix)
    }

    /// SQL condition: a chosen row of it is the one in a pair.
    fn is_in_pair(&self) -> String {
        equal(&names(self.member, "k"), "f", &self.names(), "e")
    }
}

/// The parts of an edge's statements. In all of them `f` is a row that was chosen, `p` the parent,
/// `r` the child that refers, and `e` a pair.
pub(super) struct Parts<'m> {
    parent: End<'m>,
    child: End<'m>,
    /// SQL condition: `r` refers to `p`.
    matched: String,
    /// SQL condition: `r` refers to anything.
    refers: String,
    /// The TEMP table of the pairs.
    pairs: String,
    n_columns: usize,
    /// The column that shows to which children it applies, if not to all.
    only: Option<String>,
}

impl Edge {
    /// Makes the edge of a reference from its parts.
    pub(super) fn of(connection: &Connection, reference: Reference, parts: &Parts<'_>) -> Self {
        let Parts { parent, child, .. } = parts;
        let down = parts.way(connection, parent, child);
        let up = parts.way(connection, child, parent);
        let orphans = parts.orphans(&up);
        Self { down, up, orphans, pairs: parts.all_pairs(), has_pairs: false, reference }
    }

    /// Adds the children of rows that were chosen in these steps; returns how many are new.
    ///
    /// # Errors
    ///
    /// If SQLite cannot, e.g. because of an unknown collation.
    pub(super) fn take_children(&mut self, connection: &Connection, steps: Steps) -> Result<usize> {
        self.take(connection, steps, |edge| &edge.down)
    }

    /// Adds the parents of rows that were chosen in these steps; returns how many are new.
    ///
    /// # Errors
    ///
    /// As [`Edge::take_children`].
    pub(super) fn take_parents(&mut self, connection: &Connection, steps: Steps) -> Result<usize> {
        self.take(connection, steps, |edge| &edge.up)
    }

    /// How many rows that were taken refer to rows that are not there.
    ///
    /// # Errors
    ///
    /// As [`Edge::take_children`].
    pub(super) fn count_orphans(&self, connection: &Connection) -> Result<u64> {
        let n = connection.query_row(&self.orphans, [], |row| row.get::<_, i64>(0));
        Ok(n.with_context(|| self.could_not_follow())?.cast_unsigned())
    }

    fn take(
        &mut self,
        connection: &Connection,
        steps: Steps,
        way: impl Fn(&Self) -> &Way,
    ) -> Result<usize> {
        if way(self).needs_pairs && !self.has_pairs {
            connection.execute_batch(&self.pairs).with_context(|| self.could_not_follow())?;
            self.has_pairs = true;
        }
        let taken = || -> rusqlite::Result<usize> {
            let mut statement = connection.prepare_cached(&way(self).insert)?;
            statement.execute(params![steps.first, steps.last])
        };
        taken().with_context(|| self.could_not_follow())
    }

    fn could_not_follow(&self) -> String {
        let Reference { child, parent, .. } = &self.reference;
        format!(
            "could not follow the references from `{}` to `{}`",
            text::plain(child),
            text::plain(parent)
        )
    }
}

impl<'m> Parts<'m> {
    /// Makes the edge of a reference between two tables; each has a number of its own.
    pub(super) fn of(
        reference: &Reference,
        number: usize,
        parent: End<'m>,
        child: End<'m>,
    ) -> Self {
        Self {
            matched: matched(reference, parent.table, child.table),
            refers: reference.refers(child.alias),
            pairs: format!("\"xtask-db pairs {number}\""),
            n_columns: reference.from.len(),
            only: reference.only.as_ref().map(|only| only.column.clone()),
            parent,
            child,
        }
    }

    /// Directly, where an index leads there; else through the pairs.
    fn way(&self, connection: &Connection, from: &End<'_>, to: &End<'_>) -> Way {
        let middle = format!(
            "CROSS JOIN {} AS {} ON {} CROSS JOIN {} AS {} ON {}",
            from.member.table,
            from.alias,
            from.member.is_row(from.alias, "f.k"),
            to.member.table,
            to.alias,
            self.matched
        );
        let direct = step(&to.member.key_of(to.alias), from.member, &middle);
        let needs_pairs = !self.is_indexed(connection, &direct, to.alias);
        let select = if needs_pairs {
            let middle = format!("CROSS JOIN temp.{} AS e ON {}", self.pairs, from.is_in_pair());
            let key: Vec<String> = to.names().into_iter().map(|name| format!("e.{name}")).collect();
            step(&key.join(", "), from.member, &middle)
        } else {
            direct
        };
        let rows = to.member.rows();
        Way { insert: format!("INSERT OR IGNORE INTO {rows} {select}"), needs_pairs }
    }

    /// Whether SQLite would find the rows of this alias by all the columns of the reference; if it
    /// would not say so, they are found the longer way.
    fn is_indexed(&self, connection: &Connection, select: &str, alias: &str) -> bool {
        // No index alone finds which children are meant.
        let only = self.only.as_deref().filter(|_| alias == self.child.alias);
        let plan = || -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {select}"))?;
            let plan = statement.query_map(params![0, 0], |row| row.get(3))?;
            plan.collect()
        };
        let start = format!("SEARCH {alias} USING ");
        plan().unwrap_or_default().iter().any(|detail| {
            let terms = detail.rsplit_once('(').map_or("", |(_, terms)| terms);
            detail.starts_with(&start)
                && !detail.contains("AUTOMATIC")
                && terms.matches("=?").count()
                    == self.n_columns + usize::from(has_only(terms, only))
        })
    }

    /// Writes down which child has which parent, found from either.
    fn all_pairs(&self) -> String {
        let Self { parent, child, matched, refers, pairs, .. } = self;
        let (p, c) = (parent.names().join(", "), child.names().join(", "));
        let (parent, child) = (parent.member, child.member);
        let columns = parent.key_columns("p").into_iter().chain(child.key_columns("c"));
        let columns: Vec<String> =
            columns.map(|(name, kind)| format!("{name} {kind}").trim_end().to_owned()).collect();
        format!(
            "CREATE TEMP TABLE {pairs} ({}, PRIMARY KEY ({p}, {c})) WITHOUT ROWID;
             INSERT OR IGNORE INTO temp.{pairs} SELECT {}, {} FROM {} AS r CROSS JOIN {} AS p
                 ON {matched} WHERE {refers} ORDER BY {}, {};
             CREATE INDEX temp.{} ON {pairs} ({c});",
            columns.join(", "),
            parent.key_of("p"),
            child.key_of("r"),
            child.table,
            parent.table,
            // Sorted, a table is filled from one end.
            parent.key_of("p"),
            child.key_of("r"),
            pairs.replace("pairs", "children"),
        )
    }

    /// Counts children that were taken and refer to a parent that is not there.
    fn orphans(&self, up: &Way) -> String {
        let parent = if up.needs_pairs {
            format!("SELECT 1 FROM temp.{} AS e WHERE {}", self.pairs, self.child.is_in_pair())
        } else {
            format!("SELECT 1 FROM {} AS p WHERE {}", self.parent.member.table, self.matched)
        };
        let child = self.child.member;
        format!(
            "SELECT count(*) FROM {} AS f CROSS JOIN {} AS r ON {}
             WHERE {} AND NOT EXISTS ({parent})",
            child.rows(),
            child.table,
            child.is_row("r", "f.k"),
            self.refers
        )
    }
}

/// The keys that one step takes.
fn step(key: &str, from: &Member, middle: &str) -> String {
    let (rows, steps) = (from.rows(), from.steps());
    format!(
        "SELECT {key}, ?2 + 1 FROM {rows} AS f INDEXED BY {steps} {middle}
         WHERE f.step BETWEEN ?1 AND ?2"
    )
}

fn names(member: &Member, prefix: &str) -> Vec<String> {
    member.key_columns(prefix).into_iter().map(|(name, _)| name).collect()
}

fn equal(names: &[String], alias: &str, others: &[String], other_alias: &str) -> String {
    let pairs = names.iter().zip(others);
    let pairs: Vec<String> =
        pairs.map(|(name, other)| format!("{other_alias}.{other} = {alias}.{name}")).collect();
    pairs.join(" AND ")
}

/// SQL condition: the child `r` refers to the parent `p`, by the parent's affinity and collation
/// (<https://sqlite.org/foreignkeys.html#fk_indexes>). The collation is that of the column on the
/// left; a `+` takes the affinity away from a child's column that has another.
fn matched(reference: &Reference, parent: &Table, child: &Table) -> String {
    let to = reference.columns_of(parent);
    let pairs = to.iter().zip(&reference.from).map(|(to, from)| {
        let is_alike = affinity(parent, to) == affinity(child, from);
        let plus = if is_alike { "" } else { "+" };
        format!("p.{} = {plus}r.{}", quoted(to), quoted(from))
    });
    pairs.chain(reference.is_meant("r")).collect::<Vec<_>>().join(" AND ")
}

/// The values of a column as comparisons see them.
fn affinity(table: &Table, column: &str) -> Affinity {
    let affinity = table.column(column).map_or(Affinity::Blob, |column| table.affinity(column));
    if affinity.is_numeric() { Affinity::Numeric } else { affinity }
}

fn has_only(terms: &str, only: Option<&str>) -> bool {
    only.is_some_and(|only| terms.split(" AND ").any(|term| term == format!("{only}=?")))
}

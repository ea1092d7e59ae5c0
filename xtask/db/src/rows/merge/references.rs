//! Translates the references of a file's rows to rows here.
//!
//! A reference is translated as soon as its row in the file is known here. A reference to a row
//! that is not in the file leads to a row here only if it cannot mean another one.

use std::collections::BTreeSet;

use anyhow::Result;
use rusqlite::Connection;

use crate::rows::merge::fate::Fate::{Hashed, Matched, New, Raw};
use crate::rows::merge::layout::{Layout, Link, Parent, Spelling};
use crate::rows::merge::request::Numbering;
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::connection::quoted;

/// Creates indexes for the columns by which rows are looked up.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn index(connection: &Connection, layouts: &[Layout]) -> Result<()> {
    let mut made = BTreeSet::new();
    for link in layouts.iter().flat_map(|layout| &layout.links) {
        let Some(Parent { at, columns }) = &link.in_file else { continue };
        if layouts[*at].is_small {
            continue;
        }
        let by = columns.iter().zip(&link.collations);
        let by = by.map(|(at, collation)| {
            format!("{} COLLATE {collation}", StageColumns::BARE.original(*at))
        });
        let by: Vec<String> = by.collect();
        let n_made = made.len();
        if made.insert((*at, by.join(", "))) {
            let table = format!("merge_{}", layouts[*at].number);
            connection.execute_batch(&format!(
                "CREATE INDEX temp.{table}_by_{n_made} ON {table} ({})",
                by.join(", ")
            ))?;
        }
    }
    Ok(())
}

/// One round in which references are translated.
pub(super) struct Round {
    /// Its number, which is recorded with the references that it translates.
    pub number: u64,
    /// Only references to rows that were identified in this round or later are examined; all if
    /// `None`.
    pub since: Option<u64>,
    /// The meaning of numbers.
    pub numbering: Numbering,
    /// Whether translating a reference may still change values that are not numbers.
    pub spelling: Spelling,
}

/// Translates the references of a table that can be translated now; returns how many.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn translate(
    connection: &Connection,
    layouts: &[Layout],
    layout: &Layout,
    round: &Round,
) -> Result<usize> {
    let mut n_translated = 0;
    for number in 0..layout.links.len() {
        let one = One { layouts, layout, number, round };
        for statement in [one.in_file(), one.here()].into_iter().flatten() {
            n_translated += connection.execute(&statement, [])?;
        }
    }
    Ok(n_translated)
}

/// Creates indexes for the queries of every round.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn hasten(connection: &Connection, layouts: &[Layout]) -> Result<()> {
    for layout in layouts {
        let table = format!("merge_{}", layout.number);
        let mut indexes = vec![
            "round ON TABLE (round)".to_owned(),
            format!("ready ON TABLE (waits) WHERE state = {Raw}"),
            format!("hashed ON TABLE (n) WHERE state = {Hashed}"),
            format!("unnumbered ON TABLE (n) WHERE state = {New} AND NOT numbered"),
        ];
        for (number, link) in layout.links.iter().enumerate() {
            let first = StageColumns::BARE.original(link.columns[0]);
            indexes.push(format!("link_{number} ON TABLE ({first})"));
        }
        for index in indexes {
            let index = index.replace("TABLE", &table);
            connection.execute_batch(&format!("CREATE INDEX temp.{table}_{index}"))?;
        }
    }
    Ok(())
}

/// The condition that the file has the row `p` to which a reference of its row `s` leads.
#[must_use]
pub(super) fn leads_to(link: &Link) -> Option<String> {
    let parent = link.in_file.as_ref()?;
    let pairs = parent.columns.iter().zip(&link.columns).zip(&link.collations);
    let (p, s) = (StageColumns::of("p"), StageColumns::of("s"));
    // The plus takes the child's affinity away: the parent's counts
    // (<https://sqlite.org/foreignkeys.html#fk_basics>).
    let equal = pairs.map(|((to, from), collation)| {
        format!("{} COLLATE {collation} = +{}", p.original(*to), s.original(*from))
    });
    Some(equal.collect::<Vec<_>>().join(" AND "))
}

/// The expression for the value that the row of the database will have in a column; `p` is the
/// file's row.
#[must_use]
pub(super) fn value(parent: &Layout, column: usize) -> String {
    let p = StageColumns::of("p");
    let value = p.value(column);
    if parent.surrogate == Some(column) {
        value
    } else {
        format!("iif(p.stays, {}, {value})", p.found(column))
    }
}

/// Whether the numbers of a reference are those of the database, whatever the file contains, unless
/// the rows have numbers of their own and refer to each other.
#[must_use]
pub(super) fn is_ours(layout: &Layout, link: &Link, numbering: Numbering) -> bool {
    let is_within = link.in_file.as_ref().is_some_and(|parent| {
        let bears_numbers = |number: usize| layout.columns[number].in_file;
        parent.at == layout.number && layout.surrogate.is_some_and(bears_numbers)
    });
    link.is_by_number && numbering == Numbering::Target && !is_within
}

/// One reference of one table.
struct One<'l> {
    layouts: &'l [Layout],
    layout: &'l Layout,
    number: usize,
    round: &'l Round,
}

impl One<'_> {
    fn link(&self) -> &Link {
        &self.layout.links[self.number]
    }

    fn bit(&self) -> i64 {
        1 << self.number
    }

    /// Whether its numbers are those of the database.
    fn is_ours(&self) -> bool {
        is_ours(self.layout, self.link(), self.round.numbering)
    }

    /// To the rows here that rows of the file were found to be, or will be.
    fn in_file(&self) -> Option<String> {
        let link = self.link();
        let Parent { at, columns } = link.in_file.as_ref().filter(|_| !self.is_ours())?;
        let parent = &self.layouts[*at];
        let (p, s) = (StageColumns::of("p"), StageColumns::of("s"));
        let mut sets = Vec::new();
        let mut agree = vec![leads_to(link)?];
        if let Some(round) = self.round.since {
            agree.push(format!(
                "s.n IN (SELECT x.n FROM {} AS q CROSS JOIN {} AS x
                         WHERE q.round >= {round} AND {} = {})",
                parent.stage(),
                self.layout.stage(),
                StageColumns::of("x").original(link.columns[0]),
                StageColumns::of("q").original(columns[0])
            ));
        }
        for ((from, to), collation) in link.columns.iter().zip(columns).zip(&link.collations) {
            let now = s.value(*from);
            let equals = |theirs: String| format!("{theirs} COLLATE {collation} = +{now}");
            let value = value(parent, *to);
            let is_same = if parent.surrogate == Some(*to) {
                equals(p.value(*to))
            } else {
                format!("iif(p.stays, {}, {})", equals(p.found(*to)), equals(p.value(*to)))
            };
            // A value that already leads there stays as it is written: `Anna` may refer to `anna`.
            let column = StageColumns::BARE.value(*from);
            sets.push(format!("{column} = iif({is_same}, {now}, {value})"));
            agree.push(format!("{value} IS NOT NULL"));
            let others = self.layout.links_of(&[*from]) & !self.bit();
            if self.round.spelling == Spelling::Stays && !self.layout.numbers.contains(from) {
                agree.push(is_same);
            } else if others != 0 {
                // Two references that share a column must lead to rows that agree on it.
                agree.push(format!("(s.asked & ~s.waits & {others} = 0 OR {is_same})"));
            }
        }
        Some(format!(
            "UPDATE {} AS s SET {}, waits = s.waits & ~{bit}, round = {round} FROM {} AS p
             WHERE s.waits & {bit} AND p.state IN ({Matched}, {New}) AND {}
               AND {}",
            self.layout.stage(),
            sets.join(", "),
            parent.stage(),
            parent.settled("p", columns, self.round.spelling),
            agree.join(" AND "),
            bit = self.bit(),
            round = self.round.number,
        ))
    }

    /// To rows that are only here.
    fn here(&self) -> Option<String> {
        let link = self.link();
        let are_ours = link.is_by_number && self.round.numbering == Numbering::Target;
        if !link.may_be_here && !are_ours {
            return None;
        }
        let not_in_file = match (&link.in_file, leads_to(link)) {
            (Some(parent), Some(leads_to)) if !self.is_ours() => format!(
                " AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {leads_to})",
                self.layouts[parent.at].stage()
            ),
            _ => String::new(),
        };
        let is_on_trust = link.is_by_number && self.round.numbering == Numbering::Either;
        let trusted = if is_on_trust {
            format!(", trusted = s.trusted | {}", self.bit())
        } else {
            String::new()
        };
        // The rows here do not change: only the translation of a shorter reference changes the
        // answer.
        let by = self.round.since.map_or_else(String::new, |_| {
            format!(" INDEXED BY merge_{}_round", self.layout.number)
        });
        let of_late =
            self.round.since.map_or_else(String::new, |since| format!("s.round >= {since} AND "));
        // Columns that a shorter reference has already translated are looked up as they are in the database.
        let pairs = link.columns.iter().zip(&link.to).zip(&link.collations);
        let equal = pairs.map(|((from, to), collation)| {
            let value = StageColumns::of("s").value(*from);
            format!("t.{} COLLATE {collation} = +{value}", quoted(to))
        });
        Some(format!(
            "UPDATE {} AS s{by} SET waits = s.waits & ~{bit}, round = {round}{trusted} FROM main.{} AS t
             WHERE {of_late} s.waits & {bit} AND s.waits & {} = 0{not_in_file} AND {}",
            self.layout.stage(),
            quoted(&link.parent),
            link.shorter,
            equal.collect::<Vec<_>>().join(" AND "),
            bit = self.bit(),
            round = self.round.number,
        ))
    }
}

//! References of a file's rows: to which rows here they lead.
//!
//! A reference is translated as soon as the file's row that it means is known here. One whose row is
//! not in the file leads to a row here only where that cannot mean another one.

use std::collections::BTreeMap;

use anyhow::Result;
use rusqlite::Connection;

use crate::database::quoted;
use crate::merging::Numbering;
use crate::merging::layout::{Layout, Link};
use crate::merging::stage::{MATCHED, NEW};

/// Makes what is looked up quick to find.
///
/// # Errors
///
/// Where SQLite refuses.
pub(super) fn index(connection: &Connection, layouts: &[Layout]) -> Result<()> {
    let mut made = BTreeMap::new();
    for link in layouts.iter().flat_map(|layout| &layout.links) {
        let Some((parent, columns)) = &link.in_file else { continue };
        let by = columns.iter().zip(&link.collations);
        let by: Vec<String> =
            by.map(|(at, collation)| format!("o{at} COLLATE {collation}")).collect();
        let n_made = made.len();
        if made.insert((*parent, by.join(", ")), ()).is_none() {
            let table = format!("merge_{}", layouts[*parent].number);
            connection.execute_batch(&format!(
                "CREATE INDEX temp.{table}_by_{n_made} ON {table} ({})",
                by.join(", ")
            ))?;
        }
    }
    Ok(())
}

/// Translates what references of a table can be translated now; returns how many.
///
/// # Errors
///
/// Where SQLite refuses.
pub(super) fn translate(
    connection: &Connection,
    (layouts, at): (&[Layout], usize),
    numbering: Numbering,
) -> Result<usize> {
    let mut n_translated = 0;
    for number in 0..layouts[at].links.len() {
        let one = One { layouts, at, number, numbering };
        for statement in [one.in_file(), one.here()].into_iter().flatten() {
            n_translated += connection.execute(&statement, [])?;
        }
    }
    Ok(n_translated)
}

/// The condition that the file has the row `p` to which a reference of its row `s` leads.
#[must_use]
pub(super) fn leads_to(link: &Link) -> Option<String> {
    let (_, columns) = link.in_file.as_ref()?;
    let pairs = columns.iter().zip(&link.columns).zip(&link.collations);
    // The plus takes the child's affinity away: the parent's counts
    // (<https://sqlite.org/foreignkeys.html#fk_basics>).
    let equal =
        pairs.map(|((to, from), collation)| format!("p.o{to} COLLATE {collation} = +s.o{from}"));
    Some(equal.collect::<Vec<_>>().join(" AND "))
}

/// One reference of one table.
struct One<'l> {
    layouts: &'l [Layout],
    at: usize,
    number: usize,
    numbering: Numbering,
}

impl One<'_> {
    fn layout(&self) -> &Layout {
        &self.layouts[self.at]
    }

    fn link(&self) -> &Link {
        &self.layout().links[self.number]
    }

    fn bit(&self) -> i64 {
        1 << self.number
    }

    /// Whether its numbers are those of the database.
    fn is_ours(&self) -> bool {
        self.link().is_by_number && self.numbering == Numbering::OfTheTarget
    }

    /// To the rows here that rows of the file were found to be, or will be.
    fn in_file(&self) -> Option<String> {
        let link = self.link();
        let (parent, columns) = link.in_file.as_ref().filter(|_| !self.is_ours())?;
        let parent = &self.layouts[*parent];
        let mut sets = Vec::new();
        let mut agree = String::new();
        for (from, to) in link.columns.iter().zip(columns) {
            let value = if parent.surrogate == Some(*to) {
                format!("p.c{to}")
            } else {
                format!("iif(p.stays, p.f{to}, p.c{to})")
            };
            sets.push(format!("c{from} = {value}"));
            agree += &format!(" AND {value} IS NOT NULL");
            let others = self.layout().links_of(&[*from]) & !self.bit();
            if others != 0 {
                // Two references that share a column must lead to rows that agree on it.
                agree +=
                    &format!(" AND (s.asked & ~s.waits & {others} = 0 OR s.c{from} IS {value})");
            }
        }
        Some(format!(
            "UPDATE {} AS s SET {}, waits = s.waits & ~{bit} FROM {} AS p
             WHERE s.waits & {bit} AND p.state IN ({MATCHED}, {NEW}) AND p.waits & {} = 0
               AND {}{agree}",
            self.layout().stage(),
            sets.join(", "),
            parent.stage(),
            parent.links_of(columns),
            leads_to(link)?,
            bit = self.bit(),
        ))
    }

    /// To rows that are only here.
    fn here(&self) -> Option<String> {
        let link = self.link();
        if !link.may_be_here && !self.is_ours() {
            return None;
        }
        let not_in_file = match (&link.in_file, leads_to(link)) {
            (Some((parent, _)), Some(leads_to)) if !self.is_ours() => format!(
                " AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {leads_to})",
                self.layouts[*parent].stage()
            ),
            _ => String::new(),
        };
        let is_on_trust = link.is_by_number && self.numbering == Numbering::OfTheFile;
        let trusted = if is_on_trust {
            format!(", trusted = s.trusted | {}", self.bit())
        } else {
            String::new()
        };
        let pairs = link.columns.iter().zip(&link.to);
        let sets: Vec<String> =
            pairs.map(|(from, to)| format!("c{from} = t.{}", quoted(to))).collect();
        // What a shorter reference has translated by now is looked up as it is here.
        let pairs = link.columns.iter().zip(&link.to).zip(&link.collations);
        let equal = pairs.map(|((from, to), collation)| {
            format!("t.{} COLLATE {collation} = +s.c{from}", quoted(to))
        });
        Some(format!(
            "UPDATE {} AS s SET {}, waits = s.waits & ~{bit}{trusted} FROM main.{} AS t
             WHERE s.waits & {bit} AND s.waits & {} = 0{not_in_file} AND {}",
            self.layout().stage(),
            sets.join(", "),
            quoted(&link.parent),
            link.shorter,
            equal.collect::<Vec<_>>().join(" AND "),
            bit = self.bit(),
        ))
    }
}

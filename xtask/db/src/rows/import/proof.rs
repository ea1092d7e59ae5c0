//! Proves the content of a scratch database before it goes anywhere: whole trees and indexes,
//! constraints, references that lead somewhere, and as many rows as the file has.

mod named_orphans;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::console::interrupt::Interrupt;
use crate::console::{text, threads};
use crate::rows::import::cost_limits::Bounds;
use crate::rows::import::proof::named_orphans::{MAX_NAMED, Orphans};
use crate::rows::import::scratch::Loaded;
use crate::sqlite::connection;
use crate::sqlite::examination::finding::{Finding, Weight};
use crate::sqlite::examination::{self, Examination};
use crate::sqlite::full_text::external_content;
use crate::sqlite::schema::{self, Schema, Storage, Table};

/// Result of the proof.
#[derive(Debug)]
pub(crate) struct Proof {
    /// Rows per table; `None` if its module is unknown here.
    pub tables: BTreeMap<String, Option<u64>>,
    /// The tables that show other tables' rows, as a full-text index of one does, in lower case.
    pub derived: BTreeSet<String>,
    /// Damage, violated constraints, and tables that could not be checked.
    pub findings: Vec<Finding>,
    /// The rows that refer to missing ones.
    orphans: Orphans,
}

/// Examines a scratch database that was loaded and is closed: its pages on one thread, its content
/// on another.
///
/// # Errors
///
/// If the row counts are not those of the file, or at the user's interrupt; problems of the rows
/// are findings.
pub(crate) fn prove(
    scratch: &Path,
    loaded: &Loaded,
    interrupt: &Interrupt,
    bounds: &Bounds,
) -> Result<Proof> {
    let check = || {
        let mut connection = connection::open_private(scratch)?;
        let _watched = interrupt.watch(&connection);
        bounds.set_on(&mut connection)?;
        examination::check_integrity(&connection)
    };
    let (checked, counted) = threads::both(check, || count(scratch, interrupt, bounds));
    let explain = |error| bounds.explain(error, "nothing was changed");
    let checked = checked.map_err(explain)?;
    let (counted, derived, orphans) = counted.map_err(explain)?;
    let Examination { mut findings, tables, .. } = examination::conclude(checked, Ok(counted))?;
    for (name, expected) in &loaded.rows {
        // SQLite's own counters are not a table of the examination.
        let found = tables.get(name).copied().flatten().unwrap_or(*expected);
        ensure!(
            found == *expected,
            "the file has {} of `{}`, but {} arrived",
            text::count(*expected, "row"),
            text::plain(name),
            text::digits(found)
        );
    }
    findings.extend(orphans.unchecked.iter().cloned().map(Finding::unchecked));
    Ok(Proof { tables, derived, findings, orphans })
}

impl Proof {
    /// The rows of each table that stores its own and is not absent from the file, by name in lower case.
    pub(crate) fn own<'p>(
        &'p self,
        absent: &'p BTreeSet<String>,
    ) -> impl Iterator<Item = u64> + Clone + 'p {
        let is_own = |name: &str| {
            let name = name.to_ascii_lowercase();
            !self.derived.contains(&name) && !absent.contains(&name)
        };
        let own = self.tables.iter().filter(move |(name, _)| is_own(name));
        own.map(|(_, n_rows)| n_rows.unwrap_or(0))
    }

    /// The findings of a weight.
    pub(crate) fn of_weight(&self, weight: Weight) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.kind == weight)
    }

    /// All violations in rows, in words; at most as many lines as a person can read.
    pub(crate) fn violations(&self) -> Vec<String> {
        let findings = self.of_weight(Weight::Data).take(MAX_NAMED).map(ToString::to_string);
        let mut lines: Vec<String> = findings.chain(self.orphans.named.iter().cloned()).collect();
        let more = self.orphans.n - self.orphans.named.len() as u64;
        if more > 0 {
            let rows = text::count(more, "more row");
            let verb = if more == 1 { "refers to a missing one" } else { "refer to missing ones" };
            lines.push(format!("{rows} {verb}"));
        }
        lines
    }

    /// How many rows violate something; one finding of SQLite's counts as often as it was found.
    pub(crate) fn n_violations(&self) -> u64 {
        self.orphans.n + self.of_weight(Weight::Data).map(|finding| finding.count).sum::<u64>()
    }
}

type Counted = (Examination, BTreeSet<String>, Orphans);

fn count(scratch: &Path, interrupt: &Interrupt, bounds: &Bounds) -> Result<Counted> {
    let mut connection = connection::open_private(scratch)?;
    let _watched = interrupt.watch(&connection);
    bounds.set_on(&mut connection)?;
    let counted = examination::count(&connection)?;
    let schema = Schema::read(&connection)?;
    let derived = schema.tables.values().filter(|table| is_derived(table));
    let derived = derived.map(|table| table.name.to_ascii_lowercase()).collect();
    let orphans =
        named_orphans::of(&connection, &schema).context("could not check the foreign keys")?;
    Ok((counted, derived, orphans))
}

/// Whether a table shows the data of another table, or none.
fn is_derived(table: &Table) -> bool {
    let Storage::Virtual(module) = &table.storage else { return false };
    schema::MODULES_WITHOUT_CONTENT.contains(&module.as_str())
        || external_content(&table.sql).is_some()
}

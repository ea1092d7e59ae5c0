//! What a scratch database was found to hold, before it is put anywhere: whole trees and indexes,
//! constraints, references that lead somewhere, and as many rows as its file has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;

use crate::database::{self, quoted};
use crate::examination::{self, Examination};
use crate::finding::{Finding, Weight};
use crate::importing::Loaded;
use crate::interrupt::Interrupt;
use crate::schema::{self, Schema, Storage, Table};
use crate::tables::external_content;
use crate::text;

/// Rows that are named; more are counted.
const MOST_NAMED: usize = 20;

/// What was found.
#[derive(Debug)]
pub(crate) struct Proof {
    /// Rows per table; `None` where its module is unknown here.
    pub tables: BTreeMap<String, Option<u64>>,
    /// The tables that show other tables' rows, as a full-text index of one does, in lower case.
    pub derived: BTreeSet<String>,
    /// Damage, violated constraints, and what could not be checked.
    pub findings: Vec<Finding>,
    /// The first rows that refer to missing ones, in words.
    pub orphans: Vec<String>,
    /// How many there are.
    pub n_orphans: u64,
}

/// Examines a scratch database that was loaded and is closed: its pages on one thread, what they hold
/// on another.
///
/// # Errors
///
/// Where the numbers of rows are not those of the file, or at the user's interrupt; what is wrong with
/// the rows is a finding.
pub(crate) fn prove(scratch: &Path, loaded: &Loaded, interrupt: &Interrupt) -> Result<Proof> {
    let (checked, counted) = std::thread::scope(|scope| {
        let checking = scope.spawn(|| {
            let connection = database::open_private(scratch)?;
            let _watched = interrupt.watch(&connection);
            examination::check_integrity(&connection)
        });
        let counted = count(scratch, interrupt);
        (checking.join(), counted)
    });
    let checked = checked.map_err(|_| anyhow::anyhow!("the check ended early"))??;
    let (counted, derived, (orphans, n_orphans)) = counted?;
    let Examination { findings, tables, .. } = examination::conclude(checked, Ok(counted))?;
    for (name, expected) in &loaded.rows {
        // SQLite's own counters are no table of the examination.
        let found = tables.get(name).copied().flatten().unwrap_or(*expected);
        ensure!(
            found == *expected,
            "the file has {} of `{}`, and {} arrived",
            text::count(*expected, "row"),
            text::plain(name),
            text::digits(found)
        );
    }
    Ok(Proof { tables, derived, findings, orphans, n_orphans })
}

impl Proof {
    /// The rows of each table that holds its own, and is not absent from the file, named in lower case.
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

    /// Everything that is wrong with rows, in words; at most as many lines as can be read.
    pub(crate) fn violations(&self) -> Vec<String> {
        let findings = self.of_weight(Weight::Data).take(MOST_NAMED).map(ToString::to_string);
        let mut lines: Vec<String> = findings.chain(self.orphans.iter().cloned()).collect();
        let more = self.n_orphans - self.orphans.len() as u64;
        if more > 0 {
            let rows = text::count(more, "more row");
            let verb = if more == 1 { "refers to a missing one" } else { "refer to missing ones" };
            lines.push(format!("{rows} {verb}"));
        }
        lines
    }

    /// How many rows violate something; one finding of SQLite's counts as often as it was found.
    pub(crate) fn n_violations(&self) -> u64 {
        self.n_orphans + self.of_weight(Weight::Data).map(|finding| finding.count).sum::<u64>()
    }
}

type Orphans = (Vec<String>, u64);

type Counted = (Examination, BTreeSet<String>, Orphans);

fn count(scratch: &Path, interrupt: &Interrupt) -> Result<Counted> {
    let connection = database::open_private(scratch)?;
    let _watched = interrupt.watch(&connection);
    let counted = examination::count(&connection)?;
    let schema = Schema::read(&connection)?;
    let derived = schema.tables.values().filter(|table| is_derived(table));
    let derived = derived.map(|table| table.name.to_ascii_lowercase()).collect();
    let orphans = orphans(&connection, &schema).context("could not check the foreign keys")?;
    Ok((counted, derived, orphans))
}

/// Whether what a table shows is another table's, or nobody's.
fn is_derived(table: &Table) -> bool {
    let Storage::Virtual(module) = &table.storage else { return false };
    schema::MODULES_WITHOUT_CONTENT.contains(&module.as_str())
        || external_content(&table.sql).is_some()
}

/// The rows that refer to missing ones.
fn orphans(connection: &Connection, schema: &Schema) -> Result<Orphans> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    let (mut named, mut n_orphans) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        n_orphans += 1;
        if named.len() < MOST_NAMED {
            let (table, rowid): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
            let (parent, number): (String, i64) = (row.get(2)?, row.get(3)?);
            let which = rowid.map_or_else(|| "a row".to_owned(), |rowid| format!("row {rowid}"));
            let (shown, parent) = (text::plain(&table), text::plain(&parent));
            let reference = reference(connection, schema, (&table, rowid), number)?;
            named.push(format!(
                "{which} of `{shown}` refers to a row of `{parent}` that is not there{reference}"
            ));
        }
    }
    Ok((named, n_orphans))
}

/// What a row's reference says, as `: message = 999`.
fn reference(
    connection: &Connection,
    schema: &Schema,
    (table, rowid): (&str, Option<i64>),
    number: i64,
) -> Result<String> {
    let name_of_rowid = schema.table(table).and_then(Table::rowid_name);
    let (Some(rowid), Some(name)) = (rowid, name_of_rowid) else { return Ok(String::new()) };
    let question = "SELECT \"from\" FROM pragma_foreign_key_list(?1) WHERE id = ?2 ORDER BY seq";
    let mut statement = connection.prepare(question)?;
    let columns = statement.query_map((table, number), |row| row.get::<_, String>(0))?;
    let mut said = Vec::new();
    for column in columns {
        let column = column?;
        let question = format!(
            "SELECT substr(quote({}), 1, 60) FROM main.{} WHERE {} = ?1",
            quoted(&column),
            quoted(table),
            quoted(&name)
        );
        let value: String = connection.query_row(&question, [rowid], |row| row.get(0))?;
        said.push(format!("{} = {}", text::plain(&column), text::plain(&value)));
    }
    Ok(format!(": {}", said.join(", ")))
}

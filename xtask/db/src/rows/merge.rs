//! Merges rows into the live database: each row of a file is found by its identity, new rows get
//! numbers of their own, and references in the file lead to the same rows as before.
//!
//! A merge is one transaction. Its plan is in SQLite's TEMP database, which spills to the disk; the
//! database itself is written only once a whole file is known to fit. Triggers and foreign-key
//! actions are off meanwhile, because the file has their rows already. Deletions are not merged:
//! rows that were deleted elsewhere stay here.

mod ambiguities;
mod apply;
mod collision;
mod conflicts;
mod dangling_references;
mod declared_keys;
mod fate;
mod identity;
mod keys;
mod layout;
mod live_tables;
mod name_likeness;
mod odd_kinds;
mod one_file;
mod plain_numbers;
mod references;
pub(crate) mod report;
pub(crate) mod request;
mod row_hash;
mod row_names;
mod row_numbers;
mod schema_fit;
mod stage_columns;
mod staged_rows;
mod swapped_rows;
mod table_fit;
mod triggers;
mod undeclared_references;
mod verdict;

use std::collections::BTreeSet;

use anyhow::Result;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::rows::merge::declared_keys::Said;
use crate::rows::merge::one_file::Planned;
use crate::rows::merge::report::Report;
use crate::rows::merge::request::{Source, Target};
use crate::rows::merge::triggers::Triggers;
use crate::sqlite::foreign_keys::{self, Orphans};
use crate::sqlite::schema::Schema;
use crate::sqlite::{connection, full_text, read_only, wal};

/// How a merge ends if nothing is against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is committed.
    Commit,
    /// All of it is done, and rolled back.
    RollBack,
}

/// Merges the sources in one transaction, in their order; those that lack columns come after the
/// others. `keep` keeps the current state; it is called once, while nobody else can write, right
/// before the first change, and not at all if there is none. If [`Report::problems`] is not empty,
/// nothing was changed.
///
/// # Errors
///
/// If the database stays locked or cannot be written, its schema does not fit, a constraint is
/// violated, `keep` fails, or at the user's interrupt; then nothing is changed.
pub(crate) fn merge(
    target: &Target<'_>,
    sources: &[Source],
    ending: Ending,
    keep: &mut dyn FnMut() -> Result<()>,
) -> Result<Report> {
    let mut connection = read_only::open_to_write(target.database.file()?, target.busy_timeout)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    row_hash::register(&connection)?;
    connection
        .execute_batch("PRAGMA foreign_keys=OFF; PRAGMA synchronous=EXTRA; BEGIN IMMEDIATE")?;
    let watched = target.interrupt.watch(&connection);
    target.bounds.set_on(&mut connection)?;
    let schema = Schema::read(&connection)?;
    let said = Said::of(target.database, &schema)?;
    let here = State { connection: &connection, said: &said, schema: &schema };
    let mut state = Merging { here, before: None, changed: BTreeSet::new(), last: None };
    let mut report = Report::default();
    for source in newest_schema_first(&schema, target, sources)? {
        let file = format!("could not merge `{}`", text::plain(&source.shown));
        state.merge(target, source, &mut report, keep).map_err(|error| within(error, &file))?;
        if !report.problems.is_empty() {
            break;
        }
    }
    if report.problems.is_empty() {
        state.finish(&mut report)?;
    }
    target.interrupt.check()?;
    drop(watched);
    let is_wanted = ending == Ending::Commit && report.problems.is_empty();
    report.is_written = is_wanted && !state.changed.is_empty();
    let end = if report.is_written { "COMMIT" } else { "ROLLBACK" };
    connection.execute_batch(end)?;
    drop(connection);
    if report.is_written {
        wal::take_in(target.database.file()?);
    }
    Ok(report)
}

/// Sorts the files so that those with the newest schema come first. Columns that an older file
/// lacks are not compared, so its rows find those of newer files. In the other order, rows would be
/// added with defaults first, and those of the newer files would be different rows.
fn newest_schema_first<'s>(
    ours: &Schema,
    target: &Target<'_>,
    sources: &'s [Source],
) -> Result<Vec<&'s Source>> {
    if sources.len() < 2 {
        return Ok(sources.iter().collect());
    }
    let mut sorted = Vec::new();
    for source in sources {
        let mut file = connection::open_immutable(&source.scratch)?;
        target.bounds.set_on(&mut file)?;
        sorted.push((schema_fit::n_missing(&Schema::read(&file)?, ours), source));
    }
    sorted.sort_by_key(|(n_missing, _)| *n_missing);
    Ok(sorted.into_iter().map(|(_, source)| source).collect())
}

/// Adds the name of the file that failed to an error; a refusal stays as it is.
fn within(error: anyhow::Error, what: &str) -> anyhow::Error {
    match error.downcast_ref::<Refusal>() {
        Some(refusal) if refusal.exit == Exit::Interrupted => error,
        Some(refusal) => Refusal { what: format!("{what}: {refusal}"), ..refusal.clone() }.into(),
        None => error.context(what.to_owned()),
    }
}

/// The database while its write lock is held, and the configuration of its rows.
struct State<'c> {
    connection: &'c Connection,
    said: &'c Said<'c>,
    schema: &'c Schema,
}

impl State<'_> {
    /// References to nothing, and the reasons why tables could not be checked.
    fn orphans(&self) -> Result<(Orphans, Vec<String>)> {
        let (mut orphans, unchecked) = foreign_keys::count(self.connection)?;
        let State { connection, said, schema } = *self;
        dangling_references::add_to(&mut orphans, connection, &said.declared, schema)?;
        Ok((orphans, unchecked))
    }
}

/// A transaction in progress.
struct Merging<'c> {
    here: State<'c>,
    /// References to nothing that existed before the first write; `None` if nothing was written
    /// yet.
    before: Option<Orphans>,
    /// Tables that were changed.
    changed: BTreeSet<String>,
    /// The last file, whose stages make room for those of the next; the last ones are removed with
    /// the connection.
    last: Option<Planned>,
}

impl Merging<'_> {
    fn merge(
        &mut self,
        target: &Target<'_>,
        source: &Source,
        report: &mut Report,
        keep: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let connection = self.here.connection;
        if let Some(last) = self.last.take() {
            last.clear(connection)?;
        }
        let mut planned = one_file::plan(connection, target, self.here.said, source)?;
        if planned.problems.is_empty() && planned.changes {
            if self.before.is_none() {
                keep()?;
                self.before = Some(self.here.orphans()?.0);
            }
            self.changed.extend(planned.apply(connection, target, source)?);
        }
        report.files.push(std::mem::take(&mut planned.report));
        report.problems.append(&mut planned.problems);
        self.last = Some(planned);
        Ok(())
    }

    /// Rebuilds derived data and checks references.
    fn finish(&self, report: &mut Report) -> Result<()> {
        let Some(before) = &self.before else { return Ok(()) };
        let changed: Vec<String> = self.changed.iter().cloned().collect();
        let connection = self.here.connection;
        full_text::rebuild_indexes(connection, &changed)?;
        let (after, unchecked) = self.here.orphans()?;
        refuse_new_orphans(before, &after)?;
        report.warnings.extend(unchecked.iter().map(|said| foreign_keys::unchecked(said)));
        let triggers = Triggers::read(connection)?;
        for table in &changed {
            report.warnings.extend(triggers.silent(table).told(table));
        }
        Ok(())
    }
}

fn refuse_new_orphans(before: &Orphans, after: &Orphans) -> Result<()> {
    match foreign_keys::new(before, after) {
        None => Ok(()),
        Some((child, parent, _)) => Err(Refusal::no(
            format!(
                "rows of `{}` would refer to missing rows of `{}`",
                text::plain(child),
                text::plain(parent)
            ),
            "a replaced row may have changed the key that others refer to; the database is untouched",
        )),
    }
}

#[cfg(test)]
mod tests;

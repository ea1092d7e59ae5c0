//! The stage: a file's rows in tables of SQLite's TEMP database, each with what happens to it.
//!
//! [`StageColumns`] names the columns of a layout there. `state` is the row's [`Fate`]. `asked` has
//! a bit for each reference that the row has, `waits` for each that is not translated yet, `trusted`
//! for each whose number was taken for this database's. `k` counts the rows with one `hash`.

use anyhow::{Context, Result};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use xtask_db_format::text_of;

use crate::console::interrupt::Interrupt;
use crate::console::text;
use crate::rows::merge::fate::Fate;
use crate::rows::merge::keys::By;
use crate::rows::merge::layout::{HASHED_HERE, Layout, Rule};
use crate::rows::merge::row_hash::{Texts, by_bytes};
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::connection::quoted;

/// Rows between two looks whether the user asked to stop.
const ROWS_BETWEEN_LOOKS: u64 = 1 << 12;

/// The number of rows up to which they are compared without an index; the tests have tables of both
/// sizes.
const FEW_ROWS: u64 = if cfg!(test) { 2 } else { 16 };

/// The way of a file's rows into their stages.
pub(super) struct Transfer<'a> {
    /// The connection that has the stages.
    pub connection: &'a Connection,
    /// The file.
    pub file: &'a Connection,
    /// How texts are handed over.
    pub texts: Texts,
    /// The user's.
    pub interrupt: &'a Interrupt,
}

impl Transfer<'_> {
    /// Creates the stage of a table and fills it with the file's rows; returns whether they and
    /// those here are few.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, the disk is full, or at the user's interrupt.
    pub(super) fn fill(&self, layout: &Layout) -> Result<bool> {
        self.connection.execute_batch(&definition(layout))?;
        let n_rows = self.copy(layout).with_context(|| {
            format!("could not read the rows of `{}`", text::plain(&layout.theirs))
        })?;
        if n_rows > FEW_ROWS {
            return Ok(false);
        }
        let limit = FEW_ROWS + 1;
        let question =
            format!("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {limit})", layout.here());
        let n_here: i64 = self.connection.query_row(&question, [], |row| row.get(0))?;
        Ok(n_here.unsigned_abs() <= FEW_ROWS)
    }

    fn copy(&self, layout: &Layout) -> Result<u64> {
        let there: Vec<_> = layout.columns.iter().enumerate().filter(|(_, c)| c.in_file).collect();
        let (mut read, mut names, mut marks) = (Vec::new(), Vec::new(), Vec::new());
        for (at, column) in &there {
            let value = format!("r.{}", quoted(&column.name));
            names.push(StageColumns::BARE.value(*at));
            if self.texts == Texts::ByBytes {
                let mark = marks.len() * 2 + 1;
                read.push(format!("{}, typeof({value}) = 'text'", by_bytes(&value)));
                let text = text_of(&format!("?{mark}"));
                marks.push(format!("iif(?{}, {text}, ?{mark})", mark + 1));
            } else {
                read.push(value);
                marks.push("?".to_owned());
            }
        }
        if there.is_empty() {
            // A table of nothing but its number.
            read.push("NULL".to_owned());
            names.push("rule".to_owned());
            marks.push("?".to_owned());
        }
        let question = format!(
            "SELECT {} FROM main.{} AS r NOT INDEXED",
            read.join(", "),
            quoted(&layout.theirs)
        );
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            layout.stage(),
            names.join(", "),
            marks.join(", ")
        );
        let mut question = self.file.prepare(&question)?;
        let n_values = question.column_count();
        let mut insert = self.connection.prepare(&insert)?;
        let mut rows = question.query([])?;
        let mut n_rows = 0_u64;
        while let Some(row) = rows.next()? {
            insert.execute(params_from_iter((0..n_values).map(|at| bound(row, at))))?;
            n_rows += 1;
            if n_rows.is_multiple_of(ROWS_BETWEEN_LOOKS) {
                self.interrupt.check()?;
            }
        }
        Ok(n_rows)
    }
}

/// Creates the table in which the content of small tables here is hashed; all stages are filled by now.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn make_room_for_hashes(connection: &Connection, layouts: &[Layout]) -> Result<()> {
    let small = layouts.iter().filter(|layout| layout.is_small);
    let Some(n_locators) = small.map(|layout| layout.locator.len()).max() else { return Ok(()) };
    connection.execute_batch(&format!(
        "CREATE TABLE {HASHED_HERE} (layout INTEGER, hash BLOB, k INTEGER, {},
         PRIMARY KEY (layout, hash, k)) WITHOUT ROWID",
        StageColumns::BARE.locators(n_locators)
    ))?;
    Ok(())
}

/// Finds out which rule identifies each row, and which references it has; all stages are filled by now.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn look(connection: &Connection, layout: &Layout) -> Result<()> {
    connection.execute_batch(&first_look(layout))?;
    Ok(())
}

/// Takes all stages of a file away.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn clear(connection: &Connection, layouts: &[Layout]) -> Result<()> {
    connection.execute_batch(&format!("DROP TABLE IF EXISTS {HASHED_HERE}"))?;
    for layout in layouts {
        let stage = layout.stage();
        connection.execute_batch(&format!(
            "DROP TABLE IF EXISTS {stage}; DROP TABLE IF EXISTS {stage}_here;"
        ))?;
    }
    Ok(())
}

fn definition(layout: &Layout) -> String {
    let bare = StageColumns::BARE;
    let mut columns = vec![
        "n INTEGER PRIMARY KEY".to_owned(),
        "rule INTEGER".to_owned(),
        format!("state INTEGER NOT NULL DEFAULT {}", Fate::Raw),
        "asked INTEGER NOT NULL DEFAULT 0".to_owned(),
        "waits INTEGER NOT NULL DEFAULT 0".to_owned(),
        "trusted INTEGER NOT NULL DEFAULT 0".to_owned(),
        "stays INTEGER NOT NULL DEFAULT 0".to_owned(),
        "numbered INTEGER NOT NULL DEFAULT 0".to_owned(),
        "round INTEGER NOT NULL DEFAULT 0".to_owned(),
        "hash BLOB".to_owned(),
        "k INTEGER".to_owned(),
        "reason TEXT".to_owned(),
    ];
    for (at, column) in layout.columns.iter().enumerate() {
        let affinity = column.affinity;
        columns.push(format!("{} {affinity}", bare.value(at)));
        if column.keeps_original {
            columns.push(format!("{} {affinity}", bare.original(at)));
        }
        if column.is_referred_to {
            columns.push(format!("{} {affinity}", bare.found(at)));
        }
    }
    columns.extend((0..layout.locator.len()).map(|at| bare.locator(at)));
    format!("CREATE TABLE {} ({});", layout.stage(), columns.join(", "))
}

fn bound<'r>(row: &'r Row<'_>, at: usize) -> ToSqlOutput<'r> {
    // The column is one of the statement's own.
    ToSqlOutput::Borrowed(row.get_ref(at).unwrap_or(ValueRef::Null))
}

/// Determines which rule identifies each row, and which references it has; affinities are applied
/// by now.
fn first_look(layout: &Layout) -> String {
    let bare = StageColumns::BARE;
    let all_there = |columns: &[usize]| {
        let there = columns.iter().map(|at| format!("{} IS NOT NULL", bare.value(*at)));
        there.collect::<Vec<_>>().join(" AND ")
    };
    let rules = layout.rules.iter().enumerate();
    let applies = |rule: &Rule| match rule.by {
        By::Configuration => "TRUE".to_owned(),
        By::Primary | By::Unique => all_there(&rule.columns),
    };
    let rules = rules.map(|(at, rule)| format!("WHEN {} THEN {at} ", applies(rule)));
    let rules: String = rules.collect();
    let by_content = layout.by_content();
    let rule = if rules.is_empty() {
        by_content.to_string()
    } else {
        format!("CASE {rules}ELSE {by_content} END")
    };
    let links = layout.links.iter().enumerate();
    let bits = links.map(|(at, link)| format!("(coalesce({}, 0) << {at})", link.applies));
    let bits: Vec<String> = bits.collect();
    let bits = if bits.is_empty() { "0".to_owned() } else { bits.join(" | ") };
    let originals = layout.columns.iter().enumerate().filter(|(_, c)| c.keeps_original);
    let originals =
        originals.map(|(at, _)| format!(", {} = {}", bare.original(at), bare.value(at)));
    format!(
        "UPDATE {} AS s SET rule = {rule}, asked = {bits}, waits = {bits}{};",
        layout.stage(),
        originals.collect::<String>()
    )
}

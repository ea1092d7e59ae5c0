//! Numbers for new rows: the file's own if all of them are above those here, else new ones above
//! those here, in the same order.
//!
//! If a table's rows become known round by round, they have numbers above all others meanwhile,
//! which mean nothing here yet; all that have one get the final one together.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rusqlite::Connection;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::merge::fate::Fate::{New, Raw};
use crate::rows::merge::layout::Layout;
use crate::rows::merge::live_tables::Tables;
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::connection::quoted;
use crate::sqlite::schema::COUNTERS;

/// References to rows that are not there are heeded up to this number: none of them may suddenly
/// lead to a new row.
const MAX_HEEDED: i64 = 1 << 62;

/// The numbers of one file's new rows.
pub(super) struct Numbers<'a> {
    connection: &'a Connection,
    tables: &'a Tables,
    /// The highest number that is taken, by stage.
    highest: BTreeMap<usize, i64>,
    provisional: BTreeSet<usize>,
}

impl<'a> Numbers<'a> {
    /// None yet.
    #[must_use]
    pub(super) fn new(connection: &'a Connection, tables: &'a Tables) -> Self {
        Self { connection, tables, highest: BTreeMap::new(), provisional: BTreeSet::new() }
    }

    /// Gives the rows of a table that are known to be new their numbers.
    ///
    /// # Errors
    ///
    /// A refusal if there are no higher numbers.
    pub(super) fn give(&mut self, layout: &Layout) -> Result<()> {
        let Some(at) = layout.surrogate else { return Ok(()) };
        let stage = layout.stage();
        let some = |condition: String| -> Result<bool> {
            let question = format!("SELECT EXISTS (SELECT 1 FROM {stage} WHERE {condition})");
            Ok(self.connection.query_row(&question, [], |row| row.get(0))?)
        };
        if !some(format!("state = {New} AND NOT numbered"))? {
            return Ok(());
        }
        let is_last = !some(format!("state = {Raw}"))?;
        let highest = self.highest(layout, at)?;
        if is_last && !self.provisional.contains(&layout.number) {
            if !self.keep_theirs(layout, at, highest)? {
                self.connection.execute(&above(layout, at, highest), [])?;
            }
        } else {
            self.provisional.insert(layout.number);
            let number = StageColumns::BARE.value(at);
            let mean_nothing = format!(
                "UPDATE {stage} SET {number} = ?1 + n WHERE state = {New} AND NOT numbered"
            );
            self.connection.execute(&mean_nothing, [highest])?;
        }
        let done = format!("UPDATE {stage} SET numbered = 1 WHERE state = {New} AND NOT numbered");
        self.connection.execute(&done, [])?;
        Ok(())
    }

    /// Gives the final numbers, if there were temporary ones.
    ///
    /// # Errors
    ///
    /// If SQLite refuses.
    pub(super) fn finish(&mut self, layouts: &[Layout]) -> Result<()> {
        for number in std::mem::take(&mut self.provisional) {
            let layout = &layouts[number];
            let Some(at) = layout.surrogate else { continue };
            let highest = self.highest(layout, at)?;
            let (stage, number) = (layout.stage(), StageColumns::BARE.value(at));
            self.connection.execute_batch(&format!(
                "CREATE TABLE temp.merge_numbers AS
                   SELECT n, {number} AS old FROM {stage} WHERE state = {New};"
            ))?;
            if self.keep_theirs(layout, at, highest)? {
                let theirs = StageColumns::BARE.original(at);
                let own = format!("UPDATE {stage} SET {number} = {theirs} WHERE state = {New}");
                self.connection.execute(&own, [])?;
            } else {
                self.connection.execute(&above(layout, at, highest), [])?;
            }
            self.connection.execute_batch(&format!(
                "CREATE TABLE temp.merge_renumbered (old INTEGER PRIMARY KEY, new INTEGER);
                 INSERT INTO temp.merge_renumbered SELECT m.old, s.{number}
                   FROM temp.merge_numbers AS m JOIN {stage} AS s ON s.n = m.n;
                 DROP TABLE temp.merge_numbers;"
            ))?;
            for referring in layouts {
                self.pass_on(layout, referring)?;
            }
            self.connection.execute_batch("DROP TABLE temp.merge_renumbered")?;
        }
        Ok(())
    }

    /// Puts final numbers where references had taken the others over.
    fn pass_on(&self, renumbered: &Layout, referring: &Layout) -> Result<()> {
        let name = renumbered.name.to_ascii_lowercase();
        for at in 0..referring.columns.len() {
            let links: i64 = referring
                .links
                .iter()
                .enumerate()
                .map(|(bit, link)| {
                    let place = link.columns.iter().position(|column| *column == at);
                    let holds = place.is_some_and(|place| {
                        self.tables.numbers_in(&link.parent, &link.to[place]).contains(&name)
                    });
                    i64::from(holds) << bit
                })
                .sum();
            if links == 0 {
                continue;
            }
            self.connection.execute(
                &format!(
                    "UPDATE {} AS s SET {number} = m.new FROM temp.merge_renumbered AS m
                     WHERE s.{number} = m.old AND s.asked & ~s.waits & {links} <> 0",
                    referring.stage(),
                    number = StageColumns::BARE.value(at),
                ),
                [],
            )?;
        }
        Ok(())
    }

    /// Whether all new rows may keep the numbers that they have in the file.
    fn keep_theirs(&self, layout: &Layout, at: usize, highest: i64) -> Result<bool> {
        if !layout.columns[at].in_file {
            return Ok(false);
        }
        let theirs = StageColumns::BARE.original(at);
        let question = format!(
            "SELECT coalesce(min({theirs}) > ?1, 0) AND count(*) = count({theirs})
             FROM {} WHERE state = {New}",
            layout.stage()
        );
        Ok(self.connection.query_row(&question, [highest], |row| row.get(0))?)
    }

    /// The highest number that is taken in the database: by a row, by AUTOINCREMENT's counter, or
    /// by a reference to a row that is gone.
    fn highest(&mut self, layout: &Layout, at: usize) -> Result<i64> {
        if let Some(highest) = self.highest.get(&layout.number) {
            return Ok(*highest);
        }
        let name = layout.name.to_ascii_lowercase();
        let own = &layout.columns[at].name;
        let mut highest = self.greatest(&layout.name, own, i64::MAX, None)?.max(0);
        for here in self.tables.0.values() {
            for reference in &here.references {
                for column in self.tables.holding(reference, &name) {
                    let only = reference.only.as_ref().map(|_| reference.applies("t"));
                    let table = &here.table.name;
                    let greatest = self.greatest(table, &column, MAX_HEEDED, only.as_deref())?;
                    highest = highest.max(greatest);
                }
            }
        }
        let question = "SELECT count(*) FROM pragma_table_info(?1, 'main')";
        if self.connection.query_row(question, [COUNTERS], |row| row.get::<_, i64>(0))? > 0 {
            let question = "SELECT max(CAST(seq AS INTEGER)) FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE";
            let counter = self.connection.query_row(question, [&layout.name], |row| row.get(0));
            highest = highest.max(counter.map(|counter: Option<i64>| counter.unwrap_or(0))?);
        }
        let question = format!("SELECT coalesce(max(n), 0) FROM {}", layout.stage());
        let n_rows: i64 = self.connection.query_row(&question, [], |row| row.get(0))?;
        if highest.checked_add(n_rows).is_none() {
            return Err(Refusal::no(
                format!("`{}` has no higher numbers left for new rows", text::plain(&layout.name)),
                "its highest number is nearly 2^63: renumber its rows first; the database is untouched",
            ));
        }
        self.highest.insert(layout.number, highest);
        Ok(highest)
    }

    fn greatest(&self, table: &str, column: &str, most: i64, only: Option<&str>) -> Result<i64> {
        let (table, column) = (quoted(table), quoted(column));
        let question = format!(
            "SELECT max(t.{column}) FROM main.{table} AS t
             WHERE typeof(t.{column}) = 'integer' AND t.{column} <= ?1 AND {}",
            only.unwrap_or("TRUE")
        );
        let greatest = self.connection.query_row(&question, [most], |row| row.get(0));
        Ok(greatest.map(|greatest: Option<i64>| greatest.unwrap_or(0))?)
    }
}

/// The statement that numbers all new rows again, in their order.
fn above(layout: &Layout, at: usize, highest: i64) -> String {
    format!(
        "UPDATE {stage} AS s SET {value} = m.number FROM (
           SELECT n, {highest} + row_number() OVER (ORDER BY n) AS number FROM {stage}
           WHERE state = {New}
         ) AS m WHERE s.n = m.n",
        stage = layout.stage(),
        value = StageColumns::BARE.value(at),
    )
}

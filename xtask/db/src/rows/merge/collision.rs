//! Rows that cannot be here because another row has the same unique values. SQLite itself finds
//! them, so that partial indexes, indexes on expressions and computed columns count as for every
//! other writer.

use anyhow::Result;
use rusqlite::{Connection, ffi, params};

use crate::console::text;
use crate::rows::merge::ambiguities::names;
use crate::rows::merge::fate::Fate::{self, Conflicting, Kept, LeftOut, New, Replaced};
use crate::rows::merge::keys::By;
use crate::rows::merge::layout::{Layout, Rule};
use crate::rows::merge::request::{OnConflict, Policy};
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::connection::quoted;

/// A row of a file that has no place here.
#[derive(Debug)]
pub(super) struct Collision {
    /// Its number in the stage.
    pub row: i64,
    /// Why.
    pub reason: String,
    /// Whether it is new or replaces one.
    pub fate: Fate,
}

/// Whether SQLite refused a row because another one has the same unique values
/// (<https://sqlite.org/rescode.html>).
#[must_use]
pub(super) fn is_one(error: &rusqlite::Error) -> bool {
    let codes = [
        ffi::SQLITE_CONSTRAINT_UNIQUE,
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
        ffi::SQLITE_CONSTRAINT_ROWID,
    ];
    error.sqlite_error().is_some_and(|error| codes.contains(&error.extended_code))
}

/// Translates SQLite's message into a fragment about a row.
///
/// # Errors
///
/// If the schema cannot be read.
pub(super) fn reason(connection: &Connection, layout: &Layout, said: &str) -> Result<String> {
    let said = said.strip_prefix("UNIQUE constraint failed: ").unwrap_or(said);
    if let Some(index) = said.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')) {
        let index = text::plain(index);
        return Ok(format!("another row here has the same value in the unique index `{index}`"));
    }
    let prefix = format!("{}.", layout.name);
    let columns: Vec<&str> =
        said.split(", ").map(|column| column.strip_prefix(&prefix).unwrap_or(column)).collect();
    let named: Vec<String> =
        columns.iter().map(|column| format!("`{}`", text::plain(column))).collect();
    let within = match partial_index(connection, layout, &columns)? {
        Some(index) => format!(" in the unique index `{}`", text::plain(&index)),
        None => String::new(),
    };
    Ok(format!("another row here has the same {}{within}", named.join(", ")))
}

/// The index over these columns that is about some of the rows only; none if all rows must differ in them.
fn partial_index(
    connection: &Connection,
    layout: &Layout,
    columns: &[&str],
) -> Result<Option<String>> {
    let mut statement = connection.prepare(
        "SELECT l.name, l.partial, (SELECT group_concat(name, char(10)) FROM
           (SELECT i.name FROM pragma_index_info(l.name) AS i ORDER BY i.seqno))
         FROM pragma_index_list(?1) AS l WHERE l.\"unique\" ORDER BY l.partial",
    )?;
    let mut rows = statement.query([&layout.name])?;
    while let Some(row) = rows.next()? {
        let (index, is_partial): (String, bool) = (row.get(0)?, row.get(1)?);
        let names: Option<String> = row.get(2)?;
        if names.is_some_and(|names| names == columns.join("\n")) {
            return Ok(is_partial.then_some(index));
        }
    }
    Ok(None)
}

/// How to handle rows that have no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// They are left out, and the existing rows stay.
    LeftOut,
    /// Nothing is merged because of them.
    Refused,
}

/// Notes rows that SQLite found to have no place.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn note(
    connection: &Connection,
    layout: &Layout,
    collisions: &[Collision],
    outcome: Outcome,
) -> Result<()> {
    let update = format!("UPDATE {} SET state = ?1, reason = ?2 WHERE n = ?3", layout.stage());
    let mut update = connection.prepare(&update)?;
    for Collision { row, reason, fate } in collisions {
        let (prefix, left_out) = match *fate {
            New => ("it is new, and ", LeftOut),
            _ => ("it would be replaced, but ", Kept),
        };
        let fate = if outcome == Outcome::LeftOut { left_out } else { Conflicting };
        update.execute(params![fate, format!("{prefix}{reason}"), row])?;
    }
    Ok(())
}

/// Finds new rows that have a key of a row in the database which is a different row by its identity
/// and keeps that key.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn find(connection: &Connection, layout: &Layout, policy: &Policy) -> Result<()> {
    let fate = match policy.on_conflict {
        OnConflict::Skip => LeftOut,
        OnConflict::Fail | OnConflict::Replace => Conflicting,
    };
    if policy.on_conflict == OnConflict::Replace {
        index_located(connection, layout)?;
    }
    for (number, rule) in layout.rules.iter().enumerate() {
        if rule.by == By::Configuration {
            continue;
        }
        let columns = names(layout, &rule.columns).replace('\'', "''");
        let gives_it_up = match policy.on_conflict {
            OnConflict::Replace => format!(" AND NOT {}", gives_up(layout, rule)),
            OnConflict::Fail | OnConflict::Skip => String::new(),
        };
        connection.execute(
            &format!(
                "UPDATE {} AS s SET state = {fate},
                   reason = 'it is new, and another row here has the same {columns}'
                 FROM {} AS t WHERE s.state = {New} AND s.rule <> {number} AND {}{gives_it_up}",
                layout.stage(),
                layout.here(),
                layout.same_key(rule)
            ),
            [],
        )?;
    }
    Ok(())
}

/// Makes it quick to ask which row of the file replaces a row here.
fn index_located(connection: &Connection, layout: &Layout) -> Result<()> {
    let by = layout.locator.iter().enumerate().map(|(at, (_, collation))| {
        format!("{} COLLATE {}", StageColumns::BARE.locator(at), quoted(collation))
    });
    connection.execute_batch(&format!(
        "CREATE INDEX temp.merge_{n}_replacing ON merge_{n} ({}) WHERE state = {Replaced}",
        by.collect::<Vec<_>>().join(", "),
        n = layout.number,
    ))?;
    Ok(())
}

/// The condition that the row here, `t`, is replaced by one of the file that has another key.
fn gives_up(layout: &Layout, rule: &Rule) -> String {
    let (r, s) = (StageColumns::of("r"), StageColumns::of("s"));
    let located = layout.locator.iter().enumerate().map(|(at, (name, collation))| {
        // Without an affinity the values are compared as they are, and the index serves.
        format!("{} COLLATE {} = +t.{}", r.locator(at), quoted(collation), quoted(name))
    });
    let same = rule.columns.iter().zip(&rule.collations);
    let same =
        same.map(|(at, c)| format!("{} COLLATE {} = {}", r.value(*at), quoted(c), s.value(*at)));
    format!(
        "EXISTS (SELECT 1 FROM {} AS r WHERE r.state = {Replaced} AND {} AND ({}) IS NOT 1)",
        layout.stage(),
        located.collect::<Vec<_>>().join(" AND "),
        same.collect::<Vec<_>>().join(" AND ")
    )
}

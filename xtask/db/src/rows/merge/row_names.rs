//! Names rows for messages: by their key, else by their number, so that people can find them.

use std::fmt::Write as _;

use anyhow::Result;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::console::text;
use crate::rows::merge::layout::Layout;
use crate::rows::merge::report::{MAX_NAMED, Named, Rows};
use crate::rows::merge::stage_columns::StageColumns;

/// Characters of a value that are shown.
const WIDTH: usize = 40;

/// The rows to name, and the remark on each.
pub(super) struct Which<'a> {
    /// Condition that follows `FROM stage AS s`.
    pub condition: &'a str,
    /// The expression for the remark on each.
    pub reason: &'a str,
}

/// Counts rows of a stage and names the first of them.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn rows(connection: &Connection, layout: &Layout, which: &Which<'_>) -> Result<Rows> {
    let Which { condition, reason } = which;
    let stage = layout.stage();
    let question = format!("SELECT count(*) FROM {stage} AS s {condition}");
    let n: i64 = connection.query_row(&question, [], |row| row.get(0))?;
    let mut rows = Rows { n: n.unsigned_abs(), named: Vec::new() };
    if n == 0 {
        return Ok(rows);
    }
    let s = StageColumns::of("s");
    let values = (0..layout.columns.len()).map(|at| format!(", {}", layout.original(s, at)));
    let question = format!(
        "SELECT s.n, s.rule, {reason}{} FROM {stage} AS s {condition} ORDER BY s.n LIMIT \
         {MAX_NAMED}",
        values.collect::<String>()
    );
    let mut statement = connection.prepare(&question)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let reason = match row.get_ref(2)? {
            ValueRef::Text(bytes) => text::plain(&String::from_utf8_lossy(bytes)),
            _ => String::new(),
        };
        rows.named.push(Named { row: name(layout, row)?, reason });
    }
    Ok(rows)
}

fn name(layout: &Layout, row: &Row<'_>) -> Result<String> {
    let rule: usize = row.get::<_, i64>(1)?.try_into()?;
    let by_number = layout.surrogate.filter(|at| layout.columns[*at].in_file);
    let columns = match (layout.rules.get(rule), by_number) {
        (Some(rule), _) => rule.columns.clone(),
        (None, Some(number)) => vec![number],
        (None, None) => return Ok(format!("row {}", row.get::<_, i64>(0)?)),
    };
    let parts = columns.iter().map(|at| -> Result<String> {
        let column = text::plain(&layout.columns[*at].name);
        Ok(format!("{column} {}", shown(row.get_ref(3 + at)?)))
    });
    Ok(parts.collect::<Result<Vec<_>>>()?.join(", "))
}

/// A value as a message shows it.
fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) => real.to_string(),
        ValueRef::Text(bytes) => {
            let value = text::plain(&text::cut(&String::from_utf8_lossy(bytes), WIDTH));
            format!("'{value}'")
        }
        ValueRef::Blob(bytes) => {
            let mut digits = String::new();
            for byte in bytes.iter().take(8) {
                let _ = write!(digits, "{byte:02X}");
            }
            let more = if bytes.len() > 8 { "…" } else { "" };
            format!("X'{digits}{more}'")
        }
    }
}

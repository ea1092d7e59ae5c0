//! How a difference is printed: the changes of the schema, the rows, the counts.

use crate::console::text;
use crate::host::session::Session;
use crate::rows::diff::{Difference, Row};
use crate::sqlite::value;

/// Prints the names of the two states, and the changes of the schema.
pub(super) fn begin(session: &mut Session, a: &str, b: &str, difference: &Difference) {
    session.say(format!("{a} → {b}"));
    for change in &difference.schema {
        session.say(change.to_string());
    }
}

/// Says one row, below the name of its table.
pub(super) fn row(session: &mut Session, row: &Row<'_>, table: &mut String) {
    if table != row.table {
        row.table.clone_into(table);
        session.say(row.table);
    }
    let key = named(row.key_columns, row.key);
    let values = |values: &[value::Value]| {
        let columns = row.columns.iter().zip(values);
        let others = columns.filter(|(column, _)| !row.key_columns.contains(column));
        let shown = others.map(|(column, value)| format!("{column}={}", value.shown()));
        shown.collect::<Vec<_>>().join(", ")
    };
    let (sign, shown) = match (row.before, row.after) {
        (Some(before), None) => ('-', values(before)),
        (None, Some(after)) => ('+', values(after)),
        (before, after) => ('~', changes(row, before, after)),
    };
    let colon = if shown.is_empty() || key.is_empty() { "" } else { ": " };
    session.say(format!("  {sign} {key}{colon}{shown}"));
}

fn named(columns: &[String], values: &[value::Value]) -> String {
    let pairs = columns.iter().zip(values);
    pairs
        .map(|(column, value)| format!("{column}={}", value.shown()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The columns that differ, e.g. `content: 'three' → 'drei'`.
fn changes(
    row: &Row<'_>,
    before: Option<&[value::Value]>,
    after: Option<&[value::Value]>,
) -> String {
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let columns = row.columns.iter().zip(before.iter().zip(after));
    let differing = columns.filter(|(_, (before, after))| before != after);
    let shown = differing.map(|(column, (before, after))| {
        format!("{column}: {} → {}", before.shown(), after.shown())
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Prints how many rows differ, further remarks, and whether nothing differs.
pub(super) fn end(session: &mut Session, difference: &Difference) {
    let differing: Vec<_> = difference.tables.iter().filter(|one| one.is_different()).collect();
    if !differing.is_empty() {
        let mut rows = vec![["TABLE", "ADDED", "REMOVED", "CHANGED"].map(str::to_owned).to_vec()];
        for one in &differing {
            let counts = [one.added, one.removed, one.changed].map(text::digits);
            rows.push([vec![text::plain(&one.table)], counts.to_vec()].concat());
        }
        for line in text::table(&rows, &[1, 2, 3]).lines() {
            session.say(line);
        }
    }
    for one in &differing {
        for note in &one.notes {
            session.say(format!("{}: {note}", one.table));
        }
    }
    for one in &difference.tables {
        if let Some(why) = &one.unread {
            session.warn(format!("`{}` was not compared: {why}", one.table));
        }
    }
    if difference.is_empty() {
        session.say("No differences");
    } else if !difference.is_different() {
        session.say("No differences in what could be compared");
    }
}

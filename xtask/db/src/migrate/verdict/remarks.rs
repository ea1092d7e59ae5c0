//! Describes the changes of a migration that lose nothing.

use crate::console::text;
use crate::migrate::verdict::effects::Effects;
use crate::migrate::verdict::loss::Comparison;
use crate::migrate::verdict::table_effect::{ColumnEffect, TableEffect};
use crate::sqlite::schema::change::Kind;
use crate::sqlite::schema::guards;

/// Describes what happened to values, one line each.
#[must_use]
pub(crate) fn remarks(effects: &Effects) -> Vec<String> {
    let mut remarks: Vec<String> = effects.tables.iter().flat_map(of_table).collect();
    for counter in effects.counters.iter().filter(|counter| !counter.is_below) {
        let (table, column, before) = (&counter.table, &counter.column, counter.before);
        remarks.push(match counter.after {
            Some(after) => format!(
                "{table}.{column}: the counter (AUTOINCREMENT) falls from {before} to {after}; \
                 numbers of deleted rows are reused"
            ),
            None => format!(
                "{table}.{column}: no longer counted (AUTOINCREMENT, {before}); numbers of deleted \
                 rows are reused"
            ),
        });
    }
    for index in effects.indexes.iter().filter(|index| index.n_after != Some(0)) {
        let (name, n_before) = (&index.name, text::count(index.n_before, "row"));
        remarks.push(match index.n_after {
            Some(n_after) => {
                format!("{name}: the full-text index has {} of {n_before}", text::digits(n_after))
            }
            None => format!("{name}: the full-text index over {n_before} is gone"),
        });
    }
    remarks
}

/// Remarks that stand out: guards of the database that are gone, and new objects that do not work.
#[must_use]
pub(crate) fn warnings(of: &Comparison<'_>) -> Vec<String> {
    let lost = guards::lost(&of.before.schema, &of.after.schema);
    let mut warnings: Vec<String> =
        lost.into_iter().map(|what| format!("the migration removes {what}")).collect();
    for broken in &of.effects.broken {
        let (name, table, why) = (&broken.name, &broken.table, text::plain(&broken.why));
        if broken.kind == Kind::Table {
            warnings.push(format!(
                "a foreign key of `{name}` refers to `{table}`, which does not exist: writes fail \
                 if foreign keys are enforced"
            ));
        } else if broken.is_new {
            warnings.push(format!("`{name}`, which is new, does not work: {why}"));
        }
    }
    for table in &of.effects.tables {
        if let Some(why) = &table.unread {
            let (name, why) = (&table.before, text::plain(why));
            warnings.push(format!("the rows of `{name}` could not be compared: {why}"));
        }
    }
    warnings
}

fn of_table(table: &TableEffect) -> Vec<String> {
    let mut remarks = Vec::new();
    let name = table.after.as_ref().unwrap_or(&table.before);
    let n_moved = text::count(table.n_moved, "row");
    match &table.after {
        Some(after) if !after.eq_ignore_ascii_case(&table.before) => remarks.push(format!(
            "{}: called {after} now, with {}",
            table.before,
            text::count(table.n_after, "row")
        )),
        None if table.n_moved > 0 => {
            remarks.push(format!("{name}: the contents of its {n_moved} are in other tables"));
        }
        _ if table.n_moved > 0 => {
            let verb = if table.n_moved == 1 { "has" } else { "have" };
            remarks
                .push(format!("{name}: {n_moved} {verb} another key, or moved to another table"));
        }
        _ => {}
    }
    remarks.extend(table.columns.iter().filter_map(|column| of_column(name, column)));
    remarks
}

fn of_column(table: &str, column: &ColumnEffect) -> Option<String> {
    let ColumnEffect { name, after, n_changed, n_values, missing, .. } = column;
    if let Some(other) = &column.swapped_with {
        // Once for both.
        return (name < other).then(|| {
            let n = text::count(n_changed + n_values, "value");
            format!("{table}.{name} and {table}.{other}: exchanged, {n} each")
        });
    }
    let mut said = Vec::new();
    if let Some(after) = after.as_ref().filter(|after| !after.eq_ignore_ascii_case(name)) {
        said.push(format!("called {after} now"));
    }
    let n_taken = n_values.saturating_sub(missing.values().sum());
    if let Some(taken_by) = column.taken_by.as_ref().filter(|_| n_taken > 0) {
        said.push(format!("{} moved to {taken_by}", text::count(n_taken, "value")));
    }
    if *n_changed > 0 {
        said.push(format!("{} changed", text::count(*n_changed, "value")));
    }
    (!said.is_empty()).then(|| format!("{table}.{name}: {}", said.join(", ")))
}

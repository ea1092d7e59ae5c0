//! The effects of a migration that are losses, in words, with the names that allow them.

use std::collections::BTreeMap;

use crate::console::text;
use crate::migrate::state::State;
use crate::migrate::verdict::broken_objects::Broken;
use crate::migrate::verdict::effects::Effects;
use crate::migrate::verdict::loss::{Comparison, Loss};
use crate::migrate::verdict::table_effect::{ColumnEffect, TableEffect};
use crate::migrate::verdict::tally::Fate;
use crate::sqlite::examination::finding::{Finding, Weight};
use crate::sqlite::foreign_keys;
use crate::sqlite::schema::change::{Kind, What};

/// All losses, damage first.
#[must_use]
pub(crate) fn losses(of: &Comparison<'_>) -> Vec<Loss> {
    let Comparison { before, after, effects } = *of;
    let mut losses = damage(&before.findings, &after.findings);
    for table in &effects.tables {
        if table.unread.is_some() {
            losses.append(&mut unread(table, before, after));
        }
        losses.extend(rows(table));
        losses.extend(table.columns.iter().filter_map(|column| values(table, column)));
    }
    let counted = |table: &&String| before.n_rows(table).is_some() && after.has_table(table);
    for table in before.tables.keys().filter(counted).filter(|t| after.n_rows(t).is_none()) {
        losses.extend(fewer_rows(table, before.n_rows(table), after));
    }
    losses.append(&mut derived(effects));
    losses.append(&mut unchecked(&before.unchecked, &after.unchecked));
    losses.append(&mut new_orphans(of));
    losses
}

fn damage(before: &[Finding], after: &[Finding]) -> Vec<Loss> {
    let new = after.iter().filter(|f| f.kind == Weight::Structural && !before.contains(f));
    new.map(|finding| Loss { names: Vec::new(), what: format!("the file is damaged: {finding}") })
        .collect()
}

/// The rows that a table lost; a table that is gone is not counted here.
#[must_use]
pub(crate) fn fewer_rows(table: &str, n_before: Option<u64>, after: &State) -> Option<Loss> {
    let n_before = n_before.filter(|_| after.has_table(table))?;
    let what = match after.n_rows(table) {
        Some(n_after) if n_after < n_before => format!(
            "table `{table}` loses {} of its {}",
            text::digits(n_before - n_after),
            text::count(n_before, "row")
        ),
        Some(_) => return None,
        None => format!("table `{table}` can no longer be counted"),
    };
    Some(Loss { names: vec![table.to_owned()], what })
}

/// A table that could not be read: only its counts and its definition are known.
fn unread(table: &TableEffect, before: &State, after: &State) -> Vec<Loss> {
    let name = &table.before;
    let n_rows = before.n_rows(name);
    let mut losses: Vec<_> = fewer_rows(name, n_rows, after).into_iter().collect();
    for change in before.schema.changes(&after.schema) {
        let is_gone = change.what == What::Removed || change.loses_values;
        let what = match (change.kind, &change.table) {
            (Kind::Table, _) if is_gone && change.name == *name && n_rows != Some(0) => {
                format!("table `{name}` is dropped{}", with_rows(n_rows))
            }
            (Kind::Column, Some(of)) if is_gone && of.eq_ignore_ascii_case(name) => {
                format!("column `{}` of table `{name}` is dropped", change.name)
            }
            _ => continue,
        };
        losses.push(Loss { names: vec![name.clone()], what });
    }
    losses
}

fn with_rows(n_rows: Option<u64>) -> String {
    n_rows.map_or_else(String::new, |n| format!(" with its {}", text::count(n, "row")))
}

/// The names of a table: as it was, and as it is.
fn names(table: &TableEffect) -> Vec<String> {
    let after = table.after.iter().filter(|after| !after.eq_ignore_ascii_case(&table.before));
    std::iter::once(&table.before).chain(after).cloned().collect()
}

fn rows(table: &TableEffect) -> Option<Loss> {
    let TableEffect { before, after, n_before, n_after, n_lost, .. } = table;
    if *n_lost == 0 {
        return None;
    }
    let Some(after) = after else {
        let what = format!("table `{before}` is dropped{}", with_rows(Some(*n_before)));
        return Some(Loss { names: names(table), what });
    };
    let now = if after.eq_ignore_ascii_case(before) {
        String::new()
    } else {
        format!(" (`{after}` now)")
    };
    let n_new = (n_after + n_lost).saturating_sub(*n_before);
    let new = match n_new {
        0 => String::new(),
        1 => ", and another one is added".to_owned(),
        n_new => format!(", and {} others are added", text::digits(n_new)),
    };
    let what = format!(
        "table `{before}`{now} loses {} of its {}{new}",
        text::digits(*n_lost),
        text::count(*n_before, "row")
    );
    Some(Loss { names: names(table), what })
}

fn values(table: &TableEffect, column: &ColumnEffect) -> Option<Loss> {
    let n_missing: u64 = column.missing.values().sum();
    if n_missing == 0 {
        return None;
    }
    let (before, name) = (&table.before, &column.name);
    let n = text::count(n_missing, "value");
    let n = if n_missing < column.n_values {
        format!("{} of its {}", text::digits(n_missing), text::count(column.n_values, "value"))
    } else {
        format!("its {n}")
    };
    let what = if column.is_computed {
        format!("column `{name}` of table `{before}` is computed now: {n} are lost")
    } else if column.after.is_none() && table.after.is_some() {
        format!("column `{name}` of table `{before}` is dropped with {n}")
    } else if table.after.is_none() {
        format!("column `{name}` of the dropped table `{before}` is lost, with {n}")
    } else {
        format!("column `{name}` of table `{before}` loses {n}: {}", kinds(&column.missing))
    };
    let mut allowed_by = vec![format!("{before}.{name}")];
    allowed_by.append(&mut names(table));
    Some(Loss { names: allowed_by, what })
}

/// `2 are NULL now, 1 is cut off`.
fn kinds(missing: &BTreeMap<Fate, u64>) -> String {
    let said = missing.iter().map(|(fate, n)| {
        let verb = if *n == 1 { "is" } else { "are" };
        let what = match fate {
            Fate::Null => "NULL now",
            Fate::Empty => "empty now",
            Fate::Short => "cut off",
            Fate::Gone | Fate::Removed | Fate::Other => "gone",
        };
        format!("{} {verb} {what}", text::digits(*n))
    });
    said.collect::<Vec<_>>().join(", ")
}

/// Counters, full-text indexes, triggers and views.
fn derived(effects: &Effects) -> Vec<Loss> {
    let mut losses = Vec::new();
    for counter in effects.counters.iter().filter(|counter| counter.is_below) {
        let (table, column) = (&counter.table, &counter.column);
        let what = format!(
            "the counter of `{table}.{column}` (AUTOINCREMENT) is {}, below the largest number in \
             use, {}",
            counter.after.unwrap_or(0),
            counter.largest
        );
        losses.push(Loss { names: vec![format!("{table}.{column}"), table.clone()], what });
    }
    for index in effects.indexes.iter().filter(|index| index.has_content) {
        if index.n_after == Some(0) {
            let what = format!(
                "the full-text index `{}` is empty now; it had {}",
                index.name,
                text::count(index.n_before, "row")
            );
            losses.push(Loss { names: vec![index.name.clone()], what });
        }
    }
    let is_loss = |broken: &&Broken| !broken.is_new && broken.kind != Kind::Table;
    for broken in effects.broken.iter().filter(is_loss) {
        let (name, table, why) = (&broken.name, &broken.table, text::plain(&broken.why));
        let what = if broken.kind == Kind::View {
            format!("view `{name}` no longer works: {why}")
        } else {
            format!("trigger `{name}` makes writes to `{table}` fail: {why}")
        };
        losses.push(Loss { names: vec![broken.name.clone()], what });
    }
    losses
}

/// Foreign keys that could be checked before and no longer can.
fn unchecked(before: &[String], after: &[String]) -> Vec<Loss> {
    let new = after.iter().filter(|said| !before.contains(said));
    new.map(|said| Loss {
        names: foreign_keys::child(said).map(str::to_owned).into_iter().collect(),
        what: foreign_keys::unchecked(said),
    })
    .collect()
}

/// Rows that newly refer to missing ones, by child and parent.
fn new_orphans(of: &Comparison<'_>) -> Vec<Loss> {
    let Comparison { before, after, effects } = *of;
    // By number only if nothing but the user gives rows their numbers.
    let is_numbered = |table: &str| {
        let has_number = |state: &State| {
            state.schema.table(table).is_some_and(|table| table.rowid_column().is_some())
        };
        has_number(before) && has_number(after)
    };
    let now_called = |name: &str| {
        let effect = effects.tables.iter().find(|t| t.before.eq_ignore_ascii_case(name));
        effect.and_then(|table| table.after.clone()).unwrap_or_else(|| name.to_owned())
    };
    let counted = |state: &State, named: &dyn Fn(&str) -> String| {
        let mut counts = BTreeMap::<(String, String, Option<i64>), u64>::new();
        for ((child, parent, _, rowid), n) in &state.orphans {
            let rowid = rowid.filter(|_| is_numbered(child));
            *counts.entry((named(child), named(parent), rowid)).or_default() += n;
        }
        counts
    };
    let old = counted(before, &now_called);
    let mut new = BTreeMap::<(String, String), u64>::new();
    for (key, n_after) in counted(after, &str::to_owned) {
        let n_new = n_after.saturating_sub(old.get(&key).copied().unwrap_or(0));
        *new.entry((key.0, key.1)).or_default() += n_new;
    }
    let new = new.into_iter().filter(|(_, n)| *n > 0);
    new.map(|((child, parent), n)| {
        let verb = if n == 1 { "refers" } else { "refer" };
        let what =
            format!("{} of `{child}` newly {verb} to no row of `{parent}`", text::count(n, "row"));
        Loss { names: vec![child], what }
    })
    .collect()
}

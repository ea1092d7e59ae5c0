//! What a migration did to a database, and whether that is let through: a pure comparison of the
//! states before and after it.
//!
//! Adding is free. What takes something away (rows, a table, a column, the parent of a row) is
//! refused unless the user named the table. A renamed table is one that went and one that came: who
//! means it says so. Damage of the file is never let through.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::finding::{Finding, Weight};
use crate::orphans::{self, Orphans};
use crate::schema::change::{Change, Kind, What};
use crate::state::State;
use crate::text;

/// What is thought of a migration that ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It changed nothing at all.
    NothingPending,
    /// It may not run, and why not.
    Refused(Vec<Loss>),
    /// It may run; the losses are those that the user let through.
    Allowed(Vec<Loss>),
}

/// Something that a migration takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// The table whose name lets it through; `None` where nothing does.
    pub table: Option<String>,
    /// What is lost.
    pub what: String,
}

/// The rows of a table before and after; `None` where it was not there or could not be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Rows {
    /// Before.
    pub before: Option<u64>,
    /// After.
    pub after: Option<u64>,
}

/// Judges a migration by the states before and after it; `allowed` are the tables that may lose.
#[must_use]
pub(crate) fn judge(before: &State, after: &State, allowed: &[String]) -> Verdict {
    if before.content_blake3 == after.content_blake3 {
        return Verdict::NothingPending;
    }
    let is_allowed = |loss: &Loss| {
        let table = loss.table.as_ref();
        table.is_some_and(|table| allowed.iter().any(|name| name.eq_ignore_ascii_case(table)))
    };
    let (let_through, refused): (Vec<_>, Vec<_>) =
        losses(before, after).into_iter().partition(is_allowed);
    if refused.is_empty() { Verdict::Allowed(let_through) } else { Verdict::Refused(refused) }
}

/// All that is taken away, damage first.
#[must_use]
pub(crate) fn losses(before: &State, after: &State) -> Vec<Loss> {
    let mut losses = damage(&before.findings, &after.findings);
    for change in before.schema.changes(&after.schema) {
        losses.extend(dropped(&change, before));
    }
    for (table, n_before) in &before.tables {
        losses.extend(fewer_rows(table, *n_before, after));
    }
    losses.append(&mut unchecked(&before.unchecked, &after.unchecked));
    losses.append(&mut new_orphans(&before.orphans, &after.orphans));
    losses
}

/// The tables whose number of rows changed, those that came and went among them.
#[must_use]
pub(crate) fn rows(before: &State, after: &State) -> BTreeMap<String, Rows> {
    let mut rows = BTreeMap::new();
    for (table, n_before) in &before.tables {
        let n_after = after.n_rows(table);
        if n_after != *n_before || !after.has_table(table) {
            rows.insert(table.clone(), Rows { before: *n_before, after: n_after });
        }
    }
    for (table, n_after) in &after.tables {
        if !before.has_table(table) {
            rows.insert(table.clone(), Rows { before: None, after: *n_after });
        }
    }
    rows
}

fn damage(before: &[Finding], after: &[Finding]) -> Vec<Loss> {
    let new = after.iter().filter(|f| f.kind == Weight::Structural && !before.contains(f));
    new.map(|finding| Loss { table: None, what: format!("the file is damaged: {finding}") })
        .collect()
}

fn dropped(change: &Change, before: &State) -> Option<Loss> {
    if let (true, Some(table)) = (change.loses_values, &change.table) {
        let what =
            format!("column `{}` of table `{table}` is computed now: its values go", change.name);
        return Some(Loss { table: Some(table.clone()), what });
    }
    if change.what != What::Removed {
        return None;
    }
    let (table, what) = match (change.kind, &change.table) {
        (Kind::Table, _) => {
            let rows = match before.n_rows(&change.name) {
                Some(n_rows) => format!(" with its {}", text::count(n_rows, "row")),
                None => String::new(),
            };
            (change.name.clone(), format!("table `{}` is dropped{rows}", change.name))
        }
        (Kind::Column, Some(table)) => {
            (table.clone(), format!("column `{}` of table `{table}` is dropped", change.name))
        }
        _ => return None,
    };
    Some(Loss { table: Some(table), what })
}

/// What a table lost in rows; one that is gone is not counted here.
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
    Some(Loss { table: Some(table.to_owned()), what })
}

/// Foreign keys that could be checked before and no longer can.
fn unchecked(before: &[String], after: &[String]) -> Vec<Loss> {
    let new = after.iter().filter(|said| !before.contains(said));
    new.map(|said| Loss { table: None, what: orphans::unchecked(said) }).collect()
}

fn new_orphans(before: &Orphans, after: &Orphans) -> Vec<Loss> {
    let (before, after) = (by_tables(before), by_tables(after));
    let n_before = |key: &(&str, &str)| before.get(key).copied().unwrap_or(0);
    let more = after.iter().filter(|(key, n_after)| **n_after > n_before(key));
    more.map(|(key, n_after)| {
        let n = n_after - n_before(key);
        let (child, parent) = *key;
        let verb = if n == 1 { "refers" } else { "refer" };
        let rows = text::count(n, "row");
        Loss {
            table: Some(child.to_owned()),
            what: format!("{rows} of `{child}` newly {verb} to no row of `{parent}`"),
        }
    })
    .collect()
}

/// By child and parent: a rebuild gives rows and foreign keys other numbers.
fn by_tables(orphans: &Orphans) -> BTreeMap<(&str, &str), u64> {
    let mut counts = BTreeMap::new();
    for ((child, parent, ..), n) in orphans {
        *counts.entry((child.as_str(), parent.as_str())).or_default() += n;
    }
    counts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anyhow::Result;

    use super::*;
    use crate::database;
    use crate::interrupt::Interrupt;

    const BEFORE: &str = "
        PRAGMA foreign_keys=OFF;
        CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT, mood TEXT);
        CREATE TABLE children (id INTEGER PRIMARY KEY, parent REFERENCES parents(id));
        CREATE VIEW v AS SELECT name FROM parents;
        CREATE INDEX i ON parents (name);
        INSERT INTO parents VALUES (1, 'a', 'x'), (2, 'b', 'y');
        INSERT INTO children VALUES (1, 1), (2, 2), (3, 77);";

    /// The states before and after some statements.
    fn states(migration: &str) -> Result<(State, State)> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.db");
        let connection = database::open_or_create(&path, Duration::ZERO)?;
        connection.execute_batch(BEFORE)?;
        let before = State::read(&path, &Interrupt::default())?;
        connection.execute_batch(migration)?;
        Ok((before, State::read(&path, &Interrupt::default())?))
    }

    fn check(migration: &str, expected: &[&str]) {
        let (before, after) = states(migration).expect(migration);
        let lost: Vec<_> = losses(&before, &after).into_iter().map(|loss| loss.what).collect();
        assert_eq!(lost, expected, "{migration}");
        let verdict = judge(&before, &after, &[]);
        assert_eq!(matches!(verdict, Verdict::Refused(_)), !expected.is_empty(), "{migration}");
        // Who names every table lets everything through but damage.
        let all = ["PARENTS", "Children"].map(str::to_owned);
        assert!(!matches!(judge(&before, &after, &all), Verdict::Refused(_)), "{migration}");
    }

    #[test]
    fn what_is_taken_away_is_a_loss_and_nothing_else_is() {
        check("CREATE TABLE more (a); INSERT INTO more VALUES (1)", &[]);
        check(
            "ALTER TABLE parents ADD COLUMN age; INSERT INTO parents VALUES (3, 'c', 'z', 1)",
            &[],
        );
        check("DROP INDEX i; DROP VIEW v; UPDATE parents SET name = upper(name)", &[]);
        check("DELETE FROM children WHERE id = 3", &["table `children` loses 1 of its 3 rows"]);
        check("DROP TABLE children", &["table `children` is dropped with its 3 rows"]);
        check(
            "ALTER TABLE parents DROP COLUMN mood",
            &["column `mood` of table `parents` is dropped"],
        );
        check(
            "ALTER TABLE parents RENAME COLUMN mood TO temper",
            &["column `mood` of table `parents` is dropped"],
        );
        check(
            "ALTER TABLE children RENAME TO offspring;
             UPDATE offspring SET parent = 1 WHERE id = 3",
            &["table `children` is dropped with its 3 rows"],
        );
        check(
            "UPDATE children SET parent = 88",
            &["2 rows of `children` newly refer to no row of `parents`"],
        );
    }

    #[test]
    fn a_column_that_is_computed_from_now_on_loses_what_it_stored() {
        for how in ["VIRTUAL", "STORED"] {
            check(
                &format!(
                    "DROP VIEW v;
                     CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT, mood TEXT AS (name) {how});
                     INSERT INTO new SELECT id, name FROM parents;
                     DROP TABLE parents; ALTER TABLE new RENAME TO parents"
                ),
                &["column `mood` of table `parents` is computed now: its values go"],
            );
        }
    }

    #[test]
    fn orphans_that_were_there_before_are_forgiven() {
        check("INSERT INTO parents VALUES (9, 'c', 'z')", &[]);
        check("UPDATE children SET parent = 78 WHERE id = 3", &[]);
    }

    #[test]
    fn nothing_is_pending_where_no_content_changed() {
        let (before, after) = states("PRAGMA user_version=0; BEGIN; COMMIT").expect("states");
        assert_eq!(judge(&before, &after, &[]), Verdict::NothingPending);
        let (before, after) = states("PRAGMA user_version=1").expect("states");
        assert_eq!(judge(&before, &after, &[]), Verdict::Allowed(Vec::new()));
        let (before, after) = states("UPDATE parents SET name = 'other'").expect("states");
        assert_eq!(judge(&before, &after, &[]), Verdict::Allowed(Vec::new()));
    }

    #[test]
    fn damage_is_never_let_through_but_forgiven_where_it_is_old() {
        let (before, mut after) = states("CREATE TABLE more (a)").expect("states");
        after.findings = vec![Finding::structural("row 1 missing from index i")];
        let all = ["parents", "children", "more"].map(str::to_owned);
        assert!(matches!(judge(&before, &after, &all), Verdict::Refused(_)));
        let before = State { findings: after.findings.clone(), ..before };
        assert_eq!(judge(&before, &after, &[]), Verdict::Allowed(Vec::new()));
    }
}

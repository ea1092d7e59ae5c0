//! Counts, orphans and damage: what was refused from the beginning.

use super::*;

const BEFORE: &str = "
    CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT, mood TEXT);
    CREATE TABLE children (id INTEGER PRIMARY KEY, parent REFERENCES parents(id));
    CREATE VIEW v AS SELECT name FROM parents;
    CREATE INDEX i ON parents (name);
    INSERT INTO parents VALUES (1, 'a', 'x'), (2, 'b', 'y');
    INSERT INTO children VALUES (1, 1), (2, 2), (3, 77);";

fn states(migration: &str) -> States {
    States::of(BEFORE, migration).expect(migration)
}

fn check(migration: &str, expected: &[&str]) {
    let states = states(migration);
    let lost: Vec<_> = losses(&states.comparison()).into_iter().map(|loss| loss.what).collect();
    assert_eq!(lost, expected, "{migration}");
    let is_refused = matches!(states.judge(&[]), Verdict::Refused(_));
    assert_eq!(is_refused, !expected.is_empty(), "{migration}");
    // Naming every table allows everything except damage.
    let verdict = states.judge(&["PARENTS", "Children"]);
    assert!(!matches!(verdict, Verdict::Refused(_)), "{migration}");
}

#[test]
fn what_is_taken_away_is_a_loss_and_nothing_else_is() {
    check("CREATE TABLE more (a); INSERT INTO more VALUES (1)", &[]);
    check("ALTER TABLE parents ADD COLUMN age; INSERT INTO parents VALUES (3, 'c', 'z', 1)", &[]);
    check("DROP INDEX i; DROP VIEW v; UPDATE parents SET name = upper(name)", &[]);
    check("DELETE FROM children WHERE id = 3", &["table `children` loses 1 of its 3 rows"]);
    check("DROP TABLE children", &["table `children` is dropped with its 3 rows"]);
    check(
        "ALTER TABLE parents DROP COLUMN mood",
        &["column `mood` of table `parents` is dropped with its 2 values"],
    );
    check("ALTER TABLE parents RENAME COLUMN mood TO temper", &[]);
    check(
        "ALTER TABLE children RENAME TO offspring; UPDATE offspring SET parent = 1 WHERE id = 3",
        &[],
    );
    check(
        "UPDATE children SET parent = 88",
        &["2 rows of `children` newly refer to no row of `parents`"],
    );
    // One reference repaired, another one broken.
    check(
        "UPDATE children SET parent = CASE id WHEN 1 THEN 88 WHEN 3 THEN 1 ELSE parent END",
        &["1 row of `children` newly refers to no row of `parents`"],
    );
}

#[test]
fn orphans_that_were_there_before_are_forgiven() {
    check("INSERT INTO parents VALUES (9, 'c', 'z')", &[]);
    check("UPDATE children SET parent = 78 WHERE id = 3", &[]);
    check("ALTER TABLE children RENAME TO offspring", &[]);
}

#[test]
fn nothing_is_pending_where_no_content_changed() {
    let verdict = |migration| states(migration).judge(&[]);
    assert_eq!(verdict("PRAGMA user_version=0; BEGIN; COMMIT"), Verdict::NothingPending);
    assert_eq!(verdict("PRAGMA user_version=1"), Verdict::Allowed(Vec::new()));
    assert_eq!(verdict("UPDATE parents SET name = 'other'"), Verdict::Allowed(Vec::new()));
}

#[test]
fn damage_is_never_let_through_but_forgiven_where_it_is_old() {
    let mut states = states("CREATE TABLE more (a)");
    states.after.findings = vec![Finding::structural("row 1 missing from index i")];
    let verdict = states.judge(&["parents", "children", "more"]);
    assert!(matches!(verdict, Verdict::Refused(_)));
    states.before.findings.clone_from(&states.after.findings);
    assert_eq!(states.judge(&[]), Verdict::Allowed(Vec::new()));
}

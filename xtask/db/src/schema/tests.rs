//! Schemas read from real databases, and what changed between them.

use rusqlite::Connection;

use super::*;

fn schema(sql: &str) -> Schema {
    let connection = Connection::open_in_memory().expect("a database");
    connection.execute_batch(sql).expect(sql);
    Schema::read(&connection).expect("a schema")
}

#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    let changes = schema(old).changes(&schema(new));
    let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(lines, expected, "{old} → {new}");
}

#[test]
fn each_change_is_one_line() {
    let t = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);";
    for (old, new, expected) in [
        ("", t, vec!["+ table t"]),
        (t, "", vec!["- table t"]),
        (t, "CREATE TABLE \"T\" ( a integer primary key , [b] text)", vec![]),
        (t, "CREATE TABLE t (a INTEGER PRIMARY KEY)", vec!["- column t.b"]),
        (t, "CREATE TABLE t (a INTEGER PRIMARY KEY, c, b TEXT)", vec!["+ column t.c"]),
        (
            t,
            "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)",
            vec!["~ column t.b: text → text not null"],
        ),
        (
            t,
            "CREATE TABLE t (b TEXT, a INTEGER PRIMARY KEY)",
            vec!["~ table t (constraints, options or order of columns)"],
        ),
        (
            t,
            "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, CHECK (a > 0))",
            vec!["~ table t (constraints, options or order of columns)"],
        ),
        (
            t,
            "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT) WITHOUT ROWID",
            vec!["~ table t (constraints, options or order of columns)"],
        ),
        ("", "PRAGMA user_version=3", vec!["~ user_version: 0 → 3"]),
    ] {
        check(old, new, &expected);
    }
}

#[test]
fn indexes_views_and_triggers_are_told_apart() {
    let t = "CREATE TABLE t (a, b);";
    let all = format!(
        "{t} CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT a FROM t;
         CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END;"
    );
    check(t, &all, &["+ index i", "+ view v", "+ trigger g"]);
    check(&all, t, &["- index i", "- view v", "- trigger g"]);
    let other =
        all.replace("(a)", "(b)").replace("SELECT a", "SELECT b").replace("AFTER", "BEFORE");
    check(&all, &other, &["~ index i", "~ view v", "~ trigger g"]);
    check(&all, &all.replace("ON t (a)", "on  T( a )"), &[]);
}

#[test]
fn shadow_tables_belong_to_their_virtual_table() {
    let sql = "CREATE VIRTUAL TABLE notes USING fts5 (body); CREATE TABLE notes_log (a);";
    check("", sql, &["+ table notes", "+ table notes_log"]);
    let schema = schema(sql);
    let notes = schema.table("Notes").expect("the table");
    assert_eq!(notes.storage, Storage::Virtual("fts5".to_owned()));
    let shadows: Vec<&str> = notes.shadows.iter().map(|table| table.name.as_str()).collect();
    let expected = ["notes_config", "notes_content", "notes_data", "notes_docsize", "notes_idx"];
    assert_eq!(shadows, expected);
    assert_eq!(notes.shadows[4].storage, Storage::WithoutRowid);
}

#[test]
fn a_module_that_is_missing_is_no_failure() {
    let schema = schema(
        "PRAGMA writable_schema=ON;
         INSERT INTO sqlite_schema VALUES
             ('table', 'geo', 'geo', 0, 'CREATE VIRTUAL TABLE geo USING vanished(a)');
         PRAGMA writable_schema=RESET;",
    );
    let geo = schema.table("geo").expect("the table");
    assert_eq!(geo.storage, Storage::Virtual("vanished".to_owned()));
    assert_eq!(geo.columns, []);
}

#[test]
fn columns_carry_what_the_statement_says_of_them() {
    let schema = schema(
        "CREATE TABLE t (a TEXT, b INT NOT NULL DEFAULT 7, c AS (b * 2), d AS (b) STORED,
             PRIMARY KEY (b, a))",
    );
    let table = schema.table("t").expect("the table");
    let natures: Vec<Nature> = table.columns.iter().map(|column| column.nature).collect();
    let (ordinary, computed) = (Nature::Ordinary, Nature::GeneratedVirtual);
    assert_eq!(natures, [ordinary, ordinary, computed, Nature::GeneratedStored]);
    assert_eq!(table.columns[1].definition, "int not null default 7");
    assert_eq!(table.columns[1].default.as_deref(), Some("7"));
    assert!(table.columns[1].not_null);
    assert_eq!(table.columns[0].key_position, 2);
    assert_eq!(table.constraints, ["primary key ( b , a )"]);
}

//! Schemas read from real databases, and what changed between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

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
        (t, "CREATE TABLE \"t\" ( a integer primary key , [b] text)", vec![]),
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
fn another_default_is_a_change_however_it_is_quoted() {
    for (old, new) in [("ABC", "abc"), ("\"1\"", "1"), ("'1'", "1"), ("\"null\"", "null")] {
        let (a, b) = (format!("CREATE TABLE t (a, b DEFAULT {old})"), format!("default {new}"));
        let line = format!("~ column t.b: default {old} → {b}");
        check(&a, &format!("CREATE TABLE t (a, b {b})"), &[&line]);
    }
    let t = "CREATE TABLE t (a, b DEFAULT (1 + 2) NOT NULL, c DEFAULT CURRENT_DATE)";
    check(t, "CREATE TABLE t (a, b DEFAULT (1+2) NOT NULL, c DEFAULT current_date)", &[]);
}

#[test]
fn quotes_that_mean_something_are_a_change() {
    let t = "CREATE TABLE t (a, \"t.a\");";
    for (one, other) in [
        ("VIEW i AS SELECT * FROM t WHERE a = \"1\"", "VIEW i AS SELECT * FROM t WHERE a = 1"),
        ("VIEW i AS SELECT \"null\" AS x FROM t", "VIEW i AS SELECT null AS x FROM t"),
        ("VIEW i AS SELECT \"t.a\" FROM t", "VIEW i AS SELECT t.a FROM t"),
    ] {
        check(&format!("{t} CREATE {one}"), &format!("{t} CREATE {other}"), &["~ view i"]);
    }
    check(
        "CREATE TABLE t (a CHECK (a <> \"1\"))",
        "CREATE TABLE t (a CHECK (a <> 1))",
        &["~ column t.a: check ( a < > \"1\" ) → check ( a < > 1 )"],
    );
}

#[test]
fn a_rename_by_case_is_a_change() {
    let t = "CREATE TABLE Tags (Name TEXT, key); CREATE INDEX I ON Tags (key);
             CREATE VIEW V AS SELECT 1;";
    check(
        t,
        "CREATE TABLE tags (name TEXT, key); CREATE INDEX i ON tags (key);
         CREATE VIEW v AS SELECT 1",
        &[
            "~ table tags (was Tags)",
            "~ column tags.name (was Name)",
            "~ index i (was I)",
            "~ view v (was V)",
        ],
    );
    check(
        "CREATE TABLE t (A TEXT)",
        "CREATE TABLE t (a INT)",
        &["~ column t.a (was A)", "~ column t.a: text → int"],
    );
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

#[test]
fn the_list_of_all_tables_is_asked_for_only_if_one_is_virtual() {
    for (sql, n_expected) in [
        ("CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t", 0),
        ("CREATE TABLE t (a); CREATE VIRTUAL TABLE f USING fts5(a)", 1),
    ] {
        let connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch(sql).expect(sql);
        let n_asked = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&n_asked);
        let judge = move |asked: AuthContext<'_>| {
            if matches!(asked.action, AuthAction::Pragma { pragma_name: "table_list", .. }) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Authorization::Allow
        };
        let _ = connection.authorizer(Some(judge));
        Schema::read(&connection).expect("a schema");
        assert_eq!(n_asked.load(Ordering::Relaxed), n_expected, "{sql}");
    }
}

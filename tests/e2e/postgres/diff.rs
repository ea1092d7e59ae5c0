//! The differences between two states of a PostgreSQL database: definitions, counts and rows.

use serde_json::json;

use super::export::ODD;
use crate::support::postgres_server::{PASSWORD, PostgresServer};

#[test]
fn equal_states_have_no_differences_and_leave_nothing() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(ODD);
    let sandbox = database.sandbox();
    sandbox.ok(&["db-backup"]);
    let said = sandbox.ok(&["db-diff", "--exit-code"]);
    assert!(said.out.ends_with("No differences\n"), "{said:#?}");
    database.sql("UPDATE parent SET name = name WHERE id < 3");
    database.sql("VACUUM FULL parent");
    let said = sandbox.ok(&["db-diff", "--exit-code", "--rows"]);
    assert!(said.out.ends_with("No differences\n"), "the order of rows means nothing: {said:#?}");
    let entries = fs_err::read_dir(sandbox.path("backups")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
    assert!(names.map(|name| name.expect("a name")).all(|name| !name.contains("stage")));
}

#[test]
fn rows_are_paired_by_their_primary_key() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(
        "CREATE TABLE people (id int PRIMARY KEY, name text, photo bytea); CREATE TABLE kept (a int);
         INSERT INTO people VALUES (1, 'Ada', '\\x00'), (2, 'Grace', NULL), (10, 'Alan', NULL), (9, 'Kurt', NULL);
         INSERT INTO kept VALUES (1)",
    );
    let sandbox = database.sandbox();
    let first = sandbox.backup();
    database.sql(
        "DELETE FROM people WHERE id = 2; UPDATE people SET name = 'Alan T', photo = '\\x01ab' WHERE id = 10;
         UPDATE people SET name = NULL WHERE id = 9; INSERT INTO people VALUES (3, E'new\\n', NULL)",
    );
    let said = sandbox.ok(&["db-diff"]);
    assert!(said.out.contains("public.people      1        1        2"), "{said:#?}");
    assert!(!said.out.contains("kept"), "{said:#?}");
    let said = sandbox.fails(1, &["db-diff", "--rows", "--exit-code"]);
    let rows: Vec<&str> = said.out.lines().skip(1).take(5).collect();
    assert_eq!(
        rows,
        [
            "public.people",
            "  - id=2: name='Grace', photo=NULL",
            "  + id=3: name='new\\n', photo=NULL",
            "  ~ id=9: name: 'Kurt' → NULL",
            "  ~ id=10: name: 'Alan' → 'Alan T', photo: NULL → X'01AB'",
        ]
    );
    let document = sandbox.json(&["db-diff", "--rows"]);
    let difference = &document["differences"][0];
    assert_eq!(difference["tables"][0]["changed"], 2);
    assert_eq!(
        difference["rows"][0],
        json!({ "table": "public.people", "key": { "id": 2 },
            "before": { "id": 2, "name": "Grace", "photo": null }, "after": null })
    );
    let second = sandbox.backup();
    database.sql("DROP TABLE people");
    let between = sandbox.ok(&["db-diff", &first, &second, "--rows"]);
    assert_eq!(between.out.lines().skip(1).take(5).collect::<Vec<_>>(), rows);
    let said = sandbox.ok(&["db-diff", &first, "--rows"]);
    assert!(said.out.contains("- table public.people\n"), "{said:#?}");
    assert!(said.out.contains("  - id=1: name='Ada', photo=X'00'"), "{said:#?}");
    assert!(said.out.contains("public.people      0        4        0"), "{said:#?}");
}

#[test]
fn rows_without_a_key_are_paired_by_their_values() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(
        "CREATE TABLE log (at int, what text); INSERT INTO log SELECT 1, 'same' FROM generate_series(1, 5)",
    );
    let sandbox = database.sandbox();
    sandbox.ok(&["db-backup"]);
    database.sql(
        "DELETE FROM log WHERE ctid IN (SELECT ctid FROM log LIMIT 2); INSERT INTO log VALUES (2, NULL)",
    );
    let said = sandbox.ok(&["db-diff", "--rows"]);
    assert!(said.out.contains("\n  - at=1, what='same'\n  - at=1, what='same'\n"), "{said:#?}");
    assert!(said.out.contains("\n  + at=2, what=NULL\n"), "{said:#?}");
    assert!(said.out.contains("public.log      1        2        0"), "{said:#?}");
    assert!(said.out.contains("no primary key"), "{said:#?}");
}

#[test]
fn changes_of_definitions_are_named() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(ODD);
    let sandbox = database.sandbox();
    sandbox.ok(&["db-backup"]);
    database.sql(
        "ALTER TABLE parent ADD COLUMN age int DEFAULT 7; ALTER TABLE child ALTER COLUMN at DROP DEFAULT;
         DROP INDEX child_at; DROP VIEW names; CREATE TABLE fresh (id serial PRIMARY KEY);
         ALTER TABLE computed ADD CONSTRAINT computed_a CHECK (a > 0); SELECT nextval('loose');
         DROP TRIGGER bumping ON parent; CREATE INDEX parent_name ON parent (name);
         CREATE OR REPLACE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         ALTER TABLE child ADD CONSTRAINT child_other FOREIGN KEY (parent) REFERENCES parent ON DELETE CASCADE;
         CREATE TYPE size AS ENUM ('s'); ALTER TABLE base DISABLE ROW LEVEL SECURITY",
    );
    let said = sandbox.ok(&["db-diff", "--schema"]);
    let mut changes: Vec<&str> = said.out.lines().skip(1).collect();
    changes.sort_unstable();
    assert_eq!(
        changes,
        [
            "+ column public.parent.age",
            "+ foreign key child_other of public.child",
            "+ index public.parent_name",
            "+ sequence public.fresh_id_seq",
            "+ table public.fresh",
            "+ type public.size",
            "- index public.child_at",
            "- trigger bumping",
            "- view public.names",
            "~ function public.bump()",
            "~ table public.computed (constraints, options or order of columns)",
            "~ value of public.loose: 5 → 6",
        ]
    );
    let said = sandbox.ok(&["db-diff", "--rows", "--table", "parent"]);
    assert!(said.out.contains("+ column public.parent.age\n"), "{said:#?}");
    assert!(!said.out.contains("fresh") && !said.out.contains("  ~ "), "{said:#?}");
    assert!(said.out.lines().all(|line| !line.starts_with("public.parent ")), "{said:#?}");
}

#[test]
fn odd_names_and_columns_that_moved_are_compared() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(ODD);
    let sandbox = database.sandbox();
    sandbox.ok(&["db-backup"]);
    database.sql(
        "UPDATE \"Other \"\"s\"\"\".\"a.b
; Type: \"\"VIEW\"\"\" SET \"A (\" = 8 WHERE \"A (\" = 7;
         INSERT INTO no_columns DEFAULT VALUES; UPDATE measured SET value = 2 WHERE at = '2024-05-05';
         ALTER TABLE parent DROP COLUMN name CASCADE; UPDATE parent SET id = DEFAULT WHERE id = 1 AND false;
         ALTER TABLE parent ADD COLUMN name text; UPDATE parent SET name = 'x' WHERE id = 2;
         DELETE FROM parent WHERE id = 5",
    );
    let document = sandbox.json(&["db-diff", "--rows"]);
    let tables = document["differences"][0]["tables"].as_array().expect("tables");
    let found: Vec<_> = tables
        .iter()
        .map(|table| (table["table"].as_str().expect("a name"), &table["added"], &table["removed"]))
        .collect();
    let odd = "\"Other \"\"s\"\"\".\"a.b\n; Type: \"\"VIEW\"\"\"";
    let (one, none) = (json!(1), json!(0));
    assert_eq!(
        found,
        [
            (odd, &one, &one),
            ("public.measured_2024", &one, &one),
            ("public.no_columns", &one, &none),
            ("public.parent", &none, &one),
        ]
    );
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database("CREATE TABLE t (a int)");
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    let said = sandbox.fails(2, &["db-diff", "--sql"]);
    assert!(
        said.err.contains("SQLite databases only") && said.err.contains("db-export"),
        "{said:#?}"
    );
    let said = sandbox.fails(2, &["db-diff", "--table", "nowhere"]);
    assert!(said.err.contains("there are `public.t`"), "{said:#?}");
    let whole = fs_err::read(sandbox.backup_path(&name)).expect("a dump");
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 0x10;
    fs_err::write(sandbox.backup_path(&name), &flipped).expect("written");
    database.sql("INSERT INTO t VALUES (1)");
    let said = sandbox.fails(1, &["db-diff"]);
    assert!(said.err.contains("damaged") && said.err.contains("db-verify"), "{said:#?}");
    fs_err::write(sandbox.backup_path(&name), &whole).expect("written");
    let said = format!("{:?}", sandbox.ok(&["db-diff", "--rows", "--json"]));
    assert!(!said.contains(PASSWORD));
}

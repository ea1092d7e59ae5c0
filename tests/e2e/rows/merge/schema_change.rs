//! `db-import --merge` if the schema went on, here or elsewhere.

use crate::rows::merge::{machine, share, texts};

#[test]
fn an_older_file_gets_defaults_and_a_newer_one_loses_nothing_unsaid() {
    let old = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);";
    let new =
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, mood TEXT DEFAULT 'calm');
               CREATE TABLE tags (name TEXT PRIMARY KEY);";
    let here = machine(new, "");
    let there = machine(old, "INSERT INTO notes VALUES (1, 'older');");
    share(&there, &here, "older.jsonl");
    here.ok(&["db-import", "--merge", "older.jsonl"]);
    assert_eq!(texts(&here, "SELECT mood FROM notes"), ["calm"]);

    let here = machine(old, "");
    let there = machine(
        new,
        "INSERT INTO notes VALUES (1, 'newer', 'glad'); INSERT INTO tags VALUES ('a'), ('b');",
    );
    share(&there, &here, "newer.jsonl");
    let said = here.fails(1, &["db-import", "--merge", "newer.jsonl", "--strict"]);
    assert!(said.err.contains("left out: 1 value of `notes.mood`"), "{said:#?}");
    assert_eq!(texts(&here, "SELECT text FROM notes"), [""; 0]);
    let said = here.ok(&["db-import", "--merge", "newer.jsonl"]);
    insta::assert_snapshot!(said.err, @"
    warning: newer.jsonl: left out: 1 value of `notes.mood`: there is no such column here
    warning: newer.jsonl: left out: 2 rows of `tags`: there is no such table here
    ");
    assert_eq!(texts(&here, "SELECT text FROM notes"), ["newer"]);
}

#[test]
fn a_renamed_column_is_named() {
    let here = machine("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);", "");
    let there = machine(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);",
        "INSERT INTO notes VALUES (1, 'x');",
    );
    share(&there, &here, "yours.jsonl");
    let said = here.ok(&["db-import", "--merge", "yours.jsonl"]);
    assert!(said.err.contains("there is no such column here; it may be `body` now"), "{said:#?}");
}

#[test]
fn a_file_of_another_application_is_refused() {
    let schema = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);";
    let here = machine(schema, "PRAGMA application_id=1;");
    let there = machine(schema, "PRAGMA application_id=2; INSERT INTO notes VALUES (1, 'x');");
    share(&there, &here, "yours.jsonl");
    let said = here.fails(1, &["db-import", "--merge", "yours.jsonl"]);
    assert!(said.err.contains("it belongs to another application"), "{said:#?}");
}

#[test]
fn an_index_that_keeps_its_texts_itself_is_left_out_and_counted() {
    let schema = "CREATE VIRTUAL TABLE search USING fts5(text);";
    let here = machine(schema, "");
    let there = machine(schema, "INSERT INTO search VALUES ('a'), ('b');");
    share(&there, &here, "yours.jsonl");
    let said = here.ok(&["db-import", "--merge", "yours.jsonl"]);
    assert!(
        said.err.contains("left out: 2 rows of `search`: the data of a module is not merged"),
        "{said:#?}"
    );
}

#[test]
fn a_part_without_its_parents_is_taken_by_number_only_where_that_is_said() {
    let schema = "CREATE TABLE chats (id INTEGER PRIMARY KEY, title TEXT);
                  CREATE TABLE notes (id INTEGER PRIMARY KEY, chat INTEGER REFERENCES chats (id), text TEXT);";
    let here = machine(schema, "INSERT INTO chats VALUES (1, 'mine');");
    let there = machine(
        schema,
        "INSERT INTO chats VALUES (1, 'yours'); INSERT INTO notes VALUES (1, 1, 'x');",
    );
    there.ok(&["db-export", "--table", "notes", "--output", "export.jsonl"]);
    here.write("part.jsonl", fs_err::read(there.path("export.jsonl")).expect("an export"));
    let said = here.fails(1, &["db-import", "--merge", "part.jsonl"]);
    assert!(
        said.err
            .contains("1 row of `notes` would refer to rows of `chats` that are not in the file")
            && said.err.contains("`--trust-numbers`"),
        "{said:#?}"
    );
    let trusting = ["db-import", "--merge", "part.jsonl", "--trust-numbers"];
    here.fails(1, &[&trusting[..], &["--strict"]].concat());
    let said = here.ok(&trusting);
    assert!(
        said.err.contains("matched by number: 1 reference of `notes` to rows of `chats`"),
        "{said:#?}"
    );
}

#[test]
fn a_foreign_key_that_is_not_here_is_left_out_with_its_column() {
    let parents = "CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT UNIQUE NOT NULL);";
    let here = machine(&format!("{parents} CREATE TABLE c (id INTEGER PRIMARY KEY, b TEXT);"), "");
    let there = machine(
        &format!(
            "{parents} CREATE TABLE c (id INTEGER PRIMARY KEY, b TEXT, p INTEGER REFERENCES p,
             c INTEGER REFERENCES c);"
        ),
        "INSERT INTO p VALUES (1, 'y'); INSERT INTO c VALUES (1, 'one', NULL, NULL), (2, 'two', 1, 1);",
    );
    share(&there, &here, "yours.jsonl");
    let said = here.ok(&["db-import", "--merge", "yours.jsonl"]);
    insta::assert_snapshot!(said.err, @"
    warning: yours.jsonl: left out: 1 value of `c.p`: there is no such column here
    warning: yours.jsonl: left out: 1 value of `c.c`: there is no such column here
    ");
    assert_eq!(texts(&here, "SELECT b FROM c ORDER BY id"), ["one", "two"]);
}

#[test]
fn numbers_of_a_table_that_has_another_name_here_are_not_those_of_rows_here() {
    let schema = |people: &str| {
        format!(
            "CREATE TABLE {people} (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
             CREATE TABLE notes (id INTEGER PRIMARY KEY, who INTEGER REFERENCES {people}, text TEXT);"
        )
    };
    let here = machine(&schema("people"), "INSERT INTO people VALUES (1, 'Ada');");
    let there = machine(
        &schema("persons"),
        "INSERT INTO persons VALUES (1, 'Bob'); INSERT INTO notes VALUES (1, 1, 'by Bob');",
    );
    share(&there, &here, "yours.jsonl");
    for more in [&[][..], &["--trust-numbers"]] {
        let said = here.fails(1, &[&["db-import", "--merge", "yours.jsonl"], more].concat());
        assert!(
            said.err.contains("would refer to rows of `people` that are not in the file"),
            "{said:#?}"
        );
    }
    assert_eq!(texts(&here, "SELECT text FROM notes"), [""; 0]);
}

#[test]
fn numbers_of_a_table_that_is_gone_here_are_not_those_of_another_one_in_the_file() {
    let names = |table: &str| {
        format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);")
    };
    let notes = |table: &str| {
        format!("CREATE TABLE notes (id INTEGER PRIMARY KEY, list INTEGER REFERENCES {table});")
    };
    let here = machine(&(names("groups") + &notes("groups")), "");
    let there = machine(
        &(names("groups") + &names("lists") + &notes("lists")),
        "INSERT INTO lists VALUES (1, 'mine'); INSERT INTO groups VALUES (1, 'another');
         INSERT INTO notes VALUES (1, 1);",
    );
    share(&there, &here, "yours.jsonl");
    let said = here.fails(1, &["db-import", "--merge", "yours.jsonl"]);
    assert!(
        said.err.contains("would refer to rows of `groups` that are not in the file"),
        "{said:#?}"
    );
}

#[test]
fn old_and_new_files_come_to_the_same_in_any_order() {
    let old = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);";
    let new = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, n INTEGER NOT NULL DEFAULT 42);";
    let older = machine(old, "INSERT INTO t VALUES (1, 'x'), (2, 'y');");
    let newer = machine(new, "INSERT INTO t VALUES (1, 'y', 1), (2, 'z', 2);");
    for order in [["older.jsonl", "newer.jsonl"], ["newer.jsonl", "older.jsonl"]] {
        let here = machine(new, "");
        share(&older, &here, "older.jsonl");
        share(&newer, &here, "newer.jsonl");
        for _ in 0..2 {
            here.ok(&[&["db-import", "--merge"], &order[..]].concat());
            let rows = texts(&here, "SELECT a || ' ' || n FROM t ORDER BY 1");
            assert_eq!(rows, ["x 42", "y 1", "z 2"]);
        }
    }
}

#[test]
fn a_column_that_was_filled_here_since_makes_no_row_of_an_older_file_another_one() {
    let here = machine("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);", "");
    let there = machine(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);",
        "INSERT INTO t VALUES (1, 'x'), (2, 'yy');",
    );
    share(&there, &here, "yours.jsonl");
    here.ok(&["db-import", "--merge", "yours.jsonl"]);
    here.sql("ALTER TABLE t ADD COLUMN n INTEGER; UPDATE t SET n = length(a);");
    let said = here.ok(&["db-import", "--merge", "yours.jsonl"]);
    assert!(said.out.contains("t: 2 unchanged"), "{said:#?}");
}

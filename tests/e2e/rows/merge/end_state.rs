//! `db-import --merge` judges the end state: unique values are swapped and shifted, whatever index demands them; and
//! what is refused leaves no safety backup.

use crate::rows::merge::{machine, share, texts};
use crate::support::sandbox::Sandbox;

const LIST: &str =
    "CREATE TABLE item (uuid TEXT PRIMARY KEY, list TEXT NOT NULL, position INTEGER NOT NULL,
                    title TEXT, UNIQUE (list, position));";
const ORDER: &str = "SELECT title FROM item ORDER BY position";

/// A machine with rows, and another one's file beside it.
fn two(schema: &str, here: &str, there: &str) -> Sandbox {
    let here = machine(schema, here);
    share(&machine(schema, there), &here, "theirs.jsonl");
    here
}

fn merge<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["db-import", "--merge", "theirs.jsonl", "--yes", "--on-conflict"], more].concat()
}

#[test]
fn a_list_is_put_into_another_order_and_moves_up_for_a_row_in_front() {
    let here = two(
        LIST,
        "INSERT INTO item VALUES ('u1', 'l', 1, 'one'), ('u2', 'l', 2, 'two'), ('u3', 'l', 3, 'three')",
        "INSERT INTO item VALUES ('u1', 'l', 3, 'one'), ('u2', 'l', 1, 'two'), ('u3', 'l', 2, 'three')",
    );
    let said = here.ok(&merge(&["replace", "--dry-run"]));
    assert!(said.out.contains("0 rows inserted, 3 replaced"), "{said:#?}");
    here.ok(&merge(&["replace"]));
    assert_eq!(texts(&here, ORDER), ["two", "three", "one"]);
    let here = two(
        LIST,
        "INSERT INTO item VALUES ('u1', 'l', 1, 'one'), ('u2', 'l', 2, 'two')",
        "INSERT INTO item VALUES ('u0', 'l', 1, 'zero'), ('u1', 'l', 2, 'one'), ('u2', 'l', 3, 'two')",
    );
    here.ok(&merge(&["replace"]));
    assert_eq!(texts(&here, ORDER), ["zero", "one", "two"]);
}

#[test]
fn a_place_that_a_row_here_keeps_is_not_taken_and_nothing_is_left_behind() {
    let here = two(
        LIST,
        "INSERT INTO item VALUES ('u1', 'l', 1, 'one'), ('u9', 'l', 2, 'nine')",
        "INSERT INTO item VALUES ('u1', 'l', 2, 'one')",
    );
    let content = here.content();
    let said = here.fails(1, &merge(&["replace"]));
    assert!(
        said.err.contains(
            "uuid 'u1': it would be replaced, but another row here has the same `list`, `position`"
        ),
        "{said:#?}"
    );
    assert!(!said.err.contains("constraint failed"), "{said:#?}");
    assert!(!said.out.contains("Safety backup"), "{said:#?}");
    assert_eq!((here.content(), here.backups()), (content, Vec::new()));
}

const ACTIVE: &str = "
    CREATE TABLE session (id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, user TEXT, active INTEGER);
    CREATE UNIQUE INDEX one_active ON session (user) WHERE active;
    CREATE TABLE tag (slug TEXT PRIMARY KEY, name TEXT);
    CREATE UNIQUE INDEX folded ON tag (lower(name));";
const MINE: &str =
    "INSERT INTO session VALUES (1, 't1', 'ada', 1); INSERT INTO tag VALUES ('a', 'Red');";
const THEIRS: &str = "INSERT INTO session VALUES (1, 't2', 'ada', 1), (2, 't3', 'bob', 1);
                      INSERT INTO tag VALUES ('b', 'RED'), ('c', 'Blue');";

#[test]
fn what_a_partial_index_or_one_on_an_expression_forbids_is_left_out_in_plain_words() {
    let here = two(ACTIVE, MINE, THEIRS);
    let said = here.ok(&merge(&["skip"]));
    for part in [
        "left out: token 't2': it is new, and another row here has the same `user` in the unique index `one_active`",
        "left out: slug 'b': it is new, and another row here has the same value in the unique index `folded`",
    ] {
        assert!(said.out.contains(part), "{part}: {said:#?}");
    }
    assert_eq!(texts(&here, "SELECT token FROM session ORDER BY id"), ["t1", "t3"]);
    assert_eq!(texts(&here, "SELECT name FROM tag ORDER BY name"), ["Blue", "Red"]);
    // Once more nothing is new, and no backup is taken.
    let n_backups = here.backups().len();
    let said = here.ok(&merge(&["skip"]));
    assert!(said.out.contains("Nothing new for"), "{said:#?}");
    assert_eq!(here.backups().len(), n_backups);
}

#[test]
fn without_a_word_about_conflicts_such_rows_refuse_the_merge_by_name() {
    for policy in ["fail", "replace"] {
        let here = two(ACTIVE, MINE, THEIRS);
        let said = here.fails(1, &merge(&[policy]));
        assert!(said.err.contains("token 't2': it is new, and another row here has"), "{said:#?}");
        assert!(!said.err.contains("constraint failed"), "{said:#?}");
        assert!(here.backups().is_empty());
    }
}

#[test]
fn no_refused_command_leaves_a_safety_backup() {
    let schema = "CREATE TABLE p (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 9));
                  CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p);";
    let here = machine(schema, "INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 1);");
    here.ok(&["db-backup"]);
    here.sql("DELETE FROM c; DELETE FROM p;");
    here.write("r.json", r#"[{"n": 77}]"#);
    let backups = here.backups();
    here.fails(1, &["db-import", "r.json", "--records", "", "--table", "p", "--yes"]);
    here.fails(1, &["db-restore", "latest", "--table", "c", "--yes"]);
    assert_eq!(here.backups(), backups);
    // A database in rollback mode that somebody reads cannot be replaced.
    here.sql("PRAGMA journal_mode = DELETE");
    here.ok(&["db-export", "--output", "e.jsonl"]);
    let reader = crate::support::sandbox::open(&here.live());
    reader.execute_batch("BEGIN; SELECT count(*) FROM p").expect("reading");
    here.fails(3, &["db-import", "e.jsonl", "--force", "--yes", "--busy-timeout", "1"]);
    here.fails(3, &["db-restore", "latest", "--yes", "--busy-timeout", "1"]);
    assert_eq!(here.backups(), backups);
}

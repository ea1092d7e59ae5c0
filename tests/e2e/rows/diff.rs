//! `db-diff`: what it says, and which states it takes.

pub(crate) mod sql_script;

use serde_json::json;

use crate::support::sandbox::{Sandbox, open};

const CHANGES: &str = "
    UPDATE messages SET content = 'drei' WHERE id = 3;
    DELETE FROM messages WHERE id = 1;
    INSERT INTO messages (content) VALUES ('four'), ('it''s' || char(27) || '[2J' || char(10));
    ALTER TABLE messages ADD COLUMN tokens INTEGER;
    CREATE INDEX messages_by_content ON messages (content);
    PRAGMA user_version=13;";

/// A backup, and a live database that went on.
fn changed(changes: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.backup();
    sandbox.sql(changes);
    sandbox
}

#[test]
fn the_newest_backup_is_compared_with_the_live_database() {
    let sandbox = changed(CHANGES);
    let said = sandbox.ok(&["db-diff"]);
    insta::assert_snapshot!(said.out, @r"
    kalito.db.2025-09-13_142530.bak → ./backend/db/kalito.db
    + column messages.tokens
    + index messages_by_content
    ~ user_version: 12 → 13
    TABLE     ADDED  REMOVED  CHANGED
    messages      2        1        1
    messages: rows compared by the columns that both have
    ");
    assert_eq!(said.err, "");
}

#[test]
fn a_migration_is_seen_before_it_was_written_back_into_the_file() {
    let sandbox = Sandbox::new();
    sandbox.backup();
    // An application that keeps the database open: what it wrote is in the WAL.
    let application = open(&sandbox.live());
    application.execute_batch("INSERT INTO messages (content) VALUES ('four')").expect("written");
    let before = fs_err::read(sandbox.live()).expect("read");
    let said = sandbox.ok(&["db-diff", "--rows"]);
    assert!(said.out.contains("  + id=4: content='four'\n"), "{said:#?}");
    assert_eq!(fs_err::read(sandbox.live()).expect("read"), before, "looking changed something");
    application.execute_batch("INSERT INTO messages (content) VALUES ('five')").expect("written");
}

#[test]
fn rows_are_shown_with_their_values_and_harm_no_terminal() {
    let sandbox = changed(
        "UPDATE messages SET content = 'drei' WHERE id = 3; DELETE FROM messages WHERE id = 1;
         INSERT INTO messages (content) VALUES ('it''s' || char(27) || '[2J' || char(10));
         INSERT INTO messages (content) VALUES (X'00ff'), (hex(zeroblob(2000)))",
    );
    let said = sandbox.ok(&["db-diff", "--rows"]);
    insta::assert_snapshot!(said.out, @r"
    kalito.db.2025-09-13_142530.bak → ./backend/db/kalito.db
    messages
      - id=1: content='one'
      ~ id=3: content: 'three' → 'drei'
      + id=4: content='it''s\u{1b}[2J\n'
      + id=5: content=X'00FF'
      + id=6: content='000000000000000000000000000000000000000000000000000000000000'… (4,000 characters)
    TABLE     ADDED  REMOVED  CHANGED
    messages      3        1        1
    ");
}

#[test]
fn a_row_that_only_one_state_has_is_shown_whole() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE tags (name TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO tags VALUES ('old');
         CREATE TABLE notes (id INTEGER PRIMARY KEY, old, body); INSERT INTO notes VALUES (1, 2, 3);",
    );
    sandbox.backup();
    sandbox.sql(
        "UPDATE tags SET name = 'new'; DELETE FROM notes; ALTER TABLE notes DROP COLUMN old;
         ALTER TABLE notes ADD COLUMN stars; INSERT INTO notes VALUES (7, 'body', 5)",
    );
    let said = sandbox.ok(&["db-diff", "--rows"]);
    insta::assert_snapshot!(said.out, @r"
    kalito.db.2025-09-13_142530.bak → ./backend/db/kalito.db
    - column notes.old
    + column notes.stars
    notes
      - id=1: body=3, old=2
      + id=7: body='body', stars=5
    tags
      + name='new'
      - name='old'
    TABLE  ADDED  REMOVED  CHANGED
    notes      1        1        0
    tags       1        1        0
    notes: rows compared by the columns that both have
    ");
}

#[test]
fn an_empty_file_is_refused_without_a_word_about_backups_taken() {
    let sandbox = changed("");
    sandbox.write("empty.db", "");
    let said = sandbox.fails(2, &["db-diff", "./empty.db"]);
    assert!(said.err.contains("`empty.db` is an empty file (0 bytes)"), "{said:#?}");
    assert!(!said.err.contains("backed up"), "{said:#?}");
}

#[test]
fn equal_states_are_said_to_be_equal() {
    let sandbox = changed("PRAGMA wal_checkpoint(TRUNCATE)");
    let said = sandbox.ok(&["db-diff", "--exit-code"]);
    assert_eq!(
        said.out,
        "kalito.db.2025-09-13_142530.bak → ./backend/db/kalito.db\nNo differences\n"
    );
    let said = sandbox.ok(&["db-diff", "--sql"]);
    assert!(said.out.ends_with("\n-- no differences\n"), "{said:#?}");
}

#[test]
fn a_difference_exits_with_one_only_where_that_is_asked_for() {
    let sandbox = changed("DELETE FROM messages");
    sandbox.ok(&["db-diff"]);
    let said = sandbox.fails(1, &["db-diff", "--exit-code", "--quiet"]);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
}

#[test]
fn what_could_not_be_looked_at_is_said_and_is_not_no_difference() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "PRAGMA writable_schema=ON;
         INSERT INTO sqlite_schema VALUES
             ('table', 'geo', 'geo', 0, 'CREATE VIRTUAL TABLE geo USING vanished(a)');",
    );
    sandbox.backup();
    let said = sandbox.fails(2, &["db-diff", "--exit-code"]);
    assert!(said.out.ends_with("\nNo differences in what could be compared\n"), "{said:#?}");
    assert_eq!(
        said.err,
        "warning: `geo` was not compared: its module `vanished` is unknown here\n"
    );
    assert_eq!(sandbox.json(&["db-diff"])["differences"][0]["complete"], false);
}

#[test]
fn two_backups_are_compared_with_each_other() {
    let sandbox = Sandbox::new();
    sandbox.backup();
    sandbox.backup_with("four");
    sandbox.backup_with("five");
    let said = sandbox.ok(&["db-diff", "oldest", "latest~1"]);
    insta::assert_snapshot!(said.out, @r"
    kalito.db.2025-09-13_142530.bak → kalito.db.2025-09-13_142630.bak
    TABLE     ADDED  REMOVED  CHANGED
    messages      1        0        0
    ");
    let said = sandbox.ok(&["db-diff", "latest", "oldest"]);
    assert!(said.out.ends_with("messages      0        2        0\n"), "{said:#?}");
    let said = sandbox.ok(&["db-diff", "2025-09-13_142530"]);
    assert!(said.out.ends_with("messages      2        0        0\n"), "{said:#?}");
}

#[test]
fn a_safety_backup_is_never_the_default() {
    let sandbox = changed("INSERT INTO messages (content) VALUES ('four')");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    let said = sandbox.ok(&["db-diff"]);
    assert!(said.out.ends_with("\nNo differences\n"), "{said:#?}");
}

#[test]
fn one_table_can_be_looked_at_alone_and_the_schema_too() {
    let sandbox = changed(
        "CREATE TABLE notes (a); INSERT INTO notes VALUES (1); DELETE FROM messages WHERE id = 2;
         CREATE VIEW newest AS SELECT max(id) FROM messages",
    );
    let said = sandbox.ok(&["db-diff", "--table", "Messages"]);
    assert!(
        said.out
            .ends_with("\nTABLE     ADDED  REMOVED  CHANGED\nmessages      0        1        0\n")
    );
    assert!(!said.out.contains("notes"), "{said:#?}");
    let said = sandbox.ok(&["db-diff", "--schema"]);
    assert!(said.out.ends_with("\n+ table notes\n+ view newest\n"), "{said:#?}");
    let said = sandbox.fails(2, &["db-diff", "--table", "massages"]);
    insta::assert_snapshot!(said.err, @r"
    error: could not compare kalito.db.2025-09-13_142530.bak with ./backend/db/kalito.db
      caused by: neither state has a table `massages`
    hint: there are `messages`, `notes`
    ");
}

#[test]
fn the_document_holds_the_schema_the_counts_and_the_rows() {
    let sandbox = changed(
        "UPDATE messages SET content = 'drei' WHERE id = 3; CREATE TABLE notes (a);
         INSERT INTO messages (content) VALUES (X'00ff')",
    );
    let document = sandbox.json(&["db-diff", "--rows"]);
    let difference = &document["differences"][0];
    assert_eq!(document["version"], 1);
    assert_eq!(difference["a"], json!({ "backup": "kalito.db.2025-09-13_142530.bak" }));
    assert_eq!(difference["b"], json!({ "database": "kalito", "path": "backend/db/kalito.db" }));
    assert_eq!((&difference["different"], &difference["complete"]), (&json!(true), &json!(true)));
    assert_eq!(
        difference["schema"],
        json!([{ "change": "added", "kind": "table", "name": "notes", "after": "CREATE TABLE notes (a)" }])
    );
    assert_eq!(
        difference["tables"],
        json!([{ "table": "messages", "added": 1, "removed": 0, "changed": 1, "notes": [],
                 "otherwise": false, "unread": null }])
    );
    assert_eq!(
        difference["rows"],
        json!([
            { "table": "messages", "key": { "id": 3 },
              "before": { "id": 3, "content": "three" }, "after": { "id": 3, "content": "drei" } },
            { "table": "messages", "key": { "id": 4 }, "before": null,
              "after": { "id": 4, "content": { "blob_hex": "00FF" } } },
        ])
    );
}

#[test]
fn each_of_several_differences_keeps_its_own_rows_in_the_document() {
    let sandbox = Sandbox::new();
    for name in ["another", "yonder"] {
        sandbox
            .configure(&format!("[workspace.metadata.db.databases.{name}]\npath = \"{name}.db\""));
        open(&sandbox.path(&format!("{name}.db")))
            .execute_batch("CREATE TABLE t (a)")
            .expect("made");
    }
    sandbox.ok(&["db-backup"]);
    for changes in ["", "UPDATE messages SET content = 'drei' WHERE id > 1"] {
        sandbox.sql(changes);
        let document = sandbox.json(&["db-diff", "--rows"]);
        let differences = document["differences"].as_array().expect("differences");
        let n_rows = |name: &str| {
            let mut all = differences.iter();
            let one = all.find(|one| one["b"]["database"] == name).expect("a difference");
            one["rows"].as_array().expect("rows").len()
        };
        let expected = if changes.is_empty() { 0 } else { 2 };
        assert_eq!((n_rows("another"), n_rows("kalito"), n_rows("yonder")), (0, expected, 0));
        assert_eq!(document["version"], 1);
    }
    let document = sandbox.json(&["db-diff", "--sql", "--db", "kalito"]);
    let lines = document["differences"][0]["sql"].as_array().expect("lines");
    assert_eq!(lines.last(), Some(&json!("PRAGMA ignore_check_constraints=OFF;")));
}

#[test]
fn an_error_after_the_first_rows_ends_the_one_document() {
    let sandbox = Sandbox::new();
    sandbox.configure("[workspace.metadata.db.databases.yonder]\npath = \"yonder.db\"");
    open(&sandbox.path("yonder.db")).execute_batch("CREATE TABLE t (a)").expect("made");
    sandbox.ok(&["db-backup"]);
    sandbox.sql("DELETE FROM messages");
    fs_err::remove_file(sandbox.path("yonder.db")).expect("removed");
    let said = sandbox.fails(2, &["db-diff", "--rows", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("one document");
    assert_eq!(document["differences"][0]["rows"].as_array().map(Vec::len), Some(3), "{said:#?}");
    assert_eq!(document["error"]["exit_code"], 2, "{said:#?}");
}

#[test]
fn without_a_backup_or_a_database_there_is_nothing_to_compare() {
    let sandbox = Sandbox::new();
    let said = sandbox.fails(2, &["db-diff"]);
    assert!(said.err.contains("no backup matches `latest`"), "{said:#?}");
    assert!(said.err.contains("cargo xtask db-backup"), "{said:#?}");
    sandbox.backup();
    fs_err::remove_file(sandbox.live()).expect("removed");
    let said = sandbox.fails(2, &["db-diff"]);
    assert!(said.err.contains("there is no database at `backend/db/kalito.db`"), "{said:#?}");
    assert!(!sandbox.live().exists(), "comparing created a database");
}

#[test]
fn each_of_several_databases_is_compared_with_its_own_newest_backup() {
    let sandbox = Sandbox::new();
    sandbox.configure("[workspace.metadata.db.databases.other]\npath = \"other.db\"");
    open(&sandbox.path("other.db")).execute_batch("CREATE TABLE t (a)").expect("made");
    sandbox.ok(&["db-backup"]);
    sandbox.sql("DELETE FROM messages");
    let said = sandbox.ok(&["db-diff"]);
    insta::assert_snapshot!(said.out, @r"
    kalito.db.2025-09-13_142530.bak → ./backend/db/kalito.db
    TABLE     ADDED  REMOVED  CHANGED
    messages      0        3        0
    other.db.2025-09-13_142530.bak → ./other.db
    No differences
    ");
    let said = sandbox.ok(&["db-diff", "other.db.2025-09-13_142530.bak"]);
    assert!(said.out.starts_with("other.db.2025-09-13_142530.bak → ./other.db\n"), "{said:#?}");
    let said = sandbox.ok(&["db-diff", "--db", "other"]);
    assert!(!said.out.contains("kalito"), "{said:#?}");
}

//! `db-restore --table`: single tables restored in one transaction.

use rusqlite::Connection;

use crate::support::sandbox::{Sandbox, open};

/// Sessions with their messages, a full-text index over them, a trigger and a counter.
const SCHEMA: &str = "
    DROP TABLE messages;
    CREATE TABLE sessions (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        content TEXT NOT NULL,
        length INTEGER GENERATED ALWAYS AS (length(content)) STORED
    );
    CREATE INDEX messages_by_session ON messages (session_id);
    CREATE VIRTUAL TABLE search USING fts5 (content, content='messages', content_rowid='id');
    CREATE TABLE log (what TEXT NOT NULL);
    INSERT INTO sessions VALUES (1, 'first'), (2, 'second');
    INSERT INTO messages (session_id, content) VALUES (1, 'apples'), (2, 'pears'), (2, 'plums');
    INSERT INTO search (search) VALUES ('rebuild');
    CREATE TRIGGER messages_gone AFTER DELETE ON messages
        BEGIN INSERT INTO log VALUES ('gone ' || old.content); END;
    CREATE TRIGGER messages_come AFTER INSERT ON messages
        BEGIN INSERT INTO log VALUES ('come ' || new.content); END;";

/// A backup of that, whose live database then continues.
fn chat(afterwards: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.sql(SCHEMA);
    sandbox.backup();
    sandbox.sql(afterwards);
    sandbox
}

/// The values of one column.
fn texts(sandbox: &Sandbox, question: &str) -> Vec<String> {
    let connection: Connection = open(&sandbox.live());
    let mut statement = connection.prepare(question).expect(question);
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("texts")
}

const MESSAGES: &str = "SELECT content FROM messages ORDER BY id";

fn restore(sandbox: &Sandbox, tables: &[&str]) -> crate::support::sandbox::Said {
    let mut arguments = vec!["db-restore", "latest", "--yes"];
    for table in tables {
        arguments.extend(["--table", table]);
    }
    sandbox.run(&arguments)
}

#[test]
fn the_rows_of_one_table_are_put_back_and_no_others() {
    let sandbox = chat(
        "UPDATE messages SET content = 'rotten'; DELETE FROM messages WHERE id = 2;
         INSERT INTO messages (session_id, content) VALUES (1, 'newer');
         UPDATE sessions SET title = 'renamed';",
    );
    let said = restore(&sandbox, &["messages"]);
    assert_eq!(
        said.out,
        "[✓] Safety backup created → ./backups/kalito.db.SAFETY.2025-09-13_142630.bak\n\
         [✓] messages: 3 rows → 3 rows\n\
         Undo with: cargo xtask db-restore kalito.db.SAFETY.2025-09-13_142630.bak\n",
        "{said:#?}"
    );
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(texts(&sandbox, MESSAGES), ["apples", "pears", "plums"]);
    let titles = texts(&sandbox, "SELECT title FROM sessions");
    assert_eq!(titles, ["renamed", "renamed"]);
}

#[test]
fn triggers_and_cascades_stay_quiet_meanwhile() {
    let sandbox = chat(
        "DELETE FROM log; UPDATE sessions SET title = 'renamed';
         INSERT INTO messages (session_id, content) VALUES (1, 'newer'); DELETE FROM log;",
    );
    let said = restore(&sandbox, &["sessions", "messages"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(texts(&sandbox, "SELECT what FROM log"), [""; 0]);
    // The parent's rows were deleted and inserted again, but nothing cascaded.
    let said = restore(&sandbox, &["sessions"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(texts(&sandbox, MESSAGES), ["apples", "pears", "plums"]);
    // Afterwards they are awake again.
    sandbox.sql("DELETE FROM messages WHERE id = 1");
    assert_eq!(texts(&sandbox, "SELECT what FROM log"), ["gone apples"]);
}

#[test]
fn a_foreign_key_violation_is_refused_and_rolled_back() {
    let sandbox = chat(
        "PRAGMA foreign_keys=ON; DELETE FROM sessions WHERE id = 2;
         INSERT INTO messages (session_id, content) VALUES (1, 'newer');",
    );
    let said = restore(&sandbox, &["messages"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(
        said.err
            .starts_with("error: 2 rows of `messages` would refer to missing rows of `sessions`\n"),
        "{said:#?}"
    );
    assert!(said.err.contains("the database is untouched"), "{said:#?}");
    assert_eq!(texts(&sandbox, MESSAGES), ["apples", "newer"]);
    // The way on that the hint names.
    let said = restore(&sandbox, &["messages", "sessions"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(texts(&sandbox, MESSAGES), ["apples", "pears", "plums"]);
}

#[test]
fn orphans_that_were_there_before_are_no_reason_to_refuse() {
    let sandbox = chat(
        "PRAGMA foreign_keys=OFF;
         INSERT INTO messages (session_id, content) VALUES (99, 'orphan');",
    );
    let said = restore(&sandbox, &["sessions"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
}

#[test]
fn a_new_orphan_in_a_table_without_rowids_is_refused_beside_an_old_one() {
    let pins = "CREATE TABLE pins (session_id INTEGER REFERENCES sessions (id), name TEXT,
                    PRIMARY KEY (session_id, name)) WITHOUT ROWID;
                INSERT INTO pins VALUES (2, 'pinned');";
    let sandbox = chat(pins);
    sandbox.backup();
    sandbox.sql(
        "PRAGMA foreign_keys=OFF; DELETE FROM pins; DELETE FROM messages;
         INSERT INTO sessions VALUES (3, 'third'); INSERT INTO pins VALUES (3, 'new'), (99, 'orphan');",
    );
    // Session 3 is not in the backup.
    let said = restore(&sandbox, &["sessions"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let titles = texts(&sandbox, "SELECT title FROM sessions ORDER BY id");
    assert_eq!(titles, ["first", "second", "third"]);
}

#[test]
fn an_external_full_text_index_is_rebuilt_with_its_table() {
    let sandbox = chat(
        "UPDATE messages SET content = 'quinces' WHERE id = 1;
         INSERT INTO search (search) VALUES ('rebuild');",
    );
    let said = restore(&sandbox, &["messages"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let found = |word: &str| {
        let question = format!("SELECT content FROM search WHERE search MATCH '{word}'");
        texts(&sandbox, &question)
    };
    assert_eq!(found("apples"), ["apples"]);
    assert_eq!(found("quinces"), [""; 0]);
    sandbox.sql("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)");
}

#[test]
fn a_dropped_table_comes_back_with_its_indexes_and_triggers() {
    let sandbox = chat("DROP TABLE messages; DELETE FROM log;");
    let said = restore(&sandbox, &["messages"]);
    assert!(said.out.contains("[✓] messages: missing → 3 rows"), "{said:#?}");
    assert_eq!(texts(&sandbox, MESSAGES), ["apples", "pears", "plums"]);
    let names = "SELECT name FROM sqlite_schema WHERE tbl_name = 'messages' ORDER BY name";
    assert_eq!(
        texts(&sandbox, names),
        ["messages", "messages_by_session", "messages_come", "messages_gone"]
    );
    assert_eq!(texts(&sandbox, "SELECT what FROM log"), [""; 0]);
    assert_eq!(texts(&sandbox, "PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn an_autoincrement_id_is_never_used_twice() {
    let later = "INSERT INTO messages (session_id, content) VALUES (1, 'a'), (1, 'b');";
    for afterwards in [later, "DROP TABLE messages"] {
        let sandbox = Sandbox::new();
        sandbox.sql(SCHEMA);
        sandbox.sql("DELETE FROM messages");
        sandbox.backup();
        sandbox.sql(afterwards);
        let said = restore(&sandbox, &["messages"]);
        assert_eq!(said.code, Some(0), "{said:#?}");
        sandbox.sql("INSERT INTO messages (session_id, content) VALUES (1, 'next')");
        let unused = "SELECT content FROM messages WHERE id > 3";
        assert_eq!(texts(&sandbox, unused), ["next"], "{afterwards}");
    }
}

#[test]
fn a_table_with_other_columns_now_is_refused() {
    let sandbox = chat("ALTER TABLE messages ADD COLUMN mood TEXT");
    let said = restore(&sandbox, &["messages"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(
        said.err.contains("`messages` has different columns now than in the backup"),
        "{said:#?}"
    );
    assert_eq!(texts(&sandbox, MESSAGES).len(), 3);
}

#[test]
fn a_table_that_the_backup_has_not_is_refused_with_those_it_has() {
    let sandbox = chat("DELETE FROM messages");
    let said = restore(&sandbox, &["messages", "mesages"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert_eq!(
        said.err,
        "error: the backup has no table `mesages`\n\
         hint: it has `log`, `messages`, `sessions`\n"
    );
    assert_eq!(texts(&sandbox, MESSAGES), [""; 0], "not even the first");
}

#[test]
fn a_virtual_table_and_its_shadows_are_refused() {
    let sandbox = chat("");
    for table in ["search", "search_data", "sqlite_schema"] {
        let said = restore(&sandbox, &[table]);
        assert_eq!(said.code, Some(2), "{table}: {said:#?}");
    }
}

#[test]
fn tables_need_a_yes_and_a_dry_run_changes_nothing() {
    let sandbox = chat("DELETE FROM messages");
    let arguments = ["db-restore", "latest", "--table", "messages"];
    sandbox.fails(2, &arguments);
    let said = sandbox.ok(&[&arguments[..], &["--dry-run"]].concat());
    assert!(said.out.contains("Would restore messages from"), "{said:#?}");
    assert_eq!(texts(&sandbox, MESSAGES), [""; 0]);
    assert_eq!(sandbox.backups().len(), 1);
    let said = sandbox.fails(2, &[&arguments[..], &["--into", "x.db"]].concat());
    assert!(said.err.contains("cannot be used with"), "{said:#?}");
}

#[test]
fn a_dry_run_of_a_table_that_is_not_there_is_refused_as_the_act_is() {
    let sandbox = chat("");
    let arguments = ["db-restore", "latest", "--table", "mesages", "--dry-run"];
    let said = sandbox.fails(2, &arguments);
    assert!(said.err.contains("the backup has no table"), "{said:#?}");
}

#[test]
fn what_a_backup_calls_the_schema_of_a_table_is_not_just_run() {
    for evil in [
        "CREATE TABLE evil (a); DELETE FROM sessions",
        "DELETE FROM sessions",
        "CREATE TRIGGER evil AFTER INSERT ON sessions BEGIN DELETE FROM sessions; END",
    ] {
        let sandbox = chat("");
        let backup = sandbox.path("backups/kalito.db.2024-01-01_000000.bak");
        fs_err::copy(sandbox.live(), &backup).expect("copied");
        let connection = open(&backup);
        connection
            .execute_batch(
                "PRAGMA journal_mode=DELETE; CREATE TABLE evil (a); PRAGMA writable_schema=ON;",
            )
            .expect("a table");
        connection
            .execute("UPDATE sqlite_schema SET sql = ?1 WHERE name = 'evil'", [evil])
            .expect("forged");
        drop(connection);
        let said = sandbox.run(&["db-restore", "2024", "--table", "evil", "--yes", "--force"]);
        assert_ne!(said.code, Some(0), "{evil}: {said:#?}");
        assert_eq!(texts(&sandbox, "SELECT title FROM sessions").len(), 2, "{evil}");
        let triggers = "SELECT name FROM sqlite_schema WHERE name = 'evil'";
        assert!(texts(&sandbox, triggers).is_empty(), "{evil}");
    }
}

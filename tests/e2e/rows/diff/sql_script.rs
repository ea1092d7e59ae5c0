//! `db-diff --sql`: the statements that turn one state into another, run by the real sqlite3 shell.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::support::sandbox::{Said, Sandbox, open};

const CHAT: &str = "
    DROP TABLE messages;
    CREATE TABLE sessions (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        content TEXT NOT NULL,
        n_bytes INTEGER GENERATED ALWAYS AS (length(content)) STORED -- of the content
    );
    CREATE VIRTUAL TABLE search USING fts5 (content, content='messages', content_rowid='id');
    CREATE TABLE log (what TEXT NOT NULL);
    CREATE TRIGGER come AFTER INSERT ON messages BEGIN
        INSERT INTO search (rowid, content) VALUES (new.id, new.content);
        INSERT INTO log VALUES ('come');
    END;
    INSERT INTO sessions VALUES (1, 'first'), (2, 'second');
    INSERT INTO messages (session_id, content) VALUES (1, 'apples'), (2, 'pears'), (2, 'plums');";

const CHANGES: &str = "
    DELETE FROM sessions WHERE id = 1;
    INSERT INTO messages (session_id, content)
        VALUES (2, 'two' || char(10) || 'lines, a NUL' || char(0) || ' and .quit');
    UPDATE messages SET content = 'it''s' || char(27) || '[2J' WHERE id = 2;
    CREATE TABLE summaries (day TEXT PRIMARY KEY, n, big BLOB) WITHOUT ROWID;
    INSERT INTO summaries VALUES ('2025-09-13', 1.5, zeroblob(5000)), ('2025-09-14', 9e999, NULL);
    ALTER TABLE sessions ADD COLUMN model TEXT DEFAULT 'small';
    CREATE VIEW newest AS SELECT max(id) FROM messages;
    DROP TRIGGER come;
    CREATE TRIGGER gone AFTER DELETE ON messages BEGIN INSERT INTO log VALUES ('gone'); END;
    INSERT INTO search (search) VALUES ('rebuild');
    PRAGMA user_version=13;";

/// Runs a script in the sqlite3 shell; `None` if that is not installed.
fn shell(sandbox: &Sandbox, database: &Path, script: &str) -> Option<Said> {
    let mut command = sandbox.command("sqlite3");
    command.args(["-batch", "-bail", "-init", "/dev/null"]).arg(database);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = piped else {
        let said = b"SKIPPED: running the statements needs sqlite3\n";
        let _ = std::io::stderr().write_all(said);
        return None;
    };
    child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("written");
    Some(sandbox.said(&child.wait_with_output().expect("ended")))
}

#[test]
fn the_shell_turns_a_copy_of_the_backup_into_the_live_database() {
    let sandbox = Sandbox::new();
    sandbox.sql(CHAT);
    let backup = sandbox.backup();
    sandbox.sql(CHANGES);
    let script = sandbox.ok(&["db-diff", "--sql"]).out;
    assert!(!script.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{script}");
    fs_err::copy(sandbox.backup_path(&backup), sandbox.path("copy.db")).expect("copied");
    let Some(said) = shell(&sandbox, &sandbox.path("copy.db"), &script) else { return };
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:#?}\n{script}");
    // Taken as a backup, the copy is compared with the live database.
    let taken = sandbox.path("backups/kalito.db.2025-09-20_000000.bak");
    fs_err::copy(sandbox.path("copy.db"), taken).expect("copied");
    let said = sandbox.ok(&["db-diff", "2025-09-20"]);
    assert!(said.out.ends_with("\nNo differences\n"), "{said:#?}\n{script}");
    let copy = open(&sandbox.path("copy.db"));
    let count =
        |question| copy.query_row(question, [], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!(count("SELECT count(*) FROM search WHERE search MATCH 'two'"), 1);
    assert_eq!(count("SELECT count(*) FROM log"), 4, "a trigger fired");
}

#[test]
fn the_statements_are_few_and_plain() {
    let sandbox = Sandbox::new();
    sandbox.backup();
    sandbox.sql(
        "UPDATE messages SET content = 'drei' WHERE id = 3; DELETE FROM messages WHERE id = 1;
         INSERT INTO messages (content) VALUES ('four')",
    );
    let said = sandbox.ok(&["db-diff", "--sql"]);
    insta::assert_snapshot!(said.out, @r#"
    -- Turns kalito.db.2025-09-13_142530.bak into ./backend/db/kalito.db
    PRAGMA foreign_keys=OFF;
    PRAGMA ignore_check_constraints=ON;
    BEGIN;
    DELETE FROM "messages" WHERE "id"=1;
    UPDATE "messages" SET "content"='drei' WHERE "id"=3;
    INSERT INTO "messages"("id", "content") VALUES(4, 'four');
    COMMIT;
    PRAGMA ignore_check_constraints=OFF;
    "#);
    let document = sandbox.json(&["db-diff", "--sql"]);
    let statements = document["differences"][0]["sql"].as_array().expect("statements");
    assert_eq!(statements.len(), 8, "{document:#}");
}

#[test]
fn a_definition_with_control_characters_reaches_the_shell_as_it_is() {
    let sandbox = Sandbox::new();
    let backup = sandbox.backup();
    let definition = "CREATE TABLE odd (a DEFAULT 'x\u{1b}[2J\u{1}y', b) -- \u{7f}";
    sandbox.sql(definition);
    sandbox.sql("INSERT INTO odd (b) VALUES (1)");
    let script = sandbox.ok(&["db-diff", "--sql"]).out;
    fs_err::copy(sandbox.backup_path(&backup), sandbox.path("copy.db")).expect("copied");
    let Some(said) = shell(&sandbox, &sandbox.path("copy.db"), &script) else { return };
    assert_eq!(said.code, Some(0), "{said:#?}\n{script}");
    let question = "SELECT sql FROM sqlite_schema WHERE name = 'odd'";
    let found: String = open(&sandbox.path("copy.db"))
        .query_row(question, [], |row| row.get(0))
        .expect("the definition");
    assert_eq!(found, definition.split(" -- ").next().expect("a beginning"), "{script}");
}

#[test]
fn an_index_of_another_tokenizer_is_turned_with_its_rows_or_refused() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE VIRTUAL TABLE notes USING fts5 (body);
         INSERT INTO notes VALUES ('apples'), ('running');
         CREATE VIRTUAL TABLE bare USING fts5 (body, content='');",
    );
    let backup = sandbox.backup();
    sandbox.sql(
        "DROP TABLE notes; CREATE VIRTUAL TABLE notes USING fts5 (body, tokenize='porter');
         INSERT INTO notes VALUES ('apples'), ('running');",
    );
    let script = sandbox.ok(&["db-diff", "--sql"]).out;
    fs_err::copy(sandbox.backup_path(&backup), sandbox.path("copy.db")).expect("copied");
    if let Some(said) = shell(&sandbox, &sandbox.path("copy.db"), &script) {
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:#?}\n{script}");
        let question = "SELECT body FROM notes WHERE notes MATCH 'run'";
        let found: String = open(&sandbox.path("copy.db"))
            .query_row(question, [], |row| row.get(0))
            .expect("found by its stem");
        assert_eq!(found, "running", "{script}");
    }
    sandbox.sql(
        "DROP TABLE bare; CREATE VIRTUAL TABLE bare USING fts5 (body, content='', detail=none);
         INSERT INTO bare (rowid, body) VALUES (1, 'pears');",
    );
    let said = sandbox.fails(2, &["db-diff", "--sql"]);
    assert_eq!(said.out, "");
    assert!(said.err.contains("no statements can recreate `bare`"), "{said:#?}");
    assert!(said.err.contains("hint: "), "{said:#?}");
    sandbox.ok(&["db-diff", "--sql", "--table", "notes"]);
}

//! `db-export`: every row in a file that is whole, whatever happens.

pub(crate) mod kill;
pub(crate) mod part;
pub(crate) mod streamed_backup;
pub(crate) mod unsound_source;
pub(crate) mod value_kinds;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::sandbox::{Sandbox, open};

/// The lines of an export, each as JSON.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(path).expect("an export");
    assert!(text.ends_with('\n'), "the last line has no end");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// How many rows the footer counts of each table.
fn counts(path: &Path) -> Value {
    lines(path).pop().expect("a footer")["rows"].take()
}

#[test]
fn rows_that_are_only_in_the_wal_are_exported() {
    let sandbox = Sandbox::new();
    // As long as the application is connected, nothing of this reaches the database file itself.
    let application = open(&sandbox.live());
    application.execute_batch("INSERT INTO messages (content) VALUES ('four')").expect("written");
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    assert_eq!(counts(&sandbox.path("e.jsonl")), serde_json::json!({ "messages": 4 }));
}

#[test]
fn the_file_is_named_for_the_database_and_the_time_and_is_the_owner_s_only() {
    let sandbox = Sandbox::new();
    let said = sandbox.ok(&["db-export"]);
    insta::assert_snapshot!(said.out, @"Exported ./backend/db/kalito.db → ./kalito.2025-09-13_142530.jsonl: 3 rows of 1 table, 542 B");
    let path = sandbox.path("kalito.2025-09-13_142530.jsonl");
    let mode = fs_err::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs_err::read_to_string(&path).expect("text");
    let hash = lines(&path).pop().expect("a footer")["blake3"].as_str().map(str::to_owned);
    let text = text.replace(&hash.expect("a hash"), "HASH");
    insta::assert_snapshot!(text, @r#"
    {"format":"xtask-db export","version":1,"encoding":"UTF-8","application_id":0,"user_version":12,"tables":[{"name":"messages","columns":["id","content"],"key":["id"],"sql":"CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT NOT NULL)"}],"indexes":[],"views":[],"triggers":[]}
    {"table":"messages","row":{"id":1,"content":"one"}}
    {"table":"messages","row":{"id":2,"content":"two"}}
    {"table":"messages","row":{"id":3,"content":"three"}}
    {"rows":{"messages":3},"blake3":"HASH"}
    "#);
    sandbox.set_clock("2025-09-13T14:25:30+02:00");
    let said = sandbox.ok(&["db-export"]);
    assert!(said.out.contains("→ ./kalito.2025-09-13_142530-2.jsonl: "), "{said:#?}");
}

#[test]
fn equal_content_gives_equal_bytes_from_the_database_and_from_its_backup() {
    let sandbox = Sandbox::new();
    sandbox.sql("CREATE TABLE tags (name TEXT PRIMARY KEY); INSERT INTO tags VALUES ('b'), ('a');");
    let name = sandbox.backup();
    sandbox.ok(&["db-export", "--output", "live.jsonl"]);
    sandbox.sql("DELETE FROM tags; INSERT INTO tags VALUES ('a'), ('b'); VACUUM;");
    sandbox.ok(&["db-export", "--output", "again.jsonl"]);
    let said = sandbox.ok(&["db-export", "latest", "--output", "backup.jsonl"]);
    assert!(said.out.starts_with(&format!("Exported {name} → ./backup.jsonl: ")), "{said:#?}");
    let bytes = |path: &str| fs_err::read(sandbox.path(path)).expect("an export");
    assert_eq!(bytes("live.jsonl"), bytes("again.jsonl"));
    assert_eq!(bytes("live.jsonl"), bytes("backup.jsonl"));
    let said = sandbox.ok(&["db-export", "latest"]);
    let of_that_state = name.replace("kalito.db.", "./kalito.").replace(".bak", ".jsonl");
    assert!(said.out.contains(&of_that_state), "{said:#?}");
}

#[test]
fn no_row_is_dropped_where_a_reference_leads_nowhere() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE notes (id INTEGER PRIMARY KEY, message REFERENCES messages (id));
         INSERT INTO notes (message) VALUES (1), (999), (NULL);",
    );
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    let path = sandbox.path("e.jsonl");
    assert_eq!(counts(&path), serde_json::json!({ "messages": 3, "notes": 3 }));
    let tables: Vec<Value> = lines(&path)[1..7].iter().map(|row| row["table"].clone()).collect();
    assert_eq!(tables, ["messages", "messages", "messages", "notes", "notes", "notes"]);
}

#[test]
fn an_empty_database_replaces_the_earlier_export() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    sandbox.sql("DELETE FROM messages");
    let said = sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    assert!(said.out.contains(": 0 rows of 1 table, "), "{said:#?}");
    assert_eq!(counts(&sandbox.path("e.jsonl")), serde_json::json!({ "messages": 0 }));
    sandbox.sql("DROP TABLE messages");
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    assert_eq!(lines(&sandbox.path("e.jsonl")).len(), 2);
}

#[test]
fn an_export_beside_a_writer_is_one_state() {
    let sandbox = Sandbox::new();
    sandbox.sql("CREATE TABLE a (x); CREATE TABLE b (x);");
    let (live, stop) = (sandbox.live(), AtomicBool::new(false));
    let stop = &stop;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let application = open(&live);
            while !stop.load(Ordering::Relaxed) {
                let both = "BEGIN; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); COMMIT;";
                application.execute_batch(both).expect("written");
            }
        });
        for _ in 0..5 {
            let output = sandbox.xtask(&["db-export", "--output", "e.jsonl"]).output();
            assert!(output.expect("it runs").status.success());
            let counts = counts(&sandbox.path("e.jsonl"));
            assert_eq!(counts["a"], counts["b"]);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_group_and_a_table_can_be_left_out_and_keep_their_definition() {
    let sandbox = Sandbox::new();
    sandbox.configure("groups = { activities = [\"log\"] }");
    sandbox.sql(
        "CREATE TABLE log (id INTEGER PRIMARY KEY); INSERT INTO log VALUES (1);
         CREATE TABLE notes (message REFERENCES messages (id), log REFERENCES log (id));",
    );
    let said = sandbox.ok(&["db-export", "--without", "activities", "--output", "e.jsonl"]);
    insta::assert_snapshot!(said.out, @"
    Exported ./backend/db/kalito.db → ./e.jsonl: 3 rows of 2 tables, 806 B
    Left out: the rows of log
    ");
    insta::assert_snapshot!(said.err, @"warning: rows of `notes` may refer to rows of `log`, which are not exported");
    let header = lines(&sandbox.path("e.jsonl")).swap_remove(0);
    assert_eq!(header["tables"][0]["rows"], "left-out");
    assert_eq!(header["tables"][0]["sql"], "CREATE TABLE log (id INTEGER PRIMARY KEY)");
    let document = sandbox.json(&["db-export", "--table", "MESSAGES"]);
    assert_eq!(document["tables"], serde_json::json!({ "messages": 3 }));
    let said = sandbox.fails(2, &["db-export", "--without", "actions"]);
    insta::assert_snapshot!(said.err, @"
    error: could not export `backend/db/kalito.db`
      caused by: there is no table `actions`
    hint: there are `log`, `messages`, `notes`; groups: `activities`
    ");
}

#[test]
fn nothing_but_an_export_is_replaced() {
    let sandbox = Sandbox::new();
    let name = sandbox.backup();
    sandbox.write("notes.txt", "theirs");
    sandbox.write("real.jsonl", "{\"format\":\"another\"}\n");
    std::os::unix::fs::symlink("e.jsonl", sandbox.path("link.jsonl")).expect("a link");
    let live = sandbox.content();
    let backup = format!("backups/{name}");
    for output in
        ["notes.txt", "real.jsonl", "link.jsonl", "backups", "backend/db/kalito.db", &backup]
    {
        for format in ["jsonl", "csv"] {
            let said = sandbox.fails(2, &["db-export", "--output", output, "--format", format]);
            assert!(said.err.contains(output), "{said:#?}");
        }
    }
    // Also if nothing is there now: SQLite would take it for its own.
    for output in ["backend/db/kalito.db-journal", "backups/kalito.db.2020-01-01_000000.bak"] {
        let said = sandbox.fails(2, &["db-export", "--output", output]);
        assert!(said.err.contains("is the name of a database or of a backup"), "{said:#?}");
        assert!(!sandbox.path(output).exists());
    }
    assert_eq!(fs_err::read_to_string(sandbox.path("notes.txt")).expect("text"), "theirs");
    assert_eq!(sandbox.content(), live);
    let said = sandbox.fails(2, &["db-export", "--output", "notes.txt"]);
    insta::assert_snapshot!(said.err, @"
    error: `notes.txt` already exists, and is not an export that can be replaced
    hint: choose another path, or remove it first
    ");
    let said = sandbox.fails(2, &["db-export", "--output", "nowhere/e.jsonl"]);
    insta::assert_snapshot!(said.err, @"
    error: there is no folder for `nowhere/e.jsonl`
    hint: create it, or choose another path
    ");
}

#[test]
fn an_export_that_fails_leaves_the_earlier_one_and_nothing_beside_it() {
    let sandbox = Sandbox::new();
    sandbox.sql("CREATE TABLE tags (name TEXT PRIMARY KEY, n); INSERT INTO tags VALUES ('a', 1);");
    sandbox.ok(&["db-export", "--output", "exports.jsonl"]);
    let before = fs_err::read(sandbox.path("exports.jsonl")).expect("an export");
    // A row that the index does not know: a query that uses the index misses it.
    sandbox.sql(
        "PRAGMA writable_schema = ON;
         CREATE TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = 'tags';
         UPDATE sqlite_schema SET sql = 'CREATE TABLE tags (name TEXT, n)' WHERE name = 'tags';
         CREATE TABLE odd AS SELECT * FROM sqlite_schema WHERE name LIKE 'sqlite_auto%';
         DELETE FROM sqlite_schema WHERE name LIKE 'sqlite_auto%';",
    );
    sandbox.sql("INSERT INTO tags VALUES ('b', 2);");
    sandbox.sql(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = 'tags';
         INSERT INTO sqlite_schema SELECT * FROM odd;",
    );
    let said = sandbox.fails(1, &["db-export", "--output", "exports.jsonl"]);
    insta::assert_snapshot!(said.err, @"
    error: could not export `backend/db/kalito.db`
      caused by: could not export table `tags`: the index of its primary key leads to 1 row, but there are 2 rows: it is damaged
    hint: nothing was exported; `REINDEX` repairs an index, and `cargo xtask db-export latest` exports the newest backup
    ");
    assert_eq!(fs_err::read(sandbox.path("exports.jsonl")).expect("an export"), before);
    let names = fs_err::read_dir(sandbox.root()).expect("folder");
    let names: Vec<String> = names
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!names.iter().any(|name| name.contains("stage")), "{names:?}");
}

#[test]
fn a_damaged_database_is_no_export() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "INSERT INTO messages (content) SELECT hex(zeroblob(2000)) FROM messages, messages;
         PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;",
    );
    let mut bytes = fs_err::read(sandbox.live()).expect("a database");
    let end = bytes.len();
    bytes[4096..end].fill(0x55);
    fs_err::write(sandbox.live(), bytes).expect("written");
    let said = sandbox.fails(1, &["db-export"]);
    assert!(said.err.contains("caused by: it is damaged"), "{said:#?}");
    assert!(said.err.contains("cargo xtask db-export latest"), "{said:#?}");
}

#[test]
fn a_pipe_gets_the_bytes_and_nothing_else() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    let said = sandbox.ok(&["db-export", "--output", "-"]);
    assert_eq!(said.out, fs_err::read_to_string(sandbox.path("e.jsonl")).expect("text"));
    assert_eq!(said.err, "");
    let said = sandbox.fails(2, &["db-export", "--output", "-", "--json"]);
    assert!(said.err.contains("`--output -` and `--json` both write to stdout"), "{said:#?}");
    let said = sandbox.fails(2, &["db-export", "--output", "-", "--format", "csv"]);
    assert!(said.err.contains("CSV has one file per table"), "{said:#?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "INSERT INTO messages (content) WITH RECURSIVE n (i) AS
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT hex(zeroblob(40)) FROM n",
    );
    let xtask = sandbox.xtask(&["db-export", "--output", "-"]);
    let mut shell = sandbox.command("sh");
    let program = xtask.get_program().to_string_lossy().into_owned();
    let script = format!("{{ '{program}' db-export --output -; echo $? >&2; }} | head -c 20");
    let output = shell.args(["-c", &script]).output().expect("sh runs");
    let said = sandbox.said(&output);
    assert_eq!((said.out.len(), said.err.trim()), (20, "0"), "{said:#?}");
}

//! `db-import FILE`: a new database, or a present one replaced; nothing halfway, nothing
//! unintentionally.

pub(crate) mod hostile_files;
pub(crate) mod if_live;
pub(crate) mod kill;
pub(crate) mod numerals;
pub(crate) mod odd_files;
pub(crate) mod other_tools;
pub(crate) mod records;
pub(crate) mod refused_files;
pub(crate) mod sql_dumps;
pub(crate) mod value_kinds;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::support::museum::{content_of, names};
use crate::support::sandbox::{Said, Sandbox, messages, open};
use crate::support::terminal::Terminal;

/// A workspace with an export `e.jsonl` of its database, which has one row more by now.
pub(crate) fn with_export() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    sandbox
}

/// Demands that an import is refused and changes nothing anywhere.
pub(crate) fn untouched(sandbox: &Sandbox, code: i32, arguments: &[&str]) -> Said {
    let folders = [".", "backend/db", "backups"].map(|name| sandbox.path(name));
    let before = folders.each_ref().map(|folder| names(folder));
    let said = sandbox.fails(code, &[&["db-import"], arguments].concat());
    let mut after = folders.each_ref().map(|folder| names(folder));
    if before[2].is_empty() {
        after[2].retain(|name| ![".gitignore", ".lock"].contains(&name.as_str()));
        after[0].retain(|name| name != "backups" || before[0].contains(name));
    }
    assert_eq!(after, before, "{said:#?}");
    said
}

#[test]
fn an_export_becomes_a_new_database_that_its_owner_alone_reads() {
    let sandbox = with_export();
    let said = sandbox.ok(&["db-import", "e.jsonl", "--into", "new.db"]);
    insta::assert_snapshot!(said.out, @r"
    Imported e.jsonl → ./new.db: 3 rows of 1 table, 8.0 KB
    [✓] SQLite integrity_check and foreign_key_check: ok, rows counted
    ");
    assert_eq!(said.err, "");
    assert_eq!(messages(&sandbox.path("new.db")), ["one", "two", "three"]);
    let mode = fs_err::metadata(sandbox.path("new.db")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let version: i64 = open(&sandbox.path("new.db"))
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .expect("a version");
    assert_eq!(version, 12);
    assert_eq!(messages(&sandbox.live()).len(), 4);
    assert!(names(&sandbox.path("backups")).is_empty());
    let said = sandbox.ok(&["db-import", "e.jsonl", "--into", "quiet.db", "--quiet"]);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
}

#[test]
fn a_missing_live_database_comes_back_and_derived_data_with_it() {
    let sandbox = with_export();
    sandbox.configure("after-restore = ['sh', '-c', 'echo \"$DATABASE_PATH\" >> derived']");
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs_err::remove_file(sandbox.path(&format!("backend/db/kalito.db{suffix}")));
    }
    let said = sandbox.ok(&["db-import", "e.jsonl"]);
    insta::assert_snapshot!(said.out, @r"
    Imported e.jsonl → ./backend/db/kalito.db: 3 rows of 1 table, 8.0 KB
    [✓] SQLite integrity_check and foreign_key_check: ok, rows counted
    ");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
    assert!(sandbox.path("derived").exists());
    // Elsewhere nothing is rebuilt.
    fs_err::remove_file(sandbox.path("derived")).expect("removed");
    sandbox.ok(&["db-import", "e.jsonl", "--into", "new.db"]);
    assert!(!sandbox.path("derived").exists());
}

#[test]
fn a_database_that_exists_is_never_replaced_unasked() {
    let sandbox = with_export();
    let before = content_of(&sandbox);
    let said = untouched(&sandbox, 2, &["e.jsonl"]);
    insta::assert_snapshot!(said.err, @r"
    error: `backend/db/kalito.db` already exists
    hint: `--merge` adds the rows to it, `--force` replaces it after a safety backup, and `--into PATH` creates another one; nothing was changed
    ");
    let said = untouched(&sandbox, 2, &["e.jsonl", "--force"]);
    insta::assert_snapshot!(said.err, @r"
    error: could not import `e.jsonl`
      caused by: replacing `backend/db/kalito.db` needs `--yes` when there is no terminal
    hint: pass `--yes`, or look first with `--dry-run`
    ");
    sandbox.write("empty.db", "");
    let said = untouched(&sandbox, 2, &["e.jsonl", "--into", "empty.db"]);
    assert!(said.err.contains("`empty.db` (from --into) already exists"), "{said:#?}");
    assert_eq!(content_of(&sandbox), before);
}

#[test]
fn with_force_the_old_database_is_one_command_away() {
    let sandbox = with_export();
    let application = open(&sandbox.live());
    let said = sandbox.ok(&["db-import", "e.jsonl", "--force", "--yes"]);
    insta::assert_snapshot!(said.out, @r"
    [✓] Safety backup created → ./backups/kalito.db.SAFETY.2025-09-13_142630.bak
    Imported e.jsonl → ./backend/db/kalito.db: 3 rows of 1 table, 8.0 KB
    [✓] SQLite integrity_check and foreign_key_check: ok, rows counted

    Done. You may need to restart your backend if it was running.
    Undo with: cargo xtask db-restore kalito.db.SAFETY.2025-09-13_142630.bak
    ");
    // The application that has it open continues with the new state.
    let n: i64 = application
        .query_row("SELECT count(*) FROM messages", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(n, 3);
    sandbox.ok(&["db-restore", "safety", "--yes"]);
    assert_eq!(messages(&sandbox.live()).len(), 4);
}

#[test]
fn with_force_a_bad_file_leaves_the_old_database_alone() {
    let sandbox = with_export();
    let before = content_of(&sandbox);
    let text = fs_err::read_to_string(sandbox.path("e.jsonl")).expect("an export");
    sandbox.write("bad.jsonl", text.replace("three", "drei"));
    let said = untouched(&sandbox, 1, &["bad.jsonl", "--force", "--yes"]);
    insta::assert_snapshot!(said.err, @r"
    error: could not import `bad.jsonl`
      caused by: its rows could not be read
      caused by: line 5
      caused by: the lines before it are not those that were exported: their hash differs
    hint: nothing was changed; get the file again, or export it again
    ");
    assert_eq!(content_of(&sandbox), before);
}

#[test]
fn a_protected_database_wants_its_name() {
    let sandbox = with_export();
    sandbox.configure("protected = true");
    let said = untouched(&sandbox, 2, &["e.jsonl", "--force", "--yes"]);
    assert!(said.err.contains("`kalito` is protected"), "{said:#?}");
    // It stays what it is, however it is named.
    let arguments = ["e.jsonl", "--force", "--yes", "--into", "backend/../backend/db/kalito.db"];
    let said = untouched(&sandbox, 2, &arguments);
    assert!(said.err.contains("`kalito` is protected"), "{said:#?}");
    sandbox.ok(&["db-import", "e.jsonl", "--force", "--yes", "--db", "kalito"]);
}

#[test]
fn before_a_database_is_replaced_somebody_is_asked() {
    let sandbox = with_export();
    let import = ["db-import", "e.jsonl", "--force"];
    let Some(mut terminal) = Terminal::run(&sandbox, &import) else { return };
    let question = "Replace ./backend/db/kalito.db with the content of `e.jsonl` ? [y/N]: ";
    terminal.answer(question, "n");
    assert_eq!(terminal.end().code, Some(1));
    assert_eq!(messages(&sandbox.live()).len(), 4);
    let Some(mut terminal) = Terminal::run(&sandbox, &import) else { return };
    terminal.answer(question, "y");
    assert_eq!(terminal.end().code, Some(0));
    assert_eq!(messages(&sandbox.live()).len(), 3);
}

#[test]
fn a_dry_run_does_everything_but_the_last_step() {
    let sandbox = with_export();
    sandbox.configure("after-restore = ['sh', '-c', 'touch derived']");
    let said = sandbox.ok(&["db-import", "e.jsonl", "--force", "--dry-run"]);
    insta::assert_snapshot!(said.out, @r"
    Would create a safety backup of ./backend/db/kalito.db in ./backups
    Would import e.jsonl → ./backend/db/kalito.db: 3 rows of 1 table, 8.0 KB
    [✓] SQLite integrity_check and foreign_key_check: ok, rows counted
    Would run sh -c touch derived
    ");
    let said = sandbox.ok(&["db-import", "e.jsonl", "--into", "new.db", "--dry-run"]);
    assert!(said.out.starts_with("Would import e.jsonl → ./new.db: 3 rows"), "{said:#?}");
    assert!(!sandbox.path("new.db").exists() && !sandbox.path("derived").exists());
    assert_eq!(messages(&sandbox.live()).len(), 4);
    assert_eq!(sandbox.backups(), [""; 0]);
}

#[test]
fn the_document_says_what_was_made() {
    let sandbox = with_export();
    let document = sandbox.json(&["db-import", "e.jsonl", "--force", "--yes"]);
    let shown = document.to_string().replace(&*sandbox.root().to_string_lossy(), "$ROOT");
    insta::assert_snapshot!(shown, @r#"{"absent":[],"dry_run":false,"format":"jsonl","imported":"e.jsonl","into":"$ROOT/backend/db/kalito.db","remarks":[],"safety":"kalito.db.SAFETY.2025-09-13_142630.bak","set_aside":null,"size_bytes":8192,"tables":{"messages":3},"version":1,"violations":[]}"#);
    let document = sandbox.json(&["db-import", "missing.jsonl", "--into", "new.db"]);
    assert_eq!(document["error"]["exit_code"], 2);
}

#[test]
fn rows_that_violate_their_schema_are_named_and_refused_unless_they_are_wanted() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;
         CREATE TABLE notes (id INTEGER PRIMARY KEY, message REFERENCES messages (id),
             CHECK (id < 100));
         INSERT INTO notes VALUES (1, 1), (7, 'x''y'), (100, NULL);",
    );
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    let said = untouched(&sandbox, 1, &["e.jsonl", "--into", "new.db"]);
    insta::assert_snapshot!(said.err, @r"
    warning: CHECK constraint failed in notes
    warning: row 7 of `notes` refers to a row of `messages` that is not there: message = 'x''y'
    error: could not import `e.jsonl`
      caused by: 2 rows violate the rules of its own schema
    hint: `--allow-violations` imports such rows as they are; nothing was changed
    ");
    let said = sandbox.ok(&["db-import", "e.jsonl", "--into", "new.db", "--allow-violations"]);
    assert!(said.out.contains("ok, but for 2 violations, rows counted"), "{said:#?}");
    let n: i64 = open(&sandbox.path("new.db"))
        .query_row("SELECT count(*) FROM notes", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(n, 3);
}

#[test]
fn of_many_violations_the_first_are_named_and_the_rest_counted() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE pairs (a, b, x REFERENCES messages (id), PRIMARY KEY (a, b)) WITHOUT ROWID;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
         INSERT INTO pairs SELECT i, 'k', 900 FROM n;",
    );
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    let said = untouched(&sandbox, 1, &["e.jsonl", "--into", "new.db"]);
    assert_eq!(said.err.matches("refers to a row of `messages`").count(), 20, "{said:#?}");
    assert!(said.err.contains("warning: 30 more rows refer to missing ones\n"));
    assert!(said.err.contains("caused by: 50 rows violate"), "{said:#?}");
}

#[test]
fn what_comes_through_a_pipe_is_imported_whatever_it_is() {
    for format in ["jsonl", "json"] {
        let sandbox = Sandbox::new();
        sandbox.ok(&["db-export", "--output", "e", "--format", format]);
        let bytes = fs_err::read(sandbox.path("e")).expect("an export");
        let mut import = sandbox.xtask(&["db-import", "-", "--into", "made/new.db"]);
        fs_err::create_dir(sandbox.path("made")).expect("folder");
        let mut child = import
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        child.stdin.take().expect("a pipe").write_all(&bytes).expect("written");
        let said = sandbox.said(&child.wait_with_output().expect("ended"));
        assert!(said.out.starts_with("Imported stdin → ./made/new.db: 3 rows"), "{said:#?}");
        assert_eq!(names(&sandbox.path("made")), ["new.db"]);
    }
    let sandbox = Sandbox::new();
    let said = untouched(&sandbox, 2, &["-", "--into", "new.db"]);
    insta::assert_snapshot!(said.err, @r"
    error: `stdin` is neither an export nor an SQL dump
    hint: name another file; nothing was changed
    ");
}

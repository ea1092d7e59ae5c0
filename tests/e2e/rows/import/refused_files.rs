//! `db-import FILE` of what is not an export, or to a place that is for something else: refused, with
//! the way on named.

use crate::rows::import::{untouched, with_export};
use crate::support::sandbox::{Sandbox, messages};

#[test]
fn a_journal_of_a_database_that_is_gone_does_not_become_a_part_of_the_new_one() {
    for suffix in ["-wal", "-journal", "-shm"] {
        let sandbox = with_export();
        sandbox.write(&format!("made/new.db{suffix}"), "old");
        let said = untouched(&sandbox, 2, &["e.jsonl", "--into", "made/new.db"]);
        let what = format!("`made/new.db{suffix}` is there and would be mistaken for part of it");
        assert!(said.err.contains(&what), "{said:#?}");
        let arguments = ["db-import", "e.jsonl", "--into", "made/new.db", "--force", "--yes"];
        let said = sandbox.ok(&arguments);
        assert!(
            said.out.contains("[✓] Raw files set aside → ./backups/new.db.ASIDE."),
            "{said:#?}"
        );
        assert_eq!(messages(&sandbox.path("made/new.db")), ["one", "two", "three"]);
    }
}

#[test]
fn what_is_no_export_is_refused_and_the_way_on_named() {
    let sandbox = with_export();
    sandbox.write("list.json", "[{\"a\": 1}]");
    sandbox.write("table.csv", "\"a\",\"b\"\n1,2\n");
    sandbox.write("zeros", [0; 100]);
    sandbox.write("notes.toml", "[package]\nname = \"notes\"\n");
    fs_err::create_dir(sandbox.path("folder")).expect("folder");
    let live = "backend/db/kalito.db";
    let mut said = String::new();
    for file in ["list.json", "table.csv", "notes.toml", "zeros", "folder", live, "missing"] {
        said += &untouched(&sandbox, 2, &[file, "--into", "new.db"]).err;
    }
    insta::assert_snapshot!(said, @r"
    error: `list.json` is JSON, but not an export of db-export
    hint: import its records with `--records` and `--table`; nothing was changed
    error: `table.csv` is neither an export nor an SQL dump: it may be CSV
    hint: import its records with `--records` and `--table`; nothing was changed
    error: `notes.toml` is not in a format that `db-import` reads
    hint: name an export, an SQL dump, or records in JSON, JSONL or CSV; nothing was changed
    error: `zeros` is neither an export nor an SQL dump
    hint: name another file; nothing was changed
    error: `folder` is a folder without `export.json`, which an export in CSV has
    hint: name the folder that `db-export --format csv` wrote; nothing was changed
    error: `backend/db/kalito.db` is an SQLite database, not an export or an SQL dump
    hint: restore a database with `cargo xtask db-restore PATH`; nothing was changed
    error: failed to open file `missing`: No such file or directory (os error 2)
    hint: name a file that you can read; nothing was changed
    ");
}

#[test]
fn places_that_are_for_something_else_are_refused() {
    let sandbox = with_export();
    let backup = sandbox.backup();
    let backup = format!("backups/{backup}");
    for (into, what) in [
        ("e.jsonl", "`e.jsonl` is both the file to import and the database to create"),
        (backup.as_str(), "has the name of a backup in the backups folder"),
        ("new.db-wal", "is the name of a file that SQLite reserves for itself"),
        ("nowhere/new.db", "there is no folder for `nowhere/new.db`"),
        ("backend", "`backend` (from --into) is a folder"),
    ] {
        let said = untouched(&sandbox, 2, &["e.jsonl", "--force", "--yes", "--into", into]);
        assert!(said.err.contains(what), "{into}: {said:#?}");
    }
    for files in [&[][..], &["e.jsonl", "e.jsonl"]] {
        let said = untouched(&sandbox, 2, &[files, &["--into", "new.db"]].concat());
        assert!(said.err.contains("name one file, or merge several"), "{said:#?}");
    }
}

#[test]
fn a_newer_format_is_not_guessed_at() {
    let sandbox = with_export();
    let text = fs_err::read_to_string(sandbox.path("e.jsonl")).expect("an export");
    sandbox.write("newer.jsonl", text.replace("\"version\":1", "\"version\":2"));
    let said = untouched(&sandbox, 2, &["newer.jsonl", "--into", "new.db"]);
    insta::assert_snapshot!(said.err, @r"
    error: could not import `newer.jsonl`
      caused by: the export has version 2, and this xtask-db reads 1
    hint: nothing was changed; update xtask-db with `cargo update --package xtask-db`, then import it
    ");
}

#[test]
fn a_definition_that_does_more_than_define_is_refused() {
    let sandbox = with_export();
    sandbox.write("secret", "x");
    let text = fs_err::read_to_string(sandbox.path("e.jsonl")).expect("an export");
    let sql = "CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT NOT NULL)";
    for other in [
        "ATTACH 'secret' AS s",
        "CREATE TABLE messages AS SELECT 1 AS id, 2 AS content",
        "CREATE TABLE other (id, content)",
        "PRAGMA writable_schema = ON",
        "SELECT load_extension('x')",
    ] {
        sandbox.write("bad.jsonl", text.replace(sql, other));
        let said = untouched(&sandbox, 1, &["bad.jsonl", "--into", "new.db"]);
        assert!(said.err.contains("could not create table `messages`"), "{other}: {said:#?}");
    }
}

#[test]
fn a_constraint_that_replaces_rows_drops_none() {
    let sandbox = Sandbox::new();
    sandbox.sql("CREATE TABLE tags (name TEXT)");
    sandbox.sql("INSERT INTO tags VALUES ('a'), ('a')");
    sandbox.ok(&["db-export", "--output", "e.json", "--format", "json"]);
    let text = fs_err::read_to_string(sandbox.path("e.json")).expect("an export");
    let stricter = text.replace("tags (name TEXT)", "tags (name TEXT UNIQUE ON CONFLICT REPLACE)");
    assert_ne!(stricter, text);
    sandbox.write("e.json", stricter);
    let said = untouched(&sandbox, 1, &["e.json", "--into", "new.db"]);
    insta::assert_snapshot!(said.err, @r"
    error: could not import `e.json`
      caused by: its rows could not be read
      caused by: line 8 and line 9: two rows of `tags` have the same name
    hint: nothing was changed; get the file again, or export it again
    ");
}

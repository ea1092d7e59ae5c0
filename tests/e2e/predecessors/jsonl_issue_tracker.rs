//! How the JSONL `export` and `import` of an issue tracker failed: one test for each, named after it.

use crate::support::sandbox::{Sandbox, open};

/// Issues of two projects; one refers to a project that is gone.
fn tracker() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "DROP TABLE messages;
         CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
         CREATE TABLE issues (id INTEGER PRIMARY KEY, project_id INTEGER REFERENCES projects,
             title TEXT NOT NULL UNIQUE);
         CREATE TABLE comments (id INTEGER PRIMARY KEY, issue_id INTEGER NOT NULL REFERENCES issues,
             body TEXT);
         INSERT INTO projects VALUES (1, 'api'), (2, 'ui');
         INSERT INTO issues VALUES (1, 1, 'a'), (2, 1, 'b'), (3, NULL, 'no project'), (4, 2, 'c');
         INSERT INTO comments VALUES (1, 1, 'x'), (2, 3, 'on none'), (3, 4, 'y');",
    );
    sandbox
}

fn count(path: &std::path::Path, table: &str) -> i64 {
    let question = format!("SELECT count(*) FROM {table}");
    open(path).query_row(&question, [], |row| row.get(0)).expect("a count")
}

#[test]
fn a_plain_copy_of_a_wal_database_was_two_days_behind() {
    let sandbox = tracker();
    let application = open(&sandbox.live());
    application
        .execute_batch("PRAGMA wal_autocheckpoint=0; INSERT INTO issues VALUES (5, 1, 'just now')")
        .expect("written");
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    sandbox.ok(&["db-import", "e.jsonl", "--into", "new.db"]);
    assert_eq!(count(&sandbox.path("new.db"), "issues"), 5);
}

#[test]
fn a_filter_by_join_dropped_148_of_18828_rows() {
    let sandbox = tracker();
    // What a join would lose: an issue without a project, and a comment on it.
    let exported = sandbox.json(&["db-export", "--output", "all.jsonl"]);
    for table in ["projects", "issues", "comments"] {
        assert_eq!(exported["tables"][table], count(&sandbox.live(), table), "{exported:#}");
    }
    let roots = ["--root", "issues", "--where", "project_id IS NULL OR project_id = 2"];
    sandbox.ok(&[&["db-export", "--output", "part.jsonl"], &roots[..]].concat());
    sandbox.ok(&["db-import", "part.jsonl", "--into", "part.db"]);
    let part = sandbox.path("part.db");
    assert_eq!((count(&part, "issues"), count(&part, "comments")), (2, 2));
}

#[test]
fn force_deleted_the_target_before_opening_the_input() {
    let sandbox = tracker();
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    let whole = fs_err::read_to_string(sandbox.path("e.jsonl")).expect("text");
    sandbox.write("cut.jsonl", &whole[..whole.len() / 2]);
    let before = sandbox.content();
    for file in ["missing.jsonl", "cut.jsonl", "backend"] {
        let said = sandbox.run(&["db-import", file, "--force", "--yes"]);
        assert!(matches!(said.code, Some(1 | 2)), "{file}: {said:#?}");
        assert_eq!(sandbox.content(), before, "{file}");
    }
}

#[test]
fn a_file_cut_at_a_line_boundary_imported_without_complaint() {
    let sandbox = tracker();
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    let whole = fs_err::read_to_string(sandbox.path("e.jsonl")).expect("text");
    let n_lines = whole.lines().count();
    assert!(n_lines > 10, "{whole}");
    for n in 0..n_lines {
        let cut: String = whole.split_inclusive('\n').take(n).collect();
        sandbox.write("cut.jsonl", cut);
        for arguments in [&["--into", "new.db"][..], &["--merge"]] {
            let said = sandbox.run(&[&["db-import", "cut.jsonl"], arguments].concat());
            assert!(matches!(said.code, Some(1 | 2)), "{n} lines: {said:#?}");
        }
        assert!(!sandbox.path("new.db").exists(), "{n} lines");
    }
    assert_eq!(count(&sandbox.live(), "issues"), 4);
}

#[test]
fn orphans_wedged_the_upgrade_with_a_message_that_named_no_row() {
    let sandbox = tracker();
    sandbox.sql("PRAGMA foreign_keys=OFF; INSERT INTO comments VALUES (9, 77, 'lost')");
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    let said = sandbox.fails(1, &["db-import", "e.jsonl", "--into", "new.db"]);
    let named = "row 9 of `comments` refers to a row of `issues` that is not there: issue_id = 77";
    assert!(said.err.contains(named), "{said:#?}");
    assert!(said.err.contains("--allow-violations"), "and there is a way on: {said:#?}");
    sandbox.ok(&["db-import", "e.jsonl", "--into", "new.db", "--allow-violations"]);
    assert_eq!(count(&sandbox.path("new.db"), "comments"), 4);
}

#[test]
fn there_was_no_refresh_by_a_second_import() {
    let sandbox = tracker();
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    sandbox.ok(&["db-import", "e.jsonl", "--into", "copy.db"]);
    sandbox.sql("INSERT INTO issues VALUES (5, 1, 'new')");
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    sandbox.ok(&["db-import", "e.jsonl", "--into", "copy.db", "--force", "--yes"]);
    assert_eq!(count(&sandbox.path("copy.db"), "issues"), 5);
    assert_eq!(sandbox.json(&["db-import", "--merge", "e.jsonl"])["inserted"], 0);
}

#[test]
fn there_was_no_dry_run() {
    let sandbox = tracker();
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    sandbox.sql("DELETE FROM comments WHERE id = 3");
    let before = sandbox.content();
    for arguments in
        [&["e.jsonl", "--into", "new.db"][..], &["e.jsonl", "--force"], &["--merge", "e.jsonl"]]
    {
        sandbox.ok(&[&["db-import", "--dry-run"], arguments].concat());
        assert_eq!(sandbox.content(), before, "{arguments:?}");
    }
    assert!(!sandbox.path("new.db").exists());
    assert!(sandbox.records("safety").is_empty());
}

//! What went wrong when a team's history was restored from SQL dumps in git: each failure once.

use crate::rows::merge::{machine, share, texts};

const HISTORY: &str = "
    CREATE TABLE sessions (id INTEGER PRIMARY KEY, title TEXT NOT NULL, at TEXT NOT NULL);
    CREATE TABLE events (id INTEGER PRIMARY KEY, session INTEGER REFERENCES sessions (id),
                         at TEXT NOT NULL, what TEXT NOT NULL, parent INTEGER REFERENCES events (id));";

#[test]
fn restoring_a_colleague_s_file_never_rewrites_local_links() {
    let here = machine(
        HISTORY,
        "INSERT INTO sessions VALUES (1, 'mine', 't1'), (2, 'also mine', 't2');
         INSERT INTO events VALUES (1, 1, 't1', 'a', NULL), (2, 1, 't2', 'b', 1), (3, 2, 't3', 'c', 2);",
    );
    let there = machine(
        HISTORY,
        "INSERT INTO sessions VALUES (1, 'yours', 't8');
         INSERT INTO events VALUES (1, 1, 't8', 'x', 2), (2, 1, 't9', 'y', NULL);",
    );
    share(&there, &here, "colleague.jsonl");
    let links = "SELECT id || ' ' || session || ' ' || coalesce(parent, '-') FROM events WHERE id <= 3 ORDER BY id";
    let before = texts(&here, links);
    here.ok(&["db-import", "--merge", "colleague.jsonl"]);
    assert_eq!(texts(&here, links), before);
    let theirs =
        "SELECT e.what || ' of ' || title || ' after ' || coalesce(p.what, '-') FROM events AS e
                  JOIN sessions AS s ON s.id = e.session LEFT JOIN events AS p ON p.id = e.parent
                  WHERE e.id > 3 ORDER BY e.what";
    assert_eq!(texts(&here, theirs), ["x of yours after y", "y of yours after -"]);
}

#[test]
fn one_row_that_fails_fails_the_import() {
    let here = machine("CREATE TABLE e (what TEXT CHECK (what <> 'bad'));", "");
    let there =
        machine("CREATE TABLE e (what TEXT);", "INSERT INTO e VALUES ('good'), ('bad'), ('fine');");
    share(&there, &here, "colleague.jsonl");
    let said = here.fails(1, &["db-import", "--merge", "colleague.jsonl"]);
    assert!(said.err.contains("a row of `e` (row 2) cannot be here"), "{said:#?}");
    assert_eq!(texts(&here, "SELECT what FROM e"), [""; 0]);
}

#[test]
fn a_truncated_file_is_refused() {
    let here = machine(HISTORY, "");
    let there = machine(HISTORY, "INSERT INTO sessions VALUES (1, 'a', 't'), (2, 'b', 't');");
    share(&there, &here, "whole.jsonl");
    let whole = fs_err::read_to_string(here.path("whole.jsonl")).expect("an export");
    let n_lines = whole.lines().count();
    for n in 0..n_lines {
        let cut: String = whole.split_inclusive('\n').take(n).collect();
        here.write("cut.jsonl", cut);
        let said = here.run(&["db-import", "--merge", "cut.jsonl"]);
        assert!(said.code == Some(1) || said.code == Some(2), "{n} of {n_lines} lines: {said:#?}");
        assert_eq!(texts(&here, "SELECT title FROM sessions"), [""; 0]);
    }
}

#[test]
fn quotes_line_breaks_and_bytes_arrive_as_they_are() {
    let schema = "CREATE TABLE e (what);";
    let here = machine(schema, "");
    let rows = "INSERT INTO e VALUES ('it''s; ''quoted'''), ('a' || char(13, 10) || 'b'), (x'00FF27'), ('--; x');";
    let there = machine(schema, rows);
    share(&there, &here, "colleague.jsonl");
    here.ok(&["db-import", "--merge", "colleague.jsonl"]);
    let all = "SELECT typeof(what) || hex(what) FROM e ORDER BY rowid";
    assert_eq!(texts(&here, all), texts(&there, all));
}

#[test]
fn two_events_in_one_second_stay_two() {
    let schema = "CREATE TABLE events (at TEXT, what TEXT);";
    let here = machine(schema, "INSERT INTO events VALUES ('t1', 'click');");
    let there = machine(
        schema,
        "INSERT INTO events VALUES ('t1', 'click'), ('t1', 'click'), ('t1', 'scroll');",
    );
    share(&there, &here, "colleague.jsonl");
    here.ok(&["db-import", "--merge", "colleague.jsonl"]);
    assert_eq!(texts(&here, "SELECT what FROM events ORDER BY what"), ["click", "click", "scroll"]);
    // A key that would make one of them is refused.
    here.configure("merge-key = { events = [\"at\"] }");
    let said = here.fails(1, &["db-import", "--merge", "colleague.jsonl"]);
    assert!(said.err.contains("`merge-key` is not a key"), "{said:#?}");
}

#[test]
fn edits_arrive_or_are_named() {
    let schema = "CREATE TABLE notes (key TEXT PRIMARY KEY, text TEXT);";
    let here = machine(schema, "INSERT INTO notes VALUES ('a', 'draft');");
    let there = machine(schema, "INSERT INTO notes VALUES ('a', 'final');");
    share(&there, &here, "colleague.jsonl");
    let said = here.fails(1, &["db-import", "--merge", "colleague.jsonl"]);
    assert!(said.err.contains("key 'a': text 'draft' here, 'final' in the file"), "{said:#?}");
    let said = here.ok(&["db-import", "--merge", "colleague.jsonl", "--on-conflict", "skip"]);
    assert!(said.out.contains("kept as here: key 'a': text 'draft' here"), "{said:#?}");
    here.ok(&["db-import", "--merge", "colleague.jsonl", "--on-conflict", "replace"]);
    assert_eq!(texts(&here, "SELECT text FROM notes"), ["final"]);
}

#[test]
fn a_new_table_is_never_forgotten() {
    let here = machine("CREATE TABLE old (a);", "CREATE TABLE added (b);");
    let there =
        machine("CREATE TABLE old (a);", "CREATE TABLE added (b); INSERT INTO added VALUES ('x');");
    share(&there, &here, "colleague.jsonl");
    here.ok(&["db-import", "--merge", "colleague.jsonl"]);
    assert_eq!(texts(&here, "SELECT b FROM added"), ["x"]);
    let here = machine("CREATE TABLE old (a);", "");
    share(&there, &here, "colleague.jsonl");
    let said = here.ok(&["db-import", "--merge", "colleague.jsonl"]);
    assert!(
        said.err.contains("left out: 1 row of `added`: there is no such table here"),
        "{said:#?}"
    );
}

#[test]
fn the_only_copy_is_kept_before_it_is_written() {
    let here = machine(HISTORY, "INSERT INTO sessions VALUES (1, 'mine', 't');");
    let there = machine(HISTORY, "INSERT INTO sessions VALUES (1, 'yours', 't');");
    share(&there, &here, "colleague.jsonl");
    here.ok(&["db-import", "--merge", "colleague.jsonl"]);
    let safety = &here.records("safety")[0];
    assert_eq!(safety["tables"]["sessions"], 1);
    here.ok(&["db-verify", "--all"]);
}

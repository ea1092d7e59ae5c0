//! `db-import FILE` of what other programs, editors and git leave behind, and of databases that are not
//! as they should be.

use crate::rows::import::untouched;
use crate::support::sandbox::{Sandbox, open};

/// A project whose database these statements make, and its export `e.jsonl`.
fn exported(statements: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.sql(statements);
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    sandbox
}

fn text(sandbox: &Sandbox) -> String {
    fs_err::read_to_string(sandbox.path("e.jsonl")).expect("an export")
}

const INTO: [&str; 2] = ["--into", "new.db"];

#[test]
fn line_breaks_that_git_turned_into_those_of_windows_change_nothing() {
    let sandbox = exported(
        "DELETE FROM messages; INSERT INTO messages (content) VALUES ('a\r\nb'), ('c\rd'), ('\n');",
    );
    let export = text(&sandbox);
    sandbox.write("crlf.jsonl", export.replace('\n', "\r\n"));
    sandbox.ok(&["db-import", "crlf.jsonl", "--into", "new.db"]);
    let kept: String = open(&sandbox.path("new.db"))
        .query_row("SELECT group_concat(content, '|') FROM messages", [], |row| row.get(0))
        .expect("texts");
    assert_eq!(kept, "a\r\nb|c\rd|\n");
    sandbox.write("cut.jsonl", export.replace('\n', "\r\n").split_at(export.len() / 2).0);
    untouched(&sandbox, 1, &["cut.jsonl", "--into", "other.db"]);
}

#[test]
fn what_editors_and_git_put_into_a_file_is_named() {
    let sandbox = exported("DELETE FROM messages; INSERT INTO messages (content) VALUES ('a');");
    let export = text(&sandbox);
    let header = export.split_inclusive('\n').next().expect("a header");
    for (code, content, what) in [
        (2, format!("\u{feff}{export}"), "an export behind a byte order mark"),
        (2, format!("<<<<<<< HEAD\n{export}"), "a file with git's conflict markers: line 1"),
        (1, header.to_owned(), "line 2: the footer is missing: the file was cut short"),
    ] {
        sandbox.write("odd.jsonl", &content);
        let said = untouched(&sandbox, code, &["odd.jsonl", "--into", "new.db"]);
        assert!(said.err.contains(what), "{said:#?}");
    }
    sandbox.write("odd.jsonl.gz", [0x1f, 0x8b, 8, 0]);
    let said = untouched(&sandbox, 2, &["odd.jsonl.gz", "--into", "new.db"]);
    assert!(said.err.contains("is compressed"), "{said:#?}");
}

#[test]
fn sql_of_a_newer_version_is_not_guessed_at() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-export", "--format", "sql", "--output", "e.sql"]);
    let sql = fs_err::read_to_string(sandbox.path("e.sql")).expect("an export");
    assert!(sql.starts_with("-- xtask-db export, version 1,"));
    sandbox.write("newer.sql", sql.replacen("version 1,", "version 2,", 1));
    let said = untouched(&sandbox, 2, &["newer.sql", "--into", "new.db"]);
    assert!(said.err.contains("the export has version 2, and this xtask-db reads 1"), "{said:#?}");
    sandbox.ok(&["db-import", "e.sql", "--into", "new.db"]);
}

#[test]
fn a_value_that_its_column_would_change_is_refused_and_named() {
    // SQLite's own way to change a column's type.
    let sandbox = exported(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, v); INSERT INTO p VALUES (1, 5), (3, 'x');
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE p (id INTEGER PRIMARY KEY, v TEXT)'
         WHERE name = 'p';",
    );
    let said = untouched(&sandbox, 1, &["e.jsonl", "--into", "new.db"]);
    insta::assert_snapshot!(said.err, @"
    error: could not import `e.jsonl`
      caused by: its rows could not be read
      caused by: line 5: a row of `p`
      caused by: the number in `v` would become a text because of the type of that column
    hint: nothing was changed; get the file again, or export it again
    ");
    let sandbox = exported(
        "DROP TABLE messages; CREATE TABLE n (id INTEGER PRIMARY KEY, v NUMERIC);
         INSERT INTO n VALUES (1, '2026-11-21'), (2, 2), (3, 2.5), (4, '12:00'), (5, x'31');",
    );
    sandbox.ok(&["db-import", "e.jsonl", "--into", "new.db"]);
    sandbox.ok(&["db-export", "--format", "json", "--output", "e.json"]);
    let json = fs_err::read_to_string(sandbox.path("e.json")).expect("an export");
    for (from, to, what) in [
        ("\"2026-11-21\"", "\"2026\"", "the text in `v` would become a number"),
        ("\"id\":1", "\"id\":null", "the NULL in `id` would become a new number"),
    ] {
        assert!(json.contains(from), "{json}");
        sandbox.write("edited.json", json.replacen(from, to, 1));
        let said = untouched(&sandbox, 1, &["edited.json", "--into", "other.db"]);
        assert!(said.err.contains(what), "{said:#?}");
    }
}

#[test]
fn foreign_keys_that_fit_no_key_are_a_warning_and_the_others_are_checked() {
    let sandbox = exported(
        "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT);
         CREATE TABLE c (id INTEGER PRIMARY KEY, code REFERENCES p (code));
         CREATE TABLE d (id INTEGER PRIMARY KEY, p REFERENCES p);
         INSERT INTO p VALUES (1, 'x'); INSERT INTO c VALUES (1, 'x'); INSERT INTO d VALUES (1, 1);",
    );
    let unchecked = "warning: could not check foreign_key_check: foreign key mismatch - \"c\" referencing \"p\"";
    for format in ["jsonl", "sql"] {
        let file = format!("f.{format}");
        sandbox.ok(&["db-export", "--format", format, "--output", &file]);
        let into = format!("{format}.db");
        let said = sandbox.ok(&["db-import", &file, "--into", &into]);
        assert!(said.err.contains(unchecked), "{said:#?}");
    }
    sandbox.sql("PRAGMA foreign_keys = OFF; INSERT INTO d VALUES (2, 7);");
    sandbox.ok(&["db-export", "--output", "g.jsonl"]);
    let said = untouched(&sandbox, 1, &["g.jsonl", "--into", "g.db"]);
    assert!(
        said.err.contains("row 2 of `d` refers to a row of `p` that is not there: p = 7"),
        "{said:#?}"
    );
    // A merge continues, too.
    sandbox.sql("PRAGMA foreign_keys = OFF; DELETE FROM d WHERE id = 2; DELETE FROM p; DELETE FROM c; DELETE FROM d;");
    let said = sandbox.ok(&["db-import", "--merge", "e.jsonl"]);
    assert!(said.err.contains(unchecked), "{said:#?}");
}

#[test]
fn an_orphan_is_named_whatever_its_table_and_its_bytes() {
    let sandbox = exported(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE p (k TEXT PRIMARY KEY);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT REFERENCES p);
         CREATE TABLE w (a TEXT, b INTEGER, p TEXT REFERENCES p, PRIMARY KEY (a, b)) WITHOUT ROWID;
         INSERT INTO p VALUES ('there');
         INSERT INTO c VALUES (1, CAST(x'61ff' AS TEXT)), (2, 'there');
         INSERT INTO w VALUES ('x', 1, 'gone'), ('y', 2, 'there'), ('z', 3, NULL);",
    );
    let said = untouched(&sandbox, 1, &[&["e.jsonl"][..], &INTO].concat());
    insta::assert_snapshot!(said.err, @"
    warning: row 1 of `c` refers to a row of `p` that is not there: p = 'a�'
    warning: row a = 'x', b = 1 of `w` refers to a row of `p` that is not there: p = 'gone'
    error: could not import `e.jsonl`
      caused by: 2 rows violate the rules of its own schema
    hint: `--allow-violations` imports such rows as they are; nothing was changed
    ");
    let document = sandbox.json(&["db-import", "e.jsonl", "--into", "new.db"]);
    assert_eq!(document["violations"].as_array().map(Vec::len), Some(2), "{document}");
    assert_eq!((&document["version"], &document["error"]["exit_code"]), (&1.into(), &1.into()));
    sandbox.ok(&["db-import", "e.jsonl", "--into", "new.db", "--allow-violations"]);
}

#[test]
fn flags_of_records_mean_nothing_without_them_and_are_refused() {
    let sandbox = exported("");
    for flags in [["--table", "messages"], ["--map", "a=b"], ["--set", "a=b"]] {
        for mode in [&INTO[..], &["--merge"]] {
            let said = untouched(&sandbox, 2, &[&["e.jsonl"][..], mode, &flags].concat());
            assert!(said.err.contains("--records"), "{said:#?}");
        }
    }
    untouched(&sandbox, 2, &["e.jsonl", "--into", "new.db", "--trust-numbers"]);
}

#[test]
fn conflict_markers_and_rows_with_the_same_id_are_named_by_their_lines() {
    let sandbox = exported(
        "CREATE TABLE w (a TEXT, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
         DELETE FROM messages; INSERT INTO messages (id, content) VALUES (1, 'a'), (2, 'b'), (3, 'c');
         INSERT INTO w VALUES ('x', 1);",
    );
    let export = text(&sandbox);
    let lines: Vec<&str> = export.lines().collect();
    let with = |at: usize, more: &[&str]| {
        let mut all = lines.clone();
        all.splice(at..at, more.iter().copied());
        all.join("\n") + "\n"
    };
    let second = lines.iter().position(|line| line.contains(r#""id":2"#)).expect("a row");
    let sides = ["<<<<<<< HEAD", lines[second], "=======", lines[second], ">>>>>>> theirs"];
    let odd = with(second, &sides);
    let line = second + 1;
    let doubled = with(second + 1, &[lines[second]]);
    let of_two = lines.iter().position(|line| line.contains(r#""a":"x""#)).expect("a row");
    for (content, said_of, hint) in [
        (&odd, format!("line {line}: git's conflict marker `<<<<<<<`"), "git checkout --ours"),
        (
            &doubled,
            format!("line {line} and line {}: two rows of `messages` have the same id", line + 1),
            "get the file again",
        ),
        (
            &with(of_two + 1, &[lines[of_two]]),
            format!(
                "line {} and line {}: two rows of `w` have the same a, b",
                of_two + 1,
                of_two + 2
            ),
            "get the file again",
        ),
    ] {
        sandbox.write("odd.jsonl", content);
        for mode in [&["--into", "new.db"][..], &["--merge"]] {
            let said = untouched(&sandbox, 1, &[&["odd.jsonl"], mode].concat());
            assert!(said.err.contains(&said_of) && said.err.contains(hint), "{said_of}: {said:#?}");
        }
    }
    sandbox.write("r.jsonl", "{\"content\": \"x\"}\n<<<<<<< HEAD\n{\"content\": \"y\"}\n");
    let records = ["r.jsonl", "--records", "", "--table", "messages", "--yes"];
    let said = untouched(&sandbox, 2, &records);
    assert!(said.err.contains("line 2: git's conflict marker"), "{said:#?}");
}

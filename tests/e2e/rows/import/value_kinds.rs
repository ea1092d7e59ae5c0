//! `db-import` of our own exports: every class of value and every kind of table comes back to the last
//! bit, in every format; an export that was cut or touched makes nothing.

use std::path::Path;

use crate::rows::export::value_kinds::{KINDS, VALUES, VIRTUAL};
use crate::support::museum::{Random, names};
use crate::support::sandbox::{Said, Sandbox, open};

const FORMATS: [&str; 3] = ["jsonl", "json", "csv"];

/// Exports a database to `name`, in JSONL, and returns the text.
fn exported(sandbox: &Sandbox, database: &Path, name: &str) -> String {
    let mut export = sandbox.xtask(&["db-export", "--output", name]);
    let output = export.env("DATABASE_PATH", database).output().expect("it runs");
    assert!(output.status.success(), "{:#?}", sandbox.said(&output));
    fs_err::read_to_string(sandbox.path(name)).expect("an export")
}

/// Exports the live database in every format, makes a new one of each, and compares the JSONL of all.
/// Returns what the last import said.
fn comes_back(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let before = exported(sandbox, &sandbox.live(), "before.jsonl");
    let mut said = None;
    for format in FORMATS {
        let (file, new) = (format!("e.{format}"), format!("{format}.db"));
        sandbox.ok(&["db-export", "--output", &file, "--format", format]);
        said = Some(sandbox.ok(&[&["db-import", &file, "--into", &new], arguments].concat()));
        let after = exported(sandbox, &sandbox.path(&new), &format!("after-{format}.jsonl"));
        assert_eq!(before, after, "{format}");
    }
    said.expect("an import")
}

#[test]
fn every_class_of_value_comes_back() {
    let sandbox = Sandbox::new();
    sandbox.sql(VALUES);
    sandbox.sql("INSERT INTO vals (v) VALUES (CAST(x'61ff00' AS TEXT)), (zeroblob(300000))");
    comes_back(&sandbox, &[]);
    for format in FORMATS {
        let copy = open(&sandbox.path(&format!("{format}.db")));
        let mode: String =
            copy.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a mode");
        assert_eq!(mode, "delete");
    }
}

#[test]
fn every_class_of_value_comes_back_into_a_database_in_utf_16() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let sandbox = Sandbox::new();
        fs_err::remove_file(sandbox.live()).expect("removed");
        sandbox.sql(&format!("PRAGMA encoding = '{encoding}'; {VALUES}"));
        // Half of a pair: no Unicode in either order of the bytes.
        sandbox.sql("INSERT INTO vals (v) VALUES (CAST(x'd8d8' AS TEXT))");
        comes_back(&sandbox, &[]);
    }
}

#[test]
fn every_kind_of_table_comes_back_and_no_trigger_fires() {
    let sandbox = Sandbox::new();
    sandbox.sql(KINDS);
    let said = comes_back(&sandbox, &["--allow-violations"]);
    insta::assert_snapshot!(said.err, @"warning: CHECK constraint failed in checked");
    let copy = open(&sandbox.path("jsonl.db"));
    let fired: i64 = copy
        .query_row("SELECT count(*) FROM keyless WHERE b = 'fired'", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(fired, 0);
}

#[test]
fn virtual_tables_come_back_with_their_content_and_settings() {
    let sandbox = Sandbox::new();
    sandbox.sql(KINDS);
    sandbox.sql(VIRTUAL);
    let said = comes_back(&sandbox, &["--allow-violations"]);
    assert!(
        said.err.contains(
            "warning: `less` stored an index without its texts (content=''): the file has none of \
             it"
        ),
        "{said:#?}"
    );
    for format in FORMATS {
        let copy = open(&sandbox.path(&format!("{format}.db")));
        let found = |question| copy.query_row(question, [], |row| row.get::<_, i64>(0));
        for (question, expected) in [
            ("SELECT rowid FROM own WHERE own MATCH 'pears'", 9),
            ("SELECT rowid FROM found WHERE found MATCH 'a'", 9),
            ("SELECT docid FROM words WHERE words MATCH 'hallo' AND lang = 7", 3),
            ("SELECT id FROM box WHERE x0 < 0.5", 2),
            ("SELECT count(*) FROM own_config WHERE k = 'rank'", 1),
        ] {
            assert_eq!(found(question).expect(question), expected, "{question}");
        }
    }
}

#[test]
fn a_full_text_index_of_a_view_comes_back_and_counts_as_no_rows() {
    let sandbox = Sandbox::new();
    fs_err::remove_file(sandbox.live()).expect("removed");
    sandbox.sql(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);
         INSERT INTO note VALUES (1, 'pears'), (5, 'plums');
         CREATE VIEW louder AS SELECT id, text || ' please' AS text FROM note;
         CREATE VIRTUAL TABLE heard USING fts5(text, content='louder', content_rowid='id');
         INSERT INTO heard (heard) VALUES ('rebuild')",
    );
    let said = comes_back(&sandbox, &[]);
    assert!(said.out.contains(": 2 rows of 1 table, "), "{said:#?}");
    sandbox.ok(&["db-export", "--output", "e.sql", "--format", "sql"]);
    sandbox.ok(&["db-import", "e.sql", "--into", "sql.db"]);
    for name in ["jsonl.db", "json.db", "csv.db", "sql.db"] {
        let copy = open(&sandbox.path(name));
        let question = "SELECT rowid FROM heard WHERE heard MATCH 'plums please'";
        let found: i64 = copy.query_row(question, [], |row| row.get(0)).expect(name);
        assert_eq!(found, 5, "{name}");
    }
}

#[test]
fn kept_rowids_and_tables_without_rows_come_back() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE plain (a, rowid); INSERT INTO plain (_rowid_, a) VALUES (5, 1), (900, NULL);
         CREATE TABLE empty (a INT) STRICT;
         CREATE TRIGGER t AFTER DELETE ON plain BEGIN
             DELETE FROM messages WHERE id = old.oid; END;",
    );
    comes_back(&sandbox, &[]);
}

#[test]
fn what_was_left_out_is_an_empty_table_and_said() {
    let sandbox = Sandbox::new();
    sandbox.sql("CREATE TABLE log (id INTEGER PRIMARY KEY); INSERT INTO log VALUES (1)");
    sandbox.ok(&["db-export", "--without", "log", "--output", "e.jsonl"]);
    let said = sandbox.ok(&["db-import", "e.jsonl", "--into", "new.db"]);
    insta::assert_snapshot!(said.err, @"warning: the rows of `log` were left out: the file has none");
    let n: i64 = open(&sandbox.path("new.db"))
        .query_row("SELECT count(*) FROM log", [], |row| row.get(0))
        .expect("a table");
    assert_eq!(n, 0);
}

/// An import of these bytes is refused and leaves nothing behind.
fn makes_nothing(sandbox: &Sandbox, bytes: &[u8], what: &str) -> Said {
    sandbox.write("cut", bytes);
    let said = sandbox.run(&["db-import", "cut", "--into", "made/new.db"]);
    // Damaged is a no; a changed byte may also make a foreign file or a newer version of it.
    assert!(matches!(said.code, Some(1 | 2)), "{what}: {said:#?}");
    assert_eq!(names(&sandbox.path("made")), [""; 0], "{what}: {said:#?}");
    said
}

/// A small export in a format, and a folder to import into.
fn small(format: &str) -> (Sandbox, Vec<u8>) {
    let sandbox = Sandbox::new();
    sandbox.sql("CREATE TABLE b (x); INSERT INTO b VALUES (NULL), (1.5), (x'00'), ('ü\"\n');");
    sandbox.ok(&["db-export", "--output", "e", "--format", format]);
    fs_err::create_dir(sandbox.path("made")).expect("folder");
    let bytes = if format == "csv" {
        Vec::new()
    } else {
        fs_err::read(sandbox.path("e")).expect("an export")
    };
    (sandbox, bytes)
}

#[test]
fn a_file_cut_at_any_line_makes_nothing() {
    for format in ["jsonl", "json"] {
        let (sandbox, bytes) = small(format);
        let breaks = (0..bytes.len()).filter(|at| bytes[*at] == b'\n');
        for at in breaks.flat_map(|at| [at, at + 1]).filter(|at| *at < bytes.len()) {
            // JSON has no line break at its end that would belong to it.
            if format == "json" && at + 1 == bytes.len() {
                continue;
            }
            makes_nothing(&sandbox, &bytes[..at], &format!("{format} cut at {at}"));
        }
    }
}

#[test]
fn a_file_cut_or_changed_anywhere_makes_nothing() {
    let (sandbox, bytes) = small("jsonl");
    let mut random = Random(7);
    for _ in 0..40 {
        let at = random.below(bytes.len());
        makes_nothing(&sandbox, &bytes[..at], &format!("cut at {at}"));
        let mut changed = bytes.clone();
        changed[at] ^= 1 << random.below(8);
        makes_nothing(&sandbox, &changed, &format!("a bit at {at}"));
    }
}

#[test]
fn a_folder_of_csv_with_a_file_cut_or_missing_makes_nothing() {
    let (sandbox, _) = small("csv");
    for file in ["b.csv", "messages.csv", "export.json"] {
        let path = sandbox.path("e").join(file);
        let bytes = fs_err::read(&path).expect("a file");
        let import = || {
            let said = sandbox.run(&["db-import", "e", "--into", "made/new.db"]);
            assert!(matches!(said.code, Some(1 | 2)), "{said:#?}");
            assert_eq!(names(&sandbox.path("made")), [""; 0], "{said:#?}");
        };
        // The document's last byte is a line break that means nothing.
        let n = if file == "export.json" { bytes.len() - 1 } else { bytes.len() };
        for at in (0..n).step_by(5).chain([n - 1]) {
            fs_err::write(&path, &bytes[..at]).expect("written");
            import();
        }
        fs_err::remove_file(&path).expect("removed");
        import();
        fs_err::write(&path, &bytes).expect("written");
    }
    sandbox.ok(&["db-import", "e", "--into", "made/new.db"]);
}

#[test]
fn csv_and_json_that_other_tools_laid_out_anew_are_read() {
    let (sandbox, _) = small("csv");
    let path = sandbox.path("e/messages.csv");
    let text = fs_err::read_to_string(&path).expect("text");
    fs_err::write(&path, text.replace('\n', "\r\n").replace("\"id\",\"content\"", "id,content"))
        .expect("written");
    sandbox.ok(&["db-import", "e", "--into", "csv.db"]);
    let (jsonbox, bytes) = small("json");
    let text = String::from_utf8(bytes).expect("text");
    let spread = text.replace("\":", "\" :\n ").replace(",\"", " ,\n\"");
    let value: serde_json::Value = serde_json::from_str(&spread).expect("a document");
    assert_eq!(value["counts"]["b"], 4);
    jsonbox.write("spread.json", &spread);
    jsonbox.ok(&["db-import", "spread.json", "--into", "json.db"]);
    let lines = text.replace('\n', "");
    jsonbox.write("one-line.json", format!("{lines}\n"));
    jsonbox.ok(&["db-import", "one-line.json", "--into", "line.db"]);
    let before = exported(&jsonbox, &jsonbox.live(), "before.jsonl");
    for name in ["json.db", "line.db"] {
        assert_eq!(exported(&jsonbox, &jsonbox.path(name), &format!("{name}.jsonl")), before);
    }
    let csv = exported(&sandbox, &sandbox.path("csv.db"), "after.jsonl");
    assert_eq!(csv, before);
}

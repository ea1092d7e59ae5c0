//! `db-import` of SQL: what the sqlite3 shell and other tools dump comes back with equal content; a
//! hostile or truncated file leaves nothing behind.

use std::io::Write as _;

use crate::support::sandbox::{Sandbox, open};

/// Every kind of table, trigger, view and value that a dump has its own way of writing.
const CONTENT: &str = "
    CREATE TABLE vals (id INTEGER PRIMARY KEY AUTOINCREMENT, v);
    INSERT INTO vals (v) VALUES (NULL), (9223372036854775807), (0.1), ('it''s; -- ''so'' /*'),
        ('cr' || char(13, 10) || 'lf'), (char(10) || '.quit' || char(10)), (x'00ff270a3b'), (''),
        (x''), ('ü€' || char(119070)), ('back\\slash \\n'), ('END; COMMIT;');
    DELETE FROM vals WHERE id = 12;
    CREATE TABLE \"odd \"\"; name\" (\"a b\" TEXT PRIMARY KEY, [c;d] DEFAULT ';') WITHOUT ROWID;
    INSERT INTO \"odd \"\"; name\" VALUES ('x', 'y');
    CREATE TABLE made (a INT, b AS (a + 1), c GENERATED ALWAYS AS (a * 2) STORED);
    INSERT INTO made VALUES (4);
    CREATE INDEX vals_v ON vals (v) WHERE v > ';';
    CREATE VIEW seen AS SELECT v /* ; */ FROM vals;
    CREATE TRIGGER counted AFTER INSERT ON vals BEGIN
        UPDATE made SET a = CASE WHEN new.id > 3 THEN 1 ELSE 2 END; -- END;
        INSERT OR IGNORE INTO \"odd \"\"; name\" VALUES (';END;', 1);
    END;
    CREATE VIRTUAL TABLE own USING fts5 (title, body UNINDEXED);
    INSERT INTO own (rowid, title, body) VALUES (9, 'pears', 'x'), (5, 'apples', NULL);
    CREATE VIRTUAL TABLE words USING fts4 (t);
    INSERT INTO words (docid, t) VALUES (3, 'hallo');
    CREATE VIRTUAL TABLE box USING rtree (id, x0, x1, +note);
    INSERT INTO box VALUES (2, 0.5, 0.75, 'n'), (1, 1, 2, NULL);";

/// What the sqlite3 shell dumps of the live database; none if it is not installed.
fn shell_dump(sandbox: &Sandbox) -> Option<Vec<u8>> {
    let mut command = sandbox.command("sqlite3");
    let Ok(output) = command.arg(sandbox.live()).arg(".dump").output() else {
        let _ = std::io::stderr().write_all(b"SKIPPED: importing a real dump needs sqlite3\n");
        return None;
    };
    assert!(output.status.success(), "{:#?}", sandbox.said(&output));
    Some(output.stdout)
}

fn export_of(sandbox: &Sandbox, database: &str) -> String {
    let mut export = sandbox.xtask(&["db-export", "--output", "-"]);
    let output = export.env("DATABASE_PATH", sandbox.path(database)).output().expect("it runs");
    let said = sandbox.said(&output);
    assert_eq!(said.code, Some(0), "{said:#?}");
    said.out
}

/// The exports of the live database and of one imported from a dump are the same; `user_version` is
/// what the shell does not dump.
fn assert_equal_content(sandbox: &Sandbox, imported: &str) {
    let live = export_of(sandbox, "backend/db/kalito.db")
        .replace("\"user_version\":12", "\"user_version\":0");
    let without_hash = |export: &str| {
        export
            .lines()
            .filter(|line| !line.contains("\"blake3\":"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(without_hash(&live), without_hash(&export_of(sandbox, imported)));
}

#[test]
fn what_the_sqlite3_shell_dumps_comes_back_with_equal_content() {
    let sandbox = Sandbox::new();
    sandbox.sql(CONTENT);
    let Some(dump) = shell_dump(&sandbox) else { return };
    sandbox.write("dump.sql", &dump);
    let said = sandbox.ok(&["db-import", "dump.sql", "--into", "new.db"]);
    assert!(!said.err.contains("warning"), "{said:#?}");
    assert_equal_content(&sandbox, "new.db");
    let found: i64 = open(&sandbox.path("new.db"))
        .query_row("SELECT rowid FROM own WHERE own MATCH 'pears'", [], |row| row.get(0))
        .expect("found");
    assert_eq!(found, 9);
}

#[test]
fn so_does_a_dump_after_vacuum_whose_virtual_tables_come_last() {
    let sandbox = Sandbox::new();
    sandbox.sql(CONTENT);
    sandbox.sql("VACUUM");
    let Some(dump) = shell_dump(&sandbox) else { return };
    sandbox.write("dump.sql", &dump);
    let said = sandbox.ok(&["db-import", "dump.sql", "--into", "new.db"]);
    assert!(!said.err.contains("warning"), "{said:#?}");
    assert_equal_content(&sandbox, "new.db");
}

#[test]
fn so_does_what_python_dumps() {
    let sandbox = Sandbox::new();
    sandbox.sql(CONTENT);
    let script = "import sqlite3, sys\n\
                  lines = sqlite3.connect(sys.argv[1]).iterdump()\n\
                  open(sys.argv[2], 'w', newline='').write('\\n'.join(lines) + '\\n')";
    let mut python = sandbox.command("python3");
    let output =
        python.args(["-c", script]).arg(sandbox.live()).arg(sandbox.path("dump.sql")).output();
    let Ok(output) = output else {
        let _ = std::io::stderr().write_all(b"SKIPPED: importing Python's dump needs python3\n");
        return;
    };
    if !output.status.success() {
        let _ =
            std::io::stderr().write_all(b"SKIPPED: Python's sqlite3 cannot dump these tables\n");
        return;
    }
    sandbox.ok(&["db-import", "dump.sql", "--into", "new.db"]);
    assert_equal_content(&sandbox, "new.db");
}

#[test]
fn our_own_sql_comes_back_to_the_same_export() {
    let sandbox = Sandbox::new();
    sandbox.sql(CONTENT);
    sandbox.sql("INSERT INTO vals (v) VALUES (CAST(x'61ff00' AS TEXT)), (9e999), (5e-324)");
    sandbox.ok(&["db-export", "--output", "e.sql", "--format", "sql"]);
    sandbox.ok(&["db-import", "e.sql", "--into", "new.db"]);
    assert_eq!(export_of(&sandbox, "backend/db/kalito.db"), export_of(&sandbox, "new.db"));
}

#[test]
fn a_dump_cut_short_anywhere_is_refused_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let whole = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(a, b);\n\
                 INSERT INTO t VALUES('it''s -- ;', X'00');\nINSERT INTO t VALUES(2,3);\nCOMMIT;\n";
    let breaks = whole.match_indices('\n').map(|(at, _)| at + 1);
    let before_commit = whole.len() - "COMMIT;\n".len();
    for n_bytes in breaks.chain([7, 60, 99, before_commit + 6]).filter(|n| *n < whole.len()) {
        sandbox.write("cut.sql", &whole[..n_bytes]);
        let said = sandbox.run(&["db-import", "cut.sql", "--into", "new.db"]);
        assert!(matches!(said.code, Some(1 | 2)), "{n_bytes}: {said:#?}");
        assert!(said.err.starts_with("error: could not import `cut.sql`"), "{n_bytes}: {said:#?}");
        let files = fs_err::read_dir(sandbox.root()).expect("a folder");
        let names: Vec<_> = files.map(|file| file.expect("a file").file_name()).collect();
        assert!(!names.iter().any(|name| name.to_string_lossy().contains("new.db")), "{names:?}");
    }
    sandbox.write("cut.sql", &whole[..before_commit]);
    let said = sandbox.fails(1, &["db-import", "cut.sql", "--into", "new.db"]);
    insta::assert_snapshot!(said.err, @"
    error: could not import `cut.sql`
      caused by: the file ends before its COMMIT: it was cut short
    hint: nothing was changed; dump the database again
    ");
}

#[test]
fn a_hostile_dump_is_refused_by_line_and_reaches_nothing() {
    let sandbox = Sandbox::new();
    let other = sandbox.path("other.db");
    let other = other.to_string_lossy();
    for hostile in [
        format!("ATTACH '{other}' AS o;"),
        format!("VACUUM INTO '{other}';"),
        format!(".system touch {other}"),
        format!("INSERT INTO t VALUES(writefile('{other}', 'x'));"),
        "PRAGMA temp_store_directory='/';".to_owned(),
    ] {
        sandbox.write("bad.sql", format!("BEGIN;\nCREATE TABLE t(a);\n{hostile}\nCOMMIT;\n"));
        let said = sandbox.fails(2, &["db-import", "bad.sql", "--into", "new.db"]);
        assert!(said.err.contains("caused by: line 3, `"), "{hostile}: {said:#?}");
        assert!(!sandbox.path("other.db").exists() && !sandbox.path("new.db").exists());
    }
    sandbox.write("bad.sql", "CREATE TABLE t(a);\nATTACH 'other.db' AS o;\n");
    let said = sandbox.fails(2, &["db-import", "bad.sql", "--into", "new.db"]);
    insta::assert_snapshot!(said.err, @"
    error: could not import `bad.sql`
      caused by: line 2, `ATTACH 'other.db' AS o;`, is refused: it opens or leaves another database
    hint: nothing was changed; remove the statement from the file to import the rest
    ");
}

#[test]
fn a_dump_of_another_database_is_refused_by_name() {
    let sandbox = Sandbox::new();
    sandbox
        .write("other.sql", "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n");
    let said = sandbox.fails(2, &["db-import", "other.sql", "--into", "new.db"]);
    insta::assert_snapshot!(said.err, @"
    error: could not import `other.sql`
      caused by: it is a dump of PostgreSQL: line 2 begins `-- PostgreSQL database dump`
    hint: nothing was changed; only SQL for SQLite can be imported: convert it first
    ");
}

#[test]
fn rows_without_tables_are_refused_with_a_way_on() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.sql", "INSERT INTO t VALUES(1);\n");
    let said = sandbox.fails(2, &["db-import", "rows.sql", "--into", "new.db"]);
    insta::assert_snapshot!(said.err, @"
    error: could not import `rows.sql`
      caused by: line 1, `INSERT INTO t VALUES(1);`, cannot be imported: no such table: t
    hint: nothing was changed; the file contains rows without tables, as `.dump --data-only` writes it
    ");
}

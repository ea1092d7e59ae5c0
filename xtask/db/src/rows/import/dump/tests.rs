//! SQL files of every origin, whole, hostile and broken, into a scratch database.

use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::*;
use crate::console::interrupt::Interrupt;
use crate::console::progress::Pulse;
use crate::console::refusal::Refusal;
use crate::rows::import::cost_limits::Bounds;

/// A scratch database and the messages about the file that it was loaded from.
struct Outcome {
    folder: TempDir,
    said: Result<Loaded>,
}

impl Outcome {
    fn connection(&self) -> Connection {
        if let Err(error) = &self.said {
            panic!("{error:#}");
        }
        connection::open_immutable(&self.folder.path().join("scratch.db")).expect("a database")
    }

    fn value(&self, question: &str) -> Value {
        self.connection().query_row(question, [], |row| row.get(0)).expect("a value")
    }

    fn refusal(self) -> String {
        let error = self.said.expect_err("a refusal");
        assert!(error.downcast_ref::<Refusal>().is_some(), "no refusal: {error:#}");
        error.to_string()
    }
}

fn loaded_in(encoding: Option<&str>, sql: &[u8]) -> Outcome {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("dump.sql");
    let scratch = folder.path().join("scratch.db");
    fs_err::write(&file, sql).expect("a file");
    fs_err::write(&scratch, b"").expect("a file");
    let interrupt = Interrupt::default();
    let bounds = Bounds::lifted(&interrupt, Pulse::none());
    let loading = Loading { scratch: &scratch, encoding, interrupt: &interrupt, bounds: &bounds };
    let said = load(&file, &loading, &mut |_| {});
    Outcome { folder, said }
}

fn dumped(sql: impl AsRef<[u8]>) -> Outcome {
    loaded_in(None, sql.as_ref())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn two_quotes_within_a_text_are_one_and_end_nothing() {
    let found = dumped("CREATE TABLE t(a);INSERT INTO t VALUES('it''s; ''quoted''; -- ');");
    assert_eq!(found.value("SELECT a FROM t"), text("it's; 'quoted'; -- "));
}

#[test]
fn carriage_returns_stay() {
    let found = dumped(
        "BEGIN;\r\nCREATE TABLE t(a);\r\nINSERT INTO t VALUES('1\r\n2\r3\n');\r\nCOMMIT;\r\n",
    );
    assert_eq!(found.value("SELECT a FROM t"), text("1\r\n2\r3\n"));
}

#[test]
fn blobs_survive() {
    let found = dumped("CREATE TABLE t(a);INSERT INTO t VALUES(X'00ff27220a3b');");
    assert_eq!(
        found.value("SELECT a FROM t"),
        Value::Blob(vec![0, 0xff, b'\'', b'"', b'\n', b';'])
    );
}

#[test]
fn texts_that_are_no_unicode_and_nul_bytes_survive() {
    let found = dumped(b"CREATE TABLE t(a);INSERT INTO t VALUES('a\xff\xfe''b\0c');");
    assert_eq!(found.value("SELECT hex(a) FROM t"), text("61FFFE27620063"));
    assert_eq!(found.value("SELECT typeof(a) FROM t"), text("text"));
}

#[test]
fn the_encoding_is_the_file_s_or_the_one_that_is_asked_for() {
    let sql = "PRAGMA encoding='UTF-16le';CREATE TABLE t(a);INSERT INTO t VALUES('ü\0');";
    let found = dumped(sql);
    assert_eq!(found.value("PRAGMA encoding"), text("UTF-16le"));
    assert_eq!(found.value("SELECT a FROM t"), text("ü\0"));
    let found = loaded_in(Some("UTF-8"), sql.as_bytes());
    assert_eq!(found.value("PRAGMA encoding"), text("UTF-8"));
    assert_eq!(found.value("SELECT a FROM t"), text("ü\0"));
}

#[test]
fn the_functions_of_the_shell_s_dumps_are_known() {
    let found = dumped(
        "CREATE TABLE t(a);INSERT INTO t VALUES(replace('a\\nb','\\n',char(10)));
         INSERT INTO t VALUES(unistr('a\\u000ab'));",
    );
    assert_eq!(
        found.value("SELECT count(*) FROM t WHERE a = 'a' || char(10) || 'b'"),
        Value::Integer(2)
    );
}

#[test]
fn triggers_views_indexes_and_numbers_are_made() {
    let found = dumped(
        ".dbconfig defensive off
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a CHECK (a <> 'x'));
INSERT INTO t VALUES(1,'a');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('t',9);
CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN a THEN ';END;' END; END;
CREATE VIEW v AS SELECT a FROM t;
CREATE INDEX i ON t(a);
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 VALUES('t','i','1 1');
INSERT INTO sqlite_stat4 VALUES('t','i','1','0','0',X'0309');
PRAGMA user_version=7;
COMMIT;
",
    );
    assert_eq!(found.value("SELECT group_concat(type) FROM (SELECT type FROM sqlite_schema WHERE name IN ('t','r','v','i') ORDER BY type)"), text("index,table,trigger,view"));
    assert_eq!(found.value("SELECT seq FROM sqlite_sequence"), Value::Integer(9));
    assert_eq!(found.value("PRAGMA user_version"), Value::Integer(7));
}

#[test]
fn a_truncated_dump_is_refused_wherever_it_ends() {
    let sql = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(a, b);\n\
               INSERT INTO t VALUES('it''s -- ;', X'00');\nINSERT INTO t VALUES(2, 3);\n\
               CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END;\nCOMMIT;\n";
    let whole = sql.len() - 1;
    for n_bytes in 0..sql.len() {
        let found = dumped(&sql[..n_bytes]);
        assert_eq!(found.said.is_ok(), n_bytes >= whole, "{n_bytes}: {}", &sql[..n_bytes]);
    }
    assert_eq!(
        dumped(&sql[..sql.len() - 8]).refusal(),
        "the file ends before its COMMIT: it was cut short"
    );
    assert_eq!(
        dumped(&sql[..sql.len() - 2]).refusal(),
        "the file ends within the statement that begins on line 7"
    );
}

#[test]
fn a_dump_that_met_an_error_is_refused() {
    let refusal = dumped("BEGIN;\nCREATE TABLE t(a);\nROLLBACK; -- due to errors\n").refusal();
    assert_eq!(
        refusal,
        "line 3, `ROLLBACK;`, cannot be imported: it rolls everything back, because the program \
         that wrote it met an error"
    );
}

#[test]
fn a_file_without_tables_is_refused() {
    for sql in ["", "\n", "-- nothing\n", "PRAGMA user_version=1;", "BEGIN;COMMIT;", "SELECT 1;"] {
        assert_eq!(dumped(sql).refusal(), "the file creates no table", "{sql:?}");
    }
    let refusal = dumped("BEGIN;\nINSERT INTO t VALUES(1);\nCOMMIT;").refusal();
    assert_eq!(refusal, "line 2, `INSERT INTO t VALUES(1);`, cannot be imported: no such table: t");
}

#[test]
fn a_file_without_a_transaction_is_remarked() {
    let found = dumped("CREATE TABLE t(a);").said.expect("loaded");
    assert_eq!(
        found.remarks,
        ["the file has no COMMIT, which would show that it is complete: check that everything is \
          there"]
    );
}

#[test]
fn what_reaches_beyond_the_tables_is_refused() {
    for (sql, reason) in [
        ("ATTACH '$F/other.db' AS o;", "it opens or leaves another database"),
        ("DETACH main;", "it opens or leaves another database"),
        ("VACUUM INTO '$F/other.db';", "it writes another file"),
        ("SELECT load_extension('x');", "`load_extension()` reaches beyond the database"),
        (
            "INSERT INTO t VALUES(load_extension('x'));",
            "`load_extension()` reaches beyond the database",
        ),
        (
            "INSERT INTO t VALUES(readfile('/etc/passwd'));",
            "`readfile()` reaches beyond the database",
        ),
        ("SELECT writefile('$F/other.db','x');", "`writefile()` reaches beyond the database"),
        ("SELECT edit('x');", "`edit()` reaches beyond the database"),
        ("SELECT fts3_tokenizer('simple');", "`fts3_tokenizer()` reaches beyond the database"),
        (
            "PRAGMA temp_store_directory='$F';",
            "`PRAGMA temp_store_directory` does not belong in a dump",
        ),
        ("PRAGMA trusted_schema=ON;", "`PRAGMA trusted_schema` does not belong in a dump"),
        ("PRAGMA schema_version=1;", "`PRAGMA schema_version` does not belong in a dump"),
        (
            "INSERT INTO t SELECT name FROM pragma_database_list;",
            "`PRAGMA database_list` does not belong in a dump",
        ),
        ("CREATE VIRTUAL TABLE d USING dbstat;", "module `dbstat` is not one that a dump needs"),
        (
            "CREATE VIRTUAL TABLE d USING sqlite_dbpage;",
            "module `sqlite_dbpage` is not one that a dump needs",
        ),
        (
            "CREATE VIRTUAL TABLE d USING csv(filename='/etc/passwd');",
            "module `csv` is not one that a dump needs",
        ),
        (
            "CREATE VIRTUAL TABLE d USING zipfile('/etc/passwd');",
            "module `zipfile` is not one that a dump needs",
        ),
        ("CREATE TEMP TABLE d(a);", "what it creates is temporary and would be lost"),
        (
            "CREATE TEMP TRIGGER d AFTER INSERT ON t BEGIN SELECT 1; END;",
            "what it creates is temporary and would be lost",
        ),
        ("CREATE TEMP VIEW d AS SELECT 1;", "what it creates is temporary and would be lost"),
        (
            "INSERT INTO sqlite_schema VALUES('table','x','x',2,'CREATE TABLE x(a)');",
            "table sqlite_master may not be modified",
        ),
        ("UPDATE sqlite_schema SET sql='x';", "table sqlite_master may not be modified"),
        (
            "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','x','x',2,'CREATE TABLE x(a)');",
            "only virtual tables are written into the schema itself",
        ),
        (
            "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','x','x',0,'ATTACH ''$F/other.db'' AS o');",
            "only virtual tables are written into the schema itself",
        ),
        (
            "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','x','x',0,'CREATE VIRTUAL TABLE x USING csv(a)');",
            "module `csv` is not one that a dump needs",
        ),
        (
            "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','x','x',0,load_extension('x'));",
            "`load_extension()` reaches beyond the database",
        ),
        ("SAVEPOINT s;", "savepoints do not belong in a dump"),
        (".read /etc/passwd", "it is a command of the sqlite3 shell, which is not run here"),
        (
            ".system touch $F/other.db",
            "it is a command of the sqlite3 shell, which is not run here",
        ),
        (".open $F/other.db", "it is a command of the sqlite3 shell, which is not run here"),
        (".import /etc/passwd t", "it is a command of the sqlite3 shell, which is not run here"),
        ("SET NAMES utf8;", "no statement of SQLite begins with it; MySQL and PostgreSQL have it"),
    ] {
        let folder = TempDir::new().expect("a folder");
        let sql = sql.replace("$F", &folder.path().to_string_lossy());
        let refusal = dumped(format!("BEGIN;\nCREATE TABLE t(a);\n{sql}\nCOMMIT;\n")).refusal();
        assert!(refusal.starts_with("line 3, `"), "{sql}: {refusal}");
        assert!(refusal.ends_with(&format!(": {reason}")), "{sql}: {refusal}");
        assert_eq!(fs_err::read_dir(folder.path()).expect("a folder").count(), 0, "{sql}");
    }
}

#[test]
fn a_view_or_trigger_that_reaches_beyond_is_of_no_use() {
    let reach = "SELECT load_extension('x')";
    for sql in [
        format!("CREATE TRIGGER r AFTER INSERT ON t BEGIN {reach}; END; INSERT INTO t VALUES(1);"),
        format!("CREATE VIEW v AS {reach} AS a; INSERT INTO t SELECT a FROM v;"),
        "CREATE VIEW v AS SELECT * FROM sqlite_dbpage; INSERT INTO t SELECT data FROM v;"
            .to_owned(),
    ] {
        let refusal = dumped(format!("CREATE TABLE t(a);{sql}")).refusal();
        let is_denied = refusal.contains("is refused: ") || refusal.contains("unsafe use of");
        assert!(is_denied, "{sql}: {refusal}");
    }
}

#[test]
fn dumps_of_other_databases_are_refused_by_name() {
    for (sql, expected) in [
        (
            "-- MySQL dump 10.13\n--\nCREATE TABLE t(a);",
            "it is a dump of MySQL: line 1 begins `-- MySQL dump`",
        ),
        (
            "--\n-- PostgreSQL database dump\n--\nSET a = 0;",
            "it is a dump of PostgreSQL: line 2 begins `-- PostgreSQL database dump`",
        ),
    ] {
        assert_eq!(dumped(sql).refusal(), expected);
    }
    let refusal = dumped(b"\xff\xfeC\0R\0").refusal();
    assert_eq!(refusal, "the file is UTF-16, as PowerShell's `>` writes it");
}

#[test]
fn settings_that_are_about_no_content_are_passed_over() {
    let sql = "PRAGMA journal_mode=WAL;BEGIN;CREATE TABLE t(a);VACUUM;SELECT a FROM t;PRAGMA journal_mode=WAL;COMMIT;";
    let found = dumped(sql);
    assert_eq!(found.value("PRAGMA journal_mode"), text("delete"));
    let remarks = found.said.expect("loaded").remarks;
    assert_eq!(remarks, ["`PRAGMA journal_mode` was skipped: it does not affect the content"]);
}

#[test]
fn an_interrupt_ends_it() {
    let folder = TempDir::new().expect("a folder");
    let scratch = folder.path().join("scratch.db");
    fs_err::write(&scratch, b"").expect("a file");
    let interrupt = Interrupt::default();
    interrupt.raise();
    let bounds = Bounds::lifted(&interrupt, Pulse::none());
    let loading =
        Loading { scratch: &scratch, encoding: None, interrupt: &interrupt, bounds: &bounds };
    let sql = "CREATE TABLE t(a);".as_bytes();
    let error = run(sql, &loading, &mut |_| interrupt.check()).expect_err("interrupted");
    assert_eq!(error.to_string(), "interrupted");
}

/// Virtual tables as the sqlite3 shell 3.40 dumps them.
const VIRTUAL: &str = include_str!("../../../../fuzz/corpus/sql/virtual.sql");

#[test]
fn virtual_tables_come_back_from_the_tables_of_their_modules() {
    let found = dumped(VIRTUAL);
    assert_eq!(found.value("SELECT rowid FROM own WHERE own MATCH 'pears'"), Value::Integer(9));
    assert_eq!(found.value("SELECT rowid FROM ext WHERE ext MATCH 'nuts'"), Value::Integer(2));
    assert_eq!(found.value("SELECT rowid FROM less WHERE less MATCH 'gone'"), Value::Integer(1));
    assert_eq!(found.value("SELECT docid FROM words WHERE words MATCH 'hallo'"), Value::Integer(3));
    assert_eq!(found.value("SELECT note FROM box WHERE id = 2"), text("n"));
    assert!(found.said.expect("loaded").remarks.is_empty());
}

#[test]
fn virtual_tables_that_stand_behind_their_modules_tables_come_back_too() {
    // After VACUUM the shell writes the definitions last.
    let (definitions, others): (Vec<&str>, Vec<&str>) =
        VIRTUAL.lines().partition(|line| line.starts_with("INSERT INTO sqlite_schema"));
    let sql = others.join("\n").replace("COMMIT;", &(definitions.join("\n") + "\nCOMMIT;"));
    let found = dumped(sql);
    assert_eq!(found.value("SELECT rowid FROM own WHERE own MATCH 'pears'"), Value::Integer(9));
    assert_eq!(found.value("SELECT note FROM box WHERE id = 2"), text("n"));
    let moved = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%moved%'";
    assert_eq!(found.value(moved), Value::Integer(0));
    assert!(found.said.expect("loaded").remarks.is_empty());
}

#[test]
fn rows_of_a_virtual_table_beside_those_of_its_module_are_not_taken_twice() {
    let row = "INSERT INTO own_data";
    let sql =
        VIRTUAL.replacen(row, &format!("INSERT INTO \"own\" VALUES('apples',NULL);\n{row}"), 1);
    let found = dumped(sql);
    assert_eq!(found.value("SELECT count(*) FROM own"), Value::Integer(2));
    assert!(found.said.expect("loaded").remarks.is_empty());
}

#[test]
fn an_index_that_does_not_fit_its_rows_is_built_anew_or_refused() {
    let found = dumped(VIRTUAL.replace("INSERT INTO own_content VALUES(5,'apples',NULL);\n", ""));
    assert_eq!(found.value("SELECT count(*) FROM own WHERE own MATCH 'apples'"), Value::Integer(0));
    let remarks = found.said.expect("loaded").remarks;
    assert_eq!(remarks, ["full-text index `own` did not match its rows and was rebuilt"]);
    let without = |start: &str| {
        VIRTUAL.lines().filter(|line| !line.starts_with(start)).collect::<Vec<_>>().join("\n")
    };
    for start in ["INSERT INTO less_data", "INSERT INTO box_rowid", "INSERT INTO box_node"] {
        let refusal = dumped(without(start)).refusal();
        assert!(refusal.starts_with("virtual table `"), "{start}: {refusal}");
    }
}

#[test]
fn the_tables_of_modules_are_written_by_rows_only() {
    for sql in [
        "DROP TABLE own_data;",
        "UPDATE own_data SET block = X'00';",
        "DELETE FROM own_data;",
        "CREATE TRIGGER x AFTER INSERT ON own_data BEGIN SELECT 1; END;",
    ] {
        let refusal = dumped(VIRTUAL.replace("COMMIT;", &format!("{sql}\nCOMMIT;"))).refusal();
        assert!(refusal.contains("cannot be imported"), "{sql}: {refusal}");
    }
}

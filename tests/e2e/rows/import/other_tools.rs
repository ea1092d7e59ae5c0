//! `db-import` of what schema files and dumps of other tools hold besides tables: SQLite's own tables, and
//! those of its modules.

use std::process::Stdio;

use crate::support::sandbox::{Sandbox, open};

/// Files as tools write them, and a question with its answer in the database that they make.
const FILES: [(&str, &str, &str, &str); 12] = [
    (
        "`.schema` of the sqlite3 shell, of a database that was analysed",
        "CREATE TABLE p(id integer primary key autoincrement, x);\nCREATE TABLE sqlite_sequence(name,seq);\n\
         CREATE INDEX px on p(x);\nCREATE TABLE sqlite_stat1(tbl,idx,stat);\n\
         CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample);\n",
        "SELECT count(*) FROM sqlite_master WHERE name IN ('p', 'px')",
        "2",
    ),
    (
        "dbmate",
        "CREATE TABLE IF NOT EXISTS \"schema_migrations\" (version varchar(128) primary key);\n\
         CREATE TABLE users (id integer primary key autoincrement, name text);\n\
         CREATE TABLE sqlite_sequence(name,seq);\n\
         -- Dbmate schema migrations\n\
         INSERT INTO \"schema_migrations\" (version) VALUES\n  ('20240101000000'),\n  ('20240102000000');\n",
        "SELECT count(*) FROM schema_migrations",
        "2",
    ),
    (
        "Rails",
        "CREATE TABLE IF NOT EXISTS \"schema_migrations\" (\"version\" varchar NOT NULL PRIMARY KEY);\n\
         CREATE TABLE IF NOT EXISTS \"posts\" (\"id\" integer PRIMARY KEY AUTOINCREMENT NOT NULL, \"title\" varchar);\n\
         CREATE TABLE sqlite_sequence(name,seq);\n\
         INSERT INTO \"schema_migrations\" (version) VALUES\n('20240101000000');\n\n",
        "SELECT count(*) FROM posts",
        "0",
    ),
    (
        "DB Browser for SQLite",
        "BEGIN TRANSACTION;\nCREATE TABLE IF NOT EXISTS \"t\" (\n\t\"id\"\tINTEGER,\n\t\"a\"\tTEXT,\n\
         \tPRIMARY KEY(\"id\" AUTOINCREMENT)\n);\nINSERT INTO \"t\" VALUES (7,'x');\n\
         CREATE TABLE IF NOT EXISTS \"sqlite_sequence\" (\n\t\"name\"\t,\n\t\"seq\"\t\n);\n\
         INSERT INTO \"sqlite_sequence\" (\"name\",\"seq\") VALUES ('t',41);\nCOMMIT;\n",
        "SELECT group_concat(name || seq) FROM sqlite_sequence",
        "t41",
    ),
    (
        "DataGrip",
        "create table sqlite_master\n(\n    type TEXT,\n    name TEXT,\n    tbl_name TEXT,\n\
             rootpage INT,\n    sql TEXT\n);\n\ncreate table sqlite_sequence\n(\n    name,\n    seq\n);\n\n\
         create table t\n(\n    id INTEGER\n        primary key autoincrement\n);\n\n\
         INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES \
         ('table', 't', 't', 2, 'CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT)');\n",
        "SELECT count(*) FROM t",
        "0",
    ),
    (
        "Navicat",
        "PRAGMA foreign_keys = false;\nDROP TABLE IF EXISTS \"t\";\n\
         CREATE TABLE \"t\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT);\nINSERT INTO \"t\" VALUES (3);\n\
         DROP TABLE IF EXISTS \"sqlite_sequence\";\nCREATE TABLE \"sqlite_sequence\" (\"name\",\"seq\");\n\
         INSERT INTO \"sqlite_sequence\" VALUES ('t', 9);\nPRAGMA foreign_keys = true;\n",
        "SELECT group_concat(name || seq) FROM sqlite_sequence",
        "t9",
    ),
    (
        "a dump of a database whose last counted table is gone",
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(a);\nDELETE FROM sqlite_sequence;\n\
         UPDATE sqlite_sequence SET seq = 5 WHERE name = 't';\nCOMMIT;\n",
        "SELECT count(*) FROM t",
        "0",
    ),
    (
        "counters before their tables",
        "BEGIN;\nINSERT INTO sqlite_sequence VALUES('t',41);\n\
         CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT);\nINSERT INTO t VALUES(7);\nCOMMIT;\n",
        "SELECT group_concat(name || seq) FROM sqlite_sequence",
        "t41",
    ),
    (
        "statistics without ANALYZE",
        "CREATE TABLE t(a);\nCREATE INDEX i ON t(a);\nCREATE TABLE sqlite_stat1(tbl,idx,stat);\n\
         INSERT INTO sqlite_stat1 VALUES('t','i','100 5');\n",
        "SELECT stat FROM sqlite_stat1",
        "100 5",
    ),
    (
        "an FTS3 table with statistics, and a tokenizer",
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nPRAGMA writable_schema=ON;\n\
         INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','ft','ft',0,'CREATE VIRTUAL TABLE ft using fts3(body)');\n\
         CREATE TABLE IF NOT EXISTS 'ft_content'(docid INTEGER PRIMARY KEY, 'c0body');\n\
         INSERT INTO ft_content VALUES(1,'one two');\nINSERT INTO ft_content VALUES(2,'three');\n\
         CREATE TABLE IF NOT EXISTS 'ft_segments'(blockid INTEGER PRIMARY KEY, block BLOB);\n\
         CREATE TABLE IF NOT EXISTS 'ft_segdir'(level INTEGER,idx INTEGER,start_block INTEGER,leaves_end_block INTEGER,end_block INTEGER,root BLOB,PRIMARY KEY(level, idx));\n\
         INSERT INTO ft_segdir VALUES(0,0,0,0,'0 21',X'00036f6e650301020000057468726565030202000102776f03010300');\n\
         CREATE TABLE IF NOT EXISTS 'ft_stat'(id INTEGER PRIMARY KEY, value BLOB);\n\
         INSERT INTO ft_stat VALUES(2,2);\n\
         INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','tok','tok',0,'CREATE VIRTUAL TABLE tok using fts3tokenize(''porter'')');\n\
         PRAGMA writable_schema=OFF;\nCOMMIT;\n",
        "SELECT group_concat(docid) || (SELECT value FROM ft_stat) FROM ft WHERE ft MATCH 'two'",
        "12",
    ),
    (
        "`.schema` after VACUUM, the tables of a module before it",
        "CREATE TABLE IF NOT EXISTS 'ft_content'(docid INTEGER PRIMARY KEY, 'c0body');\n\
         CREATE TABLE IF NOT EXISTS 'ft_segments'(blockid INTEGER PRIMARY KEY, block BLOB);\n\
         CREATE TABLE IF NOT EXISTS 'ft_segdir'(level INTEGER,idx INTEGER,start_block INTEGER,leaves_end_block INTEGER,end_block INTEGER,root BLOB,PRIMARY KEY(level, idx));\n\
         CREATE TABLE IF NOT EXISTS 'ft_stat'(id INTEGER PRIMARY KEY, value BLOB);\n\
         CREATE VIRTUAL TABLE ft using fts3(body)\n/* ft(body) */;\n",
        "SELECT count(*) FROM ft",
        "0",
    ),
    (
        "two virtual tables in one statement",
        "PRAGMA writable_schema=ON;\n\
         INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql)VALUES('table','a','a',0,'CREATE VIRTUAL TABLE a USING fts5(x)'),\
         ('table','b','b',0,'CREATE VIRTUAL TABLE b USING fts5(x)');\n",
        "SELECT count(*) FROM sqlite_master WHERE name IN ('a', 'b')",
        "2",
    ),
];

#[test]
fn files_of_other_tools_are_imported_with_sqlite_s_own_tables() {
    let sandbox = Sandbox::new();
    for (what, sql, question, expected) in FILES {
        sandbox.write("file.sql", sql);
        let said = sandbox.run(&["db-import", "file.sql", "--into", "new.db", "--force", "--yes"]);
        assert_eq!(said.code, Some(0), "{what}: {said:#?}");
        let found: String = open(&sandbox.path("new.db"))
            .query_row(&format!("SELECT CAST(({question}) AS TEXT)"), [], |row| row.get(0))
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn what_looks_like_sqlite_s_own_and_is_not_is_refused() {
    let sandbox = Sandbox::new();
    for sql in [
        "CREATE TABLE sqlite_mine(a);",
        "CREATE TABLE sqlite_sequence AS SELECT 1 AS name, 2 AS seq;",
        "CREATE TABLE t(a); UPDATE sqlite_schema SET sql = 'x';",
        "CREATE TABLE t(a); INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql) \
         VALUES('table','u','u',2,'CREATE TABLE u(a)');",
    ] {
        sandbox.write("file.sql", format!("{sql}\n"));
        let said = sandbox.fails(2, &["db-import", "file.sql", "--into", "new.db"]);
        assert!(said.err.contains("line 1"), "{sql}: {said:#?}");
        assert!(!sandbox.path("new.db").exists(), "{sql}");
    }
}

#[test]
fn a_text_of_all_control_characters_goes_through_every_shell() {
    let sandbox = Sandbox::new();
    let odd: String = (0..0xa0).filter_map(char::from_u32).filter(|c| c.is_control()).collect();
    let connection = open(&sandbox.live());
    connection.execute("UPDATE messages SET content = ?1 WHERE id = 2", [&odd]).expect("written");
    drop(connection);
    sandbox.ok(&["db-export", "--format", "sql", "--output", "out.sql"]);
    sandbox.ok(&["db-import", "out.sql", "--into", "new.db"]);
    assert_eq!(crate::support::sandbox::messages(&sandbox.path("new.db"))[1], odd);
    let mut shell = sandbox.command("sqlite3");
    let input = fs_err::File::open(sandbox.path("out.sql")).expect("the export");
    shell.arg("-batch").arg(sandbox.path("shell.db")).stdin(Stdio::from(input.into_file()));
    let Ok(output) = shell.output() else {
        crate::support::strace::complain("SKIPPED: sqlite3 is not installed");
        return;
    };
    assert!(output.status.success(), "{:#?}", sandbox.said(&output));
    assert_eq!(crate::support::sandbox::messages(&sandbox.path("shell.db"))[1], odd);
}

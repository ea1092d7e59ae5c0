//! `db-export`: every type of value and every kind of table, in every format; what is read back by the
//! real sqlite3 shell is exported to the same bytes.

use std::io::Write as _;
use std::process::Stdio;

use crate::support::sandbox::{Sandbox, open};

/// Every class of value in a table of any type, in UTF-8 and in UTF-16.
pub(crate) const VALUES: &str = "
    CREATE TABLE vals (id INTEGER PRIMARY KEY, v ANY) STRICT;
    INSERT INTO vals (v) VALUES
        (NULL), (0), (1), ('1'), (1.0), (-0.0), ('1.0'), (''), (x''),
        (9007199254740991), (9007199254740992), (-9007199254740993),
        (9223372036854775807), (-9223372036854775808),
        (0.1), (1e23), (123.456), (1.7976931348623157e308), (5e-324), (9e999), (-9e999),
        ('it''s ''quoted'''), ('two' || char(10) || 'lines'), ('cr' || char(13, 10) || 'lf'),
        ('nul' || char(0) || 'after'), ('esc' || char(27) || '[2J' || char(127, 133)),
        ('back\\slash \\n \"q\" ; -- /*'), ('ü€' || char(119070)), ('.quit'), (x'00ff27220a'),
        (CAST(x'61' AS TEXT));";

pub(crate) const KINDS: &str = "
    PRAGMA foreign_keys = OFF;
    CREATE TABLE zebra (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE COLLATE NOCASE, \"odd \"\"name\" INT,
        up TEXT GENERATED ALWAYS AS (upper(name)) STORED, len AS (length(name)),
        parent REFERENCES zebra (id) -- of the herd
    );
    INSERT INTO zebra (id, name, parent) VALUES (7, 'b', 9), (9, 'a', NULL), (10, 'gone', 7);
    DELETE FROM zebra WHERE id = 10;
    CREATE TABLE animal (zid INTEGER REFERENCES zebra (id), k TEXT, v, PRIMARY KEY (zid DESC, k))
        WITHOUT ROWID;
    INSERT INTO animal VALUES (7, 'x', 1), (9, 'x', 2), (9, 'a', 3);
    CREATE TABLE keyless (a, b);
    INSERT INTO keyless VALUES (3, 'x'), (1, NULL), (2, 'y');
    CREATE INDEX keyless_all ON keyless (a, b) WHERE a > 0;
    CREATE TABLE uuids (id TEXT PRIMARY KEY, n);
    INSERT INTO uuids VALUES ('b', 1), ('a', 2), (NULL, 3), (NULL, 4);
    CREATE TABLE checked (a CHECK (a > 0));
    PRAGMA ignore_check_constraints = ON;
    INSERT INTO checked VALUES (-1);
    CREATE TABLE hen (id PRIMARY KEY, egg REFERENCES egg (id));
    CREATE TABLE egg (id PRIMARY KEY, hen REFERENCES hen (id));
    INSERT INTO hen VALUES ('h', 'e'); INSERT INTO egg VALUES ('e', 'h');
    CREATE VIEW herd AS SELECT name FROM zebra;
    CREATE TRIGGER counted AFTER INSERT ON zebra BEGIN INSERT INTO keyless VALUES (9, 'fired'); END;
    CREATE TRIGGER through INSTEAD OF INSERT ON herd BEGIN SELECT 1; END;
    PRAGMA user_version = 12; PRAGMA application_id = 77;";

pub(crate) const VIRTUAL: &str = "
    CREATE VIRTUAL TABLE own USING fts5 (title, body UNINDEXED);
    INSERT INTO own (rowid, title, body) VALUES (9, 'pears', 'x'), (5, 'apples', NULL);
    INSERT INTO own (own, rank) VALUES ('rank', 'bm25(10.0)');
    CREATE VIRTUAL TABLE found USING fts5 (name, content = 'zebra', content_rowid = 'id');
    INSERT INTO found (found) VALUES ('rebuild');
    CREATE VIRTUAL TABLE less USING fts5 (name, content = '');
    INSERT INTO less (rowid, name) VALUES (1, 'gone');
    CREATE VIRTUAL TABLE words USING fts4 (t, languageid=\"lang\");
    INSERT INTO words (docid, t, lang) VALUES (3, 'hallo', 7);
    CREATE VIRTUAL TABLE box USING rtree (id, x0, x1, +note);
    INSERT INTO box VALUES (2, 0.1, 0.2, 'n'), (1, 1, 2, NULL);";

/// A new database from a script, by the sqlite3 shell; whether that is installed.
fn read_back(sandbox: &Sandbox, name: &str, script: &[u8]) -> bool {
    let mut command = sandbox.command("sqlite3");
    command.args(["-batch", "-bail", "-init", "/dev/null"]).arg(sandbox.path(name));
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = piped else {
        let _ = std::io::stderr().write_all(b"SKIPPED: reading an export back needs sqlite3\n");
        return false;
    };
    child.stdin.take().expect("a pipe").write_all(script).expect("written");
    let said = sandbox.said(&child.wait_with_output().expect("ended"));
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:#?}");
    true
}

/// Exports the live database as SQL, lets the shell read it, and compares the JSONL of both.
fn survives_the_shell(sandbox: &Sandbox) {
    sandbox.ok(&["db-export", "--output", "before.jsonl"]);
    sandbox.ok(&["db-export", "--output", "e.sql", "--format", "sql"]);
    let script = fs_err::read(sandbox.path("e.sql")).expect("a script");
    if !read_back(sandbox, "other.db", &script) {
        return;
    }
    let mut export = sandbox.xtask(&["db-export", "--output", "after.jsonl"]);
    let output = export.env("DATABASE_PATH", sandbox.path("other.db")).output().expect("it runs");
    assert!(output.status.success(), "{:#?}", sandbox.said(&output));
    let text = |name: &str| fs_err::read_to_string(sandbox.path(name)).expect("an export");
    assert_eq!(text("before.jsonl"), text("after.jsonl"));
}

#[test]
fn every_class_of_value_survives_the_sqlite3_shell() {
    let sandbox = Sandbox::new();
    sandbox.sql(VALUES);
    sandbox.sql("INSERT INTO vals (v) VALUES (CAST(x'61ff00' AS TEXT)), (zeroblob(300000))");
    survives_the_shell(&sandbox);
    let script = fs_err::read_to_string(sandbox.path("e.sql")).expect("a script");
    assert!(!script.chars().any(|c| c.is_control() && c != '\n'), "{script}");
}

#[test]
fn every_class_of_value_survives_in_a_database_in_utf_16() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let sandbox = Sandbox::new();
        fs_err::remove_file(sandbox.live()).expect("removed");
        sandbox.sql(&format!("PRAGMA encoding = '{encoding}'; {VALUES}"));
        // Half of a pair: no Unicode in either order of the bytes.
        sandbox.sql("INSERT INTO vals (v) VALUES (CAST(x'd8d8' AS TEXT))");
        survives_the_shell(&sandbox);
        let export = fs_err::read_to_string(sandbox.path("before.jsonl")).expect("an export");
        assert!(export.contains(r#""v":{"text_hex":"D8D8"}"#), "{export}");
    }
}

#[test]
fn every_kind_of_table_survives_the_sqlite3_shell() {
    let sandbox = Sandbox::new();
    sandbox.sql(KINDS);
    survives_the_shell(&sandbox);
    let said = sandbox.ok(&["db-export", "--output", "-"]);
    let tables = |line: &str| line.split('"').nth(3).map(str::to_owned);
    let mut order: Vec<String> = said.out.lines().filter_map(tables).skip(1).collect();
    order.pop();
    order.dedup();
    // Parents before children, a cycle from either end, the counters last.
    insta::assert_snapshot!(order.join(" "), @"zebra animal checked hen egg keyless messages uuids sqlite_sequence");
    for row in [
        r#"{"table":"zebra","row":{"id":7,"name":"b","odd \"name":null,"parent":9}}"#,
        r#"{"table":"keyless","row":{"a":3,"b":"x"}}"#,
        r#"{"table":"uuids","row":{"id":null,"n":3}}"#,
        r#"{"table":"checked","row":{"a":-1}}"#,
        r#"{"table":"sqlite_sequence","row":{"name":"zebra","seq":10}}"#,
    ] {
        assert!(said.out.lines().any(|line| line == row), "{row}: {}", said.out);
    }
}

#[test]
fn virtual_tables_are_exported_by_what_they_hold() {
    let sandbox = Sandbox::new();
    sandbox.sql(KINDS);
    sandbox.sql(VIRTUAL);
    survives_the_shell(&sandbox);
    let said = sandbox.ok(&["db-export", "--output", "-"]);
    insta::assert_snapshot!(said.err, @"warning: `less` stores an index without its texts \
                                        (content=''): the table is exported empty");
    for shadow in ["own_content", "own_data", "found_data", "box_node", "words_segments"] {
        assert!(!said.out.contains(shadow), "{shadow}");
    }
    let other = sandbox.path("other.db");
    if other.exists() {
        let copy = open(&other);
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
fn rowids_are_kept_where_the_schema_speaks_of_them_or_somebody_wants_them() {
    let sandbox = Sandbox::new();
    sandbox.sql("CREATE TABLE plain (a, rowid); INSERT INTO plain (_rowid_, a) VALUES (5, 1);");
    let row = |arguments: &[&str]| {
        let said = sandbox.ok(&[&["db-export", "--output", "-"], arguments].concat());
        said.out.lines().find(|line| line.contains("\"plain\",\"row\"")).map(str::to_owned)
    };
    assert_eq!(row(&[]).as_deref(), Some(r#"{"table":"plain","row":{"a":1,"rowid":null}}"#));
    let kept = r#"{"table":"plain","row":{"_rowid_":5,"a":1,"rowid":null}}"#;
    assert_eq!(row(&["--rowids"]).as_deref(), Some(kept));
    sandbox.sql(
        "CREATE TRIGGER t AFTER DELETE ON plain BEGIN
             DELETE FROM messages WHERE id = old.oid; END;",
    );
    assert_eq!(row(&[]).as_deref(), Some(kept));
    survives_the_shell(&sandbox);
}

#[test]
fn a_table_of_an_unknown_module_is_refused_unless_it_is_left_out() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES
             ('table', 'vectors', 'vectors', 0, 'CREATE VIRTUAL TABLE vectors USING vec0(a)');",
    );
    let said = sandbox.fails(2, &["db-export"]);
    insta::assert_snapshot!(said.err, @"
    error: could not export `backend/db/kalito.db`
      caused by: the rows of table `vectors` cannot be read: its module `vec0` is unknown here
    hint: leave its rows out with `--without vectors`, or take a backup, which contains everything
    ");
    let said = sandbox.ok(&["db-export", "--without", "vectors"]);
    assert!(said.out.contains("Left out: the rows of vectors"), "{said:#?}");
}

#[test]
fn one_json_document_holds_the_header_and_the_rows_by_table() {
    let sandbox = Sandbox::new();
    sandbox.sql("CREATE TABLE empty (a);");
    sandbox.ok(&["db-export", "--format", "json", "--output", "e.json"]);
    let text = fs_err::read_to_string(sandbox.path("e.json")).expect("text");
    let document: serde_json::Value = serde_json::from_str(&text).expect("a document");
    assert_eq!(document["user_version"], 12);
    assert_eq!(document["rows"]["messages"][2]["content"], "three");
    assert_eq!(document["rows"]["empty"], serde_json::json!([]));
    assert_eq!(document["counts"], serde_json::json!({ "empty": 0, "messages": 3 }));
    assert!(text.contains("\n{\"id\":2,\"content\":\"two\"},\n"), "{text}");
}

#[test]
fn csv_is_a_folder_of_tables_or_one_file() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE \"../up\" (a, \"b,c\");
         INSERT INTO \"../up\" VALUES (NULL, ''), (1, '1'), (1.0, x'00ff'), ('a\"b
c', -9e999);",
    );
    sandbox.ok(&["db-export", "--format", "csv", "--output", "folder"]);
    let text = |name: &str| fs_err::read_to_string(sandbox.path(name)).expect("a file");
    insta::assert_snapshot!(text("folder/%2E.%2Fup.csv"), @r#"
    "a","b,c"
    ,""
    1,"1"
    1.0,X'00FF'
    "a""b
    c",-9e999
    "#);
    let document: serde_json::Value =
        serde_json::from_str(&text("folder/export.json")).expect("a document");
    assert_eq!(document["counts"]["messages"], 3);
    let said = sandbox.fails(2, &["db-export", "--format", "csv", "--output", "folder"]);
    assert!(said.err.contains("`folder` already exists"), "{said:#?}");
    sandbox.ok(&["db-export", "--format", "csv", "--table", "messages", "--output", "m.csv"]);
    assert_eq!(text("m.csv"), text("folder/messages.csv"));
    assert!(!sandbox.path("../up.csv").exists());
}

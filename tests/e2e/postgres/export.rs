//! Exports of a PostgreSQL database: what is in the files, and that a server loads them again.

use serde_json::{Value, json};

use crate::support::postgres_server::{PASSWORD, PostgresServer};
use crate::support::sandbox::Sandbox;

/// Names and objects that are easily written or quoted wrong.
pub(crate) const ODD: &str = "
    CREATE SCHEMA \"Other \"\"s\"\"\";
    CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
    CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
    CREATE TABLE parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE);
    INSERT INTO parent (name) VALUES ('Ada'), (E'tab\\t, line\\n, back\\\\slash, \\u0085'), ('\\.'), (NULL), ('');
    CREATE TABLE child (parent bigint NOT NULL REFERENCES parent, at timestamptz, PRIMARY KEY (parent, at));
    INSERT INTO child VALUES (1, '2025-09-13 14:25:30.123456+02'), (1, 'infinity');
    CREATE TABLE \"Other \"\"s\"\"\".\"a.b
; Type: \"\"VIEW\"\"\" (\"select\" mood, \"A (\" positive);
    INSERT INTO \"Other \"\"s\"\"\".\"a.b
; Type: \"\"VIEW\"\"\" VALUES ('it''s ok', 7), (NULL, NULL), (NULL, NULL);
    CREATE TABLE no_columns ();
    INSERT INTO no_columns DEFAULT VALUES;
    CREATE TABLE computed (a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
    INSERT INTO computed VALUES (21);
    CREATE TABLE measured (at date NOT NULL, value real) PARTITION BY RANGE (at);
    CREATE TABLE measured_2024 PARTITION OF measured FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE TABLE measured_2025 PARTITION OF measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    INSERT INTO measured VALUES ('2024-05-05', 1.5), ('2025-05-05', 'NaN');
    CREATE TABLE base (a int); CREATE TABLE derived (b int) INHERITS (base);
    INSERT INTO base VALUES (1); INSERT INTO derived VALUES (2, 3);
    CREATE TABLE aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (a int);
    CREATE SEQUENCE loose START 5; SELECT nextval('loose');
    CREATE SEQUENCE unused;
    CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
-- \\! a backslash; and 'quotes'
NEW.name := coalesce(NEW.name, 'new'); RETURN NEW; END $$;
    CREATE TRIGGER bumping BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION bump();
    CREATE VIEW names AS SELECT name FROM parent GROUP BY id;
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM parent;
    CREATE INDEX child_at ON child (at) WHERE at IS NOT NULL;
    ALTER TABLE computed ENABLE ROW LEVEL SECURITY;
    COMMENT ON TABLE parent IS 'with a ''comment'' and \\ ';";

/// The lines of an export in JSONL.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The rows of a table in an export.
fn rows(lines: &[Value], table: &str) -> Vec<Value> {
    lines.iter().filter(|line| line["table"] == table).map(|line| line["row"].clone()).collect()
}

fn exported(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let all = [&["db-export", "--output", "-"], arguments].concat();
    sandbox.ok(&all).out
}

#[test]
fn sql_of_a_whole_database_gives_an_equal_one() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(ODD);
    let sandbox = database.sandbox();
    let said = sandbox.ok(&["db-export", "--format", "sql", "--output", "all.sql"]);
    assert!(said.out.starts_with("Exported "), "{said:#?}");
    let script = fs_err::read_to_string(sandbox.path("all.sql")).expect("a script");
    let is_command = |line: &str| line.starts_with('\\');
    assert!(!script.lines().any(is_command), "psql has no command to run");
    let copy = server.database("");
    copy.run_script(&script);
    assert_eq!(copy.dump(), database.dump());
}

#[test]
fn jsonl_has_every_value_as_it_is() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(
        "CREATE TABLE v (id int PRIMARY KEY, b boolean, l bigint, n numeric, d double precision, r real, \
           y bytea, j json, jb jsonb, a text[], at timestamptz, u uuid, t text);
         INSERT INTO v VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
         INSERT INTO v VALUES (1, true, 9007199254740993, 1.10, 0.1, '-0', '\\x00ff', '{\"a\": 1,  \"a\": 2}',
           'null', '{a,NULL,\"b c\"}', '2025-09-13 14:25:30+02', '00000000-0000-0000-0000-000000000001', E'\\\\N');
         INSERT INTO v (id, n, d) VALUES (10, 'NaN', 'Infinity');
         INSERT INTO v (id, n) VALUES (9, 123456789012345678901234567890.123456789);",
    );
    let sandbox = database.sandbox();
    let text = exported(&sandbox, &[]);
    let lines = lines(&text);
    assert_eq!(lines[0]["engine"], "postgresql");
    assert_eq!(lines[0]["tables"][0]["columns"][2], json!({ "name": "l", "type": "bigint" }));
    let rows = rows(&lines, "public.v");
    let ids: Vec<&Value> = rows.iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, [1, 2, 9, 10]);
    assert_eq!(
        rows[0],
        json!({
            "id": 1, "b": true, "l": { "integer": "9007199254740993" }, "n": "1.10", "d": 0.1, "r": -0.0,
            "y": { "blob_hex": "00FF" }, "j": "{\"a\": 1,  \"a\": 2}", "jb": "null", "a": "{a,NULL,\"b c\"}",
            "at": "2025-09-13 12:25:30+00", "u": "00000000-0000-0000-0000-000000000001", "t": "\\N"
        })
    );
    assert!(
        rows[1].as_object().expect("a row").values().skip(1).filter(|v| !v.is_null()).count() <= 1
    );
    assert_eq!(rows[2]["n"], "123456789012345678901234567890.123456789");
    assert_eq!((&rows[3]["n"], &rows[3]["d"]), (&json!("NaN"), &json!({ "real": "Infinity" })));
    let footer = lines.last().expect("a footer");
    assert_eq!(footer["rows"], json!({ "public.v": 4 }));
    let before = text.rsplit_once("{\"rows\"").expect("a footer").0;
    assert_eq!(footer["blake3"], blake3::hash(before.as_bytes()).to_hex().as_str());
}

#[test]
fn equal_content_gives_equal_bytes() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(ODD);
    let sandbox = database.sandbox();
    let before = exported(&sandbox, &[]);
    database.sql("UPDATE parent SET name = name WHERE id < 3; UPDATE computed SET a = a");
    database.sql("VACUUM FULL parent");
    assert_eq!(
        exported(&sandbox, &[]),
        before,
        "the order in the files of the server does not matter"
    );
    let order: Vec<Value> = lines(&before).iter().map(|line| line["table"].clone()).collect();
    let place = |table: &str| order.iter().position(|one| one == table).expect("there");
    assert!(place("public.parent") < place("public.child"), "parents come first");
    let all = lines(&before);
    let odd = "\"Other \"\"s\"\"\".\"a.b\n; Type: \"\"VIEW\"\"\"";
    assert_eq!(rows(&all, odd).len(), 3);
    assert_eq!(rows(&all, "public.no_columns"), [json!({})]);
    assert_eq!(rows(&all, "public.computed"), [json!({ "a": 21 })]);
    assert_eq!(rows(&all, "public.base"), [json!({ "a": 1 })], "not those of derived tables");
    assert_eq!(rows(&all, "public.measured_2025")[0]["value"], json!({ "real": "NaN" }));
}

#[test]
fn csv_is_loaded_by_copy() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(ODD);
    let sandbox = database.sandbox();
    let said = sandbox.ok(&["db-export", "--format", "csv", "--output", "rows"]);
    assert!(said.out.contains("→ ./rows"), "{said:#?}");
    assert!(sandbox.path("rows/export.json").is_file());
    let csv = fs_err::read_to_string(sandbox.path("rows/public.parent.csv")).expect("a table");
    let copy = server.database("CREATE TABLE parent (id bigint, name text)");
    copy.run_script(&format!("COPY parent FROM STDIN (FORMAT csv, HEADER);\n{csv}\\.\n"));
    let all =
        "SELECT id, name IS NULL, encode(convert_to(name, 'UTF8'), 'hex') FROM parent ORDER BY id";
    assert_eq!(copy.sql(all), database.sql(all));
}

#[test]
fn a_part_has_the_tables_that_were_named() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(ODD);
    let sandbox = database.sandbox();
    let said = sandbox.ok(&["db-export", "--table", "child", "--output", "child.jsonl"]);
    assert!(said.err.contains("refers to `public.parent`"), "{said:#?}");
    let text = fs_err::read_to_string(sandbox.path("child.jsonl")).expect("an export");
    let all = lines(&text);
    assert_eq!(all[0]["tables"].as_array().map(Vec::len), Some(1), "{text}");
    assert!(!text.contains("CREATE VIEW") && text.contains("child_at"), "{text}");
    let partitions = lines(&exported(&sandbox, &["--table", "measured"]));
    assert_eq!(partitions[0]["tables"].as_array().map(Vec::len), Some(2));
    let without = lines(&exported(&sandbox, &["--without", "public.parent"]));
    assert!(
        rows(&without, "public.parent").is_empty() && !rows(&without, "public.child").is_empty()
    );
    let said = sandbox.fails(2, &["db-export", "--table", "childs"]);
    assert!(said.err.contains("did you mean `child`"), "{said:#?}");
}

#[test]
fn a_backup_is_exported_as_the_database_was() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(ODD);
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    let before = exported(&sandbox, &[]);
    database.sql("DROP TABLE child; DELETE FROM parent");
    let said = sandbox.ok(&["db-export", &name, "--output", "-"]);
    assert_eq!(said.out, before);
    assert!(said.err.contains("scratch database"), "{said:#?}");
    let left = format!(
        "SELECT count(*) FROM pg_database WHERE starts_with(datname, '{}_xtask')",
        database.name
    );
    assert_eq!(database.maintenance_sql(&left), "0");
}

#[test]
fn what_cannot_be_exported_is_refused_with_the_reason() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(
        "CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    );
    let sandbox = database.sandbox();
    for (arguments, words) in [
        (&["--root", "t", "--where", "a = 1"][..], "`--root` follows foreign keys"),
        (&["--share", "shared"], "`--share` writes files"),
        (&["--rowids"], "no rowids"),
    ] {
        let said = sandbox.fails(2, &[&["db-export"], arguments].concat());
        assert!(said.err.contains(words), "{said:#?}");
    }
    sandbox.ok(&["db-export", "--output", "t.jsonl"]);
    let said = sandbox.fails(2, &["db-import", "t.jsonl", "--into", "copy.db"]);
    assert!(said.err.contains("PostgreSQL") && said.err.contains("psql"), "{said:#?}");
    assert!(!sandbox.path("copy.db").exists());
    let role = format!("reader_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; GRANT SELECT ON t TO {role}"
    ));
    let url = database.url().replace("xtask_test:", &format!("{role}:"));
    sandbox.write(".env", format!("MEMORY_DB_URL={url}\n"));
    let said = sandbox.fails(2, &["db-export", "--output", "rows.jsonl"]);
    assert!(said.err.contains("row-level security") && said.err.contains("BYPASSRLS"), "{said:#?}");
    assert!(!sandbox.path("rows.jsonl").exists());
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn the_password_is_in_no_export() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(ODD);
    let sandbox = database.sandbox();
    sandbox.ok(&["db-backup"]);
    for format in ["jsonl", "json", "sql"] {
        let output = format!("all.{format}");
        let said = sandbox.ok(&["db-export", "--json", "--format", format, "--output", &output]);
        let text = fs_err::read_to_string(sandbox.path(&output)).expect("an export");
        assert!(!format!("{said:?}{text}").contains(PASSWORD), "{format}");
        let mode = std::os::unix::fs::MetadataExt::mode(
            &fs_err::metadata(sandbox.path(&output)).expect("there"),
        );
        assert_eq!(mode & 0o777, 0o600);
    }
}

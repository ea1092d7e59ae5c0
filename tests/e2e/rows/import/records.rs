//! `db-import --records`: rows of another tool's JSON, JSONL or CSV, from a file, a pipe or a command.

use std::io::Write as _;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::support::sandbox::{Said, Sandbox, messages, open};

/// The sandbox with tables for another tool's records.
fn host() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE assistants (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, model TEXT,
             temperature REAL, created_at TEXT);
         CREATE TABLE tasks (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,
             summary TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'open', labels TEXT, created_at TEXT,
             assistant INTEGER REFERENCES assistants);
         INSERT INTO assistants (name, model) VALUES ('Ada', 'large');",
    );
    sandbox
}

/// All rows of a query, their columns joined by `|`.
fn rows(sandbox: &Sandbox, query: &str) -> Vec<String> {
    let connection = open(&sandbox.live());
    let mut statement = connection.prepare(query).expect(query);
    let n_columns = statement.column_count();
    let mut rows = statement.query([]).expect(query);
    let mut lines = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        let values = (0..n_columns).map(|at| match row.get(at).expect("a value") {
            rusqlite::types::Value::Null => "NULL".to_owned(),
            rusqlite::types::Value::Integer(integer) => integer.to_string(),
            rusqlite::types::Value::Real(real) => format!("{real:?}"),
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Blob(bytes) => format!("{bytes:?}"),
        });
        lines.push(values.collect::<Vec<_>>().join("|"));
    }
    lines
}

/// Runs the xtask with something piped in.
fn piped(sandbox: &Sandbox, input: &[u8], arguments: &[&str]) -> Said {
    let mut command = sandbox.xtask(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    // Who refuses early does not read to the end.
    let _ = pipe.write_all(input);
    drop(pipe);
    sandbox.said(&child.wait_with_output().expect("it ends"))
}

const ASSISTANTS: &str = r#"{
  "metadata": {"version": 1, "exported_at": "2025-09-01T10:00:00Z"},
  "assistants": [
    {"name": "Anna", "model": "small", "temperature": 0.7, "created_at": "2025-08-01T09:00:00+02:00"},
    {"name": "Ben", "model": null, "temperature": 1}
  ]
}
"#;

const ISSUES: &str = r#"{"id": "K-1", "title": "Crash on start", "status": "open", "labels": ["bug", "ui"], "created_at": "2025-09-01T10:00:00Z", "assignee": {"name": "Ada"}}
{"id": "K-2", "title": "Dark mode", "status": "closed", "labels": [], "created_at": "2025-09-02T11:30:00Z"}
"#;

#[test]
fn an_array_in_a_document_becomes_rows() {
    // As the README has it.
    let sandbox = host();
    sandbox.write("assistants.json", ASSISTANTS);
    let import =
        ["db-import", "assistants.json", "--records", "/assistants", "--table", "assistants"];
    let said = sandbox.ok(&import);
    assert_eq!(said.err, "");
    assert_eq!(
        rows(&sandbox, "SELECT * FROM assistants ORDER BY id"),
        [
            "1|Ada|large|NULL|NULL",
            "2|Anna|small|0.7|2025-08-01T09:00:00+02:00",
            "3|Ben|NULL|1.0|NULL"
        ]
    );
    assert_eq!(sandbox.records("safety").len(), 1);
    let again = sandbox.json(&import);
    assert_eq!(again["inserted"], 0, "{again:#}");
    assert_eq!(sandbox.records("safety").len(), 1, "nothing was changed, and nothing kept");
}

#[test]
fn lines_of_an_issue_tracker_become_rows() {
    // As the README has it.
    let sandbox = host();
    sandbox.write("issues.jsonl", ISSUES);
    let import = [
        "db-import",
        "issues.jsonl",
        "--records",
        "",
        "--table",
        "tasks",
        "--map",
        "key=id",
        "--map",
        "summary=title",
        "--map",
        "state=status",
        "--map",
        "labels=labels",
        "--map",
        "created_at=created_at",
        "--set",
        "assistant=1",
    ];
    let dry = sandbox.ok(&[&import[..], &["--dry-run"]].concat());
    assert!(dry.out.contains("2 rows inserted"), "{dry:#?}");
    assert!(rows(&sandbox, "SELECT * FROM tasks").is_empty());
    let said = sandbox.ok(&import);
    assert_eq!(said.err, "`issues.jsonl`: not imported: `assignee` (1)\n");
    assert_eq!(
        rows(&sandbox, "SELECT * FROM tasks ORDER BY id"),
        [
            r#"1|K-1|Crash on start|open|["bug","ui"]|2025-09-01T10:00:00Z|1"#,
            "2|K-2|Dark mode|closed|[]|2025-09-02T11:30:00Z|1"
        ]
    );
    assert_eq!(sandbox.json(&import)["inserted"], 0);
    sandbox.write("issues.jsonl", ISSUES.replace("\"open\"", "\"closed\""));
    let said = sandbox.fails(1, &import);
    assert!(said.err.contains("--on-conflict replace"), "{said:#?}");
    sandbox.ok(&[&import[..], &["--on-conflict", "replace"]].concat());
    assert_eq!(rows(&sandbox, "SELECT state FROM tasks ORDER BY id"), ["closed", "closed"]);
}

#[test]
fn csv_is_read_from_a_pipe() {
    let sandbox = host();
    let csv =
        "\u{feff}name;model;temperature\r\n\"Müller; \"\"M\"\"\r\nBerta\";;\"0.5\"\r\nKim;x;\r\n";
    let import = ["db-import", "-", "--records", "", "--table", "assistants"];
    let said = piped(&sandbox, csv.as_bytes(), &import);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(
        rows(&sandbox, "SELECT name, model, temperature FROM assistants WHERE id > 1 ORDER BY id"),
        ["Müller; \"M\"\r\nBerta|NULL|0.5", "Kim|x|NULL"]
    );
}

#[test]
fn references_are_those_of_the_database() {
    let sandbox = host();
    sandbox.sql("INSERT INTO assistants (id, name) VALUES (40, 'Zoe')");
    let json = r#"[{"key": "a", "summary": "s", "by": {"id": 40}}]"#;
    let import = [
        "db-import",
        "-",
        "--records",
        "",
        "--table",
        "tasks",
        "--map",
        "key=key",
        "--map",
        "summary=/summary",
        "--map",
        "assistant=/by/id",
    ];
    assert_eq!(piped(&sandbox, json.as_bytes(), &import).code, Some(0));
    assert_eq!(rows(&sandbox, "SELECT key, assistant FROM tasks"), ["a|40"]);
    let said =
        piped(&sandbox, json.replace("40", "41").replace("\"a\"", "\"b\"").as_bytes(), &import);
    assert_ne!(said.code, Some(0), "{said:#?}");
    assert_eq!(rows(&sandbox, "SELECT key, assistant FROM tasks"), ["a|40"]);
}

#[test]
fn what_a_command_prints_is_read() {
    let sandbox = host();
    fs_err::create_dir(sandbox.path("below")).expect("folder");
    let script = "pwd >&2; printf '[{\"name\": \"Kim\"}'; printf ']'";
    let import = ["db-import", "--records", "", "--table", "assistants", "--", "sh", "-c", script];
    let mut command = sandbox.xtask(&import);
    let said = sandbox.said(&command.current_dir(sandbox.path("below")).output().expect("it runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.err.starts_with("$ROOT\n"), "it runs in the root: {said:#?}");
    assert_eq!(rows(&sandbox, "SELECT name FROM assistants ORDER BY id"), ["Ada", "Kim"]);
}

#[test]
fn a_command_that_fails_after_all_its_rows_has_printed_nothing() {
    let sandbox = host();
    let import = |script: &str| {
        let flags =
            ["db-import", "--records", "", "--table", "assistants", "--", "sh", "-c", script];
        sandbox.fails(2, &flags)
    };
    let said = import("echo '{\"name\": \"Kim\"}'; exit 3");
    assert_snapshot!(said.err, @"
    error: could not import what `sh` printed
      caused by: `sh` ended with exit status: 3
    hint: nothing was imported, and the database is untouched
    ");
    // Cut short because it failed: that is the cause.
    let said = import("printf '[{\"name\": '; kill -9 $$");
    assert!(said.err.contains("caused by: `sh` ended with signal: 9"), "{said:#?}");
    let said = import("true");
    assert_snapshot!(said.err, @"
    error: what `sh` printed: there is nothing in it
    hint: an empty list is written `[]`
    ");
    // It would never end by itself.
    let said = import("echo '{\"name\" 1}'; exec yes");
    assert!(said.err.contains("caused by: line 1, column 9: expected `:`"), "{said:#?}");
    assert_eq!(rows(&sandbox, "SELECT name FROM assistants"), ["Ada"]);
    assert!(sandbox.backups().is_empty());
    let said = sandbox.fails(
        2,
        &["db-import", "--records", "", "--table", "assistants", "--", "no-such-tool", "secret"],
    );
    assert!(said.err.contains("could not start `no-such-tool`"), "{said:#?}");
    assert!(!said.err.contains("secret"), "{said:#?}");
}

#[test]
fn an_empty_array_changes_nothing_and_says_so() {
    let sandbox = host();
    let import = ["db-import", "-", "--records", "/assistants", "--table", "assistants"];
    let said = piped(&sandbox, b"{\"metadata\": {}, \"assistants\": []}", &import);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_snapshot!(said.out, @"Nothing to import into ./backend/db/kalito.db: standard input \
                                 contains an empty array at `/assistants`; the rows of `assistants` \
                                 stay as they are");
    let json = piped(&sandbox, b"{\"assistants\": []}", &[&import[..], &["--json"]].concat());
    let document: serde_json::Value = serde_json::from_str(&json.out).expect("one document");
    assert_eq!((&document["version"], &document["inserted"]), (&1.into(), &0.into()));
    assert_eq!(rows(&sandbox, "SELECT name FROM assistants"), ["Ada"]);
    assert!(sandbox.backups().is_empty());
}

#[test]
fn a_pointer_that_leads_nowhere_says_what_is_there() {
    let sandbox = host();
    sandbox.write("a.json", ASSISTANTS);
    let mut all = String::new();
    for pointer in ["/assistents", "/metadata/version", "/assistants/0/name", "", "/metadata", "x"]
    {
        let import = ["db-import", "a.json", "--records", pointer, "--table", "assistants"];
        all += &sandbox.fails(2, &import).err;
    }
    assert_snapshot!(all, @"
    error: `a.json`: there is nothing at `/assistents`: the document is an object of `metadata`, `assistants`
    hint: there are arrays at `/assistants` (2)
    error: `a.json`: `/metadata/version` is a number, not an array or an object
    hint: there are arrays at `/assistants` (2)
    error: `a.json`: `/assistants/0/name` is a text, not an array or an object
    hint: there is no array in it; `''` selects the document itself
    error: `a.json`: record 1 (line 1) has no `name`, and the column `name` must have a value; its fields are `metadata`, `assistants`
    hint: there are arrays at `/assistants` (2)
    error: could not read the records of `a.json`
      caused by: record 1 (line 2) has no `name`, and the column `name` must have a value; its fields are `version`, `exported_at`
    hint: nothing was imported, and the database is untouched
    error: `x` is not a JSON pointer: a pointer begins with `/`, or is `''` for the whole document
    hint: write it like `--records /assistants`; `cargo xtask db-import --help` explains it
    ");
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_imported() {
    let sandbox = host();
    let import = ["db-import", "-", "--records", "", "--table", "assistants"];
    for (input, cause) in [
        (
            &b"[{\"name\": \"K\"},\n {\"name\": \"L\", \"temperature\": \"warm\"}]"[..],
            "record 2 (line 2): `temperature` is `warm`, and the column `temperature` accepts only \
             numbers",
        ),
        (
            b"[{\"name\": \"K\"},\n {\"name\": ",
            "it was cut short: what begins in line 1 ends in line 2",
        ),
        (b"name,model\nK,x\nL\n", "line 3 has 1 fields, and the first line names 2"),
        (b"name,model\nK,\"x\n", "it was cut short: the quotes that open in line 2 never close"),
        (b"name,model\nK,\xff\n", "line 2: the text is not UTF-8"),
        (
            b"[{\"id\": 99999999999999999999, \"name\": \"K\"}]",
            "record 1 (line 1): `id` is `99999999999999999999`, and the column `id` accepts only \
             64-bit integers",
        ),
    ] {
        let said = piped(&sandbox, input, &import);
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.contains(&format!("caused by: {cause}\n")), "{cause}: {said:#?}");
        assert!(said.err.ends_with("the database is untouched\n"), "{said:#?}");
    }
    assert_eq!(rows(&sandbox, "SELECT name FROM assistants"), ["Ada"]);
    assert!(sandbox.backups().is_empty());
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    let sandbox = host();
    sandbox.write("a.json", ASSISTANTS);
    let mut all = String::new();
    for flags in [
        &["--table", "asistants"][..],
        &["--table", "assistants", "--map", "nam=name"],
        &["--table", "tasks", "--map", "key=name"],
        &["--table", "assistants", "--set", "temperature=warm"],
    ] {
        let import = [&["db-import", "a.json", "--records", "/assistants"], flags].concat();
        all += &sandbox.fails(2, &import).err;
    }
    assert_snapshot!(all, @"
    error: `backend/db/kalito.db` has no table `asistants`: did you mean `assistants`?
    hint: its tables are `assistants`, `messages`, `tasks`
    error: `assistants` has no column `nam`: did you mean `name`?
    hint: its columns are `id`, `name`, `model`, `temperature`, `created_at`
    error: the column `summary` needs a value, and none is mapped to it
    hint: pass `--map summary=FIELD`, or `--set summary=VALUE` for one that all rows have
    error: `--set temperature=warm`: the column `temperature` accepts only numbers
    hint: leave it out to use its default
    ");
}

#[test]
fn fields_without_a_column_are_counted_and_strict_refuses_them() {
    let sandbox = host();
    let json = b"{\"name\": \"K\", \"tags\": []}\n{\"name\": \"L\", \"tags\": 1, \"Model\": 2}\n";
    let import = ["db-import", "-", "--records", "", "--table", "assistants"];
    let said = piped(&sandbox, json, &[&import[..], &["--strict"]].concat());
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert_snapshot!(said.err, @"
    error: standard input: 2 fields left out that `assistants` has no column for: `Model` (1), `tags` (2)
    hint: without `--strict` this is a warning; nothing was imported, and the database is untouched
    ");
    let said = piped(&sandbox, json, &import);
    assert_snapshot!(said.err, @"warning: standard input: 2 fields left out that `assistants` has \
                                 no column for: `Model` (1), `tags` (2)");
    assert_eq!(rows(&sandbox, "SELECT name FROM assistants ORDER BY id"), ["Ada", "K", "L"]);
}

#[test]
fn mapped_numbers_are_given_anew_like_those_of_any_file() {
    let sandbox = Sandbox::new();
    let import = ["db-import", "-", "--records", "", "--table", "messages"];
    let said = piped(&sandbox, b"id,content\n1,four\n2,two\n", &import);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three", "four"]);
}

#[test]
fn an_export_and_a_database_are_told_apart_from_records() {
    let sandbox = host();
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    let mut all = String::new();
    for file in ["e.jsonl", "backend/db/kalito.db", "backend", "missing.json"] {
        let import = ["db-import", file, "--records", "", "--table", "messages"];
        all += &sandbox.fails(2, &import).err;
    }
    assert!(all.contains("`e.jsonl`: it is an export of this tool"), "{all}");
    assert!(all.contains("hint: merge it with `cargo xtask db-import --merge FILE`"), "{all}");
    assert!(all.contains("`backend/db/kalito.db`: it is a database"), "{all}");
    assert!(all.contains("Is a directory"), "{all}");
    assert!(all.contains("error: could not read `missing.json`"), "{all}");
    let said = sandbox.fails(2, &["db-import", "--records", "", "--table", "messages"]);
    assert!(said.err.contains("there is nothing to read records from"), "{said:#?}");
    let both = ["db-import", "a", "--records", "", "--table", "messages", "--", "true"];
    assert!(sandbox.fails(2, &both).err.contains("from one place at a time"));
}

#[test]
fn nothing_is_left_beside_the_backups() {
    let sandbox = host();
    let import = ["db-import", "-", "--records", "", "--table", "assistants"];
    assert_eq!(piped(&sandbox, b"[{\"name\": \"K\"}]", &import).code, Some(0));
    assert_eq!(piped(&sandbox, b"[{\"name\": 1", &import).code, Some(2));
    let entries = fs_err::read_dir(sandbox.path("backups")).expect("folder");
    let names =
        entries.map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8"));
    let stages: Vec<String> = names.filter(|name| name.contains(".stage-")).collect();
    assert!(stages.is_empty(), "{stages:?}");
}

#[test]
fn records_that_bear_numbers_refer_to_each_other_by_them() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE steps (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL,
             parent INTEGER REFERENCES steps);
         INSERT INTO steps VALUES (1, 'here', NULL), (9, 'nine', NULL);",
    );
    sandbox.write(
        "steps.json",
        r#"[{"id": 1, "key": "a"}, {"id": 2, "key": "b", "parent": 1}, {"id": 3, "key": "c", "parent": 9}]"#,
    );
    sandbox.ok(&["db-import", "steps.json", "--records", "", "--table", "steps"]);
    assert_eq!(
        rows(
            &sandbox,
            "SELECT s.key, (SELECT p.key FROM steps AS p WHERE p.id = s.parent) FROM steps AS s
             WHERE id <> 9 ORDER BY s.key"
        ),
        ["a|NULL", "b|a", "c|nine", "here|NULL"]
    );
    sandbox.write("lost.json", r#"[{"id": 1, "key": "d"}, {"id": 2, "key": "e", "parent": 77}]"#);
    sandbox.fails(1, &["db-import", "lost.json", "--records", "", "--table", "steps"]);
}

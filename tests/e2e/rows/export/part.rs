//! `db-export --root --where`: a part of the database that stands by itself.

use serde_json::{Value, json};

use crate::support::sandbox::{Sandbox, open};

/// The sample host's own schema.
const MIGRATIONS: [&str; 5] = [
    include_str!("../../../../backend/db/migrations/0001_initial.sql"),
    include_str!("../../../../backend/db/migrations/0002_memory.sql"),
    include_str!("../../../../backend/db/migrations/0003_memory_search.sql"),
    include_str!("../../../../backend/db/migrations/0004_memory_summaries.sql"),
    include_str!("../../../../backend/db/migrations/0005_session_archive.sql"),
];

const TALKS: &str = "
    INSERT INTO personas (id, name, system_prompt) VALUES (1, 'Ada', 'x'), (2, 'Bob', 'y'),
        (3, 'Eve', 'z');
    INSERT INTO sessions (id, title, persona_id) VALUES
        (1, 'one', 1), (2, 'two', 1), (3, 'of Bob', 2), (4, 'of nobody', NULL);
    INSERT INTO messages (session_id, role, content)
        SELECT id, 'user', 'in ' || title FROM sessions;
    INSERT INTO memory_entries (id, session_id, kind, topic, content) VALUES
        (1, 1, 'fact', 'a', 'b'), (2, 3, 'fact', 'of Bob', 'pinned by Ada'), (3, 3, 'fact', 'c', 'd');
    INSERT INTO memory_pins (persona_id, memory_entry_id) VALUES (1, 2);
    INSERT INTO memory_summaries (session_id, summary, message_count, covered_until)
        VALUES (2, 's', 1, '2025');
    INSERT INTO settings (key, value) VALUES ('theme', '1');";

fn with_talks() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.sql("DROP TABLE messages");
    for migration in MIGRATIONS {
        sandbox.sql(migration);
    }
    sandbox.sql(TALKS);
    sandbox
}

/// The rows of one table in an export.
fn rows(sandbox: &Sandbox, file: &str, table: &str) -> Vec<Value> {
    let text = fs_err::read_to_string(sandbox.path(file)).expect("an export");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["table"] == table).map(|mut line| line["row"].take()).collect()
}

fn ids(sandbox: &Sandbox, file: &str, table: &str) -> Vec<i64> {
    let rows = rows(sandbox, file, table);
    rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

#[test]
fn a_persona_is_exported_with_all_that_hangs_on_it_and_what_that_needs() {
    let sandbox = with_talks();
    let before = fs_err::read(sandbox.live()).expect("bytes");
    let part = ["db-export", "--root", "personas", "--where", "name = 'Ada'"];
    let said = sandbox.ok(&[&part[..], &["--output", "ada.jsonl"]].concat());
    insta::assert_snapshot!(said.out, @"
    Exported ./backend/db/kalito.db → ./ada.jsonl: 11 rows of 6 tables, 7.4 KB
      personas          2 of 3
      sessions          3 of 4
      memory_entries    2 of 3
      memory_pins       1 of 1
      memory_summaries  1 of 1
      messages          2 of 4
      settings          0 of 1
    ");
    assert_eq!(said.err, "");
    assert_eq!(fs_err::read(sandbox.live()).expect("bytes"), before, "the database was written");
    // Bob and his talk are needed, because Ada pinned what was remembered of it; but what else hangs
    // on them is not.
    assert_eq!(ids(&sandbox, "ada.jsonl", "personas"), [1, 2]);
    assert_eq!(ids(&sandbox, "ada.jsonl", "sessions"), [1, 2, 3]);
    assert_eq!(ids(&sandbox, "ada.jsonl", "messages"), [1, 2]);
    assert_eq!(ids(&sandbox, "ada.jsonl", "memory_entries"), [1, 2]);

    sandbox.backup();
    let backup = ["db-export", "latest", "--root", "PERSONAS", "--where", "name = 'ada'"];
    sandbox.ok(&[&backup[..], &["--output", "backup.jsonl"]].concat());
    let bytes = |file: &str| fs_err::read(sandbox.path(file)).expect("an export");
    assert_eq!(bytes("backup.jsonl"), bytes("ada.jsonl"));

    let document = sandbox.json(&[&part[..], &["--output", "ada.jsonl"]].concat());
    assert_eq!(document["tables"]["messages"], 2);
    assert_eq!(document["of"]["messages"], 4);
}

#[test]
fn what_the_shell_makes_of_a_part_has_every_reference_satisfied() {
    let sandbox = with_talks();
    let part = ["db-export", "--root", "personas", "--where", "name = 'Ada'"];
    sandbox.ok(&[&part[..], &["--format", "sql", "--output", "ada.sql"]].concat());
    let part = open(&sandbox.path("ada.db"));
    part.execute_batch(&fs_err::read_to_string(sandbox.path("ada.sql")).expect("statements"))
        .expect("imported");
    let question = "SELECT count(*) FROM pragma_foreign_key_check";
    let violations: i64 = part.query_row(question, [], |row| row.get(0)).expect("checked");
    assert_eq!(violations, 0);
    let question = "SELECT count(*) FROM memory_search WHERE memory_search MATCH 'pinned'";
    let found: i64 = part.query_row(question, [], |row| row.get(0)).expect("an index");
    assert_eq!(found, 1);
}

#[test]
fn chains_cycles_and_composite_keys_are_followed() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE folders (id INTEGER PRIMARY KEY, parent REFERENCES folders (id));
         INSERT INTO folders VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (9, NULL), (10, 9);
         CREATE TABLE hens (id TEXT PRIMARY KEY, egg REFERENCES eggs (id)) WITHOUT ROWID;
         CREATE TABLE eggs (id TEXT PRIMARY KEY, hen REFERENCES hens (id), folder REFERENCES folders);
         INSERT INTO hens VALUES ('h1', 'e2'), ('h2', 'e1'), ('h3', 'e3');
         INSERT INTO eggs VALUES ('e1', 'h1', 10), ('e2', 'h2', NULL), ('e3', 'h3', NULL);
         CREATE TABLE seats (row, number, PRIMARY KEY (number DESC, row)) WITHOUT ROWID;
         CREATE TABLE guests (id INTEGER PRIMARY KEY, row, number,
             FOREIGN KEY (row, number) REFERENCES seats (row, number));
         INSERT INTO seats VALUES ('a', 1), ('a', 2), ('b', 1);
         INSERT INTO guests VALUES (1, 'a', 1), (2, 'a', 2), (3, 'a', NULL), (4, 'b', 1);",
    );
    let part = |root: &str, condition: &str| {
        let part = ["db-export", "--root", root, "--where", condition, "--output", "e.jsonl"];
        let said = sandbox.ok(&part);
        assert_eq!(said.err, "", "{said:#?}");
    };
    part("folders", "id = 2");
    assert_eq!(ids(&sandbox, "e.jsonl", "folders"), [1, 2, 3, 4]);
    part("hens", "id = 'h1'");
    let keys = |table: &str| -> Vec<Value> {
        rows(&sandbox, "e.jsonl", table).into_iter().map(|mut row| row["id"].take()).collect()
    };
    assert_eq!(keys("hens"), ["h1", "h2"]);
    assert_eq!(keys("eggs"), ["e1", "e2"]);
    assert_eq!(ids(&sandbox, "e.jsonl", "folders"), [9, 10]);
    part("seats", "row = 'a' AND number < 2");
    assert_eq!(ids(&sandbox, "e.jsonl", "guests"), [1]);
    part("guests", "id = 4");
    assert_eq!(rows(&sandbox, "e.jsonl", "seats"), [json!({ "row": "b", "number": 1 })]);
}

#[test]
fn what_leads_nowhere_is_said() {
    let sandbox = with_talks();
    sandbox.configure("groups = { memory = [\"memory_entries\"] }");
    sandbox.sql(
        "PRAGMA foreign_keys = OFF;
         UPDATE sessions SET persona_id = 77 WHERE id = 4;
         CREATE VIRTUAL TABLE places USING rtree (id, x0, x1);
         INSERT INTO places VALUES (1, 0, 1), (2, 0, 1);",
    );
    let part =
        ["db-export", "--root", "sessions", "--where", "id IN (3, 4)", "--output", "e.jsonl"];
    let said = sandbox.ok(&part);
    insta::assert_snapshot!(said.err, @"
    warning: 1 row of `sessions` refers to rows of `personas` that do not exist
    warning: `places` is connected by no foreign keys: its 2 rows are left out
    ");
    assert!(said.out.ends_with("Left out: the rows of places\n"), "{said:#?}");
    // Bob's memories would bring Ada by her pin.
    assert_eq!(ids(&sandbox, "e.jsonl", "personas"), [1, 2]);
    let said = sandbox.ok(&[&part[..], &["--without", "memory"]].concat());
    assert!(
        said.err.contains("1 row of `memory_pins`") || ids(&sandbox, "e.jsonl", "personas") == [2]
    );
    assert_eq!(ids(&sandbox, "e.jsonl", "personas"), [2]);
    let said = sandbox.fails(
        2,
        &["db-export", "--root", "memory_entries", "--where", "1", "--without", "memory"],
    );
    assert!(said.err.contains("`--root` asks for rows of `memory_entries`"), "{said:#?}");
}

#[test]
fn rows_that_refer_to_what_is_left_out_are_counted() {
    let sandbox = with_talks();
    let part = ["db-export", "--root", "memory_pins", "--where", "1", "--output", "e.jsonl"];
    let said = sandbox.ok(&[&part[..], &["--without", "memory_entries"]].concat());
    insta::assert_snapshot!(said.err, @"warning: 1 row of `memory_pins` refers to rows of `memory_entries`, which are left out");
}

#[test]
fn nothing_is_exported_where_nothing_is_chosen() {
    let sandbox = with_talks();
    let part = |root: &'static str, condition: &'static str| {
        ["db-export", "--root", root, "--where", condition, "--output", "e.jsonl"]
    };
    let said = sandbox.fails(1, &part("personas", "name = 'Zoe'"));
    insta::assert_snapshot!(said.err, @"
    error: could not export `backend/db/kalito.db`
      caused by: no row of `personas` matches `name = 'Zoe'`
    hint: nothing was exported; correct the condition of `--where`
    ");
    let said = sandbox.fails(2, &part("persona", "1"));
    insta::assert_snapshot!(said.err, @"
    error: could not export `backend/db/kalito.db`
      caused by: there is no table `persona`
    hint: did you mean `personas`? there are `memory_entries`, `memory_pins`, `memory_search`, `memory_summaries`, `messages`, `personas`, `sessions`, `settings`
    ");
    let said = sandbox.fails(2, &part("personas", "nme = 'Ada'"));
    insta::assert_snapshot!(said.err, @"
    error: could not export `backend/db/kalito.db`
      caused by: `nme = 'Ada'` is not a condition: no such column: nme
    hint: the columns of `personas` are `id`, `name`, `system_prompt`, `temperature`, `created_at`
    ");
    let said = sandbox.fails(2, &part("personas", "1; DROP TABLE messages"));
    insta::assert_snapshot!(said.err, @"
    error: could not export `backend/db/kalito.db`
      caused by: `1; DROP TABLE messages` is not one expression
    hint: `--where` takes a condition in SQL, e.g. `name = 'Ada'`
    ");
    let said = sandbox.fails(2, &part("memory_search", "1"));
    assert!(said.err.contains("it is a virtual table"), "{said:#?}");
    let said = sandbox.fails(2, &["db-export", "--root", "personas"]);
    assert!(said.err.contains("--where <EXPR>"), "{said:#?}");
    assert!(!sandbox.path("e.jsonl").exists());
}

#[test]
fn declared_references_are_followed_like_foreign_keys() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE post (id INTEGER PRIMARY KEY, author INTEGER);
         CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE photo (id INTEGER PRIMARY KEY);
         CREATE TABLE note (id INTEGER PRIMARY KEY, on_type TEXT, on_id INTEGER);
         CREATE INDEX on_what ON note (on_type, on_id);
         INSERT INTO author VALUES (1, 'ada'), (2, 'bob'), (3, 'cy');
         INSERT INTO photo VALUES (1), (2);
         INSERT INTO post VALUES (1, 2), (2, 3), (3, 0);
         INSERT INTO note VALUES (1, 'post', 1), (2, 'photo', 1), (3, 'post', 2), (4, NULL, 1), (5, 'post', 3);",
    );
    let root = |condition: &'static str, file: &'static str| {
        ["db-export", "--root", "post", "--where", condition, "--output", file]
    };
    sandbox.ok(&root("id = 1", "alone.jsonl"));
    assert_eq!(ids(&sandbox, "alone.jsonl", "note"), Vec::<i64>::new());
    let backup = sandbox.backup();
    sandbox.configure(
        r#"references = { post = { author = "author" }, note = { on_id = { by = "on_type", post = "post", photo = "photo" } } }"#,
    );
    let said = sandbox.ok(&root("id IN (1, 3)", "part.jsonl"));
    assert_eq!(ids(&sandbox, "part.jsonl", "note"), [1, 5]);
    assert_eq!(ids(&sandbox, "part.jsonl", "author"), [2]);
    assert_eq!(ids(&sandbox, "part.jsonl", "photo"), Vec::<i64>::new());
    // 0 stands for none.
    assert!(!said.err.contains("refer"), "{said:#?}");
    // An older state is exported with the references that it has.
    sandbox.sql("CREATE TABLE later (id INTEGER PRIMARY KEY, photo_id)");
    let manifest = sandbox.path("Cargo.toml");
    let text = fs_err::read_to_string(&manifest).expect("a manifest");
    let more = text.replace("references = {", "references = { later = { photo_id = \"photo\" },");
    fs_err::write(&manifest, &more).expect("written");
    sandbox.ok(&[&["db-export", &backup], &root("id = 1", "old.jsonl")[1..]].concat());
    assert_eq!(ids(&sandbox, "old.jsonl", "note"), [1]);
    fs_err::write(&manifest, more.replace("later = {", "latr = {")).expect("written");
    let said = sandbox.fails(2, &root("id = 1", "wrong.jsonl"));
    assert!(
        said.err.contains("the table `latr`, which does not exist here: did you mean `later`?"),
        "{said:#?}"
    );
}

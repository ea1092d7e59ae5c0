//! `db-import --merge`: rows of other machines' files in the live database.

pub(crate) mod beside_applications;
pub(crate) mod end_state;
pub(crate) mod schema_change;
pub(crate) mod undeclared_references;

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::support::sandbox::{Said, Sandbox, open};

/// The sample host's schema.
pub(crate) fn host_schema() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backend/db/migrations");
    let mut files: Vec<_> = fs_err::read_dir(folder)
        .expect("migrations")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files.iter().map(|file| fs_err::read_to_string(file).expect("a migration")).collect()
}

/// A machine with a schema and rows of its own.
pub(crate) fn machine(schema: &str, rows: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.sql("DROP TABLE messages; PRAGMA user_version=0;");
    sandbox.sql(schema);
    sandbox.sql(rows);
    sandbox
}

/// Writes a machine's export into a folder of another one's.
pub(crate) fn share(from: &Sandbox, to: &Sandbox, file: &str) {
    from.ok(&["db-export", "--output", "export.jsonl"]);
    to.write(file, fs_err::read(from.path("export.jsonl")).expect("an export"));
}

/// The values of a question's only column.
pub(crate) fn texts(sandbox: &Sandbox, question: &str) -> Vec<String> {
    let connection = open(&sandbox.live());
    let mut statement = connection.prepare(question).expect(question);
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("texts")
}

const CHATS: &str = "
    CREATE TABLE chats (id INTEGER PRIMARY KEY, title TEXT NOT NULL, at TEXT NOT NULL);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, chat INTEGER NOT NULL REFERENCES chats (id), text TEXT);";

const MINE: &str =
    "INSERT INTO chats VALUES (1, 'mine', 't1'); INSERT INTO notes VALUES (1, 1, 'my note');";
const YOURS: &str = "INSERT INTO chats VALUES (1, 'yours', 't2');
                     INSERT INTO notes VALUES (1, 1, 'your note'), (2, 1, 'another');";

const JOINED: &str =
    "SELECT title || ': ' || text FROM notes JOIN chats ON chats.id = chat ORDER BY notes.id";

fn two() -> Sandbox {
    let (here, there) = (machine(CHATS, MINE), machine(CHATS, YOURS));
    share(&there, &here, "yours.jsonl");
    here
}

#[test]
fn a_colleague_s_rows_come_with_their_own_references_after_a_safety_backup() {
    let here = two();
    let said = here.ok(&["db-import", "--merge", "yours.jsonl"]);
    insta::assert_snapshot!(said.out, @"
    [✓] Safety backup created → ./backups/kalito.db.SAFETY.2025-09-13_142530.bak
    yours.jsonl:
      chats: 1 inserted, 1 renumbered, 0 unchanged
        inserted: id 1
        renumbered: id 1 is 2 here
      notes: 2 inserted, 2 renumbered, 0 unchanged
        inserted: id 1; id 2
        renumbered: id 1 is 2 here; id 2 is 3 here
    [✓] Merged → ./backend/db/kalito.db: 3 rows inserted, 0 replaced
    Rows that were deleted elsewhere stay here: deletions are not merged.
    Undo with: cargo xtask db-restore kalito.db.SAFETY.2025-09-13_142530.bak
    ");
    assert_eq!(texts(&here, JOINED), ["mine: my note", "yours: your note", "yours: another"]);
    here.ok(&["db-restore", "safety", "--yes"]);
    assert_eq!(texts(&here, JOINED), ["mine: my note"]);
}

#[test]
fn the_same_file_again_changes_nothing_and_leaves_no_backup() {
    let here = two();
    here.ok(&["db-import", "--merge", "yours.jsonl"]);
    let (content, backups) = (here.content(), here.backups());
    let said = here.ok(&["db-import", "--merge", "yours.jsonl"]);
    insta::assert_snapshot!(said.out, @"
    yours.jsonl:
      chats: 1 unchanged
      notes: 2 unchanged
    Nothing new for ./backend/db/kalito.db: every row is here already
    Rows that were deleted elsewhere stay here: deletions are not merged.
    ");
    assert_eq!((here.content(), here.backups()), (content, backups));
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let here = two();
    let content = here.content();
    let said = here.ok(&["db-import", "--merge", "yours.jsonl", "--dry-run"]);
    assert!(
        said.out.contains("Would merge → ./backend/db/kalito.db: 3 rows inserted"),
        "{said:#?}"
    );
    assert_eq!(here.content(), content);
    assert!(here.backups().is_empty());
    let document = here.json(&["db-import", "--merge", "yours.jsonl", "--dry-run"]);
    assert_eq!((&document["dry_run"], &document["inserted"]), (&true.into(), &3.into()));
    assert_eq!(document["files"][0]["tables"][1]["inserted"]["named"][0]["row"], "id 1");
}

#[test]
fn a_folder_of_machines_merges_in_any_order_to_the_same_content() {
    let third = "INSERT INTO chats VALUES (1, 'theirs', 't3'), (2, 'mine', 't1'); INSERT INTO notes VALUES (1, 2, 'a third'), (2, 2, 'my note');";
    let rows = [MINE, YOURS, third];
    let mut results = Vec::new();
    for at in 0..rows.len() {
        let here = machine(CHATS, rows[at]);
        for (number, others) in rows.iter().enumerate().filter(|(number, _)| *number != at) {
            share(&machine(CHATS, others), &here, &format!("shared/{number}.jsonl"));
        }
        // What is beside them is not an export.
        here.write("shared/README.md", "# ours");
        here.write("shared/.hidden.jsonl", "no export");
        here.ok(&["db-import", "--merge", "shared"]);
        let mut all = texts(&here, JOINED);
        all.extend(texts(&here, "SELECT title FROM chats"));
        all.sort();
        results.push(all);
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
    assert_eq!(results[0].len(), 7, "{results:?}");
}

#[test]
fn an_edit_elsewhere_is_a_conflict_until_it_is_said_what_becomes_of_it() {
    let schema =
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE, mood TEXT, at TEXT);";
    let here = machine(schema, "INSERT INTO people VALUES (1, 'Anna', 'sad', '1');");
    let there = machine(
        schema,
        "INSERT INTO people VALUES (4, 'Anna', 'glad', '2'), (5, 'Ben', 'calm', '1');",
    );
    share(&there, &here, "yours.jsonl");
    let said = here.fails(1, &["db-import", "--merge", "yours.jsonl"]);
    insta::assert_snapshot!(said.err, @"
    yours.jsonl: 1 row of `people` cannot be merged
      name 'Anna': mood 'sad' here, 'glad' in the file; at '1' here, '2' in the file
    error: could not merge `yours.jsonl`: 1 row of `people` cannot be merged
    hint: choose what happens to them with `--on-conflict skip` or `--on-conflict replace`; the database is untouched
    ");
    assert!(here.backups().is_empty(), "nothing changed, and nothing is kept");
    let document = here.json(&["db-import", "--merge", "yours.jsonl"]);
    assert_eq!(document["problems"][0]["rows"]["named"][0]["row"], "name 'Anna'");
    assert_eq!(document["error"]["exit_code"], 1);
    assert_eq!((&document["merged"], &document["dry_run"]), (&false.into(), &false.into()));
    let refused = here.run(&["db-import", "--merge", "yours.jsonl", "--json"]);
    assert_eq!(refused.out.matches("\n  \"version\": 1").count(), 1, "{refused:#?}");
    let moods = "SELECT name || ' ' || mood FROM people ORDER BY id";
    assert_eq!(texts(&here, moods), ["Anna sad"]);
    here.ok(&["db-import", "--merge", "yours.jsonl", "--on-conflict", "skip"]);
    assert_eq!(texts(&here, moods), ["Anna sad", "Ben calm"]);
    let replace = ["db-import", "--merge", "yours.jsonl", "--on-conflict", "replace"];
    here.ok(&[&replace[..], &["--newer", "at"]].concat());
    assert_eq!(texts(&here, moods), ["Anna glad", "Ben calm"]);
    here.sql("UPDATE people SET mood = 'wild', at = '3' WHERE name = 'Anna'");
    here.ok(&[&replace[..], &["--newer", "at"]].concat());
    assert_eq!(texts(&here, moods), ["Anna wild", "Ben calm"]);
    let said = here.fails(2, &[&replace[..], &["--newer", "changed"]].concat());
    assert!(said.err.contains("no table here has a column `changed`"), "{said:#?}");
    here.ok(&replace);
    assert_eq!(texts(&here, moods), ["Anna glad", "Ben calm"]);
}

/// What a machine says whose shared file is `ada_3f2a1b.jsonl`.
fn as_ada(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let mut command = sandbox.xtask(arguments);
    command.env("XTASK_DB_MACHINE", "3f2a1b").env("USER", "ada");
    sandbox.said(&command.output().expect("the binary runs"))
}

#[test]
fn what_this_machine_shared_itself_never_takes_its_rows_back() {
    let here = machine("CREATE TABLE moods (name TEXT PRIMARY KEY, mood TEXT);", "");
    here.sql("INSERT INTO moods VALUES ('Anna', 'sad'), ('Ben', 'calm')");
    fs_err::create_dir(here.path("shared")).expect("a folder");
    let own = |arguments: &[&str]| as_ada(&here, arguments);
    assert_eq!(own(&["db-export", "--share", "shared"]).code, Some(0));
    here.sql(
        "UPDATE moods SET mood = 'glad' WHERE name = 'Anna'; DELETE FROM moods WHERE name = 'Ben'",
    );
    let moods = "SELECT name || ' ' || mood FROM moods ORDER BY name";
    for policy in ["fail", "skip", "replace"] {
        let said = own(&["db-import", "--merge", "shared", "--on-conflict", policy]);
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert!(said.err.contains("this machine wrote it"), "{said:#?}");
        assert_eq!(texts(&here, moods), ["Anna glad", "Ben calm"], "{said:#?}");
    }
    // By name it is a file like any other, and so it is elsewhere.
    here.fails(1, &["db-import", "--merge", "shared"]);
    let said = own(&["db-import", "--merge", "shared/ada_3f2a1b.jsonl"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let replace = ["--on-conflict", "replace"];
    own(&[&["db-import", "--merge", "shared/ada_3f2a1b.jsonl"], &replace[..]].concat());
    assert_eq!(texts(&here, moods), ["Anna sad", "Ben calm"]);
}

#[test]
fn what_this_machine_shared_itself_is_no_obstacle() {
    let schema = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, name TEXT UNIQUE NOT NULL);
        CREATE TABLE docs (id INTEGER PRIMARY KEY, owner NOT NULL REFERENCES users, title, UNIQUE (owner, title));
        CREATE TABLE parts (id INTEGER PRIMARY KEY, doc NOT NULL REFERENCES docs, text TEXT UNIQUE);";
    let rows =
        "INSERT INTO users VALUES (1, 'old@x', 'Anna'); INSERT INTO docs VALUES (1, 1, 'plan');
        INSERT INTO parts VALUES (1, 1, 'begin');";
    let (here, there) = (machine(schema, rows), machine(schema, ""));
    there.sql("INSERT INTO users VALUES (1, 'ben@x', 'Ben')");
    fs_err::create_dir(here.path("shared")).expect("a folder");
    let own = |arguments: &[&str]| as_ada(&here, arguments);
    assert_eq!(own(&["db-export", "--share", "shared"]).code, Some(0));
    share(&there, &here, "shared/ben.jsonl");
    here.sql("UPDATE users SET email = 'new@x'");
    // By its e-mail, Anna's row is another one now, which nothing may be hung on.
    let said = own(&["db-import", "--merge", "shared"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(texts(&here, "SELECT email FROM users ORDER BY email"), ["ben@x", "new@x"]);
    assert_eq!(texts(&here, "SELECT title FROM docs JOIN parts ON docs.id = doc"), ["plan"]);
    // A column that not every table has decides if it can.
    let newer = ["--on-conflict", "replace", "--newer", "email"];
    here.sql("UPDATE docs SET title = 'plans'; UPDATE parts SET text = 'begun', id = 7");
    let said = own(&[&["db-import", "--merge", "shared"], &newer[..]].concat());
    assert_eq!(said.code, Some(0), "{said:#?}");
}

#[test]
fn the_sample_host_s_machines_reach_the_same_content_and_the_index_finds_it() {
    let schema = host_schema();
    let rows = |name: &str, topic: &str| {
        format!(
        "INSERT INTO personas (name, system_prompt, created_at) VALUES ('{name}', 'p', '2025-01-01'), ('Shared', 's', '2025-01-01');
         INSERT INTO sessions (title, persona_id, created_at, updated_at) VALUES ('{name}''s', 1, '2025-01-01', '2025-01-01'), ('both', 2, '2025-01-02', '2025-01-02');
         INSERT INTO messages (session_id, role, content, sent_at) VALUES (1, 'user', 'hello {name}', 't1'), (2, 'user', 'hello all', 't2');
         INSERT INTO memory_entries (session_id, kind, topic, content, created_at) VALUES (1, 'fact', '{topic}', 'about {topic}', 't');
         INSERT INTO memory_pins VALUES (2, 1, 't');
         INSERT INTO settings VALUES ('theme', '\"dark\"', 't');"
    )
    };
    let (anna, ben) =
        (machine(&schema, &rows("Anna", "apples")), machine(&schema, &rows("Ben", "pears")));
    share(&anna, &ben, "shared/anna.jsonl");
    share(&ben, &anna, "shared/ben.jsonl");
    for sandbox in [&anna, &ben] {
        let said = sandbox.ok(&["db-import", "--merge", "shared"]);
        assert!(!said.err.contains("triggers"), "the index is rebuilt: {said:#?}");
        let found =
            "SELECT content FROM memory_search WHERE memory_search MATCH 'about' ORDER BY 1";
        assert_eq!(texts(sandbox, found), ["about apples", "about pears"]);
        let pins = "SELECT p.name || ' ' || e.topic FROM memory_pins JOIN personas AS p ON p.id = persona_id
                    JOIN memory_entries AS e ON e.id = memory_entry_id ORDER BY 1";
        assert_eq!(texts(sandbox, pins), ["Shared apples", "Shared pears"]);
        let talks = "SELECT s.title || ' ' || m.content FROM messages AS m JOIN sessions AS s ON s.id = session_id ORDER BY 1";
        assert_eq!(
            texts(sandbox, talks),
            ["Anna's hello Anna", "Ben's hello Ben", "both hello all"]
        );
        assert_eq!(texts(sandbox, "PRAGMA integrity_check"), ["ok"]);
        assert_eq!(texts(sandbox, "SELECT 'orphan' FROM pragma_foreign_key_check"), [""; 0]);
    }
}

#[test]
fn a_file_of_every_format_is_merged() {
    for format in ["jsonl", "json", "sql", "csv"] {
        let (here, there) = (machine(CHATS, MINE), machine(CHATS, YOURS));
        let to = here.path("yours");
        there.ok(&["db-export", "--format", format, "--output", &to.to_string_lossy()]);
        here.ok(&["db-import", "--merge", "yours"]);
        let merged = ["mine: my note", "yours: your note", "yours: another"];
        assert_eq!(texts(&here, JOINED), merged, "{format}");
        let said = here.ok(&["db-import", "--merge", "yours"]);
        assert!(said.out.contains("every row is here already"), "{format}: {said:#?}");
    }
}

#[test]
fn what_is_piped_in_is_merged_like_a_file() {
    let here = two();
    let export = fs_err::read(here.path("yours.jsonl")).expect("an export");
    let piped = |bytes: &[u8]| {
        let mut command = here.xtask(&["db-import", "--merge", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        child.stdin.take().expect("a pipe").write_all(bytes).expect("piped");
        here.said(&child.wait_with_output().expect("the binary ends"))
    };
    let said = piped(&export[..export.len() - 5]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.starts_with("error: could not read `stdin`"), "{said:#?}");
    let said = piped(b"no export");
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.contains("`stdin`") && !said.err.contains("spool"), "{said:#?}");
    assert_eq!(texts(&here, JOINED), ["mine: my note"]);
    let said = piped(&export);
    assert!(
        said.out.starts_with("[✓] Safety backup") && said.out.contains("\nstdin:\n"),
        "{said:#?}"
    );
    assert_eq!(texts(&here, JOINED), ["mine: my note", "yours: your note", "yours: another"]);
}

#[test]
fn usage_is_refused_before_anything_is_read() {
    let here = two();
    for (arguments, what) in [
        (&["db-import", "--merge"][..], "there is nothing to merge"),
        (&["db-import", "--merge", "none.jsonl"], "there is no file `none.jsonl`"),
        (&["db-import", "--merge", "backend"], "`backend` contains no exports"),
        (
            &["db-import", "--merge", "yours.jsonl", "--newer", "at"],
            "`--newer` needs `--on-conflict replace`",
        ),
    ] {
        let said = here.fails(2, arguments);
        assert!(said.err.contains(what), "{said:#?}");
    }
}

#[test]
fn a_protected_database_demands_its_name() {
    let here = two();
    here.configure("protected = true");
    here.fails(2, &["db-import", "--merge", "yours.jsonl", "--yes"]);
    assert_eq!(texts(&here, JOINED).len(), 1);
    here.ok(&["db-import", "--merge", "yours.jsonl", "--yes", "--db", "kalito"]);
    assert_eq!(texts(&here, JOINED).len(), 3);
}

#[test]
fn what_rebuilds_derived_data_runs_at_the_end_and_its_failure_says_that_the_data_is_merged() {
    let here = two();
    here.configure("after-restore = [\"sh\", \"-c\", \"echo rebuilt >> rebuilt\"]");
    here.ok(&["db-import", "--merge", "yours.jsonl"]);
    here.ok(&["db-import", "--merge", "yours.jsonl"]);
    assert_eq!(fs_err::read_to_string(here.path("rebuilt")).expect("once"), "rebuilt\n");
    let here = two();
    here.configure("after-restore = [\"false\"]");
    let said = here.fails(2, &["db-import", "--merge", "yours.jsonl"]);
    assert!(said.err.contains("the data is merged, but `false` failed"), "{said:#?}");
    assert_eq!(texts(&here, JOINED).len(), 3);
}

#[test]
fn a_refused_merge_says_what_would_be_and_leaves_no_backup() {
    let words = "CREATE TABLE words (word TEXT PRIMARY KEY, n INTEGER);";
    let here = machine(words, "INSERT INTO words VALUES ('a', 1)");
    share(&machine(words, "INSERT INTO words VALUES ('b', 2)"), &here, "1.jsonl");
    share(&machine(words, "INSERT INTO words VALUES ('a', 9), ('c', 3)"), &here, "2.jsonl");
    let content = here.content();
    let said = here.fails(1, &["db-import", "--merge", "1.jsonl", "2.jsonl"]);
    assert!(!said.out.contains("Safety backup"), "{said:#?}");
    assert!(here.backups().is_empty());
    assert!(
        said.out.contains("words: 1 would be inserted, 1 conflicting, 0 unchanged"),
        "{said:#?}"
    );
    assert!(!said.out.contains(" 1 inserted"), "{said:#?}");
    assert_eq!(here.content(), content);
}

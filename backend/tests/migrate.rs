//! `backend migrate`, and what the other commands say before it has run.

use std::fs;

use crate::sandbox::Sandbox;

/// How many migrations there are.
fn latest() -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/db/migrations");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.extension().is_some_and(|e| e == "sql")).count()
}

#[test]
fn a_missing_database_is_created_and_migrated() {
    let sandbox = Sandbox::new();
    let said = sandbox.run(&["migrate"]);
    let latest = latest();
    let expected = format!(
        "Created `kalito.db`\n\
         Applied {latest} migrations; `kalito.db` is at schema version {latest}\n"
    );
    assert_eq!((said.code, said.stdout, said.stderr), (Some(0), expected, String::new()));

    let connection = sandbox.connect();
    let pragma = |name: &str| -> String {
        let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(pragma("user_version"), latest.to_string());
    assert_eq!(pragma("journal_mode"), "wal");
    assert_eq!(pragma("integrity_check"), "ok");
}

#[test]
fn a_second_migration_changes_nothing() {
    let sandbox = Sandbox::migrated();
    let before = fs::read(sandbox.database()).unwrap();
    let said = sandbox.run(&["migrate"]);
    assert_eq!(said.code, Some(0));
    assert!(said.stdout.starts_with("nothing to apply: `kalito.db` is at"), "{said:?}");
    assert_eq!(fs::read(sandbox.database()).unwrap(), before);
}

#[test]
fn the_folder_of_the_database_is_created() {
    let sandbox = Sandbox::new();
    let said = sandbox.run_on("var/a folder/ünï?#%.db", &["migrate"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    // The folder may be a private one, in which a migration is rehearsed.
    assert!(said.stdout.starts_with("Created `ünï?#%.db`\nApplied "), "{said:?}");
    assert!(!said.stdout.contains("a folder"), "{said:?}");
    assert!(sandbox.root().join("var/a folder/ünï?#%.db").is_file());
    assert!(!sandbox.database().exists());
}

#[test]
fn a_newer_schema_is_refused_by_every_command() {
    let sandbox = Sandbox::migrated();
    sandbox.connect().pragma_update(None, "user_version", 99).unwrap();
    let expected = format!(
        "error: `backend/db/kalito.db` has schema version 99, this build knows {}: \
         update the application or restore an older backup\n",
        latest()
    );
    for command in COMMANDS {
        let said = sandbox.run(command);
        assert_eq!((said.code, said.stderr), (Some(1), expected.clone()), "{command:?}");
        assert_eq!(said.stdout, "");
    }
}

#[test]
fn a_schema_version_below_zero_is_refused() {
    let sandbox = Sandbox::migrated();
    sandbox.connect().pragma_update(None, "user_version", -1).unwrap();
    let said = sandbox.run(&["migrate"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("schema version -1, which no build"), "{said:?}");
}

#[test]
fn only_migrate_creates_a_database() {
    let sandbox = Sandbox::new();
    for command in &COMMANDS[1..] {
        let said = sandbox.run(command);
        assert_eq!(said.code, Some(1));
        let expected =
            "error: `backend/db/kalito.db` does not exist: run `backend migrate` to create it\n";
        assert_eq!(said.stderr, expected, "{command:?}");
        assert!(!sandbox.database().exists());
    }
}

#[test]
fn pending_migrations_are_refused_by_the_other_commands() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.database(), "").unwrap();
    let latest = latest();
    let expected = format!(
        "error: `backend/db/kalito.db` has {latest} pending migrations \
         (schema version 0, this build knows {latest}): run `backend migrate`\n"
    );
    for command in &COMMANDS[1..] {
        let said = sandbox.run(command);
        assert_eq!((said.code, said.stderr), (Some(1), expected.clone()), "{command:?}");
    }
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let sandbox = Sandbox::new();
    let text = "This is a letter, and a long one. ".repeat(200);
    fs::write(sandbox.database(), &text).unwrap();
    let folder = sandbox.root().join("folder.db");
    fs::create_dir(&folder).unwrap();
    for command in COMMANDS {
        let said = sandbox.run(command);
        assert_eq!(said.code, Some(1), "{command:?}");
        assert!(said.stderr.contains("file is not a database"), "{said:?}");

        let said = sandbox.run_on("folder.db", command);
        assert_eq!(said.code, Some(1), "{command:?}");
        assert_eq!(said.stderr, "error: `folder.db` is a folder, not a database\n");
    }
    assert_eq!(fs::read_to_string(sandbox.database()).unwrap(), text);
}

#[test]
fn a_failed_migration_leaves_what_was_there() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.database(), "").unwrap();
    sandbox.connect().execute_batch("CREATE TABLE memory_entries (mine TEXT)").unwrap();
    let said = sandbox.run(&["migrate"]);
    assert_eq!(said.code, Some(1));
    let expected =
        "error: could not apply `0002_memory.sql`: the database stays at schema version 1\n";
    assert!(said.stderr.starts_with(expected), "{said:?}");
    assert!(said.stderr.contains("memory_entries already exists"), "{said:?}");

    sandbox.connect().execute_batch("DROP TABLE memory_entries").unwrap();
    let said = sandbox.run(&["migrate"]);
    assert_eq!(said.code, Some(0));
    assert!(said.stdout.starts_with(&format!("Applied {} migrations", latest() - 1)), "{said:?}");
}

/// Every command, `migrate` first.
const COMMANDS: [&[&str]; 4] =
    [&["migrate"], &["serve", "--port", "0"], &["seed", "--sessions", "1"], &["reindex"]];

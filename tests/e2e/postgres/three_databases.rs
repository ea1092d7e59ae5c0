//! A host with an SQLite database and two PostgreSQL databases: every command works on each, or refuses with its reason.

use std::collections::BTreeSet;

use crate::support::postgres_server::{PostgresDatabase, PostgresServer};
use crate::support::sandbox::Sandbox;

const TABLES: &str = "CREATE TABLE messages (id int PRIMARY KEY, content text); \
                      INSERT INTO messages VALUES (1, 'one'), (2, 'two')";

/// A repository with the hooks; each database has a migration that adds a table once.
fn host(one: &PostgresDatabase, two: &PostgresDatabase) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "schema = [\"migrations/*.sql\"]\nmigrate = [\"sh\", \"migrate.sh\"]\n\n\
         [workspace.metadata.db.databases.one]\nurl-env = \"ONE_URL\"\n\
         schema = [\"migrations/*.sql\"]\nmigrate = [\"sh\", \"migrate.sh\", \"ONE_URL\"]\n\n\
         [workspace.metadata.db.databases.two]\nurl-env = \"TWO_URL\"\n\
         schema = [\"migrations/*.sql\"]\nmigrate = [\"sh\", \"migrate.sh\", \"TWO_URL\"]\n",
    );
    sandbox.write(".env", format!("ONE_URL={}\nTWO_URL={}\n", one.url(), two.url()));
    sandbox.write(
        "migrate.sh",
        "sql='CREATE TABLE IF NOT EXISTS likes (id int)'\n\
         if [ -z \"$1\" ]; then exec sqlite3 \"$DATABASE_PATH\" \"$sql\"; fi\n\
         eval url=\\$$1\nexec psql --no-psqlrc -q -d \"$url\" -c \"$sql\"\n",
    );
    sandbox.write("migrations/0001.sql", "-- likes\n");
    sandbox.write(".gitignore", "*.db*\n.env\nbackups\nout*\n");
    sandbox.hooked(&["init", "--quiet", "--initial-branch=main"]);
    sandbox.hooked(&["add", "--all"]);
    sandbox.hooked(&["commit", "--quiet", "--message=first"]);
    sandbox
}

/// Commands that work on each database, in an order in which each finds what it needs.
const WORKING: [&[&str]; 31] = [
    &["db-setup"],
    &["db-backup", "--label", "first of {}"],
    &["db-list"],
    &["db-verify", "--all"],
    &["db-verify", "latest", "--drill"],
    &["db-pin", "latest"],
    &["db-unpin", "latest"],
    &["db-label", "latest", "again {}"],
    &["db-restore", "latest", "--dry-run"],
    &["db-restore", "latest", "--yes"],
    &["db-pre-migrate"],
    &["db-migrate"],
    &["db-pre-deploy"],
    &["db-diff"],
    &["db-diff", "again {}"],
    &["db-diff", "--rows", "again {}"],
    &["db-diff", "--schema", "again {}", "latest"],
    &["db-export", "--format", "jsonl", "--output", "out-{}.jsonl"],
    &["db-export", "--format", "sql", "--output", "out-{}.sql"],
    &["db-export", "--format", "csv", "--output", "out-{}"],
    &["db-export", "--format", "jsonl", "--output", "out-old-{}.jsonl", "again {}"],
    &["db-backup", "--kind", "pre-commit"],
    &["db-backup", "--if-changed"],
    &["db-verify", "latest", "--drill"],
    &["db-restore", "again {}", "--yes"],
    &["db-restore", "safety", "--yes"],
    &["db-prune", "--keep-last", "3", "--yes"],
    &["db-recover"],
    &["db-reset", "--yes"],
    &["db-restore", "safety", "--yes"],
    &["db-status"],
];

/// Commands that mean nothing on a server, and the reason that is printed instead.
const REFUSED: [(&[&str], &str); 7] = [
    (&["db-import", "out-one.jsonl", "--merge", "--yes"], "PostgreSQL"),
    (&["db-restore", "latest", "--into", "out.db"], "dump of a PostgreSQL database"),
    (&["db-restore", "latest", "--table", "messages", "--yes"], "SQLite databases only"),
    (
        &[
            "db-export",
            "--format",
            "jsonl",
            "--output",
            "o",
            "--root",
            "messages",
            "--where",
            "id = 1",
        ],
        "SQLite",
    ),
    (&["db-export", "--format", "jsonl", "--share", "shared"], "SQLite"),
    (&["db-export", "--format", "jsonl", "--output", "o", "--rowids"], "PostgreSQL"),
    (&["db-diff", "--sql"], "SQLite"),
];

/// Commands that are not about one database, or are tried elsewhere with the same three.
const OTHERS: [&str; 9] = [
    "db-bundle",      // bundle/round_trip.rs
    "db-completions", // prints a script
    "db-help",
    "db-hooks",    // below
    "db-import",   // refused above
    "db-remove",   // below
    "db-rollback", // below
    "db-schedule", // below
    "db-serve",    // it starts the commands above
];

#[test]
fn every_command_works_on_each_or_refuses_with_its_reason() {
    let Some(server) = PostgresServer::shared() else { return };
    let (one, two) = (server.database(TABLES), server.database(TABLES));
    let sandbox = host(&one, &two);
    let names = ["kalito", "one", "two"];
    for name in names {
        for command in WORKING {
            let words: Vec<String> = command.iter().map(|word| word.replace("{}", name)).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let said = sandbox.run(&[&words[..], &["--db", name]].concat());
            // The status is a verdict.
            let is_fine = said.code == Some(0) || words[0] == "db-status" && said.code == Some(1);
            assert!(is_fine, "{name}: {words:?}: {said:#?}");
        }
    }
    for name in ["one", "two"] {
        for (command, reason) in REFUSED {
            let said = sandbox.fails(2, &[command, &["--db", name]].concat());
            assert!(said.err.contains(reason), "{name}: {command:?}: {said:#?}");
            assert!(said.err.contains("hint: "), "{name}: {command:?}: {said:#?}");
        }
    }
    // A commit of a migration checkpoints each, and a rollback brings each back.
    sandbox.ok(&["db-hooks", "status"]);
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    let states = (one.dump(), two.dump(), sandbox.content());
    sandbox.write("migrations/0002.sql", "-- more\n");
    sandbox.hooked(&["add", "--all"]);
    sandbox.hooked(&["commit", "--quiet", "--message=feature"]);
    let checkpointed = sandbox.records("pre-commit");
    let of: BTreeSet<_> = checkpointed.iter().filter_map(|one| one["database"].as_str()).collect();
    assert_eq!(of, BTreeSet::from(names));
    one.sql("DROP TABLE messages");
    two.sql("DELETE FROM messages");
    sandbox.sql("DELETE FROM messages");
    for name in names {
        sandbox.ok(&["db-rollback", "--yes", "--db", name]);
    }
    assert_eq!((one.dump(), two.dump(), sandbox.content()), states);
    for name in names {
        let newest = sandbox.json(&["db-list", "--db", name])["backups"][0]["name"].clone();
        let newest = newest.as_str().expect("a name");
        sandbox.ok(&["db-remove", newest, "--yes", "--force", "--db", name]);
    }
}

#[test]
fn a_run_by_the_clock_backs_up_and_exports_each() {
    let Some(server) = PostgresServer::shared() else { return };
    let (one, two) = (server.database(TABLES), server.database(TABLES));
    let sandbox = host(&one, &two);
    sandbox.configure("[workspace.metadata.db.schedule]\nexport = { into = \"snapshots\" }\n");
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    sandbox.ok(&["db-schedule", "run"]);
    let databases = |sandbox: &Sandbox| {
        let all = sandbox.records("scheduled").into_iter();
        let mut names: Vec<_> =
            all.map(|one| one["database"].as_str().expect("a name").to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(databases(&sandbox), ["kalito", "one", "two"]);
    for name in ["kalito", "one", "two"] {
        let export = sandbox.path(&format!("snapshots/{name}.jsonl"));
        assert!(fs_err::metadata(&export).expect("an export").len() > 0, "{name}");
    }
    two.sql("DELETE FROM messages");
    sandbox.set_clock("2025-09-14T03:00:00+02:00");
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert_eq!(said.out.matches("no new backup was needed").count(), 2, "{said:#?}");
    assert_eq!(databases(&sandbox), ["kalito", "one", "two", "two"]);
    assert!(sandbox.ok(&["db-schedule", "run"]).out.starts_with("Nothing is due"));
}

/// The lists above are complete.
#[test]
fn every_command_is_tried_on_three_databases() {
    let sandbox = Sandbox::new();
    let help = sandbox.ok(&["--help"]).out;
    let all = help.split_whitespace().filter(|word| word.starts_with("db-"));
    let all: BTreeSet<&str> = all.map(|word| word.trim_matches(['`', ',', '.', ':'])).collect();
    let tried = WORKING.iter().map(|command| command[0]).chain(OTHERS);
    let tried: BTreeSet<&str> = tried.collect();
    let missed: Vec<_> = all.difference(&tried).collect();
    assert!(all.len() > 20 && missed.is_empty(), "{missed:?}");
}

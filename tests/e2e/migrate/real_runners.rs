//! Real migration runners on real projects: sqlx's, diesel's, and the sample application's own.
//! `.ci/run` builds the first two into `target/ci-tools`; without them their tests are skipped.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::restore::real_application::backend;
use crate::support::sandbox::{Said, Sandbox, open};
use crate::support::shell_migrations::{content, count};
use crate::support::strace::complain;

/// Where the database is; a path with a space, as people have it.
const DATABASE: &str = "my data/app.db";

/// A program from `target/ci-tools`, else from the PATH; prints a warning if it is in neither.
fn tool(name: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let built = workspace.join("target/ci-tools/bin").join(name);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&folders).map(|folder| folder.join(name));
    let found = std::iter::once(built).chain(on_path).find(|path| path.is_file());
    if found.is_none() {
        complain(&format!("SKIPPED: a test of a real {name} project needs {name} (see .ci/run)"));
    }
    found
}

/// A project whose migrations this program runs.
struct Runner {
    sandbox: Sandbox,
    program: PathBuf,
    /// What comes after the program.
    arguments: &'static [&'static str],
    /// The value of `DATABASE_URL` for a path.
    url: fn(&str) -> String,
}

impl Runner {
    fn new(program: PathBuf, arguments: &'static [&'static str], url: fn(&str) -> String) -> Self {
        let sandbox = Sandbox::empty();
        let command: Vec<_> = std::iter::once(program.to_str().expect("a path"))
            .chain(arguments.iter().copied())
            .map(|word| format!("'{word}'"))
            .collect();
        sandbox.write(
            "Cargo.toml",
            format!(
                "[workspace]\n[workspace.metadata.db]\nbackups = 'my backups'\n\
                 [workspace.metadata.db.databases.app]\npath = '{DATABASE}'\n\
                 migrate = [{}]\nmigrate-env = 'DATABASE_URL={}'\n",
                command.join(", "),
                url("{path}")
            ),
        );
        fs_err::create_dir_all(sandbox.path("my data")).expect("folder");
        Self { sandbox, program, arguments, url }
    }

    /// Runs the program itself on the live database.
    fn run(&self, arguments: &[&str]) -> Said {
        let path = self.sandbox.path(DATABASE);
        let mut command = self.sandbox.command(&self.program);
        command.args(arguments).env("DATABASE_URL", (self.url)(path.to_str().expect("a path")));
        let said = self.sandbox.said(&command.output().expect("it runs"));
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
        said
    }

    fn live(&self) -> Connection {
        open(&self.sandbox.path(DATABASE))
    }

    /// From a first migration over an added one to one that loses a table.
    fn walk(&self, migration: fn(&Sandbox, u32, &str)) {
        let sandbox = &self.sandbox;
        let said = sandbox.ok(&["db-migrate"]);
        assert!(said.out.starts_with("Nothing is pending: "), "{said:#?}");
        migration(sandbox, 2, "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);");
        let document = sandbox.json(&["db-pre-migrate"]);
        assert_eq!(document["outcome"], "allowed", "{document:#}");
        assert!(self.live().prepare("SELECT * FROM notes").is_err(), "it ran on the live database");
        let document = sandbox.json(&["db-migrate"]);
        assert_eq!(document["outcome"], "migrated", "{document:#}");
        assert_eq!(count(&self.live(), "notes"), 0);
        migration(sandbox, 3, "DROP TABLE posts;");
        let before = (content(sandbox), count(&self.live(), "posts"));
        let said = sandbox.fails(1, &["db-migrate"]);
        assert!(said.err.contains("table `posts` is dropped with its 2 rows"), "{said:#?}");
        assert_eq!((content(sandbox), count(&self.live(), "posts")), before);
        let document = sandbox.json(&["db-migrate", "--allow-loss", "posts"]);
        assert_eq!(document["outcome"], "migrated", "{document:#}");
        self.run(self.arguments);
        let back = document["checkpoint"].as_str().expect("a checkpoint");
        sandbox.ok(&["db-restore", back, "--yes"]);
        assert_eq!((content(sandbox), count(&self.live(), "posts")), before);
    }
}

/// A parent and its children.
const INITIAL: &str = "
    CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE posts (id INTEGER PRIMARY KEY,
        author INTEGER REFERENCES authors(id) ON DELETE CASCADE);
    INSERT INTO authors VALUES (1, 'a'), (2, 'b');
    INSERT INTO posts VALUES (1, 1), (2, 2);";

/// The rebuild that SQLite's own documentation warns of, without turning foreign keys off.
const REBUILD: &str = "
    CREATE TABLE new_authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO new_authors SELECT * FROM authors;
    DROP TABLE authors;
    ALTER TABLE new_authors RENAME TO authors;";

fn sqlx() -> Option<Runner> {
    let runner = Runner::new(tool("sqlx")?, &["migrate", "run"], |path| format!("sqlite://{path}"));
    sqlx_migration(&runner.sandbox, 1, INITIAL);
    // As every sqlx project has it: what the command is told must win over this.
    runner.sandbox.write(".env", format!("DATABASE_URL='sqlite://{DATABASE}'\n"));
    runner.run(&["database", "setup"]);
    Some(runner)
}

fn sqlx_migration(sandbox: &Sandbox, number: u32, sql: &str) {
    sandbox.write(&format!("migrations/{number:04}_step.sql"), sql);
}

#[test]
fn a_real_sqlx_project_is_rehearsed_migrated_and_refused() {
    let Some(runner) = sqlx() else { return };
    runner.walk(sqlx_migration);
}

#[test]
fn a_rebuilt_parent_in_a_real_sqlx_project_is_refused_as_sqlx_has_foreign_keys_on() {
    let Some(runner) = sqlx() else { return };
    sqlx_migration(&runner.sandbox, 2, REBUILD);
    let said = runner.sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("table `posts` loses 2 of its 2 rows"), "{said:#?}");
    assert_eq!(count(&runner.live(), "posts"), 2);
}

#[test]
fn a_real_diesel_project_is_rehearsed_migrated_and_refused() {
    let Some(program) = tool("diesel") else { return };
    let runner = Runner::new(program, &["migration", "run"], str::to_owned);
    diesel_migration(&runner.sandbox, 1, INITIAL);
    runner.run(runner.arguments);
    runner.walk(diesel_migration);
}

fn diesel_migration(sandbox: &Sandbox, number: u32, sql: &str) {
    let folder = format!("migrations/2025-01-{number:02}-000000_step");
    sandbox.write(&format!("{folder}/up.sql"), sql);
    sandbox.write(&format!("{folder}/down.sql"), "SELECT 1;");
}

#[test]
fn the_sample_application_s_own_migrations_are_rehearsed_and_run_from_every_version() {
    let Some(backend) = backend() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backend/db/migrations");
    let entries = fs_err::read_dir(folder).expect("migrations");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    for n_applied in 1..files.len() {
        let sandbox = Sandbox::new();
        crate::support::museum::remove_live(&sandbox);
        for file in &files[..n_applied] {
            sandbox.sql(&fs_err::read_to_string(file).expect("SQL"));
        }
        sandbox.sql(&format!("PRAGMA user_version={n_applied}"));
        let program = backend.to_str().expect("a path");
        sandbox.configure(&format!(
            "migrate = ['{program}', 'migrate']\nmigrate-env = 'DATABASE_PATH'"
        ));
        let document = sandbox.json(&["db-migrate"]);
        assert_eq!(document["outcome"], "migrated", "from version {n_applied}: {document:#}");
        let again = sandbox.json(&["db-migrate"]);
        assert_eq!(again["outcome"], "nothing-pending", "from version {n_applied}: {again:#}");
    }
}

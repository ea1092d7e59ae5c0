//! A sealed folder in which the real binary runs: its own home, environment, clock and repository.
//!
//! Nothing of the machine's environment gets in: an inherited `CARGO_MANIFEST_DIR` once made such a
//! test write into the real workspace.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use chrono::{DateTime, FixedOffset, TimeDelta};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// A host's workspace in a temporary folder.
pub(crate) struct Sandbox {
    folder: TempDir,
    clock: Cell<DateTime<FixedOffset>>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its stdout, the sandbox's folder shown as `$ROOT`.
    pub(crate) out: String,
    /// Its stderr, likewise.
    pub(crate) err: String,
}

const MANIFEST: &str = r#"[workspace]
members = []

[workspace.metadata.db.databases.kalito]
path = "backend/db/kalito.db"
"#;

impl Sandbox {
    /// A workspace with one small WAL database, and no git.
    pub(crate) fn new() -> Self {
        let sandbox = Self::empty();
        sandbox.write("Cargo.toml", MANIFEST);
        fs_err::create_dir_all(sandbox.path("backend/db")).expect("folder");
        sandbox.sql(
            "PRAGMA journal_mode=WAL;
             CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT NOT NULL);
             INSERT INTO messages (content) VALUES ('one'), ('two'), ('three');
             PRAGMA user_version=12;",
        );
        sandbox
    }

    /// An empty folder.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("xtask-db-").tempdir().expect("folder");
        fs_err::create_dir(folder.path().join("home")).expect("folder");
        fs_err::create_dir(folder.path().join("root")).expect("folder");
        let clock = DateTime::parse_from_rfc3339("2025-09-13T14:25:30+02:00").expect("a time");
        Self { folder, clock: Cell::new(clock) }
    }

    /// The workspace root.
    pub(crate) fn root(&self) -> PathBuf {
        // A temporary folder may be behind a symbolic link, as on macOS.
        fs_err::canonicalize(self.folder.path()).expect("folder").join("root")
    }

    /// A path in the workspace.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    /// The live database.
    pub(crate) fn live(&self) -> PathBuf {
        self.path("backend/db/kalito.db")
    }

    /// Writes a file in the workspace, with its folders.
    pub(crate) fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs_err::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs_err::write(path, bytes).expect("written");
    }

    /// Sets the clock; it moves on a minute with every command.
    pub(crate) fn set_clock(&self, rfc3339: &str) {
        self.clock.set(DateTime::parse_from_rfc3339(rfc3339).expect("a time"));
    }

    /// A command in the workspace with the sandbox's environment and nothing of ours.
    #[expect(clippy::disallowed_methods, reason = "the sandbox seals the environment itself")]
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path().join("home"))
            .env("TZ", "Europe/Berlin")
            .env("LANG", "C.UTF-8")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A")
            .env("GIT_AUTHOR_EMAIL", "a@example.invalid")
            .env("GIT_COMMITTER_NAME", "A")
            .env("GIT_COMMITTER_EMAIL", "a@example.invalid")
            .env("GIT_CEILING_DIRECTORIES", self.folder.path())
            .current_dir(self.root())
            .stdin(Stdio::null());
        command
    }

    /// The xtask with arguments, the clock moved on by a minute.
    pub(crate) fn xtask(&self, arguments: &[&str]) -> Command {
        let now = self.clock.get();
        self.clock.set(now + TimeDelta::minutes(1));
        let mut command = self.command(env!("CARGO_BIN_EXE_xtask"));
        command.env("XTASK_DB_NOW", now.to_rfc3339()).args(arguments);
        command
    }

    /// Runs the xtask to the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.said(&self.xtask(arguments).output().expect("the binary runs"))
    }

    /// Runs the xtask and demands exit 0.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
        said
    }

    /// Runs the xtask with `--json` and returns its document.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let said = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:#?}"))
    }

    /// What an output says, the sandbox's folder shown as `$ROOT`.
    pub(crate) fn said(&self, output: &Output) -> Said {
        let root = self.root().to_string_lossy().into_owned();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&root, "$ROOT");
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Runs git in the workspace and returns its stdout.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = self.command("git").args(arguments).output().expect("git runs");
        let said = self.said(&output);
        assert_eq!(said.code, Some(0), "git {arguments:?}: {said:#?}");
        said.out.trim().to_owned()
    }

    /// A git command whose hooks and dates have the sandbox's clock, which moves on a minute.
    pub(crate) fn git_at_clock(&self, arguments: &[&str]) -> Command {
        let now = self.clock.get();
        self.clock.set(now + TimeDelta::minutes(1));
        let mut command = self.command("git");
        let date = format!("{} {}", now.timestamp(), now.format("%z"));
        command
            .env("XTASK_DB_NOW", now.to_rfc3339())
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .env("GIT_EDITOR", "true")
            .args(arguments);
        command
    }

    /// Runs git with the sandbox's clock and returns what it and its hooks said.
    pub(crate) fn hooked(&self, arguments: &[&str]) -> Said {
        let output = self.git_at_clock(arguments).output().expect("git runs");
        let said = self.said(&output);
        assert_eq!(said.code, Some(0), "git {arguments:?}: {said:#?}");
        said
    }

    /// A workspace in a repository, its database bound to git by our hooks.
    pub(crate) fn with_hooks() -> Self {
        let sandbox = Self::new();
        sandbox.configure("schema = [\"backend/db/migrations/*.sql\"]");
        sandbox.write("backend/db/migrations/0001_messages.sql", "-- messages\n");
        sandbox.write(".gitignore", "*.db*\n");
        sandbox.hooked(&["init", "--quiet", "--initial-branch=main"]);
        sandbox.hooked(&["add", "--all"]);
        sandbox.hooked(&["commit", "--quiet", "--message=first"]);
        sandbox.ok(&["db-hooks", "install"]);
        sandbox
    }

    /// Adds a migration that creates a table, and stages it.
    pub(crate) fn stage_migration(&self, table: &str) {
        let path = format!("backend/db/migrations/0002_{table}.sql");
        self.write(&path, format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY);\n"));
        self.hooked(&["add", &path]);
    }

    /// The records of the backups of a kind, newest first.
    pub(crate) fn records(&self, kind: &str) -> Vec<serde_json::Value> {
        let list = self.json(&["db-list"]);
        let all = list["backups"].as_array().expect("backups").iter();
        all.filter(|record| record["kind"] == kind).cloned().collect()
    }

    /// The content hash of the live database, as a backup taken now has it.
    pub(crate) fn content(&self) -> String {
        let output = self.path("../content");
        let document = self.json(&["db-backup", "--output", output.to_str().expect("a path")]);
        fs_err::remove_dir_all(&output).expect("removed");
        let hash = document["backups"][0]["content_blake3"].as_str();
        hash.unwrap_or_else(|| panic!("no backup: {document:#}")).to_owned()
    }

    /// Makes the workspace a repository with one commit.
    pub(crate) fn git_init(&self) {
        self.write(".gitignore", "*.db*\n");
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=first"]);
    }

    /// Runs statements in the live database, creating it if it is missing.
    pub(crate) fn sql(&self, statements: &str) {
        let connection = open(&self.live());
        connection.execute_batch(statements).expect(statements);
    }

    /// The names of the backups in the default folder, sorted.
    pub(crate) fn backups(&self) -> Vec<String> {
        let Ok(entries) = fs_err::read_dir(self.path("backups")) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.expect("entry").file_name().into_string());
        let mut names: Vec<String> = names.filter_map(Result::ok).collect();
        names.retain(|name| {
            [".bak", ".pages", ".dump", ".chunks"].iter().any(|end| name.ends_with(end))
        });
        names.sort();
        names
    }

    /// Adds lines to the configuration of the database, or sections after it.
    pub(crate) fn configure(&self, lines: &str) {
        let manifest = fs_err::read_to_string(self.path("Cargo.toml")).expect("a manifest");
        self.write("Cargo.toml", format!("{manifest}{lines}\n"));
    }

    /// Takes a backup and returns its name.
    pub(crate) fn backup(&self) -> String {
        let document = self.json(&["db-backup"]);
        let name = document["backups"][0]["name"].as_str();
        name.unwrap_or_else(|| panic!("no backup was taken: {document:#}")).to_owned()
    }

    /// Adds a message to the live database and takes a backup, whose name is returned.
    pub(crate) fn backup_with(&self, content: &str) -> String {
        self.sql(&format!("INSERT INTO messages (content) VALUES ('{content}')"));
        self.backup()
    }

    /// Runs the xtask, demands an exit code and returns what it said.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:#?}");
        said
    }

    /// The xtask with arguments, run by another program: `["setsid", "--"]`.
    pub(crate) fn xtask_under(&self, program: &[&str], arguments: &[&str]) -> Command {
        let xtask = self.xtask(arguments);
        let mut command = self.command(program[0]);
        command.args(&program[1..]).arg(xtask.get_program());
        command.args(xtask.get_args());
        for (name, value) in xtask.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command
    }

    /// The path of a backup in the default folder.
    pub(crate) fn backup_path(&self, name: &str) -> PathBuf {
        self.path("backups").join(name)
    }
}

/// Opens a database as an application would, creating it if it is missing.
pub(crate) fn open(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(path, flags).expect("a database");
    connection.busy_timeout(std::time::Duration::from_secs(5)).expect("timeout");
    connection
}

/// The `content` of all messages in a database, in order.
pub(crate) fn messages(path: &Path) -> Vec<String> {
    let connection = open(path);
    let mut statement =
        connection.prepare("SELECT content FROM messages ORDER BY id").expect("a table");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("texts")
}

/// A child that is ended when the test ends, however it ends.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Its output, once it has ended.
    pub(crate) fn output(mut self) -> Output {
        use std::io::Read as _;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let Some(mut pipe) = self.0.stdout.take() {
            pipe.read_to_end(&mut stdout).expect("read");
        }
        if let Some(mut pipe) = self.0.stderr.take() {
            pipe.read_to_end(&mut stderr).expect("read");
        }
        Output { status: self.0.wait().expect("it ends"), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

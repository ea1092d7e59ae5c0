//! A temporary workspace and the program in it, with an empty environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// A folder that is removed with everything in it.
pub(crate) struct Sandbox {
    folder: TempDir,
}

/// What a finished program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    /// A workspace without a database.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("backend/db")).unwrap();
        Self { folder }
    }

    /// A workspace whose database has the newest schema.
    pub(crate) fn migrated() -> Self {
        let sandbox = Self::new();
        let said = sandbox.run(&["migrate"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        sandbox
    }

    /// A workspace with sample sessions in its database.
    pub(crate) fn seeded(sessions: u32) -> Self {
        let sandbox = Self::migrated();
        let said = sandbox.run(&["seed", "--sessions", &sessions.to_string()]);
        assert_eq!(said.code, Some(0), "{said:?}");
        sandbox
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root().join("backend/db/kalito.db")
    }

    /// The program with these arguments, not yet started.
    #[expect(clippy::disallowed_methods, reason = "a child whose pid and pipes the tests hold")]
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backend"));
        command.args(arguments).current_dir(self.root()).env_clear();
        command
    }

    /// Runs the program to the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments).output().unwrap())
    }

    /// Runs the program with `DATABASE_PATH` set.
    pub(crate) fn run_on(&self, path: &str, arguments: &[&str]) -> Said {
        said(self.command(arguments).env("DATABASE_PATH", path).output().unwrap())
    }

    /// Opens the database beside the program.
    pub(crate) fn connect(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(self.database(), flags).unwrap()
    }

    /// Every row of every table but those of the search index, which is derived.
    pub(crate) fn dump(&self) -> Vec<String> {
        let connection = self.connect();
        let mut dump = Vec::new();
        for table in tables(&connection) {
            let mut statement =
                connection.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY 1, 2")).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<Value> = (0..columns).map(|n| row.get(n).unwrap()).collect();
                dump.push(format!("{table}: {values:?}"));
            }
        }
        dump
    }
}

fn tables(connection: &Connection) -> Vec<String> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'memory_search%'
               ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn said(output: Output) -> Said {
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

//! The PostgreSQL server of a test process: one for all its tests.

use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres_server::{Installation, PostgresServer as Own, Settings};

use crate::support::sandbox::Sandbox;
use crate::support::strace::complain;

/// The password of the server's superuser: no output may ever contain it.
pub(crate) const PASSWORD: &str = "marker-pw-5f1c9e";
const USER: &str = "xtask_test";
const OPTIONS: [&str; 4] =
    ["fsync=off", "max_prepared_transactions=5", "wal_level=logical", "autovacuum_naptime=1s"];

/// A running server.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    own: Own,
    n_databases: AtomicU32,
}

/// A database on it, dropped with its value.
pub(crate) struct PostgresDatabase {
    server: &'static PostgresServer,
    /// Its name.
    pub(crate) name: String,
}

impl PostgresServer {
    /// The server of this process; `None`, said loudly, if PostgreSQL is not installed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
        SERVER.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let Some(installation) = Installation::find().expect("an installation") else {
            complain("SKIPPED: a test needs a PostgreSQL server (`apt install postgresql`)\n");
            return None;
        };
        let parent = std::env::temp_dir();
        let settings =
            Settings { user: USER, password: PASSWORD, options: &OPTIONS, parent: &parent };
        let own = Own::start(installation, &settings).expect("a server");
        Some(Self { own, n_databases: AtomicU32::new(0) })
    }

    /// The path of one of its programs.
    pub(crate) fn program(&self, name: &str) -> String {
        self.own.installation().folder().join(name).to_str().expect("UTF-8").to_owned()
    }

    /// A new database, filled by statements.
    pub(crate) fn database(&'static self, statements: &str) -> PostgresDatabase {
        let n = self.n_databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("memory_{}_{n}", std::process::id());
        self.own.sql("postgres", &format!("CREATE DATABASE \"{name}\"")).expect("created");
        let database = PostgresDatabase { server: self, name };
        database.sql(statements);
        database
    }
}

impl PostgresDatabase {
    /// Its URL, with the password.
    pub(crate) fn url(&self) -> String {
        self.server.own.url(&self.name)
    }

    /// Where it is, as messages name it.
    pub(crate) fn place(&self) -> String {
        format!("127.0.0.1:{}/{}", self.server.own.port(), self.name)
    }

    /// Runs statements and returns what they print, a line for each row.
    pub(crate) fn sql(&self, statements: &str) -> String {
        self.in_database(&self.name, statements)
    }

    /// Runs a script like `psql --file`.
    pub(crate) fn run_script(&self, script: &str) {
        use std::io::Write as _;

        let mut psql = self.server.own.client("psql", &self.name);
        psql.args(["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"]);
        psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = psql.spawn().expect("psql runs");
        child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("psql ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs statements in the database `postgres` of the same server.
    pub(crate) fn maintenance_sql(&self, statements: &str) -> String {
        self.in_database("postgres", statements)
    }

    fn in_database(&self, name: &str, statements: &str) -> String {
        self.server.own.sql(name, statements).unwrap_or_else(|e| panic!("{statements}: {e}"))
    }

    /// All of it, as `pg_dump` writes it, without the lines whose key is random.
    pub(crate) fn dump(&self) -> String {
        let output = self
            .server
            .own
            .client("pg_dump", &self.name)
            .arg("--no-password")
            .output()
            .expect("pg_dump runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A connection of an application that stays open: `psql`, which reads statements from its stdin.
    pub(crate) fn session(&self) -> Child {
        let mut psql = self.server.own.client("psql", &self.name);
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        psql.spawn().expect("psql runs")
    }

    /// A workspace whose database `memory` this is, named by a variable in `.env`.
    pub(crate) fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::empty();
        sandbox.write(
            "Cargo.toml",
            "[workspace]\nmembers = []\n\n[workspace.metadata.db.databases.memory]\n\
             url-env = \"MEMORY_DB_URL\"\n",
        );
        sandbox.write(".env", format!("MEMORY_DB_URL={}\n", self.url()));
        sandbox
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let end = format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name);
        let _ = self.server.own.sql("postgres", &end);
    }
}

//! A workspace whose migration is a small shell script around `psql`.

use std::time::{Duration, Instant};

use crate::support::postgres_server::{PostgresDatabase, PostgresServer};
use crate::support::sandbox::Sandbox;

/// A database with a parent table and a child table, and its workspace.
pub(crate) struct ServerHost {
    pub(crate) database: PostgresDatabase,
    pub(crate) sandbox: Sandbox,
}

pub(crate) const TABLES: &str = "
    CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, email text);
    CREATE TABLE notes (id int PRIMARY KEY, user_id int REFERENCES users (id), body text);
    INSERT INTO users (name, email)
      SELECT 'user number ' || n, 'mail' || n || '@example.org' FROM generate_series(1, 5) n;
    INSERT INTO notes SELECT n, n % 5 + 1, 'the body of note ' || n FROM generate_series(1, 20) n;";

/// A table with a foreign key to an old one.
pub(crate) const ADD: &str = "q 'CREATE TABLE likes (user_id int NOT NULL REFERENCES users (id))'";

impl ServerHost {
    /// A host with this script; `q` runs SQL in the database that the script was pointed to, `live` in the live one.
    pub(crate) fn new(server: &'static PostgresServer, script: &str) -> Self {
        let database = server.database(TABLES);
        let sandbox = database.sandbox();
        sandbox.configure("migrate = ['sh', 'migrate.sh']");
        let host = Self { database, sandbox };
        host.rewrite(script);
        host
    }

    /// Gives the workspace another migration.
    pub(crate) fn rewrite(&self, script: &str) {
        let psql = "psql --no-psqlrc -qAt -v ON_ERROR_STOP=1";
        let q = format!("q() {{ {psql} -d \"$MEMORY_DB_URL\" -c \"$1\"; }}");
        let live = format!("live() {{ {psql} -d '{}' -c \"$1\"; }}", self.database.url());
        self.sandbox.write("migrate.sh", format!("set -e\n{q}\n{live}\n{script}\n"));
    }

    /// Waits until the migration has written a file.
    pub(crate) fn wait_for(&self, file: &str) {
        let began = Instant::now();
        while !self.sandbox.path(file).exists() {
            assert!(began.elapsed() < Duration::from_mins(2), "`{file}` does not appear");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The databases of ours that are left on the server.
    pub(crate) fn left(&self) -> String {
        self.database.maintenance_sql(&format!(
            "SELECT string_agg(datname, ' ') FROM pg_database WHERE starts_with(datname, '{}_xtask')",
            self.database.name
        ))
    }
}

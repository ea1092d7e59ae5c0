//! A PostgreSQL server of the test's own: on loopback, in a temporary folder, as another user if we are root.
//!
//! One per test process. A shell beside it waits for the end of a pipe that this process holds, and then stops the
//! server and removes its folder, however this process ended.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::sandbox::Sandbox;
use crate::support::strace::complain;

/// The password of the server's superuser: no output may ever contain it.
pub(crate) const PASSWORD: &str = "marker-pw-5f1c9e";
const USER: &str = "xtask_test";

/// A running server.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    bin: PathBuf,
    port: u16,
    n_databases: AtomicU32,
    /// Its stdin is the pipe that the shell waits for.
    _shell: Child,
}

/// A database on it, dropped with the server.
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
        let Some(bin) = installed() else {
            complain("SKIPPED: a test needs a PostgreSQL server (`apt install postgresql`)\n");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("xtask-db-pg-").tempdir().expect("a folder");
        let folder = folder.keep();
        fs_err::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        fs_err::write(folder.join("password"), PASSWORD).expect("written");
        if let Some((uid, gid)) = other_user() {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).expect("given");
        }
        let data = folder.join("data");
        let initdb = command(&bin.join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args([
                "--username",
                USER,
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .arg("--pwfile")
            .arg(folder.join("password"))
            .args(["--no-sync"])
            .output()
            .expect("initdb runs");
        assert!(initdb.status.success(), "{}", String::from_utf8_lossy(&initdb.stderr));
        let port =
            TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
        // The shell: `cat` ends when the pipe's other end does, with this process.
        let script = "\"$1/postgres\" -D \"$2/data\" -p \"$3\" -c listen_addresses=127.0.0.1 \
            -c unix_socket_directories=\"$2\" -c fsync=off -c max_prepared_transactions=5 \
            -c wal_level=logical </dev/null >\"$2/log\" 2>&1 & server=$!; cat >/dev/null; \
            kill -INT $server; wait $server; rm -rf \"$2\"";
        let mut shell = command(Path::new("/bin/sh"));
        shell.args(["-c", script, "sh"]).arg(&bin).arg(&folder).arg(port.to_string());
        // A Ctrl-C at the terminal of the tests reaches it through the pipe.
        shell.process_group(0);
        let shell = shell.stdin(Stdio::piped()).spawn().expect("a shell");
        let server = Self { bin, port, n_databases: AtomicU32::new(0), _shell: shell };
        server.wait_until_ready(&folder);
        Some(server)
    }

    fn wait_until_ready(&self, folder: &Path) {
        for _ in 0..600 {
            if self.psql("postgres", "SELECT 1").is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("the server does not start: {:?}", fs_err::read_to_string(folder.join("log")));
    }

    /// A new database, filled by statements.
    pub(crate) fn database(&'static self, statements: &str) -> PostgresDatabase {
        let n = self.n_databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("memory_{}_{n}", std::process::id());
        self.psql("postgres", &format!("CREATE DATABASE \"{name}\"")).expect("created");
        let database = PostgresDatabase { server: self, name };
        database.sql(statements);
        database
    }

    /// Runs statements in a database and returns what they print, a line for each row.
    fn psql(&self, database: &str, statements: &str) -> Result<String, String> {
        let mut psql = command(&self.bin.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"])
            .args(["--set=ON_ERROR_STOP=1", "--command", statements])
            .env("PGPASSWORD", PASSWORD)
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", USER)
            .env("PGDATABASE", database);
        let output = psql.stdin(Stdio::null()).output().expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

impl PostgresDatabase {
    /// Its URL, with the password.
    pub(crate) fn url(&self) -> String {
        let port = self.server.port;
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{}", self.name)
    }

    /// Where it is, as messages name it.
    pub(crate) fn place(&self) -> String {
        format!("127.0.0.1:{}/{}", self.server.port, self.name)
    }

    /// Runs statements and returns what they print, a line for each row.
    pub(crate) fn sql(&self, statements: &str) -> String {
        self.server.psql(&self.name, statements).unwrap_or_else(|e| panic!("{statements}: {e}"))
    }

    /// Runs statements in the database `postgres` of the same server.
    pub(crate) fn maintenance_sql(&self, statements: &str) -> String {
        self.server.psql("postgres", statements).unwrap_or_else(|e| panic!("{statements}: {e}"))
    }

    /// All of it, as `pg_dump` writes it, without the lines whose key is random.
    pub(crate) fn dump(&self) -> String {
        let mut dump = command(&self.server.bin.join("pg_dump"));
        dump.env("PGPASSWORD", PASSWORD)
            .args(["--no-password", "--host=127.0.0.1", "--username", USER])
            .arg(format!("--port={}", self.server.port))
            .arg(&self.name);
        let output = dump.output().expect("pg_dump runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A connection of an application that stays open: `psql`, which reads statements from its stdin.
    pub(crate) fn session(&self) -> Child {
        let mut psql = command(&self.server.bin.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"])
            .env("PGPASSWORD", PASSWORD)
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.server.port.to_string())
            .env("PGUSER", USER)
            .env("PGDATABASE", &self.name);
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
        let _ = self.server.psql("postgres", &end);
    }
}

/// The programs of the newest installed server.
fn installed() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = glob_folders("/usr/lib/postgresql")
        .into_iter()
        .map(|folder| folder.join("bin"))
        .filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .collect();
    folders.sort();
    folders.pop()
}

fn glob_folders(parent: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(parent) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).collect()
}

/// Whom the server runs as if we are root, whom it refuses.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs_err::read_to_string("/etc/passwd").expect("users");
    let field = |line: &str, n: usize| line.split(':').nth(n).and_then(|field| field.parse().ok());
    let of = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        Some((field(line, 2)?, field(line, 3)?))
    };
    of("postgres").or_else(|| of("nobody"))
}

/// A program with a clean environment, as the other user.
#[expect(clippy::disallowed_methods, reason = "a server of the test's own")]
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C");
    command.current_dir("/");
    if let Some((uid, gid)) = other_user() {
        command.uid(uid).gid(gid);
    }
    command
}

//! A PostgreSQL server of one's own, for tests and benchmarks.
//!
//! It listens on loopback only, has its data in a temporary folder, and runs as another user if we are
//! root. A shell beside it waits for the end of a pipe that this process holds; then it stops the
//! server and removes the folder, however this process ended.

mod installation;

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

pub use installation::Installation;

/// Waits for the end of its stdin, then ends the server and removes its folder. The options of the
/// server follow the first three arguments.
const WATCH: &str = r#"
bin=$1 folder=$2 port=$3
shift 3
"$bin/postgres" -D "$folder/data" -k "$folder" -p "$port" -c listen_addresses=127.0.0.1 "$@" \
    </dev/null >"$folder/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT "$server"
wait "$server"
rm -rf "$folder"
"#;
/// How long a server may take to accept connections.
const MAX_START: Duration = Duration::from_mins(1);

/// What a server is like.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// Its superuser.
    pub user: &'a str,
    /// The password of the superuser, which every connection needs.
    pub password: &'a str,
    /// Settings of the server, as in `postgresql.conf`: `name=value`.
    pub options: &'a [&'a str],
    /// Where its folder is created.
    pub parent: &'a Path,
}

/// A running server; it ends with its value.
#[derive(Debug)]
pub struct PostgresServer {
    installation: Installation,
    user: String,
    password: String,
    folder: PathBuf,
    port: u16,
    /// Its stdin is the pipe that the shell waits for.
    watch: Child,
}

impl PostgresServer {
    /// Creates a server with the encoding UTF-8 and the locale `C.UTF-8`, and waits until it accepts
    /// connections.
    ///
    /// # Errors
    ///
    /// If `initdb` fails, or the server accepts no connection within a minute.
    pub fn start(installation: Installation, settings: &Settings<'_>) -> Result<Self> {
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("xtask-db-postgres-").tempdir_in(settings.parent)?;
        installation::give_away(folder.path())?;
        initialize(&installation, folder.path(), settings)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut shell = installation::as_server(Path::new("/bin/sh"));
        shell.args(["-c", WATCH, "watch"]).arg(installation.folder()).arg(folder.path());
        shell.arg(port.to_string());
        for option in settings.options {
            shell.args(["-c", option]);
        }
        // A Ctrl-C at our terminal reaches it through the pipe.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watch = shell.spawn().context("could not start a shell beside the server")?;
        let server = Self {
            installation,
            user: settings.user.to_owned(),
            password: settings.password.to_owned(),
            // From here on, the shell removes it.
            folder: folder.keep(),
            port,
            watch,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&self) -> Result<()> {
        let began = Instant::now();
        while let Err(error) = self.sql("postgres", "SELECT 1") {
            if began.elapsed() > MAX_START {
                let log = fs_err::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(error.context(format!("the server does not start: {log}")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The programs that it was started from.
    #[must_use]
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database, with the password of the superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let Self { user, password, port, .. } = self;
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
    }

    /// A client program that finds a database as the superuser through its environment, which
    /// contains nothing else but `PATH`.
    #[must_use]
    pub fn client(&self, program: &str, database: &str) -> Command {
        let mut command = self.installation.program(program);
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", &self.user)
            .env("PGPASSWORD", &self.password)
            .env("PGDATABASE", database);
        command
    }

    /// `psql` that reads statements from its stdin and prints rows without decoration.
    #[must_use]
    pub fn psql(&self, database: &str) -> Command {
        let mut psql = self.client("psql", database);
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"]);
        psql.arg("--set=ON_ERROR_STOP=1");
        psql
    }

    /// Runs statements in a database and returns what they print, a line for each row.
    ///
    /// # Errors
    ///
    /// The server's own words if it refuses one of them.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let output = self
            .psql(database)
            .args(["--command", statements])
            .stdin(Stdio::null())
            .output()
            .context("could not run `psql`")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // The end of the pipe ends the server; its folder is gone when the shell is.
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

fn initialize(installation: &Installation, folder: &Path, settings: &Settings<'_>) -> Result<()> {
    let password = folder.join("password");
    fs_err::write(&password, settings.password)?;
    let mut initdb = installation.program("initdb");
    initdb.arg("--pgdata").arg(folder.join("data")).arg("--pwfile").arg(&password);
    initdb.args(["--username", settings.user, "--auth=scram-sha-256", "--no-sync"]);
    initdb.args(["--encoding=UTF8", "--locale=C.UTF-8"]);
    let output = initdb.output().context("could not run `initdb`")?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "`initdb` failed: {}", said());
    Ok(())
}

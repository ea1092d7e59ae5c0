//! A server for the tests: in a temporary folder, on the loopback, as another user if we are root. It ends
//! by itself when the process of the tests does, however that ends.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use xshell::{Shell, cmd};

use crate::console::interrupt::Interrupt;
use crate::postgres::programs::{Programs, Tools};
use crate::postgres::psql::Psql;
use crate::postgres::quoting;
use crate::postgres::server::Server;

/// The password of its superuser, which must not be found anywhere else.
pub(in crate::postgres) const PASSWORD: &str = "hunter2marker";

/// A database with one of everything that a dump may contain.
pub(in crate::postgres) const EVERYTHING: &str = include_str!("server/everything.sql");

/// Waits for the end of its stdin, then ends the server and removes what it had.
const WATCH: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -p "$3" -c listen_addresses=127.0.0.1 -c fsync=off \
    -c full_page_writes=off -c wal_level=logical -c max_prepared_transactions=5 -c jit=off \
    -c max_connections=60 -c shared_buffers=32MB >"$2/log" 2>&1 &
pid=$!
cat >/dev/null
kill -QUIT "$pid"
wait "$pid"
rm -rf "$2"
"#;

static SERVER: OnceLock<Option<TestServer>> = OnceLock::new();
static N_DATABASES: AtomicU32 = AtomicU32::new(0);

/// A running server.
pub(in crate::postgres) struct TestServer {
    folder: PathBuf,
    bin: PathBuf,
    port: u16,
    _watch: Child,
}

/// The server of this process; `None`, after a remark, if none is installed.
pub(in crate::postgres) fn server() -> Option<&'static TestServer> {
    let server = SERVER.get_or_init(TestServer::start).as_ref();
    if server.is_none() {
        remark("SKIPPED: no PostgreSQL server in /usr/lib/postgresql/15/bin");
    }
    server
}

#[expect(clippy::print_stderr, reason = "a test that is skipped must not look as if it had run")]
fn remark(text: &str) {
    eprintln!("{text}");
}

impl TestServer {
    fn start() -> Option<Self> {
        let bin = PathBuf::from("/usr/lib/postgresql/15/bin");
        if !bin.join("initdb").is_file() || !bin.join("postgres").is_file() {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("xtask-db-postgres-").tempdir().ok()?.keep();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&folder, Some(ids()?.uid), Some(ids()?.gid)).ok()?;
        }
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        initialize(&bin, &folder);
        let watch = start(&bin, &folder, port);
        let server = Self { folder, bin, port, _watch: watch };
        server.await_start();
        Some(server)
    }

    /// A server's URL with its superuser's password.
    pub(in crate::postgres) fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// How to reach a database of it as its superuser.
    pub(in crate::postgres) fn database(&self, name: &str) -> Server {
        Server::parse(&self.url(name)).expect("a URL")
    }

    /// A new empty database with a name of its own.
    pub(in crate::postgres) fn create(&self, name: &str) -> Server {
        let number = N_DATABASES.fetch_add(1, Ordering::SeqCst);
        let name = format!("{name}_{number}");
        self.sql("postgres", &format!("CREATE DATABASE {};", quoting::name(&name)));
        self.database(&name)
    }

    /// Its client programs.
    pub(in crate::postgres) fn programs(&self) -> Programs {
        Programs::of_folder(&self.bin, &Interrupt::default()).expect("programs")
    }

    /// The same of its own version.
    pub(in crate::postgres) fn tools(&self) -> Tools {
        self.programs().any().expect("tools").clone()
    }

    /// Runs statements in a database.
    pub(in crate::postgres) fn sql(&self, database: &str, sql: &str) {
        let interrupt = Interrupt::default();
        let server = self.database(database);
        let mut psql = Psql::connect(&server, &self.tools(), &interrupt).expect("a session");
        psql.run("SET search_path = public; RESET client_min_messages;").expect("settings");
        psql.run(sql).unwrap_or_else(|error| panic!("{error:#}"));
        psql.close().expect("an end");
    }

    /// What a query prints.
    pub(in crate::postgres) fn text(&self, database: &str, query: &str) -> String {
        let interrupt = Interrupt::default();
        let server = self.database(database);
        let mut psql = Psql::connect(&server, &self.tools(), &interrupt).expect("a session");
        let mut printed = Vec::new();
        let mut receive = |bytes: &[u8]| {
            printed.extend_from_slice(bytes);
            Ok(())
        };
        psql.ask(query, &mut receive).unwrap_or_else(|error| panic!("{error:#}"));
        String::from_utf8(printed).expect("UTF-8").trim_end().to_owned()
    }

    fn await_start(&self) {
        let interrupt = Interrupt::default();
        let (server, tools) = (self.database("postgres"), self.tools());
        let began = Instant::now();
        while let Err(error) = Psql::connect(&server, &tools, &interrupt) {
            let log = fs_err::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_mins(1), "{error:#}\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

struct Ids {
    uid: u32,
    gid: u32,
}

/// The user `postgres`, as which a server runs that root starts.
fn ids() -> Option<Ids> {
    let users = fs_err::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2).map(|field| field.parse().ok());
    Some(Ids { uid: fields.next()??, gid: fields.next()?? })
}

/// A program in the folder, as the other user if we are root.
fn command(program: &Path, arguments: &[String], folder: &Path) -> Command {
    let shell = Shell::new().expect("a shell");
    shell.change_dir(folder);
    let mut command = Command::from(cmd!(shell, "{program} {arguments...}"));
    if let Some(ids) = ids().filter(|_| rustix::process::geteuid().is_root()) {
        command.uid(ids.uid).gid(ids.gid);
    }
    command.process_group(0);
    command
}

fn initialize(bin: &Path, folder: &Path) {
    let password = folder.join("password");
    fs_err::write(&password, PASSWORD).expect("a file");
    let arguments = [
        "--pgdata=data",
        "--username=postgres",
        "--pwfile=password",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
    .map(str::to_owned);
    let done = command(&bin.join("initdb"), &arguments, folder).output().expect("initdb");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn start(bin: &Path, folder: &Path, port: u16) -> Child {
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let arguments = [
        "-c".to_owned(),
        WATCH.to_owned(),
        "watch".to_owned(),
        path(bin),
        path(folder),
        port.to_string(),
    ];
    let mut command = command(Path::new("/bin/sh"), &arguments, folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a server")
}

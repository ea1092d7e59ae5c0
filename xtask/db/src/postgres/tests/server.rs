//! The server of the wing's tests, and what they ask it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres_server::{Installation, PostgresServer, Settings};

use crate::console::interrupt::Interrupt;
use crate::postgres::programs::{Programs, Tools};
use crate::postgres::psql::Psql;
use crate::postgres::quoting;
use crate::postgres::server::Server;

/// The password of its superuser, which must not be found anywhere else.
pub(in crate::postgres) const PASSWORD: &str = "hunter2marker";

/// A database with one of everything that a dump may contain.
pub(in crate::postgres) const EVERYTHING: &str = include_str!("server/everything.sql");

const OPTIONS: [&str; 7] = [
    "fsync=off",
    "full_page_writes=off",
    "wal_level=logical",
    "max_prepared_transactions=5",
    "jit=off",
    "max_connections=60",
    "shared_buffers=32MB",
];

static SERVER: OnceLock<Option<TestServer>> = OnceLock::new();
static N_DATABASES: AtomicU32 = AtomicU32::new(0);

/// A running server.
pub(in crate::postgres) struct TestServer(PostgresServer);

/// The server of this process; `None`, after a remark, if none is installed.
pub(in crate::postgres) fn server() -> Option<&'static TestServer> {
    let server = SERVER.get_or_init(TestServer::start).as_ref();
    if server.is_none() {
        remark("SKIPPED: a test needs a PostgreSQL server (`apt install postgresql`)");
    }
    server
}

#[expect(clippy::print_stderr, reason = "a test that is skipped must not look as if it had run")]
fn remark(text: &str) {
    eprintln!("{text}");
}

impl TestServer {
    fn start() -> Option<Self> {
        let installation = Installation::find().expect("an installation")?;
        let parent = std::env::temp_dir();
        let settings =
            Settings { user: "postgres", password: PASSWORD, options: &OPTIONS, parent: &parent };
        Some(Self(PostgresServer::start(installation, &settings).expect("a server")))
    }

    /// A server's URL with its superuser's password.
    pub(in crate::postgres) fn url(&self, database: &str) -> String {
        self.0.url(database)
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
        Programs::of_folder(self.0.installation().folder(), &Interrupt::default())
            .expect("programs")
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
}

//! Restores on a real server, after what a branch or a mistake did.

use std::path::PathBuf;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::files::stage::Stage;
use crate::postgres::dump::read_back::Dump;
use crate::postgres::dump::{self, Dumped};
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::postgres::restore::leftovers::{Leftovers, settle};
use crate::postgres::restore::source::{Proved, Source};
use crate::postgres::restore::swap::{self, build};
use crate::postgres::server::Server;
use crate::postgres::tests::server::{EVERYTHING, TestServer, server};

/// A database with a backup of it.
struct World {
    server: &'static TestServer,
    place: Server,
    programs: Programs,
    interrupt: Interrupt,
    _folder: tempfile::TempDir,
    path: PathBuf,
    dumped: Dumped,
    _stage: Stage,
}

impl World {
    /// A database after some statements, and its backup; `None` without a server.
    fn create(name: &str, sql: &str) -> Option<Self> {
        let server = server()?;
        let place = server.create(name);
        server.sql(&place.database, sql);
        let (programs, interrupt) = (server.programs(), Interrupt::default());
        let folder = tempfile::tempdir().expect("a folder");
        let stage = Stage::create(folder.path(), name).expect("a stage");
        let dumped = dump::dump(&place, &programs, &stage, &interrupt).expect("a dump");
        let path = stage.path().to_owned();
        Some(Self {
            server,
            place,
            programs,
            interrupt,
            _folder: folder,
            path,
            dumped,
            _stage: stage,
        })
    }

    fn place(&self) -> Place<'_> {
        Place { server: &self.place, programs: &self.programs, interrupt: &self.interrupt }
    }

    fn source(&self) -> Source<'_> {
        Source {
            dump: Dump::File(&self.path),
            blake3: &self.dumped.blake3,
            proof: &self.dumped.proof,
            client_version: &self.dumped.client_version,
            extensions: &self.dumped.extensions,
        }
    }

    /// Runs statements in the database.
    fn sql(&self, sql: &str) {
        self.server.sql(&self.place.database, sql);
    }

    /// Checks that the database is what it was when the backup was taken.
    fn check_restored(&self) {
        let now = dump::prove(&self.place, &self.programs, &self.interrupt).expect("a proof");
        let now = now.proof;
        assert_eq!(self.dumped.proof.differences(&now), Vec::<String>::new());
        assert_eq!(now, self.dumped.proof);
    }

    /// The databases whose names begin with this one's.
    fn databases(&self) -> Vec<String> {
        let name = &self.place.database;
        let query = "SELECT datname FROM pg_database WHERE starts_with(datname, ";
        let names = self.server.text("postgres", &format!("{query}'{name}') ORDER BY 1;"));
        names.lines().map(str::to_owned).collect()
    }
}

/// A branch whose migration added a table with a foreign key to an old one.
const FAILED_BRANCH: &str = "
    CREATE TABLE feature_x (id serial PRIMARY KEY, user_id integer NOT NULL REFERENCES users);
    INSERT INTO feature_x (user_id) SELECT id FROM users;
    ALTER TABLE users ADD COLUMN extra text DEFAULT 'x';
    UPDATE posts SET body = 'gone' WHERE id % 3 = 0;
    DELETE FROM posts WHERE id > 490;
    CREATE SCHEMA later; CREATE TABLE later.t (a int);
    CREATE EXTENSION tablefunc;
    SELECT lo_unlink(90002); SELECT lo_create(90003);
    DROP PUBLICATION published; CREATE PUBLICATION other FOR ALL TABLES;
    GRANT ALL ON SCHEMA audit TO PUBLIC; GRANT ALL ON SCHEMA public TO pg_monitor;
    COMMENT ON SCHEMA public IS 'changed'; COMMENT ON SCHEMA audit IS 'changed';
    ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO PUBLIC;
    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;";

mod foreign_dumps;
mod odd_databases;
mod replacing;
mod scratching;
mod swapping;

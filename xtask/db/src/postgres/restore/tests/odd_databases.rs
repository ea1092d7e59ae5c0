//! Databases of other encodings and locales, and of roles that are not superusers.

use super::*;
use crate::postgres::psql::Psql;
use crate::postgres::restore::in_place::restore;

impl World {
    /// The same of a database that these statements create under a name, as a role that is in the URL.
    fn created_by(name: &str, create: &str, user: &str) -> Option<Self> {
        let server = server()?;
        server.sql("postgres", create);
        let place = Server::parse(&server.url(name).replace("postgres:hunter2marker", user));
        let (place, programs) = (place.expect("a URL"), server.programs());
        let interrupt = Interrupt::default();
        let folder = tempfile::tempdir().expect("a folder");
        let mut psql = Psql::connect(&place, &server.tools(), &interrupt).expect("a session");
        psql.run("SET search_path = public;").expect("set");
        psql.run(ORDINARY).expect("created");
        psql.close().expect("closed");
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

    /// Restores it by both ways after a branch.
    fn check_both_ways(&self) {
        self.sql(LATER);
        restore(self.place(), &self.source(), &mut || Ok(())).expect("in place");
        self.check_restored();
        self.sql(LATER);
        let built = build(self.place(), &self.source()).expect("built");
        assert_eq!(built.proved, Proved::Whole);
        built.swap("1").expect("swapped");
        self.check_restored();
    }
}

const ORDINARY: &str = "
    CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm;
    CREATE TABLE \"prénom\" (id serial PRIMARY KEY, name text COLLATE \"C\", tags hstore);
    INSERT INTO \"prénom\" (name, tags) VALUES ('é\t\\.', 'a=>1'), (NULL, NULL);
    CREATE INDEX ON \"prénom\" USING gin (name gin_trgm_ops);
    COMMENT ON TABLE \"prénom\" IS 'où';
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER t BEFORE UPDATE ON \"prénom\" FOR EACH ROW EXECUTE FUNCTION f();
    SELECT lo_from_bytea(0, 'a large object');";

const LATER: &str = "
    CREATE TABLE feature_x (id serial, of integer REFERENCES \"prénom\");
    DELETE FROM \"prénom\" WHERE id = 2; ALTER TYPE mood ADD VALUE 'more';
    CREATE SCHEMA later; CREATE TABLE later.t (a int); SELECT lo_create(0);";

#[test]
fn a_database_in_latin_1_keeps_its_bytes() {
    let create = "CREATE DATABASE in_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';";
    let world = World::created_by("in_latin", create, "postgres:hunter2marker");
    if let Some(world) = world {
        world.check_both_ways();
    }
}

#[test]
fn a_database_without_an_encoding_keeps_its_bytes() {
    let create = "CREATE DATABASE in_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C';";
    if let Some(world) = World::created_by("in_ascii", create, "postgres:hunter2marker") {
        world.check_both_ways();
    }
}

#[test]
fn a_database_with_an_icu_locale_keeps_it() {
    let create = "CREATE DATABASE in_icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' \
                  LOCALE 'C.UTF-8';";
    let Some(world) = World::created_by("in_icu", create, "postgres:hunter2marker") else { return };
    let query = "SELECT datlocprovider, daticulocale FROM pg_database WHERE datname = 'in_icu';";
    world.check_both_ways();
    assert_eq!(world.server.text("postgres", query), "i|de-AT");
}

#[test]
fn a_role_that_only_owns_the_database_can_restore_it() {
    let create = "CREATE ROLE app LOGIN PASSWORD 'app' CREATEDB; CREATE DATABASE of_app OWNER app;";
    let Some(world) = World::created_by("of_app", create, "app:app") else { return };
    assert_eq!(world.dumped.roles, ["app"]);
    let as_app = |sql: &str| {
        let mut psql = Psql::connect(&world.place, &world.server.tools(), &world.interrupt)?;
        psql.run("SET search_path = public;")?;
        psql.run(sql)?;
        psql.close()
    };
    as_app(LATER).expect("a branch");
    restore(world.place(), &world.source(), &mut || Ok(())).expect("in place");
    world.check_restored();
    as_app(LATER).expect("a branch");
    build(world.place(), &world.source()).expect("built").swap("1").expect("swapped");
    world.check_restored();
}

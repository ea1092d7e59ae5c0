//! Backups of a PostgreSQL database: taken, listed, verified, pruned.

use crate::support::postgres_server::{PASSWORD, PostgresServer};

const TABLES: &str = "
    CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL);
    INSERT INTO people (name) VALUES ('Ada'), (E'tab\\there'), (E'back\\\\slash \\\\. dot');
    CREATE TABLE empty_one (a int, b bytea);
    CREATE VIEW names AS SELECT name FROM people;";

#[test]
fn a_backup_is_taken_listed_and_verified() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let said = sandbox.ok(&["db-backup", "--label", "first"]);
    let name = format!("{}.2025-09-13_142530.dump", database.name);
    assert!(said.out.contains(&format!("Backup created at ./backups/{name}")), "{said:#?}");
    assert!(said.out.contains("2 tables, 3 rows, from PostgreSQL "), "{said:#?}");
    let list = sandbox.json(&["db-list"]);
    let record = &list["backups"][0];
    assert_eq!(record["name"], name.as_str());
    assert_eq!(record["state"], "verified");
    assert_eq!(record["tables"]["public.people"], 3);
    assert_eq!(record["source"], database.place().as_str());
    assert!(record.get("sqlite").is_none(), "{record:#}");
    let said = sandbox.ok(&["db-verify", "latest"]);
    assert!(said.out.contains("is whole: size and BLAKE3 as recorded"), "{said:#?}");
}

#[test]
fn an_unchanged_database_costs_a_record() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    sandbox.ok(&["db-backup"]);
    let said = sandbox.ok(&["db-backup", "--if-changed"]);
    assert!(said.out.contains("no new backup was needed"), "{said:#?}");
    sandbox.ok(&["db-backup", "--kind", "scheduled"]);
    let names = sandbox.backups();
    assert_eq!(names.len(), 2);
    let inode = |name: &str| {
        use std::os::unix::fs::MetadataExt as _;
        fs_err::metadata(sandbox.backup_path(name)).expect("there").ino()
    };
    assert_eq!(inode(&names[0]), inode(&names[1]), "a hard link");
    database.sql("INSERT INTO people (name) VALUES ('Grace')");
    sandbox.ok(&["db-backup", "--if-changed"]);
    assert_eq!(sandbox.backups().len(), 3);
}

#[test]
fn every_flipped_byte_of_a_dump_is_found() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    let whole = fs_err::read(sandbox.backup_path(&name)).expect("a dump");
    for at in (0..whole.len()).step_by(whole.len() / 12) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs_err::write(sandbox.backup_path(&name), &flipped).expect("written");
        let said = sandbox.fails(1, &["db-verify", "latest"]);
        assert!(said.out.contains("is damaged"), "byte {at}: {said:#?}");
        let said = sandbox.fails(1, &["db-restore", &name, "--yes"]);
        assert!(said.err.contains("failed its examination"), "byte {at}: {said:#?}");
    }
    fs_err::write(sandbox.backup_path(&name), &whole).expect("written");
    sandbox.ok(&["db-verify", "latest"]);
}

#[test]
fn a_drill_loads_the_dump_and_leaves_nothing_on_the_server() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    sandbox.ok(&["db-backup"]);
    let said = sandbox.ok(&["db-verify", "latest", "--drill"]);
    assert!(said.out.contains("restore drill ok"), "{said:#?}");
    let names = database.maintenance_sql(&format!(
        "SELECT count(*) FROM pg_database WHERE starts_with(datname, '{}_xtask')",
        database.name
    ));
    assert_eq!(names, "0");
}

#[test]
fn db_status_names_the_server_and_what_is_wrong() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    sandbox.ok(&["db-backup"]);
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains(&format!("memory: {}", database.place())), "{said:#?}");
    assert!(said.out.contains("PostgreSQL "), "{said:#?}");
    let wrong = database.url().replace(&database.name, "no_such_database");
    sandbox.write(".env", format!("MEMORY_DB_URL={wrong}\n"));
    let said = sandbox.fails(1, &["db-status"]);
    assert!(said.out.contains("no database") && said.out.contains("createdb"), "{said:#?}");
}

#[test]
fn the_password_is_nowhere() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let mut said = Vec::new();
    for arguments in [
        &["db-backup"][..],
        &["db-list", "--json"],
        &["db-status"],
        &["db-verify", "--all"],
        &["db-restore", "latest", "--dry-run"],
        &["db-export"],
    ] {
        let one = sandbox.run(arguments);
        said.push(format!("{arguments:?} {one:?}"));
    }
    sandbox.write(".env", format!("MEMORY_DB_URL={}x\n", database.url()));
    said.push(format!("{:?}", sandbox.fails(2, &["db-backup"])));
    sandbox.write(".env", format!("MEMORY_DB_URL={}?nonsense=1\n", database.url()));
    said.push(format!("{:?}", sandbox.fails(2, &["db-backup"])));
    let wrong = database.url().replace(PASSWORD, &format!("{PASSWORD}-wrong"));
    sandbox.write(".env", format!("MEMORY_DB_URL={wrong}\n"));
    said.push(format!("{:?}", sandbox.fails(2, &["db-backup"])));
    for line in &said {
        assert!(!line.contains(PASSWORD), "{line}");
    }
    for name in sandbox.backups() {
        let record = sandbox.backup_path(&format!("{name}.json"));
        assert!(!fs_err::read_to_string(record).expect("a record").contains(PASSWORD));
    }
}

#[test]
fn a_password_in_cargo_toml_is_refused() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    let line = format!("url = \"{}\"", database.url());
    sandbox.write("Cargo.toml", manifest.replace("url-env = \"MEMORY_DB_URL\"", &line));
    let said = sandbox.fails(2, &["db-backup"]);
    assert!(said.err.contains("url-env") && !said.err.contains(PASSWORD), "{said:#?}");
}

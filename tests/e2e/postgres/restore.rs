//! Restores of a PostgreSQL database: the old state or the new one, proved, the old one kept.

use std::io::{BufRead as _, BufReader, Write as _};

use crate::support::postgres_server::PostgresServer;

/// A database as an application has it, of all that a dump must bring back.
const APPLICATION: &str = "
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE,
      mood mood DEFAULT 'ok', upper_name text GENERATED ALWAYS AS (upper(name)) STORED);
    INSERT INTO users (name) SELECT 'user ' || n FROM generate_series(1, 500) n;
    CREATE TABLE events (id int, at date NOT NULL) PARTITION BY RANGE (at);
    CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    INSERT INTO events VALUES (1, '2025-05-05'), (2, '2025-06-06');
    CREATE MATERIALIZED VIEW moods AS SELECT mood, count(*) FROM users GROUP BY mood;
    CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT n * 2; END;
    COMMENT ON TABLE users IS 'who ''we'' know; \\! not a command';
    SELECT lo_from_bytea(0, 'a large object');
    CREATE TABLE schema_migrations (version int PRIMARY KEY);
    INSERT INTO schema_migrations VALUES (1);";

/// A migration that went wrong: a table, a key to an old one, and rows that are gone.
const FEATURE: &str = "
    CREATE TABLE feature_x (id int PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id));
    INSERT INTO feature_x VALUES (1, 1);
    ALTER TABLE users DROP COLUMN mood CASCADE;
    INSERT INTO schema_migrations VALUES (2);
    DELETE FROM events;";

#[test]
fn a_failed_branch_is_undone_in_place_and_by_a_swap() {
    let Some(server) = PostgresServer::shared() else { return };
    for way in [&[][..], &["--swap"]] {
        let database = server.database(APPLICATION);
        let sandbox = database.sandbox();
        let before = database.dump();
        let name = sandbox.backup();
        database.sql(FEATURE);
        let after = database.dump();
        assert_ne!(before, after);
        let restore = [&["db-restore", &name, "--yes"], way].concat();
        let said = sandbox.ok(&restore);
        assert!(said.out.contains("[✓] Safety backup created"), "{said:#?}");
        assert!(said.out.contains("equal to the backup"), "{said:#?}");
        assert_eq!(database.dump(), before, "{way:?}");
        // The migration runs again.
        database.sql(FEATURE);
        assert_eq!(database.dump(), after, "{way:?}");
        // And the state that was replaced comes back.
        let said = sandbox.ok(&[&["db-restore", &name, "--yes"], way].concat());
        assert!(said.out.contains("Undo with: cargo xtask db-restore"), "{said:#?}");
        sandbox.ok(&["db-restore", "safety", "--yes"]);
        assert_eq!(database.dump(), after, "{way:?}");
        let others = database.maintenance_sql(&format!(
            "SELECT count(*) FROM pg_database WHERE starts_with(datname, '{}_xtask')",
            database.name
        ));
        assert_eq!(others, "0", "nothing is left on the server");
    }
}

#[test]
fn a_session_survives_a_restore_in_place() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(APPLICATION);
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    database.sql("DELETE FROM events");
    let mut session = database.session();
    let mut stdin = session.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(session.stdout.take().expect("a pipe")).lines();
    let mut ask = |sql: &str| {
        writeln!(stdin, "{sql}").expect("written");
        lines.next().expect("a line").expect("read")
    };
    ask("PREPARE n AS SELECT count(*) FROM events; SELECT pg_backend_pid() AS pid;");
    let pid = ask("SELECT pg_backend_pid();");
    assert_eq!(ask("EXECUTE n;"), "0");
    sandbox.ok(&["db-restore", &name, "--yes"]);
    assert_eq!(ask("SELECT pg_backend_pid();"), pid);
    assert_eq!(ask("SELECT count(*) FROM events;"), "2");
    drop(stdin);
    session.wait().expect("it ends");
}

#[test]
fn equal_content_is_not_restored() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(APPLICATION);
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    let said = sandbox.ok(&["db-restore", &name, "--yes"]);
    assert!(said.out.contains("Nothing to restore: "), "{said:#?}");
    assert_eq!(sandbox.backups(), [name], "no safety backup is left");
}

#[test]
fn a_restore_that_needs_a_role_that_is_gone_is_refused_before_anything_happens() {
    let Some(server) = PostgresServer::shared() else { return };
    for way in [&[][..], &["--swap"]] {
        let database = server.database(APPLICATION);
        let role = format!("role_of_{}", database.name);
        database.maintenance_sql(&format!("CREATE ROLE \"{role}\""));
        database.sql(&format!("ALTER TABLE events OWNER TO \"{role}\""));
        let sandbox = database.sandbox();
        let name = sandbox.backup();
        // The role is gone, so the dump cannot be loaded.
        database.sql("ALTER TABLE events OWNER TO CURRENT_USER; DELETE FROM events");
        database.sql(&format!("DROP OWNED BY \"{role}\""));
        database.maintenance_sql(&format!("DROP ROLE \"{role}\""));
        let before = database.dump();
        let said = sandbox.run(&[&["db-restore", &name, "--yes"], way].concat());
        assert_ne!(said.code, Some(0), "{said:#?}");
        assert!(said.err.contains(&role) && said.err.contains("CREATE ROLE"), "{said:#?}");
        assert_eq!(database.dump(), before);
        sandbox.ok(&["db-backup"]);
    }
}

#[test]
fn a_question_is_asked_and_a_dry_run_changes_nothing() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(APPLICATION);
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    database.sql("DELETE FROM events");
    let before = database.dump();
    let said = sandbox.fails(2, &["db-restore", &name]);
    assert!(said.err.contains("needs `--yes` when there is no terminal"), "{said:#?}");
    let said = sandbox.ok(&["db-restore", &name, "--dry-run"]);
    assert!(said.out.contains(&format!("→ {}", database.place())), "{said:#?}");
    assert_eq!(database.dump(), before);
    let said = sandbox.fails(2, &["db-restore", &name, "--yes", "--into", "x"]);
    assert!(said.err.contains("zstd -dc"), "{said:#?}");
}

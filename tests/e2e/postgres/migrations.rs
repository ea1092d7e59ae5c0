//! `db-migrate`, `db-pre-deploy` and `db-reset` with a PostgreSQL database, and the way back when they fail.

use crate::support::postgres_migrations::{ADD, ServerHost};
use crate::support::postgres_server::PostgresServer;
use crate::support::sandbox::Running;

/// A migration that fails only on the live database, after it has changed and lost something.
fn fails_half_way(host: &ServerHost) -> String {
    format!(
        "q 'CREATE TABLE added (a int); ALTER TABLE users ADD COLUMN age int'\n\
         case $MEMORY_DB_URL in */{name}) q 'DROP TABLE notes'; exit 9;; esac\n\
         q 'CREATE TABLE added_too (a int)'",
        name = host.database.name
    )
}

#[test]
fn a_migration_runs_and_can_be_undone() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, ADD);
    let before = host.database.dump();
    let said = host.sandbox.ok(&["db-migrate"]);
    assert!(said.out.contains(&format!("Migrated {} ", host.database.place())), "{said:#?}");
    assert!(said.out.contains("  + table public.likes"), "{said:#?}");
    let undo = said.out.lines().find_map(|line| line.strip_prefix("Undo with: cargo xtask "));
    let undo: Vec<_> = undo.expect("a way back").split(' ').collect();
    assert_ne!(host.database.dump(), before);
    assert_eq!(host.sandbox.records("pre-migrate").len(), 2);
    host.sandbox.ok(&undo);
    assert_eq!(host.database.dump(), before);
    let document = host.sandbox.json(&["db-migrate"]);
    assert_eq!(document["outcome"], "migrated");
    assert_eq!(document["migration"]["exit_code"], 0);
    assert_eq!(host.left(), "");
    // Now it fails: the table is there.
    let said = host.sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("is refused after its rehearsal"), "{said:#?}");
}

#[test]
fn a_migration_that_fails_half_way_on_the_server_is_put_back() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "");
    host.rewrite(&fails_half_way(&host));
    let before = host.database.dump();
    let mut session = host.database.session();
    let said = host.sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("the command ended with exit status: 9"), "{said:#?}");
    assert!(
        said.err.contains("the state before it was restored; what it replaced: ./backups/"),
        "{said:#?}"
    );
    assert_eq!(host.database.dump(), before);
    assert_eq!(host.left(), "");
    assert!(host.sandbox.run(&["db-status"]).out.contains("memory: "));
    assert!(session.try_wait().expect("asked").is_none(), "a session of an application stays");
    drop(session.stdin.take());
    session.wait().expect("it ends");
    // The safety backup has the state that it left.
    host.sandbox.ok(&["db-restore", "safety", "--yes"]);
    assert_eq!(host.database.sql("SELECT to_regclass('added') IS NOT NULL"), "t");
    host.sandbox.ok(&["db-restore", "safety", "--yes"]);
    assert_eq!(host.database.dump(), before);
}

#[test]
fn a_migration_that_does_something_else_on_the_server_is_put_back() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "");
    let name = &host.database.name;
    host.rewrite(&format!(
        "{ADD}\ncase $MEMORY_DB_URL in */{name}) q 'CREATE TABLE odd (a int)';; esac"
    ));
    let before = host.database.dump();
    let said = host.sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("the schema differs from the one after the rehearsal"), "{said:#?}");
    assert!(said.err.contains("unlike in the rehearsal: + table public.odd"), "{said:#?}");
    assert_eq!(host.database.dump(), before);
}

#[test]
fn a_kill_between_the_migration_and_the_way_back_is_settled_by_db_recover() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "");
    // On the live database it never ends, having changed it.
    let name = host.database.name.clone();
    host.rewrite(&format!(
        "q 'DROP TABLE IF EXISTS added; CREATE TABLE added (a int); ALTER TABLE users ADD COLUMN age int'\n\
         case $MEMORY_DB_URL in */{name}) touch begun; sleep 1000;; esac"
    ));
    let before = host.database.dump();
    let child = host.sandbox.xtask(&["db-migrate"]).spawn().expect("the binary runs");
    host.wait_for("begun");
    drop(Running(child));
    assert_ne!(host.database.dump(), before);
    let said = host.sandbox.run(&["db-status"]);
    assert!(said.out.contains("was interrupted"), "{said:#?}");
    let said = host.sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("db-recover"), "{said:#?}");
    let said = host.sandbox.ok(&["db-recover", "--yes"]);
    assert!(said.out.contains("[✓] Recovered → "), "{said:#?}");
    assert_eq!(host.database.dump(), before);
    let said = host.sandbox.run(&["db-status"]);
    assert!(!said.out.contains("was interrupted"), "{said:#?}");
    assert_eq!(host.left(), "");
}

#[test]
fn a_killed_rehearsal_leaves_nothing_after_the_next_one() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "touch begun; q 'SELECT 1' >/dev/null; sleep 1000");
    let before = host.database.dump();
    let child = host.sandbox.xtask(&["db-pre-migrate"]).spawn().expect("the binary runs");
    host.wait_for("begun");
    assert_ne!(host.left(), "");
    drop(Running(child));
    host.rewrite("q 'SELECT 1' >/dev/null");
    host.sandbox.ok(&["db-pre-migrate"]);
    assert_eq!(host.left(), "");
    assert_eq!(host.database.dump(), before);
}

#[test]
fn the_gate_before_a_deployment_takes_drills_and_rehearses() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, ADD);
    let before = host.database.dump();
    let said = host.sandbox.ok(&["db-pre-deploy"]);
    for line in [
        "Backup created at ./backups/",
        "restore drill ok",
        "  + table public.likes",
        "Ready to deploy.",
    ] {
        assert!(said.out.contains(line), "{line}: {said:#?}");
    }
    host.rewrite("q 'DROP TABLE notes'");
    let said = host.sandbox.fails(1, &["db-pre-deploy"]);
    assert!(said.err.contains("table `public.notes` is dropped with its 20 rows"), "{said:#?}");
    let document = host.sandbox.json(&["db-pre-deploy", "--allow-loss", "notes"]);
    assert_eq!(document["outcome"], "allowed");
    assert_eq!(host.database.dump(), before);
    assert_eq!(host.left(), "");
}

#[test]
fn a_reset_builds_a_new_database_and_keeps_the_old_one() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(
        server,
        "q 'CREATE TABLE fresh (a int PRIMARY KEY); INSERT INTO fresh VALUES (1)'",
    );
    host.sandbox.configure("after-restore = [['sh', 'after.sh']]");
    host.sandbox.write(
        "after.sh",
        "psql --no-psqlrc -qAt -d \"$MEMORY_DB_URL\" -c 'SELECT count(*) FROM fresh' >count",
    );
    let before = host.database.dump();
    let said = host.sandbox.ok(&["db-reset", "--dry-run"]);
    assert!(said.out.contains("Would build a new database with `sh migrate.sh`"), "{said:#?}");
    assert_eq!(host.database.dump(), before);
    let said = host.sandbox.ok(&["db-reset", "--yes"]);
    assert!(said.out.contains("[✓] New database built: 1 table, its dump is proved"), "{said:#?}");
    assert!(said.out.contains("[✓] Safety backup created"), "{said:#?}");
    assert_eq!(host.database.sql("SELECT a FROM fresh"), "1");
    assert_eq!(host.database.sql("SELECT to_regclass('users') IS NULL"), "t");
    assert_eq!(fs_err::read_to_string(host.sandbox.path("count")).expect("it ran").trim(), "1");
    assert_eq!(host.left(), "");
    host.sandbox.run(&["db-restore", "safety", "--yes"]);
    assert_eq!(host.database.dump(), before);
    // One that builds nothing, and one that fails, change nothing.
    for script in ["q 'SELECT 1' >/dev/null", "exit 3"] {
        host.rewrite(script);
        let said = host.sandbox.fails(1, &["db-reset", "--yes"]);
        assert!(said.err.contains("could not reset"), "{said:#?}");
        assert_eq!(host.database.dump(), before);
        assert_eq!(host.left(), "");
    }
}

#[test]
fn commands_after_a_restore_get_the_url() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "");
    host.sandbox.configure("after-restore = [['sh', 'after.sh']]");
    host.sandbox.write(
        "after.sh",
        "psql --no-psqlrc -qAt -d \"$MEMORY_DB_URL\" -c 'SELECT count(*) FROM notes' >count",
    );
    let name = host.sandbox.backup();
    host.database.sql("DELETE FROM notes");
    host.sandbox.ok(&["db-restore", &name, "--yes"]);
    assert_eq!(fs_err::read_to_string(host.sandbox.path("count")).expect("it ran").trim(), "20");
}

#[test]
fn a_migration_of_one_database_leaves_the_others_alone() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, ADD);
    let other = server.database("CREATE TABLE other (a int)");
    host.sandbox.write("backend/db/kalito.db", "");
    host.sandbox.sql("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    host.sandbox.configure(
        "[workspace.metadata.db.databases.kalito]\npath = 'backend/db/kalito.db'\nmigrate = ['sh', 'file.sh']\n\
         [workspace.metadata.db.databases.other]\nurl-env = 'OTHER_DB_URL'\nmigrate = ['sh', 'migrate.sh']\n"
    );
    host.sandbox.write(
        ".env",
        format!("MEMORY_DB_URL={}\nOTHER_DB_URL={}\n", host.database.url(), other.url()),
    );
    let (file, before) = (fs_err::read(host.sandbox.live()).expect("there"), other.dump());
    host.sandbox.fails(2, &["db-migrate"]);
    host.sandbox.ok(&["db-migrate", "--db", "memory"]);
    assert_eq!(host.database.sql("SELECT to_regclass('likes') IS NOT NULL"), "t");
    assert_eq!(fs_err::read(host.sandbox.live()).expect("there"), file);
    assert_eq!(other.dump(), before);
}

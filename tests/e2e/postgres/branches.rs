//! A PostgreSQL database beside git: checkpoints by the hooks, and the way back after a branch that failed.

use crate::support::postgres_server::{PostgresDatabase, PostgresServer};
use crate::support::sandbox::Sandbox;

const TABLES: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text);
    INSERT INTO users VALUES (1, 'Ada'), (2, 'Grace');";

/// A repository with the hooks, whose migrations are schema files.
fn host(database: &PostgresDatabase) -> Sandbox {
    let sandbox = database.sandbox();
    sandbox.configure("schema = [\"migrations/*.sql\"]");
    sandbox.write("migrations/0001_users.sql", "-- users\n");
    sandbox.write(".gitignore", ".env\n");
    sandbox.hooked(&["init", "--quiet", "--initial-branch=main"]);
    sandbox.hooked(&["add", "--all"]);
    sandbox.hooked(&["commit", "--quiet", "--message=first"]);
    let said = sandbox.ok(&["db-setup"]);
    assert!(said.out.contains("Backup created at"), "{said:#?}");
    sandbox
}

#[test]
fn a_commit_of_a_migration_takes_a_checkpoint_and_the_branch_can_be_rolled_back() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = host(&database);
    let before = database.dump();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    assert_eq!(sandbox.records("branch").len(), 1);
    sandbox.write("migrations/0002_feature.sql", "-- feature\n");
    sandbox.hooked(&["add", "--all"]);
    sandbox.hooked(&["commit", "--quiet", "--message=feature"]);
    assert_eq!(sandbox.records("pre-commit").len(), 1);
    assert!(sandbox.git(&["log", "-1", "--format=%B"]).contains("Db-Backup: "));
    database.sql(
        "CREATE TABLE feature_x (user_id int REFERENCES users (id)); DELETE FROM users WHERE id = 2",
    );
    let said = sandbox.ok(&["db-rollback", "--yes"]);
    assert!(said.out.contains("[✓] Safety backup created"), "{said:#?}");
    assert_eq!(database.dump(), before);
}

#[test]
fn retention_prunes_dumps_and_keeps_the_newest() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    for n in 3..7 {
        database.sql(&format!("INSERT INTO users VALUES ({n}, 'more')"));
        sandbox.ok(&["db-backup"]);
    }
    let pinned = sandbox.backups()[0].clone();
    sandbox.ok(&["db-pin", &pinned]);
    sandbox.ok(&["db-prune", "--keep-last", "2", "--yes"]);
    let left = sandbox.backups();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.contains(&pinned));
    sandbox.ok(&["db-verify", "--all"]);
}

//! A project with several databases: lists, hooks and scripts say which one they mean.

use crate::support::sandbox::Sandbox;

/// Two databases whose schema files a commit may touch, and hooks.
fn two() -> Sandbox {
    let sandbox = Sandbox::with_hooks();
    sandbox.configure(
        "\n[workspace.metadata.db.databases.logs]\npath = 'logs.db'\nschema = ['logs/*.sql']",
    );
    fs_err::copy(sandbox.live(), sandbox.path("logs.db")).expect("copied");
    sandbox.write("logs/0001_logs.sql", "-- logs\n");
    sandbox.hooked(&["add", "--all"]);
    sandbox
}

#[test]
fn hook_messages_name_the_database() {
    let sandbox = two();
    sandbox.ok(&["db-hooks", "install"]);
    let said = sandbox.hooked(&["commit", "--quiet", "--message=logs"]);
    assert!(said.err.contains("xtask-db: checkpoint of database `logs`: logs.db."), "{said:#?}");
    let said = sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    for name in ["kalito", "logs"] {
        let checkpoint = format!("xtask-db: checkpoint of database `{name}`: {name}.db.");
        assert!(said.err.contains(&checkpoint), "{said:#?}");
        let way_back = format!("`cargo xtask db-rollback --db {name}` restores the database");
        assert!(said.err.contains(&way_back), "{said:#?}");
    }
    let said = sandbox.hooked(&["switch", "--quiet", "main"]);
    assert!(said.err.contains("xtask-db: database `logs` is as it was on `main`"), "{said:#?}");
}

#[test]
fn one_script_of_differences_is_for_one_database() {
    let sandbox = two();
    sandbox.ok(&["db-backup"]);
    let said = sandbox.fails(2, &["db-diff", "--sql"]);
    assert_eq!(said.out, "");
    assert!(said.err.contains("choose one with `--db`: `kalito`, `logs`"), "{said:#?}");
    sandbox.ok(&["db-diff", "--sql", "--db", "logs"]);
    sandbox.ok(&["db-diff"]);
    let name = sandbox.backups().remove(0);
    sandbox.ok(&["db-diff", "--sql", &name]);
}

//! `db-status` of the live database: its schema, and what is wrong with its file.

use super::{backed_up, codes, mended_by, one_problem, paste};
use crate::support::museum::{Random, remove_live};
use crate::support::sandbox::Sandbox;

#[test]
fn a_schema_that_changed_since_the_last_backup_is_mended_by_a_new_one() {
    let sandbox = backed_up();
    sandbox.sql("INSERT INTO messages (content) VALUES ('rows are no drift')");
    sandbox.ok(&["db-status"]);
    sandbox.sql("CREATE TABLE added (a); PRAGMA user_version=13;");
    let what = "the schema changed since the last backup, `kalito.db.2025-09-13_142530.bak` \
                (version 12, now 13)";
    mended_by(&sandbox, "schema-drift", what, "cargo xtask db-backup");
}

#[test]
fn a_restored_schema_is_no_change_until_it_changes_again() {
    let sandbox = Sandbox::new();
    let first = sandbox.backup();
    sandbox.sql("CREATE TABLE added (a); PRAGMA user_version=13;");
    sandbox.backup();
    sandbox.ok(&["db-restore", &first, "--yes"]);
    let said = sandbox.ok(&["db-status"]);
    assert!(said.out.contains("schema as backed up"), "{said:#?}");
    sandbox.ok(&["db-restore", "safety", "--yes"]);
    sandbox.ok(&["db-status"]);
    sandbox.ok(&["db-restore", &first, "--yes"]);
    sandbox.sql("CREATE TABLE other (a)");
    let what = format!("the schema changed since `{first}` was restored");
    mended_by(&sandbox, "schema-drift", &what, "cargo xtask db-backup");
}

#[test]
fn a_path_that_names_a_folder_is_to_be_corrected_and_nothing_else() {
    let sandbox = backed_up();
    sandbox.git_init();
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    sandbox.write("backend/db/migrations/1.sql", "-- one\n");
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message=migrations"]);
    sandbox.write("Cargo.toml", manifest.replace("db/kalito.db", "db/migrations"));
    let what = "`backend/db/migrations` is a folder\n";
    let remedy = "correct `path` in [workspace.metadata.db.databases.kalito] in Cargo.toml\n";
    one_problem(&sandbox, "foreign", what, remedy);
    let said = sandbox.run(&["db-status"]);
    assert!(!said.out.contains("git rm"), "{said:#?}");
}

#[test]
fn migrations_that_were_not_applied_are_counted() {
    let sandbox = backed_up();
    sandbox.configure("schema = ['migrations/*.sql']");
    for file in ["0012_a.sql", "0013_b.up.sql", "0013_b.down.sql", "0014_c.sql"] {
        sandbox.write(&format!("migrations/{file}"), "");
    }
    let what = "2 migrations not applied: the database has schema version 12, the code 14";
    let remedy = "cargo xtask db-migrate   # first set `migrate` in \
                  [workspace.metadata.db.databases.kalito] in Cargo.toml\n";
    one_problem(&sandbox, "pending-migrations", what, remedy);
    sandbox.configure("migrate = ['sh', 'migrate.sh']");
    one_problem(&sandbox, "pending-migrations", what, "cargo xtask db-migrate");
    sandbox.sql("PRAGMA user_version=14");
    sandbox.ok(&["db-status"]);
    sandbox.sql("PRAGMA user_version=15");
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains("schema version 15, newer than the code's 14"), "{said:#?}");
}

#[test]
fn a_missing_database_is_put_back_or_made() {
    let sandbox = backed_up();
    remove_live(&sandbox);
    let what = "there is no database at `backend/db/kalito.db`";
    mended_by(&sandbox, "missing", what, "cargo xtask db-restore latest");
    let sandbox = Sandbox::new();
    remove_live(&sandbox);
    one_problem(&sandbox, "missing", what, "cargo xtask db-setup");
}

#[test]
fn a_linked_worktree_without_a_database_is_told_where_to_get_one() {
    let sandbox = Sandbox::new();
    sandbox.write("backend/db/.gitkeep", "");
    sandbox.git_init();
    sandbox.ok(&["db-backup"]);
    sandbox.git(&["switch", "--quiet", "--create", "other"]);
    sandbox.ok(&["db-backup"]);
    sandbox.git(&["worktree", "add", "--quiet", "../linked", "-b", "linked"]);
    let linked = sandbox.path("../linked");
    let run = |arguments: &[&str]| {
        let mut command = sandbox.xtask(arguments);
        sandbox.said(&command.current_dir(&linked).output().expect("the binary runs"))
    };
    let said = run(&["db-status"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.out.contains("\n    cargo xtask db-restore @main\n"), "{said:#?}");
    let said = run(&["db-restore", "@main", "--yes"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said = run(&["db-status"]);
    assert!(said.out.contains("\n    cargo xtask db-backup\n"), "no backup of its own: {said:#?}");
}

#[test]
fn an_empty_a_foreign_and_a_damaged_file_are_restored_over() {
    let damaged = |sandbox: &Sandbox| {
        let mut bytes = crate::support::museum::raw(sandbox);
        bytes[100..200].fill(0xff);
        bytes
    };
    for (code, what, bytes) in [
        ("empty", "`backend/db/kalito.db` is an empty file (0 bytes)", None),
        ("foreign", "`backend/db/kalito.db` is not an SQLite database", Some(b"text".to_vec())),
        ("damaged", "`backend/db/kalito.db` is damaged: ", Some(damaged(&backed_up()))),
    ] {
        let sandbox = backed_up();
        remove_live(&sandbox);
        sandbox.write("backend/db/kalito.db", bytes.unwrap_or_default());
        mended_by(&sandbox, code, what, "cargo xtask db-restore latest");
    }
}

#[test]
fn what_may_be_encrypted_is_said_to_be() {
    let sandbox = backed_up();
    remove_live(&sandbox);
    let random = Random(5).bytes(8192);
    sandbox.write("backend/db/kalito.db", random);
    let what = "`backend/db/kalito.db` is not an SQLite database; it may be encrypted";
    mended_by(&sandbox, "encrypted", what, "cargo xtask db-restore latest --force");
}

#[test]
fn a_damaged_database_without_a_backup_is_set_aside_first() {
    let sandbox = Sandbox::new();
    let mut bytes = crate::support::museum::raw(&sandbox);
    bytes[100..200].fill(0xff);
    crate::support::museum::put(&sandbox, &bytes);
    let remedy = "cargo xtask db-backup --damaged";
    one_problem(&sandbox, "damaged", "`backend/db/kalito.db` is damaged: ", remedy);
    paste(&sandbox, remedy);
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains("\n  set aside    ./backups/kalito.db.ASIDE."), "{said:#?}");
}

#[test]
fn a_wal_without_its_database_is_seen() {
    let sandbox = backed_up();
    remove_live(&sandbox);
    sandbox.write("backend/db/kalito.db-wal", "left over");
    assert_eq!(codes(&sandbox, &[]), ["missing", "sidecars-alone"]);
    paste(&sandbox, "cargo xtask db-restore latest");
    assert_eq!(codes(&sandbox, &[]), [""; 0]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_database_deleted_under_its_application_is_still_found_there() {
    let sandbox = backed_up();
    let application = crate::support::sandbox::open(&sandbox.live());
    let _: i64 =
        application.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).expect("rows");
    remove_live(&sandbox);
    let said = sandbox.fails(1, &["db-status"]);
    let pid = std::process::id();
    assert!(said.out.contains("it was deleted: `"), "{said:#?}");
    assert!(said.out.contains(&format!("\n    ls -l /proc/{pid}/fd")), "{said:#?}");
}

//! One lock per database file: of the commands that replace or migrate it one works at a time, whatever
//! project it belongs to and wherever its backups go.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::migrate::interrupt::{ON_LIVE, hangs_at};
use crate::support::museum::names;
use crate::support::sandbox::{Running, Sandbox, messages, open};
use crate::support::shell_migrations::{ADD, content, host, rewrite};

/// Ends a migration that hangs on the live database.
const UNTIL_LET_GO: &str = "case $DB in *backend/db/kalito.db) echo > began
    until [ -e go ]; do sleep 0.01; done ;; esac";

fn begun(sandbox: &Sandbox, arguments: &[&str]) -> Running {
    let mut xtask = sandbox.xtask(arguments);
    let child = xtask.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut running = Running(child);
    let began = Instant::now();
    while !sandbox.path("began").exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "the migration never began");
        assert!(running.0.try_wait().expect("asked").is_none(), "it ended before");
        std::thread::yield_now();
    }
    running
}

/// The names of the files beside the live database.
fn beside(sandbox: &Sandbox) -> Vec<String> {
    names(&sandbox.path("backend/db"))
}

#[test]
fn what_would_replace_a_database_waits_for_its_migration_and_says_for_whom() {
    let Some(sandbox) = host(&format!("{ADD}\n{UNTIL_LET_GO}")) else { return };
    sandbox.backup();
    sandbox.ok(&["db-export", "--output", "all.jsonl"]);
    let migration = begun(&sandbox, &["db-migrate"]);
    let pid = migration.0.id();
    let before = messages(&sandbox.live());
    let commands: [&[&str]; 8] = [
        &["db-restore", "oldest", "--yes"],
        &["db-restore", "oldest", "--table", "messages", "--yes"],
        &["db-rollback", "--to", "oldest", "--yes"],
        &["db-reset", "--yes"],
        &["db-import", "--merge", "all.jsonl"],
        &["db-import", "all.jsonl", "--force", "--yes"],
        &["db-pre-migrate"],
        &["db-migrate"],
    ];
    for command in commands {
        let said = sandbox.fails(3, &[command, &["--busy-timeout", "0"]].concat());
        let message = format!(
            "another command is working on `backend/db/kalito.db`: `db-migrate` (process {pid}): \
             waited"
        );
        assert!(said.err.contains(&message), "{command:?}: {said:#?}");
    }
    // What looks, and what takes a backup, does not wait.
    for command in [&["db-backup"][..], &["db-list"], &["db-status"], &["db-diff"]] {
        let said = sandbox.ok(&[command, &["--busy-timeout", "0"]].concat());
        assert!(!said.err.contains("was interrupted"), "{command:?}: {said:#?}");
    }
    assert_eq!(messages(&sandbox.live()), before);
    sandbox.write("go", "");
    let said = sandbox.said(&migration.output());
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(beside(&sandbox), ["kalito.db"]);
}

#[test]
fn several_migrations_at_once_never_take_each_other_s_success_back() {
    for n in [2, 4] {
        let Some(sandbox) =
            host("q \"$DB\" 'CREATE TABLE n (a); PRAGMA user_version=13'\nsleep 0.1")
        else {
            return;
        };
        let spawn = |_| {
            let mut xtask = sandbox.xtask(&["db-migrate", "--busy-timeout", "60"]);
            xtask.stdout(Stdio::piped()).stderr(Stdio::piped());
            Running(xtask.spawn().expect("it runs"))
        };
        let running: Vec<_> = (0..n).map(spawn).collect();
        let said: Vec<_> = running.into_iter().map(|one| sandbox.said(&one.output())).collect();
        let n_migrated = said.iter().filter(|said| said.out.contains("Migrated ")).count();
        assert_eq!(n_migrated, 1, "{said:#?}");
        // To all others the table is there already.
        let n_refused = said.iter().filter(|said| said.code == Some(1)).count();
        assert_eq!(n_refused, n - 1, "{said:#?}");
        let version: i64 = open(&sandbox.live())
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .expect("a version");
        assert_eq!(version, 13, "{said:#?}");
    }
}

#[test]
fn a_migration_may_take_backups_of_its_own() {
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let script = format!(
        "{ADD}\ncase $DB in *backend/db/kalito.db) {xtask} db-backup --label inside ;; esac"
    );
    let Some(sandbox) = host(&script) else { return };
    let said = sandbox.ok(&["db-migrate"]);
    assert!(said.out.contains("Migrated "), "{said:#?}");
    let list = sandbox.json(&["db-list"]);
    let labels = list["backups"].as_array().expect("backups").iter().map(|one| &one["label"]);
    assert_eq!(labels.filter(|label| *label == "inside").count(), 1, "{list:#}");
}

/// Another project, with backups of its own, whose database is that of the first through a symbolic link.
fn other_project_on(sandbox: &Sandbox) -> Sandbox {
    let other = Sandbox::new();
    fs_err::remove_dir_all(other.path("backend/db")).expect("removed");
    std::os::unix::fs::symlink(sandbox.path("backend/db"), other.path("backend/db"))
        .expect("linked");
    other.configure("migrate = ['sh', 'migrate.sh']\nmigrate-env = 'APP_DB'");
    rewrite(&other, ADD);
    other
}

#[test]
fn another_project_with_backups_of_its_own_waits_for_the_same_file() {
    let Some(sandbox) = host(&format!("{ADD}\n{}", hangs_at(ON_LIVE))) else { return };
    let other = other_project_on(&sandbox);
    other.backup();
    let before = content(&sandbox);
    let mut migration = begun(&sandbox, &["db-migrate"]);
    let said = other.fails(3, &["db-restore", "latest", "--yes", "--busy-timeout", "0"]);
    assert!(said.err.contains("`db-migrate` (process"), "{said:#?}");
    // Killed, it is reported over there too, and can be ended from there.
    migration.0.kill().expect("killed");
    migration.0.wait().expect("it ends");
    let status = other.fails(1, &["db-status"]);
    assert!(status.out.contains("was interrupted"), "{status:#?}");
    let said = other.fails(1, &["db-migrate"]);
    assert!(said.err.contains("`cargo xtask db-recover` goes back"), "{said:#?}");
    other.ok(&["db-recover", "--yes"]);
    assert_eq!(content(&sandbox), before);
    sandbox.ok(&["db-list"]);
    for project in [&sandbox, &other] {
        let said = project.ok(&["db-list"]);
        assert!(!said.err.contains("was interrupted"), "{said:#?}");
        assert_eq!(names(&project.path("backups/under-way")), [""; 0]);
    }
    assert_eq!(beside(&sandbox), ["kalito.db"]);
}

#[test]
fn linked_worktrees_have_databases_of_their_own_and_do_not_wait() {
    let Some(sandbox) = host(&format!("{ADD}\n{}", hangs_at("root/backend/db/kalito.db"))) else {
        return;
    };
    sandbox.git_init();
    sandbox.git(&["worktree", "add", "--quiet", "../other"]);
    let other = sandbox.path("../other/backend/db/kalito.db");
    fs_err::create_dir_all(other.parent().expect("parent")).expect("folder");
    fs_err::copy(sandbox.live(), &other).expect("copied");
    let mut migration = begun(&sandbox, &["db-migrate"]);
    let there = |arguments: &[&str]| {
        let mut xtask = sandbox.xtask(arguments);
        sandbox.said(&xtask.current_dir(sandbox.path("../other")).output().expect("it runs"))
    };
    let said = there(&["db-migrate", "--busy-timeout", "0"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    migration.0.kill().expect("killed");
    migration.0.wait().expect("it ends");
    let said = there(&["db-migrate", "--busy-timeout", "0"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(!said.err.contains("was interrupted"), "{said:#?}");
    assert!(sandbox.fails(1, &["db-migrate"]).err.contains("was interrupted"));
}

#[test]
fn what_looks_leaves_nothing_beside_the_database_and_no_folder_behind() {
    let sandbox = Sandbox::new();
    sandbox.backup();
    let before = beside(&sandbox);
    for command in [&["db-status"][..], &["db-list"], &["db-diff"], &["db-verify", "--all"]] {
        sandbox.run(command);
        assert_eq!(beside(&sandbox), before, "{command:?}");
    }
    fs_err::remove_dir_all(sandbox.path("backend")).expect("removed");
    sandbox.fails(2, &["db-import", "--merge", "none.jsonl"]);
    sandbox.fails(2, &["db-migrate", "--", "true"]);
    assert!(!sandbox.path("backend").exists(), "a folder was left for a lock");
}

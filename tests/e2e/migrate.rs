//! `db-migrate`: the migration of the live database, and every way back.

pub(crate) mod beside_writers;
pub(crate) mod changed_live_rows;
pub(crate) mod interrupt;
pub(crate) mod kill;
pub(crate) mod lost_values;
pub(crate) mod pre_deploy;
pub(crate) mod pre_migrate;
pub(crate) mod real_runners;
pub(crate) mod rehearsal_beside_others;
pub(crate) mod reset;
pub(crate) mod setup;
pub(crate) mod way_back;

use crate::support::sandbox::{Running, Sandbox, messages, open};
use crate::support::shell_migrations::{
    ADD, CASCADE, LIVE, content, host, host_with_children, leftovers, masked, n_rows,
};

/// Runs only where `$DB` is the live database.
fn on_live(script: &str) -> String {
    format!("case $DB in *backend/db/kalito.db) {script} ;; esac")
}

/// The names of the safety backups.
fn safeties(sandbox: &Sandbox) -> Vec<String> {
    let mut names = sandbox.backups();
    names.retain(|name| name.contains(".SAFETY."));
    names
}

#[test]
fn a_migration_runs_after_its_rehearsal_and_can_be_undone() {
    let Some(sandbox) = host(ADD) else { return };
    let before = content(&sandbox);
    let said = sandbox.ok(&["db-migrate"]);
    insta::assert_snapshot!(masked(&said.out), @"
    Rehearsed `sh migrate.sh` on a private copy of ./backend/db/kalito.db in 9 ms
      + table added
      added: 0 rows
    Checkpoint created at ./backups/kalito.db.2025-09-13_142630.pages
    Migrated ./backend/db/kalito.db in 9 ms
      + table added
      added: 0 rows
    Undo with: cargo xtask db-restore kalito.db.2025-09-13_142630-2.pages --yes
    ");
    assert_eq!(n_rows(&sandbox, "added"), 0);
    assert_eq!(leftovers(&sandbox), Vec::<String>::new());
    sandbox.ok(&["db-restore", "kalito.db.2025-09-13_142630-2.pages", "--yes"]);
    assert_eq!(content(&sandbox), before);
}

#[test]
fn where_nothing_is_pending_the_live_database_is_not_run_on() {
    let Some(sandbox) = host(&format!("echo run >> runs\n{ADD}")) else { return };
    sandbox.sql("CREATE TABLE added (a)");
    let said = sandbox.ok(&["db-migrate"]);
    assert!(said.out.starts_with("Nothing is pending: "), "{said:#?}");
    assert_eq!(fs_err::read_to_string(sandbox.path("runs")).expect("runs"), "run\n");
}

#[test]
fn a_migration_refused_by_its_rehearsal_never_runs_on_the_live_database() {
    let Some(sandbox) = host_with_children(&format!("echo run >> runs\n{CASCADE}")) else {
        return;
    };
    let before = content(&sandbox);
    let said = sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("table `notes` loses 3 of its 3 rows"), "{said:#?}");
    assert_eq!(fs_err::read_to_string(sandbox.path("runs")).expect("runs"), "run\n");
    assert_eq!(content(&sandbox), before);
    sandbox.ok(&["db-migrate", "--allow-loss", "notes"]);
    assert_eq!(n_rows(&sandbox, "notes"), 0);
}

#[test]
fn one_that_fails_on_the_live_database_only_is_a_round_trip() {
    let Some(sandbox) = host(&format!("{ADD}\n{}", on_live("exit 7"))) else { return };
    let before = content(&sandbox);
    let said = sandbox.fails(1, &["db-migrate"]);
    insta::assert_snapshot!(said.err, @"
    Rehearsing `sh migrate.sh` on a private copy of ./backend/db/kalito.db
    Running `sh migrate.sh` on ./backend/db/kalito.db
    error: the migration of `backend/db/kalito.db` failed; the state before it was restored; what it replaced: ./backups/kalito.db.SAFETY.2025-09-13_142630.bak
      caused by: the command ended with exit status: 7
    hint: correct the cause and run `cargo xtask db-migrate` again
    ");
    assert!(
        said.out.contains(
            "The replaced state, including everything written since: ./backups/kalito.db.SAFETY."
        ),
        "{said:#?}"
    );
    assert_eq!(content(&sandbox), before);
    let document = sandbox.json(&["db-migrate"]);
    assert_eq!(document["outcome"], "put-back", "{document:#}");
    assert_eq!(document["migration"]["exit_code"], 7, "{document:#}");
    assert_eq!(document["error"]["exit_code"], 1, "{document:#}");
    let safety = document["safety"].as_str().expect("a safety backup");
    let replaced = open(&sandbox.backup_path(safety));
    assert_eq!(
        crate::support::shell_migrations::count(&replaced, "added"),
        0,
        "what the migration left"
    );
    assert_eq!(content(&sandbox), before);
}

#[test]
fn one_whose_transaction_was_rolled_back_leaves_nothing_to_put_back() {
    let Some(sandbox) = host(&format!("{}\n{ADD}", on_live("exit 7"))) else { return };
    let before = content(&sandbox);
    let said = sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("failed; the database is as it was before"), "{said:#?}");
    assert_eq!(content(&sandbox), before);
    assert_eq!(safeties(&sandbox), Vec::<String>::new());
}

#[test]
fn where_the_schema_is_unchanged_nothing_is_put_back_and_both_commands_are_shown() {
    let script =
        on_live(&format!("q {LIVE} \"INSERT INTO messages (content) VALUES ('late')\"; exit 7"));
    let Some(sandbox) = host(&format!("{script}\n{ADD}")) else { return };
    let said = sandbox.fails(1, &["db-migrate"]);
    insta::assert_snapshot!(said.err, @"
    Rehearsing `sh migrate.sh` on a private copy of ./backend/db/kalito.db
    Running `sh migrate.sh` on ./backend/db/kalito.db
    error: the migration of `backend/db/kalito.db` failed; its schema is unchanged, but the migration or an application changed its rows; nothing was restored
      caused by: the command ended with exit status: 7
    hint: go back with `cargo xtask db-restore kalito.db.2025-09-13_142530-2.pages --yes` (a safety backup is taken first), or go on with `cargo xtask db-migrate`
    ");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three", "late"]);
}

#[test]
fn a_schema_other_than_the_rehearsed_one_is_put_back() {
    let script = on_live("q \"$DB\" 'CREATE TABLE surprise (a)'");
    let Some(sandbox) = host(&format!("{ADD}\n{script}")) else { return };
    let before = content(&sandbox);
    let said = sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("the schema differs from the one after the rehearsal"), "{said:#?}");
    assert!(said.err.contains("unlike in the rehearsal: + table surprise"), "{said:#?}");
    assert_eq!(content(&sandbox), before);
}

#[test]
fn a_loss_on_the_live_database_only_is_put_back() {
    let script = on_live("q \"$DB\" 'DELETE FROM messages WHERE id = 1'");
    let Some(sandbox) = host(&format!("{ADD}\n{script}")) else { return };
    let before = content(&sandbox);
    let said = sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("table `messages` loses 1 of its 3 rows"), "{said:#?}");
    assert_eq!(content(&sandbox), before);
}

#[test]
fn one_that_hangs_on_the_live_database_is_ended_and_put_back() {
    let Some(sandbox) = host(&format!("{ADD}\n{}", on_live("sleep 600"))) else { return };
    sandbox.configure("migrate-timeout = '2s'");
    let before = content(&sandbox);
    let said = sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("did not end within 2.0 s"), "{said:#?}");
    assert!(said.err.contains("the state before it was restored"), "{said:#?}");
    assert_eq!(content(&sandbox), before);
}

#[test]
fn damage_on_the_live_database_only_is_put_back_with_the_raw_files_kept() {
    let script =
        on_live("dd if=/dev/zero of=\"$DB\" bs=4096 seek=1 count=1 conv=notrunc 2>/dev/null");
    let Some(sandbox) = host(&format!("{ADD}\n{script}")) else { return };
    sandbox.sql("PRAGMA journal_mode=DELETE");
    let before = content(&sandbox);
    let said = sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("damaged"), "{said:#?}");
    assert_eq!(content(&sandbox), before, "{said:#?}");
}

#[test]
fn garbage_that_looks_like_an_encrypted_database_is_put_back_with_the_raw_files_kept() {
    let garbage = "rm -f $DB-wal $DB-shm; cat garbage > $DB";
    let pre = format!("{ADD}\n{}", on_live(garbage));
    // It holds the file long enough to be seen with it.
    let rehearsal = format!("exec 3< {LIVE}\ncat garbage > {LIVE}\nsleep 0.3");
    for (command, script) in [("db-migrate", &pre), ("db-pre-migrate", &rehearsal)] {
        let Some(sandbox) = host(script) else { return };
        sandbox.sql("PRAGMA journal_mode=DELETE");
        let bytes = crate::support::museum::Random(7).bytes(8192);
        sandbox.write("garbage", &bytes);
        let before = content(&sandbox);
        let said = sandbox.fails(1, &[command]);
        assert!(said.err.contains("was restored"), "{said:#?}");
        assert_eq!(content(&sandbox), before, "{said:#?}");
        let backups = crate::support::museum::names(&sandbox.path("backups"));
        let aside = backups.iter().find(|name| name.contains(".ASIDE.")).expect("kept");
        let kept = sandbox.path(&format!("backups/{aside}/kalito.db"));
        assert_eq!(fs_err::read(kept).expect("kept"), bytes);
    }
}

#[test]
fn a_missing_database_is_pointed_to_db_setup() {
    let Some(sandbox) = host(ADD) else { return };
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs_err::remove_file(sandbox.path(&format!("{LIVE}{suffix}")));
    }
    let said = sandbox.fails(2, &["db-migrate"]);
    assert!(said.err.contains("cargo xtask db-setup"), "{said:#?}");
    assert!(!sandbox.live().exists());
}

#[test]
fn who_has_the_database_open_is_said_beforehand() {
    let Some(sandbox) = host(ADD) else { return };
    if !std::path::Path::new("/proc/self/fd").exists() {
        crate::support::strace::complain("SKIPPED: who has a file open needs /proc");
        return;
    }
    let file = fs_err::File::open(sandbox.live()).expect("open");
    let mut sleeper = sandbox.command("sleep");
    sleeper.arg("600").stdin(file.into_parts().0);
    let _sleeper = Running(sleeper.spawn().expect("sleep runs"));
    let said = sandbox.ok(&["db-migrate"]);
    let line = said.err.lines().next().unwrap_or_default();
    assert!(line.starts_with("warning: ") && line.contains("`sleep` (process "), "{line}");
    assert!(
        line.ends_with("stop whatever writes into ./backend/db/kalito.db before it is migrated")
    );
}

#[test]
fn a_migration_that_puts_another_file_in_the_database_s_place_is_pointed_out() {
    let script = format!("{ADD}\n{}", on_live("cp \"$DB\" \"$DB.n\" && mv \"$DB.n\" \"$DB\""));
    let Some(sandbox) = host(&script) else { return };
    // In rollback mode, so that all of it is in the one file.
    sandbox.sql("PRAGMA journal_mode=DELETE");
    let application = open(&sandbox.live());
    application.query_row("SELECT count(*) FROM messages", [], |_| Ok(())).expect("read");
    let said = sandbox.ok(&["db-migrate"]);
    assert!(said.err.contains("the migration replaced the file of"), "{}", said.err);
    if cfg!(target_os = "linux") {
        let who = format!("(process {})", std::process::id());
        assert!(said.err.contains(&who), "{}", said.err);
    }
    drop(application);
}

#[test]
fn a_migration_that_only_sets_the_journal_mode_is_pending_and_done() {
    let script = "q \"$DB\" 'PRAGMA journal_mode=WAL'";
    let Some(sandbox) = host(script) else { return };
    sandbox.sql("PRAGMA journal_mode=DELETE");
    let said = sandbox.ok(&["db-migrate"]);
    assert!(said.out.contains("  journal: rollback journal → WAL\n"), "{said:#?}");
    assert!(said.out.contains("Migrated "), "{said:#?}");
    let mode: String = open(&sandbox.live())
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .expect("a mode");
    assert_eq!(mode, "wal");
    let said = sandbox.ok(&["db-migrate"]);
    assert!(said.out.starts_with("Nothing is pending: "), "{said:#?}");
}

#[test]
fn a_dry_run_of_a_migration_is_another_command() {
    let sandbox = Sandbox::new();
    let said = sandbox.fails(2, &["db-migrate", "--dry-run"]);
    insta::assert_snapshot!(said.err, @r"
    error: `db-migrate` has no `--dry-run`
    hint: `cargo xtask db-pre-migrate` is the dry run: it migrates a private copy and reports the result; nothing was changed
    ");
    assert_eq!(sandbox.backups().len(), 0);
}

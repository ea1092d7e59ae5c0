//! `db-pre-migrate`: what a rehearsal lets through, what it refuses, and that it leaves nothing.

use crate::support::sandbox::Sandbox;
use crate::support::shell_migrations::{
    ADD, CASCADE, LIVE, content, host, host_with_children, leftovers, masked, n_rows, rewrite,
};

/// Rehearses; the live database must be as before, and nothing left behind.
fn refused(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let before = content(sandbox);
    let said = sandbox.fails(1, &[&["db-pre-migrate"], arguments].concat());
    assert_eq!(content(sandbox), before, "the live database changed");
    assert_eq!(leftovers(sandbox), Vec::<String>::new());
    assert_eq!(sandbox.backups(), Vec::<String>::new(), "a refused migration keeps no checkpoint");
    said.err
}

#[test]
fn a_table_rebuild_whose_cascade_deletes_the_children_is_refused() {
    let Some(sandbox) = host_with_children(CASCADE) else { return };
    insta::assert_snapshot!(refused(&sandbox, &[]), @"
    Rehearsing `sh migrate.sh` on a private copy of ./backend/db/kalito.db
    error: the migration of `backend/db/kalito.db` is refused after its rehearsal
      caused by: table `notes` loses 3 of its 3 rows
    hint: if that is intended, pass `--allow-loss notes`; the live database is as it was
    ");
    assert_eq!(n_rows(&sandbox, "notes"), 3);
}

#[test]
fn a_loss_that_the_user_names_is_let_through() {
    let Some(sandbox) = host_with_children(CASCADE) else { return };
    let said = sandbox.ok(&["db-pre-migrate", "--allow-loss", "NOTES"]);
    insta::assert_snapshot!(masked(&said.out), @"
    Rehearsed `sh migrate.sh` on a private copy of ./backend/db/kalito.db in 9 ms
      ~ column sessions.title: text → text not null
      notes: 3 → 0 rows
      allowed: table `notes` loses 3 of its 3 rows
    Checkpoint created at ./backups/kalito.db.2025-09-13_142530.pages
    The migration may run.
    ");
    assert_eq!(n_rows(&sandbox, "notes"), 3, "the live database was migrated");
    let Some(sandbox) = host_with_children(CASCADE) else { return };
    sandbox.configure("allow-loss = ['notes']");
    sandbox.ok(&["db-pre-migrate"]);
}

#[test]
fn a_checkpoint_of_before_the_migration_is_kept_and_recorded_as_one() {
    let Some(sandbox) = host(ADD) else { return };
    let document = sandbox.json(&["db-pre-migrate"]);
    assert_eq!(document["outcome"], "allowed", "{document:#}");
    assert_eq!(document["changes"][0]["name"], "added", "{document:#}");
    assert_eq!(document["rehearsal"]["exit_code"], 0, "{document:#}");
    let listed = sandbox.json(&["db-list"]);
    assert_eq!(listed["backups"][0]["kind"], "pre-migrate");
    assert_eq!(listed["backups"][0]["name"], document["checkpoint"]);
    assert_eq!(listed["backups"][0]["state"], "verified");
    assert_eq!(leftovers(&sandbox), Vec::<String>::new());
}

#[test]
fn a_checkpoint_of_what_the_newest_backup_holds_already_takes_no_space() {
    use std::os::unix::fs::MetadataExt as _;
    let Some(sandbox) = host(ADD) else { return };
    let backup = sandbox.backup();
    let document = sandbox.json(&["db-pre-migrate"]);
    let checkpoint = document["checkpoint"].as_str().expect("a checkpoint");
    let inode = |name: &str| fs_err::metadata(sandbox.backup_path(name)).expect("a file").ino();
    assert_eq!(inode(checkpoint), inode(&backup));
}

#[test]
fn where_nothing_is_pending_no_checkpoint_is_kept() {
    let Some(sandbox) = host(ADD) else { return };
    sandbox.sql("CREATE TABLE added (a)");
    let said = sandbox.ok(&["db-pre-migrate"]);
    insta::assert_snapshot!(said.out, @"Nothing is pending: `sh migrate.sh` changed nothing on a private copy of ./backend/db/kalito.db");
    assert_eq!(sandbox.backups(), Vec::<String>::new());
    assert_eq!(sandbox.json(&["db-pre-migrate"])["outcome"], "nothing-pending");
}

#[test]
fn a_migration_that_only_updates_rows_is_pending() {
    let Some(sandbox) = host("q \"$DB\" \"UPDATE messages SET content = 'new' WHERE id = 2\"")
    else {
        return;
    };
    let said = sandbox.ok(&["db-pre-migrate"]);
    assert!(said.out.contains("values changed; tables"), "{}", said.out);
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn a_migration_that_fails_is_refused_with_its_own_exit_code() {
    let Some(sandbox) = host("q \"$DB\" 'CREATE TABLE half (a)'; echo broken >&2; exit 7") else {
        return;
    };
    insta::assert_snapshot!(refused(&sandbox, &[]), @"
    Rehearsing `sh migrate.sh` on a private copy of ./backend/db/kalito.db
    broken
    error: the migration of `backend/db/kalito.db` is refused after its rehearsal
      caused by: the command ended with exit status: 7
    hint: correct the migration and run this again; the live database is as it was
    ");
    let document = sandbox.json(&["db-pre-migrate"]);
    assert_eq!(document["rehearsal"]["exit_code"], 7, "{document:#}");
    assert_eq!(document["error"]["exit_code"], 1, "{document:#}");
}

#[test]
fn a_migration_that_never_opens_the_copy_proves_nothing() {
    let Some(sandbox) = host("true") else { return };
    insta::assert_snapshot!(refused(&sandbox, &[]), @r#"
    Rehearsing `sh migrate.sh` on a private copy of ./backend/db/kalito.db
    error: the migration of `backend/db/kalito.db` is refused after its rehearsal
      caused by: it never opened the copy that `APP_DB` pointed it to
    hint: set `migrate-env` in `[workspace.metadata.db.databases.kalito]` to the variable that `sh migrate.sh` reads, as "DATABASE_PATH" or "DATABASE_URL=sqlite://{path}"
    "#);
}

#[test]
fn a_migration_that_only_looks_whether_the_file_is_there_has_not_opened_it() {
    let Some(sandbox) = host("test -f \"$DB\"; ls -l \"$DB\"") else { return };
    assert!(refused(&sandbox, &[]).contains("never opened the copy"));
}

#[test]
fn rows_that_a_command_writes_into_the_live_database_instead_are_reversible() {
    let Some(sandbox) = host(&format!("q {LIVE} \"DELETE FROM messages\"")) else { return };
    let before = content(&sandbox);
    let document = sandbox.json(&["db-pre-migrate"]);
    assert_eq!(document["rows_changed_meanwhile"], true, "{document:#}");
    let checkpoint = document["checkpoint"].as_str().expect("kept, as nobody knows who wrote");
    sandbox.ok(&["db-restore", checkpoint, "--yes"]);
    assert_eq!(content(&sandbox), before);
}

#[test]
fn a_migration_that_ignores_the_variable_is_caught_and_the_live_database_put_back() {
    // It holds the file long enough to be seen with it.
    let script = format!("exec 3< {LIVE}\nq {LIVE} 'CREATE TABLE oops (a)'\nsleep 0.3");
    let Some(sandbox) = host(&script) else { return };
    let before = content(&sandbox);
    let said = sandbox.fails(1, &["db-pre-migrate"]);
    insta::assert_snapshot!(said.err, @"
    Rehearsing `sh migrate.sh` on a private copy of ./backend/db/kalito.db
    error: the migration touched `backend/db/kalito.db` during its rehearsal; the old state was restored; what it replaced: ./backups/kalito.db.SAFETY.2025-09-13_142630.bak
      caused by: the schema of `backend/db/kalito.db` changed while the command ran on a private copy: it ignored `APP_DB`
    hint: point the command at the file that `APP_DB` names (`migrate-env`)
    ");
    insta::assert_snapshot!(said.out, @"
    Restored kalito.db.2025-09-13_142630.pages → ./backend/db/kalito.db
    The replaced state, including everything written since: ./backups/kalito.db.SAFETY.2025-09-13_142630.bak
    ");
    assert_eq!(content(&sandbox), before);
}

#[test]
fn orphans_from_before_are_not_held_against_a_migration_and_new_ones_are() {
    let Some(sandbox) = host_with_children(ADD) else { return };
    sandbox.sql("PRAGMA foreign_keys=OFF; INSERT INTO notes (session) VALUES (99)");
    sandbox.ok(&["db-pre-migrate"]);
    let Some(sandbox) = host_with_children(
        "q \"$DB\" 'CREATE TABLE added (a); UPDATE notes SET session = 98 WHERE id = 1'",
    ) else {
        return;
    };
    let said = refused(&sandbox, &[]);
    assert!(said.contains("1 row of `notes` newly refers to no row of `sessions`"), "{said}");
}

#[test]
fn a_dropped_column_needs_the_user_s_word_and_a_renamed_table_does_not() {
    let Some(sandbox) = host_with_children(
        "q \"$DB\" 'ALTER TABLE sessions DROP COLUMN mood; ALTER TABLE notes RENAME TO remarks'",
    ) else {
        return;
    };
    insta::assert_snapshot!(refused(&sandbox, &[]), @"
    Rehearsing `sh migrate.sh` on a private copy of ./backend/db/kalito.db
    error: the migration of `backend/db/kalito.db` is refused after its rehearsal
      caused by: column `mood` of table `sessions` is dropped with its 2 values
    hint: if that is intended, pass `--allow-loss sessions.mood`; the live database is as it was
    ");
    let said = sandbox.ok(&["db-pre-migrate", "--allow-loss", "sessions.mood"]);
    assert!(said.out.contains("notes: called remarks now, with 3 rows"), "{said:#?}");
}

#[test]
fn a_column_that_becomes_computed_needs_the_user_s_word() {
    let Some(sandbox) = host_with_children(
        "q \"$DB\" 'CREATE TABLE new (id INTEGER PRIMARY KEY, title TEXT, mood TEXT AS (title));
             INSERT INTO new SELECT id, title FROM sessions;
             DROP TABLE sessions; ALTER TABLE new RENAME TO sessions'",
    ) else {
        return;
    };
    let said = refused(&sandbox, &[]);
    let why = "column `mood` of table `sessions` is computed now: its 2 values are lost";
    assert!(said.contains(why) && said.contains("pass `--allow-loss sessions.mood`"), "{said}");
    sandbox.ok(&["db-pre-migrate", "--allow-loss", "sessions"]);
}

#[test]
fn damage_that_a_migration_does_is_never_let_through() {
    let Some(sandbox) = host(
        "q \"$DB\" 'CREATE TABLE added (a)'\n\
         dd if=/dev/zero of=\"$DB\" bs=4096 seek=1 count=1 conv=notrunc 2>/dev/null",
    ) else {
        return;
    };
    let said = refused(&sandbox, &["--allow-loss", "messages"]);
    assert!(said.contains("the file is damaged: ") || said.contains("cannot be read"), "{said}");
}

#[test]
fn a_migration_that_hangs_is_ended_with_all_that_it_started() {
    let Some(sandbox) = host("sleep 600 &\necho $! > pid\nq \"$DB\" 'SELECT 1'\nwait") else {
        return;
    };
    sandbox.configure("migrate-timeout = '1s'");
    let said = refused(&sandbox, &[]);
    assert!(said.contains("did not end within 1.0 s"), "{said}");
    let pid = fs_err::read_to_string(sandbox.path("pid")).expect("a process id");
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().expect("a number"));
    let alive = rustix::process::test_kill_process(pid.expect("a process id"));
    let state = fs_err::read_to_string(format!("/proc/{}/stat", pid.expect("id").as_raw_nonzero()));
    // Who adopts orphans may be slow to bury them.
    let is_dead = alive.is_err() || state.is_ok_and(|stat| stat.contains(") Z "));
    assert!(is_dead, "what the migration started still runs");
}

#[test]
fn what_a_migration_leaves_in_the_background_does_not_outlive_it() {
    let Some(sandbox) = host(&format!("{ADD}\nsleep 600 &\necho $! > pid")) else { return };
    sandbox.ok(&["db-pre-migrate"]);
    let pid = fs_err::read_to_string(sandbox.path("pid")).expect("a process id");
    let stat = fs_err::read_to_string(format!("/proc/{}/stat", pid.trim()));
    assert!(stat.map_or(true, |stat| stat.contains(") Z ")), "it still runs");
}

#[test]
fn what_left_the_group_of_a_migration_does_not_outlive_it_either() {
    // It would continue to write into the live database after that was restored.
    for (end, code) in [("true", 0), ("exit 7", 1)] {
        let flees =
            "setsid sh -c 'echo $$ > pid.new; mv pid.new pid; exec sleep 600' > /dev/null 2>&1 &";
        let waits = "until test -f pid; do sleep 0.01; done";
        let Some(sandbox) = host(&format!("{ADD}\n{flees}\n{waits}\n{end}")) else { return };
        if !cfg!(target_os = "linux") || sandbox.command("setsid").arg("true").output().is_err() {
            crate::support::strace::complain(
                "SKIPPED: to end what left its group needs Linux and `setsid`",
            );
            return;
        }
        let said = sandbox.run(&["db-pre-migrate"]);
        assert_eq!(said.code, Some(code), "{said:#?}");
        let pid = fs_err::read_to_string(sandbox.path("pid")).expect("a process id");
        let stat = fs_err::read_to_string(format!("/proc/{}/stat", pid.trim()));
        let is_dead = stat.map_or(true, |stat| stat.contains(") Z "));
        if !is_dead {
            let pid = rustix::process::Pid::from_raw(pid.trim().parse().expect("a number"));
            let _ = rustix::process::kill_process(pid.expect("id"), rustix::process::Signal::KILL);
        }
        assert!(is_dead, "it still runs");
    }
}

#[test]
fn the_copy_is_private_has_the_database_s_own_name_and_its_journal_mode() {
    for mode in ["wal", "delete"] {
        let script = "echo \"$DB\" > where; stat -c %a \"$DB\" \"$(dirname \"$DB\")\" > modes\n\
                      q \"$DB\" 'PRAGMA journal_mode; CREATE TABLE added (a)' > mode";
        let Some(sandbox) = host(script) else { return };
        sandbox.sql(&format!("PRAGMA journal_mode={mode}"));
        sandbox.ok(&["db-pre-migrate"]);
        let read = |name: &str| fs_err::read_to_string(sandbox.path(name)).expect("written");
        assert_eq!(read("mode").trim(), mode);
        assert_eq!(read("modes"), "600\n700\n");
        let place = read("where");
        assert!(place.trim().ends_with("/kalito.db"), "{place}");
        assert_eq!(leftovers(&sandbox), Vec::<String>::new());
    }
}

#[test]
fn a_migration_may_take_a_backup_of_its_own() {
    let Some(sandbox) = host(&format!("\"$XTASK\" db-backup --quiet\n{ADD}")) else { return };
    let mut command = sandbox.xtask(&["db-pre-migrate"]);
    command.env("XTASK", env!("CARGO_BIN_EXE_xtask"));
    let said = sandbox.said(&command.output().expect("it runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(sandbox.backups().len(), 2);
}

#[test]
fn a_url_template_carries_odd_characters_of_the_path() {
    let Some(sandbox) = host(ADD) else { return };
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    let section = "[workspace.metadata.db.databases";
    let manifest = manifest
        .replace("'APP_DB'", "'APP_DB=file:{path}'")
        .replace(section, &format!("[workspace.metadata.db]\nbackups = 'a b%20c?d#e'\n{section}"));
    sandbox.write("Cargo.toml", manifest);
    let said = sandbox.ok(&["db-pre-migrate"]);
    assert!(said.out.contains("+ table added"), "{said:#?}");
}

#[test]
fn without_a_configured_migration_the_key_is_named() {
    let sandbox = Sandbox::new();
    for command in ["db-pre-migrate", "db-migrate"] {
        let said = sandbox.fails(2, &[command]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(said.err, @"
            error: no migration is configured for `backend/db/kalito.db`
            hint: set `migrate` in `[workspace.metadata.db.databases.kalito]`, or give the command after `--`
            ");
        }
    }
}

#[test]
fn a_command_given_on_the_command_line_takes_the_place_of_the_configured_one() {
    let Some(sandbox) = host("exit 9") else { return };
    rewrite(&sandbox, "exit 9");
    sandbox.write("other.sh", "sqlite3 \"$APP_DB\" 'CREATE TABLE added (a)'\n");
    sandbox.ok(&["db-pre-migrate", "--", "sh", "other.sh"]);
    let said = sandbox.fails(2, &["db-pre-migrate", "--", "no-such-program"]);
    assert!(said.err.ends_with("\nhint: install it, or correct the name\n"), "{said:#?}");
    assert_eq!(leftovers(&sandbox), Vec::<String>::new());
}

#[test]
fn a_foreign_key_that_fits_nothing_hides_no_new_orphan_and_is_named() {
    let unfit = "CREATE TABLE odd (a REFERENCES sessions (mood), b REFERENCES sessions)";
    let named = "could not check foreign_key_check: foreign key mismatch - \"odd\" referencing \
                 \"sessions\"";
    let Some(sandbox) = host_with_children("q \"$DB\" 'UPDATE notes SET session = 999'") else {
        return;
    };
    sandbox.sql(&format!("PRAGMA foreign_keys=OFF; {unfit}"));
    let said = refused(&sandbox, &[]);
    assert!(said.contains("3 rows of `notes` newly refer to no row of `sessions`"), "{said}");
    assert!(said.contains(named), "{said}");
    // The other foreign key of the same table.
    rewrite(&sandbox, "q \"$DB\" 'INSERT INTO odd VALUES (1, 999)'");
    let said = refused(&sandbox, &[]);
    assert!(said.contains("1 row of `odd` newly refers to no row of `sessions`"), "{said}");
    rewrite(&sandbox, ADD);
    let said = sandbox.ok(&["db-pre-migrate"]);
    assert!(said.err.contains(named), "{said:#?}");
}

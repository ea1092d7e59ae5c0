//! `db-restore` without a terminal: what it needs, what it says, what stays as it was.

pub(crate) mod dialogue;
pub(crate) mod if_live;
pub(crate) mod in_use;
pub(crate) mod into_path;
pub(crate) mod json_document;
pub(crate) mod last_question;
pub(crate) mod leaving_the_dialogue;
pub(crate) mod live_states;
pub(crate) mod raced_by_prune;
pub(crate) mod real_application;
pub(crate) mod round_trip;
pub(crate) mod stored_backup;
pub(crate) mod tables;

use crate::support::sandbox::{Running, Sandbox, messages, open};

/// A backup of three messages; the live database has four.
fn one_backup() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let name = sandbox.backup();
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    (sandbox, name)
}

#[test]
fn a_restore_says_what_it_kept_what_it_did_and_how_to_undo_it() {
    let (sandbox, _) = one_backup();
    let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert_eq!(
        said.out,
        "\
[✓] Safety backup created → ./backups/kalito.db.SAFETY.2025-09-13_142630.bak
[✓] Restored → ./backend/db/kalito.db
[✓] SQLite integrity_check: ok

Done. You may need to restart your backend if it was running.
Undo with: cargo xtask db-restore kalito.db.SAFETY.2025-09-13_142630.bak
"
    );
    assert_eq!(said.err, "");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn the_undo_that_is_named_gives_the_replaced_content_back() {
    let (sandbox, _) = one_backup();
    let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
    let undo = said.out.lines().last().unwrap_or_default();
    let undo = undo.strip_prefix("Undo with: cargo xtask ").expect("undo");
    let arguments: Vec<&str> = undo.split(' ').chain(["--yes"]).collect();
    sandbox.ok(&arguments);
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three", "four"]);
}

#[test]
fn the_undo_that_is_named_can_be_pasted_into_a_shell_whatever_the_file_is_called() {
    for name in ["o'brien.db", "two words.db", "a$b.db"] {
        let sandbox = Sandbox::new();
        let path = sandbox.path("backend/db").join(name);
        sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)");
        fs_err::copy(sandbox.live(), &path).expect("copied");
        let variable = |command: &mut std::process::Command| {
            command.env("DATABASE_PATH", format!("backend/db/{name}"));
        };
        let run = |mut command: std::process::Command| {
            variable(&mut command);
            sandbox.said(&command.output().expect("it runs"))
        };
        run(sandbox.xtask(&["db-backup"]));
        open(&path).execute_batch("DELETE FROM messages").expect("deleted");
        let said = run(sandbox.xtask(&["db-restore", "latest", "--yes"]));
        let undo = said.out.lines().last().unwrap_or_default();
        let undo = undo.strip_prefix("Undo with: cargo xtask ").expect("undo");
        let script = format!("exec \"$0\" {undo} --yes");
        let said = run(sandbox.xtask_under(&["sh", "-c", &script], &[]));
        assert_eq!(said.code, Some(0), "{name}: {said:#?}");
        assert_eq!(messages(&path), [""; 0], "{name}");
    }
}

#[test]
fn without_a_terminal_a_ref_and_a_yes_are_needed() {
    let (sandbox, name) = one_backup();
    for arguments in [&["db-restore"][..], &["db-restore", "--yes"]] {
        let said = sandbox.fails(2, arguments);
        assert!(
            said.err
                .starts_with("error: without a terminal `db-restore` needs a REF and `--yes`\n"),
            "{said:#?}"
        );
    }
    let said = sandbox.fails(2, &["db-restore", "latest"]);
    assert_eq!(
        said.err,
        "error: restoring into `backend/db/kalito.db` needs `--yes` when there is no terminal\n\
         hint: pass `--yes`, or look first with `--dry-run`\n"
    );
    assert_eq!(sandbox.backups(), [name]);
    assert_eq!(messages(&sandbox.live()).len(), 4);
}

#[test]
fn the_refusal_names_where_the_path_came_from() {
    let (sandbox, _) = one_backup();
    let mut command = sandbox.xtask(&["db-restore", "latest"]);
    command.env("DATABASE_PATH", "other/kalito.db");
    let said = sandbox.said(&command.output().expect("the binary runs"));
    assert_eq!(said.code, Some(2), "{said:#?}");
    let place = "`other/kalito.db` (from DATABASE_PATH in the environment)";
    assert!(said.err.contains(place), "{said:#?}");
}

#[test]
fn a_protected_database_needs_its_name_too() {
    let (sandbox, _) = one_backup();
    sandbox.configure("protected = true");
    let said = sandbox.fails(2, &["db-restore", "latest", "--yes"]);
    assert_eq!(
        said.err,
        "error: `kalito` is protected\n\
         hint: without a terminal pass `--db kalito --yes`\n"
    );
    sandbox.fails(2, &["db-restore", "latest", "--db", "kalito"]);
    assert_eq!(messages(&sandbox.live()).len(), 4);
    sandbox.ok(&["db-restore", "latest", "--db", "kalito", "--yes"]);
    assert_eq!(messages(&sandbox.live()).len(), 3);
}

#[test]
fn a_protected_database_stays_protected_when_into_names_it() {
    let (sandbox, _) = one_backup();
    sandbox.configure("protected = true");
    let into = ["--into", "backend/db/kalito.db", "--force", "--yes"];
    let said = sandbox.run(&[&["db-restore", "latest"][..], &into].concat());
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert_eq!(messages(&sandbox.live()).len(), 4);
}

#[test]
fn a_dry_run_says_the_plan_and_changes_nothing() {
    let (sandbox, name) = one_backup();
    let said = sandbox.ok(&["db-restore", "latest", "--dry-run"]);
    assert_eq!(
        said.out,
        "Would create a safety backup of ./backend/db/kalito.db in ./backups\n\
         Would restore kalito.db.2025-09-13_142530.bak (8.0 KB) → ./backend/db/kalito.db\n"
    );
    sandbox.ok(&["db-restore", "latest", "--dry-run", "--into", "new.db"]);
    assert!(!sandbox.path("new.db").exists());
    assert_eq!(sandbox.backups(), [name]);
    assert_eq!(messages(&sandbox.live()).len(), 4);
}

#[test]
fn a_schema_older_than_the_newest_migration_is_pointed_out() {
    let (sandbox, _) = one_backup();
    sandbox
        .configure("schema = [\"migrations/*.sql\"]\nmigrate = [\"sqlx\", \"migrate\", \"run\"]");
    sandbox.write("migrations/0012_old.sql", "");
    let said = sandbox.ok(&["db-restore", "latest", "--dry-run"]);
    assert_eq!(said.err, "", "version 12 is what the code has");
    sandbox.write("migrations/0013_new.sql", "");
    let note = "Note: the backup has schema version 12, the code's newest migration is 13 \
                (migrations/0013_new.sql): `cargo xtask db-migrate` applies it again\n";
    for flag in ["--dry-run", "--yes"] {
        let said = sandbox.ok(&["db-restore", "2025", flag]);
        assert_eq!(said.err, note, "{flag}");
    }
}

#[test]
fn after_restore_commands_run_last_and_get_the_database() {
    let (sandbox, _) = one_backup();
    let script = r#"test "$DATABASE_PATH" = "$PWD/backend/db/kalito.db" && echo derived > derived"#;
    sandbox.configure(&format!("after-restore = ['sh', '-c', '''{script}''']"));
    let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert!(said.err.contains("Running sh -c"), "{said:#?}");
    assert!(sandbox.path("derived").exists());
}

#[test]
fn a_failing_after_restore_is_exit_2_and_the_restored_data_stays() {
    let (sandbox, _) = one_backup();
    sandbox.configure("after-restore = [['sh', '-c', 'exit 7'], ['touch', 'second']]");
    let said = sandbox.fails(2, &["db-restore", "latest", "--yes"]);
    assert!(
        said.err.contains("error: the data is restored, but `sh -c exit 7` failed\n"),
        "{said:#?}"
    );
    assert!(said.err.contains("exit status: 7"), "{said:#?}");
    assert!(said.out.contains("Undo with: "), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn an_after_restore_that_does_not_exist_is_exit_2_and_the_restored_data_stays() {
    let (sandbox, _) = one_backup();
    sandbox.configure("after-restore = ['no-such-program']");
    let said = sandbox.fails(2, &["db-restore", "latest", "--yes"]);
    assert!(said.err.contains("the data is restored"), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn a_locked_database_is_exit_3_and_untouched() {
    let (sandbox, name) = one_backup();
    let application = open(&sandbox.live());
    application
        .execute_batch("BEGIN IMMEDIATE; UPDATE messages SET content = 'x'")
        .expect("locked");
    let said = sandbox.run(&["db-restore", "latest", "--yes", "--busy-timeout", "0"]);
    assert_eq!(said.code, Some(3), "{said:#?}");
    assert!(!said.out.contains("Restored"), "{said:#?}");
    if cfg!(target_os = "linux") {
        let pid = format!("(process {})", std::process::id());
        assert!(said.err.contains(&pid), "{said:#?}");
    }
    application.execute_batch("ROLLBACK").expect("unlocked");
    assert_eq!(messages(&sandbox.live()).len(), 4);
    let backup = sandbox.backup_path(&name);
    assert_eq!(messages(&backup), ["one", "two", "three"]);
}

#[test]
fn a_backup_that_changes_after_its_examination_is_not_restored() {
    let (sandbox, name) = one_backup();
    let lock = fs_err::File::open(sandbox.path("backups/.lock")).expect("lock");
    lock.file().lock().expect("locked");
    let arguments = ["db-restore", "latest", "--yes", "--busy-timeout", "60"];
    let child = sandbox.xtask(&arguments).stderr(std::process::Stdio::piped()).spawn();
    let mut running = Running(child.expect("runs"));
    // It examines first and then waits for the lock: it has the lock open by then.
    let path = format!("/proc/{}/fd", running.0.id());
    let waits = || {
        let descriptors = fs_err::read_dir(&path).into_iter().flatten().flatten();
        descriptors.into_iter().any(|descriptor| {
            fs_err::read_link(descriptor.path()).is_ok_and(|link| link.ends_with("backups/.lock"))
        })
    };
    if !std::path::Path::new(&path).exists() {
        eprintln_skip();
        return;
    }
    while !waits() && running.0.try_wait().expect("child").is_none() {
        std::thread::yield_now();
    }
    let backup = sandbox.path(&format!("backups/{name}"));
    let mut bytes = fs_err::read(&backup).expect("bytes");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&backup, bytes).expect("written");
    drop(lock);
    assert_eq!(running.0.wait().expect("ended").code(), Some(1));
    assert_eq!(messages(&sandbox.live()).len(), 4, "the live database was touched");
}

#[test]
fn a_backup_of_another_file_is_not_taken_for_this_one_s_without_a_word() {
    let (sandbox, _) = one_backup();
    sandbox.write("test.db", "");
    open(&sandbox.path("test.db")).execute_batch("CREATE TABLE only_test (a)").expect("table");
    let mut command = sandbox.xtask(&["db-backup"]);
    let said = sandbox.said(&command.env("DATABASE_PATH", "test.db").output().expect("runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said = sandbox.run(&["db-restore", "latest", "--yes"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("was taken from `test.db`"), "{}", said.err);
}

fn eprintln_skip() {
    use std::io::Write as _;
    let said = b"SKIPPED: the test of a changing backup needs /proc\n";
    std::io::stderr().write_all(said).expect("stderr");
}

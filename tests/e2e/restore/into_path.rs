//! `db-restore --into`: a backup written elsewhere, the live database left alone.

use crate::support::sandbox::{Sandbox, messages, open};

fn one_backup() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.backup();
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    sandbox
}

#[test]
fn a_backup_is_written_elsewhere_without_a_question() {
    let sandbox = one_backup();
    let said = sandbox.ok(&["db-restore", "latest", "--into", "new.db"]);
    assert_eq!(
        said.out,
        "[✓] Written → ./new.db\n\
         [✓] SQLite integrity_check: ok, content equal to the backup's\n"
    );
    assert_eq!(messages(&sandbox.path("new.db")), ["one", "two", "three"]);
    assert_eq!(messages(&sandbox.live()).len(), 4);
    assert_eq!(sandbox.backups().len(), 1, "no safety backup was needed");
}

#[test]
fn an_existing_file_is_refused_whatever_it_is() {
    let sandbox = one_backup();
    sandbox.write("text.db", "precious");
    for arguments in [
        &["db-restore", "latest", "--into", "text.db"][..],
        &["db-restore", "latest", "--into", "text.db", "--yes"],
    ] {
        let said = sandbox.fails(2, arguments);
        assert!(said.err.starts_with("error: `text.db` already exists\n"), "{said:#?}");
    }
    let bytes = fs_err::read(sandbox.path("text.db")).expect("still there");
    assert_eq!(bytes, b"precious");
    let said = sandbox.fails(2, &["db-restore", "latest", "--into", "backend"]);
    assert!(said.err.contains("`backend`"), "{said:#?}");
}

#[test]
fn with_force_an_existing_database_is_restored_over_after_a_safety_backup() {
    let sandbox = one_backup();
    let other = sandbox.path("other.db");
    open(&other)
        .execute_batch(
            "CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT);
             INSERT INTO messages (content) VALUES ('precious')",
        )
        .expect("written");
    let arguments = ["db-restore", "latest", "--into", "other.db", "--force"];
    let said = sandbox.fails(2, &arguments);
    assert!(said.err.contains("(from --into)"), "{said:#?}");
    assert_eq!(messages(&other), ["precious"]);
    let said = sandbox.ok(&[&arguments[..], &["--yes"]].concat());
    assert_eq!(messages(&other), ["one", "two", "three"], "{said:#?}");
    let safety = sandbox.backup_path("other.db.SAFETY.2025-09-13_142730.bak");
    assert_eq!(messages(&safety), ["precious"], "{said:#?}");
    assert_eq!(messages(&sandbox.live()).len(), 4);
}

#[test]
fn with_force_what_is_no_database_is_set_aside_first() {
    let sandbox = one_backup();
    sandbox.write("text.db", "precious");
    let arguments = ["db-restore", "latest", "--into", "text.db", "--force", "--yes"];
    sandbox.ok(&arguments);
    assert_eq!(messages(&sandbox.path("text.db")), ["one", "two", "three"]);
    let aside = sandbox.path("backups/text.db.ASIDE.2025-09-13_142630/text.db");
    assert_eq!(fs_err::read(aside).expect("set aside"), b"precious");
}

#[test]
fn a_missing_folder_is_said_and_nothing_is_left() {
    let sandbox = one_backup();
    let said = sandbox.fails(2, &["db-restore", "latest", "--into", "no/such/new.db"]);
    assert!(said.err.contains("no/such"), "{said:#?}");
    assert!(!sandbox.path("no").exists());
}

#[test]
fn a_sidecar_that_lies_there_is_not_taken_for_part_of_it() {
    let sandbox = one_backup();
    sandbox.write("new.db-wal", "left over");
    let said = sandbox.fails(2, &["db-restore", "latest", "--into", "new.db"]);
    assert!(said.err.contains("`new.db-wal` is there"), "{said:#?}");
    assert!(!sandbox.path("new.db").exists());
}

#[test]
fn a_damaged_backup_is_not_written_elsewhere_either() {
    let sandbox = one_backup();
    let path = sandbox.backup_path("kalito.db.2025-09-13_142530.bak");
    let mut bytes = fs_err::read(&path).expect("a backup");
    bytes[5000] ^= 1;
    fs_err::write(&path, bytes).expect("damaged");
    sandbox.fails(1, &["db-restore", "latest", "--into", "new.db"]);
    assert!(!sandbox.path("new.db").exists());
}

#[test]
fn it_works_while_the_live_database_is_missing_or_locked() {
    let sandbox = one_backup();
    let application = open(&sandbox.live());
    application.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    sandbox.ok(&["db-restore", "latest", "--into", "one.db"]);
    drop(application);
    fs_err::remove_file(sandbox.live()).expect("removed");
    sandbox.ok(&["db-restore", "latest", "--into", "two.db"]);
    assert!(!sandbox.live().exists());
    assert_eq!(messages(&sandbox.path("two.db")), ["one", "two", "three"]);
}

#[test]
fn the_undo_of_a_restore_into_another_file_leaves_the_live_database_alone() {
    let sandbox = one_backup();
    let other = sandbox.path("other.db");
    fs_err::copy(sandbox.backup_path("kalito.db.2025-09-13_142530.bak"), &other).expect("copied");
    open(&other).execute_batch("UPDATE messages SET content = 'precious'").expect("written");
    let arguments = ["--into", "other.db", "--force", "--yes"];
    let said = sandbox.ok(&[&["db-restore", "latest"][..], &arguments].concat());
    let undo = said.out.lines().last().unwrap_or_default();
    let undo = undo.strip_prefix("Undo with: cargo xtask ").expect("undo");
    let undo: Vec<&str> = undo.split(' ').chain(["--yes"]).collect();
    sandbox.run(&undo);
    assert_eq!(messages(&sandbox.live()).len(), 4, "{said:#?}");
    assert_eq!(messages(&other), ["precious"; 3], "{said:#?}");
}

#[test]
fn a_backup_is_no_target() {
    let sandbox = one_backup();
    let before = sandbox.backups();
    let target = format!("backups/{}", before[0]);
    for flags in [&["--yes"][..], &["--yes", "--force"]] {
        let said = sandbox.run(&[&["db-restore", "latest", "--into", &target][..], flags].concat());
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.contains("has the name of a backup"), "{said:#?}");
    }
    let new = "backups/kalito.db.2024-01-01_000000.bak";
    assert_eq!(sandbox.run(&["db-restore", "latest", "--into", new]).code, Some(2));
    assert_eq!(sandbox.backups(), before);
}

#[test]
fn a_sidecar_of_the_live_database_is_no_target() {
    let sandbox = one_backup();
    for suffix in ["-wal", "-shm", "-journal"] {
        let target = format!("backend/db/kalito.db{suffix}");
        let arguments = ["db-restore", "latest", "--into", &target, "--force", "--yes"];
        let said = sandbox.run(&arguments);
        assert_eq!(said.code, Some(2), "{said:#?}");
    }
    assert_eq!(messages(&sandbox.live()).len(), 4);
}

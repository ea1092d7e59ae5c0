//! `db-restore` and `db-rollback` of what the database contains already: nothing is kept or written.

use serde_json::Value;

use super::dialogue::NUMBER;
use crate::support::sandbox::{Sandbox, messages};
use crate::support::terminal::Terminal;

/// The live database and its sidecars, to the byte.
fn live_files(sandbox: &Sandbox) -> Vec<Option<Vec<u8>>> {
    let live = sandbox.live().to_string_lossy().into_owned();
    ["", "-wal"].map(|end| fs_err::read(format!("{live}{end}")).ok()).into()
}

fn unchanged() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let name = sandbox.backup();
    (sandbox, name)
}

#[test]
fn equal_content_is_not_restored_again() {
    let (sandbox, name) = unchanged();
    let before = live_files(&sandbox);
    for arguments in [&["db-restore", "latest", "--yes"][..], &["db-restore", "2025", "--dry-run"]]
    {
        let said = sandbox.ok(arguments);
        insta::allow_duplicates! {
            insta::assert_snapshot!(said.out, @"nothing to restore: `backend/db/kalito.db` already has the content of `kalito.db.2025-09-13_142530.bak`");
            insta::assert_snapshot!(said.err, @"`cargo xtask db-list` shows the other backups");
        }
    }
    assert_eq!(live_files(&sandbox), before);
    assert_eq!(sandbox.backups(), [name]);
    assert!(!sandbox.path("backend/db/kalito.db-xtask-lock").exists());
}

#[test]
fn the_document_names_the_backup_that_is_equal() {
    let (sandbox, name) = unchanged();
    let document = sandbox.json(&["db-restore", "latest", "--yes"]);
    assert_eq!(document["restored"], Value::Null, "{document:#}");
    assert_eq!(document["safety"], Value::Null, "{document:#}");
    assert_eq!(document["equal_to"]["name"], name, "{document:#}");
    assert_eq!(document["into"], "$ROOT/backend/db/kalito.db");
    let document = sandbox.json(&["db-restore", "latest", "--dry-run"]);
    assert_eq!(document["would_restore"], name, "{document:#}");
    assert_eq!(document["already_equal"], true, "{document:#}");
    assert_eq!(sandbox.backups(), [name]);
}

#[test]
fn a_stored_backup_and_another_journal_mode_are_equal_too() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup", "--format", "pages"]);
    sandbox.sql("PRAGMA journal_mode=DELETE");
    let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert!(said.out.starts_with("nothing to restore: "), "{said:#?}");
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn the_dialogue_asks_no_second_question_about_equal_content() {
    let (sandbox, _) = unchanged();
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
        return;
    };
    terminal.answer(NUMBER, "1");
    terminal.expect("nothing to restore: ");
    assert_eq!(terminal.end().code, Some(0));
}

#[test]
fn without_a_terminal_a_yes_is_needed_whatever_the_content() {
    let (sandbox, _) = unchanged();
    let said = sandbox.fails(2, &["db-restore", "latest"]);
    assert!(said.err.contains("needs `--yes`"), "{said:#?}");
    sandbox.configure("protected = true");
    let said = sandbox.fails(2, &["db-restore", "latest", "--yes"]);
    assert!(said.err.contains("is protected"), "{said:#?}");
    sandbox.ok(&["db-restore", "latest", "--db", "kalito", "--yes"]);
}

#[test]
fn equal_content_is_restored_where_the_host_rebuilds_derived_data() {
    let (sandbox, _) = unchanged();
    sandbox.configure("after-restore = ['touch', 'rebuilt']");
    let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert!(said.err.contains("because `after-restore` is set"), "{said:#?}");
    assert!(said.out.contains("[✓] Restored → ./backend/db/kalito.db"), "{said:#?}");
    assert!(sandbox.path("rebuilt").exists());
}

#[test]
fn another_page_size_is_other_content() {
    let (sandbox, _) = unchanged();
    sandbox.sql("PRAGMA journal_mode=DELETE; PRAGMA page_size=8192; VACUUM;");
    let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert!(said.out.contains("[✓] Restored → "), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn a_rollback_to_the_state_that_is_there_changes_nothing() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    let backups = sandbox.backups();
    for arguments in [&["db-rollback", "--yes"][..], &["db-rollback", "--dry-run"]] {
        let said = sandbox.ok(arguments);
        assert!(said.out.starts_with("nothing to restore: "), "{said:#?}");
        assert!(!said.err.contains("safety backup"), "{said:#?}");
    }
    assert_eq!(sandbox.backups(), backups);
}

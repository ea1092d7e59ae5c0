//! `db-backup`: what it says, and what it refuses.

use crate::sandbox::{Sandbox, messages};

#[test]
fn a_backup_is_announced_and_holds_the_rows_of_the_wal() {
    let sandbox = Sandbox::new();
    let said = sandbox.ok(&["db-backup"]);
    let first = said.out.lines().next().unwrap_or_default();
    assert_eq!(first, "Backup created at ./backups/kalito.db.2025-09-13_142530.bak");
    let backup = sandbox.path("backups/kalito.db.2025-09-13_142530.bak");
    assert_eq!(messages(&backup), ["one", "two", "three"]);
}

#[test]
fn a_backup_of_a_missing_database_is_refused_and_creates_none() {
    let sandbox = Sandbox::new();
    fs_err::remove_file(sandbox.live()).expect("removed");
    let said = sandbox.run(&["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("there is no database at `backend/db/kalito.db`"), "{said:#?}");
    assert!(!sandbox.live().exists());
    assert!(sandbox.backups().is_empty());
}

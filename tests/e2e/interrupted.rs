//! What a killed command leaves in the middle is noted, reported by every command, and ended by going
//! back, by accepting, or by a restore.

use rustix::process::Signal;

use crate::migratestopping::{ON_LIVE, hangs_at, stopped};
use crate::migrating::{content, host};
use crate::museum::names;
use crate::sandbox::{Said, Sandbox, messages};

/// Takes rows out and adds a table.
const LOSES: &str = "q \"$DB\" 'CREATE TABLE IF NOT EXISTS added (a)'
    case $DB in *backend/db/kalito.db) q \"$DB\" 'DELETE FROM messages WHERE id > 1' ;; esac";

/// A host whose `db-migrate` was killed after it took rows out, and the content of before.
fn killed() -> Option<(Sandbox, String)> {
    let sandbox = host(&format!("{LOSES}\n{}", hangs_at(ON_LIVE)))?;
    let before = content(&sandbox);
    let (_, migration) = stopped(&sandbox, "db-migrate", Signal::KILL);
    drop(migration);
    assert_eq!(messages(&sandbox.live()), ["one"]);
    Some((sandbox, before))
}

fn reports(said: &Said) -> bool {
    said.err.contains("warning: `db-migrate` of `backend/db/kalito.db`, begun 2025-09-13")
        && said.err.contains("`cargo xtask db-recover` goes back")
}

/// Whether nothing is left of a note, nor of the lock beside the database.
fn is_ended(sandbox: &Sandbox) -> bool {
    let beside = names(&sandbox.path("backend/db"));
    names(&sandbox.path("backups/under-way")).is_empty()
        && beside.iter().all(|name| !name.contains("xtask-lock"))
}

#[test]
fn a_killed_migration_is_reported_until_db_recover_goes_back() {
    let Some((sandbox, before)) = killed() else { return };
    let status = sandbox.fails(1, &["db-status"]);
    assert!(status.out.contains("- `db-migrate` of `backend/db/kalito.db`, begun"), "{status:#?}");
    assert!(status.out.contains("    cargo xtask db-recover\n"), "{status:#?}");
    assert!(reports(&sandbox.ok(&["db-list"])));
    assert!(reports(&sandbox.ok(&["db-backup"])));
    let refused = sandbox.fails(1, &["db-migrate"]);
    assert!(refused.err.contains("error: `db-migrate` of `backend/db/kalito.db`"), "{refused:#?}");
    sandbox.fails(2, &["db-recover"]);
    let said = sandbox.ok(&["db-recover", "--yes"]);
    assert!(said.out.contains("[✓] Safety backup created"), "{said:#?}");
    assert!(said.out.contains("[✓] Recovered → ./backend/db/kalito.db: kalito.db."), "{said:#?}");
    assert_eq!(content(&sandbox), before);
    assert!(is_ended(&sandbox));
    assert!(!reports(&sandbox.ok(&["db-list"])));
    let said = sandbox.ok(&["db-recover", "--yes"]);
    assert!(said.out.contains("Nothing to recover"), "{said:#?}");
}

#[test]
fn a_killed_migration_can_be_accepted() {
    let Some((sandbox, _)) = killed() else { return };
    let said = sandbox.ok(&["db-recover", "--accept", "--yes"]);
    assert!(said.out.contains("Accepted: ./backend/db/kalito.db stays as it is now"), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), ["one"]);
    assert!(is_ended(&sandbox));
}

#[test]
fn a_restore_ends_what_a_killed_migration_left() {
    let Some((sandbox, before)) = killed() else { return };
    assert!(reports(&sandbox.ok(&["db-restore", "latest", "--yes"])));
    assert_eq!(content(&sandbox), before);
    assert!(is_ended(&sandbox));
}

//! `db-rollback` to a branch point that is damaged: it says which other backup it could go back to.

use crate::store::prune::packs;
use crate::support::sandbox::Sandbox;

/// Flips a bit in every pack: what is stored cannot be restored.
fn spoil_packs(sandbox: &Sandbox) {
    for pack in packs(sandbox) {
        let mut bytes = fs_err::read(&pack).expect("a pack");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs_err::write(&pack, bytes).expect("written");
    }
}

/// A rollback that fails with exit 1 and leaves everything as it is; its hint.
fn hint(sandbox: &Sandbox) -> String {
    let (before, backups) = (sandbox.content(), sandbox.backups());
    let said = sandbox.fails(1, &["db-rollback", "--yes"]);
    assert_eq!(sandbox.content(), before);
    assert_eq!(sandbox.backups(), backups, "{said:#?}");
    let commit = sandbox.git(&["rev-parse", "--short=7", "HEAD"]);
    let hint = said.err.lines().find(|line| line.starts_with("hint: "));
    hint.unwrap_or_else(|| panic!("no hint: {said:#?}")).replace(&commit, "COMMIT")
}

/// Runs the command that a hint names.
fn run(sandbox: &Sandbox, hint: &str) {
    let (_, rest) = hint.split_once("`cargo xtask ").expect("a command");
    let (command, _) = rest.split_once('`').expect("its end");
    let arguments: Vec<&str> = command.split(' ').chain(["--yes"]).collect();
    sandbox.ok(&arguments);
}

fn migrate(sandbox: &Sandbox) {
    sandbox.sql("CREATE TABLE memory_summaries (id INTEGER PRIMARY KEY)");
}

#[test]
fn the_same_state_in_another_backup_is_offered() {
    let sandbox = Sandbox::with_hooks();
    let before = sandbox.content();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    sandbox.ok(&["db-backup"]);
    migrate(&sandbox);
    spoil_packs(&sandbox);
    let hint = hint(&sandbox);
    insta::assert_snapshot!(hint, @"hint: `kalito.db.2025-09-13_143130.bak` (2min ago, feature@COMMIT) has the same state and is whole: go back to it with `cargo xtask db-rollback --to kalito.db.2025-09-13_143130.bak`; the database is untouched");
    run(&sandbox, &hint);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn else_the_newest_backup_that_is_certainly_older_is_offered() {
    let sandbox = Sandbox::with_hooks();
    sandbox.ok(&["db-backup"]);
    let before = sandbox.content();
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    migrate(&sandbox);
    sandbox.ok(&["db-backup", "--label", "on the branch itself"]);
    spoil_packs(&sandbox);
    let hint = hint(&sandbox);
    insta::assert_snapshot!(hint, @"hint: `kalito.db.2025-09-13_142930.bak` (5min ago, main@COMMIT) is the newest one before `feature` and is whole: go back to it with `cargo xtask db-rollback --to kalito.db.2025-09-13_142930.bak`; the database is untouched");
    run(&sandbox, &hint);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn where_none_is_certainly_older_the_others_are_listed() {
    let sandbox = Sandbox::with_hooks();
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    migrate(&sandbox);
    sandbox.ok(&["db-backup"]);
    spoil_packs(&sandbox);
    insta::assert_snapshot!(hint(&sandbox), @"hint: no other backup is certainly older than `feature`; choose one with `cargo xtask db-rollback --to REF`: `kalito.db.2025-09-13_143030.bak` (2min ago, feature@COMMIT); the database is untouched");
}

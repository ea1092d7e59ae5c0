//! Where the system refuses every further thread, each command does its work on the one it has.

use crate::support::sandbox::{Said, Sandbox};
use crate::support::shell_migrations::{ADD, content, host, n_rows, rewrite};

/// Runs the xtask without any further thread: none can have a stack of this size.
fn alone(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let mut xtask = sandbox.xtask(arguments);
    xtask.env("RUST_MIN_STACK", (1_u64 << 60).to_string());
    sandbox.said(&xtask.output().expect("it runs"))
}

fn ok(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let said = alone(sandbox, arguments);
    assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
    said
}

/// Enough for several pieces and packs.
fn grow(sandbox: &Sandbox) {
    sandbox.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
         INSERT INTO messages (content) SELECT hex(randomblob(800)) FROM n",
    );
}

#[test]
fn backups_of_every_kind_are_taken_verified_and_restored() {
    let Some(sandbox) = host(ADD) else { return };
    grow(&sandbox);
    let before = content(&sandbox);
    ok(&sandbox, &["db-backup"]);
    ok(&sandbox, &["db-backup", "--kind", "branch"]);
    sandbox.sql("UPDATE messages SET content = 'other' WHERE id % 100 = 0");
    ok(&sandbox, &["db-backup", "--kind", "branch"]);
    ok(&sandbox, &["db-verify", "--all", "--drill"]);
    for name in sandbox.backups() {
        ok(&sandbox, &["db-verify", &name]);
    }
    let first = sandbox.backups()[0].clone();
    ok(&sandbox, &["db-restore", &first, "--yes"]);
    assert_eq!(content(&sandbox), before);
    let stored = sandbox.backups().into_iter().find(|name| name.strip_suffix(".pages").is_some());
    ok(&sandbox, &["db-restore", &stored.expect("a stored one"), "--into", "copy.db"]);
    for arguments in
        [&["db-list"][..], &["db-diff", &first], &["db-prune", "--keep-last", "1", "--yes"]]
    {
        ok(&sandbox, arguments);
    }
    let status = alone(&sandbox, &["db-status"]);
    assert!(matches!(status.code, Some(0 | 1)), "{status:#?}");
}

#[test]
fn a_migration_succeeds_and_one_that_fails_is_put_back() {
    let on_live = "case $DB in *backend/db/kalito.db)";
    let Some(sandbox) = host(&format!("{ADD}\n{on_live} exit 7 ;; esac")) else { return };
    grow(&sandbox);
    let before = content(&sandbox);
    let said = alone(&sandbox, &["db-migrate"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.contains("the state before it was restored"), "{said:#?}");
    assert_eq!(content(&sandbox), before);
    ok(&sandbox, &["db-pre-deploy", "--json"]);
    rewrite(&sandbox, ADD);
    ok(&sandbox, &["db-migrate"]);
    assert_eq!(n_rows(&sandbox, "added"), 0);
    ok(&sandbox, &["db-reset", "--yes"]);
}

#[test]
fn rows_go_out_and_come_in() {
    let Some(sandbox) = host(ADD) else { return };
    grow(&sandbox);
    let before = content(&sandbox);
    ok(&sandbox, &["db-export", "--output", "rows.jsonl"]);
    ok(&sandbox, &["db-import", "rows.jsonl", "--into", "copy.db"]);
    ok(&sandbox, &["db-import", "rows.jsonl", "--merge"]);
    assert_eq!(content(&sandbox), before);
    ok(&sandbox, &["db-import", "rows.jsonl", "--force", "--yes"]);
}

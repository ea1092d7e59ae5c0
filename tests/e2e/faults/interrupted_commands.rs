//! What a killed command leaves in the middle is noted, reported by every command, and ended by going
//! back, by accepting, or by a restore.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::migrate::interrupt::{ON_LIVE, hangs_at, stopped};
use crate::support::museum::names;
use crate::support::sandbox::{Running, Said, Sandbox, messages};
use crate::support::shell_migrations::{content, host};

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
fn a_recovery_waits_until_what_the_killed_command_started_has_ended() {
    let stubborn = "case $DB in *backend/db/kalito.db) trap '' TERM; echo $$ > began.new
        mv began.new began; while :; do q \"$DB\" \"INSERT INTO messages (content) VALUES ('late')\"; done ;; esac";
    let Some(sandbox) = host(&format!("{LOSES}\n{stubborn}")) else { return };
    let before = content(&sandbox);
    let (_, migration) = stopped(&sandbox, "db-migrate", Signal::KILL);
    sandbox.fails(3, &["db-recover", "--yes", "--busy-timeout", "0"]);
    sandbox.ok(&["db-recover", "--yes", "--busy-timeout", "60"]);
    assert_eq!(content(&sandbox), before);
    drop(migration);
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

#[test]
fn a_restore_of_equal_content_ends_what_a_killed_migration_left() {
    let add = "q \"$DB\" 'CREATE TABLE added (a)'";
    let Some(sandbox) = host(&format!("{}\n{add}", hangs_at(ON_LIVE))) else { return };
    let before = content(&sandbox);
    let (_, migration) = stopped(&sandbox, "db-migrate", Signal::KILL);
    drop(migration);
    assert_eq!(content(&sandbox), before);
    assert!(reports(&sandbox.ok(&["db-restore", "latest", "--yes"])));
    assert_eq!(content(&sandbox), before);
    assert!(is_ended(&sandbox));
}

/// The one note of the sandbox.
fn note(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.path("backups/under-way");
    let notes = names(&folder);
    assert_eq!(notes.len(), 1, "{notes:?}");
    folder.join(&notes[0])
}

/// The backup that the note names.
fn needed(sandbox: &Sandbox) -> String {
    let bytes = fs_err::read_to_string(note(sandbox)).expect("read");
    let line = bytes.lines().next().expect("a line");
    let note: serde_json::Value = serde_json::from_str(line).expect("JSON");
    note["back"].as_str().expect("a backup").to_owned()
}

#[test]
fn retention_keeps_the_backup_that_an_interrupted_migration_needs() {
    let Some((sandbox, before)) = killed() else { return };
    let needed = needed(&sandbox);
    for text in ["a", "b", "c"] {
        sandbox.backup_with(text);
    }
    let plan = sandbox.ok(&["db-prune", "--keep-last", "1", "--dry-run"]);
    assert!(plan.out.contains("an interrupted command needs it"), "{plan:#?}");
    sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert!(sandbox.backups().contains(&needed), "{:?}", sandbox.backups());
    sandbox.configure("[workspace.metadata.db.keep]\nlast = 1");
    sandbox.sql("INSERT INTO messages (content) VALUES ('d')");
    sandbox.ok(&["db-backup", "--kind", "branch"]);
    assert!(sandbox.backups().contains(&needed), "{:?}", sandbox.backups());
    sandbox.ok(&["db-recover", "--yes"]);
    assert_eq!(content(&sandbox), before);
}

#[test]
fn a_backup_that_is_gone_or_damaged_is_no_way_back_and_a_restore_or_accepting_is() {
    for is_gone in [true, false] {
        let Some((sandbox, _)) = killed() else { return };
        let path = sandbox.backup_path(&needed(&sandbox));
        if is_gone {
            fs_err::remove_file(&path).expect("removed");
        } else {
            let mut bytes = fs_err::read(&path).expect("read");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs_err::write(&path, bytes).expect("written");
        }
        let said = sandbox.fails(1, &["db-recover", "--yes"]);
        assert!(said.err.contains("cargo xtask db-recover --accept"), "{said:#?}");
        assert!(said.err.contains("cargo xtask db-restore REF"), "{said:#?}");
        assert_eq!(messages(&sandbox.live()), ["one"]);
        sandbox.fails(1, &["db-status"]);
        sandbox.ok(&["db-recover", "--accept", "--yes"]);
        assert!(is_ended(&sandbox));
    }
}

#[test]
fn a_note_that_cannot_be_read_is_reported_refuses_and_keeps_every_backup() {
    for (what, change) in [
        ("cannot be read: its checksum is wrong", "damaged"),
        ("has a newer version, 2", "newer"),
        ("cannot be read: it is not a file", "pipe"),
    ] {
        let Some((sandbox, before)) = killed() else { return };
        let path = note(&sandbox);
        let text = fs_err::read_to_string(&path).expect("read");
        match change {
            "damaged" => fs_err::write(&path, text.replace('4', "5")).expect("written"),
            "newer" => {
                let newer = text.replace("\"version\":1", "\"version\":2");
                fs_err::write(&path, newer).expect("written");
            }
            _ => {
                fs_err::remove_file(&path).expect("removed");
                let made = sandbox.command("mkfifo").arg(&path).status().expect("mkfifo runs");
                assert!(made.success());
            }
        }
        assert!(sandbox.ok(&["db-list"]).err.contains(what), "{what}");
        assert!(sandbox.fails(1, &["db-status"]).out.contains(what), "{what}");
        assert!(sandbox.fails(1, &["db-migrate"]).err.contains(what), "{what}");
        assert!(sandbox.fails(1, &["db-recover", "--yes"]).err.contains(what), "{what}");
        let all = sandbox.backups();
        sandbox.backup_with("more");
        sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
        assert_eq!(sandbox.backups().len(), all.len() + 1, "{what}");
        sandbox.ok(&["db-restore", all.last().expect("one"), "--yes"]);
        assert!(is_ended(&sandbox), "{what}");
        assert_eq!(content(&sandbox), before, "{what}");
    }
}

#[test]
fn what_was_left_is_found_where_the_database_was_moved_to() {
    let Some((sandbox, before)) = killed() else { return };
    fs_err::create_dir(sandbox.path("data")).expect("folder");
    for name in names(&sandbox.path("backend/db")) {
        let from = sandbox.path("backend/db").join(&name);
        fs_err::copy(&from, sandbox.path("data").join(&name)).expect("copied");
        fs_err::remove_file(&from).expect("removed");
    }
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    sandbox.write("Cargo.toml", manifest.replace("backend/db/kalito.db", "data/kalito.db"));
    let said = sandbox.ok(&["db-list"]);
    let message = "`db-migrate` of `data/kalito.db` at its former path \
                   `$ROOT/backend/db/kalito.db`, begun";
    assert!(said.err.contains(message), "{said:#?}");
    sandbox.ok(&["db-recover", "--yes"]);
    assert_eq!(content(&sandbox), before);
    assert!(is_ended(&sandbox));
}

#[test]
fn only_what_builds_on_the_state_refuses() {
    let Some((sandbox, _)) = killed() else { return };
    sandbox.ok(&["db-export", "--output", "all.jsonl"]);
    let refused: [&[&str]; 5] = [
        &["db-pre-migrate"],
        &["db-pre-deploy"],
        &["db-reset", "--yes"],
        &["db-import", "--merge", "all.jsonl"],
        &["db-import", "all.jsonl", "--force", "--yes"],
    ];
    for command in refused {
        let said = sandbox.fails(1, command);
        assert!(said.err.contains("was interrupted"), "{command:?}: {said:#?}");
        assert!(said.err.contains("hint: `cargo xtask db-recover` goes back"), "{said:#?}");
        assert_eq!(messages(&sandbox.live()), ["one"], "{command:?}");
    }
    let others: [&[&str]; 6] = [
        &["db-backup"],
        &["db-setup"],
        &["db-verify", "--all"],
        &["db-diff"],
        &["db-import", "--merge", "all.jsonl", "--dry-run"],
        &["db-restore", "latest", "--into", "elsewhere.db"],
    ];
    for command in others {
        assert!(reports(&sandbox.ok(command)), "{command:?}");
    }
    assert!(!is_ended(&sandbox));
}

#[test]
fn an_interrupted_migration_blocks_no_commit_and_no_checkout_but_the_database_is_not_switched() {
    let sandbox = Sandbox::with_hooks();
    sandbox.configure(
        "migrate = ['sh', '-c', 'sqlite3 $APP_DB \"create table x (a)\"']
         [workspace.metadata.db.hooks]\nfollow-branches = 'always'",
    );
    sandbox.hooked(&["commit", "--quiet", "--all", "--message=configured"]);
    sandbox.hooked(&["checkout", "--quiet", "-b", "other"]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('of the other')");
    // As a killed command leaves it.
    let live = sandbox.live();
    let text = serde_json::json!({
        "version": 1, "command": "db-migrate", "database": "kalito", "path": live, "worktree": ".",
        "begun_at": "2025-09-13T14:25:30+02:00", "pid": 4711, "step": "write", "back": sandbox.backup(),
    })
    .to_string();
    let key = blake3::hash(live.to_str().expect("a path").as_bytes()).to_hex();
    let checksum = blake3::hash(text.as_bytes()).to_hex();
    let note = format!("backups/under-way/{}.note", &key[..32]);
    sandbox.write(&note, format!("{text}\n{checksum}\n"));
    let before = messages(&live);
    sandbox.stage_migration("more");
    let said = sandbox.hooked(&["commit", "--quiet", "--message=more"]);
    assert!(said.err.contains("`db-migrate` of `backend/db/kalito.db`, begun"), "{said:#?}");
    let said = sandbox.hooked(&["checkout", "--quiet", "main"]);
    assert!(said.err.contains("could not switch the database to its state on `main`"), "{said:#?}");
    assert!(said.err.contains("was interrupted"), "{said:#?}");
    assert_eq!(messages(&live), before);
    assert_eq!(sandbox.git(&["branch", "--show-current"]), "main");
}

#[test]
fn a_reset_that_is_killed_while_its_command_changed_the_live_database_goes_back() {
    let script = "case $DB in */backups/*) q backend/db/kalito.db 'DELETE FROM messages'
        echo $$ > began.new; mv began.new began; sleep 600 ;; esac";
    let Some(sandbox) = host(script) else { return };
    let before = content(&sandbox);
    let mut xtask = sandbox.xtask(&["db-reset", "--yes"]);
    let mut running = Running(xtask.stderr(Stdio::null()).spawn().expect("it runs"));
    let began = Instant::now();
    while !sandbox.path("began").exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "the command never began");
        std::thread::yield_now();
    }
    running.0.kill().expect("killed");
    running.0.wait().expect("it ends");
    assert_eq!(messages(&sandbox.live()), [""; 0]);
    let status = sandbox.fails(1, &["db-status"]);
    assert!(status.out.contains("- `db-reset` of `backend/db/kalito.db`, begun"), "{status:#?}");
    sandbox.ok(&["db-recover", "--yes"]);
    assert_eq!(content(&sandbox), before);
    assert!(is_ended(&sandbox));
}

//! Commands that change rows of the live database although they were pointed at a copy: whatever the
//! rehearsal comes to, the state before is kept and the way back to it said.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::sandbox::{Running, Said, Sandbox};
use crate::support::shell_migrations::{ADD, LIVE, content, host, host_with_children, leftovers};

/// Deletes rows of the live database by its own path.
fn deletes() -> String {
    format!("q {LIVE} 'DELETE FROM messages WHERE id > 1'")
}

/// The command that an output says to go back with.
fn way_back(said: &Said) -> Vec<String> {
    let text = format!("{}{}", said.out, said.err);
    let (_, rest) = text.rsplit_once("go back with `cargo xtask ").expect(&text);
    let command = rest.split('`').next().expect("a command");
    command.split(' ').map(str::to_owned).collect()
}

/// Runs a command on a host; the way back that it says must lead to the rows of before.
fn is_reversible(sandbox: &Sandbox, code: i32, arguments: &[&str]) -> Said {
    let before = content(sandbox);
    let said = sandbox.fails(code, arguments);
    goes_back(sandbox, &said, &before);
    said
}

fn goes_back(sandbox: &Sandbox, said: &Said, before: &str) {
    assert_ne!(content(sandbox), before, "no row was deleted: {said:#?}");
    assert!(said.err.contains("rows of ./backend/db/kalito.db changed meanwhile"), "{said:#?}");
    assert!(!said.err.contains("the live database is as it was"), "{said:#?}");
    let command = way_back(said);
    sandbox.ok(&command.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(content(sandbox), before, "{said:#?}");
    assert_eq!(leftovers(sandbox), Vec::<String>::new());
}

#[test]
fn rows_deleted_where_nothing_is_pending_can_be_brought_back() {
    for command in ["db-pre-migrate", "db-migrate", "db-pre-deploy"] {
        let Some(sandbox) = host(&format!("q \"$DB\" 'SELECT * FROM messages'\n{}", deletes()))
        else {
            return;
        };
        let said = is_reversible(&sandbox, 0, &[command]);
        assert!(said.out.contains("Nothing is pending: "), "{said:#?}");
    }
}

#[test]
fn rows_deleted_by_a_migration_that_is_refused_can_be_brought_back() {
    for (script, why) in [
        (format!("{}\nexit 7", deletes()), "the command ended with exit status: 7"),
        (deletes(), "it never opened the copy"),
        (format!("{}\nq \"$DB\" 'DELETE FROM notes'", deletes()), "table `notes` loses 3"),
        (format!("{}\n: > \"$DB\"", deletes()), "caused by: "),
    ] {
        for command in ["db-pre-migrate", "db-migrate", "db-pre-deploy"] {
            let Some(sandbox) = host_with_children(&script) else { return };
            let said = is_reversible(&sandbox, 1, &[command]);
            assert!(said.err.contains(why), "{said:#?}");
        }
    }
}

#[test]
fn rows_deleted_by_a_migration_that_may_run_can_be_brought_back() {
    for command in ["db-pre-migrate", "db-pre-deploy"] {
        let Some(sandbox) = host(&format!("{ADD}\n{}", deletes())) else { return };
        is_reversible(&sandbox, 0, &[command]);
    }
}

#[test]
fn rows_deleted_by_a_rehearsal_that_is_interrupted_can_be_brought_back() {
    let script = format!("{}\ntouch began\nsleep 600", deletes());
    let Some(sandbox) = host(&script) else { return };
    let before = content(&sandbox);
    let mut xtask = sandbox.xtask(&["db-pre-migrate"]);
    let child = xtask.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let running = Running(child);
    let began = Instant::now();
    while !sandbox.path("began").exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "the migration never began");
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&running.0), Signal::INT).expect("sent");
    let said = sandbox.said(&running.output());
    assert_eq!(said.code, Some(130), "{said:#?}");
    goes_back(&sandbox, &said, &before);
}

#[test]
fn rows_deleted_during_the_rehearsal_keep_the_migration_from_running_and_are_named() {
    let script = format!("echo run >> runs\n{ADD}\n{}", deletes());
    let Some(sandbox) = host(&script) else { return };
    let before = content(&sandbox);
    let said = sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("table `messages` loses 2 of its 3 rows"), "{said:#?}");
    assert!(said.err.contains("the migration did not run on it"), "{said:#?}");
    assert_eq!(fs_err::read_to_string(sandbox.path("runs")).expect("runs"), "run\n");
    let names = sandbox.backups();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| said.err.contains(name)), "{said:#?}");
    goes_back(&sandbox, &said, &before);
}

#[test]
fn rows_changed_during_the_rehearsal_are_named_beside_the_undo_of_the_migration() {
    let change = format!("q {LIVE} \"UPDATE messages SET content = 'lost'\"");
    for json in [false, true] {
        let Some(sandbox) = host(&format!("{ADD}\n{change}")) else { return };
        let before = content(&sandbox);
        let first = if json {
            let document = sandbox.json(&["db-migrate"]);
            assert_ne!(document["first_checkpoint"], document["checkpoint"], "{document:#}");
            document["first_checkpoint"].as_str().expect("named").to_owned()
        } else {
            let said = sandbox.ok(&["db-migrate"]);
            assert!(said.out.contains("Undo with: cargo xtask db-restore "), "{said:#?}");
            let (_, rest) =
                said.out.split_once("Before the rehearsal: cargo xtask db-restore ").expect("said");
            rest.split(' ').next().expect("a name").to_owned()
        };
        sandbox.ok(&["db-restore", &first, "--yes"]);
        assert_eq!(content(&sandbox), before);
    }
}

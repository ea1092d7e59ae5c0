//! A restore beside a pruning: the reference is looked up again, and a name never means another backup.

use std::process::Stdio;

use crate::support::sandbox::{Running, Said, Sandbox, messages};
use crate::support::terminal::{ENTER, Terminal};

/// Runs a restore that has chosen its backup, and removes that one before it is read again.
fn raced(sandbox: &Sandbox, arguments: &[&str], doomed: &str) -> Said {
    let path = sandbox.path("backups/.lock");
    let lock = std::fs::File::options().write(true).open(&path).expect("the lock");
    lock.lock().expect("locked");
    let mut command = sandbox.xtask(&[arguments, &["--busy-timeout", "60"]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = Running(child.expect("the binary runs"));
    let descriptors = format!("/proc/{}/fd", child.0.id());
    let waits = || {
        let entries = std::fs::read_dir(&descriptors).expect("descriptors").flatten();
        entries.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|to| to == path)
    };
    while !waits() {
        std::thread::yield_now();
    }
    for ending in ["", ".json"] {
        fs_err::remove_file(sandbox.path(&format!("backups/{doomed}{ending}"))).expect("removed");
    }
    drop(lock);
    sandbox.said(&child.output())
}

#[test]
fn latest_that_a_pruning_removes_meanwhile_is_looked_up_again() {
    if !std::path::Path::new("/proc/self/fd").exists() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.backup_with("four");
    let newest = sandbox.backup_with("five");
    let said = raced(&sandbox, &["db-restore", "latest", "--yes"], &newest);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.err.contains(&format!("{newest} was removed meanwhile")), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three", "four"]);
}

#[test]
fn a_name_whose_backup_is_removed_meanwhile_means_no_other() {
    if !std::path::Path::new("/proc/self/fd").exists() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.backup_with("four");
    let newest = sandbox.backup_with("five");
    let said = raced(&sandbox, &["db-restore", &newest, "--yes"], &newest);
    assert_ne!(said.code, Some(0), "{said:#?}");
    assert_eq!(messages(&sandbox.live()).len(), 5);
}

#[test]
fn on_a_terminal_the_question_is_asked_again_for_the_other_backup() {
    let sandbox = Sandbox::new();
    let older = sandbox.backup_with("four");
    let newest = sandbox.backup_with("five");
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore", "latest"]) else { return };
    terminal.expect(&newest);
    terminal.expect("[y/N]: ");
    for ending in ["", ".json"] {
        fs_err::remove_file(sandbox.path(&format!("backups/{newest}{ending}"))).expect("removed");
    }
    terminal.press(&format!("y{ENTER}"));
    terminal.expect(&older);
    terminal.expect("[y/N]: ");
    assert_eq!(messages(&sandbox.live()).len(), 5);
    terminal.press(&format!("y{ENTER}"));
    assert_eq!(terminal.end().code, Some(0));
    assert_eq!(messages(&sandbox.live()).len(), 4);
}

//! What another user owns: said clearly, and no reason to doubt a backup.
//!
//! Root may do everything, so as root these run the binary as `nobody` through setpriv (util-linux).

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::support::sandbox::{Said, Sandbox};

const NOBODY: &str = "65534";

/// A sandbox that somebody else may enter; `None` if nobody else can be.
fn shared() -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    if rustix::process::geteuid().is_root() {
        let root = sandbox.root();
        let above = root.parent().expect("parent").to_owned();
        for folder in [above, root.join("backend"), root.join("backend/db"), root] {
            set_mode(&folder, 0o777);
        }
        let probe = as_other(&sandbox, env!("CARGO_BIN_EXE_xtask"), &["--help"]).output();
        if !probe.is_ok_and(|output| output.status.success()) {
            let said = "SKIPPED: tests of permissions need setpriv and a binary that all may run\n";
            std::io::stderr().write_all(said.as_bytes()).expect("stderr");
            return None;
        }
    }
    Some(sandbox)
}

fn set_mode(path: &std::path::Path, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    fs_err::set_permissions(path, permissions).expect("permissions");
}

fn as_other(sandbox: &Sandbox, program: &str, arguments: &[&str]) -> Command {
    if !rustix::process::geteuid().is_root() {
        let mut command = sandbox.command(program);
        command.args(arguments);
        return command;
    }
    let mut command = sandbox.command("setpriv");
    command.args(["--reuid", NOBODY, "--clear-groups", program]).args(arguments);
    command
}

fn run_as_other(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let mut command = as_other(sandbox, env!("CARGO_BIN_EXE_xtask"), arguments);
    sandbox.said(&command.output().expect("the binary runs"))
}

#[test]
fn a_database_that_cannot_be_read_is_refused_with_what_to_check() {
    let Some(sandbox) = shared() else { return };
    set_mode(&sandbox.live(), 0o000);
    let said = run_as_other(&sandbox, &["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("could not read `backend/db/kalito.db`"), "{said:#?}");
    assert!(said.err.contains("hint: check who owns it"), "{said:#?}");
}

#[test]
fn the_status_of_a_database_that_cannot_be_read_says_who_may() {
    let Some(sandbox) = shared() else { return };
    sandbox.ok(&["db-backup"]);
    set_mode(&sandbox.path("backups"), 0o755);
    set_mode(&sandbox.live(), 0o000);
    let said = run_as_other(&sandbox, &["db-status"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.out.contains("- could not read `backend/db/kalito.db`: "), "{said:#?}");
    // As root the test runs as somebody else, who does not own it.
    let remedy = if rustix::process::geteuid().is_root() {
        "\n    ls -l ./backend/db/kalito.db   # shows the owner: run this as that user\n"
    } else {
        "\n    chmod u+rw ./backend/db/kalito.db\n"
    };
    assert!(said.out.contains(remedy), "{said:#?}");
    set_mode(&sandbox.path("backups"), 0o000);
    let said = run_as_other(&sandbox, &["db-status"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("could not read the backups folder"), "{said:#?}");
    assert!(said.err.contains("permissions, with `ls -ld $ROOT/backups`\n"), "{said:#?}");
    set_mode(&sandbox.path("backups"), 0o700);
}

#[test]
fn a_backups_folder_that_cannot_be_written_is_refused_with_what_to_check() {
    let Some(sandbox) = shared() else { return };
    fs_err::create_dir(sandbox.path("backups")).expect("folder");
    set_mode(&sandbox.live(), 0o666);
    set_mode(&sandbox.path("backups"), 0o555);
    let said = run_as_other(&sandbox, &["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("could not lock the backups folder"), "{said:#?}");
    assert!(said.err.contains("hint: check who owns it"), "{said:#?}");
    assert!(said.err.contains("with `ls -ld $ROOT/backups`\n"), "{said:#?}");
    set_mode(&sandbox.path("backups"), 0o755);
}

#[test]
fn a_folder_in_which_sqlite_cannot_write_beside_a_wal_database_is_explained() {
    let Some(sandbox) = shared() else { return };
    set_mode(&sandbox.live(), 0o666);
    set_mode(&sandbox.path("backend/db"), 0o555);
    let said = run_as_other(&sandbox, &["db-backup"]);
    set_mode(&sandbox.path("backend/db"), 0o777);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("SQLite needs to write beside it"), "{said:#?}");
    assert!(sandbox.backups().is_empty());
}

#[test]
fn backups_of_another_user_are_listed_and_nobody_can_tell_of_them() {
    let Some(sandbox) = shared() else { return };
    sandbox.ok(&["db-backup"]);
    let name = sandbox.backups().remove(0);
    set_mode(&sandbox.path("backups"), 0o755);
    set_mode(&sandbox.path(&format!("backups/{name}")), 0o000);
    let said = run_as_other(&sandbox, &["db-list"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.out.contains(&name), "{said:#?}");
    let said = run_as_other(&sandbox, &["db-verify", "--all"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.out.contains("cannot tell"), "{said:#?}");
    set_mode(&sandbox.path(&format!("backups/{name}")), 0o600);
    sandbox.ok(&["db-verify"]);
}

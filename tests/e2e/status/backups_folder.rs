//! `db-status` of the backups and their folder: what is damaged, left over, or seen by others.

use std::os::unix::fs::PermissionsExt as _;

use super::{backed_up, codes, mended_by, one_problem, paste};
use crate::support::sandbox::Sandbox;

#[test]
fn damaged_backups_are_counted_and_named() {
    let sandbox = backed_up();
    let name = sandbox.backup_with("four");
    fs_err::write(sandbox.backup_path(&name), "cut").expect("written");
    let remedy = format!(
        "cargo xtask db-verify {name}   # shows how; then delete it: cargo xtask db-remove {name} \
         --force\n"
    );
    one_problem(&sandbox, "damaged-backups", &format!("`{name}` is damaged"), &remedy);
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains("backups      2: 1 verified, 1 damaged"), "{said:#?}");
    sandbox.fails(1, &["db-verify", &name]);
    let first = sandbox.backups().remove(0);
    fs_err::write(sandbox.backup_path(&first), "cut").expect("written");
    let what = format!("2 backups are damaged, the newest is `{name}`");
    let remedy =
        "cargo xtask db-verify --all   # shows how; then delete each: cargo xtask db-remove REF\n";
    one_problem(&sandbox, "damaged-backups", &what, remedy);
    for name in [name, first] {
        paste(&sandbox, &format!("cargo xtask db-remove {name} --force --yes"));
    }
    assert_eq!(codes(&sandbox, &[]), ["no-backup"]);
}

#[test]
fn records_that_cannot_be_read_and_newer_ones_are_told_apart() {
    let sandbox = backed_up();
    let name = sandbox.backups().remove(0);
    let record = format!("backups/{name}.json");
    let text = fs_err::read_to_string(sandbox.path(&record)).expect("a record");
    sandbox.write(&record, &text[..100]);
    assert_eq!(codes(&sandbox, &[]), ["unreadable-records"]);
    sandbox.write(&record, text.replacen("\"version\": 1", "\"version\": 2", 1));
    let remedy = "cargo update --package xtask-db";
    let what = format!("the record of `{name}` was written by a newer xtask-db");
    one_problem(&sandbox, "newer-records", &what, remedy);
}

#[test]
fn backups_tracked_by_git_are_taken_out_of_it() {
    let sandbox = backed_up();
    sandbox.git_init();
    sandbox.git(&["add", "--force", "backups"]);
    sandbox.git(&["commit", "--quiet", "--message=oops"]);
    let what = "git tracks 3 files in the backups folder, e.g. `backups/.lock`";
    let remedy = "git rm -r --cached --quiet -- backups ':!backups/.gitignore'";
    mended_by(&sandbox, "tracked", what, remedy);
    assert_eq!(sandbox.git(&["ls-files", "backups"]), "backups/.gitignore");
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn permissions_that_let_others_in_are_closed() {
    let sandbox = backed_up();
    let set = |path: &str, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(sandbox.path(path), permissions).expect("permissions");
    };
    // A database that all may read is the application's business.
    set("backend/db/kalito.db", 0o644);
    sandbox.ok(&["db-status"]);
    set("backups", 0o755);
    let what = "other users can enter ./backups (mode 0755, not 0700)";
    mended_by(&sandbox, "permissions", what, "chmod -R go= ./backups");
    set("backend/db/kalito.db", 0o600);
    set(&format!("backups/{}", sandbox.backups().remove(0)), 0o640);
    let what = "other users can read 1 file in ./backups (mode 0640, not 0600)";
    mended_by(&sandbox, "permissions", what, "chmod -R go= ./backups");
}

#[test]
fn what_a_killed_command_left_is_swept_by_the_next_one() {
    let sandbox = backed_up();
    sandbox.write("backups/.kalito.db.x.bak.stage-99-0123456789abcdef", "half");
    let name = sandbox.backups().remove(0);
    let record =
        fs_err::read_to_string(sandbox.backup_path(&format!("{name}.json"))).expect("read");
    let lone = "kalito.db.2025-09-13_120000.bak";
    let left = format!("backups/{lone}.json");
    sandbox.write(&left, record.replace(&name, lone));
    for file in [".kalito.db.x.bak.stage-99-0123456789abcdef", &format!("{lone}.json")] {
        let permissions = std::fs::Permissions::from_mode(0o600);
        fs_err::set_permissions(sandbox.backup_path(file), permissions).expect("permissions");
    }
    let what = "a killed command left 1 unfinished file and 1 record without its backup, e.g. \
                `backups/.kalito.db.x.bak.stage-99-0123456789abcdef`";
    mended_by(&sandbox, "leftovers", what, "cargo xtask db-backup");
    assert!(!sandbox.path(&left).exists());
}

#[test]
fn a_backup_dated_in_the_future_is_pointed_out() {
    let sandbox = Sandbox::new();
    sandbox.set_clock("2031-01-01T00:00:00+01:00");
    let name = sandbox.backup();
    sandbox.set_clock("2025-09-13T14:25:30+02:00");
    assert_eq!(codes(&sandbox, &[]), ["future"]);
    assert_eq!(codes(&sandbox, &["--max-age", "1d"]), ["too-old", "future"]);
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains(&format!("- `{name}` is dated in the future")), "{said:#?}");
    let remedy = format!("or delete it: cargo xtask db-remove {name}\n");
    assert!(said.out.contains(&remedy), "{said:#?}");
}

//! What reads a backup does not know its kind: a stored one goes back, is compared, verified and
//! written elsewhere as a plain one is.

use std::path::PathBuf;

use crate::restore::in_use::no_commit_is_lost;
use crate::support::museum::{
    Case, N_ROWS, content_of, fill, n_messages, names, other_live, put, remove_live, set_aside,
    text,
};
use crate::support::sandbox::{Sandbox, messages, open};

const RESTORE: [&str; 3] = ["db-restore", "latest", "--yes"];

/// One stored backup of a database, which then went on.
fn stored(journal_mode: &str) -> Case {
    let sandbox = Sandbox::new();
    fill(&sandbox, journal_mode);
    let document = sandbox.json(&["db-backup", "--format", "pages"]);
    let old = text(&document["backups"][0]["content_blake3"]);
    sandbox.sql(
        "DELETE FROM messages WHERE id % 3 = 0;
         INSERT INTO messages (content) VALUES ('written after the backup');",
    );
    let new = content_of(&sandbox);
    Case { sandbox, old, new }
}

fn packs(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folder = sandbox.path("backups/packs");
    names(&folder).into_iter().map(|name| folder.join(name)).collect()
}

/// Demands that no private copy and no stage was left.
fn nothing_is_left(sandbox: &Sandbox) {
    for folder in ["backups", "backups/packs", "backend/db"] {
        let left = names(&sandbox.path(folder));
        assert!(!left.iter().any(|name| name.contains(".stage-")), "{folder}: {left:?}");
    }
}

#[test]
fn a_stored_backup_goes_back_in_either_journal_mode() {
    for journal_mode in ["wal", "delete"] {
        let case = stored(journal_mode);
        let said = case.sandbox.ok(&RESTORE);
        assert_eq!(content_of(&case.sandbox), case.old, "{said:#?}");
        let ok = "[✓] SQLite quick_check: ok (when it was taken; every byte is as recorded)\n";
        assert!(said.out.contains(ok), "{said:#?}");
        assert!(!said.out.contains("integrity_check"), "{said:#?}");
        assert_eq!(said.err, "");
        nothing_is_left(&case.sandbox);
    }
}

#[test]
fn after_a_verification_the_restore_names_it() {
    let case = stored("wal");
    case.sandbox.ok(&["db-verify"]);
    let said = case.sandbox.ok(&RESTORE);
    assert!(said.out.contains("integrity_check: ok (by `db-verify` on 2025-09-13"), "{said:#?}");
    assert_eq!(content_of(&case.sandbox), case.old);
}

#[test]
fn over_nothing_and_over_what_is_no_database_it_goes_back_too() {
    let text = "this is no database\n".repeat(1000);
    for journal_mode in ["wal", "delete"] {
        for live in [None, Some(""), Some(text.as_str())] {
            let case = stored(journal_mode);
            remove_live(&case.sandbox);
            if let Some(bytes) = live {
                put(&case.sandbox, bytes.as_bytes());
            }
            case.restores(&[]);
            assert_eq!(set_aside(&case.sandbox).is_some(), live.is_some_and(|t| !t.is_empty()));
            nothing_is_left(&case.sandbox);
        }
    }
}

#[test]
fn over_a_database_of_another_shape_it_goes_back_too() {
    for (pragmas, journal_mode) in [
        ("PRAGMA page_size=65536;", "delete"),
        ("PRAGMA auto_vacuum=FULL;", "wal"),
        ("PRAGMA page_size=1024;", "wal"),
    ] {
        let case = stored("wal");
        drop(other_live(&case.sandbox, pragmas, journal_mode));
        case.sandbox.ok(&RESTORE);
        // In WAL mode the page size stays the live database's.
        if !pragmas.contains("1024") {
            assert_eq!(content_of(&case.sandbox), case.old, "{pragmas}");
        }
        assert_eq!(n_messages(&open(&case.sandbox.live())), N_ROWS + 3, "{pragmas}");
        nothing_is_left(&case.sandbox);
    }
}

#[test]
fn every_commit_beside_its_restore_is_in_the_safety_backup_or_in_the_live_database() {
    for journal_mode in ["wal", "delete"] {
        no_commit_is_lost(&stored(journal_mode), journal_mode, &RESTORE);
    }
}

#[test]
fn it_is_written_elsewhere_compared_and_put_back_table_by_table() {
    let case = stored("wal");
    let sandbox = &case.sandbox;
    sandbox.ok(&["db-restore", "latest", "--into", "elsewhere.db"]);
    assert_eq!(n_messages(&open(&sandbox.path("elsewhere.db"))), N_ROWS + 3);
    let said = sandbox.run(&["db-diff", "--exit-code"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.out.contains("messages"), "{said:#?}");
    sandbox.ok(&["db-restore", "latest", "--table", "messages", "--yes"]);
    assert_eq!(messages(&sandbox.live()), messages(&sandbox.path("elsewhere.db")));
    sandbox.ok(&["db-diff", "--exit-code"]);
    sandbox.ok(&["db-verify", "--drill"]);
    nothing_is_left(sandbox);
}

#[test]
fn a_rollback_to_it_says_what_is_newer() {
    let case = stored("wal");
    let said = case.sandbox.ok(&["db-rollback", "--to", "latest", "--yes"]);
    assert!(said.err.contains("Changes since then"), "{said:#?}");
    assert_eq!(content_of(&case.sandbox), case.old);
    nothing_is_left(&case.sandbox);
}

#[test]
fn without_its_packs_it_is_damaged_and_the_live_database_stays() {
    let case = stored("wal");
    fs_err::remove_dir_all(case.sandbox.path("backups/packs")).expect("removed");
    fs_err::create_dir(case.sandbox.path("backups/packs")).expect("made");
    let said = case.sandbox.fails(1, &RESTORE);
    assert!(said.err.contains("page data is missing: the pack `packs/"), "{said:#?}");
    assert_eq!(content_of(&case.sandbox), case.new);
    let said = case.sandbox.fails(1, &["db-verify"]);
    assert!(said.out.contains("is damaged"), "{said:#?}");
    let list = case.sandbox.json(&["db-list"]);
    assert_eq!(list["backups"][0]["state"], "damaged");
}

#[test]
fn pages_that_turn_out_damaged_in_the_middle_leave_the_live_database_as_it_was() {
    for journal_mode in ["wal", "delete"] {
        let case = stored(journal_mode);
        for pack in packs(&case.sandbox) {
            let mut bytes = fs_err::read(&pack).expect("read");
            // The first page, and behind the others what shows where they are, stay.
            let until = bytes.len() * 7 / 10;
            bytes[2048..until].iter_mut().for_each(|byte| *byte ^= 1);
            fs_err::write(&pack, bytes).expect("written");
        }
        let said = case.sandbox.fails(1, &RESTORE);
        assert!(said.err.contains("page data is damaged: in the pack `packs/"), "{said:#?}");
        assert!(said.err.contains("hint: `cargo xtask db-verify --all`"), "{said:#?}");
        assert_eq!(content_of(&case.sandbox), case.new, "{said:#?}");
        nothing_is_left(&case.sandbox);
    }
}

//! Records and file names in the backups folder that are not as they ought to be.

use std::os::unix::fs::symlink;

use crate::support::museum::{fill, names, only_backup, put, raw, record_path};
use crate::support::sandbox::{Said, Sandbox};

fn with_backup() -> Sandbox {
    let sandbox = Sandbox::new();
    fill(&sandbox, "wal");
    sandbox.ok(&["db-backup"]);
    sandbox
}

/// Rewrites the record of the only backup.
fn with_record(change: impl FnOnce(String) -> String) -> Sandbox {
    let sandbox = with_backup();
    let path = record_path(&only_backup(&sandbox));
    let record = fs_err::read_to_string(&path).expect("a record");
    fs_err::write(&path, change(record)).expect("written");
    sandbox
}

/// Demands that neither the backup nor its record is touched by a verification, and returns it.
fn verified(sandbox: &Sandbox) -> Said {
    let record = record_path(&only_backup(sandbox));
    let before = fs_err::read(&record).expect("a record");
    let said = sandbox.run(&["db-verify"]);
    assert!(fs_err::read(&record).expect("a record") == before, "{said:#?}");
    said
}

#[test]
fn a_truncated_record_proves_nothing_and_its_backup_is_still_listed() {
    for length in [0, 1, 100] {
        let sandbox = with_record(|record| record[..length].to_owned());
        let said = verified(&sandbox);
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.out.contains("its record cannot be read"), "{said:#?}");
        let list = sandbox.json(&["db-list"]);
        assert_eq!(list["backups"][0]["state"], "unverified");
        let refused = sandbox.run(&["db-restore", "latest", "--yes"]);
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        sandbox.ok(&["db-restore", "latest", "--yes", "--force"]);
    }
}

#[test]
fn a_newer_record_is_refused_and_never_rewritten() {
    let sandbox = with_record(|record| record.replacen("\"version\": 1", "\"version\": 2", 1));
    let said = verified(&sandbox);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.out.contains("its record has version 2"), "{said:#?}");
    let said = sandbox.run(&["db-pin", "latest"]);
    assert_ne!(said.code, Some(0), "{said:#?}");
}

#[test]
fn a_record_that_contradicts_its_file_makes_it_damaged() {
    for (from, to) in
        [("\"blake3\": \"", "\"blake3\": \"0"), ("\"size_bytes\": ", "\"size_bytes\": 1")]
    {
        let sandbox = with_record(|record| record.replacen(from, to, 1));
        let said = sandbox.run(&["db-verify"]);
        assert_eq!(said.code, Some(1), "{to}: {said:#?}");
        let said = sandbox.run(&["db-restore", "latest", "--yes"]);
        assert_eq!(said.code, Some(1), "{to}: {said:#?}");
    }
}

#[test]
fn a_record_of_another_backup_makes_both_damaged() {
    let sandbox = with_backup();
    let first = only_backup(&sandbox);
    sandbox.sql("DELETE FROM messages;");
    sandbox.ok(&["db-backup"]);
    let second = sandbox.path("backups").join(&sandbox.backups()[1]);
    let [a, b] = [&first, &second].map(|path| fs_err::read(record_path(path)).expect("a record"));
    fs_err::write(record_path(&first), b).expect("written");
    fs_err::write(record_path(&second), a).expect("written");
    let said = sandbox.run(&["db-verify", "--all"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert_eq!(said.out.matches(" is damaged").count(), 2, "{said:#?}");
}

#[test]
fn an_unrecorded_backup_of_no_bytes_is_not_called_whole() {
    let sandbox = Sandbox::new();
    sandbox.write("backups/kalito.db.2025-09-12_120000.bak", "");
    let said = sandbox.run(&["db-verify"]);
    assert_ne!(said.code, Some(0), "{said:#?}");
    assert!(!said.out.contains("is whole"), "{said:#?}");
    assert_ne!(sandbox.run(&["db-restore", "latest", "--yes"]).code, Some(0));
}

#[test]
fn an_unrecorded_backup_with_bytes_behind_its_last_page_is_refused_before_anything_is_touched() {
    for n_bytes in [3, 4096] {
        let sandbox = Sandbox::new();
        let name = sandbox.backup();
        fs_err::remove_file(record_path(&sandbox.backup_path(&name))).expect("removed");
        let mut bytes = fs_err::read(sandbox.backup_path(&name)).expect("read");
        bytes.resize(bytes.len() + n_bytes, 0);
        fs_err::write(sandbox.backup_path(&name), bytes).expect("written");
        sandbox.sql("INSERT INTO messages (content) VALUES ('newer')");
        let live = raw(&sandbox);
        let said = sandbox.fails(1, &["db-restore", "latest", "--yes"]);
        assert!(said.err.contains("it is longer than its header declares, by "), "{said:#?}");
        assert!(said.err.contains("the database is untouched"), "{said:#?}");
        assert!(raw(&sandbox) == live);
        assert_eq!(sandbox.backups(), [name], "a refused restore takes no safety backup");
        sandbox.fails(1, &["db-verify"]);
    }
}

#[test]
fn an_unrecorded_backup_is_examined_and_restored_and_a_damaged_one_is_not() {
    let sandbox = Sandbox::new();
    fill(&sandbox, "wal");
    let mut bytes = raw(&sandbox);
    sandbox.write("backups/kalito.db.2025-09-12_120000.bak", &bytes);
    let said = sandbox.ok(&["db-verify"]);
    assert!(said.err.contains("unrecorded"), "{said:#?}");
    put(&sandbox, b"");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert!(raw(&sandbox)[100..] == bytes[100..]);
    for (from, to) in [(4096, 8192), (0, 4096)] {
        bytes[from..to].fill(0xff);
        sandbox.write("backups/kalito.db.2025-09-12_120000.bak", &bytes);
        assert_eq!(sandbox.run(&["db-verify", "2025-09-12"]).code, Some(1), "{from}");
        let said = sandbox.run(&["db-restore", "2025-09-12", "--yes"]);
        assert_eq!(said.code, Some(1), "{said:#?}");
    }
}

#[test]
fn a_wal_beside_a_backup_is_pointed_out_and_never_replayed() {
    let sandbox = with_backup();
    let backup = only_backup(&sandbox);
    let bytes = fs_err::read(&backup).expect("read");
    let mut wal = backup.as_os_str().to_owned();
    wal.push("-wal");
    fs_err::write(&wal, "frames").expect("written");
    let said = sandbox.ok(&["db-verify"]);
    assert!(said.err.contains("which is not part of the backup"), "{said:#?}");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert!(fs_err::read(&backup).expect("read") == bytes);
    fs_err::remove_file(record_path(&backup)).expect("removed");
    let said = sandbox.run(&["db-verify"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.out.contains("may contain pages that belong to it"), "{said:#?}");
}

#[test]
fn what_is_not_ours_in_the_folder_is_neither_listed_nor_touched() {
    let sandbox = with_backup();
    let target = only_backup(&sandbox);
    let folder = sandbox.path("backups");
    symlink(&target, folder.join("kalito.db.2025-01-01_000000.bak")).expect("linked");
    symlink("/nowhere", folder.join("kalito.db.2025-01-02_000000.bak")).expect("linked");
    sandbox.write("backups/kalito.db.2025-01-03_000000.bak/inside", "theirs");
    for stray in ["notes.txt", "kalito.db.2025-13-01_000000.bak", "x.json", "kalito.db", ".stage-1"]
    {
        sandbox.write(&format!("backups/{stray}"), "theirs");
    }
    let before = names(&folder);
    let list = sandbox.json(&["db-list"]);
    assert_eq!(list["backups"].as_array().map(Vec::len), Some(1), "{list}");
    sandbox.ok(&["db-verify", "--all"]);
    sandbox.ok(&["db-backup"]);
    sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    for name in before {
        let is_target =
            target.file_name().is_some_and(|own| name.starts_with(&*own.to_string_lossy()));
        let there = fs_err::symlink_metadata(folder.join(&name)).is_ok();
        assert_eq!(there, !is_target, "{name}");
    }
}

#[test]
fn what_a_killed_run_left_is_swept_and_nothing_else() {
    let sandbox = with_backup();
    let folder = sandbox.path("backups");
    let backup = sandbox.backups().remove(0);
    let record = fs_err::read_to_string(record_path(&folder.join(&backup))).expect("a record");
    let lone = "kalito.db.2025-01-01_000000.bak";
    sandbox.write(&format!("backups/{lone}.json"), record.replace(&backup, lone));
    // Not a record of ours for just this name: someone's own file.
    sandbox.write("backups/kalito.db.2025-01-02_000000.bak.json", "{}");
    let stage = ".kalito.db.2025-01-01_000000.bak.stage-77-0123456789abcdef";
    sandbox.write(&format!("backups/{stage}"), "half");
    sandbox.write(&format!("backups/{stage}-journal"), "half");
    sandbox.write(".stage-folder", "theirs");
    sandbox.ok(&["db-backup"]);
    let after = names(&folder);
    assert!(!after.iter().any(|name| name.contains("stage-77")), "{after:?}");
    assert!(!after.contains(&format!("{lone}.json")), "{after:?}");
    assert!(after.contains(&"kalito.db.2025-01-02_000000.bak.json".to_owned()), "{after:?}");
    assert_eq!(sandbox.backups().len(), 2);
}

//! Damage of backups: `db-verify` catches all of it.

use std::collections::BTreeMap;

use crate::support::museum::{Random, fill, only_backup, raw, record_path, text};
use crate::support::sandbox::Sandbox;

/// A sandbox with a filled database and one backup of it.
fn with_backup() -> Sandbox {
    let sandbox = Sandbox::new();
    fill(&sandbox, "wal");
    sandbox.ok(&["db-backup"]);
    sandbox
}

/// Demands that `db-verify` calls each of these versions of the backup damaged, and the whole one
/// between them whole.
///
/// All are in one folder, each with a copy of the record under its own name.
fn all_are_caught(sandbox: &Sandbox, versions: &[(String, Vec<u8>)]) {
    let backup = only_backup(sandbox);
    let whole = sandbox.backups().remove(0);
    let record = fs_err::read_to_string(record_path(&backup)).expect("a record");
    let mut what = BTreeMap::new();
    for (i, (described, bytes)) in versions.iter().enumerate() {
        let name =
            format!("kalito.db.2025-09-12_{:02}{:02}{:02}.bak", i / 3600, i / 60 % 60, i % 60);
        sandbox.write(&format!("backups/{name}"), bytes);
        sandbox.write(&format!("backups/{name}.json"), record.replace(&whole, &name));
        what.insert(name, described.clone());
    }
    what.insert(whole.clone(), "whole".to_owned());
    let said = sandbox.run(&["db-verify", "--all", "--json"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    let rows = document["backups"].as_array().expect("rows");
    assert_eq!(rows.len(), what.len());
    for row in rows {
        let name = text(&row["name"]);
        let expected = if name == whole { "whole" } else { "damaged" };
        assert_eq!(row["outcome"], expected, "{}: {row}", what[&name]);
        let state = if name == whole { "verified" } else { "damaged" };
        assert_eq!(row["state"], state, "{}", what[&name]);
    }
}

#[test]
fn four_hundred_bit_flips_are_all_caught() {
    let sandbox = with_backup();
    let bytes = fs_err::read(only_backup(&sandbox)).expect("read");
    let mut random = Random(400);
    let flips = (0..400).map(|i| {
        // A quarter in the header, the rest evenly over the file.
        let at = if i % 4 == 0 { i / 4 } else { random.below(bytes.len()) };
        let bit = random.below(8);
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        (format!("bit {bit} of byte {at}"), flipped)
    });
    all_are_caught(&sandbox, &flips.collect::<Vec<_>>());
}

#[test]
fn stale_pages_are_all_caught() {
    let sandbox = with_backup();
    let stale = fs_err::read(only_backup(&sandbox)).expect("read");
    fs_err::remove_dir_all(sandbox.path("backups")).expect("removed");
    sandbox.sql("UPDATE messages SET content = replace(content, 'message', 'massage');");
    sandbox.ok(&["db-backup"]);
    let bytes = fs_err::read(only_backup(&sandbox)).expect("read");
    let n_pages = bytes.len().min(stale.len()) / 4096;
    let mut versions = Vec::new();
    for n_page in 0..n_pages {
        let page = n_page * 4096..(n_page + 1) * 4096;
        if bytes[page.clone()] != stale[page.clone()] {
            let mut version = bytes.clone();
            version[page.clone()].copy_from_slice(&stale[page]);
            versions.push((format!("stale page {}", n_page + 1), version));
        }
    }
    assert!(versions.len() > 10, "only {} pages changed", versions.len());
    all_are_caught(&sandbox, &versions);
}

#[test]
fn truncations_and_trailing_bytes_are_all_caught() {
    let sandbox = with_backup();
    let bytes = fs_err::read(only_backup(&sandbox)).expect("read");
    let whole = bytes.len();
    let cuts = [0, 1, 50, 99, 100, 511, 512, 4096, 4097, whole - 4096, whole - 512, whole - 1];
    let mut versions: Vec<_> =
        cuts.iter().map(|length| (format!("cut to {length}"), bytes[..*length].to_vec())).collect();
    for n_bytes in [1, 100, 512, 4096] {
        for byte in [0, b'x'] {
            let mut longer = bytes.clone();
            longer.resize(whole + n_bytes, byte);
            versions.push((format!("{n_bytes} bytes {byte} more"), longer));
        }
    }
    all_are_caught(&sandbox, &versions);
}

#[test]
fn a_damaged_backup_is_told_from_one_of_a_damaged_source_and_is_not_restored() {
    let sandbox = with_backup();
    let backup = only_backup(&sandbox);
    let mut bytes = fs_err::read(&backup).expect("read");
    bytes[5000] ^= 1;
    fs_err::write(&backup, &bytes).expect("written");
    let live = raw(&sandbox);
    let said = sandbox.run(&["db-verify"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.out.contains("changed after it was taken"), "{said:#?}");
    let said = sandbox.run(&["db-restore", "latest", "--yes"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.contains("the database is untouched"), "{said:#?}");
    assert!(raw(&sandbox) == live);
    assert_eq!(sandbox.backups().len(), 1, "a refused restore takes no safety backup");
}

#[test]
fn a_backup_that_sqlite_cannot_even_open_does_not_end_the_verification_of_the_others() {
    let sandbox = with_backup();
    let mut bytes = fs_err::read(only_backup(&sandbox)).expect("read");
    // The schema format number, of which SQLite knows 1 to 4.
    bytes[47] ^= 0x40;
    all_are_caught(&sandbox, &[("an unknown schema format".to_owned(), bytes)]);
}

#[test]
fn an_answer_of_no_that_cannot_be_written_is_not_called_done() {
    let sandbox = with_backup();
    let backup = only_backup(&sandbox);
    let mut bytes = fs_err::read(&backup).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&backup, bytes).expect("written");
    let full = fs_err::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else {
        crate::support::strace::complain("SKIPPED: there is no /dev/full");
        return;
    };
    let mut verify = sandbox.xtask(&["db-verify", "--all"]);
    let output = verify.stdout(full.into_parts().0).output().expect("it runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{err}");
    assert!(err.contains("the answer is no, but the reasons could not be written"), "{err}");
}

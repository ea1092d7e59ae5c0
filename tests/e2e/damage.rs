//! Damage of backups, which `db-verify` catches, and of sources, which are never published.

use std::collections::BTreeMap;

use crate::museum::{Random, fill, names, only_backup, put, raw, record_path, set_aside, text};
use crate::sandbox::Sandbox;

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
/// All lie in one folder, each with a copy of the record under its own name.
fn all_are_caught(sandbox: &Sandbox, versions: &[(String, Vec<u8>)]) {
    let backup = only_backup(sandbox);
    let whole = sandbox.backups().remove(0);
    let record = fs_err::read_to_string(record_path(&backup)).expect("a record");
    let mut what = BTreeMap::new();
    for (i, (described, bytes)) in versions.iter().enumerate() {
        let name = format!(
            "kalito.db.2025-09-12_{:02}{:02}{:02}.bak",
            i / 3600,
            i / 60 % 60,
            i % 60
        );
        sandbox.write(&format!("backups/{name}"), bytes);
        sandbox.write(
            &format!("backups/{name}.json"),
            record.replace(&whole, &name),
        );
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
        let at = if i % 4 == 0 {
            i / 4
        } else {
            random.below(bytes.len())
        };
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
    let cuts = [
        0,
        1,
        50,
        99,
        100,
        511,
        512,
        4096,
        4097,
        whole - 4096,
        whole - 512,
        whole - 1,
    ];
    let mut versions: Vec<_> = cuts
        .iter()
        .map(|length| (format!("cut to {length}"), bytes[..*length].to_vec()))
        .collect();
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
    assert_eq!(
        sandbox.backups().len(),
        1,
        "a refused restore takes no safety backup"
    );
}

/// Damages that SQLite's quick check sees in a source.
fn damaged_sources() -> Vec<(&'static str, Vec<u8>)> {
    let sandbox = Sandbox::new();
    fill(&sandbox, "wal");
    let whole = raw(&sandbox);
    let trashed = |from: usize, to: usize| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0xff);
        bytes
    };
    vec![
        ("an interior page", trashed(4096, 8192)),
        ("a later page", trashed(7 * 4096, 8 * 4096)),
        ("the schema page", trashed(200, 4096)),
        ("cut", whole[..whole.len() / 2].to_vec()),
    ]
}

#[test]
fn a_damaged_source_is_not_published_and_its_raw_files_are_kept_on_demand() {
    for (what, bytes) in damaged_sources() {
        let sandbox = Sandbox::new();
        put(&sandbox, &bytes);
        let said = sandbox.run(&["db-backup"]);
        assert_eq!(said.code, Some(1), "{what}: {said:#?}");
        assert!(said.err.contains("--damaged"), "{what}: {said:#?}");
        assert!(!said.out.contains("Backup created"), "{what}: {said:#?}");
        let left = names(&sandbox.path("backups"));
        assert_eq!(left, [".gitignore", ".lock"], "{what}");
        sandbox.ok(&["db-backup", "--damaged"]);
        let folder = set_aside(&sandbox).expect("set aside");
        let kept = fs_err::read(folder.join("kalito.db")).expect("kept");
        assert!(kept == bytes, "{what}: the raw file was not kept whole");
        assert!(
            fs_err::read(sandbox.live()).expect("read") == bytes,
            "{what}"
        );
    }
}

#[test]
fn damage_that_only_the_deep_check_sees_is_found_by_a_verification_and_laid_to_the_source() {
    let sandbox = Sandbox::new();
    fill(&sandbox, "wal");
    let mut bytes = raw(&sandbox);
    // The last occurrence of a content is its copy in the index.
    let entry = b"message 17 0";
    let at = bytes.windows(entry.len()).rposition(|bytes| bytes == entry);
    bytes[at.expect("an index entry") + 8] = b'9';
    put(&sandbox, &bytes);
    sandbox.ok(&["db-backup"]);
    let said = sandbox.run(&["db-verify"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(
        said.out.contains("damaged already when it was taken"),
        "{said:#?}"
    );
    let said = sandbox.run(&["db-restore", "latest", "--yes"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
}

/// Statements that break a rule of the data in a sound file, and what is said of it.
const DATA_FINDINGS: [(&str, &str); 2] = [
    (
        "CREATE TABLE t (a CHECK (a > 0)); PRAGMA ignore_check_constraints=ON;
         INSERT INTO t VALUES (-1);",
        "CHECK constraint failed in t",
    ),
    (
        "CREATE TABLE t (a TEXT); INSERT INTO t VALUES (NULL); PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a TEXT NOT NULL)' WHERE name = 't';",
        "NULL value in t.a",
    ),
];

#[test]
fn broken_rules_of_the_data_are_published_warned_of_and_restored() {
    for (statements, finding) in DATA_FINDINGS {
        let sandbox = Sandbox::new();
        sandbox.sql(statements);
        let said = sandbox.ok(&["db-backup"]);
        assert!(said.out.contains("Backup created"), "{said:#?}");
        assert!(said.err.contains(finding), "{said:#?}");
        let list = sandbox.json(&["db-list"]);
        let findings = &list["backups"][0]["examined"]["findings"];
        assert_eq!(findings[0]["kind"], "data", "{findings}");
        assert_eq!(list["backups"][0]["state"], "verified");
        let said = sandbox.ok(&["db-verify"]);
        assert!(said.err.contains(finding), "{said:#?}");
        sandbox.ok(&["db-restore", "latest", "--yes"]);
    }
}

#[test]
fn orphans_are_warned_of_by_a_verification_that_says_whole() {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (p INTEGER REFERENCES parent (id));
         PRAGMA foreign_keys=OFF; INSERT INTO child VALUES (1), (2);",
    );
    sandbox.ok(&["db-backup"]);
    let said = sandbox.ok(&["db-verify"]);
    assert!(said.out.contains("is whole"), "{said:#?}");
    let orphans = "2 rows of `child` refer to rows of `parent` that are not there";
    assert!(said.err.contains(orphans), "{said:#?}");
}

#[test]
fn what_this_sqlite_lacks_is_said_and_no_reason_to_refuse_a_copy() {
    for (statements, said_of_it) in [
        (
            "CREATE TABLE t (a TEXT COLLATE NOCASE); CREATE INDEX i ON t (a);
             INSERT INTO t VALUES ('b'), ('a'); PRAGMA writable_schema=ON;
             UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'TURKISH');",
            "no such collation sequence: TURKISH",
        ),
        (
            "PRAGMA writable_schema=ON;
             INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING nonesuch (x)');",
            "",
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.sql(statements);
        let said = sandbox.ok(&["db-backup"]);
        assert!(said.out.contains("Backup created"), "{said:#?}");
        assert!(said.err.contains(said_of_it), "{said:#?}");
        sandbox.ok(&["db-verify"]);
        sandbox.ok(&["db-restore", "latest", "--yes"]);
    }
}

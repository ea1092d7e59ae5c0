//! Sources that are damaged are never published; what is only odd about their data is, with a warning.

use crate::support::museum::{fill, names, put, raw, set_aside};
use crate::support::sandbox::Sandbox;

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
        assert!(fs_err::read(sandbox.live()).expect("read") == bytes, "{what}");
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
    assert!(said.out.contains("damaged already when it was taken"), "{said:#?}");
    let said = sandbox.run(&["db-restore", "latest", "--yes"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
}

/// Statements that break a rule of the data in a sound file, and what is reported about it.
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

//! A copy is examined completely, wherever the backups folder is; otherwise there is no backup.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::support::sandbox::{Said, Sandbox};

/// Overwrites a page of the live database that contains rows.
fn wound(sandbox: &Sandbox) {
    sandbox.sql(
        "PRAGMA journal_mode=DELETE; CREATE TABLE big (a, b);
         WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO big SELECT i, hex(zeroblob(50)) FROM n;",
    );
    let live = fs_err::OpenOptions::new().write(true).open(sandbox.live()).expect("opened");
    live.file().write_all_at(&[0xff; 200], 4096 * 6).expect("written");
}

fn back_up_to(sandbox: &Sandbox, folder: &Path) -> Said {
    let mut command = sandbox.xtask(&["db-backup", "--output"]);
    sandbox.said(&command.arg(folder).output().expect("the binary runs"))
}

fn n_files_in(folder: &Path) -> usize {
    let entries = fs_err::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>());
    let names = entries.unwrap_or_default().into_iter().map(|entry| entry.file_name());
    names.filter(|name| !name.to_string_lossy().starts_with('.')).count()
}

#[test]
fn damage_is_found_wherever_the_copy_is() {
    let sandbox = Sandbox::new();
    wound(&sandbox);
    let root = sandbox.root().into_os_string().into_vec();
    let at = |before: &[u8], name: &[u8]| {
        PathBuf::from(OsString::from_vec([before, &root, b"/", name].concat()))
    };
    for folder in [
        at(b"/", b"two-slashes"),
        at(b"//", b"three-slashes"),
        at(b"", b"/inner//slashes"),
        at(b"", b"what?mode=memory&cache=shared#fragment"),
        at(b"", b"100%25 of it"),
        at(b"", b"file:one"),
        at(b"", b"no\xfftext"),
        PathBuf::from("./dot"),
        PathBuf::from("backend/../dots"),
        PathBuf::from("file:relative"),
    ] {
        let said = back_up_to(&sandbox, &folder);
        assert_eq!(said.code, Some(1), "{}: {said:#?}", folder.display());
        assert_eq!(n_files_in(&sandbox.root().join(&folder)), 0, "{}", folder.display());
    }
}

#[test]
fn a_backups_folder_that_begins_with_two_slashes_is_like_any_other() {
    let sandbox = Sandbox::new();
    let folder = format!("/{}", sandbox.path("kept").to_string_lossy());
    for kind in ["manual", "branch"] {
        for arguments in [
            &["db-backup", "--kind", kind][..],
            &["db-verify", "--drill"],
            &["db-diff"],
            &["db-export", "latest", "--output", "-"],
            &["db-restore", "latest", "--yes"],
            &["db-restore", "latest", "--table", "messages", "--yes"],
        ] {
            let mut command = sandbox.xtask(arguments);
            command.env("DATABASE_BACKUP_DIR", &folder);
            let said = sandbox.said(&command.output().expect("the binary runs"));
            assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
            assert!(!said.out.contains("incomplete"), "{arguments:?}: {said:#?}");
        }
    }
}

#[test]
fn a_copy_that_sqlite_cannot_open_is_not_published() {
    let sandbox = Sandbox::new();
    let folder = sandbox.root().join(vec!["x".repeat(100); 6].join("/"));
    let said = back_up_to(&sandbox, &folder);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(
        said.err.contains("error: could not examine the copy, so it is not a backup"),
        "{said:#?}"
    );
    assert!(said.err.contains("SQLite allows only 511"), "{said:#?}");
    assert_eq!(n_files_in(&folder), 0, "{said:#?}");
}

/// A schema that names what this build lacks, and what is reported about it.
const LACKING: [(&str, &str); 4] = [
    (
        "CREATE TABLE t (a TEXT COLLATE NOCASE); CREATE INDEX i ON t (a);
         INSERT INTO t VALUES ('b'), ('a'); PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'TURKISH');",
        "could not check table `t`: no such collation sequence: TURKISH",
    ),
    (
        "CREATE TABLE t (a TEXT CHECK (lower(a) <> 'x'));
         INSERT INTO t VALUES ('b'), ('a'); PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'lower', 'mine');",
        "could not check table `t`: unknown function: mine()",
    ),
    (
        "CREATE VIRTUAL TABLE t USING fts5(a, tokenize = 'porter');
         INSERT INTO t VALUES ('b'); PRAGMA writable_schema=ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'porter', 'lemmas');",
        "could not check table `t`: ",
    ),
    (
        "PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES
         ('table', 't', 't', 0, 'CREATE VIRTUAL TABLE t USING fts5(a, not_yet=1)');",
        "could not check table `t`: unrecognized option",
    ),
];

#[test]
fn what_this_build_lacks_is_named_and_the_rest_is_checked() {
    for (statements, remainder) in LACKING {
        let sandbox = Sandbox::new();
        sandbox.sql(statements);
        let said = sandbox.ok(&["db-backup"]);
        assert!(said.err.contains(remainder), "{statements}: {said:#?}");
        assert!(said.err.contains("could not check free pages"), "{statements}: {said:#?}");
        let list = sandbox.json(&["db-list"]);
        let findings = list["backups"][0]["examined"]["findings"].as_array().expect("findings");
        assert!(findings.iter().all(|finding| finding["kind"] == "unchecked"), "{findings:?}");
        sandbox.ok(&["db-restore", "latest", "--yes"]);
        wound(&sandbox);
        let said = sandbox.fails(1, &["db-backup"]);
        assert!(said.err.contains("damaged"), "{statements}: {said:#?}");
        sandbox.fails(1, &["db-backup", "--kind", "branch"]);
    }
}

/// Derived data that is out of step, and the statement that fixes it.
const OUT_OF_STEP: [(&str, &str); 4] = [
    (
        "CREATE TABLE notes (a); INSERT INTO notes VALUES ('one');
         CREATE VIRTUAL TABLE f USING fts4(a, content='notes'); INSERT INTO f(f) VALUES ('rebuild');
         INSERT INTO notes VALUES ('two');",
        "INSERT INTO f(f) VALUES('rebuild')",
    ),
    (
        "CREATE TABLE notes (a); INSERT INTO notes VALUES ('one');
         CREATE VIRTUAL TABLE \"my index\" USING fts4(a, content=\"notes\");
         INSERT INTO \"my index\"(\"my index\") VALUES ('rebuild'); DELETE FROM notes;",
        "INSERT INTO \"my index\"(\"my index\") VALUES('rebuild')",
    ),
    (
        "CREATE VIRTUAL TABLE f USING fts3(a); INSERT INTO f VALUES ('one');
         INSERT INTO f_content VALUES (7, 'two');",
        "INSERT INTO f(f) VALUES('rebuild')",
    ),
    (
        "CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES ('one');
         INSERT INTO f_content VALUES (7, 'two');",
        "INSERT INTO f(f) VALUES('rebuild')",
    ),
];

#[test]
fn derived_data_out_of_step_is_a_data_finding_with_its_cure() {
    for (statements, cure) in OUT_OF_STEP {
        let sandbox = Sandbox::with_hooks();
        sandbox.sql(statements);
        let finding = format!("does not agree with its rows; rebuild it with `{cure}`");
        for arguments in [&["db-backup", "--kind", "branch"][..], &["db-backup"]] {
            let said = sandbox.ok(arguments);
            assert!(said.err.contains(&finding), "{statements}: {said:#?}");
        }
        let list = sandbox.json(&["db-list"]);
        assert_eq!(list["backups"][0]["examined"]["findings"][0]["kind"], "data", "{list:#}");
        assert_eq!(list["backups"][0]["state"], "verified", "{list:#}");
        sandbox.stage_migration("new");
        sandbox.hooked(&["commit", "--quiet", "--message=goes on"]);
        let said = sandbox.ok(&["db-verify", "--all"]);
        assert!(said.err.contains(&finding), "{statements}: {said:#?}");
        sandbox.ok(&["db-restore", "latest", "--yes"]);
        sandbox.sql(cure);
        let said = sandbox.ok(&["db-backup"]);
        assert!(!said.err.contains("rebuild"), "the cure does not help: {said:#?}");
    }
}

#[test]
fn what_nothing_can_be_made_again_from_is_damage() {
    for statements in [
        // The index is all there is.
        "CREATE VIRTUAL TABLE f USING fts5(a, content=''); INSERT INTO f(rowid, a) VALUES (1, 'x');
         DELETE FROM f_data WHERE id > 10;",
        // An R-tree is the data itself.
        "CREATE VIRTUAL TABLE f USING rtree(id, a, b); INSERT INTO f VALUES (1, 2, 3);
         DELETE FROM f_rowid;",
        // An index that SQLite keeps up itself, over a generated column.
        "CREATE TABLE f (a, b AS (a + 1)); CREATE INDEX i ON f (b); INSERT INTO f(a) VALUES (1), (2);
         PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = '' || sql;
         DELETE FROM sqlite_schema WHERE name = 'i'; PRAGMA writable_schema=RESET;",
    ] {
        let sandbox = Sandbox::new();
        sandbox.sql(statements);
        let said = sandbox.fails(1, &["db-backup"]);
        assert!(said.err.contains("is structurally damaged"), "{statements}: {said:#?}");
    }
    // SQLite does not compare an index of FTS5 with another table's rows, so nothing is out of step.
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE notes (a); INSERT INTO notes VALUES ('one');
         CREATE VIRTUAL TABLE f USING fts5(a, content='notes'); INSERT INTO f(f) VALUES ('rebuild');
         INSERT INTO notes VALUES ('two');",
    );
    assert_eq!(sandbox.ok(&["db-backup"]).err, "");
}

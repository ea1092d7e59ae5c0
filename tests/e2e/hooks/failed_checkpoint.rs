//! A checkpoint that cannot be taken: the commit is blocked with the reason and the way round, or
//! only warned of where that is configured.

use crate::support::sandbox::{Said, Sandbox, open};

/// Stages a migration and tries to commit it.
fn commit(sandbox: &Sandbox) -> Said {
    sandbox.stage_migration("moods");
    sandbox.tries(&["commit", "--quiet", "--message=moods"])
}

/// A repository where `on-failure` is as given, and nobody waits long for a lock.
fn sandbox(on_failure: &str) -> Sandbox {
    let sandbox = Sandbox::with_hooks();
    sandbox.sql("PRAGMA journal_mode=DELETE");
    sandbox.configure(&format!(
        "[workspace.metadata.db]\nbusy-timeout = \"10ms\"\n\
         [workspace.metadata.db.hooks]\non-failure = \"{on_failure}\""
    ));
    sandbox.ok(&["db-hooks", "install"]);
    sandbox
}

/// The commit that is at the tip.
fn subject(sandbox: &Sandbox) -> String {
    sandbox.git(&["log", "-1", "--format=%s"])
}

#[test]
fn a_locked_database_blocks_the_commit_and_says_the_way_round() {
    let sandbox = sandbox("block");
    let writer = open(&sandbox.live());
    writer.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let said = commit(&sandbox);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let (first, rest) = said.err.split_once('\n').expect("lines");
    assert_eq!(first, "error: no checkpoint could be taken, so the commit is blocked");
    assert!(rest.contains("`backend/db/kalito.db` stayed locked for 10 ms"), "{rest}");
    assert!(rest.contains("`git commit --no-verify` commits without a checkpoint"), "{rest}");
    assert!(rest.contains("`on-failure = \"warn\"`"), "{rest}");
    // A commit has no flags of ours.
    assert!(rest.contains("wait longer with `busy-timeout = \"30s\"` in"), "{rest}");
    assert!(!rest.contains("--busy-timeout"), "{rest}");
    assert_eq!(subject(&sandbox), "first");
    assert!(!sandbox.path(".git/index.lock").exists());
    // The way round works, and once nobody is in the way it goes as ever.
    sandbox.hooked(&["commit", "--quiet", "--no-verify", "--message=without"]);
    assert_eq!(sandbox.trailers(), [""; 0]);
    drop(writer);
    sandbox.stage_migration("tags");
    sandbox.hooked(&["commit", "--quiet", "--message=tags"]);
    assert_eq!(sandbox.trailers().len(), 1);
}

#[test]
fn a_damaged_database_blocks_the_commit_and_names_what_is_wrong() {
    let sandbox = sandbox("block");
    wound(&sandbox);
    let said = commit(&sandbox);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.contains("error: no checkpoint could be taken"), "{}", said.err);
    assert!(said.err.contains("is structurally damaged: "), "{}", said.err);
    assert!(said.err.contains("`cargo xtask db-backup --damaged`"), "{}", said.err);
    assert!(said.err.contains("`git commit --no-verify`"), "{}", said.err);
    assert_eq!(subject(&sandbox), "first");
    assert_eq!(sandbox.backups(), [""; 0]);
}

/// Overwrites the root page of the table, without SQLite's knowledge.
fn wound(sandbox: &Sandbox) {
    let mut bytes = fs_err::read(sandbox.live()).expect("a database");
    bytes[4096..4196].fill(0xff);
    sandbox.write("backend/db/kalito.db", bytes);
}

#[test]
fn a_file_that_is_no_database_or_an_unwritable_folder_blocks_too() {
    let breakages: [fn(&Sandbox); 3] = [
        |sandbox| sandbox.write("backend/db/kalito.db", "no database at all ".repeat(99)),
        |sandbox| sandbox.write("backups", "in the way"),
        |sandbox| sandbox.configure("no-such-key = 1"),
    ];
    for (number, breakage) in breakages.into_iter().enumerate() {
        let sandbox = sandbox("block");
        breakage(&sandbox);
        let said = commit(&sandbox);
        assert_eq!(said.code, Some(1), "{number}: {said:#?}");
        assert!(said.err.contains("error: "), "{number}: {}", said.err);
        assert!(said.err.contains("`git commit --no-verify`"), "{number}: {}", said.err);
        assert_eq!(subject(&sandbox), "first", "{number}");
    }
}

#[test]
fn where_a_warning_is_configured_nothing_blocks() {
    let breakages: [fn(&Sandbox); 4] = [
        |sandbox| wound(sandbox),
        |sandbox| sandbox.write("backend/db/kalito.db", "no database at all ".repeat(99)),
        |sandbox| sandbox.write("backups", "in the way"),
        |sandbox| sandbox.configure("no-such-key = 1"),
    ];
    for (number, breakage) in breakages.into_iter().enumerate() {
        let sandbox = sandbox("warn");
        breakage(&sandbox);
        let said = commit(&sandbox);
        assert_eq!(said.code, Some(0), "{number}: {said:#?}");
        assert!(!said.err.is_empty(), "{number}: it is said");
        assert_eq!((subject(&sandbox).as_str(), sandbox.trailers().len()), ("moods", 0));
    }
    let sandbox = sandbox("warn");
    let writer = open(&sandbox.live());
    writer.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let said = commit(&sandbox);
    assert!(
        said.err.starts_with("warning: no checkpoint was taken before this commit"),
        "{said:#?}"
    );
    assert_eq!((said.code, subject(&sandbox).as_str()), (Some(0), "moods"));
}

#[test]
fn a_missing_database_does_not_block() {
    let sandbox = sandbox("block");
    fs_err::remove_file(sandbox.live()).expect("removed");
    let said = commit(&sandbox);
    assert_eq!(said.code, Some(0), "{said:#?}");
    insta::assert_snapshot!(said.err, @"xtask-db: no checkpoint, because there is no database at `backend/db/kalito.db`");
    assert!(!sandbox.live().exists(), "nor is one made");
    assert_eq!(sandbox.trailers(), [""; 0]);
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    assert!(!sandbox.live().exists(), "nor is one made");
}

#[test]
fn a_schema_file_whose_name_is_no_utf_8_has_its_checkpoint_too() {
    use std::os::unix::ffi::OsStrExt as _;
    let sandbox = Sandbox::with_hooks();
    let name = std::ffi::OsStr::from_bytes(b"backend/db/migrations/0002_\xfc.sql");
    if std::fs::write(sandbox.root().join(name), "-- latin\n").is_err() {
        let note = b"SKIPPED: a test of such a name needs a file system that has it\n";
        std::io::Write::write_all(&mut std::io::stderr(), note).expect("stderr");
        return;
    }
    sandbox.hooked(&["add", "backend"]);
    let said = sandbox.tries(&["commit", "--quiet", "--message=latin"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!((sandbox.n_of("pre-commit"), sandbox.trailers().len()), (1, 1));
}

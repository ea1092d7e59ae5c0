//! Names that are not UTF-8, and names that only one of two libraries reads so: used or refused, never
//! passed over, because what is passed over falls back to another database.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::process::Command;

use crate::support::sandbox::{Sandbox, messages, open};

fn odd(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

fn exit(sandbox: &Sandbox, command: &mut Command) -> (Option<i32>, String) {
    let said = sandbox.said(&command.output().expect("the binary runs"));
    (said.code, format!("{said:#?}"))
}

/// Creates a database with one message at a path in the workspace.
fn make(sandbox: &Sandbox, relative: &OsStr) -> PathBuf {
    let path = sandbox.root().join(relative);
    fs_err::create_dir_all(path.parent().expect("a folder")).expect("folder");
    open(&path)
        .execute_batch(
            "CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT);
             INSERT INTO messages (content) VALUES ('the other');",
        )
        .expect("made");
    path
}

#[test]
fn a_database_whose_name_is_not_utf_8_is_the_one_that_is_restored() {
    for (variable, value) in [
        ("DATABASE_PATH", odd(b"data/\xff.db")),
        ("DATABASE_URL", odd(b"sqlite:data/\xff.db")),
        ("DATABASE_URL", odd(b"sqlite://data/%ff.db?mode=rwc")),
    ] {
        let sandbox = Sandbox::new();
        let other = make(&sandbox, &odd(b"data/\xff.db"));
        let before = messages(&sandbox.live());
        let run = |arguments: &[&str]| {
            let mut command = sandbox.xtask(arguments);
            exit(&sandbox, command.env(variable, &value))
        };
        let (code, said) = run(&["db-backup"]);
        assert_eq!(code, Some(0), "{said}");
        open(&other).execute_batch("DELETE FROM messages").expect("deleted");
        let (code, said) = run(&["db-restore", "latest", "--yes"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(messages(&other), ["the other"], "{said}");
        assert_eq!(messages(&sandbox.live()), before, "{said}");
    }
}

#[test]
fn the_host_s_migration_gets_a_path_that_is_not_utf_8_to_the_byte() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "migrate = [\"sh\", \"-c\", \"sqlite3 \\\"$DATABASE_PATH\\\" 'CREATE TABLE new (a)'\"]",
    );
    let other = make(&sandbox, &odd(b"data/\xff.db"));
    let mut command = sandbox.xtask(&["db-migrate"]);
    let (code, said) = exit(&sandbox, command.env("DATABASE_PATH", &other));
    assert_eq!(code, Some(0), "{said}");
    assert!(open(&other).prepare("SELECT a FROM new").is_ok(), "{said}");
    assert!(open(&sandbox.live()).prepare("SELECT a FROM new").is_err(), "{said}");
}

#[test]
fn a_backups_folder_whose_name_is_not_utf_8_is_used() {
    let sandbox = Sandbox::new();
    let folder = odd(b"kept/\xff");
    for arguments in
        [&["db-backup"][..], &["db-restore", "latest", "--yes"], &["db-verify", "--all"]]
    {
        let mut command = sandbox.xtask(arguments);
        let (code, said) = exit(&sandbox, command.env("DATABASE_BACKUP_DIR", &folder));
        assert_eq!(code, Some(0), "{said}");
    }
    assert_eq!(sandbox.backups(), [""; 0]);
    assert!(sandbox.root().join(folder).is_dir());
}

#[test]
fn a_setting_that_is_not_utf_8_is_refused() {
    let sandbox = Sandbox::new();
    let settings = [
        "BACKUP_RETENTION_DAYS",
        "BACKUP_MAX_COUNT",
        "AUTO_BACKUP_ENABLED",
        "AUTO_BACKUP_TIME",
        "XTASK_DB_NOW",
    ];
    for setting in settings {
        let mut command = sandbox.xtask(&["db-list"]);
        let (code, said) = exit(&sandbox, command.env(setting, odd(b"7\xff")));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(setting), "{said}");
    }
    sandbox.write(".env", b"DATABASE_PATH=data/\xff.db\n");
    let said = sandbox.fails(2, &["db-restore", "latest", "--yes"]);
    assert!(said.err.contains("in UTF-8"), "{said:#?}");
    fs_err::remove_file(sandbox.path(".env")).expect("removed");
    for arguments in [&["db-backup", "--label"][..], &["db-restore"], &["db-backup", "--db"]] {
        let mut command = sandbox.xtask(arguments);
        let (code, said) = exit(&sandbox, command.arg(odd(b"\xff")));
        assert_eq!(code, Some(2), "{said}");
    }
}

#[test]
fn a_number_sign_is_a_part_of_the_name_in_an_sqlite_url() {
    let sandbox = Sandbox::new();
    let other = make(&sandbox, OsStr::new("data/a#b.db"));
    let cut = make(&sandbox, OsStr::new("data/a"));
    open(&cut).execute_batch("UPDATE messages SET content = 'cut'").expect("changed");
    for (url, path) in [
        ("sqlite:data/a#b.db", &other),
        ("sqlite://data/a%23b.db", &other),
        ("file:data/a#b.db", &cut),
        ("file:data/a%23b.db", &other),
    ] {
        let mut command = sandbox.xtask(&["db-status", "--json"]);
        let output = command.env("DATABASE_URL", url).output().expect("the binary runs");
        let document: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("a document");
        assert_eq!(document["databases"][0]["path"], path.to_str().expect("UTF-8"), "{url}");
    }
}

#[test]
fn a_branch_whose_name_is_not_utf_8_hides_no_other_and_is_told_from_them() {
    let sandbox = Sandbox::with_hooks();
    let switch = |name: &[u8]| {
        let mut command = sandbox.git_at_clock(&["switch", "--quiet", "--create"]);
        let (code, said) = exit(&sandbox, command.arg(OsStr::from_bytes(name)));
        assert_eq!(code, Some(0), "{said}");
    };
    switch(b"feature");
    sandbox.sql("INSERT INTO messages (content) VALUES ('on feature')");
    switch(b"odd-\xfe");
    sandbox.sql("INSERT INTO messages (content) VALUES ('on the odd one')");
    switch(b"odd-\xff");
    sandbox.ok(&["db-backup"]);
    let record = &sandbox.records("manual")[0];
    assert_eq!(record["git"]["branch"], "odd-\\xff", "{record}");
    assert!(record["git"]["commit"].is_string(), "{record}");
    let branches = sandbox.records("branch");
    let entered: Vec<&str> =
        branches.iter().filter_map(|record| record["enters"]["branch"].as_str()).collect();
    assert_eq!(entered, ["odd-\\xff", "odd-\\xfe", "feature"], "{branches:#?}");
}

#[test]
fn in_a_workspace_whose_path_is_not_utf_8_every_document_is_printed() {
    let sandbox = Sandbox::new();
    let root = sandbox.root().with_file_name(odd(b"r\xffoot"));
    let renamed = sandbox.command("mv").arg(sandbox.root()).arg(&root).status();
    assert!(renamed.expect("mv runs").success());
    let git = sandbox.command("git").current_dir(&root).args(["init", "--quiet"]).status();
    assert!(git.expect("git runs").success());
    let stage = root.join("backups/.kalito.db.stage-1-0123456789abcdef");
    for arguments in [
        &["db-backup"][..],
        &["db-hooks", "install"],
        &["db-hooks", "status"],
        &["db-hooks", "uninstall"],
        &["db-list"],
        &["db-status"],
        &["db-verify", "--all"],
        &["db-diff"],
        &["db-export", "--output", "out.jsonl"],
        &["db-import", "out.jsonl", "--into", "new.db"],
        &["db-import", "--merge", "out.jsonl", "--dry-run"],
        &["db-restore", "latest", "--dry-run"],
        &["db-restore", "latest", "--yes"],
        &["db-prune", "--keep-last", "1", "--dry-run"],
        &["db-recover"],
    ] {
        let mut command = sandbox.xtask(arguments);
        let output = command.arg("--json").current_dir(&root).output().expect("the binary runs");
        let said = format!("{arguments:?}: {:#?}", sandbox.said(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect(&said);
        // Its maker is gone; whether it is swept or shown does not matter here.
        if !stage.exists() {
            fs_err::create_dir(&stage).expect("a stage that was left");
        }
    }
}

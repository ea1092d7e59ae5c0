//! Somebody who may look at a database and not write it: reads it, and leaves its owner's files alone.
//!
//! Root plays both through setpriv (util-linux).

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use rusqlite::{Connection, OpenFlags};

use crate::support::sandbox::{Said, Sandbox};
use crate::support::strace;

const OWNER: u32 = 1000;
const ONLOOKER: u32 = 65534;

fn set_mode(path: &Path, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    fs_err::set_permissions(path, permissions).expect("permissions");
}

/// A workspace that anybody may write to, with a database of the owner's; `None` if nobody else can be
/// played.
fn shared(mode: u32) -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    let root = sandbox.root();
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let played = as_user(&sandbox, ONLOOKER, xtask, &["--help"]).output();
    if !rustix::process::geteuid().is_root() || !played.is_ok_and(|said| said.status.success()) {
        let said = "SKIPPED: tests of onlookers need root, setpriv and a binary that all may run\n";
        std::io::stderr().write_all(said.as_bytes()).expect("stderr");
        return None;
    }
    let above = root.parent().expect("parent");
    for folder in
        [above, &above.join("home"), &root, &root.join("backend"), &root.join("backend/db")]
    {
        set_mode(folder, 0o777);
    }
    std::os::unix::fs::chown(sandbox.live(), Some(OWNER), Some(OWNER)).expect("given away");
    set_mode(&sandbox.live(), mode);
    Some(sandbox)
}

fn as_user(sandbox: &Sandbox, user: u32, program: &str, arguments: &[&str]) -> Command {
    let user = user.to_string();
    let mut command = sandbox.command("setpriv");
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups", program]).args(arguments);
    command
}

fn looks(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let mut command = as_user(sandbox, ONLOOKER, env!("CARGO_BIN_EXE_xtask"), arguments);
    sandbox.said(&command.output().expect("the binary runs"))
}

/// The owner writes a row, as the backend's shell would.
fn owner_writes(sandbox: &Sandbox) -> bool {
    let sql = "PRAGMA busy_timeout=2000; INSERT INTO messages (content) VALUES ('of the owner');";
    let live = sandbox.live().to_string_lossy().into_owned();
    as_user(sandbox, OWNER, "sqlite3", &["-batch", &live, sql])
        .output()
        .is_ok_and(|output| output.status.success() && output.stderr.is_empty())
}

/// The names of the files beside the database.
fn beside(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs_err::read_dir(sandbox.path("backend/db")).expect("folder");
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "kalito.db").collect()
}

#[test]
fn who_may_only_look_leaves_nothing_and_the_owner_goes_on_writing() {
    for mode in [0o644, 0o664, 0o444] {
        let Some(sandbox) = shared(mode) else { return };
        for arguments in [
            &["db-backup"][..],
            &["db-backup", "--if-changed"],
            &["db-backup", "--kind", "branch"],
            &["db-backup", "--kind", "branch"],
            &["db-backup", "--output", "elsewhere"],
            &["db-list"],
            &["db-diff"],
            &["db-diff", "--rows"],
            &["db-export", "--output", "out.jsonl"],
            &["db-export", "--root", "messages", "--where", "id = 1", "--output", "part.jsonl"],
            &["db-verify", "--all"],
            &["db-restore", "latest", "--into", "copy.db"],
            &["db-pre-deploy"],
        ] {
            let said = looks(&sandbox, arguments);
            assert_eq!(said.code, Some(0), "{mode:o} {arguments:?}: {said:#?}");
            assert_eq!(beside(&sandbox), [""; 0], "{mode:o} {arguments:?}: {said:#?}");
            set_mode(&sandbox.live(), 0o644);
            assert!(
                owner_writes(&sandbox),
                "{mode:o} {arguments:?} locks the owner out: {said:#?}"
            );
            set_mode(&sandbox.live(), mode);
        }
        let said = looks(&sandbox, &["db-status"]);
        assert_eq!(beside(&sandbox), [""; 0], "{said:#?}");
        let record = sandbox.json(&["db-list"])["backups"][0].clone();
        assert_eq!(record["sqlite"]["journal_mode"], "wal", "{record}");
    }
}

#[test]
fn who_may_only_look_is_refused_what_writes_and_told_who_may() {
    let Some(sandbox) = shared(0o644) else { return };
    sandbox.write("rows.jsonl", "");
    assert_eq!(looks(&sandbox, &["db-backup"]).code, Some(0));
    assert_eq!(looks(&sandbox, &["db-export", "--output", "out.jsonl"]).code, Some(0));
    for arguments in [
        &["db-restore", "latest", "--yes"][..],
        &["db-restore", "latest", "--dry-run"],
        &["db-restore", "latest", "--table", "messages", "--yes"],
        &["db-import", "out.jsonl", "--merge"],
        &["db-import", "out.jsonl", "--merge", "--dry-run"],
    ] {
        let said = looks(&sandbox, arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:#?}");
        assert!(said.err.contains("kalito.db` cannot be written: it belongs to "), "{said:#?}");
        assert!(said.err.contains("hint: run this as "), "{said:#?}");
        assert_eq!(beside(&sandbox), [""; 0], "{arguments:?}: {said:#?}");
        assert!(owner_writes(&sandbox), "{arguments:?} locks the owner out: {said:#?}");
    }
}

/// What a `-wal` and a `-shm` are: their owners and modes, and how far the WAL was written.
fn sidecars(sandbox: &Sandbox) -> Vec<(u32, u32, Vec<u8>)> {
    let paths =
        ["kalito.db-wal", "kalito.db-shm"].map(|name| sandbox.path("backend/db").join(name));
    let of = |path: &std::path::PathBuf| {
        let metadata = fs_err::metadata(path).expect("a sidecar");
        // Read by somebody else: closing it here would drop the application's locks on it.
        let bytes = sandbox.command("cat").arg(path).output().expect("read").stdout;
        (metadata.uid(), metadata.mode(), bytes[..32].to_vec())
    };
    paths.iter().map(of).collect()
}

#[test]
fn beside_an_application_its_newest_rows_are_read_and_its_files_stay_as_they_are() {
    let Some(sandbox) = shared(0o644) else { return };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let application = Connection::open_with_flags(sandbox.live(), flags).expect("opened");
    application
        .execute_batch("INSERT INTO messages (content) VALUES ('only in the WAL')")
        .expect("written");
    let before = sidecars(&sandbox);
    // Root's SQLite gives what it makes to the owner of the database.
    assert!(before.iter().all(|(uid, ..)| *uid == OWNER), "{before:?}");
    for arguments in [&["db-backup"][..], &["db-backup", "--kind", "branch"], &["db-diff"]] {
        let said = looks(&sandbox, arguments);
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert_eq!(sidecars(&sandbox), before, "{arguments:?}");
    }
    let list = sandbox.json(&["db-list"]);
    assert_eq!(list["backups"][0]["tables"]["messages"], 4, "{list:#}");
    assert_eq!(list["backups"][1]["tables"]["messages"], 4, "{list:#}");
    drop(application);
}

#[test]
fn a_wal_that_only_its_owner_can_take_in_is_refused() {
    let Some(sandbox) = shared(0o644) else { return };
    let wal = sandbox.path("backend/db/kalito.db-wal");
    fs_err::write(&wal, [0; 4096]).expect("written");
    std::os::unix::fs::chown(&wal, Some(OWNER), Some(OWNER)).expect("given away");
    for arguments in [&["db-backup"][..], &["db-export", "--output", "out.jsonl"]] {
        let said = looks(&sandbox, arguments);
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.contains("its `-wal` contains 4.0 KB that only "), "{said:#?}");
        assert!(said.err.contains("hint: run this as "), "{said:#?}");
        assert_eq!(beside(&sandbox), ["kalito.db-wal"], "{said:#?}");
    }
    assert_eq!(sandbox.backups(), [""; 0]);
}

#[test]
fn what_root_makes_beside_a_database_belongs_to_its_owner() {
    let Some(sandbox) = shared(0o640) else { return };
    if !strace::works() {
        return;
    }
    let backup = sandbox.backup();
    sandbox.sql("INSERT INTO messages (content) VALUES ('newer')");
    std::os::unix::fs::chown(sandbox.live(), Some(OWNER), Some(OWNER)).expect("given away");
    // Killed while the restore writes into the WAL.
    let wal = sandbox.path("backend/db/kalito.db-wal").to_string_lossy().into_owned();
    let kill = ["-P", &wal, "-e", "inject=pwrite64:signal=SIGKILL:when=2"];
    let said = strace::traced(&sandbox, &kill, &["db-restore", &backup, "--yes"]);
    assert_eq!(said.code, None, "{said:#?}");
    let left = beside(&sandbox);
    assert!(left.contains(&"kalito.db-wal".to_owned()), "{left:?}: {said:#?}");
    for name in left {
        let metadata = fs_err::metadata(sandbox.path("backend/db").join(&name)).expect("a sidecar");
        let found = (metadata.uid(), metadata.gid(), metadata.mode() & 0o777);
        assert_eq!(found, (OWNER, OWNER, 0o640), "{name}");
    }
    assert!(owner_writes(&sandbox), "the owner is locked out");
    sandbox.ok(&["db-restore", &backup, "--yes"]);
    assert!(owner_writes(&sandbox), "the owner is locked out");
}

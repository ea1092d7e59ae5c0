//! A database above 1 GiB, where SQLite leaves a page for its locks, and an interrupt in the middle of
//! what takes long.

use std::io::Write as _;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::sandbox::{Running, Sandbox, open};

/// The live database, two backups' worth of copies and some air.
const NEEDED_BYTES: u64 = 5 << 30;

/// A sandbox whose database is a little above 1 GiB; `None` if the disk has no room for it.
fn large() -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    let stat = rustix::fs::statvfs(sandbox.root()).expect("statvfs");
    if stat.f_bavail * stat.f_frsize < NEEDED_BYTES {
        let said = "SKIPPED: the test of a database above 1 GiB needs 5 GiB of free disk\n";
        std::io::stderr().write_all(said.as_bytes()).expect("stderr");
        return None;
    }
    fs_err::remove_file(sandbox.live()).expect("removed");
    open(&sandbox.live())
        .execute_batch(
            "PRAGMA page_size=65536; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
             CREATE TABLE blobs (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1040)
             INSERT INTO blobs SELECT i, zeroblob(1048576) FROM n;
             UPDATE blobs SET bytes = randomblob(65000) WHERE id % 100 = 0;
             CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT NOT NULL);
             INSERT INTO messages (content) VALUES ('last');",
        )
        .expect("a large database");
    Some(sandbox)
}

#[test]
fn above_one_gibibyte_a_backup_is_whole_goes_back_and_can_be_interrupted() {
    let Some(sandbox) = large() else { return };
    assert!(fs_err::metadata(sandbox.live()).expect("live").len() > 1 << 30);
    interrupt_leaves_nothing(&sandbox);
    sandbox.ok(&["db-backup"]);
    sandbox.ok(&["db-verify"]);
    fs_err::remove_file(sandbox.live()).expect("removed");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    let said = sandbox.ok(&["db-backup", "--if-changed"]);
    assert!(said.out.starts_with("Unchanged since"), "{}", said.out);
    put_back_by_difference(&sandbox);
}

/// Changes pages on both sides of that for the locks, and makes the database end before it once.
fn put_back_by_difference(sandbox: &Sandbox) {
    for change in [
        "UPDATE blobs SET bytes = randomblob(65000) WHERE id % 130 = 0",
        "PRAGMA journal_mode=WAL; DELETE FROM blobs WHERE id > 1000; VACUUM",
    ] {
        sandbox.sql(change);
        sandbox.ok(&["db-restore", "oldest", "--yes"]);
        let live = open(&sandbox.live());
        let check: String =
            live.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
        assert_eq!(check, "ok", "{change}");
        drop(live);
        // It is the newest, and not equal.
        let safety = sandbox.backups().into_iter().find(|name| name.contains("SAFETY"));
        fs_err::remove_file(sandbox.backup_path(&safety.expect("a safety backup"))).expect("gone");
        let said = sandbox.ok(&["db-backup", "--if-changed"]);
        assert!(said.out.starts_with("Unchanged since"), "{change}: {}", said.out);
    }
}

fn interrupt_leaves_nothing(sandbox: &Sandbox) {
    let mut running = Running(sandbox.xtask(&["db-backup"]).spawn().expect("runs"));
    let stages = || {
        let entries = fs_err::read_dir(sandbox.path("backups")).into_iter().flatten();
        let names = entries.map(|entry| entry.expect("entry").file_name());
        names.filter(|name| name.to_string_lossy().contains(".stage-")).count()
    };
    let began = Instant::now();
    while stages() == 0 {
        assert!(began.elapsed() < Duration::from_mins(1), "no stage appeared");
        std::thread::yield_now();
    }
    let pid = Pid::from_child(&running.0);
    kill_process(pid, Signal::INT).expect("sent");
    assert_eq!(running.0.wait().expect("ended").code(), Some(130));
    assert_eq!(stages(), 0, "a stage was left");
    assert!(sandbox.backups().is_empty(), "something was published");
}

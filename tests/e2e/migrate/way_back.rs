//! What the way back of a migration needs is there before it runs on the live database: room,
//! descriptors; and what it has to wait for, it waits for.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::sandbox::{Running, Sandbox, open};
use crate::support::shell_migrations::{ADD, LIVE, content, host, n_rows, rewrite};
use crate::support::small_disk::SmallDisk;

/// The script on the live database only.
fn on_live(script: &str) -> String {
    format!("{ADD}\ncase $DB in *{LIVE}) {script} ;; esac")
}

#[test]
fn a_migration_that_fills_the_disk_is_put_back() {
    for mode in ["wal", "delete"] {
        let Some(sandbox) = host(ADD) else { return };
        let folder = sandbox.path("backend/db");
        let Some(_small) = SmallDisk::at(&sandbox, &folder, "48m") else { return };
        sandbox.configure("\n[workspace.metadata.db]\nbackups = 'backend/db/backups'");
        sandbox.sql(&format!(
            "PRAGMA journal_mode={mode}; CREATE TABLE messages (id INTEGER PRIMARY KEY, content);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO messages (content) SELECT hex(randomblob(500)) FROM n;"
        ));
        let before = content(&sandbox);
        let fill =
            "dd if=/dev/zero of=backend/db/fill bs=64k 2> /dev/null || true; echo > filled; exit 7";
        let grow = "q \"$DB\" \"CREATE TABLE oops AS SELECT * FROM messages\"";
        rewrite(&sandbox, &format!("{grow}\n{}", on_live(fill)));
        let said = sandbox.fails(1, &["db-migrate"]);
        assert!(sandbox.path("filled").exists(), "{said:#?}");
        assert!(said.err.contains("the state before it was restored"), "{mode}: {said:#?}");
        fs_err::remove_file(folder.join("fill")).expect("removed");
        assert_eq!(content(&sandbox), before, "{mode}");
    }
}

#[test]
fn too_few_descriptors_are_refused_before_the_live_database_is_touched() {
    let Some(sandbox) = host(&on_live("echo > touched; exit 7")) else { return };
    let before = content(&sandbox);
    let (mut refused, mut put_back, mut last) = (0, 0, None);
    for limit in (8..24).chain((24..72).step_by(4)) {
        let _ = fs_err::remove_file(sandbox.path("touched"));
        let limited = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        let mut xtask = sandbox.xtask_under(&["sh", "-c", &limited], &["db-migrate"]);
        let said = sandbox.said(&xtask.output().expect("it runs"));
        let touched = sandbox.path("touched").exists();
        let is_back = said.err.contains("the state before it was restored");
        assert_eq!(touched, is_back, "{limit} descriptors: {said:#?}");
        assert_eq!(content(&sandbox), before, "{limit} descriptors: {said:#?}");
        refused += u32::from(!touched);
        put_back += u32::from(is_back);
        last = Some(said);
    }
    assert!(refused > 4 && put_back > 4, "{refused} refused, {put_back} put back: {last:#?}");
}

#[test]
fn the_way_back_waits_for_whoever_works_in_the_backups_folder_and_says_for_whom() {
    let waits = "echo > began; until [ -e go ]; do sleep 0.01; done; exit 7";
    let Some(sandbox) = host(&on_live(waits)) else { return };
    let before = content(&sandbox);
    sandbox.backup();
    let mut xtask = sandbox.xtask(&["db-migrate", "--busy-timeout", "0"]);
    let child = xtask.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut running = Running(child);
    let began = Instant::now();
    while !sandbox.path("began").exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "it never began");
        std::thread::yield_now();
    }
    let lock = fs_err::File::open(sandbox.path("backups/.lock")).expect("a lock");
    lock.file().lock().expect("locked");
    sandbox.write("go", "");
    let mut lines = std::io::BufReader::new(running.0.stderr.take().expect("piped"));
    let mut said = String::new();
    while !said.contains("waiting for ") {
        let n_bytes = std::io::BufRead::read_line(&mut lines, &mut said).expect("read");
        assert!(n_bytes > 0, "it did not wait: {said}");
    }
    drop(lock);
    std::io::Read::read_to_string(&mut lines, &mut said).expect("read");
    assert_eq!(running.0.wait().expect("it ends").code(), Some(1), "{said}");
    assert!(said.contains("the state before it was restored"), "{said}");
    if cfg!(target_os = "linux") {
        let who = format!("(process {})", std::process::id());
        assert!(said.contains(&who), "{said}");
    }
    assert_eq!(content(&sandbox), before);
}

/// What a command of the host may do whenever it runs: take a backup, and change how the live database
/// is journaled, which needs it alone.
fn free(sandbox: &Sandbox) -> String {
    let xtask = sandbox.xtask(&[]);
    let xtask = xtask.get_program().to_string_lossy().into_owned();
    format!(
        "\"{xtask}\" db-backup --quiet --busy-timeout 0
         [ \"$(sqlite3 {LIVE} 'PRAGMA journal_mode=DELETE')\" = delete ]
         [ \"$(sqlite3 {LIVE} 'VACUUM; PRAGMA journal_mode=WAL')\" = wal ]"
    )
}

#[test]
fn no_lock_on_the_backups_and_no_connection_is_held_while_a_command_of_the_host_runs() {
    let Some(sandbox) = host(ADD) else { return };
    let free = free(&sandbox);
    let first = sandbox.backup();
    sandbox.ok(&["db-export", "--output", "rows.jsonl"]);
    sandbox.write("after.sh", format!("set -e\n{free}\necho >> ran\n"));
    sandbox.configure("after-restore = [['sh', 'after.sh']]");
    let commands: [&[&str]; 5] = [
        &["db-restore", &first, "--yes"],
        &["db-restore", &first, "--table", "messages", "--yes"],
        &["db-rollback", "--to", &first, "--yes"],
        &["db-reset", "--yes"],
        &["db-import", "rows.jsonl", "--force", "--yes"],
    ];
    for (n, arguments) in commands.into_iter().enumerate() {
        sandbox.ok(arguments);
        let ran = fs_err::read_to_string(sandbox.path("ran")).unwrap_or_default();
        assert_eq!(ran.lines().count(), n + 1, "{arguments:?} ran no command");
    }
    rewrite(&sandbox, &format!("{free}\nq \"$DB\" 'CREATE TABLE IF NOT EXISTS other (a)'"));
    for command in ["db-pre-migrate", "db-pre-deploy", "db-migrate"] {
        sandbox.ok(&[command]);
    }
    assert_eq!(n_rows(&sandbox, "other"), 0);
}

#[test]
fn a_way_back_that_is_gone_is_said_and_nothing_claims_the_old_state() {
    for spoil in [
        "find backups -type f \\( -name '*.pages' -o -name '*.bak' \\) -delete",
        "find backups -type f -name '*.pack' -delete; find backups -name '*.bak' -delete",
        "find backups -type f \\( -name '*.pack' -o -name '*.bak' \\) | while read -r f; do
            chmod u+w \"$f\"; dd if=/dev/zero of=\"$f\" bs=512 seek=1 count=8 conv=notrunc 2> /dev/null
         done",
    ] {
        let lossy = "q \"$DB\" 'DROP TABLE messages; CREATE TABLE other (a)'";
        let Some(sandbox) = host(&on_live(&format!("{spoil}; {lossy}; exit 7"))) else { return };
        let said = sandbox.run(&["db-migrate"]);
        assert_eq!(said.code, Some(2), "{spoil}: {said:#?}");
        let is_said = ["was not restored into", "could not be examined afterwards"];
        assert!(is_said.iter().any(|what| said.err.contains(what)), "{spoil}: {said:#?}");
        for lie in ["old state", "as it was", "is untouched", "it is unchanged"] {
            assert!(!said.err.contains(lie), "{spoil}: it claims {lie:?}: {said:#?}");
        }
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'messages'";
        let n: i64 = open(&sandbox.live()).query_row(tables, [], |row| row.get(0)).expect("read");
        assert_eq!(n, 0, "{spoil}: it was put back after all");
        let said = sandbox.run(&["db-status"]);
        assert_eq!(said.code, Some(1), "{spoil}: {said:#?}");
    }
}

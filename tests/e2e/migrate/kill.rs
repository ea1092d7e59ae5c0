//! `kill -9` at the calls of a migration and of a setup that can change something: what was in the middle is
//! noted, and one command brings it in order.

use crate::support::museum::names;
use crate::support::sandbox::{Sandbox, open};
use crate::support::strace::{Bench, works};

const KILL: &str = "signal=SIGKILL:when=N";
const CALLS: [&str; 3] =
    ["fsync,fdatasync", "?link,linkat,?rename,?renameat,renameat2", "?unlink,unlinkat"];

/// The steps that have been done of [`MIGRATION`].
fn steps(sandbox: &Sandbox) -> (bool, i64) {
    let live = open(&sandbox.live());
    let count = |question: &str| live.query_row(question, [], |row| row.get(0)).expect(question);
    let n_tables: i64 = count("SELECT count(*) FROM sqlite_schema WHERE name = 'added'");
    (n_tables == 1, count("SELECT count(*) FROM messages"))
}

/// In its middle a table is there and the rows are not.
const MIGRATION: &str = "set -e
    q() { sqlite3 -bail -cmd '.timeout 10000' \"$DATABASE_PATH\" \"$1\"; }
    q 'CREATE TABLE added AS SELECT * FROM messages'
    q 'DELETE FROM messages'
    q 'INSERT INTO messages SELECT * FROM added'";

fn has_sqlite(sandbox: &Sandbox) -> bool {
    let has = sandbox.command("sqlite3").arg("-version").output().is_ok();
    if !has {
        crate::support::strace::complain("SKIPPED: a test of migrations needs the `sqlite3` shell");
    }
    has
}

#[test]
fn a_migration_killed_at_any_call_is_undone_done_or_noted() {
    let bench = Bench::new("wal");
    let sandbox = &bench.case.sandbox;
    if !works() || !has_sqlite(sandbox) {
        return;
    }
    sandbox.configure("migrate = ['sh', 'migrate.sh']\nmigrate-env = 'DATABASE_PATH'");
    sandbox.write("migrate.sh", MIGRATION);
    let (before, n_rows) = steps(sandbox);
    assert!(!before);
    let (mut n_kills, n_noted) = (0, std::cell::Cell::new(0));
    for calls in CALLS {
        n_kills += bench.at_every(calls, KILL, &["db-migrate"], |bench, said, what| {
            let sandbox = &bench.case.sandbox;
            let is_noted = !names(&sandbox.path("backups/under-way")).is_empty();
            let now = steps(sandbox);
            if said.code == Some(0) {
                assert!(!is_noted && now == (true, n_rows), "{now:?}: {what}");
            } else if is_noted {
                n_noted.set(n_noted.get() + 1);
                sandbox.fails(1, &["db-status"]);
                sandbox.fails(1, &["db-migrate"]);
                sandbox.ok(&["db-recover", "--yes"]);
                assert_eq!(steps(sandbox), (false, n_rows), "{what}");
            } else {
                assert_eq!(now.1, n_rows, "in the middle, and nothing says so: {what}");
            }
            let beside = names(&sandbox.path("backend/db"));
            assert!(
                !is_noted || beside.iter().all(|name| !name.contains("xtask-lock")),
                "{beside:?}"
            );
            sandbox.ok(&["db-verify", "--all"]);
        });
    }
    assert!(n_kills > 20 && n_noted.get() > 0, "{n_kills} kills, {} noted", n_noted.get());
}

#[test]
fn a_setup_killed_at_any_call_leaves_nothing_or_the_whole_database_and_the_next_one_goes_on() {
    let bench = Bench::bare();
    let sandbox = &bench.case.sandbox;
    if !works() {
        return;
    }
    sandbox.configure("migrate = ['sh', 'migrate.sh']\nmigrate-env = 'DATABASE_PATH'");
    let made = fs_err::read(crate::support::museum::only_backup(sandbox)).expect("read");
    sandbox.write("template", made);
    sandbox.write("migrate.sh", "cp template \"$DATABASE_PATH\"");
    let expected = |sandbox: &Sandbox| {
        let n: i64 = open(&sandbox.path("template"))
            .query_row("SELECT count(*) FROM messages", [], |row| row.get(0))
            .expect("a count");
        (false, n)
    };
    let mut n_kills = 0;
    for calls in [CALLS[0], CALLS[1], CALLS[2], "pwrite64"] {
        let setup = ["db-setup"];
        n_kills += bench.at_every(calls, KILL, &setup, |bench, said, what| {
            let sandbox = &bench.case.sandbox;
            let is_there = fs_err::metadata(sandbox.live()).is_ok_and(|live| live.len() > 0);
            assert!(is_there || said.code != Some(0), "success, and nothing: {what}");
            let again = sandbox.run(&["db-setup"]);
            assert_eq!(again.code, Some(0), "{again:#?} after {what}");
            assert_eq!(steps(sandbox), expected(sandbox), "{what}");
            let status = sandbox.run(&["db-status"]);
            assert!(!status.out.contains("was interrupted"), "{status:#?} after {what}");
        });
    }
    assert!(n_kills > 20, "{n_kills}");
}

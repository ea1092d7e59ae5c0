//! A restore that is killed: the database is there, old or new, and accepts connections after the next command.

use std::time::{Duration, Instant};

use crate::support::postgres_server::PostgresServer;
use crate::support::sandbox::Running;

#[test]
fn a_killed_restore_leaves_one_of_two_states() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(
        "CREATE TABLE t (a int PRIMARY KEY, b text);
         INSERT INTO t SELECT n, repeat('x', 100) FROM generate_series(1, 20000) n",
    );
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    let old = database.dump();
    database.sql("DELETE FROM t WHERE a % 2 = 0; CREATE TABLE later (a int)");
    let new = database.dump();
    let new_name = sandbox.backup();
    for way in [&["db-restore", &name, "--yes"][..], &["db-restore", &name, "--yes", "--swap"]] {
        let began = Instant::now();
        sandbox.ok(way);
        let whole = began.elapsed();
        for part in 1..8 {
            sandbox.ok(&["db-restore", &new_name, "--yes"]);
            assert_eq!(database.dump(), new);
            let child = sandbox.xtask(way).spawn().expect("the binary runs");
            std::thread::sleep(whole * part / 8);
            drop(Running(child));
            // The next command settles it.
            sandbox.run(&["db-recover", "--yes"]);
            let waited = Instant::now();
            let now = loop {
                let now = database.dump();
                // The server may still be ending the killed session.
                if now == old || now == new || waited.elapsed() > Duration::from_secs(5) {
                    break now;
                }
            };
            assert!(now == old || now == new, "{way:?}, part {part}: neither state:\n{now}");
            if now == new {
                sandbox.ok(way);
            }
            assert_eq!(database.dump(), old, "{way:?}, part {part}");
            let status = sandbox.run(&["db-status"]);
            assert!(!status.out.contains("was interrupted"), "{status:#?}");
        }
    }
}

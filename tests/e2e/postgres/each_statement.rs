//! A restore that is killed at each of its statements: a database of the name is there, old or new, and accepts
//! connections at the latest after the next command.
//!
//! `.ci/full` kills at every line that goes to `psql`, an ordinary run at some of them: `XTASK_KILL_STRIDE` is the
//! distance.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crate::support::postgres_server::{PostgresDatabase, PostgresServer};
use crate::support::sandbox::{Running, Sandbox};

/// Stands for `psql`: counts the lines of all sessions, and kills our program in front of one.
const KILLER: &str = r#"#!/bin/sh
while IFS= read -r line; do
    # Sessions that work at the same time add a line each, whole.
    echo >>"$COUNTER"
    if [ $(($(wc -l <"$COUNTER"))) -ge "$KILL_AT" ]; then
        kill -KILL $PPID
        exit
    fi
    printf '%s\n' "$line"
done | "$PSQL" "$@"
"#;
const ORDINARY_STRIDE: usize = 23;

struct Host {
    server: &'static PostgresServer,
    database: PostgresDatabase,
    sandbox: Sandbox,
}

impl Host {
    fn new(server: &'static PostgresServer) -> Self {
        let database = server.database(
            "CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y');
             CREATE VIEW v AS SELECT a FROM t",
        );
        let sandbox = database.sandbox();
        for (program, script) in [
            ("psql", KILLER.to_owned()),
            ("pg_dump", format!("#!/bin/sh\nexec '{}' \"$@\"\n", server.program("pg_dump"))),
        ] {
            let path = sandbox.path(&format!("bin/{program}"));
            sandbox.write(&format!("bin/{program}"), script);
            let executable = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(path, executable).expect("a mode");
        }
        Self { server, database, sandbox }
    }

    /// Runs a restore that is killed in front of a line; returns whether the line came.
    fn killed(&self, way: &[&str], line: usize) -> bool {
        let sandbox = &self.sandbox;
        sandbox.write("counter", "");
        let mut command = sandbox.xtask(way);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(sandbox.path("bin")).chain(std::env::split_paths(&path));
        command
            .env("PATH", std::env::join_paths(folders).expect("a PATH"))
            .env("PSQL", self.server.program("psql"))
            .env("COUNTER", sandbox.path("counter"))
            .env("KILL_AT", line.to_string());
        let output = Running(command.spawn().expect("the binary runs")).output();
        let n_lines = fs_err::read(sandbox.path("counter")).expect("a count").len();
        let is_killed = !output.status.success();
        assert_eq!(is_killed, n_lines >= line, "line {line} of {n_lines}: {output:?}");
        is_killed
    }
}

#[test]
fn a_restore_that_is_killed_at_any_statement_leaves_one_of_two_states() {
    let Some(server) = PostgresServer::shared() else { return };
    let stride = std::env::var("XTASK_KILL_STRIDE").ok();
    let stride = stride.map_or(ORDINARY_STRIDE, |stride| stride.parse().expect("a number"));
    let host = Host::new(server);
    let Host { database, sandbox, .. } = &host;
    let name = sandbox.backup();
    let old = database.dump();
    database.sql("DELETE FROM t WHERE a = 2; CREATE TABLE later (a int REFERENCES t)");
    let new = database.dump();
    let new_name = sandbox.backup();
    for way in ["--in-place", "--swap"] {
        let restore = ["db-restore", &name, "--yes", way];
        let mut n_killed = 0;
        let mut was_new = false;
        for line in (1..).step_by(stride) {
            if !host.killed(&restore, line) {
                break;
            }
            n_killed += 1;
            // The next command names what is left, and settles it.
            sandbox.run(&["db-recover", "--yes"]);
            let began = Instant::now();
            let now = loop {
                let now = database.dump();
                // The server may still be ending the killed session.
                if now == old || now == new || began.elapsed() > Duration::from_secs(5) {
                    break now;
                }
            };
            assert!(now == old || now == new, "{way}, line {line}: neither state:\n{now}");
            let status = sandbox.ok(&["db-status"]);
            assert!(!status.out.contains("was interrupted"), "{way}, line {line}: {status:#?}");
            let left = database.maintenance_sql(&format!(
                "SELECT datname FROM pg_database WHERE starts_with(datname, '{}_xtask')",
                database.name
            ));
            assert_eq!(left, "", "{way}, line {line}");
            if now == old {
                was_new = true;
                let kept = sandbox.ok(&["db-restore", &new_name, "--yes"]);
                assert!(kept.out.contains("Restored"), "{kept:#?}");
                assert_eq!(database.dump(), new);
            }
        }
        assert!(n_killed > 2, "{way}: {n_killed}");
        assert_eq!(database.dump(), old, "{way}");
        sandbox.ok(&["db-restore", &new_name, "--yes"]);
        assert!(was_new || stride > 1, "{way}: no kill came after the restore counted");
    }
}

//! A restore in place beside transactions that use several tables: nobody waits for ever, and no session is ended.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::postgres_server::{PostgresDatabase, PostgresServer};
use crate::support::sandbox::{Running, Sandbox};

/// `a` is locked before `b`.
const TABLES: &str = "CREATE TABLE a (n int); CREATE TABLE b (n int); INSERT INTO a VALUES (1)";

/// A connection of an application.
struct Application {
    process: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Application {
    fn connect(database: &PostgresDatabase) -> Self {
        let mut process = database.session();
        let stdin = process.stdin.take().expect("a pipe");
        let lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        Self { process, stdin, lines }
    }

    fn send(&mut self, statements: &str) {
        writeln!(self.stdin, "{statements}").expect("written");
    }

    fn next(&mut self) -> String {
        self.lines.next().expect("a line").expect("read")
    }

    /// Ends it, and returns what it complained about.
    fn complaints(self) -> String {
        drop(self.stdin);
        let output = self.process.wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

/// Begins a restore, and waits until it has locked a table against writers.
fn begin(sandbox: &Sandbox, database: &PostgresDatabase, arguments: [&str; 2]) -> Running {
    let [name, table] = arguments;
    let mut command = sandbox.xtask(&["db-restore", name, "--yes", "--in-place"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running(command.spawn().expect("the binary runs"));
    let query = format!(
        "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'ExclusiveLock' AND relation = '{table}'::regclass"
    );
    let began = Instant::now();
    while database.sql(&query) == "0" {
        assert!(began.elapsed() < Duration::from_secs(30), "`{table}` is not locked");
        std::thread::sleep(Duration::from_millis(5));
    }
    running
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn a_writer_that_takes_the_tables_in_another_order_is_let_through() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    let mut application = Application::connect(&database);
    application.send("BEGIN; INSERT INTO b VALUES (7); SELECT 'has b';");
    assert_eq!(application.next(), "has b");
    let restore = begin(&sandbox, &database, [&name, "a"]);
    application.send("INSERT INTO a VALUES (7); COMMIT; SELECT 'done';");
    assert_eq!(application.next(), "done");
    let output = restore.output();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(application.complaints(), "");
    assert_eq!(database.sql("SELECT n FROM a; SELECT n FROM b"), "1");
    // The safety backup has the rows that it wrote.
    sandbox.ok(&["db-restore", "safety", "--yes"]);
    assert_eq!(database.sql("SELECT n FROM a ORDER BY n; SELECT n FROM b"), "1\n7\n7");
}

#[test]
fn a_reader_that_goes_on_to_write_is_cancelled_and_stays_connected() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    database.sql("INSERT INTO a VALUES (2)");
    let mut application = Application::connect(&database);
    application.send("BEGIN; SELECT count(*) FROM a;");
    assert_eq!(application.next(), "2");
    let restore = begin(&sandbox, &database, [&name, "b"]);
    application.send("INSERT INTO b VALUES (7); ROLLBACK; SELECT 'alive';");
    assert_eq!(application.next(), "alive");
    let output = restore.output();
    assert!(output.status.success(), "{output:?}");
    let said = said(&output);
    assert!(said.contains("Cancelled 1 statement of other sessions"), "{said}");
    let complaints = application.complaints();
    assert!(complaints.contains("canceling statement due to user request"), "{complaints}");
    assert_eq!(database.sql("SELECT n FROM a; SELECT n FROM b"), "1");
}

#[test]
fn a_reader_that_goes_on_to_write_to_the_same_table_is_cancelled_and_stays_connected() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    database.sql("INSERT INTO b VALUES (2)");
    let mut application = Application::connect(&database);
    application.send("BEGIN; SELECT count(*) FROM b;");
    assert_eq!(application.next(), "1");
    let restore = begin(&sandbox, &database, [&name, "b"]);
    application.send("INSERT INTO b VALUES (7); ROLLBACK; SELECT 'alive';");
    assert_eq!(application.next(), "alive");
    let output = restore.output();
    assert!(output.status.success(), "{output:?}");
    let said = said(&output);
    assert!(said.contains("Cancelled 1 statement of other sessions"), "{said}");
    let complaints = application.complaints();
    assert!(complaints.contains("canceling statement due to user request"), "{complaints}");
    assert_eq!(database.sql("SELECT n FROM a; SELECT n FROM b"), "1");
}

/// Each reads both tables and writes to both, in one transaction after another.
#[test]
fn readers_that_go_on_to_write_without_a_pause_hold_up_no_restore() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let applications: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut application = Application::connect(&database);
                    let mut n = 0;
                    while !is_over.load(Ordering::SeqCst) {
                        application.send(
                            "BEGIN; SELECT count(*) AS n FROM b \\gset\n SELECT count(*) AS n FROM a \\gset\n \
                             INSERT INTO b VALUES (7); INSERT INTO a VALUES (7); COMMIT; SELECT 'next';",
                        );
                        assert_eq!(application.next(), "next");
                        n += 1;
                    }
                    assert!(n > 0, "it worked");
                    application.complaints()
                })
            })
            .collect();
        let restored: Vec<_> =
            (0..5).map(|_| sandbox.run(&["db-restore", &name, "--yes", "--in-place"])).collect();
        is_over.store(true, Ordering::SeqCst);
        for application in applications {
            let complaints = application.join().expect("a thread");
            let unexpected = complaints.lines().find(|line| {
                line.contains("ERROR")
                    && !["canceling statement", "deadlock detected", "transaction is aborted"]
                        .iter()
                        .any(|known| line.contains(known))
            });
            assert_eq!(unexpected, None);
        }
        for said in restored {
            assert_eq!(said.code, Some(0), "{said:?}");
        }
    });
}

/// The server ends an autovacuum only for whom it keeps waiting for a second.
#[test]
fn an_autovacuum_holds_up_no_restore() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(
        "CREATE TABLE a (n int) WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, \
           autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0); \
         INSERT INTO a SELECT generate_series(1, 50000)",
    );
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    database.sql("UPDATE a SET n = n + 1");
    let at_work = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = 'a'::regclass";
    let began = Instant::now();
    while database.sql(at_work) == "0" {
        assert!(began.elapsed() < Duration::from_mins(1), "there is no autovacuum");
        std::thread::sleep(Duration::from_millis(20));
    }
    sandbox.ok(&["db-restore", &name, "--yes", "--in-place"]);
    assert_eq!(database.sql("SELECT min(n) FROM a"), "1");
}

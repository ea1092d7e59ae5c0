//! `db-import` of files that ask for far more than their size: the cost is bounded in proportion to the
//! file, whatever of SQL asks for it, and an interrupt ends it at once.

use std::process::Stdio;
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

use crate::support::sandbox::{Said, Sandbox, open};
use crate::support::terminal::{CTRL_C, Terminal};

/// Much more than a small file takes, and much less than it asks for.
const MAX_MEMORY_BYTES: u64 = 180 << 20;

/// Generous for a busy machine: nothing here ends by itself within hours, or takes gigabytes.
const MAX_TIME: Duration = Duration::from_mins(1);

const ENDLESS: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT";

/// Statements after `CREATE TABLE t(a);`, and what is reported about them.
fn hostile() -> Vec<(String, &'static str)> {
    let large = "hex(zeroblob(4e8))";
    let mut views = "CREATE VIEW v0 AS SELECT a FROM t LIMIT 1;\n".to_owned();
    for at in 1..14 {
        let from = at - 1;
        let from = format!("v{from} x, v{from} y, v{from} z");
        views.extend(["CREATE VIEW v", &at.to_string(), " AS SELECT x.a FROM ", &from]);
        views.push_str(" LIMIT 1;\n");
    }
    vec![
        (
            format!("CREATE TABLE u(a, CHECK(length({large}) > 1)); INSERT INTO u VALUES(1);"),
            "value",
        ),
        (format!("CREATE TABLE u(a, b AS ({large}) STORED); INSERT INTO u VALUES(1);"), "value"),
        (format!("CREATE TABLE u(a, b AS ({large})); INSERT INTO u VALUES(1);"), "value"),
        (format!("INSERT INTO t VALUES(1); CREATE INDEX i ON t({large});"), "value"),
        (format!("CREATE TABLE u(a, b DEFAULT ({large})); INSERT INTO u(a) VALUES(1);"), "value"),
        (
            format!(
                "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t WHERE a = {large}; END;
                     INSERT INTO t VALUES(1);"
            ),
            "value",
        ),
        ("INSERT INTO t SELECT printf('%.*c', 900000000, 'a');".to_owned(), "value"),
        (format!("INSERT INTO t {ENDLESS} max(x) FROM c;"), "steps"),
        (format!("INSERT INTO t {ENDLESS} x FROM c;"), "steps"),
        (format!("INSERT INTO t {ENDLESS} zeroblob(1000000) FROM c;"), "fills"),
        (format!("INSERT INTO t {ENDLESS} json_group_array(hex(zeroblob(500000))) FROM c;"), "m"),
        (
            format!(
                "CREATE VIEW v AS {ENDLESS} x AS rowid, 'word ' || x AS b FROM c;
                     CREATE VIRTUAL TABLE f USING fts5(b, content='v');
                     INSERT INTO f(f) VALUES('rebuild');"
            ),
            "steps",
        ),
        (views + "INSERT INTO t SELECT * FROM v13;", ""),
    ]
}

/// Runs the xtask and demands that it took little.
fn cheap(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let began = Instant::now();
    let mut command = sandbox.xtask(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut said = Vec::new();
    std::io::Read::read_to_end(&mut child.stderr.take().expect("a pipe"), &mut said).expect("read");
    let used = child.wait4().expect("it ends");
    let err = String::from_utf8_lossy(&said).into_owned();
    let memory = used.rusage.maxrss;
    assert!(memory < MAX_MEMORY_BYTES, "{} MiB: {err}", memory >> 20);
    assert!(began.elapsed() < MAX_TIME, "{:?}: {err}", began.elapsed());
    Said { code: used.status.code(), out: String::new(), err }
}

#[test]
fn a_small_file_cannot_ask_for_much() {
    for (sql, what) in hostile() {
        let sandbox = Sandbox::new();
        sandbox.write("h.sql", format!("CREATE TABLE t(a);\n{sql}\n"));
        for arguments in [
            &["db-import", "h.sql", "--into", "new.db"][..],
            &["db-import", "--merge", "h.sql", "--yes"],
        ] {
            let said = cheap(&sandbox, arguments);
            assert_eq!(said.code, Some(2), "{sql}: {said:#?}");
            assert!(said.err.contains(what), "{sql}: {said:#?}");
            assert!(said.err.contains("--unbounded"), "{sql}: {said:#?}");
            assert!(said.err.contains("line "), "{sql}: {said:#?}");
        }
        assert!(!sandbox.path("new.db").exists(), "{sql}");
        assert!(sandbox.backups().is_empty(), "{sql}: nothing was to be kept");
    }
}

/// An export of ours with other definitions in it, its proof made again.
fn rewritten(sandbox: &Sandbox, from: &str, to: &str) {
    sandbox.sql("CREATE INDEX i ON messages (content)");
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    let export = fs_err::read_to_string(sandbox.path("e.jsonl")).expect("the export");
    assert!(export.contains(from), "{export}");
    let export = export.replace(from, to);
    let (body, _) = export.trim_end().rsplit_once('\n').expect("lines");
    let proof = blake3::hash(format!("{body}\n").as_bytes());
    let proof = format!("{{\"rows\":{{\"messages\":3}},\"blake3\":\"{proof}\"}}");
    sandbox.write("h.jsonl", format!("{body}\n{proof}\n"));
}

#[test]
fn an_export_of_ours_cannot_ask_for_more_either() {
    for (from, to) in [
        ("content TEXT NOT NULL", "content TEXT NOT NULL CHECK (length(hex(zeroblob(4e8))) > 1)"),
        ("content TEXT NOT NULL", "content TEXT NOT NULL, b AS (hex(zeroblob(4e8))) STORED"),
        ("ON messages (content)", "ON messages (hex(zeroblob(4e8)))"),
        (
            "ON messages (content)",
            "ON messages (content) WHERE length(replace(hex(zeroblob(400000)), '0', hex(zeroblob(9)))) > id",
        ),
    ] {
        let sandbox = Sandbox::new();
        rewritten(&sandbox, from, to);
        for arguments in [
            &["db-import", "h.jsonl", "--into", "new.db"][..],
            &["db-import", "--merge", "h.jsonl", "--yes"],
        ] {
            let said = cheap(&sandbox, arguments);
            // A merge ignores what it does not need of the file.
            if arguments.contains(&"--merge") && said.code == Some(0) {
                continue;
            }
            assert_eq!(said.code, Some(2), "{to}: {said:#?}");
            assert!(said.err.contains("--unbounded"), "{to}: {said:#?}");
        }
        assert!(!sandbox.path("new.db").exists(), "{to}");
    }
}

#[test]
fn an_endless_condition_ends() {
    let sandbox = Sandbox::new();
    for (condition, what) in [
        (format!("id IN ({ENDLESS} -x FROM c)"), "steps"),
        ("length(hex(zeroblob(4e8))) > id".to_owned(), "value"),
    ] {
        let export =
            ["db-export", "--root", "messages", "--where", &condition, "--output", "part.jsonl"];
        let said = cheap(&sandbox, &export);
        assert_eq!(said.code, Some(2), "{condition}: {said:#?}");
        assert!(said.err.contains(what), "{condition}: {said:#?}");
        assert!(said.err.contains("--unbounded"), "{condition}: {said:#?}");
        assert!(!sandbox.path("part.jsonl").exists(), "{condition}");
    }
    let small = "length(hex(zeroblob(1100000))) > id";
    let export = ["db-export", "--root", "messages", "--where", small, "--output", "part.jsonl"];
    sandbox.fails(2, &export);
    sandbox.ok(&[&export[..], &["--unbounded"]].concat());
}

#[test]
fn unbounded_lifts_the_limits() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "h.sql",
        format!(
            "CREATE TABLE t(a);\nINSERT INTO t SELECT length(hex(zeroblob(5000000)));\n\
                 INSERT INTO t {ENDLESS} max(x) FROM (SELECT x FROM c LIMIT 1000000);\n"
        ),
    );
    let import = ["db-import", "h.sql", "--into", "new.db"];
    sandbox.fails(2, &import);
    sandbox.ok(&[&import[..], &["--unbounded"]].concat());
    let question = "SELECT group_concat(a) FROM t";
    let found: String =
        open(&sandbox.path("new.db")).query_row(question, [], |row| row.get(0)).expect("rows");
    assert_eq!(found, "10000000,1000000");
}

#[test]
fn what_runs_without_end_shows_that_it_runs_and_ctrl_c_ends_it() {
    for sql in [
        format!("INSERT INTO t {ENDLESS} max(x) FROM c;"),
        format!(
            "CREATE VIEW v AS {ENDLESS} x AS rowid, 'word ' || x AS b FROM c;\n\
             CREATE VIRTUAL TABLE f USING fts5(b, content='v');\n\
             INSERT INTO f(f) VALUES('rebuild');"
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("h.sql", format!("CREATE TABLE t(a);\n{sql}\n"));
        let import = ["db-import", "h.sql", "--into", "new.db", "--unbounded"];
        let Some(mut terminal) = Terminal::run(&sandbox, &import) else { return };
        terminal.expect("importing");
        terminal.press(CTRL_C);
        let ended = terminal.end();
        assert_eq!(ended.code, Some(130), "{sql}: {ended:#?}");
        assert!(!sandbox.path("new.db").exists(), "{sql}");
    }
}

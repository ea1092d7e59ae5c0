//! Migrations beside an application that keeps writing: every row that was acknowledged is in the
//! live database afterwards, or in the safety backup that was named.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::sandbox::{Sandbox, messages, open};
use crate::support::shell_migrations::{ADD, CASCADE, LIVE, host, host_with_children};

/// An application that inserts one message after the other until it is stopped.
#[derive(Default)]
struct Writer {
    stop: AtomicBool,
    acknowledged: Mutex<Vec<String>>,
}

impl Writer {
    fn write_until_stopped(&self, live: &Path) {
        let connection = open(live);
        let mut n = 0;
        while !self.stop.load(Ordering::Relaxed) {
            n += 1;
            let content = format!("written {n:06}");
            let insert = "INSERT INTO messages (content) VALUES (?1)";
            // Locked out longer than it waits: not acknowledged.
            if connection.execute(insert, [&content]).is_ok() {
                self.acknowledged.lock().expect("well").push(content);
            }
            // Without any pause it would starve everybody else in rollback mode.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    fn goes_on(&self, more: usize) {
        let n = || self.acknowledged.lock().expect("well").len();
        let wanted = n() + more;
        let began = std::time::Instant::now();
        while n() < wanted && !self.stop.load(Ordering::Relaxed) {
            let so_far = began.elapsed();
            assert!(so_far < std::time::Duration::from_mins(1), "nothing is acknowledged");
            std::thread::yield_now();
        }
    }
}

/// Stops the writer also if the test panics.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a command beside a writer, in both journal modes; nothing that was acknowledged may be lost.
/// Returns what it said in each.
fn beside_a_writer(
    host: impl Fn() -> Option<Sandbox>,
    arguments: &[&str],
) -> Vec<(Sandbox, Value)> {
    let mut ran = Vec::new();
    for mode in ["wal", "delete"] {
        let Some(sandbox) = host() else { return Vec::new() };
        sandbox.sql(&format!("PRAGMA journal_mode={mode}"));
        let (writer, live) = (Writer::default(), sandbox.live());
        let document = std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                let _stopped = Stops(&writer.stop);
                writer.write_until_stopped(&live);
            });
            let stops = Stops(&writer.stop);
            writer.goes_on(5);
            let document = sandbox.json(&[arguments, &["--busy-timeout", "60"]].concat());
            writer.goes_on(5);
            drop(stops);
            writing.join().expect("the writer ended well");
            document
        });
        let mut kept: BTreeSet<String> = messages(&sandbox.live()).into_iter().collect();
        if let Some(safety) = document["safety"].as_str() {
            kept.extend(messages(&sandbox.backup_path(safety)));
        }
        let acknowledged = writer.acknowledged.into_inner().expect("well");
        let lost: Vec<_> = acknowledged.iter().filter(|row| !kept.contains(*row)).collect();
        assert!(lost.is_empty(), "{mode}: {} lost, as {:?}: {document:#}", lost.len(), lost[0]);
        sandbox.ok(&["db-verify", "--all"]);
        ran.push((sandbox, document));
    }
    ran
}

fn outcomes(ran: &[(Sandbox, Value)]) -> Vec<&str> {
    ran.iter().map(|(_, document)| document["outcome"].as_str().unwrap_or("none")).collect()
}

/// `outcome` in both journal modes, or skipped.
fn both(ran: &[(Sandbox, Value)], outcome: &str) {
    assert!(ran.is_empty() || outcomes(ran) == [outcome, outcome], "{ran:#?}", ran = outcomes(ran));
}

fn on_live(script: &str) -> String {
    format!("case $DB in *backend/db/kalito.db) {script} ;; esac")
}

#[test]
fn a_migration_beside_a_writer_loses_nothing() {
    both(&beside_a_writer(|| host(ADD), &["db-migrate"]), "migrated");
}

#[test]
fn a_rehearsal_beside_a_writer_loses_nothing_whatever_comes_of_it() {
    let pre = &["db-pre-migrate"];
    both(&beside_a_writer(|| host(ADD), pre), "allowed");
    both(&beside_a_writer(|| host("q \"$DB\" 'SELECT 1'"), pre), "nothing-pending");
    both(&beside_a_writer(|| host_with_children(CASCADE), pre), "refused");
    both(&beside_a_writer(|| host("exit 7"), pre), "refused");
    both(&beside_a_writer(|| host("true"), pre), "refused");
    let hangs = || {
        let sandbox = host("sleep 600")?;
        sandbox.configure("migrate-timeout = '500ms'");
        Some(sandbox)
    };
    both(&beside_a_writer(hangs, pre), "refused");
}

#[test]
fn a_put_back_beside_a_writer_names_where_the_replaced_rows_are() {
    let fails = format!("{ADD}\n{}", on_live("exit 7"));
    let ran = beside_a_writer(|| host(&fails), &["db-migrate"]);
    both(&ran, "put-back");
    for (sandbox, document) in &ran {
        let connection = open(&sandbox.live());
        let added = "SELECT 1 FROM sqlite_schema WHERE name = 'added'";
        assert!(connection.query_row(added, [], |_| Ok(())).is_err(), "the old schema is back");
        assert!(document["safety"].is_string(), "{document:#}");
    }
}

#[test]
fn a_command_that_touches_the_live_database_beside_a_writer_is_reported_and_left_alone() {
    // It may have been the writer.
    let touches = format!("q {LIVE} 'CREATE TABLE oops (a)'");
    both(&beside_a_writer(|| host(&touches), &["db-pre-migrate"]), "left-alone");
}

#[test]
fn a_migration_that_failed_before_it_did_anything_leaves_a_writer_s_rows_alone() {
    // The writer has written since the checkpoint: that is not a reason to take its rows away.
    let script = on_live("sleep 0.3; exit 7");
    let ran = beside_a_writer(|| host(&format!("{script}\n{ADD}")), &["db-migrate"]);
    both(&ran, "left-alone");
    for (_, document) in &ran {
        let hint = document["error"]["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("db-restore") && hint.contains("db-migrate"), "{document:#}");
    }
}

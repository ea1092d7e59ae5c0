//! `db-restore --if-live`: a plan is carried out only on the state that it was made for.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::sandbox::{Sandbox, messages, open};

/// The newest backup has three messages; the live database has four.
fn one_backup() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.backup();
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    sandbox
}

/// The plan of a restore of the oldest backup, and what has to be handed on.
fn plan(sandbox: &Sandbox, arguments: &[&str]) -> (Value, String) {
    let plan = sandbox.json(&[&["db-restore", "oldest", "--dry-run"], arguments].concat());
    let if_live = plan["if_live"].as_str().unwrap_or_else(|| panic!("{plan:#}")).to_owned();
    (plan, if_live)
}

fn safeties(sandbox: &Sandbox) -> usize {
    sandbox.backups().iter().filter(|name| name.contains("SAFETY")).count()
}

#[test]
fn a_plan_has_both_sides_and_what_must_be_typed() {
    let sandbox = one_backup();
    let (plan, if_live) = plan(&sandbox, &[]);
    assert_eq!(plan["live_blake3"], sandbox.content());
    assert_eq!(plan["live_blake3"], if_live);
    assert_eq!(plan["content_blake3"], sandbox.json(&["db-list"])["backups"][0]["content_blake3"]);
    assert_eq!(plan["live"], json!({ "size_bytes": 8192, "tables": { "messages": 4 } }));
    assert_eq!(plan["backup"], json!({ "size_bytes": 8192, "tables": { "messages": 3 } }));
    assert_eq!((&plan["keeps"], &plan["protected"]), (&json!("safety"), &json!(false)));
    assert_eq!(plan["typed_name"], Value::Null);
    sandbox.configure("protected = true\nafter-restore = ['true']");
    let plan = sandbox.json(&["db-restore", "oldest", "--table", "messages", "--dry-run"]);
    assert_eq!((&plan["protected"], &plan["typed_name"]), (&json!(true), &json!("kalito")));
    assert_eq!(plan["after_restore"], json!([["true"]]));
    sandbox.fails(2, &["db-restore", "oldest", "--yes", "--if-live", &if_live]);
    sandbox.ok(&["db-restore", "oldest", "--yes", "--if-live", &if_live, "--db", "kalito"]);
}

#[test]
fn a_commit_after_the_plan_refuses_the_restore_and_is_not_lost() {
    for settings in ["", "[workspace.metadata.db.format]\nsafety = 'pages'"] {
        for journal_mode in ["wal", "delete"] {
            for tables in [&[][..], &["--table", "messages"]] {
                let sandbox = one_backup();
                sandbox.configure(settings);
                sandbox.sql(&format!("PRAGMA journal_mode={journal_mode}"));
                let (_, if_live) = plan(&sandbox, tables);
                let apply = ["db-restore", "oldest", "--yes", "--if-live", &if_live];
                let apply = [&apply, tables].concat();
                sandbox.sql("INSERT INTO messages (content) VALUES ('five')");
                let said = sandbox.fails(1, &apply);
                assert!(said.err.contains("has changed since the plan was made"), "{said:#?}");
                assert_eq!(messages(&sandbox.live()), ["one", "two", "three", "four", "five"]);
                assert_eq!(safeties(&sandbox), 0, "{said:#?}");
                // Back to the state of the plan: that is what counts, not that nobody wrote.
                sandbox.sql("DELETE FROM messages WHERE content = 'five'");
                let said = sandbox.run(&apply);
                if said.code == Some(0) {
                    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
                } else {
                    // The pages may be laid out otherwise now.
                    let (_, if_live) = plan(&sandbox, tables);
                    sandbox.ok(&[
                        &["db-restore", "oldest", "--yes", "--if-live", &if_live],
                        tables,
                    ]
                    .concat());
                }
                assert_eq!(safeties(&sandbox), 1);
            }
        }
    }
}

#[test]
fn a_refusal_says_what_changed_and_where_to_look() {
    let sandbox = one_backup();
    let (_, if_live) = plan(&sandbox, &[]);
    sandbox.sql("DELETE FROM messages");
    let said = sandbox.fails(1, &["db-restore", "oldest", "--yes", "--if-live", &if_live]);
    assert_eq!(
        said.err,
        "\
error: could not restore `backend/db/kalito.db`: it is unchanged
  caused by: `backend/db/kalito.db` has changed since the plan was made
hint: look at the plan again with `--dry-run`, then decide; nothing was changed
"
    );
}

#[test]
fn a_database_that_appeared_or_went_refuses_the_restore() {
    let sandbox = one_backup();
    let (_, there) = plan(&sandbox, &[]);
    let bytes = fs_err::read(sandbox.live()).expect("bytes");
    fs_err::remove_file(sandbox.live()).expect("removed");
    let (absent, none) = plan(&sandbox, &[]);
    assert_eq!(
        (&*none, &absent["live_blake3"], &absent["live"]),
        ("absent", &Value::Null, &Value::Null)
    );
    sandbox.fails(1, &["db-restore", "oldest", "--yes", "--if-live", &there]);
    assert!(!sandbox.live().exists());
    fs_err::write(sandbox.live(), b"no database any more").expect("written");
    let (unreadable, garbage) = plan(&sandbox, &[]);
    assert_eq!((&*garbage, &unreadable["keeps"]), ("unreadable", &json!("aside")));
    sandbox.fails(1, &["db-restore", "oldest", "--yes", "--if-live", "absent"]);
    sandbox.fails(1, &["db-restore", "oldest", "--yes", "--if-live", &there]);
    assert_eq!(fs_err::read(sandbox.live()).expect("bytes"), b"no database any more");
    fs_err::write(sandbox.live(), bytes).expect("written");
    sandbox.fails(1, &["db-restore", "oldest", "--yes", "--if-live", "absent"]);
    sandbox.fails(1, &["db-restore", "oldest", "--yes", "--if-live", "unreadable"]);
    sandbox.fails(2, &["db-restore", "oldest", "--yes", "--if-live", "something"]);
    fs_err::remove_file(sandbox.live()).expect("removed");
    sandbox.ok(&["db-restore", "oldest", "--yes", "--if-live", "absent"]);
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

/// An application that writes as long as it may.
struct Writer {
    /// While somebody else has it, the application pauses.
    gate: Mutex<()>,
    ends: AtomicBool,
    n_committed: AtomicUsize,
}

impl Writer {
    /// Inserts messages one by one, each noted once its commit is acknowledged.
    fn write(&self, path: &Path) -> Vec<String> {
        let mut acknowledged = Vec::new();
        while !self.ends.load(Ordering::SeqCst) {
            let _open = self.gate.lock().expect("a gate");
            let content = format!("written {}", acknowledged.len());
            let live = open(path);
            if live.execute("INSERT INTO messages (content) VALUES (?1)", [&content]).is_ok() {
                acknowledged.push(content);
                self.n_committed.fetch_add(1, Ordering::SeqCst);
            }
        }
        acknowledged
    }

    /// Waits until it has committed once more.
    fn wait(&self) {
        let before = self.n_committed.load(Ordering::SeqCst);
        while self.n_committed.load(Ordering::SeqCst) == before {
            std::thread::yield_now();
        }
    }
}

#[test]
fn no_commit_of_a_running_writer_is_lost_over_many_plans() {
    // In rollback-journal mode, each waits for the other one.
    for (journal_mode, n_plans) in [("wal", 20), ("delete", 10)] {
        let sandbox = one_backup();
        sandbox.sql(&format!("PRAGMA journal_mode={journal_mode}"));
        let (gate, ends) = (Mutex::new(()), AtomicBool::new(false));
        let writer = Writer { gate, ends, n_committed: AtomicUsize::new(0) };
        let live = sandbox.live();
        let acknowledged = std::thread::scope(|scope| {
            let written = scope.spawn(|| writer.write(&live));
            for attempt in 0..n_plans {
                let is_paused = attempt % 5 == 4;
                let paused = is_paused.then(|| writer.gate.lock().expect("a gate"));
                let (_, if_live) = plan(&sandbox, &["--busy-timeout", "60"]);
                if !is_paused {
                    writer.wait();
                }
                let apply = ["db-restore", "oldest", "--yes", "--busy-timeout", "60", "--if-live"];
                let said = sandbox.run(&[&apply[..], &[&if_live]].concat());
                let code = i32::from(!is_paused);
                assert_eq!(said.code, Some(code), "{journal_mode} {attempt}: {said:#?}");
                drop(paused);
            }
            writer.ends.store(true, Ordering::SeqCst);
            written.join().expect("it ends")
        });
        let mut kept: BTreeSet<String> = messages(&live).into_iter().collect();
        for safety in sandbox.backups().iter().filter(|name| name.contains("SAFETY")) {
            let copy = sandbox.path(&format!("{safety}.db"));
            sandbox.ok(&["db-restore", safety, "--into", copy.to_str().expect("a path")]);
            kept.extend(messages(&copy));
        }
        let lost: Vec<_> = acknowledged.iter().filter(|content| !kept.contains(*content)).collect();
        assert!(acknowledged.len() > n_plans && lost.is_empty(), "{journal_mode}: {lost:?}");
        assert_eq!(safeties(&sandbox), n_plans / 5, "{journal_mode}");
    }
}

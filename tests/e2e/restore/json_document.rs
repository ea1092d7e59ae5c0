//! `db-restore --json`: one document on stdout, whatever comes of it, and nothing else there.

use serde_json::Value;

use crate::support::sandbox::Sandbox;

fn one_backup() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.backup();
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    sandbox
}

/// The document of an error, whose exit code is also the process's.
fn error_of(sandbox: &Sandbox, code: i32, arguments: &[&str]) -> Value {
    let said = sandbox.fails(code, &[arguments, &["--json"]].concat());
    let document: Value = serde_json::from_str(&said.out)
        .unwrap_or_else(|error| panic!("not one document: {error}: {said:#?}"));
    let error = document["error"].clone();
    assert_eq!(error["exit_code"], code, "{document:#}");
    error
}

#[test]
fn a_restore_is_one_document() {
    let sandbox = one_backup();
    let document = sandbox.json(&["db-restore", "latest", "--yes"]);
    let backup = "kalito.db.2025-09-13_142530.bak";
    assert_eq!(document["version"], 1);
    assert_eq!(document["restored"]["name"], backup);
    assert_eq!(document["restored"]["state"], "verified");
    assert_eq!(document["safety"], "kalito.db.SAFETY.2025-09-13_142630.bak");
    assert_eq!(document["set_aside"], Value::Null);
    assert_eq!(document["content_blake3"], document["restored"]["content_blake3"]);
    assert_eq!(document["into"], "$ROOT/backend/db/kalito.db");
}

#[test]
fn what_was_set_aside_is_in_the_document() {
    let sandbox = one_backup();
    sandbox.sql("PRAGMA journal_mode=DELETE");
    sandbox.write("backend/db/kalito.db", "no database any more");
    let document = sandbox.json(&["db-restore", "latest", "--yes"]);
    let folder = document["set_aside"].as_str().expect("a folder");
    assert!(folder.ends_with("kalito.db.ASIDE.2025-09-13_142630"), "{document:#}");
    assert_eq!(document["safety"], Value::Null);
}

#[test]
fn tables_put_back_are_one_document() {
    let sandbox = one_backup();
    let arguments = ["db-restore", "latest", "--table", "messages", "--yes"];
    let document = sandbox.json(&arguments);
    let tables = serde_json::json!([{"table": "messages", "rows": 3}]);
    assert_eq!(document["tables"], tables);
    assert_eq!(document["safety"], "kalito.db.SAFETY.2025-09-13_142630.bak");
}

#[test]
fn a_backup_written_elsewhere_is_one_document() {
    let sandbox = one_backup();
    let document = sandbox.json(&["db-restore", "latest", "--into", "new.db"]);
    assert_eq!(document["into"], "$ROOT/new.db");
}

#[test]
fn a_dry_run_is_one_document() {
    let sandbox = one_backup();
    let document = sandbox.json(&["db-restore", "latest", "--dry-run"]);
    assert_eq!(document["dry_run"], true);
    assert_eq!(document["would_restore"], "kalito.db.2025-09-13_142530.bak");
}

#[test]
fn a_dry_run_of_single_tables_is_one_document() {
    let sandbox = one_backup();
    let arguments = ["db-restore", "latest", "--table", "messages", "--dry-run"];
    assert_eq!(sandbox.json(&arguments)["dry_run"], true);
}

#[test]
fn a_dry_run_of_writing_elsewhere_is_one_document() {
    let sandbox = one_backup();
    let arguments = ["db-restore", "latest", "--into", "new.db", "--dry-run"];
    assert_eq!(sandbox.json(&arguments)["dry_run"], true);
}

#[test]
fn refusals_are_one_document_with_message_hint_and_exit_code() {
    let sandbox = one_backup();
    let error = error_of(&sandbox, 2, &["db-restore", "2024", "--yes"]);
    assert_eq!(error["message"], "no backup matches `2024`");
    assert!(error["hint"].is_string(), "{error:#}");
    let error = error_of(&sandbox, 2, &["db-restore"]);
    assert!(error["hint"].is_string(), "{error:#}");
    error_of(&sandbox, 2, &["db-restore", "latest"]);
    sandbox.write("backups/kalito.db.2025-09-13_142530.bak", "damaged");
    let error = error_of(&sandbox, 1, &["db-restore", "latest", "--yes"]);
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.contains("failed its examination"), "{error:#}");
}

#[test]
fn a_failing_after_restore_is_one_document_too() {
    let sandbox = one_backup();
    sandbox.configure("after-restore = ['sh', '-c', 'echo noise; exit 7']");
    let error = error_of(&sandbox, 2, &["db-restore", "latest", "--yes"]);
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.contains("the data is restored"), "{error:#}");
}

//! How the JSON backups of an assistants database failed: one test for each, named after it. That a
//! negative age deleted every backup is `negative_zero_and_empty_policies_are_refused` in `backups/prune.rs`.

use crate::support::sandbox::{Sandbox, messages, open};
use crate::support::terminal::Terminal;

/// 50 assistants, all of them in the WAL of an application that runs.
fn running() -> (Sandbox, rusqlite::Connection) {
    let sandbox = Sandbox::new();
    let application = open(&sandbox.live());
    application
        .execute_batch(
            "PRAGMA wal_autocheckpoint=0;
             CREATE TABLE assistants (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
             WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50)
             INSERT INTO assistants SELECT i, 'assistant ' || i FROM n;",
        )
        .expect("written");
    (sandbox, application)
}

fn n_assistants(path: &std::path::Path) -> i64 {
    let question = "SELECT count(*) FROM assistants";
    open(path).query_row(question, [], |row| row.get(0)).expect("a count")
}

#[test]
fn backup_and_pre_deploy_copied_the_file_of_a_wal_database_without_its_rows() {
    let (sandbox, application) = running();
    for command in [&["db-backup"][..], &["db-pre-deploy"]] {
        sandbox.ok(command);
    }
    for kind in ["manual", "pre-deploy"] {
        let record = sandbox.records(kind).remove(0);
        assert_eq!(record["tables"]["assistants"], 50, "{record:#}");
        let name = record["name"].as_str().expect("a name").to_owned();
        let restored = format!("{kind}.db");
        sandbox.ok(&["db-restore", &name, "--into", &restored]);
        assert_eq!(n_assistants(&sandbox.path(&restored)), 50, "{kind}");
    }
    drop(application);
}

#[test]
fn import_did_not_wait_for_the_confirmation_it_asked_for() {
    let (sandbox, application) = running();
    drop(application);
    sandbox.ok(&["db-export", "--output", "e.jsonl"]);
    sandbox.sql("INSERT INTO assistants VALUES (51, 'new')");
    let said = sandbox.fails(2, &["db-import", "e.jsonl", "--force"]);
    assert!(said.err.contains("needs `--yes` when there is no terminal"), "{said:#?}");
    assert_eq!(n_assistants(&sandbox.live()), 51);
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-import", "e.jsonl", "--force"]) else {
        return;
    };
    terminal.answer("[y/N]", "n");
    assert_eq!(terminal.end().code, Some(1));
    assert_eq!(n_assistants(&sandbox.live()), 51);
}

#[test]
fn an_empty_list_wiped_the_table() {
    let (sandbox, application) = running();
    drop(application);
    for (list, pointer) in [
        ("[]", ""),
        ("{\"assistants\": []}", "/assistants"),
        ("name\n", ""),
        ("{\"assistants\": []}\n{\"assistants\": []}\n", "/assistants"),
    ] {
        sandbox.write("list", list);
        let import = ["db-import", "list", "--records", pointer, "--table", "assistants", "--yes"];
        for more in [&[][..], &["--on-conflict", "replace"]] {
            let said = sandbox.ok(&[&import[..], more].concat());
            assert!(said.out.contains("the rows of `assistants` stay as they are"), "{said:#?}");
            assert_eq!(n_assistants(&sandbox.live()), 50, "{list}");
        }
    }
}

#[test]
fn the_catalogue_lived_inside_the_database_being_backed_up() {
    let (sandbox, application) = running();
    drop(application);
    let first = sandbox.backup();
    let second = sandbox.backup_with("later");
    // What goes back in time takes no backup out of the list, and neither does a loss of all.
    sandbox.ok(&["db-restore", &first, "--yes"]);
    fs_err::remove_file(sandbox.live()).expect("removed");
    for sidecar in ["-wal", "-shm"] {
        let _ = fs_err::remove_file(sandbox.path(&format!("backend/db/kalito.db{sidecar}")));
    }
    let said = sandbox.ok(&["db-list"]);
    assert!(said.out.contains(&first) && said.out.contains(&second), "{said:#?}");
    sandbox.ok(&["db-restore", &second, "--yes"]);
    assert_eq!(messages(&sandbox.live()).last().map(String::as_str), Some("later"));
}

#[test]
fn there_were_two_incompatible_formats() {
    let (sandbox, application) = running();
    drop(application);
    let rows = "[{\"name\": \"Kim\"}, {\"name\": \"Lea\"}]";
    // Each of the two is read; who takes one for the other is told what is there.
    sandbox.write("old.json", rows);
    sandbox
        .write("new.json", format!("{{\"metadata\": {{\"version\": 1}}, \"assistants\": {rows}}}"));
    let import = |file: &str, pointer: &str| {
        sandbox.run(&["db-import", file, "--records", pointer, "--table", "assistants"])
    };
    let said = import("old.json", "/assistants");
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("the document is an array of 2"), "{said:#?}");
    assert!(said.err.contains("there are arrays at `''` (2)"), "{said:#?}");
    let said = import("new.json", "");
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("there are arrays at `/assistants` (2)"), "{said:#?}");
    assert_eq!(n_assistants(&sandbox.live()), 50);
    assert_eq!(import("old.json", "").code, Some(0));
    assert_eq!(import("new.json", "/assistants").code, Some(0));
    assert_eq!(n_assistants(&sandbox.live()), 52);
}

#[test]
fn the_settings_were_read_by_nothing() {
    let (sandbox, application) = running();
    drop(application);
    sandbox.write(
        ".env",
        "DATABASE_PATH=other.db\nDATABASE_BACKUP_DIR=kept\nBACKUP_RETENTION_DAYS=30\n",
    );
    fs_err::copy(sandbox.live(), sandbox.path("other.db")).expect("copied");
    sandbox.set_clock("2025-01-01T12:00:00+01:00");
    let old = sandbox.backup();
    assert!(old.starts_with("other.db.2025-01-01_"), "{old}");
    assert!(sandbox.path("kept").join(&old).exists());
    assert!(!sandbox.path("backups").exists());
    sandbox.set_clock("2025-09-01T12:00:00+02:00");
    let new = sandbox.backup();
    sandbox.ok(&["db-prune", "--yes"]);
    assert!(!sandbox.path("kept").join(&old).exists(), "older than 30 days");
    assert!(sandbox.path("kept").join(&new).exists());
}

#[test]
fn retention_saw_only_its_own_table_and_not_the_disk() {
    let (sandbox, application) = running();
    drop(application);
    let name = sandbox.backup();
    let older = "kalito.db.2024-01-01_120000.bak";
    fs_err::copy(sandbox.backup_path(&name), sandbox.backup_path(older)).expect("copied");
    assert!(sandbox.ok(&["db-list"]).out.contains(older));
    let said = sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert!(!sandbox.backup_path(older).exists(), "{said:#?}");
    assert_eq!(sandbox.backups(), [name]);
}

//! `db-import --if-live`: an import changes only the state that its dry run found.

use crate::support::sandbox::{Sandbox, messages};

/// Runs an import's dry run, and returns the state that it found.
fn found(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let plan = sandbox.json(&[arguments, &["--dry-run"]].concat());
    plan["if_live"].as_str().unwrap_or_else(|| panic!("{plan:#}")).to_owned()
}

fn exported() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-export", "--output", "rows.jsonl"]);
    sandbox.sql("DELETE FROM messages WHERE content = 'two'");
    sandbox
}

#[test]
fn a_commit_after_the_dry_run_refuses_a_merge_and_a_replacement() {
    for import in
        [&["db-import", "--merge", "rows.jsonl"][..], &["db-import", "rows.jsonl", "--force"]]
    {
        let sandbox = exported();
        let before = found(&sandbox, import);
        assert_eq!(before, sandbox.content());
        sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
        let apply = |state: &str| sandbox.run(&[import, &["--yes", "--if-live", state]].concat());
        let said = apply(&before);
        assert_eq!(said.code, Some(1), "{said:#?}");
        assert!(said.err.contains("has changed since the plan was made"), "{said:#?}");
        assert_eq!(messages(&sandbox.live()), ["one", "three", "four"]);
        assert_eq!(sandbox.backups().len(), 0, "the safety backup is removed");
        let said = apply(&found(&sandbox, import));
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert!(messages(&sandbox.live()).contains(&"two".to_owned()));
    }
}

#[test]
fn a_new_database_is_created_only_where_none_is() {
    let sandbox = exported();
    let there = found(&sandbox, &["db-import", "rows.jsonl", "--force"]);
    fs_err::remove_file(sandbox.live()).expect("removed");
    assert_eq!(found(&sandbox, &["db-import", "rows.jsonl"]), "absent");
    sandbox.fails(1, &["db-import", "rows.jsonl", "--yes", "--if-live", &there]);
    assert!(!sandbox.live().exists());
    sandbox.ok(&["db-import", "rows.jsonl", "--yes", "--if-live", "absent"]);
    let again = ["db-import", "rows.jsonl", "--force", "--yes", "--if-live", "absent"];
    sandbox.fails(1, &again);
}

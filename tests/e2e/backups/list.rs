//! `db-list`, `db-pin` and `db-unpin`.

use serde_json::json;

use crate::support::sandbox::Sandbox;

#[test]
fn the_list_is_newest_first_and_fits_eighty_columns() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.ok(&[
        "db-backup",
        "--label",
        "before the long and winding merge of everything at once",
    ]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    sandbox.ok(&["db-backup"]);
    sandbox.ok(&["db-restore", "latest~1", "--yes"]);
    let said = sandbox.ok(&["db-list"]);
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    let commit = sandbox.git(&["rev-parse", "--short=7", "HEAD"]);
    insta::assert_snapshot!(said.out.replace(&commit, "COMMIT"), @r#"
    NAME                                    ALSO        SIZE   AGE  STATE
    kalito.db.SAFETY.2025-09-13_142730.bak  safety    8.0 KB  1min  verified
        safety  main@COMMIT
    kalito.db.2025-09-13_142630.bak         latest    8.0 KB  2min  verified
        manual  main@COMMIT
    kalito.db.2025-09-13_142530.bak         latest~1  8.0 KB  3min  verified
        manual  main@COMMIT  "before the long and winding merge of everything at
        once"

    `latest` means kalito.db.2025-09-13_142630.bak
    "#);
}

#[test]
fn an_empty_folder_is_said_and_is_no_failure() {
    let sandbox = Sandbox::new();
    let said = sandbox.ok(&["db-list"]);
    assert_eq!(said.out, "No backups in ./backups. Create one with `cargo xtask db-backup`.\n");
    assert!(!sandbox.path("backups").exists(), "listing made a folder");
}

#[test]
fn the_json_document_is_the_records_with_name_state_and_age() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let document = sandbox.json(&["db-list"]);
    assert_eq!(document["version"], 1);
    let backup = &document["backups"][0];
    assert_eq!(backup["name"], "kalito.db.2025-09-13_142530.bak");
    assert_eq!(backup["file"], backup["name"]);
    assert_eq!(backup["state"], "verified");
    assert_eq!(backup["age_seconds"], 60);
    assert_eq!(backup["sequence"], 1);
    assert_eq!(backup["kind"], "manual");
    assert_eq!(backup["source"], "backend/db/kalito.db");
    assert_eq!(backup["created_at"], "2025-09-13T14:25:30+02:00");
    assert_eq!(backup["tables"], json!({ "messages": 3 }));
    assert_eq!(backup["sqlite"]["user_version"], 12);
    assert_eq!(backup["sqlite"]["journal_mode"], "wal");
    assert_eq!(backup["git"], json!(null));
}

#[test]
fn the_order_is_by_sequence_though_the_clock_was_set_back() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    sandbox.set_clock("2025-03-01T08:00:00+01:00");
    sandbox.ok(&["db-backup"]);
    let document = sandbox.json(&["db-list"]);
    assert_eq!(document["backups"][0]["name"], "kalito.db.2025-03-01_080000.bak");
}

#[test]
fn ten_backups_in_one_second_are_ten_files() {
    let sandbox = Sandbox::new();
    for _ in 0..10 {
        sandbox.set_clock("2025-10-26T02:30:00+02:00");
        sandbox.ok(&["db-backup"]);
    }
    // The repeated hour of the clock change has the same names once more.
    sandbox.set_clock("2025-10-26T02:30:00+01:00");
    sandbox.ok(&["db-backup"]);
    assert_eq!(sandbox.backups().len(), 11);
    let document = sandbox.json(&["db-list"]);
    assert_eq!(document["backups"][0]["name"], "kalito.db.2025-10-26_023000-11.bak");
    assert_eq!(document["backups"][10]["name"], "kalito.db.2025-10-26_023000.bak");
}

#[test]
fn a_backup_dated_ten_years_ahead_is_flagged_kept_and_never_latest() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let bytes = fs_err::read(sandbox.path(&format!("backups/{}", sandbox.backups()[0])));
    sandbox.write("backups/kalito.db.2035-09-13_142530.bak", bytes.expect("bytes"));
    let said = sandbox.ok(&["db-list"]);
    assert!(said.out.contains("dated in the future"), "{}", said.out);
    let said = sandbox.ok(&["db-verify"]);
    assert!(said.out.starts_with("kalito.db.2025-09-13_142530.bak is whole"), "{}", said.out);
    sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert_eq!(sandbox.backups().len(), 2);
}

#[test]
fn a_pin_is_written_into_the_record_and_taken_out_again() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let said = sandbox.ok(&["db-pin", "latest"]);
    assert_eq!(said.out, "kalito.db.2025-09-13_142530.bak is pinned: pruning will keep it\n");
    assert_eq!(sandbox.json(&["db-list"])["backups"][0]["pinned"], true);
    sandbox.ok(&["db-unpin", "2025-09-13"]);
    assert_eq!(sandbox.json(&["db-list"])["backups"][0]["pinned"], false);
}

#[test]
fn a_closed_pipe_is_success() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let mut command = sandbox.command("sh");
    let binary = env!("CARGO_BIN_EXE_xtask");
    command.args(["-c", &format!("({binary} db-list; echo $? >code) | true")]);
    assert!(command.status().expect("runs").success());
    let code = fs_err::read_to_string(sandbox.path("code")).expect("code");
    assert_eq!(code.trim(), "0");
}

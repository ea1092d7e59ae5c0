//! `db-prune`: what goes, what stays, and why.

use crate::support::sandbox::Sandbox;

/// Five backups, a day apart.
fn five() -> Sandbox {
    let sandbox = Sandbox::new();
    for day in 1..=5 {
        sandbox.set_clock(&format!("2025-09-0{day}T12:00:00+02:00"));
        sandbox.ok(&["db-backup"]);
    }
    sandbox
}

#[test]
fn every_row_has_its_reason_and_a_dry_run_removes_nothing() {
    let sandbox = five();
    sandbox.ok(&["db-pin", "oldest"]);
    let said = sandbox.ok(&["db-prune", "--keep-last", "2", "--dry-run"]);
    insta::assert_snapshot!(said.out, @r"
    keep          kalito.db.2025-09-05_120000.bak  newest verified, last
    keep          kalito.db.2025-09-04_120000.bak  last
    would remove  kalito.db.2025-09-03_120000.bak  no rule keeps it
    would remove  kalito.db.2025-09-02_120000.bak  no rule keeps it
    keep          kalito.db.2025-09-01_120000.bak  pinned
    Would remove 2 backups and free 16.0 KB.
    ");
    assert_eq!(sandbox.backups().len(), 5);
    let said = sandbox.ok(&["db-prune", "--keep-last", "2", "--yes"]);
    assert!(said.out.ends_with("Removed 2 backups and freed 16.0 KB.\n"), "{}", said.out);
    assert_eq!(sandbox.backups().len(), 3);
    let files = fs_err::read_dir(sandbox.path("backups")).expect("folder").count();
    assert_eq!(files, 3 * 2 + 2, "records, .lock and .gitignore");
}

#[test]
fn nothing_to_prune_is_said() {
    let sandbox = five();
    let said = sandbox.ok(&["db-prune", "--keep-last", "9", "--yes"]);
    assert!(said.out.ends_with("Nothing to prune: all 5 backups are kept.\n"), "{}", said.out);
}

#[test]
fn without_a_terminal_a_yes_is_needed() {
    let sandbox = five();
    let said = sandbox.run(&["db-prune", "--keep-last", "2"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("needs `--yes`"), "{}", said.err);
    assert_eq!(sandbox.backups().len(), 5);
}

#[test]
fn negative_zero_and_empty_policies_are_refused() {
    // System 5: a negative age deleted every backup.
    let sandbox = five();
    for policy in [
        &["--keep-last", "-1"][..],
        &["--keep-last", "0"],
        &["--keep-within", "-30d"],
        &["--keep-within", "0d"],
        &["--max-size", "-1GB"],
        &["--max-size", "0"],
        &[],
    ] {
        let said = sandbox.run(&[&["db-prune", "--yes"], policy].concat());
        assert_eq!(said.code, Some(2), "{policy:?}: {said:#?}");
        assert!(said.err.contains("nothing was removed"), "{policy:?}: {}", said.err);
    }
    let said = sandbox.run(&["db-prune", "--yes"]);
    assert!(
        said.err.starts_with("error: there is no rule for which backups to keep\n"),
        "{said:#?}"
    );
    let mut command = sandbox.xtask(&["db-prune", "--yes"]);
    let said = sandbox.said(&command.env("BACKUP_RETENTION_DAYS", "-3").output().expect("runs"));
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert_eq!(sandbox.backups().len(), 5);
}

#[test]
fn the_environment_s_policy_is_read() {
    let sandbox = five();
    let mut command = sandbox.xtask(&["db-prune", "--yes"]);
    let said = sandbox.said(&command.env("BACKUP_MAX_COUNT", "1").output().expect("runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(sandbox.backups(), ["kalito.db.2025-09-05_120000.bak"]);
}

#[test]
fn a_damaged_newest_survivor_stops_the_pruning() {
    let sandbox = five();
    let newest = sandbox.path("backups/kalito.db.2025-09-05_120000.bak");
    let mut bytes = fs_err::read(&newest).expect("bytes");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&newest, bytes).expect("written");
    let said = sandbox.run(&["db-prune", "--keep-last", "1", "--yes"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.contains("nothing was removed"), "{}", said.err);
    assert_eq!(sandbox.backups().len(), 5);
}

#[test]
fn what_is_not_ours_is_never_removed() {
    let sandbox = five();
    sandbox.write("backups/notes.txt", "mine");
    sandbox.write("backups/kalito.db.bak", "mine");
    sandbox.write("elsewhere.bak", "mine");
    let link = sandbox.path("backups/kalito.db.2025-01-01_000000.bak");
    std::os::unix::fs::symlink(sandbox.path("elsewhere.bak"), &link).expect("link");
    fs_err::create_dir(sandbox.path("backups/kalito.db.2025-01-02_000000.bak")).expect("folder");
    // A record that names another file does not agree with its backup.
    let record = sandbox.path("backups/kalito.db.2025-09-01_120000.bak.json");
    let text = fs_err::read_to_string(&record).expect("record");
    let text = text.replace("\"file\": \"kalito.db.2025-09-01", "\"file\": \"kalito.db.2024-09-01");
    fs_err::write(&record, text).expect("written");
    sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    for kept in [
        "notes.txt",
        "kalito.db.bak",
        "kalito.db.2025-01-01_000000.bak",
        "kalito.db.2025-01-02_000000.bak",
        "kalito.db.2025-09-01_120000.bak",
        "kalito.db.2025-09-05_120000.bak",
    ] {
        let path = sandbox.path("backups").join(kept);
        assert!(fs_err::symlink_metadata(path).is_ok(), "{kept} is gone");
    }
    assert!(sandbox.path("elsewhere.bak").exists());
    assert!(!sandbox.path("backups/kalito.db.2025-09-02_120000.bak").exists());
}

#[test]
fn the_policy_that_runs_by_itself_touches_automatic_kinds_only() {
    let sandbox = five();
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("manifest");
    sandbox.write("Cargo.toml", format!("{manifest}\n[workspace.metadata.db.keep]\nlast = 2\n"));
    for day in 6..=9 {
        sandbox.set_clock(&format!("2025-09-0{day}T12:00:00+02:00"));
        sandbox.ok(&["db-backup", "--kind", "scheduled"]);
    }
    let document = sandbox.json(&["db-list"]);
    let backups = document["backups"].as_array().expect("list");
    let of_kind = |kind: &str| backups.iter().filter(|b| b["kind"] == kind).count();
    assert_eq!((of_kind("manual"), of_kind("scheduled")), (5, 2));
}

#[test]
fn the_newest_three_safety_backups_stay() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    for _ in 0..5 {
        sandbox.ok(&["db-restore", "latest", "--yes"]);
    }
    sandbox.ok(&["db-prune", "--keep-label", "none", "--yes"]);
    let names = sandbox.backups();
    assert_eq!(names.iter().filter(|name| name.contains("SAFETY")).count(), 3, "{names:?}");
}

#[test]
fn whole_backups_of_an_older_script_are_not_given_up_for_an_empty_one() {
    // System 1's folder: no records, and a 0-byte file listed first.
    let sandbox = five();
    for name in sandbox.backups() {
        fs_err::remove_file(sandbox.path(&format!("backups/{name}.json"))).expect("removed");
    }
    sandbox.write("backups/kalito.db.2025-09-06_120000.bak", "");
    let said = sandbox.run(&["db-prune", "--keep-last", "1", "--yes"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.contains("no backup that would stay is proved whole"), "{}", said.err);
    assert_eq!(sandbox.backups().len(), 6);
    sandbox.ok(&["db-prune", "--keep-last", "2", "--yes"]);
    assert_eq!(sandbox.backups().len(), 2);
}

#[test]
fn a_plan_is_carried_out_only_if_it_is_still_the_same() {
    let sandbox = five();
    let hash = |sandbox: &Sandbox| {
        let plan = sandbox.json(&["db-prune", "--keep-last", "2", "--dry-run"]);
        plan["plan_blake3"].as_str().expect("a hash").to_owned()
    };
    let before = hash(&sandbox);
    assert_eq!(before, hash(&sandbox));
    sandbox.ok(&["db-pin", "oldest"]);
    let prune = ["db-prune", "--keep-last", "2", "--yes", "--if-plan"];
    let said = sandbox.fails(1, &[&prune[..], &[&before]].concat());
    assert_eq!(
        said.err,
        "\
error: other backups would be removed than when the plan was made
hint: look at the plan again with `--dry-run`, then decide; nothing was removed
"
    );
    assert_eq!(sandbox.backups().len(), 5);
    sandbox.fails(1, &["db-prune", "--keep-last", "3", "--yes", "--if-plan", &before]);
    sandbox.ok(&["db-unpin", "oldest"]);
    let said = sandbox.ok(&[&prune[..], &[&before]].concat());
    assert!(said.out.ends_with("Removed 3 backups and freed 24.0 KB.\n"), "{}", said.out);
    let after = hash(&sandbox);
    assert_ne!(before, after);
    let said = sandbox.ok(&[&prune[..], &[&after]].concat());
    assert!(said.out.ends_with("Nothing to prune: all 2 backups are kept.\n"), "{}", said.out);
}

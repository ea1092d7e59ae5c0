//! `db-status`: a healthy project on one screen, and each problem with the command that fixes it.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::museum::{Random, remove_live};
use crate::support::sandbox::{Said, Sandbox};

/// What is free on this machine's disk is nobody's business.
fn masked(said: &Said) -> String {
    let hide = |line: &str| match line.split_once(" used, ") {
        Some((before, _)) => format!("{before} used, $FREE free"),
        None => line.to_owned(),
    };
    said.out.lines().map(hide).collect::<Vec<_>>().join("\n")
}

/// The codes of the problems that `db-status` finds.
fn codes(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let document = sandbox.json(&[&["db-status"], arguments].concat());
    let problems = document["problems"].as_array().expect("problems");
    assert_eq!(document["healthy"], problems.is_empty(), "{document:#}");
    problems.iter().map(|problem| problem["code"].as_str().expect("a code").to_owned()).collect()
}

/// Demands one problem that is reported with its remedy; runs the remedy; demands that all is well.
fn one_problem(sandbox: &Sandbox, code: &str, what: &str, remedy: &str) {
    assert_eq!(codes(sandbox, &[]), [code]);
    let said = sandbox.fails(1, &["db-status"]);
    assert!(said.out.contains("1 thing needs attention:"), "{said:#?}");
    assert!(said.out.contains(&format!("- {what}")), "{said:#?}");
    assert!(said.out.contains(&format!("\n    {remedy}")), "{said:#?}");
}

/// Runs a remedy as a shell would.
fn paste(sandbox: &Sandbox, remedy: &str) {
    let words = remedy.split('#').next().unwrap_or_default();
    let Some(arguments) = words.strip_prefix("cargo xtask ") else {
        let output = sandbox.command("sh").args(["-c", words]).output().expect("sh runs");
        assert!(output.status.success(), "{words}: {:#?}", sandbox.said(&output));
        return;
    };
    let mut arguments: Vec<&str> = arguments.split_whitespace().collect();
    if arguments[0] == "db-restore" {
        arguments.push("--yes");
    }
    sandbox.ok(&arguments);
}

fn mended_by(sandbox: &Sandbox, code: &str, what: &str, remedy: &str) {
    one_problem(sandbox, code, what, remedy);
    paste(sandbox, remedy);
    let said = sandbox.ok(&["db-status"]);
    assert!(said.out.ends_with("\nAll is well.\n"), "{said:#?}");
}

fn backed_up() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    sandbox
}

#[test]
fn a_healthy_project_fits_on_one_screen() {
    let sandbox = Sandbox::new();
    sandbox.configure("[workspace.metadata.db.keep]\nlast = 10\nwithin = '30d'\nmax-size = '2GB'");
    sandbox.write("migrations/0012_last.sql", "");
    sandbox.git_init();
    sandbox.ok(&["db-hooks", "install"]);
    sandbox.ok(&["db-backup"]);
    let said = sandbox.ok(&["db-status"]);
    assert_eq!(said.err, "");
    assert!(said.out.lines().count() <= 24);
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    insta::assert_snapshot!(masked(&said), @r"
    kalito: ./backend/db/kalito.db
      database     8.0 KB, WAL, schema version 12, schema as backed up
      last backup  kalito.db.2025-09-13_142630.bak
                   1min old, manual, verified, 8.0 KB
      backups      1: 1 verified
    backups folder: ./backups
      space        8.0 KB used, $FREE free
      retention    the last 10, all within 30d, 2.0 GB at most
    git hooks: installed

    All is well.
    ");
}

#[test]
fn every_count_of_a_used_project_is_shown() {
    let sandbox = backed_up();
    sandbox.ok(&["db-backup", "--kind", "scheduled"]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    sandbox.write(
        "backups/kalito.db.2024-01-01_000000.bak",
        fs_err::read(sandbox.live()).expect("read"),
    );
    let said = sandbox.run(&["db-status"]);
    insta::assert_snapshot!(masked(&said), @r"
    kalito: ./backend/db/kalito.db
      database     8.0 KB, WAL, schema version 12, schema as backed up
      last backup  kalito.db.2025-09-13_142630.bak
                   2min old, scheduled, verified, 8.0 KB
      backups      4: 3 verified, 1 unrecorded, 1 of them safety
    backups folder: ./backups
      space        24.0 KB used, $FREE free
      retention    none configured: all backups are kept

    1 thing needs attention:
    - other users can read 1 file in ./backups (mode 0644, not 0600; the database has 0644)
        chmod -R go= ./backups
    ");
    let document = sandbox.json(&["db-status"]);
    assert_eq!(document["databases"][0]["backups"]["unrecorded"], 1);
    assert_eq!(document["folder"]["used_bytes"], 3 * 8192, "the hard link is counted once");
}

#[test]
fn no_backup_at_all_is_mended_by_one() {
    let sandbox = Sandbox::new();
    let what = "there is no backup of `backend/db/kalito.db`";
    mended_by(&sandbox, "no-backup", what, "cargo xtask db-backup");
}

#[test]
fn age_is_a_problem_only_where_a_maximum_is_given() {
    let sandbox = backed_up();
    sandbox.set_clock("2025-09-15T14:25:31+02:00");
    sandbox.ok(&["db-status"]);
    sandbox.ok(&["db-status", "--max-age", "3d"]);
    let said = sandbox.fails(1, &["db-status", "--max-age", "24h"]);
    let name = sandbox.backups().remove(0);
    let what = format!("- the last backup, `{name}`, is 2d old, more than 24h\n");
    assert!(said.out.contains(&what), "{said:#?}");
    sandbox.ok(&["db-backup"]);
    sandbox.ok(&["db-status", "--max-age", "24h"]);
    sandbox.fails(2, &["db-status", "--max-age", "often"]);
}

#[test]
fn a_safety_backup_or_a_damaged_one_is_no_fresh_backup() {
    let sandbox = backed_up();
    sandbox.set_clock("2025-09-20T12:00:00+02:00");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert_eq!(codes(&sandbox, &["--max-age", "24h"]), ["too-old"]);
    let fresh = sandbox.backup_with("more");
    fs_err::write(sandbox.backup_path(&fresh), "cut").expect("written");
    assert_eq!(codes(&sandbox, &["--max-age", "24h"]), ["too-old", "damaged-backups"]);
}

#[test]
fn quiet_says_nothing_while_all_is_well_and_warns_otherwise() {
    let sandbox = backed_up();
    let said = sandbox.ok(&["db-status", "--quiet"]);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    sandbox.sql("CREATE TABLE added (a)");
    let said = sandbox.fails(1, &["db-status", "--quiet"]);
    assert_eq!(said.out, "");
    insta::assert_snapshot!(said.err, @"warning: the schema changed since the last backup, `kalito.db.2025-09-13_142530.bak`: cargo xtask db-backup");
}

#[test]
fn a_schema_that_changed_since_the_last_backup_is_mended_by_a_new_one() {
    let sandbox = backed_up();
    sandbox.sql("INSERT INTO messages (content) VALUES ('rows are no drift')");
    sandbox.ok(&["db-status"]);
    sandbox.sql("CREATE TABLE added (a); PRAGMA user_version=13;");
    let what = "the schema changed since the last backup, `kalito.db.2025-09-13_142530.bak` \
                (version 12, now 13)";
    mended_by(&sandbox, "schema-drift", what, "cargo xtask db-backup");
}

#[test]
fn migrations_that_were_not_applied_are_counted() {
    let sandbox = backed_up();
    sandbox.configure("schema = ['migrations/*.sql']");
    for file in ["0012_a.sql", "0013_b.up.sql", "0013_b.down.sql", "0014_c.sql"] {
        sandbox.write(&format!("migrations/{file}"), "");
    }
    let what = "2 migrations not applied: the database has schema version 12, the code 14";
    let remedy = "cargo xtask db-migrate   # first set `migrate` in \
                  [workspace.metadata.db.databases.kalito] in Cargo.toml\n";
    one_problem(&sandbox, "pending-migrations", what, remedy);
    sandbox.configure("migrate = ['sh', 'migrate.sh']");
    one_problem(&sandbox, "pending-migrations", what, "cargo xtask db-migrate");
    sandbox.sql("PRAGMA user_version=14");
    sandbox.ok(&["db-status"]);
    sandbox.sql("PRAGMA user_version=15");
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains("schema version 15, newer than the code's 14"), "{said:#?}");
}

#[test]
fn a_missing_database_is_put_back_or_made() {
    let sandbox = backed_up();
    remove_live(&sandbox);
    let what = "there is no database at `backend/db/kalito.db`";
    mended_by(&sandbox, "missing", what, "cargo xtask db-restore latest");
    let sandbox = Sandbox::new();
    remove_live(&sandbox);
    one_problem(&sandbox, "missing", what, "cargo xtask db-setup");
}

#[test]
fn a_linked_worktree_without_a_database_is_told_where_to_get_one() {
    let sandbox = Sandbox::new();
    sandbox.write("backend/db/.gitkeep", "");
    sandbox.git_init();
    sandbox.ok(&["db-backup"]);
    sandbox.git(&["switch", "--quiet", "--create", "other"]);
    sandbox.ok(&["db-backup"]);
    sandbox.git(&["worktree", "add", "--quiet", "../linked", "-b", "linked"]);
    let linked = sandbox.path("../linked");
    let run = |arguments: &[&str]| {
        let mut command = sandbox.xtask(arguments);
        sandbox.said(&command.current_dir(&linked).output().expect("the binary runs"))
    };
    let said = run(&["db-status"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.out.contains("\n    cargo xtask db-restore @main\n"), "{said:#?}");
    let said = run(&["db-restore", "@main", "--yes"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said = run(&["db-status"]);
    assert!(said.out.contains("\n    cargo xtask db-backup\n"), "no backup of its own: {said:#?}");
}

#[test]
fn an_empty_a_foreign_and_a_damaged_file_are_restored_over() {
    let damaged = |sandbox: &Sandbox| {
        let mut bytes = crate::support::museum::raw(sandbox);
        bytes[100..200].fill(0xff);
        bytes
    };
    for (code, what, bytes) in [
        ("empty", "`backend/db/kalito.db` is an empty file (0 bytes)", None),
        ("foreign", "`backend/db/kalito.db` is not an SQLite database", Some(b"text".to_vec())),
        ("damaged", "`backend/db/kalito.db` is damaged: ", Some(damaged(&backed_up()))),
    ] {
        let sandbox = backed_up();
        remove_live(&sandbox);
        sandbox.write("backend/db/kalito.db", bytes.unwrap_or_default());
        mended_by(&sandbox, code, what, "cargo xtask db-restore latest");
    }
}

#[test]
fn what_may_be_encrypted_is_said_to_be() {
    let sandbox = backed_up();
    remove_live(&sandbox);
    let random = Random(5).bytes(8192);
    sandbox.write("backend/db/kalito.db", random);
    let what = "`backend/db/kalito.db` is not an SQLite database; it may be encrypted";
    mended_by(&sandbox, "encrypted", what, "cargo xtask db-restore latest --force");
}

#[test]
fn a_damaged_database_without_a_backup_is_set_aside_first() {
    let sandbox = Sandbox::new();
    let mut bytes = crate::support::museum::raw(&sandbox);
    bytes[100..200].fill(0xff);
    crate::support::museum::put(&sandbox, &bytes);
    let remedy = "cargo xtask db-backup --damaged";
    one_problem(&sandbox, "damaged", "`backend/db/kalito.db` is damaged: ", remedy);
    paste(&sandbox, remedy);
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains("\n  set aside    ./backups/kalito.db.ASIDE."), "{said:#?}");
}

#[test]
fn a_wal_without_its_database_is_seen() {
    let sandbox = backed_up();
    remove_live(&sandbox);
    sandbox.write("backend/db/kalito.db-wal", "left over");
    assert_eq!(codes(&sandbox, &[]), ["missing", "sidecars-alone"]);
    paste(&sandbox, "cargo xtask db-restore latest");
    assert_eq!(codes(&sandbox, &[]), [""; 0]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_database_deleted_under_its_application_is_still_found_there() {
    let sandbox = backed_up();
    let application = crate::support::sandbox::open(&sandbox.live());
    let _: i64 =
        application.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).expect("rows");
    remove_live(&sandbox);
    let said = sandbox.fails(1, &["db-status"]);
    let pid = std::process::id();
    assert!(said.out.contains("it was deleted: `"), "{said:#?}");
    assert!(said.out.contains(&format!("\n    ls -l /proc/{pid}/fd")), "{said:#?}");
}

#[test]
fn damaged_backups_are_counted_and_named() {
    let sandbox = backed_up();
    let name = sandbox.backup_with("four");
    fs_err::write(sandbox.backup_path(&name), "cut").expect("written");
    let remedy = format!(
        "cargo xtask db-verify {name}   # shows how; then delete it: cargo xtask db-remove {name} \
         --force\n"
    );
    one_problem(&sandbox, "damaged-backups", &format!("`{name}` is damaged"), &remedy);
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains("backups      2: 1 verified, 1 damaged"), "{said:#?}");
    sandbox.fails(1, &["db-verify", &name]);
    let first = sandbox.backups().remove(0);
    fs_err::write(sandbox.backup_path(&first), "cut").expect("written");
    let what = format!("2 backups are damaged, the newest is `{name}`");
    let remedy =
        "cargo xtask db-verify --all   # shows how; then delete each: cargo xtask db-remove REF\n";
    one_problem(&sandbox, "damaged-backups", &what, remedy);
    for name in [name, first] {
        paste(&sandbox, &format!("cargo xtask db-remove {name} --force --yes"));
    }
    assert_eq!(codes(&sandbox, &[]), ["no-backup"]);
}

#[test]
fn records_that_cannot_be_read_and_newer_ones_are_told_apart() {
    let sandbox = backed_up();
    let name = sandbox.backups().remove(0);
    let record = format!("backups/{name}.json");
    let text = fs_err::read_to_string(sandbox.path(&record)).expect("a record");
    sandbox.write(&record, &text[..100]);
    assert_eq!(codes(&sandbox, &[]), ["unreadable-records"]);
    sandbox.write(&record, text.replacen("\"version\": 1", "\"version\": 2", 1));
    let remedy = "cargo update --package xtask-db";
    let what = format!("the record of `{name}` was written by a newer xtask-db");
    one_problem(&sandbox, "newer-records", &what, remedy);
}

#[test]
fn backups_tracked_by_git_are_taken_out_of_it() {
    let sandbox = backed_up();
    sandbox.git_init();
    sandbox.git(&["add", "--force", "backups"]);
    sandbox.git(&["commit", "--quiet", "--message=oops"]);
    let what = "git tracks 3 files in the backups folder, e.g. `backups/.lock`";
    let remedy = "git rm -r --cached --quiet -- backups ':!backups/.gitignore'";
    mended_by(&sandbox, "tracked", what, remedy);
    assert_eq!(sandbox.git(&["ls-files", "backups"]), "backups/.gitignore");
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn permissions_that_let_others_in_are_closed() {
    let sandbox = backed_up();
    let set = |path: &str, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(sandbox.path(path), permissions).expect("permissions");
    };
    // A database that all may read is the application's business.
    set("backend/db/kalito.db", 0o644);
    sandbox.ok(&["db-status"]);
    set("backups", 0o755);
    let what = "other users can enter ./backups (mode 0755, not 0700)";
    mended_by(&sandbox, "permissions", what, "chmod -R go= ./backups");
    set("backend/db/kalito.db", 0o600);
    set(&format!("backups/{}", sandbox.backups().remove(0)), 0o640);
    let what = "other users can read 1 file in ./backups (mode 0640, not 0600)";
    mended_by(&sandbox, "permissions", what, "chmod -R go= ./backups");
}

#[test]
fn what_a_killed_command_left_is_swept_by_the_next_one() {
    let sandbox = backed_up();
    sandbox.write("backups/.kalito.db.x.bak.stage-99-0123456789abcdef", "half");
    let name = sandbox.backups().remove(0);
    let record =
        fs_err::read_to_string(sandbox.backup_path(&format!("{name}.json"))).expect("read");
    let lone = "kalito.db.2025-09-13_120000.bak";
    let left = format!("backups/{lone}.json");
    sandbox.write(&left, record.replace(&name, lone));
    for file in [".kalito.db.x.bak.stage-99-0123456789abcdef", &format!("{lone}.json")] {
        let permissions = std::fs::Permissions::from_mode(0o600);
        fs_err::set_permissions(sandbox.backup_path(file), permissions).expect("permissions");
    }
    let what = "a killed command left 1 unfinished file and 1 record without its backup, e.g. \
                `backups/.kalito.db.x.bak.stage-99-0123456789abcdef`";
    mended_by(&sandbox, "leftovers", what, "cargo xtask db-backup");
    assert!(!sandbox.path(&left).exists());
}

#[test]
fn a_backup_dated_in_the_future_is_pointed_out() {
    let sandbox = Sandbox::new();
    sandbox.set_clock("2031-01-01T00:00:00+01:00");
    let name = sandbox.backup();
    sandbox.set_clock("2025-09-13T14:25:30+02:00");
    assert_eq!(codes(&sandbox, &[]), ["future"]);
    assert_eq!(codes(&sandbox, &["--max-age", "1d"]), ["too-old", "future"]);
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains(&format!("- `{name}` is dated in the future")), "{said:#?}");
    let remedy = format!("or delete it: cargo xtask db-remove {name}\n");
    assert!(said.out.contains(&remedy), "{said:#?}");
}

#[test]
fn missing_and_stale_git_hooks_are_installed_where_schema_files_are_known() {
    let sandbox = backed_up();
    sandbox.git_init();
    let said = sandbox.ok(&["db-status"]);
    let none = "\ngit hooks: not installed; `cargo xtask db-hooks install` adds them\n";
    assert!(said.out.contains(none), "{said:#?}");
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    sandbox.configure("schema = ['migrations/*.sql']");
    let what = "the git hooks are not installed: commits of schema files create no checkpoint";
    mended_by(&sandbox, "hooks", what, "cargo xtask db-hooks install");
    sandbox.write("Cargo.toml", manifest);
    sandbox.configure("schema = ['other/*.sql']");
    let hook = || fs_err::read(sandbox.path(".git/hooks/pre-commit")).expect("a hook");
    let stale = hook();
    let what = "the git hooks are not all installed, or not with these settings: commits of schema";
    one_problem(&sandbox, "hooks", what, "cargo xtask db-hooks install\n");
    let partly = "\ngit hooks: not all installed; `cargo xtask db-hooks install` adds the rest\n";
    assert!(sandbox.run(&["db-status"]).out.contains(partly));
    assert!(hook() == stale, "looking changes nothing");
    for (name, value) in [("CI", "true"), ("XTASK_DB_HOOKS", "0")] {
        let mut command = sandbox.xtask(&["db-status"]);
        let said = sandbox.said(&command.env(name, value).output().expect("the binary runs"));
        assert_eq!(said.code, Some(0), "{name}: {said:#?}");
    }
    paste(&sandbox, "cargo xtask db-hooks install");
    sandbox.ok(&["db-status"]);
}

#[test]
fn of_several_databases_each_has_its_own_lines_and_remedies() {
    let sandbox = backed_up();
    sandbox.configure("[workspace.metadata.db.databases.second]\npath = 'second.db'");
    drop(
        crate::support::sandbox::open(&sandbox.path("second.db"))
            .execute_batch("CREATE TABLE t (a)"),
    );
    let said = sandbox.fails(1, &["db-status"]);
    assert!(said.out.contains("\nsecond: ./second.db\n"), "{said:#?}");
    assert!(said.out.contains("\n    cargo xtask db-backup --db second\n"), "{said:#?}");
    assert!(said.out.contains("1 thing needs attention"), "{said:#?}");
    sandbox.ok(&["db-status", "--db", "kalito"]);
}

#[test]
fn an_sqlite_that_can_lose_commits_is_worth_knowing_and_no_reason_to_fail() {
    let sandbox = Sandbox::new();
    let lock = |cc: &str| {
        format!(
            "version = 4\n[[package]]\nname = \"libsqlite3-sys\"\nversion = \"0.30.1\"\n\
             dependencies = [{cc}]\n[[package]]\nname = \"sqlx-sqlite\"\nversion = \"0.8.6\"\n"
        )
    };
    let cure =
        "cargo update -p libsqlite3-sys --precise 0.37.0   # first require sqlx 0.9 in Cargo.toml";
    let says_so = |sandbox: &Sandbox, word: &str| {
        for command in ["db-setup", "db-pre-deploy", "db-status"] {
            let said = sandbox.ok(&[command]);
            let both = said.out.clone() + &said.err;
            assert!(both.contains("can lose commits") && both.contains(word), "{said:#?}");
        }
        let document = sandbox.json(&["db-status"]);
        assert_eq!(document["healthy"], true, "{document:#}");
        document["remarks"][0].clone()
    };
    sandbox.write("Cargo.lock", lock("\"cc\", \"pkg-config\""));
    let remark = says_so(&sandbox, "SQLite 3.46.0 (libsqlite3-sys 0.30.1 in Cargo.lock)");
    assert_eq!((&remark["code"], &remark["remedy"]), (&"wal-reset".into(), &cure.into()));
    sandbox.write("Cargo.lock", lock("\"pkg-config\""));
    let remark = says_so(&sandbox, "is unknown: ");
    assert_eq!(remark["code"], "wal-reset-unknown");
    sandbox.write("Cargo.lock", lock("\"cc\"").replace("0.30.1", "0.37.0"));
    assert_eq!(sandbox.json(&["db-status"])["remarks"], serde_json::json!([]));
    // In rollback-journal mode there is no WAL to lose commits of.
    sandbox.write("Cargo.lock", lock("\"cc\""));
    sandbox.sql("PRAGMA journal_mode=DELETE");
    assert_eq!(sandbox.json(&["db-status"])["remarks"], serde_json::json!([]));
}

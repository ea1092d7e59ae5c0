//! `db-status`: a healthy project on one screen, and each problem with the command that fixes it.

mod backups_folder;
mod live_database;

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
fn missing_and_stale_git_hooks_are_installed_where_schema_files_are_known() {
    let sandbox = backed_up();
    sandbox.git_init();
    let said = sandbox.ok(&["db-status"]);
    let none = "\ngit hooks: not installed; `cargo xtask db-hooks install` adds them\n";
    assert!(said.out.contains(none), "{said:#?}");
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    sandbox.write("migrations/notes.sql", "");
    sandbox.write("other/notes.sql", "");
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

//! Every `--help` ends in an example that works.

use crate::sandbox::Sandbox;

const COMMANDS: [&str; 18] = [
    "db-setup",
    "db-backup",
    "db-list",
    "db-restore",
    "db-verify",
    "db-prune",
    "db-pin",
    "db-unpin",
    "db-status",
    "db-diff",
    "db-rollback",
    "db-pre-migrate",
    "db-migrate",
    "db-pre-deploy",
    "db-export",
    "db-import",
    "db-reset",
    "db-recover",
];

#[test]
fn every_command_s_help_has_an_example_and_the_common_flags() {
    let sandbox = Sandbox::new();
    for command in COMMANDS {
        let said = sandbox.ok(&[command, "--help"]);
        assert!(said.out.contains(&format!("  cargo xtask {command}")), "{command}: {}", said.out);
        for flag in ["--db <NAME>", "--json", "--quiet", "--busy-timeout <SECS>"] {
            assert!(said.out.contains(flag), "{command} has no `{flag}`");
        }
    }
}

#[test]
fn the_commands_are_listed_with_what_they_do() {
    let sandbox = Sandbox::new();
    let said = sandbox.ok(&["--help"]);
    let listed: Vec<&str> =
        said.out.lines().filter(|line| line.trim_start().starts_with("db-")).collect();
    insta::assert_snapshot!(listed.join("\n"), @r"
      db-setup        Make a fresh clone ready: database, git hooks, first verified backup
      db-backup       Take a verified backup of each database
      db-list         List every backup, newest first
      db-restore      Put a backup back, after a safety backup of the present state
      db-verify       Prove that backups are whole
      db-prune        Remove backups that no retention rule keeps
      db-pin          Protect a backup from pruning
      db-unpin        Let pruning have a backup again
      db-label        Change the label of a backup
      db-remove       Remove one backup on purpose, e.g. because it holds a leaked secret
      db-status       Say whether all is well, and what to do where it is not
      db-diff         Show what changed between two states: schema and rows
      db-rollback     Bring the database back to what it was when a branch was entered
      db-pre-migrate  Rehearse the pending migration on a private copy, and keep a checkpoint
      db-migrate      Migrate after a rehearsal; put the old state back if anything fails
      db-pre-deploy   The gate before a deployment: backup, restore drill, rehearsal, and the way back
      db-export       Write the rows of the database or a backup as JSONL, JSON, SQL or CSV
      db-import       Make a database of an export or an SQL dump, or merge rows into the present one
      db-reset        Make a new database from the migrations, after a safety backup
      db-recover      End what an interrupted command left: go back, or accept
      db-hooks        Bind the database to git, by hooks that take checkpoints
    ");
}

#[test]
fn a_wrong_flag_is_usage_and_exits_with_two() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["db-backup", "--lable", "x"]).code, Some(2));
    assert_eq!(sandbox.run(&["db-backup", "--kind", "safety"]).code, Some(2));
    assert_eq!(sandbox.run(&["db-backup", "--kind", "often"]).code, Some(2));
}

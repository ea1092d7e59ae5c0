//! A schedule that has stopped: each command says so once a day, hooks never, and `db-status` exits with 1.

use super::{AT_TWO, change, rename, scheduled};
use crate::support::sandbox::Sandbox;

const LATE: &str = "the scheduled backup of 2025-09-14 02:00 has not been taken; the last one was that of 2025-09-13 02:00";

#[test]
fn a_late_schedule_is_pointed_out_once_a_day_by_whatever_command() {
    let sandbox = scheduled();
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    sandbox.ok(&["db-schedule", "run"]);
    sandbox.set_clock("2025-09-14T03:20:00+02:00");
    assert_eq!(sandbox.ok(&["db-list"]).err, "");
    sandbox.ok(&["db-status"]);
    let warning = format!("warning: {LATE}: `cargo xtask db-schedule install`\n");
    for day in ["15", "16"] {
        sandbox.set_clock(&format!("2025-09-{day}T09:00:00+02:00"));
        assert_eq!(sandbox.ok(&["db-list"]).err, warning);
        assert_eq!(sandbox.ok(&["db-list"]).err, "");
        assert!(!sandbox.ok(&["db-backup"]).err.contains("scheduled"));
    }
    let said = sandbox.fails(1, &["db-status"]);
    assert!(said.out.contains(&format!("- {LATE}")), "{said:#?}");
    let document = sandbox.json(&["db-status"]);
    assert_eq!(document["problems"][0]["code"], "schedule-late");
    sandbox.ok(&["db-schedule", "run"]);
    sandbox.ok(&["db-status"]);
    sandbox.set_clock("2025-09-18T09:00:00+02:00");
    assert!(
        sandbox
            .ok(&["db-list", "--json"])
            .err
            .starts_with("warning: the scheduled backup of 2025-09-17")
    );
}

#[test]
fn a_hook_says_nothing_of_it() {
    let sandbox = Sandbox::with_hooks();
    sandbox.configure(AT_TWO);
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    sandbox.ok(&["db-schedule", "run"]);
    sandbox.set_clock("2025-09-20T03:00:00+02:00");
    sandbox.stage_migration("tags");
    let said = sandbox.hooked(&["commit", "--message=tags"]);
    assert!(said.err.contains("Backup created") || said.out.contains("tags"), "{said:#?}");
    assert!(!said.err.contains("scheduled backup of"), "{said:#?}");
    assert!(sandbox.ok(&["db-list"]).err.contains("the scheduled backup of"));
}

#[test]
fn nobody_who_never_installed_it_is_told() {
    let sandbox = scheduled();
    sandbox.set_clock("2025-09-20T03:00:00+02:00");
    assert_eq!(sandbox.ok(&["db-list"]).err, "");
    let said = sandbox.ok(&["db-setup"]);
    let mention = "Backups by the clock are configured (daily at 02:00); to install them here:\n  cargo xtask db-schedule install\n";
    assert!(said.out.ends_with(mention), "{said:#?}");
    assert!(!sandbox.path("../home/.local").exists(), "it was installed unasked");
}

#[test]
fn a_failure_is_a_problem_at_once_and_names_its_cause() {
    let sandbox = scheduled();
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    sandbox.ok(&["db-schedule", "run"]);
    sandbox.set_clock("2025-09-14T02:00:00+02:00");
    change(&sandbox, "four");
    rename(&sandbox, "backend/db/kalito.db", "elsewhere.db");
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(said.err.contains("error: "), "{said:#?}");
    let said = sandbox.fails(1, &["db-status"]);
    assert!(
        said.out.contains("- the scheduled backup has failed since 2025-09-14 02:00: "),
        "{said:#?}"
    );
    let said = sandbox.fails(1, &["db-schedule", "status"]);
    assert!(said.out.contains("last run     2025-09-14 02:00, failed at backup"), "{said:#?}");
    rename(&sandbox, "elsewhere.db", "backend/db/kalito.db");
    sandbox.ok(&["db-schedule", "run"]);
    sandbox.ok(&["db-status"]);
}

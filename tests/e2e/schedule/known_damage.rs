//! Backups that are damaged: each fails one run, and stops neither the others nor the databases beside it.

use super::{change, home, log, scheduled};
use crate::support::sandbox::Sandbox;

/// Damages a backup as `db-verify` would find it, and lets that find it.
fn damage(sandbox: &Sandbox, name: &str) {
    let path = sandbox.backup_path(name);
    let mut bytes = fs_err::read(&path).expect("a backup");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&path, bytes).expect("damaged");
    sandbox.fails(1, &["db-verify", name]);
}

fn told(sandbox: &Sandbox) -> Vec<String> {
    let text = fs_err::read_to_string(sandbox.path("told")).unwrap_or_default();
    text.split("---\n").filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_backup_that_is_known_to_be_damaged_fails_one_run_and_stops_nothing_else() {
    let sandbox = scheduled();
    sandbox.configure("notify = [\"sh\", \"-c\", \"cat >> told; echo --- >> told\"]\n");
    sandbox.configure("[workspace.metadata.db.keep]\nlast = 3\n");
    let mut plain = Vec::new();
    for hour in 10..=12 {
        sandbox.set_clock(&format!("2025-09-12T{hour}:00:00+02:00"));
        change(&sandbox, &hour.to_string());
        plain.push(sandbox.backup());
    }
    damage(&sandbox, &plain[0]);
    // The backup of the slot is taken first, and the newest one is verified.
    let slot = |day: u32| {
        sandbox.set_clock(&format!("2025-09-{day}T02:00:00+02:00"));
        change(&sandbox, &day.to_string());
    };
    slot(13);
    let said = sandbox.fails(1, &["db-schedule", "run"]);
    assert!(
        said.out.contains("Backup created at ./backups/kalito.db.2025-09-13_0200"),
        "{said:#?}"
    );
    assert!(said.out.contains("kalito.db.2025-09-13_020000.pages is whole"), "{said:#?}");
    let error = format!("error: the backup `{}` is damaged: ", plain[0]);
    assert!(said.err.contains(&error), "{said:#?}");
    assert_eq!(told(&sandbox).len(), 1);
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains("the scheduled verification has failed since"), "{said:#?}");
    // The next run goes on without it, and mentions it.
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(said.err.contains("done: backup"), "{said:#?}");
    let still = format!("the damaged backup `{}` is still there", plain[0]);
    assert!(said.err.contains(&format!("warning: {still}")), "{said:#?}");
    assert!(log(&sandbox).contains(&still));
    assert_eq!(told(&sandbox).len(), 2);
    assert!(told(&sandbox)[1].contains("scheduled backups work again"));
    assert!(told(&sandbox)[1].ends_with(&format!("But {still}.\n")), "{:#?}", told(&sandbox));
    assert_eq!(sandbox.run(&["db-status"]).code, Some(1));
    // Another one fails a run again, also on the same day.
    damage(&sandbox, &plain[1]);
    slot(14);
    let said = sandbox.fails(1, &["db-schedule", "run"]);
    assert!(said.out.contains("Backup created"), "{said:#?}");
    assert!(
        said.err.contains(&format!("error: the backup `{}` is damaged", plain[1])),
        "{said:#?}"
    );
    assert!(!said.err.contains(&error), "{said:#?}");
    assert_eq!(told(&sandbox).len(), 3);
    let said = sandbox.ok(&["db-schedule", "run"]);
    let two = "warning: 2 damaged backups are still there, e.g. `kalito.db.2025-09-12_100000.bak`";
    assert!(said.err.contains(two), "{said:#?}");
    // Retention went on meanwhile, and the next slots have nothing to report.
    for name in &plain[..2] {
        sandbox.ok(&["db-remove", name, "--yes"]);
    }
    slot(15);
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(!said.err.contains("damaged"), "{said:#?}");
    assert_eq!(sandbox.run(&["db-status"]).code, Some(0));
    let state = fs_err::read_to_string(home(&sandbox).join("state.json")).expect("a state");
    assert!(state.contains("\"damaged\": []"), "{state}");
}

#[test]
fn a_database_that_cannot_be_backed_up_keeps_nothing_of_the_others_from_being_verified() {
    let sandbox = Sandbox::new();
    sandbox.configure("[workspace.metadata.db.databases.lost]\npath = \"lost.db\"\n");
    sandbox.configure(super::AT_TWO);
    sandbox.set_clock("2025-09-12T12:00:00+02:00");
    let plain = sandbox.ok(&["db-backup", "--db", "kalito", "--format", "plain"]);
    assert!(plain.out.contains("Backup created"), "{plain:#?}");
    let plain = sandbox.backups().remove(0);
    change(&sandbox, "four");
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(said.err.contains("error: ") && said.err.contains("lost.db"), "{said:#?}");
    assert!(said.out.contains("kalito.db.2025-09-13_030000.pages is whole"), "{said:#?}");
    assert!(said.out.contains(&format!("{plain} is whole")), "{said:#?}");
    let said = sandbox.run(&["db-schedule", "status"]);
    assert!(said.out.contains("failed at backup"), "{said:#?}");
    // Once for a slot: the hourly call only tries the backup again.
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(!said.out.contains("is whole"), "{said:#?}");
    // Damage is reported although the backup fails; and then the backup again.
    damage(&sandbox, &plain);
    sandbox.set_clock("2025-09-14T03:00:00+02:00");
    let said = sandbox.fails(1, &["db-schedule", "run"]);
    assert!(said.err.contains(&format!("error: the backup `{plain}` is damaged: ")), "{said:#?}");
    assert!(said.err.contains("lost.db"), "{said:#?}");
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(said.err.contains("lost.db") && !said.err.contains("error: the backup"), "{said:#?}");
}

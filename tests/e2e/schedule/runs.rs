//! A run: once for a slot, step by step, and on from the step at which the last one failed.

use super::{change, home, log, scheduled};
use crate::support::sandbox::Sandbox;

#[test]
fn a_slot_gets_one_backup_however_often_something_calls() {
    let sandbox = scheduled();
    sandbox.set_clock("2025-09-13T01:00:00+02:00");
    // The slot of yesterday: this project never had one.
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(
        said.out.starts_with("Backup created at ./backups/kalito.db.2025-09-13_010000.pages\n"),
        "{said:#?}"
    );
    assert!(
        said.out.contains("is whole: size and BLAKE3 as recorded, integrity_check ok"),
        "{said:#?}"
    );
    assert!(
        said.out
            .ends_with("Done for the slot of 2025-09-12 02:00; the next one is 2025-09-13 02:00\n"),
        "{said:#?}"
    );
    change(&sandbox, "four");
    let said = sandbox.ok(&["db-schedule", "run"]);
    let nothing =
        "Nothing is due: the slot of 2025-09-12 02:00 is done; the next one is 2025-09-13 02:00\n";
    assert_eq!((said.out.as_str(), said.err.as_str()), (nothing, ""));
    sandbox.set_clock("2025-09-13T02:00:00+02:00");
    sandbox.ok(&["db-schedule", "run"]);
    sandbox.ok(&["db-schedule", "run"]);
    let names = ["kalito.db.2025-09-13_010000.pages", "kalito.db.2025-09-13_020000.pages"];
    assert_eq!(sandbox.backups(), names);
    // The third slot finds nothing changed: no new backup, and no third look until the next slot.
    sandbox.set_clock("2025-09-14T02:00:00+02:00");
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(
        said.out.starts_with("Unchanged since ./backups/kalito.db.2025-09-13_020000.pages"),
        "{said:#?}"
    );
    assert!(sandbox.ok(&["db-schedule", "run"]).out.starts_with("Nothing is due"));
    assert_eq!(sandbox.backups(), names);
    assert_eq!(sandbox.records("scheduled").len(), 2);
    // If the state outside the project is lost, the records show that the slot was served.
    fs_err::remove_dir_all(home(&sandbox)).expect("removed");
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    change(&sandbox, "five");
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(!said.out.contains("Backup created"), "{said:#?}");
    assert_eq!(sandbox.backups(), names);
}

#[test]
fn a_backup_that_is_gone_or_damaged_serves_no_slot() {
    let sandbox = scheduled();
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    sandbox.ok(&["db-schedule", "run"]);
    let first = sandbox.backups().remove(0);
    let bytes = fs_err::read(sandbox.backup_path(&first)).expect("a list");
    fs_err::write(sandbox.backup_path(&first), &bytes[..bytes.len() - 1]).expect("cut");
    let said = sandbox.fails(1, &["db-schedule", "run"]);
    assert!(said.out.contains("Backup created"), "{said:#?}");
    assert!(said.err.contains(&format!("error: the backup `{first}` is damaged: ")), "{said:#?}");
    sandbox.ok(&["db-schedule", "run"]);
    fs_err::remove_file(sandbox.backup_path(&first)).expect("removed");
    let second = sandbox.backups().remove(0);
    assert!(sandbox.ok(&["db-schedule", "run"]).out.starts_with("Nothing is due"));
    fs_err::remove_file(sandbox.backup_path(&second)).expect("removed");
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(said.out.contains("Backup created"), "{said:#?}");
}

#[test]
fn the_newest_and_an_older_backup_are_read_in_turn_and_damage_stops_the_rest() {
    let sandbox = scheduled();
    sandbox.configure("[workspace.metadata.db.keep]\nlast = 3\n");
    for day in 10..=13 {
        sandbox.set_clock(&format!("2025-09-{day}T02:00:00+02:00"));
        change(&sandbox, &day.to_string());
        sandbox.ok(&["db-backup", "--format", "plain"]);
    }
    let plain = sandbox.backups();
    let verified = |sandbox: &Sandbox| {
        let list = sandbox.json(&["db-list"]);
        let all = list["backups"].as_array().expect("backups").iter();
        let all = all.filter(|one| one["verified"].is_object());
        let mut names: Vec<_> =
            all.map(|one| one["name"].as_str().expect("a name").to_owned()).collect();
        names.sort();
        names
    };
    let slot = |day: u32| {
        sandbox.set_clock(&format!("2025-09-{day}T02:00:00+02:00"));
        change(&sandbox, &day.to_string());
    };
    slot(14);
    sandbox.ok(&["db-schedule", "run"]);
    let newest = |sandbox: &Sandbox| {
        sandbox.records("scheduled")[0]["name"].as_str().expect("a name").to_owned()
    };
    // Which of the four that nobody ever read comes first does not matter.
    let after_one = verified(&sandbox);
    assert!(after_one.contains(&newest(&sandbox)), "{after_one:?}");
    assert!(plain.iter().any(|name| after_one.contains(name)), "{after_one:?}");
    let left = plain.iter().find(|name| !verified(&sandbox).contains(name)).expect("one").clone();
    let damaged = sandbox.backup_path(&left);
    let mut bytes = fs_err::read(&damaged).expect("a backup");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&damaged, bytes).expect("damaged");
    let before = sandbox.backups();
    let mut n_failed = 0;
    for day in 15..=19 {
        slot(day);
        let said = sandbox.run(&["db-schedule", "run"]);
        if said.code == Some(0) {
            continue;
        }
        n_failed += 1;
        assert_eq!(said.code, Some(1), "{said:#?}");
        assert!(
            said.err.contains(&format!("error: the backup `{left}` is damaged: ")),
            "{said:#?}"
        );
        assert!(
            before.iter().all(|name| sandbox.backups().contains(name)),
            "something was removed"
        );
        let said = sandbox.run(&["db-status"]);
        assert!(said.out.contains("the scheduled verification has failed since"), "{said:#?}");
        // The next run goes on with the steps that are left, without a second backup.
        let said = sandbox.ok(&["db-schedule", "run"]);
        assert!(said.err.contains("done: backup"), "{said:#?}");
        assert!(!said.out.contains("Backup created"), "{said:#?}");
    }
    assert_eq!(n_failed, 1);
}

#[test]
fn old_backups_go_only_after_everything_else_succeeded() {
    let sandbox = scheduled();
    sandbox.configure("bundle = true\n[workspace.metadata.db.keep]\nlast = 2\n");
    sandbox.configure("[workspace.metadata.db.bundle.items]\nfile = { path = \"wanted\" }\n");
    for day in 10..=13 {
        sandbox.set_clock(&format!("2025-09-{day}T03:00:00+02:00"));
        change(&sandbox, &day.to_string());
        let said = sandbox.fails(2, &["db-schedule", "run"]);
        let error = "error: `db-bundle create` failed: the item `file` is missing";
        assert!(said.err.contains(error), "{said:#?}");
    }
    assert_eq!(sandbox.records("scheduled").len(), 4);
    sandbox.write("wanted", "here");
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(
        said.err.contains("Going on with the slot of 2025-09-13 02:00; done: backup, verification"),
        "{said:#?}"
    );
    assert!(said.err.contains("  Bundle created at ./backups/root.2025-09-13_"), "{said:#?}");
    assert!(said.err.contains("Removed kalito.db.2025-09-10_030000.pages"), "{said:#?}");
    assert_eq!(sandbox.records("scheduled").len(), 2);
    let log = log(&sandbox);
    assert!(log.contains("+02:00   Bundle created at ./backups/root.2025-09-13_"), "{log}");
}

#[test]
fn a_schedule_that_is_switched_off_or_missing_does_nothing() {
    let sandbox = Sandbox::new();
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(
        said.err.contains(
            "error: no schedule is configured\nhint: add `[workspace.metadata.db.schedule]`"
        ),
        "{said:#?}"
    );
    sandbox.configure(super::AT_TWO);
    sandbox.write(".env", "AUTO_BACKUP_ENABLED=false\n");
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert_eq!(
        said.out,
        "Nothing to do: backups by the clock are switched off (AUTO_BACKUP_ENABLED in .env)\n"
    );
    let said = sandbox.fails(2, &["db-schedule", "install"]);
    assert!(
        said.err
            .contains("error: backups by the clock are switched off: AUTO_BACKUP_ENABLED in .env"),
        "{said:#?}"
    );
    assert_eq!(sandbox.backups(), Vec::<String>::new());
    assert!(!sandbox.path("../home/.local").exists());
    sandbox.write(".env", "AUTO_BACKUP_ENABLED=true\nAUTO_BACKUP_TIME=03:15\n");
    sandbox.set_clock("2025-09-13T03:14:00+02:00");
    let document = sandbox.json(&["db-schedule", "run"]);
    assert_eq!(document["slot"], "2025-09-12T03:15:00+02:00");
    assert_eq!(document["next"], "2025-09-13T03:15:00+02:00");
    assert_eq!(document["done"], serde_json::json!(["backup", "verify", "retention"]));
}

#[test]
fn after_a_long_silence_old_backups_wait_for_a_second_day() {
    let sandbox = scheduled();
    sandbox.configure("[workspace.metadata.db.keep]\nwithin = \"30d\"\n");
    for day in 10..=13 {
        sandbox.set_clock(&format!("2025-09-{day}T03:00:00+02:00"));
        change(&sandbox, &day.to_string());
        sandbox.ok(&["db-schedule", "run"]);
    }
    // A clock that is two years ahead would make all of them too old.
    sandbox.set_clock("2027-09-13T03:00:00+02:00");
    change(&sandbox, "ahead");
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(said.err.contains("no old backup is removed today"), "{said:#?}");
    assert_eq!(sandbox.records("scheduled").len(), 5);
    sandbox.set_clock("2025-09-14T03:00:00+02:00");
    change(&sandbox, "back");
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(!said.err.contains("no old backup"), "{said:#?}");
    assert_eq!(sandbox.records("scheduled").len(), 6);
    // A year later it is not a mistake.
    for (day, left) in [("2026-09-20", 7), ("2026-09-21", 3)] {
        sandbox.set_clock(&format!("{day}T03:00:00+02:00"));
        change(&sandbox, day);
        sandbox.ok(&["db-schedule", "run"]);
        assert_eq!(sandbox.records("scheduled").len(), left, "{day}");
    }
}

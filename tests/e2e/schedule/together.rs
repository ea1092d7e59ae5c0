//! Runs beside each other and beside other commands: one works, the other says so, and no slot gets two backups.

use std::process::Stdio;

use super::{AT_TWO, change, scheduled};
use crate::support::sandbox::{Running, Sandbox};

/// A run that waits for the lock of the backups folder, which the test holds.
fn waiting_run(sandbox: &Sandbox) -> Running {
    let mut run = sandbox.xtask(&["db-schedule", "run", "--busy-timeout", "60"]);
    let run = Running(run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run"));
    let lock = home_lock(sandbox);
    while fs_err::read_to_string(&lock).unwrap_or_default().is_empty() {
        std::thread::yield_now();
    }
    run
}

/// The lock of the runs, as soon as there is one.
fn home_lock(sandbox: &Sandbox) -> std::path::PathBuf {
    let all = sandbox.path("../home/.local/state/xtask-db/schedule");
    loop {
        if let Ok(mut found) = fs_err::read_dir(&all)
            && let Some(home) = found.next()
        {
            return home.expect("a folder").path().join("lock");
        }
        std::thread::yield_now();
    }
}

#[test]
fn of_two_runs_one_works_and_the_other_says_so() {
    let sandbox = scheduled();
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    fs_err::create_dir_all(sandbox.path("backups")).expect("a folder");
    let lock = fs_err::File::create(sandbox.path("backups/.lock")).expect("a lock");
    lock.file().lock().expect("locked");
    let first = waiting_run(&sandbox);
    let said = sandbox.ok(&["db-schedule", "run"]);
    let begin = "Nothing to do: another run is at work, running since 2025-09-13 03:00 (process ";
    assert!(said.out.starts_with(begin), "{said:#?}");
    let document = sandbox.json(&["db-schedule", "run"]);
    assert!(
        document["running"].as_str().expect("words").starts_with("running since"),
        "{document:#}"
    );
    let said = sandbox.run(&["db-schedule", "status"]);
    assert!(said.out.contains("running      running since 2025-09-13 03:00"), "{said:#?}");
    let said = sandbox.fails(3, &["db-schedule", "uninstall"]);
    assert!(said.err.contains("error: a scheduled run is under way: running since"), "{said:#?}");
    drop(lock);
    let said = sandbox.said(&first.output());
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(sandbox.ok(&["db-schedule", "run"]).out.starts_with("Nothing is due"));
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn a_run_that_finds_the_folder_locked_is_no_alarm_at_first() {
    let sandbox = scheduled();
    sandbox.configure("notify = [\"sh\", \"-c\", \"cat >> told\"]");
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    fs_err::create_dir_all(sandbox.path("backups")).expect("a folder");
    let lock = fs_err::File::create(sandbox.path("backups/.lock")).expect("a lock");
    lock.file().lock().expect("locked");
    sandbox.fails(3, &["db-schedule", "run", "--busy-timeout", "10ms"]);
    assert!(!sandbox.path("told").exists());
    sandbox.fails(3, &["db-schedule", "run", "--busy-timeout", "10ms"]);
    assert!(sandbox.path("told").exists());
    drop(lock);
    sandbox.ok(&["db-schedule", "run"]);
}

#[test]
fn runs_beside_commits_restores_and_prunings_make_one_backup_for_each_slot() {
    let sandbox = Sandbox::with_hooks();
    sandbox.configure(AT_TWO);
    sandbox.configure("[workspace.metadata.db.keep]\nlast = 4\n");
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    sandbox.ok(&["db-schedule", "run"]);
    for day in 14..24 {
        sandbox.set_clock(&format!("2025-09-{day}T03:00:00+02:00"));
        change(&sandbox, &day.to_string());
        sandbox.stage_migration(&format!("t{day}"));
        let mut commands = [
            sandbox.xtask(&["db-schedule", "run"]),
            sandbox.xtask(&["db-schedule", "run"]),
            sandbox.xtask(&["db-prune", "--yes"]),
            sandbox.xtask(&["db-restore", "latest", "--yes"]),
            sandbox.git_at_clock(&["commit", "--quiet", "--message=next"]),
        ];
        let n = commands.len();
        commands.rotate_left(day % n);
        let running: Vec<_> = commands
            .iter_mut()
            .map(|command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn())
            .map(|child| Running(child.expect("it starts")))
            .collect();
        for one in running {
            let said = sandbox.said(&one.output());
            assert!(matches!(said.code, Some(0 | 3)), "{said:#?}");
        }
        sandbox.ok(&["db-schedule", "run"]);
        let from = format!("2025-09-{day}T02:00:00");
        let of_slot = sandbox.records("scheduled");
        let of_slot = of_slot
            .iter()
            .filter(|one| one["created_at"].as_str().expect("a time") >= from.as_str());
        assert!(of_slot.count() <= 1, "{day}");
    }
    sandbox.ok(&["db-verify", "--all"]);
}

#[test]
fn a_killed_run_is_gone_on_with() {
    let sandbox = scheduled();
    sandbox.configure("[workspace.metadata.db.keep]\nlast = 2\n");
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    sandbox.ok(&["db-schedule", "run"]);
    for n in 0..24_u64 {
        sandbox.set_clock(&format!("2025-10-{:02}T03:00:00+02:00", 1 + n));
        change(&sandbox, &n.to_string());
        let mut run = sandbox.xtask(&["db-schedule", "run"]);
        let run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a run");
        std::thread::sleep(std::time::Duration::from_millis(2 * n));
        drop(Running(run));
        sandbox.ok(&["db-schedule", "run"]);
        let from = format!("2025-10-{:02}T02:00:00", 1 + n);
        let records = sandbox.records("scheduled");
        let of_slot = records
            .iter()
            .filter(|one| one["created_at"].as_str().expect("a time") >= from.as_str());
        assert_eq!(of_slot.count(), 1, "{n}");
        assert!(sandbox.ok(&["db-schedule", "run"]).out.starts_with("Nothing is due"));
    }
    assert_eq!(sandbox.records("scheduled").len(), 2);
    sandbox.ok(&["db-verify", "--all"]);
}

//! Ctrl-C and `kill -9` in the middle of a migration: the old state or the new one, and a way back.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::support::sandbox::{Running, Said, Sandbox, open};
use crate::support::shell_migrations::{ADD, content, host, leftovers};

/// Ends what a migration left running when the test ends, however it ends.
pub(crate) struct Ends(Option<Pid>);

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The script that says it has begun and then hangs, on the file whose path ends so.
pub(crate) fn hangs_at(end: &str) -> String {
    format!("case $DB in *{end}) echo $$ > began.new; mv began.new began; sleep 600 ;; esac")
}

pub(crate) const ON_LIVE: &str = "backend/db/kalito.db";
pub(crate) const ON_COPY: &str = "/kalito.db";

/// Runs a command until its migration hangs, sends a signal to it alone, and waits for its end.
pub(crate) fn stopped(sandbox: &Sandbox, command: &str, signal: Signal) -> (Said, Ends) {
    stopped_by(sandbox, command, &[signal])
}

/// The same by several signals, one right after the other.
fn stopped_by(sandbox: &Sandbox, command: &str, signals: &[Signal]) -> (Said, Ends) {
    let mut xtask = sandbox.xtask(&[command]);
    let child = xtask.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut running = Running(child);
    let began = Instant::now();
    let group = loop {
        if let Ok(pid) = fs_err::read_to_string(sandbox.path("began")) {
            break Pid::from_raw(pid.trim().parse().expect("a number"));
        }
        assert!(began.elapsed() < Duration::from_mins(1), "the migration never began");
        assert!(running.0.try_wait().expect("asked").is_none(), "it ended before");
        std::thread::yield_now();
    };
    let ends = Ends(group);
    for signal in signals {
        kill_process(Pid::from_child(&running.0), *signal).expect("sent");
    }
    // What was killed leaves a migration behind that still holds the pipes.
    if signals.contains(&Signal::KILL) {
        running.0.stdout = None;
        running.0.stderr = None;
    } else {
        running.0.wait().expect("it ends");
        assert!(!is_running(&ends), "the migration still runs");
    }
    (sandbox.said(&running.output()), ends)
}

fn is_running(ends: &Ends) -> bool {
    ends.0.is_some_and(|group| {
        let stat = fs_err::read_to_string(format!("/proc/{}/stat", group.as_raw_nonzero()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    })
}

#[test]
fn an_interrupted_rehearsal_leaves_the_database_and_nothing_else() {
    for command in ["db-pre-migrate", "db-migrate", "db-pre-deploy"] {
        let Some(sandbox) = host(&format!("{ADD}\n{}", hangs_at(ON_COPY))) else { return };
        let before = content(&sandbox);
        let (said, migration) = stopped(&sandbox, command, Signal::INT);
        assert_eq!(said.code, Some(130), "{command}: {said:#?}");
        assert!(!is_running(&migration), "{command}: the migration still runs");
        assert_eq!(content(&sandbox), before, "{command}");
        assert_eq!(leftovers(&sandbox), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn an_interrupted_migration_is_put_back() {
    for signal in [Signal::INT, Signal::TERM] {
        let Some(sandbox) = host(&format!("{ADD}\n{}", hangs_at(ON_LIVE))) else { return };
        let before = content(&sandbox);
        let (said, migration) = stopped(&sandbox, "db-migrate", signal);
        assert_eq!(said.code, Some(130), "{said:#?}");
        assert!(!is_running(&migration), "the migration still runs");
        assert!(said.out.contains("Restored kalito.db."), "{said:#?}");
        let message = "interrupted: the migration of `backend/db/kalito.db` was interrupted; the \
                       state before it was restored; what it replaced: ./backups/kalito.db.SAFETY.";
        assert!(said.err.contains(message), "{said:#?}");
        assert_eq!(content(&sandbox), before);
        assert_eq!(leftovers(&sandbox), Vec::<String>::new());
    }
}

#[test]
fn a_second_interrupt_kills_a_migration_that_heeds_none_and_still_puts_back() {
    for place in [ON_COPY, ON_LIVE] {
        let script = format!(
            "case $DB in *{place}) trap '' INT TERM; echo $$ > began.new; mv began.new began
             while :; do sleep 0.1; done ;; esac"
        );
        let Some(sandbox) = host(&format!("{ADD}\n{script}")) else { return };
        let before = content(&sandbox);
        // Two of one kind may arrive as one.
        let (said, migration) =
            stopped_by(&sandbox, "db-migrate", &[Signal::INT, Signal::TERM, Signal::HUP]);
        assert_eq!(said.code, Some(130), "{said:#?}");
        assert!(!is_running(&migration), "the migration still runs");
        assert!(said.err.contains("interrupted"), "{said:#?}");
        if place == ON_LIVE {
            assert!(said.err.contains("the state before it was restored"), "{said:#?}");
        }
        assert_eq!(content(&sandbox), before);
        assert_eq!(leftovers(&sandbox), Vec::<String>::new());
    }
}

#[test]
fn a_rehearsal_that_is_killed_leaves_a_scratch_folder_that_the_next_command_sweeps() {
    let Some(sandbox) = host(&format!("{ADD}\n{}", hangs_at(ON_COPY))) else { return };
    let before = content(&sandbox);
    let (said, migration) = stopped(&sandbox, "db-pre-migrate", Signal::KILL);
    assert_eq!(said.code, None, "{said:#?}");
    drop(migration);
    assert_eq!(content(&sandbox), before);
    sandbox.ok(&["db-backup"]);
    assert_eq!(leftovers(&sandbox), Vec::<String>::new());
}

#[test]
fn a_migration_that_is_killed_leaves_the_checkpoint_of_before() {
    for mode in ["wal", "delete"] {
        let Some(sandbox) = host(&format!("{ADD}\n{}", hangs_at(ON_LIVE))) else { return };
        sandbox.sql(&format!("PRAGMA journal_mode={mode}"));
        let before = content(&sandbox);
        let (_, migration) = stopped(&sandbox, "db-migrate", Signal::KILL);
        drop(migration);
        let check = "PRAGMA integrity_check";
        let sound: String =
            open(&sandbox.live()).query_row(check, [], |row| row.get(0)).expect("checked");
        assert_eq!(sound, "ok");
        sandbox.ok(&["db-verify", "--all"]);
        sandbox.ok(&["db-restore", "latest", "--yes"]);
        assert_eq!(content(&sandbox), before, "{mode}");
    }
}

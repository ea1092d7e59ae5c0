//! Somebody else changes the live database while a migration is rehearsed on a copy: that is never
//! undone, and both ways on are shown.

use crate::support::sandbox::{Sandbox, open};
use crate::support::shell_migrations::{ADD, LIVE, content, host, leftovers, n_rows, rewrite};

/// Waits in the rehearsal until the test says so.
const WAITS: &str = "echo > began; until [ -e go ]; do sleep 0.01; done";

/// Runs a rehearsal; does something to the live database in its middle.
fn in_the_middle(
    sandbox: &Sandbox,
    command: &str,
    act: impl FnOnce(),
) -> crate::support::sandbox::Said {
    use std::process::Stdio;
    let mut xtask = sandbox.xtask(&[command]);
    let child = xtask.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut running = crate::support::sandbox::Running(child);
    let began = std::time::Instant::now();
    while !sandbox.path("began").exists() {
        assert!(began.elapsed() < std::time::Duration::from_mins(1), "it never began");
        assert!(running.0.try_wait().expect("asked").is_none(), "it ended before");
        std::thread::yield_now();
    }
    has_looked(running.0.id());
    act();
    sandbox.write("go", "");
    sandbox.said(&running.output())
}

/// Waits until a process does nothing but wait: it looked at whatever woke it, however busy the
/// machine is.
fn has_looked(pid: u32) {
    let is_polling = || {
        // <https://man7.org/linux/man-pages/man5/proc_pid_syscall.5.html>; `poll` and `ppoll` of x86-64,
        // `ppoll` of AArch64.
        let call = fs_err::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        ["7", "271", "73"].contains(&call.split(' ').next().unwrap_or_default())
    };
    let began = std::time::Instant::now();
    // Some systems do not show this: there the wait alone has to suffice.
    while !is_polling() && began.elapsed() < std::time::Duration::from_secs(2) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// The checkpoint that was published, from the command that goes back to it.
fn way_back(said: &str) -> &str {
    let (_, rest) = said.split_once("cargo xtask db-restore ").expect("a way back");
    rest.split_once(" --yes").expect("a way back").0
}

#[test]
fn an_application_that_migrates_itself_and_commits_rows_keeps_them() {
    for command in ["db-pre-migrate", "db-migrate", "db-pre-deploy"] {
        let Some(sandbox) = host(&format!("{WAITS}\n{ADD}")) else { return };
        let before = content(&sandbox);
        let said = in_the_middle(&sandbox, command, || {
            sandbox.sql("CREATE TABLE added (a); INSERT INTO added VALUES (1), (2)");
        });
        assert_eq!(said.code, Some(1), "{command}: {said:#?}");
        assert_eq!(n_rows(&sandbox, "added"), 2, "{command}: {said:#?}");
        let why = "the schema of `backend/db/kalito.db` changed while the migration was rehearsed \
                   on a copy; nothing was restored";
        assert!(said.err.contains(why), "{said:#?}");
        assert!(said.err.contains("the command was not seen with it open"), "{said:#?}");
        assert_eq!(leftovers(&sandbox), Vec::<String>::new());
        sandbox.ok(&["db-restore", way_back(&said.err), "--yes"]);
        assert_eq!(content(&sandbox), before, "{command}");
    }
}

#[test]
fn where_an_application_has_it_open_even_the_migration_s_own_change_is_left_alone() {
    let script = format!("exec 3< {LIVE}\n{WAITS}\nq {LIVE} 'CREATE TABLE oops (a)'");
    let Some(sandbox) = host(&script) else { return };
    let application = open(&sandbox.live());
    application.query_row("SELECT count(*) FROM messages", [], |_| Ok(())).expect("read");
    let said = in_the_middle(&sandbox, "db-pre-migrate", || {});
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert_eq!(n_rows(&sandbox, "oops"), 0, "{said:#?}");
    if cfg!(target_os = "linux") {
        let who = format!("(process {}) had it open\n", std::process::id());
        assert!(said.err.contains(&who), "{said:#?}");
    }
    drop(application);
}

#[test]
fn an_application_that_came_and_went_in_between_is_noticed() {
    let script = format!("exec 3< {LIVE}\n{WAITS}\nq {LIVE} 'CREATE TABLE oops (a)'");
    let Some(sandbox) = host(&script) else { return };
    let said = in_the_middle(&sandbox, "db-pre-migrate", || {
        sandbox.sql("INSERT INTO messages (content) VALUES ('acknowledged')");
    });
    assert_eq!(said.code, Some(1), "{said:#?}");
    let rows = crate::support::sandbox::messages(&sandbox.live());
    let safety = sandbox.backups().into_iter().find(|name| name.contains(".SAFETY."));
    // If it was too quick to be seen, the row is in the safety backup that was named.
    let is_kept = rows.contains(&"acknowledged".to_owned())
        || safety.is_some_and(|name| {
            crate::support::sandbox::messages(&sandbox.backup_path(&name))
                .contains(&"acknowledged".to_owned())
        });
    assert!(is_kept, "{said:#?}");
}

#[test]
fn what_only_the_migration_can_have_done_is_undone() {
    let script = format!("exec 3< {LIVE}\nq {LIVE} 'CREATE TABLE oops (a)'\n{WAITS}");
    let Some(sandbox) = host(&script) else { return };
    if cfg!(not(target_os = "linux")) {
        crate::support::strace::complain("SKIPPED: who has a file open needs Linux");
        return;
    }
    let before = content(&sandbox);
    let said = in_the_middle(&sandbox, "db-pre-migrate", || {});
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.contains("the old state was restored"), "{said:#?}");
    assert_eq!(content(&sandbox), before);
    rewrite(&sandbox, ADD);
    sandbox.ok(&["db-migrate"]);
}

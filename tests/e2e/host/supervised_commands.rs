//! The host's command ends with us, however we end, and with everything that it started.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::sandbox::{Running, Sandbox};
use crate::support::shell_migrations::{ADD, content, host, rewrite};
use crate::support::strace::complain;

/// Starts what is hard to end: an ordinary child, one that heeds no signal, a daemon in a session of its
/// own, and one that is stopped. Says `began` when all of them run, and hangs.
const HARD: &str = "
    note() { echo $1 >> pids; }
    note $$
    sleep 600 & note $!
    sh -c \"trap '' TERM HUP INT; echo \\$\\$ >> pids; while :; do sleep 0.1; done\" &
    (setsid sh -c 'echo $$ >> pids; exec sleep 600' > /dev/null 2>&1 &)
    sh -c 'echo $$ >> pids; kill -STOP $$; sleep 600' &
    until [ $(wc -l < pids) = 5 ]; do sleep 0.01; done
    echo > began
    wait";

/// [`HARD`] on the file whose path ends so, one table more elsewhere.
fn hard_at(end: &str) -> String {
    format!("case $DB in *{end}) {HARD} ;; esac\n{ADD}")
}

/// The processes that the command noted.
fn noted(sandbox: &Sandbox) -> Vec<i32> {
    let pids = fs_err::read_to_string(sandbox.path("pids")).unwrap_or_default();
    pids.lines().map(|pid| pid.trim().parse().expect("a number")).collect()
}

fn runs(pid: i32) -> bool {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::yield_now();
    }
}

fn all_end(pids: &[i32]) {
    assert!(!pids.is_empty(), "the command noted no process");
    until("what the command started still runs", || !pids.iter().any(|pid| runs(*pid)));
}

/// Starts a task, waits until its command has begun, sends the task a signal, and waits until
/// everything that the command noted has ended.
fn ended_by(sandbox: &Sandbox, arguments: &[&str], signal: Signal) {
    let mut running = begun(sandbox, arguments);
    let pids = noted(sandbox);
    kill_process(Pid::from_child(&running.0), signal).expect("sent");
    until("the task did not end", || running.0.try_wait().expect("asked").is_some());
    all_end(&pids);
}

/// A task whose command has begun.
fn begun(sandbox: &Sandbox, arguments: &[&str]) -> Running {
    for name in ["pids", "began"] {
        let _ = fs_err::remove_file(sandbox.path(name));
    }
    // A runner in the background of a script ignores SIGQUIT, and so would all that it starts.
    let mut xtask = sandbox.xtask_under(&["env", "--default-signal=QUIT"], arguments);
    let mut running =
        Running(xtask.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs"));
    until("the command never began", || {
        assert!(running.0.try_wait().expect("asked").is_none(), "it ended before");
        sandbox.path("began").exists()
    });
    running
}

fn is_linux() -> bool {
    let is_linux = cfg!(target_os = "linux");
    if !is_linux {
        complain("SKIPPED: only Linux tells what a command started");
    }
    is_linux
}

#[test]
fn a_migration_ends_with_us_by_whatever_signal_and_with_all_that_it_started() {
    if !is_linux() {
        return;
    }
    let signals = [Signal::KILL, Signal::QUIT, Signal::ABORT, Signal::TERM, Signal::HUP];
    for (n, signal) in signals.into_iter().enumerate() {
        let place = ["/kalito.db", "backend/db/kalito.db"][n % 2];
        let Some(sandbox) = host(&hard_at(place)) else { return };
        ended_by(&sandbox, &["db-migrate"], signal);
    }
}

#[test]
fn every_command_of_the_host_ends_with_us() {
    if !is_linux() {
        return;
    }
    let Some(sandbox) = host(HARD) else { return };
    for arguments in [&["db-pre-migrate"][..], &["db-pre-deploy"], &["db-reset", "--yes"]] {
        ended_by(&sandbox, arguments, Signal::KILL);
    }
    sandbox.backup();
    sandbox.configure("after-restore = [['sh', 'migrate.sh']]");
    ended_by(&sandbox, &["db-restore", "latest", "--yes"], Signal::KILL);
    let Some(fresh) = host(HARD) else { return };
    crate::support::museum::remove_live(&fresh);
    ended_by(&fresh, &["db-setup"], Signal::KILL);
}

#[test]
fn cargo_run_ends_with_us_and_so_does_what_it_runs() {
    if !is_linux() {
        return;
    }
    let Some(sandbox) = host("true") else { return };
    let cargo = Path::new(env!("CARGO"));
    let rustc = cargo.with_file_name("rustc");
    if !rustc.is_file() {
        complain("SKIPPED: a migration by `cargo run` needs `rustc` beside `cargo`");
        return;
    }
    sandbox
        .write("app/Cargo.toml", "[package]\nname = 'app'\nversion = '0.1.0'\nedition = '2021'\n");
    sandbox.write("app/src/main.rs", APP);
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    let manifest = manifest.replace("members = []", "members = ['app']\nresolver = '2'").replace(
        "['sh', 'migrate.sh']",
        &format!("['{}', 'run', '--quiet', '--offline', '--package', 'app']", cargo.display()),
    );
    sandbox.write("Cargo.toml", manifest);
    for name in ["pids", "began"] {
        let _ = fs_err::remove_file(sandbox.path(name));
    }
    let mut xtask = sandbox.xtask(&["db-migrate"]);
    xtask.env("RUSTC", &rustc).stdout(Stdio::null());
    let mut running = Running(xtask.spawn().expect("it runs"));
    until("the migration never began", || sandbox.path("began").exists());
    let pids = noted(&sandbox);
    running.0.kill().expect("killed");
    all_end(&pids);
}

/// An application that migrates its database and hangs on the live one.
const APP: &str = r#"
fn main() {
    let path = std::env::var("APP_DB").unwrap();
    let sql = "CREATE TABLE IF NOT EXISTS added (a)";
    assert!(std::process::Command::new("sqlite3").args([&path, sql]).status().unwrap().success());
    if path.ends_with("backend/db/kalito.db") {
        std::fs::write("pids", std::process::id().to_string()).unwrap();
        std::fs::write("began", "").unwrap();
        loop {
            std::thread::park();
        }
    }
}
"#;

#[test]
fn one_that_is_killed_at_any_moment_of_its_start_leaves_no_process() {
    if !is_linux() {
        return;
    }
    let Some(sandbox) = host("sleep 600") else { return };
    // As long as a start takes here, in so many pieces.
    let began = Instant::now();
    sandbox.run(&["db-pre-migrate", "--busy-timeout", "nothing"]);
    let start = began.elapsed();
    for n in 0..24 {
        let mut xtask = sandbox.xtask(&["db-pre-migrate"]);
        let child = xtask.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        let mut running = Running(child);
        let (moment, began) = (start * n / 6, Instant::now());
        until("time passes", || began.elapsed() >= moment);
        running.0.kill().expect("killed");
        let _ = running.0.wait();
        until("something of it still runs", || of_sandbox(&sandbox).is_empty());
    }
}

/// The processes that work in the sandbox's workspace.
fn of_sandbox(sandbox: &Sandbox) -> Vec<String> {
    let root = sandbox.root();
    let processes = fs_err::read_dir("/proc").expect("processes").flatten();
    let is_there = |path: &Path| fs_err::read_link(path.join("cwd")).is_ok_and(|cwd| cwd == root);
    let there = processes.filter(|process| is_there(&process.path()));
    there.map(|process| process.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn where_the_supervisor_is_killed_the_migration_ends_and_the_old_state_is_put_back() {
    if !is_linux() {
        return;
    }
    let Some(sandbox) = host(&format!("{ADD}\n{}", hard_at("backend/db/kalito.db"))) else {
        return;
    };
    let before = content(&sandbox);
    let running = begun(&sandbox, &["db-migrate"]);
    let ours = running.0.id();
    let supervisor = of_sandbox(&sandbox).into_iter().find(|pid| {
        let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1))
            == Some(&ours.to_string())
    });
    let supervisor = supervisor.expect("a supervisor").parse().expect("a number");
    kill_process(Pid::from_raw(supervisor).expect("a process id"), Signal::KILL).expect("killed");
    let said = sandbox.said(&running.output());
    assert_eq!(said.code, Some(1), "{said:#?}");
    all_end(&noted(&sandbox));
    assert_eq!(content(&sandbox), before);
}

#[test]
fn a_command_inherits_no_descriptor_and_no_mark_of_the_supervisor() {
    if !is_linux() {
        return;
    }
    let script = "ls -l /proc/$$/fd > fds; env > env\n";
    let Some(sandbox) = host(&format!("{script}{ADD}")) else { return };
    sandbox.ok(&["db-pre-migrate"]);
    let fds = fs_err::read_to_string(sandbox.path("fds")).expect("a list");
    assert!(!fds.contains("socket:"), "{fds}");
    let environment = fs_err::read_to_string(sandbox.path("env")).expect("a list");
    assert!(!environment.contains("XTASK_DB_SUPERVISES"), "{environment}");
}

#[test]
fn what_a_command_may_leave_running_is_left_running() {
    let Some(sandbox) = host(ADD) else { return };
    sandbox.backup();
    sandbox.configure("after-restore = [['sh', 'after.sh']]");
    sandbox.write("after.sh", "setsid sleep 600 > /dev/null 2>&1 &\necho $! > pids\n");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    let pids = noted(&sandbox);
    assert!(runs(pids[0]), "the application that it started was ended");
    kill_process(Pid::from_raw(pids[0]).expect("a process id"), Signal::KILL).expect("killed");
    rewrite(&sandbox, "setsid sleep 600 > /dev/null 2>&1 &\necho $! > pids\n");
    sandbox.fails(1, &["db-pre-migrate"]);
    all_end(&noted(&sandbox));
}

#[test]
fn db_supervise_is_not_for_people() {
    let sandbox = Sandbox::new();
    let said = sandbox.fails(2, &["db-supervise"]);
    assert!(said.err.contains("`db-supervise` is started by other tasks"), "{said:#?}");
    let mut marked = sandbox.xtask(&["db-list"]);
    let said = sandbox.said(&marked.env("XTASK_DB_SUPERVISES", "1").output().expect("it runs"));
    assert_eq!(said.code, Some(2), "{said:#?}");
}

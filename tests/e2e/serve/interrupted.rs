//! Ctrl-C and `kill -9` of the server while a job runs.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::serve::jobs::patient;
use crate::support::page_server::{PageServer, hold_backups};
use crate::support::sandbox::Sandbox;
use crate::support::strace::complain;

/// The unfinished files in the backups folder.
fn stages(sandbox: &Sandbox) -> Vec<String> {
    let names = fs_err::read_dir(sandbox.path("backups")).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(".stage-")).collect()
}

/// Stops the only command of the server in the middle of a copy.
fn stop_in_the_middle(sandbox: &Sandbox, server: &PageServer) -> (String, Pid) {
    for _ in 0..100 {
        let job = server.job("/api/backup/create", "{}");
        while server.get(&job).json()["ended_at"].is_null() {
            if stages(sandbox).is_empty() {
                continue;
            }
            let Some(child) = server.children().first().copied() else { continue };
            kill_process(child, Signal::STOP).expect("sent");
            if !stages(sandbox).is_empty() && server.get(&job).json()["state"] == "running" {
                return (job, child);
            }
            kill_process(child, Signal::CONT).expect("sent");
        }
    }
    panic!("no backup was met in the middle");
}

#[test]
fn ctrl_c_ends_the_server_and_its_job_and_leaves_nothing_unfinished() {
    if !std::path::Path::new("/proc/self/task").exists() {
        complain("SKIPPED: a test of the server's commands needs /proc");
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.sql("CREATE TABLE files (content BLOB); INSERT INTO files VALUES (zeroblob(8000000))");
    let server = PageServer::start(&sandbox);
    let (job, child) = stop_in_the_middle(&sandbox, &server);
    let before = sandbox.backups().len();
    let waiting = server.job("/api/backup/create", "{}");
    server.signal(Signal::INT);
    kill_process(child, Signal::CONT).expect("sent");
    let said = server.end();
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.err.contains("Waiting for the running job to end"), "{said:#?}");
    assert!(test_kill_process(child).is_err(), "its command still runs");
    assert_eq!(stages(&sandbox), Vec::<String>::new());
    let server = PageServer::start(&sandbox);
    // The copy may have been past the point at which it can still be given up.
    let is_whole = sandbox.backups().len() > before;
    let job = server.get(&job).json();
    assert_eq!(job["state"], if is_whole { "done" } else { "interrupted" }, "{job:#}");
    let job = server.get(&waiting).json();
    assert_eq!(job["state"], "interrupted", "{job:#}");
    let next = server.job("/api/backup/create", "{}");
    server.wait_for(&next, "done");
}

#[test]
fn ctrl_c_ends_a_job_that_waits_for_a_lock() {
    let sandbox = patient();
    let lock = hold_backups(&sandbox);
    let server = PageServer::start(&sandbox);
    let job = server.job("/api/backup/create", "{}");
    server.wait_for(&job, "running");
    let said = server.stop();
    assert_eq!(said.code, Some(0), "{said:#?}");
    drop(lock);
    let server = PageServer::start(&sandbox);
    let job = server.get(&job).json();
    assert_eq!(job["state"], "interrupted", "{job:#}");
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn a_job_of_a_killed_server_is_interrupted_after_the_next_start() {
    let sandbox = patient();
    let lock = hold_backups(&sandbox);
    let server = PageServer::start(&sandbox);
    let [running, queued] = std::array::from_fn(|_| server.job("/api/backup/create", "{}"));
    server.wait_for(&running, "running");
    let children = server.children();
    server.signal(Signal::KILL);
    assert_eq!(server.end().code, None);
    let server = PageServer::start(&sandbox);
    for job in [running, queued] {
        let job = server.get(&job).json();
        assert_eq!(job["state"], "interrupted", "{job:#}");
        assert_eq!(job["problem"]["what"], "the server ended before this job did", "{job:#}");
    }
    drop(lock);
    // The command itself goes on without its server, and ends by itself.
    while children.iter().any(|child| test_kill_process(*child).is_ok()) {
        std::thread::yield_now();
    }
    let next = server.job("/api/backup/create", "{}");
    server.wait_for(&next, "done");
    assert_eq!(stages(&sandbox), Vec::<String>::new());
}

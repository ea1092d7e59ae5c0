//! Jobs: backups that are requested, followed, cancelled and remembered.

use std::io::Write as _;

use serde_json::Value;

use crate::support::page_server::{PageServer, hold_backups, read_until};
use crate::support::sandbox::Sandbox;

/// A sandbox with one backup, in which a job waits as long as a test holds the lock.
pub(crate) fn patient() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure("[workspace.metadata.db]\nbusy-timeout = \"1h\"");
    sandbox.backup();
    sandbox
}

fn states(server: &PageServer) -> Vec<String> {
    let all = server.get("/api/jobs").json();
    let all = all["jobs"].as_array().expect("jobs");
    all.iter().map(|job| job["state"].as_str().expect("a state").to_owned()).collect()
}

#[test]
fn a_backup_by_the_api_is_a_job_with_the_document_of_the_command() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let answer = server.post("/api/backup/create", r#"{"label":"before the move","pin":true}"#);
    assert_eq!(answer.status, 202, "{answer:#?}");
    let queued = answer.json();
    let location = answer.header("location").expect("an address");
    assert_eq!(location, format!("/api/jobs/{}", queued["id"].as_str().expect("an id")));
    assert_eq!(queued["command"], "cargo xtask db-backup '--label=before the move' --pin");
    let job = server.wait_for(location, "done");
    let names = sandbox.backups();
    let backup = &job["document"]["backups"][0];
    assert_eq!(backup["name"], names[0].as_str(), "{job:#}");
    assert_eq!((&backup["label"], &backup["pinned"]), (&"before the move".into(), &true.into()));
    assert_eq!((&job["exit_code"], &job["problem"]), (&0.into(), &Value::Null));
    let of_command = sandbox.json(&["db-backup"]);
    let keys =
        |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&job["document"]), keys(&of_command));
    assert_eq!(keys(backup), keys(&of_command["backups"][0]));
}

#[test]
fn a_job_that_fails_has_the_words_of_the_terminal() {
    let sandbox = Sandbox::new();
    sandbox.configure("[workspace.metadata.db]\nbusy-timeout = \"10ms\"");
    sandbox.backup();
    let server = PageServer::start(&sandbox);
    let check = |of_what: &str| {
        let job = server.job("/api/backup/create", "{}");
        let job = server.wait_for(&job, "failed").to_string();
        let job = job.replace(&*sandbox.root().to_string_lossy(), "$ROOT");
        let job: Value = serde_json::from_str(&job).expect("json");
        let error = sandbox.json(&["db-backup"])["error"].clone();
        assert!(error["message"].is_string(), "{of_what}: {error:#}");
        assert_eq!(job["problem"]["what"], error["message"], "{of_what}: {job:#}");
        assert_eq!(job["problem"]["hint"], error["hint"], "{of_what}: {job:#}");
        assert_eq!(job["problem"]["causes"], error["causes"], "{of_what}: {job:#}");
        assert_eq!(job["exit_code"], error["exit_code"], "{of_what}: {job:#}");
    };
    let lock = hold_backups(&sandbox);
    check("a locked folder");
    drop(lock);
    let live = fs_err::read(sandbox.live()).expect("read");
    sandbox.write("backend/db/kalito.db", vec![7; live.len()]);
    check("a damaged database");
    fs_err::remove_file(sandbox.live()).expect("removed");
    check("a missing database");
    let status = server.get("/api/backup/status");
    assert_eq!(status.status, 200, "{status:#?}");
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    sandbox.write("Cargo.toml", manifest.replace("busy-timeout", "bussy-timeout"));
    check("an unknown key");
    let error = sandbox.json(&["db-status"])["error"].clone();
    let answer = server.get("/api/backup/status");
    if !error.is_null() {
        let root = sandbox.root().to_string_lossy().into_owned();
        let problem = answer.body.replace(&root, "$ROOT");
        for part in ["message", "hint"] {
            assert!(problem.contains(&error[part].to_string()), "{error:#} {answer:#?}");
        }
    }
}

#[test]
fn the_events_of_a_job_go_on_after_a_cut() {
    let sandbox = patient();
    let lock = hold_backups(&sandbox);
    let server = PageServer::start(&sandbox);
    let job = server.job("/api/backup/create", "{}");
    server.wait_for(&job, "running");
    let line = format!("GET {job}/events");
    let mut stream = server.connect();
    let request = server.request(&line, &[&server.bearer()], "");
    stream.write_all(request.as_bytes()).expect("sent");
    let head = read_until(&mut stream, "\r\n\r\n");
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    read_until(&mut stream, "event: state\ndata: {\"problem\":null,\"state\":\"running\"}\n\n");
    drop(stream);
    let mut stream = server.connect();
    stream.write_all(request.as_bytes()).expect("sent");
    drop(lock);
    read_until(&mut stream, "\"state\":\"done\"}\n\n");
    assert_eq!(server.get(&job).json()["state"], "done");
}

#[test]
fn lines_that_a_reader_has_are_not_sent_again() {
    let sandbox = Sandbox::new();
    fs_err::remove_file(sandbox.live()).expect("removed");
    let server = PageServer::start(&sandbox);
    let job = server.job("/api/backup/create", "{}");
    let lines = server.wait_for(&job, "failed")["lines"].as_array().expect("lines").len();
    assert!(lines >= 2, "{lines} lines");
    let line = format!("GET {job}/events");
    for (last, first) in [("0", 1), ("1", 2), ("x", 1), ("-1", 1), ("18446744073709551615", 999)] {
        let last = format!("Last-Event-ID: {last}");
        let answer = server.ask(&line, &[&server.bearer(), &last], "");
        for n in 1..=lines {
            let is_sent = answer.body.contains(&format!("id: {n}\nevent: line\n"));
            assert_eq!(is_sent, n >= first, "{last}: {answer:#?}");
        }
        assert!(answer.body.contains("\"state\":\"failed\""), "{answer:#?}");
    }
}

#[test]
fn a_job_that_waits_and_one_that_runs_are_cancelled() {
    let sandbox = patient();
    let lock = hold_backups(&sandbox);
    let server = PageServer::start(&sandbox);
    let [running, queued, last] = std::array::from_fn(|_| server.job("/api/backup/create", "{}"));
    server.wait_for(&running, "running");
    let answer = server.post(&format!("{queued}/cancel"), "{}");
    assert_eq!((answer.status, &answer.json()["state"]), (200, &"interrupted".into()));
    assert_eq!(answer.json()["problem"]["what"], "it was cancelled before it began");
    server.post(&format!("{running}/cancel"), "{}");
    let job = server.wait_for(&running, "interrupted");
    // A command that was interrupted right after its start has no exit code.
    assert!(job["exit_code"] == 130 || job["exit_code"].is_null(), "{job:#}");
    server.wait_for(&last, "running");
    drop(lock);
    server.wait_for(&last, "done");
    assert_eq!(states(&server), ["done", "interrupted", "interrupted"]);
    assert_eq!(sandbox.backups().len(), 2);
    // What is over stays as it is.
    assert_eq!(server.post(&format!("{last}/cancel"), "{}").json()["state"], "done");
    assert_eq!(server.post("/api/jobs/none/cancel", "{}").status, 404);
}

#[test]
fn jobs_run_one_after_another_and_all_are_shown_after_a_new_start() {
    let sandbox = patient();
    let lock = hold_backups(&sandbox);
    let server = PageServer::start(&sandbox);
    let jobs: [String; 3] = std::array::from_fn(|_| server.job("/api/backup/create", "{}"));
    server.wait_for(&jobs[0], "running");
    assert_eq!(states(&server), ["queued", "queued", "running"]);
    drop(lock);
    server.wait_for(&jobs[2], "done");
    assert_eq!(states(&server), ["done"; 3]);
    assert_eq!(sandbox.backups().len(), 4);
    // The sandbox's clock does not move: all were requested in one moment.
    let by_id = |server: &PageServer| {
        let mut all = server.get("/api/jobs").json()["jobs"].as_array().expect("jobs").clone();
        all.sort_by_key(|job| job["id"].to_string());
        all
    };
    let before = by_id(&server);
    assert_eq!(server.stop().code, Some(0));
    let server = PageServer::start(&sandbox);
    assert_eq!(by_id(&server), before);
    assert_eq!(server.get(&jobs[1]).json()["state"], "done");
}

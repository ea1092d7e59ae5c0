//! Reports of a failure and of the recovery, and the secrecy of addresses.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{change, home, log, rename, scheduled};
use crate::support::sandbox::Sandbox;
use crate::support::web_receiver::WebReceiver;

const SECRET: &str = "marker-ping-4711";

/// A schedule that pings, calls a webhook and starts a command that keeps its messages.
fn told(receiver: &WebReceiver) -> Sandbox {
    let sandbox = scheduled();
    let (ping, hook) = (format!("/{SECRET}"), format!("/hook?key={SECRET}"));
    sandbox.configure(&format!(
        "ping = \"{}\"\nwebhook-env = \"HOOK\"\nnotify = [\"sh\", \"-c\", \"cat >> told; echo --- >> told\"]",
        receiver.address(&ping)
    ));
    sandbox.write(".env", format!("HOOK={}\n", receiver.address(&hook)));
    sandbox.set_clock("2025-09-13T03:00:00+02:00");
    sandbox
}

fn told_texts(sandbox: &Sandbox) -> Vec<String> {
    let text = fs_err::read_to_string(sandbox.path("told")).unwrap_or_default();
    text.split("---\n").filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn break_it(sandbox: &Sandbox) {
    rename(sandbox, "backend/db/kalito.db", "elsewhere.db");
}

fn mend_it(sandbox: &Sandbox) {
    rename(sandbox, "elsewhere.db", "backend/db/kalito.db");
}

#[test]
fn a_failure_is_told_once_per_cause_and_day_and_the_recovery_once() {
    let receiver = WebReceiver::start();
    let sandbox = told(&receiver);
    let (start, ping) = (format!("POST /{SECRET}/start"), format!("POST /{SECRET}"));
    let fail = format!("POST /{SECRET}/fail");
    let hook = format!("POST /hook?key={SECRET}");
    sandbox.ok(&["db-schedule", "run"]);
    let sent = receiver.take();
    assert_eq!([&sent[0].line, &sent[1].line], [&start, &ping]);
    assert!(sent.len() == 2 && sent[1].body.contains("Backup created at ./backups/"), "{sent:#?}");
    // Nothing is due: nothing is sent.
    sandbox.ok(&["db-schedule", "run"]);
    assert_eq!(receiver.take_lines(), Vec::<String>::new());

    sandbox.set_clock("2025-09-14T02:00:00+02:00");
    break_it(&sandbox);
    sandbox.run(&["db-schedule", "run"]);
    let sent = receiver.take();
    let lines: Vec<_> = sent.iter().map(|sent| &sent.line).collect();
    assert_eq!(lines, [&start, &fail, &hook]);
    assert!(sent[1].body.contains("error: "), "{sent:#?}");
    let document: serde_json::Value = serde_json::from_str(&sent[2].body).expect("JSON");
    assert_eq!((&document["event"], &document["project"]), (&"failed".into(), &"root".into()));
    let text = document["text"].as_str().expect("a text");
    assert!(text.contains("the scheduled backup failed: ") && text.contains("\nhint: "), "{text}");
    assert_eq!(told_texts(&sandbox), [text]);
    // The same cause on the same day: the dead man's switch only.
    sandbox.run(&["db-schedule", "run"]);
    assert_eq!(receiver.take_lines(), [start.clone(), fail.clone()]);
    assert_eq!(told_texts(&sandbox).len(), 1);
    // Another cause, and the same one on another day.
    sandbox.write("backend/db/kalito.db", "not a database at all, but rather long for a text");
    sandbox.run(&["db-schedule", "run"]);
    assert_eq!(receiver.take_lines(), [start.clone(), fail.clone(), hook.clone()]);
    fs_err::remove_file(sandbox.live()).expect("removed");
    sandbox.run(&["db-schedule", "run"]);
    assert_eq!(receiver.take_lines(), [start.clone(), fail.clone()]);
    sandbox.set_clock("2025-09-15T02:00:00+02:00");
    sandbox.run(&["db-schedule", "run"]);
    assert_eq!(receiver.take_lines(), [start.clone(), fail, hook.clone()]);
    assert_eq!(told_texts(&sandbox).len(), 3);

    mend_it(&sandbox);
    change(&sandbox, "four");
    sandbox.ok(&["db-schedule", "run"]);
    let sent = receiver.take();
    let lines: Vec<_> = sent.iter().map(|sent| &sent.line).collect();
    assert_eq!(lines, [&start, &ping, &hook]);
    assert!(sent[2].body.contains("scheduled backups work again"), "{sent:#?}");
    assert_eq!(told_texts(&sandbox).len(), 4);
    sandbox.set_clock("2025-09-16T02:00:00+02:00");
    sandbox.ok(&["db-schedule", "run"]);
    assert_eq!(receiver.take_lines(), [start, ping]);
    assert_eq!(told_texts(&sandbox).len(), 4);
}

#[test]
fn what_nobody_took_is_sent_again_and_fails_no_run() {
    let receiver = WebReceiver::start();
    let sandbox = told(&receiver);
    receiver.answer(503);
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(said.err.contains("warning: could not call http://127.0.0.1:"), "{said:#?}");
    assert!(said.err.contains("503; the next call tries again"), "{said:#?}");
    assert_eq!(receiver.take_lines().len(), 2);
    // A redirect reaches nobody either.
    receiver.answer(301);
    let said = sandbox.ok(&["db-schedule", "run"]);
    let redirect = "it answered 301, a redirect; configure the address to which it leads; the next call tries again";
    assert!(said.err.contains(redirect), "{said:#?}");
    assert_eq!(receiver.take_lines(), [format!("POST /{SECRET}")]);
    receiver.answer(200);
    let said = sandbox.ok(&["db-schedule", "run"]);
    assert!(said.out.starts_with("Nothing is due"), "{said:#?}");
    assert_eq!(receiver.take_lines(), [format!("POST /{SECRET}")]);
    sandbox.ok(&["db-schedule", "run"]);
    assert_eq!(receiver.take_lines(), Vec::<String>::new());
}

#[test]
fn a_command_that_hangs_or_fails_is_said_and_stops_nothing() {
    let receiver = WebReceiver::start();
    let sandbox = told(&receiver);
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    let failing = manifest.replace("\"cat >> told; echo --- >> told\"", "\"exit 3\"");
    sandbox.write("Cargo.toml", failing);
    break_it(&sandbox);
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(
        said.err.contains("warning: `sh` failed: exit status: 3; the next call tries again"),
        "{said:#?}"
    );
    sandbox.write("Cargo.toml", manifest);
    sandbox.fails(2, &["db-schedule", "run"]);
    assert_eq!(told_texts(&sandbox).len(), 1);
}

#[test]
fn the_secret_of_an_address_is_in_no_output_file_or_list_of_processes() {
    let receiver = WebReceiver::start();
    let sandbox = told(&receiver);
    // A `.curlrc` that would write everything down.
    sandbox.write("../home/.curlrc", "trace-ascii = traced\nverbose\n");
    receiver.answer(500);
    let ended = AtomicBool::new(false);
    let (said, (seen, n_curl)) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&ended));
        let mut said = Vec::new();
        for day in 14..20 {
            sandbox.set_clock(&format!("2025-09-{day}T02:00:00+02:00"));
            match day {
                17 => break_it(&sandbox),
                18 => mend_it(&sandbox),
                _ => change(&sandbox, &day.to_string()),
            }
            said.push(sandbox.run(&["db-schedule", "run", "--json"]));
            said.push(sandbox.run(&["db-schedule", "status"]));
            said.push(sandbox.run(&["db-status"]));
        }
        ended.store(true, Ordering::SeqCst);
        (said, watcher.join().expect("it watched"))
    });
    assert_eq!(seen, Vec::<String>::new());
    assert!(n_curl > 0 || cfg!(not(target_os = "linux")), "no call was watched");
    assert!(said.iter().any(|said| said.err.contains("could not call")), "{said:#?}");
    assert!(
        said.iter().all(|said| !said.out.contains(SECRET) && !said.err.contains(SECRET)),
        "{said:#?}"
    );
    let mut folders = vec![home(&sandbox), sandbox.path("backups"), sandbox.path("../home")];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs_err::read(&path).expect("a file");
            let found = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
            assert!(!found, "{} has the secret", path.display());
        }
    }
    assert!(!sandbox.path("traced").exists(), "curl obeyed a `.curlrc`");
    let shown = fs_err::read_to_string(sandbox.path("told")).expect("messages");
    assert!(!shown.contains(SECRET), "{shown}");
    receiver.answer(200);
}

/// Watches the list of processes until the end: the command lines that have the secret, and how many calls were seen.
fn watch(ended: &AtomicBool) -> (Vec<String>, usize) {
    let (mut seen, mut n_curl) = (Vec::new(), 0);
    while !ended.load(Ordering::SeqCst) {
        for process in fs_err::read_dir("/proc").into_iter().flatten().flatten() {
            let line = fs_err::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            n_curl += usize::from(line.starts_with("curl"));
            seen.extend(line.contains(SECRET).then_some(line));
        }
    }
    (seen, n_curl)
}

/// A failure before the first step is reported like any other.
#[test]
fn a_backups_folder_that_cannot_be_read_is_told_logged_and_remembered() {
    let receiver = WebReceiver::start();
    let sandbox = told(&receiver);
    sandbox.write("backups", "a file");
    let said = sandbox.fails(2, &["db-schedule", "run"]);
    assert!(said.err.contains("error: "), "{said:#?}");
    let lines = receiver.take_lines();
    assert!(lines.contains(&format!("POST /{SECRET}/fail")), "{lines:?}");
    assert_eq!(told_texts(&sandbox).len(), 1);
    assert!(log(&sandbox).contains("error: "), "{}", log(&sandbox));
    let said = sandbox.run(&["db-schedule", "status"]);
    assert!(said.out.contains("- the scheduled backup has failed since"), "{said:#?}");
    fs_err::remove_file(sandbox.path("backups")).expect("removed");
    sandbox.ok(&["db-schedule", "run"]);
    assert!(told_texts(&sandbox)[1].contains("scheduled backups work again"));
}

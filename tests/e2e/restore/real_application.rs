//! The real application serving and writing while it is backed up and restored.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::museum::text;
use crate::support::sandbox::{Running, Sandbox, messages};
use crate::support::strace::complain;

/// The application, serving the sandbox's database.
struct Server {
    _running: Running,
    address: String,
}

/// The application's binary beside ours; prints a warning if it was not built.
pub(crate) fn backend() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("backend");
    if path.is_file() {
        return Some(path);
    }
    complain("SKIPPED: a test beside the real application needs `cargo build --package backend`");
    None
}

impl Server {
    /// Migrates the sandbox's database, serves it and starts session 1.
    fn start(sandbox: &Sandbox, backend: &Path, journal_mode: &str) -> Self {
        crate::support::museum::remove_live(sandbox);
        let live = sandbox.live();
        let migrated = sandbox.command(backend).arg("migrate").env("DATABASE_PATH", &live).output();
        let migrated = sandbox.said(&migrated.expect("the application runs"));
        assert_eq!(migrated.code, Some(0), "{migrated:#?}");
        let mut child = sandbox
            .command(backend)
            .args(["serve", "--port", "0", "--journal-mode", journal_mode])
            .env("DATABASE_PATH", &live)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the application runs");
        let mut announced = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut announced).expect("a line");
        let address = announced.trim().rsplit("http://").next().expect("an address");
        let server = Self { _running: Running(child), address: address.to_owned() };
        let (status, body) = ask(&server.address, "POST /sessions", r#"{"title": "a talk"}"#);
        assert_eq!((status, body.as_str()), (201, r#"{"id":1}"#));
        server
    }
}

/// Sends a request and returns the answer's status and body.
fn ask(address: &str, what: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("connected");
    let patience = Some(Duration::from_mins(1));
    stream.set_read_timeout(patience).expect("timeout");
    let request = format!(
        "{what} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status");
    (status.parse().expect("a number"), body.to_owned())
}

/// What a client posts, one message after the other, and which of them were acknowledged.
#[derive(Default)]
struct Client {
    stop: AtomicBool,
    acknowledged: Mutex<Vec<String>>,
}

impl Client {
    fn post_until_stopped(&self, address: &str) {
        let mut n = 0;
        while !self.stop.load(Ordering::Relaxed) {
            n += 1;
            let content = format!("message {n:06}");
            let body = format!(r#"{{"role": "user", "content": "{content}"}}"#);
            let (status, answer) = ask(address, "POST /sessions/1/messages", &body);
            match status {
                201 => self.acknowledged().push(content),
                // Locked longer than the application waits: not acknowledged, and said so.
                503 => {}
                _ => panic!("{status}: {answer}"),
            }
        }
    }

    fn acknowledged(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.acknowledged.lock().expect("the client is well")
    }

    fn n_acknowledged(&self) -> usize {
        self.acknowledged().len()
    }

    /// Waits until so many more messages were acknowledged.
    fn goes_on(&self, more: usize) {
        let wanted = self.n_acknowledged() + more;
        let began = std::time::Instant::now();
        while self.n_acknowledged() < wanted && !self.stop.load(Ordering::Relaxed) {
            let so_far = began.elapsed();
            assert!(so_far < std::time::Duration::from_mins(2), "the server acknowledges nothing");
            std::thread::yield_now();
        }
    }
}

/// Runs `act` beside a server and a client that posts meanwhile.
fn beside_a_client(
    journal_mode: &str,
    act: impl FnOnce(&Sandbox, &Client),
) -> Option<(Sandbox, Client, Server)> {
    let backend = backend()?;
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &backend, journal_mode);
    let client = Client::default();
    std::thread::scope(|scope| {
        let posting = scope.spawn(|| {
            // However the client ends, nobody waits for it in vain.
            let _stopped = Stops(&client.stop);
            client.post_until_stopped(&server.address);
        });
        let stops = Stops(&client.stop);
        client.goes_on(5);
        act(&sandbox, &client);
        client.goes_on(5);
        drop(stops);
        posting.join().expect("every answer was 201 or 503");
    });
    Some((sandbox, client, server))
}

/// Stops the client when it goes out of scope, also by a panic.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn backups_beside_a_client(journal_mode: &str) {
    let acted = beside_a_client(journal_mode, |sandbox, client| {
        for _ in 0..5 {
            let before = client.acknowledged().clone();
            let document = sandbox.json(&["db-backup", "--busy-timeout", "30"]);
            let after = client.n_acknowledged();
            let name = text(&document["backups"][0]["name"]);
            let held = messages(&sandbox.path("backups").join(name));
            let acknowledged = client.acknowledged().clone();
            assert!(held.starts_with(&before), "acknowledged before, and not in the backup");
            // One more may have been committed and not yet acknowledged.
            assert!(held.len() <= after + 1, "{} held, {after} acknowledged", held.len());
            let n = held.len().min(acknowledged.len());
            assert_eq!(held[..n], acknowledged[..n], "the backup holds no prefix");
            client.goes_on(3);
        }
        sandbox.ok(&["db-verify", "--all"]);
    });
    let Some((sandbox, client, server)) = acted else {
        return;
    };
    assert_eq!(messages(&sandbox.live()), *client.acknowledged());
    assert_eq!(ask(&server.address, "GET /health", "").0, 200);
}

#[test]
fn no_backup_beside_the_application_in_wal_mode_is_torn() {
    backups_beside_a_client("wal");
}

#[test]
fn no_backup_beside_the_application_in_rollback_mode_is_torn() {
    backups_beside_a_client("delete");
}

/// What was there after a restore beside the application.
struct Restored {
    backup: Vec<String>,
    safety: Vec<String>,
    live: Vec<String>,
    acknowledged: Vec<String>,
    /// So many of them were acknowledged when the restore had ended.
    at_end: usize,
}

fn restore_beside_a_client(journal_mode: &str) -> Option<Restored> {
    let (mut backup, mut safety, mut at_end) = (Vec::new(), Vec::new(), 0);
    let (sandbox, client, server) = beside_a_client(journal_mode, |sandbox, client| {
        let document = sandbox.json(&["db-backup", "--busy-timeout", "30"]);
        let path = |name| sandbox.path("backups").join(text(name));
        backup = messages(&path(&document["backups"][0]["name"]));
        client.goes_on(10);
        let document = sandbox.json(&["db-restore", "latest", "--yes", "--busy-timeout", "30"]);
        at_end = client.n_acknowledged();
        safety = messages(&path(&document["safety"]));
        client.goes_on(10);
    })?;
    assert_eq!(ask(&server.address, "GET /health", "").0, 200);
    sandbox.ok(&["db-verify", "--all"]);
    sandbox.ok(&["db-backup"]);
    Some(Restored {
        backup,
        safety,
        live: messages(&sandbox.live()),
        acknowledged: client.acknowledged().clone(),
        at_end,
    })
}

#[test]
fn no_message_acknowledged_after_a_restore_beside_the_application_is_lost() {
    for journal_mode in ["wal", "delete"] {
        let Some(restored) = restore_beside_a_client(journal_mode) else {
            return;
        };
        let later = &restored.acknowledged[restored.at_end..];
        assert!(later.len() >= 10);
        assert!(
            restored.live.starts_with(&restored.backup),
            "{journal_mode}: the backup is not there"
        );
        assert!(restored.live.ends_with(later), "{journal_mode}: some of {} are lost", later.len());
    }
}

#[test]
fn no_message_acknowledged_before_a_restore_beside_the_application_is_lost_to_its_safety_backup() {
    for journal_mode in ["wal", "delete"] {
        let Some(restored) = restore_beside_a_client(journal_mode) else {
            return;
        };
        let kept: BTreeSet<&String> = restored.live.iter().chain(&restored.safety).collect();
        let acknowledged = &restored.acknowledged;
        let lost: Vec<_> = acknowledged.iter().filter(|m| !kept.contains(m)).collect();
        assert!(
            lost.is_empty(),
            "{journal_mode}: {} of {} are neither live nor in the safety backup, from {:?}",
            lost.len(),
            acknowledged.len(),
            lost.first()
        );
    }
}

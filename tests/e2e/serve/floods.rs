//! Too much of something: connections, bytes, guesses, jobs.

use std::io::Write as _;
use std::net::TcpStream;

use crate::support::page_server::{PageServer, hold_backups, rest_of};
use crate::support::sandbox::Sandbox;
use crate::support::strace::complain;

/// How much memory a refused flood may cost.
const MAX_GROWTH_BYTES: u64 = 8 << 20;

/// Demands that something does not cost memory.
fn without_memory(server: &PageServer, flood: impl FnOnce()) {
    // What an ordinary request needs does not count.
    assert_eq!(server.get("/api/jobs").status, 200);
    let before = server.peak_bytes();
    flood();
    let (Some(before), Some(after)) = (before, server.peak_bytes()) else {
        complain("SKIPPED: no /proc to read the peak memory of the server from");
        return;
    };
    assert!(after < before + MAX_GROWTH_BYTES, "{before} bytes before, {after} after");
}

#[test]
fn a_hundred_slow_connections_keep_nobody_waiting() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let head = server.request("GET /api/jobs", &[&server.bearer()], "");
    let half = |n: usize| {
        let mut stream = server.connect();
        // Half a head, a head without its body, or nothing at all.
        let bytes = match n % 3 {
            0 => head[..head.len() / 2].to_owned(),
            1 => server.request("POST /api/backup/create", &["Content-Length: 9"], ""),
            _ => String::new(),
        };
        stream.write_all(bytes.as_bytes()).expect("sent");
        stream
    };
    let slow: Vec<TcpStream> = (0..100).map(half).collect();
    for _ in 0..10 {
        assert_eq!(server.get("/api/jobs").status, 200);
        assert_eq!(server.get("/api/backup/status").status, 200);
    }
    drop(slow);
    assert_eq!(server.get("/api/jobs").status, 200);
}

#[test]
fn more_connections_than_it_has_places_for_are_closed_and_it_goes_on() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    without_memory(&server, || {
        let mut slow: Vec<TcpStream> = (0..600).map(|_| server.connect()).collect();
        // The last ones have no place: they are closed at once, without an answer.
        let answer = rest_of(slow.last_mut().expect("one"));
        assert_eq!(answer.status, 0, "{answer:#?}");
    });
    // The places are free again when those before them are closed.
    let answered = (0..1_000).any(|_| {
        let mut stream = server.connect();
        let sent =
            stream.write_all(server.request("GET /api/jobs", &[&server.bearer()], "").as_bytes());
        sent.is_ok() && rest_of(&mut stream).status == 200
    });
    assert!(answered, "nobody is let in any more");
}

#[test]
fn a_body_of_a_gigabyte_is_refused_early() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let (bearer, json) = (server.bearer(), "Content-Type: application/json");
    let piece = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    without_memory(&server, || {
        for key in [&*bearer, "X: not let in"] {
            let headers = [key, json, "Content-Length: 1073741824"];
            let answer = server.ask("POST /api/backup/create", &headers, "");
            let expected = if key == bearer { 413 } else { 401 };
            assert_eq!(answer.status, expected, "{answer:#?}");
            let headers = [key, json, "Transfer-Encoding: chunked"];
            let mut stream = server.connect();
            let head = server.request("POST /api/backup/create", &headers, "");
            stream.write_all(head.as_bytes()).expect("sent");
            // The server closes the connection long before the end.
            let n_sent = (0..16 << 10).take_while(|_| stream.write_all(piece.as_bytes()).is_ok());
            let n_sent = n_sent.count();
            assert!(n_sent < 1 << 10, "{n_sent} pieces of 64 KiB were read");
        }
        let answer = server.post("/api/backup/create", &format!("{{}}{}", " ".repeat(1 << 20)));
        assert!([0, 413].contains(&answer.status), "{answer:#?}");
    });
    let log = server.log();
    assert!(log.contains("refused POST /api/backup/create: 413 the body is larger than"), "{log}");
    assert_eq!(server.get("/api/jobs").status, 200);
}

#[test]
fn a_token_is_not_found_by_ten_thousand_guesses_and_they_do_not_fill_the_log() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    without_memory(&server, || {
        let mut stream = server.connect();
        for guess in 0..10_000 {
            if guess % 100 == 0 {
                stream = server.connect();
            }
            let (head, headers) = match guess % 3 {
                0 => (format!("GET /open?t={guess:032x}"), String::new()),
                1 => {
                    ("GET /api/jobs".to_owned(), format!("Authorization: Bearer {guess:032x}\r\n"))
                }
                _ => (
                    "GET /".to_owned(),
                    format!("Cookie: xtask-db-{}={guess:032x}\r\n", server.port),
                ),
            };
            let host = format!("Host: localhost:{}", server.port);
            let request = format!("{head} HTTP/1.1\r\n{host}\r\n{headers}\r\n");
            stream.write_all(request.as_bytes()).expect("sent");
            let answer = crate::support::page_server::read_until(&mut stream, "}");
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        }
    });
    let log = server.log();
    assert!(log.lines().count() <= 60 && log.len() < 16 << 10, "{log}");
    assert!(server.printed().len() < 16 << 10);
    assert_eq!(server.get("/api/jobs").status, 200);
    server.browser();
}

#[test]
fn more_jobs_than_may_wait_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.configure("[workspace.metadata.db]\nbusy-timeout = \"1h\"");
    sandbox.backup();
    let lock = hold_backups(&sandbox);
    let server = PageServer::start(&sandbox);
    let first = server.job("/api/backup/create", "{}");
    server.wait_for(&first, "running");
    let answers: Vec<u16> =
        (0..40).map(|_| server.post("/api/backup/create", "{}").status).collect();
    let n_accepted = answers.iter().filter(|status| **status == 202).count();
    assert!((1..40).contains(&n_accepted) && answers.last() == Some(&503), "{answers:?}");
    let said = server.stop();
    assert_eq!(said.code, Some(0), "{said:#?}");
    drop(lock);
    assert_eq!(sandbox.backups().len(), 1);
}

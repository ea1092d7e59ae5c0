//! A stopping server: nothing acknowledged is lost, nothing is left behind.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::{fs, thread};

use rustix::process::Signal;
use serde_json::json;

use crate::sandbox::Sandbox;
use crate::server::Server;

#[test]
fn an_acknowledged_message_is_there_after_a_signal() {
    for (signal, options) in
        [(Signal::TERM, &[][..]), (Signal::INT, &[]), (Signal::TERM, &["--journal-mode", "delete"])]
    {
        let sandbox = Sandbox::migrated();
        let server = Server::start(&sandbox, options);
        let path = format!("/sessions/{}/messages", server.session("Last words"));
        let answer = server.post(&path, &json!({ "role": "user", "content": "Remember me." }));
        assert_eq!(answer.status, 201);
        server.signal(signal);
        assert_eq!(server.wait(), (Some(0), String::new()));

        // Closed in good order: all is in the one file, and nothing is beside it.
        let files = fs::read_dir(sandbox.root().join("backend/db")).unwrap().count();
        assert_eq!(files, 1);
        let kept: String = sandbox
            .connect()
            .query_row(
                "SELECT content FROM messages WHERE id = ?1",
                [answer.json["id"].as_i64()],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(kept, "Remember me.");
    }
}

#[test]
fn an_acknowledged_message_survives_a_kill() {
    let sandbox = Sandbox::migrated();
    let server = Server::start(&sandbox, &[]);
    let path = format!("/sessions/{}/messages", server.session("Cut short"));
    for number in 0..20 {
        let body = json!({ "role": "user", "content": format!("Message {number}") });
        assert_eq!(server.post(&path, &body).status, 201);
    }
    server.signal(Signal::KILL);
    assert_eq!(server.wait().0, None);

    let server = Server::start(&sandbox, &[]);
    assert_eq!(server.get("/messages/count").json["count"], 20);
    server.stop();
}

#[test]
fn idle_connections_do_not_hold_the_server_up() {
    let sandbox = Sandbox::migrated();
    let server = Server::start(&sandbox, &[]);
    let mut silent = TcpStream::connect(server.address()).unwrap();
    let mut kept_alive = TcpStream::connect(server.address()).unwrap();
    kept_alive.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut first = [0];
    kept_alive.read_exact(&mut first).unwrap();

    server.stop();
    let mut rest = Vec::new();
    kept_alive.read_to_end(&mut rest).unwrap();
    assert_eq!(silent.read(&mut first).unwrap_or(0), 0);
}

#[test]
fn every_message_acknowledged_while_stopping_is_kept() {
    let sandbox = Sandbox::migrated();
    let server = Server::start(&sandbox, &[]);
    let session = server.session("Busy");
    let address = server.address().to_owned();
    let (sender, receiver) = std::sync::mpsc::channel();
    let writer = thread::spawn(move || write_until_refused(&address, session, &sender));

    // Some were acknowledged, and the writer goes on while the signal comes.
    for _ in 0..5 {
        receiver.recv().unwrap();
    }
    server.stop();
    let acknowledged = writer.join().unwrap();
    let kept: i64 =
        sandbox.connect().query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
    // The answer to the very last one may have been cut off after its commit.
    assert!((acknowledged..=acknowledged + 1).contains(&kept), "{acknowledged} of {kept}");
}

/// Adds messages over one connection each; returns how many were acknowledged.
fn write_until_refused(address: &str, session: i64, told: &std::sync::mpsc::Sender<()>) -> i64 {
    let body = r#"{"role": "user", "content": "x"}"#;
    let request = format!(
        "POST /sessions/{session}/messages HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut acknowledged = 0;
    loop {
        let mut answer = String::new();
        let asked = TcpStream::connect(address).and_then(|mut stream| {
            stream.write_all(request.as_bytes())?;
            stream.read_to_string(&mut answer)
        });
        if asked.is_err() || !answer.starts_with("HTTP/1.1 201") {
            return acknowledged;
        }
        acknowledged += 1;
        // Nobody listens any more once the server was told to stop.
        let _ = told.send(());
    }
}

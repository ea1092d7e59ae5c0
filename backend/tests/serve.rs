//! `backend serve`: sessions and messages over HTTP.

use rusqlite::TransactionBehavior;
use serde_json::{Value, json};

use crate::http;
use crate::sandbox::Sandbox;
use crate::server::Server;

#[test]
fn a_talk_is_kept_in_order() {
    for options in [&[][..], &["--journal-mode", "delete"]] {
        let sandbox = Sandbox::migrated();
        let server = Server::start(&sandbox, options);
        assert_eq!(server.get("/health").json["status"], "ok");

        let session = server.session("First talk");
        let path = format!("/sessions/{session}/messages");
        for (role, content) in [("user", "Hello?"), ("assistant", "Hello! 🍵")] {
            let answer = server.post(&path, &json!({ "role": role, "content": content }));
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        let said: Vec<Value> = server.get(&path).json.as_array().unwrap().clone();
        assert_eq!((&said[0]["role"], &said[0]["content"]), (&json!("user"), &json!("Hello?")));
        assert_eq!(said[1]["content"], "Hello! 🍵");
        assert_eq!(server.get(&format!("{path}?limit=1")).json, json!([said[0]]));
        assert_eq!(server.get(&format!("{path}?after={}", said[0]["id"])).json, json!([said[1]]));
        assert_eq!(server.get("/messages/count").json, json!({ "count": 2 }));
        assert_eq!(server.get("/sessions").json[0]["title"], "First talk");
        server.stop();
    }
}

#[test]
fn the_journal_mode_is_the_one_asked_for() {
    let sandbox = Sandbox::migrated();
    for mode in ["delete", "wal"] {
        let server = Server::start(&sandbox, &["--journal-mode", mode]);
        let actual: String =
            sandbox.connect().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(actual, mode);
        server.stop();
    }
}

#[test]
fn bad_requests_are_answered_in_json() {
    let sandbox = Sandbox::seeded(1);
    let server = Server::start(&sandbox, &[]);
    let huge = format!(r#"{{"role": "user", "content": "{}"}}"#, "x".repeat(3_000_000));
    let long = format!(r#"{{"title": "{}"}}"#, "x".repeat(201));
    let check = |status: u16, method: &str, path: &str, body: &str| {
        let answer = http::ask(server.address(), method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert!(answer.json["error"].is_string(), "{answer:?}");
    };
    check(404, "GET", "/nowhere", "");
    check(405, "DELETE", "/sessions", "");
    check(404, "GET", "/sessions/99/messages", "");
    check(404, "POST", "/sessions/99/messages", r#"{"role": "user", "content": "x"}"#);
    check(400, "GET", "/sessions/one/messages", "");
    check(400, "GET", "/sessions/99999999999999999999/messages", "");
    check(400, "GET", "/sessions?limit=-1", "");
    check(400, "POST", "/sessions", "");
    check(400, "POST", "/sessions", "{");
    check(422, "POST", "/sessions", "{}");
    check(422, "POST", "/sessions", r#"{"title": 1}"#);
    check(400, "POST", "/sessions", r#"{"title": "  "}"#);
    check(400, "POST", "/sessions", &long);
    check(400, "POST", "/sessions", r#"{"title": "x", "persona_id": 99}"#);
    check(422, "POST", "/sessions", r#"{"title": "x", "persona": 1}"#);
    check(422, "POST", "/sessions/1/messages", r#"{"role": "robot", "content": "x"}"#);
    check(400, "POST", "/sessions/1/messages", r#"{"role": "user", "content": ""}"#);
    check(413, "POST", "/sessions/1/messages", &huge);
    check(400, "POST", "/memory", r#"{"topic": "x", "content": "x", "importance": 9}"#);
    check(400, "POST", "/memory", r#"{"topic": "x", "content": "x", "kind": "lie"}"#);
    check(400, "POST", "/memory", r#"{"topic": "x", "content": "x", "session_id": 99}"#);
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn a_locked_database_is_503_and_readers_go_on() {
    let sandbox = Sandbox::seeded(1);
    let server = Server::start(&sandbox, &[]);
    let mut connection = sandbox.connect();
    let lock = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let answer = server.post("/sessions", &json!({ "title": "x" }));
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json, json!({ "error": "the database is locked: try again" }));
    assert_eq!(server.get("/sessions").status, 200);

    lock.rollback().unwrap();
    assert_eq!(server.post("/sessions", &json!({ "title": "x" })).status, 201);
}

#[test]
fn a_taken_port_is_refused() {
    let sandbox = Sandbox::migrated();
    let server = Server::start(&sandbox, &[]);
    let port = server.address().rsplit(':').next().unwrap();
    let said = sandbox.run(&["serve", "--port", port]);
    assert_eq!(said.code, Some(1));
    let expected = format!("error: could not listen on `127.0.0.1:{port}`\n");
    assert!(said.stderr.starts_with(&expected), "{said:?}");
    assert_eq!(said.stdout, "");
}

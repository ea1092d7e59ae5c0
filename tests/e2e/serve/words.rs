//! Texts from a request become words of a command: as values only, never as options, and never obeyed by a terminal.

use serde_json::{Value, json};

use crate::support::page_server::PageServer;
use crate::support::sandbox::Sandbox;

fn create(server: &PageServer, body: &Value) -> Value {
    let job = server.job("/api/backup/create", &body.to_string());
    loop {
        let now = server.get(&job).json();
        if !now["ended_at"].is_null() {
            return now;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_label_is_a_label_whatever_is_in_it() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    for label in [
        "--pin",
        "-h",
        "--db=other",
        "$(touch x); `touch x` 'a' \"b\"",
        "<script>alert(1)</script>",
        "ä 好",
    ] {
        let job = create(&server, &json!({ "label": label }));
        assert_eq!(job["state"], "done", "{job:#}");
        let backup = &job["document"]["backups"][0];
        assert_eq!(
            (&backup["label"], &backup["pinned"]),
            (&json!(label), &json!(false)),
            "{job:#}"
        );
    }
    assert!(!sandbox.path("x").exists(), "a shell has run");
    let answer = server.get("/");
    assert!(!answer.body.contains("<script>alert"), "{answer:#?}");
}

#[test]
fn a_label_of_control_characters_is_treated_as_the_terminal_does() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    for label in ["\x1b[31mred", "a\nb", "a\u{202e}b", "\r"] {
        let expected = sandbox.json(&["db-backup", &format!("--label={label}")]);
        let job = create(&server, &json!({ "label": label }));
        if expected["error"].is_null() {
            assert_eq!(job["document"]["backups"][0]["label"], label, "{job:#}");
        } else {
            assert_eq!(job["problem"]["what"], expected["error"]["message"], "{job:#}");
        }
    }
    let printed = server.printed();
    assert!(!printed.contains('\x1b') && !printed.contains('\u{202e}'), "{printed:?}");
}

#[test]
fn the_name_of_a_database_is_never_an_option_of_the_command() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    for name in ["--help", "-", "--output=/tmp", "../kalito", "other"] {
        let body = json!({ "database": name }).to_string();
        if server.post("/api/backup/create", &body).status == 422 {
            continue;
        }
        let job = create(&server, &json!({ "database": name }));
        assert_eq!(job["state"], "failed", "{name}: {job:#}");
        let expected = sandbox.json(&["db-backup", &format!("--db={name}")]);
        assert_eq!(job["problem"]["what"], expected["error"]["message"], "{name}");
        assert_eq!(job["problem"]["hint"], expected["error"]["hint"], "{name}");
    }
    assert!(sandbox.backups().is_empty());
}

#[test]
fn a_value_that_cannot_be_a_word_of_a_command_is_refused_before_it_is_a_job() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    for label in ["a\0b".to_owned(), "a".repeat(200_000)] {
        let answer = server.post("/api/backup/create", &json!({ "label": label }).to_string());
        assert_eq!(answer.status, 422, "{answer:#?}");
        assert!(answer.json()["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{answer:#?}");
    }
    for body in [
        r#"{"labels":"a"}"#,
        r#"{"label":1}"#,
        r#"{"label":"a","label":"b"}"#,
        r#"{"pin":"true"}"#,
        "[]",
        "null",
        "{}{}",
        "{",
        &*"[".repeat(100_000),
        "\u{feff}{}",
    ] {
        let answer = server.post("/api/backup/create", body);
        assert_eq!(answer.status, 422, "{answer:#?}");
    }
    assert!(server.get("/api/jobs").body.contains("\"jobs\":[]"));
}

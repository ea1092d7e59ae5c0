//! Requests that two programs could read differently, and methods that no page needs.

use crate::support::page_server::PageServer;
use crate::support::sandbox::Sandbox;

const CREATE: &str = "POST /api/backup/create HTTP/1.1|Host: HOST|Connection: close|BEARER|Content-Type: application/json|";
const LOOK: &str = "GET /api/jobs HTTP/1.1|Host: HOST|Connection: close|BEARER|";

fn filled(server: &PageServer, request: &str) -> String {
    let host = format!("127.0.0.1:{}", server.port);
    request.replace("HOST", &host).replace("BEARER", &server.bearer()).replace('|', "\r\n")
}

#[test]
fn a_body_whose_end_is_not_certain_is_refused() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    for rest in [
        "Content-Length: 2|Content-Length: 5||{}xyz",
        "Content-Length: 2, 2||{}",
        "Content-Length: +2||{}",
        "Content-Length: 0x2||{}",
        "Content-Length: -1||{}",
        "Content-Length: 99999999999999999999||{}",
        "Transfer-Encoding: xchunked||2|{}|0||",
        "Transfer-Encoding: chunked, identity||2|{}|0||",
        "Transfer-Encoding : chunked||2|{}|0||",
        "Content-Length : 2||{}",
        "X: a| Transfer-Encoding: chunked||2|{}|0||",
    ] {
        let answer = server.send(filled(&server, &format!("{CREATE}{rest}")));
        assert_eq!(answer.status, 400, "{rest}: {answer:#?}");
    }
    // A chunk whose size cannot be read is found while the body is read.
    for chunk in ["-2|{}|0||", "2x|{}|0||", "fffffffffffffffff|{}|0||"] {
        let request = format!("{CREATE}Transfer-Encoding: chunked||{chunk}");
        let answer = server.send(filled(&server, &request));
        assert!((400..500).contains(&answer.status), "{chunk}: {answer:#?}");
    }
    server.wait_for_log(14);
    assert!(server.get("/api/jobs").body.contains("\"jobs\":[]"), "one of them was done");
}

#[test]
fn what_follows_a_refused_request_is_not_read_as_another_one() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let smuggled = filled(&server, &format!("{CREATE}Content-Length: 2||{{}}"));
    let host = format!("Host: 127.0.0.1:{}\r\n", server.port);
    for first in [
        format!(
            "POST / HTTP/1.1\r\n{host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: 3\r\nContent-Length: 0\r\n\r\n"),
        format!("GET /\r\n{host}\r\n"),
        format!("POST /nowhere HTTP/1.1\r\n{host}Content-Length: {}\r\n\r\n", smuggled.len() + 9),
    ] {
        let mut stream = server.connect();
        let _ = std::io::Write::write_all(&mut stream, format!("{first}{smuggled}").as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answer = crate::support::page_server::rest_of(&mut stream);
        assert!(!answer.head.contains(" 202 ") && !answer.body.contains("202 Accepted"), "{first}");
    }
    assert!(server.get("/api/jobs").body.contains("\"jobs\":[]"), "it was done");
}

#[test]
fn a_head_that_is_not_http_is_refused_and_written_down() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let many = "X: a|".repeat(100);
    let long = format!("X: {}|", "a".repeat(64 << 10));
    let long_path = format!("GET /{} HTTP/1.1|Host: HOST|BEARER||", "a".repeat(64 << 10));
    for (at, (statuses, request)) in [
        (&[400][..], format!("{LOOK}X: a| folded||")),
        (&[400], format!("{LOOK}X : a||")),
        (&[400], format!("{LOOK}X||")),
        (&[400], format!("{LOOK}X: a\0b||")),
        (&[400], format!("{LOOK}X: a\x01b||")),
        (&[400], "GET /\x7f HTTP/1.1|Host: HOST|BEARER||".to_owned()),
        (&[400], "GET /a\"<b> HTTP/1.1|Host: HOST|BEARER||".to_owned()),
        (&[400], "GET /api/jobs HTTP/1.2|Host: HOST|BEARER||".to_owned()),
        (&[400], "GET /api/jobs|Host: HOST|BEARER||".to_owned()),
        (&[400], " GET /api/jobs HTTP/1.1|Host: HOST|BEARER||".to_owned()),
        (&[400], "\x16\x03\x01\x02\0\x01||".to_owned()),
        (&[0, 400], "PRI * HTTP/2.0||SM||".to_owned()),
        (&[431], format!("{LOOK}{many}|")),
        (&[431], format!("{LOOK}{long}|")),
        (&[414, 431], long_path),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = server.send(filled(&server, &request));
        let start: String = request.chars().take(200).collect();
        assert!(statuses.contains(&answer.status), "{start:?}: {answer:#?}");
        server.wait_for_log(at + 1);
    }
    assert_eq!(server.get("/api/jobs").status, 200);
}

#[test]
fn a_method_that_a_route_does_not_know_does_nothing() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    for method in ["OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "CONNECT", "get", "PROPFIND"] {
        for path in ["/", "/api/jobs", "/api/backup/create", "/open"] {
            let line = format!("{method} {path}");
            let answer = server.ask(&line, &[&server.bearer(), "X-Secret: marker"], "");
            assert_eq!(answer.status, 405, "{line}: {answer:#?}");
            assert!(!answer.body.contains("marker"), "{answer:#?}");
        }
    }
    assert_eq!(server.ask("GET /api/backup/create", &[&server.bearer()], "").status, 405);
    assert_eq!(server.ask("POST /api/jobs", &[&server.bearer()], "").status, 405);
    // `HEAD` uses up no invitation.
    let (_, path) = server.url.split_once("/open").expect("an address");
    let answer = server.ask(&format!("HEAD /open{path}"), &[], "");
    assert_eq!(answer.status, 401, "{answer:#?}");
    let answer = server.ask("HEAD /api/jobs", &[&server.bearer()], "");
    assert!(answer.status == 200 && answer.body.is_empty(), "{answer:#?}");
    server.browser();
}

#[test]
fn a_long_or_odd_request_writes_one_short_line_into_the_log() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let flood = "X".repeat(9_000);
    for line in [
        format!("{flood} /"),
        format!("GET /{flood}"),
        "GET /%0a2025-09-13T14:25:30+02:00%20refused%20%1b%5b31m".to_owned(),
        "GET /a%0d%0aSet-Cookie:%20a=b".to_owned(),
        "GET /open?t=%0aforged".to_owned(),
    ] {
        let answer = server.ask(&line, &["X: forged"], "");
        assert_eq!(answer.status, 401, "{answer:#?}");
        assert_eq!(answer.header("set-cookie"), None, "{answer:#?}");
    }
    let written = server.log();
    assert_eq!(written.lines().count(), 5, "{written}");
    assert!(written.lines().all(|line| line.len() < 400), "{written}");
    assert!(!written.contains("forged") && !written.contains('\x1b'), "{written}");
    assert!(!server.printed().contains('\x1b'));
}

//! DNS rebinding: only a `Host` that is literally one of ours is answered, on every route.

use crate::support::page_server::PageServer;
use crate::support::sandbox::Sandbox;

/// Heads that name another host, or none, or two; `PORT` and `TOKEN` are the server's.
const HEADS: [&str; 14] = [
    "GET /api/jobs HTTP/1.1|Host: evil:PORT",
    "GET /api/jobs HTTP/1.1|Host: localhost.evil:PORT",
    "GET /api/jobs HTTP/1.1|Host: 127.0.0.1.nip.io:PORT",
    "GET /api/jobs HTTP/1.1|Host: 127.0.0.1",
    "GET /api/jobs HTTP/1.1|Host: 127.0.0.1:PORT.evil",
    "GET /api/jobs HTTP/1.1|Host: evil@127.0.0.1:PORT",
    "GET /api/jobs HTTP/1.1|Host: 0.0.0.0:PORT",
    "GET /api/jobs HTTP/1.1|Host: [::ffff:127.0.0.1]:PORT",
    "GET http://127.0.0.1:PORT/api/jobs HTTP/1.1|Host: 127.0.0.1:PORT",
    "GET http://evil/api/jobs HTTP/1.1|Host: 127.0.0.1:PORT",
    "GET /api/jobs HTTP/1.1|Host: 127.0.0.1:PORT|Host: evil",
    "GET /api/jobs HTTP/1.1|Host: evil|Host: 127.0.0.1:PORT",
    "GET /api/jobs HTTP/1.1|X-Forwarded-Host: 127.0.0.1:PORT",
    "GET /api/jobs HTTP/1.0",
];

#[test]
fn a_request_that_names_another_host_is_refused_on_every_route_and_written_down() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let port = server.port.to_string();
    for (at, head) in HEADS.iter().enumerate() {
        let head = head.replace("PORT", &port).replace('|', "\r\n");
        let head = format!("{head}\r\nConnection: close\r\n{}\r\n\r\n", server.bearer());
        let answer = server.send(&head);
        assert_eq!(answer.status, 421, "{head}: {answer:#?}");
        assert_eq!(answer.json()["what"], "the request names another host", "{head}");
        assert_eq!(server.log().lines().count(), at + 1, "{head}: {}", server.log());
    }
    for path in ["/", "/open?t=0", "/assets/style.css", "/api/backup/status", "/nowhere"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: evil:{port}\r\nConnection: close\r\n\r\n");
        assert_eq!(server.send(head).status, 421, "{path}");
    }
    let head = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    assert_eq!(server.send(head).status, 421);
    assert!(server.log().contains("refused GET /api/jobs: 421 the request names another host"));
    assert!(!server.log().contains(&server.token), "{}", server.log());
}

#[test]
fn each_of_our_own_names_is_answered() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    for name in ["127.0.0.1", "localhost", "[::1]"] {
        let head = format!("GET /api/jobs HTTP/1.1\r\nHost: {name}:{}\r\n", server.port);
        let head = format!("{head}Connection: close\r\n{}\r\n\r\n", server.bearer());
        assert_eq!(server.send(head).status, 200, "{name}");
    }
    assert_eq!(server.log(), "");
}

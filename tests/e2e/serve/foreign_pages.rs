//! What a page of another site, or of another port of this machine, can make a browser send.

use crate::support::page_server::{Answer, PageServer};
use crate::support::sandbox::Sandbox;

/// A request of a browser that was let in.
fn browse(server: &PageServer, line: &str, headers: &[&str], body: &str) -> Answer {
    server.ask(line, headers, body)
}

#[test]
fn a_form_or_a_script_of_another_page_changes_nothing() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let cookie = server.browser();
    let ours = format!("Origin: http://127.0.0.1:{}", server.port);
    let neighbour = format!("Origin: http://127.0.0.1:{}", server.port ^ 1);
    let same_with_tls = format!("Origin: https://127.0.0.1:{}", server.port);
    let longer = format!("{ours}.evil");
    let create = "POST /api/backup/create";
    let json = "Content-Type: application/json";
    let mut n_refused = 0;
    for from in [
        &["Origin: http://evil"][..],
        &["Origin: null"],
        &[],
        &[&*neighbour],
        &[&*same_with_tls],
        &[&*longer],
        &["Referer: http://127.0.0.1/"],
        &[&*ours, "Sec-Fetch-Site: cross-site"],
        &[&*ours, "Sec-Fetch-Site: same-site"],
        &[&*ours, "Sec-Fetch-Site: none"],
        &["Origin: http://evil", &*ours],
    ] {
        for kind in
            [json, "Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded"]
        {
            let headers = [&[&*cookie, kind], from].concat();
            let answer = browse(&server, create, &headers, "{}");
            assert_eq!(answer.status, 403, "{headers:?}: {answer:#?}");
            n_refused += 1;
        }
    }
    assert_eq!(server.log().matches("403 the request comes from another page").count(), n_refused);
    assert_eq!(server.get("/api/jobs").json()["jobs"].as_array().expect("jobs").len(), 0);
    assert!(sandbox.backups().is_empty());
    let form = "Content-Type: application/x-www-form-urlencoded";
    for path in ["/do/backup", "/do/verify", "/do/pin", "/do/label", "/do/restore", "/do/prune"] {
        let line = format!("POST {path}");
        for from in ["Origin: http://evil", "Origin: null", "X: none"] {
            let answer = browse(&server, &line, &[&*cookie, form, from], "name=a&all=1");
            assert_eq!(answer.status, 403, "{path} {from}: {answer:#?}");
        }
    }
    let headers = [&*cookie, json, &*ours, "Sec-Fetch-Site: same-origin"];
    assert_eq!(browse(&server, create, &headers, "{}").status, 202);
}

#[test]
fn json_that_a_form_could_send_is_refused_from_our_own_page_too() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let cookie = server.browser();
    let ours = format!("Origin: http://127.0.0.1:{}", server.port);
    for kind in ["text/plain", "text/plain; application/json", "multipart/form-data", ""] {
        let kind = format!("Content-Type: {kind}");
        let answer = browse(&server, "POST /api/backup/create", &[&*cookie, &*ours, &*kind], "{}");
        assert_eq!(answer.status, 415, "{kind}: {answer:#?}");
    }
    let answer = browse(&server, "POST /api/backup/create", &[&*cookie, &*ours], "{}");
    assert_eq!(answer.status, 415, "{answer:#?}");
    assert_eq!(server.log().matches(" 415 ").count(), 5, "{}", server.log());
    assert_eq!(server.get("/api/jobs").json()["jobs"].as_array().expect("jobs").len(), 0);
}

#[test]
fn a_page_of_another_site_reads_nothing_and_gets_nothing_it_may_read() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let cookie = server.browser();
    for site in ["cross-site", "same-site"] {
        let headers = [&*cookie, &format!("Sec-Fetch-Site: {site}")];
        for path in ["/", "/api/jobs", "/api/backup/status"] {
            assert_eq!(browse(&server, &format!("GET {path}"), &headers, "").status, 403, "{site}");
        }
    }
    let foreign = ["Origin: http://evil", &*server.bearer()];
    assert_eq!(browse(&server, "GET /api/jobs", &foreign, "").status, 403);
    let preflight = [
        "Origin: http://evil",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Private-Network: true",
    ];
    let answer = browse(&server, "OPTIONS /api/backup/create", &preflight, "");
    assert!(answer.status >= 400, "{answer:#?}");
    assert!(!answer.head.to_lowercase().contains("access-control-"), "{answer:#?}");
}

#[test]
fn the_address_with_the_token_is_referred_to_nobody() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let token = server.url.rsplit_once('/').expect("an address").1.to_owned();
    for address in ["GET /open?t=0".to_owned(), format!("GET /{token}")] {
        let answer = browse(&server, &address, &[], "");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:#?}");
    }
}

#[test]
fn every_answer_forbids_frames_and_referrers_and_foreign_content() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let cookie = server.browser();
    let evil = format!("GET / HTTP/1.1\r\nHost: evil:{}\r\nConnection: close\r\n\r\n", server.port);
    let json = [&*server.bearer(), "Content-Type: application/json"];
    for (status, answer) in [
        (200, browse(&server, "GET /", &[&cookie], "")),
        (200, server.get("/api/jobs")),
        (200, server.get("/api/backup/status")),
        (400, server.get("/api/jobs/%ff")),
        (401, browse(&server, "GET /", &[], "")),
        (403, browse(&server, "POST /api/backup/create", &[&cookie], "")),
        (404, server.get("/nowhere")),
        (404, server.get("/assets/nothing")),
        (404, server.get("/api/jobs/none/events")),
        (405, browse(&server, "DELETE /api/jobs", &[&server.bearer()], "")),
        (415, browse(&server, "POST /api/backup/create", &[&server.bearer()], "")),
        (421, server.send(evil)),
        (422, browse(&server, "POST /api/backup/create", &json, "[")),
    ] {
        assert_eq!(answer.status, status, "{answer:#?}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none';"), "{answer:#?}");
        assert!(policy.contains("frame-ancestors 'none'"), "{answer:#?}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            // With `no-referrer`, browsers send the forms of our own pages with `Origin: null`.
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:#?}");
        }
        if status >= 400 {
            let kind = Some("application/problem+json");
            assert_eq!(answer.header("content-type"), kind, "{answer:#?}");
            let problem = answer.json();
            assert!(problem["what"].is_string() && problem["hint"].is_string(), "{problem:#}");
        }
    }
}

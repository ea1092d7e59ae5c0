//! Who is let in: one browser by the printed address, scripts by a token in a file of the owner's.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::support::page_server::PageServer;
use crate::support::sandbox::{Running, Sandbox};

#[test]
fn the_printed_address_lets_one_browser_in_once() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let (_, path) = server.url.split_once(&server.port.to_string()).expect("an address");
    let line = format!("GET {path}");
    assert_eq!(server.ask("GET /", &[], "").status, 401);
    let answer = server.ask(&line, &[], "");
    assert_eq!(answer.status, 200, "{answer:#?}");
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    let (pair, flags) = cookie.split_once("; ").expect("flags");
    assert_eq!(flags, "Path=/; HttpOnly; SameSite=Strict");
    let (name, value) = pair.split_once('=').expect("a value");
    assert_eq!(name, format!("xtask-db-{}", server.port));
    assert!(value.len() == 32 && value.chars().all(|c| c.is_ascii_hexdigit()), "{value}");
    assert_eq!(server.ask("GET /", &[&format!("Cookie: {pair}")], "").status, 200);
    // The token of the address may be in a history, a Referer or a log: it opens nothing any more.
    let (_, used) = path.split_once('=').expect("a token");
    let referer = format!("Referer: {}", server.url);
    for (line, headers) in [
        (&*line, &[][..]),
        ("GET /", &[&*referer]),
        ("GET /", &[&*format!("Cookie: {name}={used}")]),
        ("GET /", &[&*format!("Authorization: Bearer {used}")]),
    ] {
        let answer = server.ask(line, headers, "");
        assert_eq!(answer.status, 401, "{line} {headers:?}");
        assert!(!answer.body.contains(value) && !answer.body.contains(used), "{answer:#?}");
    }
    let log = server.log();
    assert_eq!(log.matches(": 401 ").count(), 5, "{log}");
    for secret in [used, value, &server.token] {
        assert!(!log.contains(secret), "{log}");
    }
    let printed = server.printed();
    assert!(printed.contains("A browser was let in. For another one: http://127.0.0.1:"));
}

#[test]
fn a_cookie_lets_in_only_if_it_is_ours_whole_and_by_its_name() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let cookie = server.browser();
    let pair = cookie.strip_prefix("Cookie: ").expect("a cookie");
    let (name, value) = pair.split_once('=').expect("a value");
    let upper = value.to_uppercase();
    for (status, given) in [
        (200, pair.to_owned()),
        (200, format!("a=b;{pair};c")),
        (200, format!("{name}=wrong; {pair}")),
        (401, format!("{name}=\"{value}\"")),
        (401, format!("{name}={value}0")),
        (401, format!("{name}={}", &value[1..])),
        (401, format!("{name}=")),
        (401, format!("other={value}")),
        (401, format!("other-{pair}")),
        (401, format!("a=b,{pair}")),
        (401, format!("{name}={upper}g")),
    ] {
        let answer = server.ask("GET /api/jobs", &[&format!("Cookie: {given}")], "");
        assert_eq!(answer.status, status, "{given}: {answer:#?}");
    }
    assert_eq!(server.ask("GET /api/jobs", &["Cookie: a=b", &cookie], "").status, 200);
    assert!(!server.log().contains(value), "{}", server.log());
}

#[test]
fn a_script_is_let_in_by_the_token_of_a_file_that_only_its_owner_reads() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let mode = fs_err::metadata(server.folder.join("token")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = &server.token;
    for (status, header) in [
        (200, format!("Authorization: Bearer {token}")),
        (401, format!("Authorization: bearer {token}x")),
        (401, format!("Authorization: Basic {token}")),
        (401, format!("Authorization: {token}")),
        (401, "Authorization: Bearer".to_owned()),
        (401, format!("Cookie: xtask-db-{}={token}", server.port)),
    ] {
        assert_eq!(server.ask("GET /api/jobs", &[&header], "").status, status, "{header}");
    }
    assert_eq!(server.ask(&format!("GET /open?t={token}"), &[], "").status, 401);
    assert_eq!(server.ask(&format!("GET /api/jobs?token={token}"), &[], "").status, 401);
    assert!(!server.log().contains(&**token), "{}", server.log());
    assert!(!server.printed().contains(&**token), "{}", server.printed());
}

#[test]
fn a_project_has_one_page_at_a_time_and_new_keys_at_each_start() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    let said = sandbox.fails(2, &["db-serve", "--port", "0"]);
    assert!(said.err.contains("error: the page of this project is served already, by process "));
    assert!(said.err.contains("hint: open the address that it printed, or end it with Ctrl-C"));
    let (url, token, cookie) = (server.url.clone(), server.token.clone(), server.browser());
    assert_eq!(server.get("/api/jobs").status, 200, "the first one was disturbed");
    assert_eq!(server.stop().code, Some(0));
    let server = PageServer::start(&sandbox);
    let (_, path) = url.rsplit_once('/').expect("an address");
    for (line, header) in [
        (&*format!("GET /{path}"), "Accept: */*"),
        ("GET /", &cookie),
        ("GET /", &*format!("Authorization: Bearer {token}")),
    ] {
        assert_eq!(server.ask(line, &[header], "").status, 401, "{line} {header}");
    }
    assert_eq!(server.get("/api/jobs").status, 200);
}

#[test]
fn a_port_that_is_taken_is_refused_and_another_one_is_found() {
    let sandbox = Sandbox::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let said = sandbox.fails(2, &["db-serve", "--port", &port]);
    assert!(said.err.contains(&format!("error: port {port} cannot be used: ")), "{said:#?}");
    assert!(said.err.contains("hint: choose another one with `--port`, or any free one"));
    assert_eq!(said.out, "");
}

#[test]
fn with_json_the_address_the_port_and_the_token_file_are_one_document() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.xtask(&["db-serve", "--port", "0", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut running = Running(child.expect("the binary runs"));
    let stdout = running.0.stdout.take().expect("a pipe");
    let mut documents = serde_json::Deserializer::from_reader(stdout).into_iter();
    let document: serde_json::Value = documents.next().expect("a document").expect("json");
    assert_eq!(document["version"], 1, "{document:#}");
    let start = format!("http://127.0.0.1:{}/open?t=", document["port"]);
    assert!(document["url"].as_str().expect("an address").starts_with(&start), "{document:#}");
    let file = document["token_file"].as_str().expect("a path");
    assert_eq!(fs_err::read_to_string(file).expect("a token").trim_end().len(), 32);
}

//! URLs as people and their libraries write them.

use std::ffi::OsStr;

use super::*;

const MARKER: &str = "hunter2marker";

fn variable(server: &Server, name: &str) -> Option<String> {
    let all = server.environment();
    let (_, value) = all.into_iter().find(|(known, _)| *known == name)?;
    value.map(|value| value.to_string_lossy().into_owned())
}

#[test]
fn a_url_means_what_libpq_reads_in_it() {
    for (url, place, user, password) in [
        ("postgres://localhost/app", "localhost:5432/app", None, None),
        ("postgresql://u:p@h:6543/app", "h:6543/app", Some("u"), Some("p")),
        ("postgres://u@h/app", "h:5432/app", Some("u"), None),
        ("postgres://u:a%40b%3Ac%2F@h/app", "h:5432/app", Some("u"), Some("a@b:c/")),
        ("postgres://u:a@b@h/app", "h:5432/app", Some("u"), Some("a@b")),
        ("postgres:///app", "localhost:5432/app", None, None),
        ("postgres://%2Fvar%2Frun%2Fpostgresql/app", "/var/run/postgresql:5432/app", None, None),
        (
            "postgres:///app?host=/tmp&port=5433&user=u&password=p",
            "/tmp:5433/app",
            Some("u"),
            Some("p"),
        ),
        ("postgres://[::1]:5433/app", "[::1]:5433/app", None, None),
        ("postgres://h?dbname=app", "h:5432/app", None, None),
        ("postgres://h/my%20app", "h:5432/my app", None, None),
        ("postgresql+asyncpg://u@h/app", "h:5432/app", Some("u"), None),
        ("POSTGRES://h/app", "h:5432/app", None, None),
        (
            "postgres://h/app?schema=public&pgbouncer=true&connection_limit=1&statement-cache-capacity=0",
            "h:5432/app",
            None,
            None,
        ),
    ] {
        let server = Server::parse(url).expect(url);
        assert_eq!(server.place(), place, "{url}");
        assert_eq!(variable(&server, "PGUSER").as_deref(), user, "{url}");
        assert_eq!(variable(&server, "PGPASSWORD").as_deref(), password, "{url}");
        assert_eq!(server.has_password(), password.is_some(), "{url}");
    }
}

#[test]
fn a_command_gets_the_url_as_it_was_written_with_another_database() {
    for (url, expected) in [
        (
            "postgres://u:hunter2marker%40@h:1/app?schema=a&sslmode=require",
            "postgres://u:hunter2marker%40@h:1/new%20one?schema=a&sslmode=require",
        ),
        ("postgresql+asyncpg://h?dbname=app&pool=3", "postgresql+asyncpg://h/new%20one?pool=3"),
        ("postgres:///app?host=/tmp#end", "postgres:///new%20one?host=/tmp"),
    ] {
        let server = Server::parse(url).expect(url).with_database("new one");
        assert_eq!(server.url(), expected);
        assert_eq!(Server::parse(&server.url()).expect(url), server);
        assert!(!format!("{server:?}").contains(MARKER));
    }
}

#[test]
fn what_is_not_understood_is_refused_without_showing_a_secret() {
    for (url, expected) in [
        ("mysql://u:hunter2marker@h/app", "the URL does not begin with `postgres://`"),
        ("postgres://u:hunter2marker@h/", "the URL names no database"),
        ("postgres://u:hunter2marker@h:port/app", "the URL has no valid port"),
        ("postgres://u:hunter2marker@h:0/app", "the URL has no valid port"),
        ("postgres://u:hunter2marker%@h/app", "the URL has a `%` that does not begin an escape"),
        ("postgres://u:hunter2marker%ff@h/app", "the URL has a `%` that does not begin an escape"),
        ("postgres://u:hunter2marker@a,b/app", "the URL names several hosts"),
        ("postgres://u:hunter2marker@h/a%00b", "the URL contains the byte 0"),
        (
            "postgres://u:hunter2marker@h/app?sslmod=require",
            "the URL has a parameter `sslmod` that is not known here: did you mean `sslmode`?",
        ),
        ("postgres://u:x?hunter2marker!@h/app", "the URL has no valid port"),
        ("postgres://h/a?hunter2marker!@h/app", "the URL has a parameter that is not known here"),
        (
            "postgres://u:hunter2marker@h/app?service=x",
            "the URL has a parameter `service` that is not known here",
        ),
        ("postgres://u:hunter2marker@[::1/app", "the URL has a `[` without a `]`"),
    ] {
        let error = Server::parse(url).expect_err(url);
        assert_eq!(error.to_string(), expected, "{url}");
        assert!(!format!("{error:?}").contains(MARKER), "{url}");
    }
}

#[test]
fn no_formatter_shows_the_password() {
    let server = Server::parse("postgres://u:hunter2marker@h/app").expect("a server");
    let shown = format!("{server:?} {server:#?} {}", server.place());
    assert!(!shown.contains(MARKER), "{shown}");
    assert_eq!(variable(&server, "PGPASSWORD").as_deref(), Some(MARKER));
}

#[test]
fn what_would_lead_a_client_elsewhere_is_removed() {
    let server = Server::parse("postgres://h/app?sslmode=verify-full&ssl=0").expect("a server");
    let all = server.environment();
    for name in ["PGSERVICE", "PGHOSTADDR", "PGOPTIONS", "PGUSER", "PGCLIENTENCODING"] {
        assert!(all.contains(&(name, None)), "{name}");
    }
    assert!(all.contains(&("PGHOST", Some("h".into()))));
    assert!(all.contains(&("PGSSLMODE", Some(OsStr::new("disable").to_owned()))));
    assert!(!all.iter().any(|(name, _)| ["PGPASSFILE", "PGPASSWORD", "HOME"].contains(name)));
}

#[test]
fn only_this_machine_is_loopback() {
    for (url, expected) in [
        ("postgres://localhost/a", true),
        ("postgres://127.1.2.3/a", true),
        ("postgres://[::1]/a", true),
        ("postgres:///a", true),
        ("postgres://%2Ftmp/a", true),
        ("postgres://localhost.example/a", false),
        ("postgres://10.0.0.1/a", false),
        ("postgres://localhost/a?hostaddr=10.0.0.1", false),
        ("postgres://h/a?hostaddr=127.0.0.1", true),
    ] {
        assert_eq!(Server::parse(url).expect(url).is_loopback(), expected, "{url}");
    }
}

#[test]
fn another_database_is_on_the_same_server() {
    let server = Server::parse("postgres://u:p@h/app").expect("a server").with_database("b");
    assert_eq!(server.place(), "h:5432/b");
    assert_eq!(variable(&server, "PGDATABASE").as_deref(), Some("b"));
    assert_eq!(variable(&server, "PGPASSWORD").as_deref(), Some("p"));
}

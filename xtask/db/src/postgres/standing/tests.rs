//! What a real server is, and what it refuses.

use std::collections::BTreeMap;

use super::*;
use crate::postgres::standing::fit::Needs;
use crate::postgres::tests::server::{EVERYTHING, PASSWORD, TestServer, server};

fn look_at(server: &TestServer, url: &str) -> Standing {
    let place = Server::parse(url).expect("a URL");
    look(&place, &server.programs(), &Interrupt::default()).expect("a look")
}

#[test]
fn a_database_is_described() {
    let Some(server) = server() else { return };
    let interrupt = Interrupt::default();
    let place = server.create("described");
    server.sql(&place.database, EVERYTHING);
    let tools = server.tools();
    let mut other = Psql::connect(&place, &tools, &interrupt).expect("a session");
    other.run("BEGIN; SELECT 1;").expect("begun");
    let facts = found(&place, &server.programs(), &interrupt).expect("facts");
    assert_eq!((facts.major, facts.encoding.as_str()), (15, "UTF8"));
    assert_eq!((facts.locale_provider.as_str(), facts.locale.as_str()), ("libc", "C.UTF-8"));
    assert!(facts.is_owner && facts.can_create && facts.is_superuser);
    assert!(!facts.is_standby && !facts.is_template && !facts.has_foreign_passwords);
    assert!(facts.extensions.contains_key("hstore") && facts.size_bytes > 1_000_000);
    let session = facts.sessions.iter().find(|s| s.state.as_deref() == Some("idle in transaction"));
    assert_eq!(session.expect("the other").application, "xtask-db");
}

#[test]
fn what_prevents_a_connection_is_told_apart() {
    let Some(server) = server() else { return };
    let url = server.url("postgres");
    assert!(matches!(look_at(server, &server.url("no_such")), Standing::Missing));
    let wrong = look_at(server, &url.replace(PASSWORD, "wrong2marker"));
    assert!(matches!(&wrong, Standing::Denied(_)), "{wrong:?}");
    let shown = format!("{:?}", wrong.refusal(&Server::parse(&url).expect("a URL")));
    assert!(
        !shown.contains("2marker") && shown.contains("password authentication failed"),
        "{shown}"
    );
    let none = look_at(server, &url.replace(&format!(":{PASSWORD}"), ""));
    assert!(matches!(none, Standing::Denied(_)), "{none:?}");
    let nowhere = look_at(server, "postgres://u:hunter2marker@127.0.0.1:1/app");
    assert!(
        matches!(&nowhere, Standing::Unreachable(why) if why.contains("refused")),
        "{nowhere:?}"
    );
    let unknown = look_at(server, "postgres://u:hunter2marker@no-such-host.invalid/app");
    assert!(matches!(unknown, Standing::Unreachable(_)), "{unknown:?}");
    let closed = server.create("closed").database;
    server.sql("postgres", &format!("ALTER DATABASE {closed} ALLOW_CONNECTIONS false;"));
    assert!(matches!(look_at(server, &server.url(&closed)), Standing::Closed));
}

#[test]
fn missing_roles_and_extensions_are_named() {
    let Some(server) = server() else { return };
    let interrupt = Interrupt::default();
    let (place, tools) = (server.database("postgres"), server.tools());
    let mut psql = Psql::connect(&place, &tools, &interrupt).expect("a session");
    let extensions = BTreeMap::from([("hstore".to_owned(), "1".to_owned())]);
    let roles = ["postgres".to_owned()];
    fit::check(&mut psql, &Needs { extensions: &extensions, roles: &roles }).expect("fits");
    let more = ["postgres".to_owned(), "it's gone".to_owned()];
    let refused = fit::check(&mut psql, &Needs { extensions: &extensions, roles: &more });
    assert!(refused.expect_err("refused").to_string().ends_with("have: `it's gone`"));
    let more = BTreeMap::from([("postgis".to_owned(), "3".to_owned())]);
    let refused = fit::check(&mut psql, &Needs { extensions: &more, roles: &roles });
    assert!(refused.expect_err("refused").to_string().contains("`postgis`"));
}

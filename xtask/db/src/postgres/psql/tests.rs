//! Sessions with a real server.

use serde::Deserialize;

use super::*;
use crate::postgres::tests::server::{PASSWORD, server};
use crate::postgres::trouble::Trouble;

#[derive(Debug, Deserialize, PartialEq)]
struct Answer {
    id: i64,
    name: Option<String>,
}

#[test]
fn rows_come_back_as_they_are() {
    let Some(server) = server() else { return };
    let interrupt = Interrupt::default();
    let place = server.database("postgres");
    let mut psql = Psql::connect(&place, &server.tools(), &interrupt).expect("a session");
    let query = "SELECT 1 AS id, E'a\\nb\\\\!\"' AS name UNION ALL SELECT 2, NULL ORDER BY 1";
    let rows: Vec<Answer> = psql.rows(query).expect("rows");
    let named = Answer { id: 1, name: Some("a\nb\\!\"".to_owned()) };
    assert_eq!(rows, [named, Answer { id: 2, name: None }]);
    assert!(psql.rows::<Answer>("SELECT 1 AS id WHERE false").expect("none").is_empty());
    psql.close().expect("an end");
}

#[test]
fn a_long_answer_comes_whole() {
    let Some(server) = server() else { return };
    let interrupt = Interrupt::default();
    let place = server.database("postgres");
    let mut psql = Psql::connect(&place, &server.tools(), &interrupt).expect("a session");
    let mut n_bytes = 0;
    let sql = "COPY (SELECT pg_catalog.repeat('x', 99) FROM generate_series(1, 50000)) TO STDOUT;";
    psql.ask(sql, &mut |bytes| {
        n_bytes += bytes.len();
        Ok(())
    })
    .expect("an answer");
    assert_eq!(n_bytes, 5_000_000);
    // Both sides have more to write than a pipe takes.
    let lines = "x\n".repeat(200_000);
    psql.run("CREATE TEMP TABLE t (a text);").expect("a table");
    psql.send(b"COPY t FROM stdin;\n").expect("sent");
    psql.send(lines.as_bytes()).expect("sent");
    psql.send(b"\\.\n").expect("sent");
    psql.settle().expect("settled");
    let count: Answer = psql.row("SELECT count(*) AS id, NULL AS name FROM t").expect("a row");
    assert_eq!(count.id, 200_000);
}

#[test]
fn the_first_error_ends_the_session_and_undoes_what_it_did() {
    let Some(server) = server() else { return };
    let interrupt = Interrupt::default();
    let place = server.create("undone");
    let mut psql = Psql::connect(&place, &server.tools(), &interrupt).expect("a session");
    psql.run("BEGIN; CREATE TABLE public.t (a int);").expect("a table");
    let error = psql.run("SELECT * FROM nothing; COMMIT;").expect_err("an error");
    let trouble = error.downcast_ref::<Trouble>().expect("the server's");
    assert!(trouble.is("42P01"), "{trouble:?}");
    let tables = server.text(&place.database, "SELECT to_regclass('public.t') IS NULL;");
    assert_eq!(tables, "t");
}

#[test]
fn a_wrong_password_is_reported_without_it() {
    let Some(server) = server() else { return };
    let interrupt = Interrupt::default();
    let url = server.url("postgres").replace(PASSWORD, "wrong2marker");
    let place = Server::parse(&url).expect("a URL");
    let failed = Psql::connect(&place, &server.tools(), &interrupt).map(drop);
    let error = format!("{:?}", failed.expect_err("refused"));
    assert!(error.contains("password authentication failed"), "{error}");
    assert!(!error.contains("wrong2marker"), "{error}");
}

#[test]
fn an_interrupt_ends_what_the_server_does() {
    let Some(server) = server() else { return };
    let interrupt = Interrupt::default();
    let place = server.create("interrupted");
    let mut psql = Psql::connect(&place, &server.tools(), &interrupt).expect("a session");
    let began = std::time::Instant::now();
    interrupt.raise();
    assert!(psql.run("SELECT pg_sleep(30);").is_err());
    drop(psql);
    assert!(began.elapsed().as_secs() < 10);
    let active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND datname = ";
    let active = server.text("postgres", &format!("{active}'{}';", place.database));
    assert_eq!(active, "0");
}

//! Scratch databases.

use super::*;
use crate::postgres::psql::Psql;
use crate::postgres::scratch::Scratch;

#[test]
fn a_scratch_database_is_proved_and_goes_with_its_value() {
    let Some(world) = World::create("drilled", EVERYTHING) else { return };
    world.sql(FAILED_BRANCH);
    let scratch = Scratch::from_backup(world.place(), &world.source()).expect("a scratch database");
    assert_eq!(scratch.prove(&world.source()).expect("proved"), Proved::Whole);
    assert_eq!(world.databases().len(), 2);
    // It is at work, and nobody else drops it.
    let left = settle(world.place()).expect("settled");
    assert_eq!((left.dropped.len(), left.busy.len()), (0, 1));
    world.server.sql(&scratch.server().database, "DELETE FROM posts WHERE id > 480;");
    let differs = scratch.prove(&world.source()).expect_err("another content");
    assert!(
        format!("{differs:#}").contains("`public.posts` has 480 rows instead of 499"),
        "{differs:#}"
    );
    drop(scratch);
    assert_eq!(world.databases(), [&*world.place.database]);
}

#[test]
fn a_copy_by_template_needs_a_database_that_nobody_uses() {
    let Some(world) = World::create("copied", EVERYTHING) else { return };
    let scratch = Scratch::by_template(world.place()).expect("copied").expect("nobody is there");
    assert_eq!(scratch.prove(&world.source()).expect("proved"), Proved::Whole);
    drop(scratch);
    let tools = world.server.tools();
    let other = Psql::connect(&world.place, &tools, &world.interrupt).expect("a session");
    assert!(Scratch::by_template(world.place()).expect("looked").is_none());
    other.close().expect("closed");
    assert_eq!(world.databases(), [&*world.place.database]);
}

#[test]
fn a_role_that_may_not_create_databases_is_refused_with_the_way_out() {
    let Some(world) = World::create("forbidden", "CREATE TABLE t (a int);") else { return };
    let role = format!("modest_{}", world.place.database);
    world.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'modest';"));
    let url = world.server.url(&world.place.database);
    let url = url.replace("postgres:hunter2marker", &format!("{role}:modest"));
    let modest = Server::parse(&url).expect("a URL");
    let place = Place { server: &modest, ..world.place() };
    let refused = Scratch::from_backup(place, &world.source()).map(drop).expect_err("refused");
    let hint = &refused.downcast_ref::<Refusal>().expect("a refusal").hint;
    assert!(hint.contains("CREATEDB"), "{hint}");
}

//! By a swap.

use super::*;

#[test]
fn a_swap_brings_everything_back_byte_for_byte() {
    let Some(world) = World::create("swapped", EVERYTHING) else { return };
    let name = world.place.database.clone();
    world.server.sql(
        "postgres",
        &format!(
            "ALTER DATABASE {name} SET work_mem = '7MB'; ALTER DATABASE {name} SET search_path = public, audit; \
             ALTER DATABASE {name} SET timezone = 'Europe/Berlin'; \
             ALTER ROLE postgres IN DATABASE {name} SET my.setting = 'a b'; \
             COMMENT ON DATABASE {name} IS 'it''s mine'; ALTER DATABASE {name} CONNECTION LIMIT 50; \
             REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO pg_monitor;"
        ),
    );
    let query = "SELECT datcollate, datctype, encoding, datconnlimit, datacl, shobj_description(oid, 'pg_database'), \
        (SELECT array_agg(array_to_string(setconfig, ';') ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid) \
        FROM pg_database d WHERE datname = ";
    let properties = || world.server.text("postgres", &format!("{query}'{name}';"));
    let before = properties();
    world.sql(FAILED_BRANCH);
    let built = build(world.place(), &world.source()).expect("built");
    assert_eq!(built.proved, Proved::Whole);
    let swapped = built.swap("20250913_142530").expect("swapped");
    world.check_restored();
    assert_eq!(properties(), before);
    assert!(before.contains("work_mem=7MB") && before.contains("pg_monitor"), "{before}");
    assert_eq!(world.databases(), [name.clone(), format!("{name}_xtask_old_20250913_142530")]);
    assert_eq!(swapped.old, format!("{name}_xtask_old_20250913_142530"));
    // The migration runs again.
    world.sql(FAILED_BRANCH);
}

#[test]
fn a_swap_ends_sessions_and_reports_how_many() {
    let Some(world) = World::create("busy", "CREATE TABLE t AS SELECT 1 AS a;") else { return };
    let tools = world.server.tools();
    let other = crate::postgres::psql::Psql::connect(&world.place, &tools, &world.interrupt);
    let mut other = other.expect("a session");
    other.run("BEGIN; INSERT INTO public.t VALUES (2);").expect("a row");
    let built = build(world.place(), &world.source()).expect("built");
    let swapped = built.swap("1").expect("swapped");
    assert_eq!(swapped.n_sessions, 1);
    assert!(swapped.closed_for.as_millis() < 1500, "{swapped:?}");
    assert!(other.run("COMMIT;").is_err());
    world.check_restored();
}

#[test]
fn a_backup_that_does_not_fit_leaves_the_old_database_alone() {
    let Some(world) = World::create("untouched", "CREATE TABLE t AS SELECT 1 AS a;") else {
        return;
    };
    world.sql("INSERT INTO t VALUES (2);");
    let other_file = Source { blake3: "0", ..world.source() };
    let failed = build(world.place(), &other_file).map(drop).expect_err("another dump");
    assert!(format!("{failed:#}").contains("not the one that was recorded"), "{failed:#}");
    let mut proof = world.dumped.proof.clone();
    proof.content_blake3 = "0".to_owned();
    let other_content = Source { proof: &proof, ..world.source() };
    let failed = build(world.place(), &other_content).map(drop).expect_err("other values");
    assert!(format!("{failed:#}").contains("differs from the backup"), "{failed:#}");
    fs_err::write(&world.path, b"no dump").expect("written");
    assert!(build(world.place(), &world.source()).is_err());
    assert_eq!(world.databases(), [&*world.place.database]);
    let rows = world.server.text(&world.place.database, "SELECT count(*) FROM public.t;");
    assert_eq!(rows, "2");
}

#[test]
fn a_prepared_transaction_is_refused_and_named() {
    let Some(world) = World::create("prepared", "CREATE TABLE t (a int);") else { return };
    world.sql("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'left over';");
    let built = build(world.place(), &world.source()).expect("built");
    let refused = built.swap("1").map(drop).expect_err("refused");
    assert!(refused.is::<Refusal>() && refused.to_string().contains("`left over`"), "{refused:#}");
    assert_eq!(world.databases(), [&*world.place.database]);
    world.sql("ROLLBACK PREPARED 'left over';");
}

#[test]
fn what_a_killed_swap_left_is_settled() {
    let Some(world) = World::create("killed", "CREATE TABLE t AS SELECT 1 AS a;") else { return };
    let name = world.place.database.clone();
    assert_eq!(settle(world.place()).expect("nothing"), Leftovers::default());
    world.server.sql(
        "postgres",
        &format!(
            "CREATE DATABASE {name}_xtask_new_00000001; ALTER DATABASE {name} ALLOW_CONNECTIONS false;"
        ),
    );
    let left = settle(world.place()).expect("settled");
    assert!(left.was_closed);
    assert_eq!(left.dropped, [format!("{name}_xtask_new_00000001")]);
    world.check_restored();
    world.server.sql(
        "postgres",
        &format!(
            "ALTER DATABASE {name} RENAME TO {name}_xtask_old_1; \
             ALTER DATABASE {name}_xtask_old_1 ALLOW_CONNECTIONS false;"
        ),
    );
    let left = settle(world.place()).expect("settled");
    assert_eq!(left.renamed, Some(format!("{name}_xtask_old_1")));
    world.check_restored();
    assert_eq!(world.databases(), [name]);
}

#[test]
fn a_name_that_would_be_cut_is_refused() {
    let Some(server) = server() else { return };
    let long = server.database(&"x".repeat(40));
    let (programs, interrupt) = (server.programs(), Interrupt::default());
    let place = Place { server: &long, programs: &programs, interrupt: &interrupt };
    assert!(swap::check(place).expect_err("too long").is::<Refusal>());
}

#[test]
fn a_restore_at_work_is_left_alone() {
    let Some(world) = World::create("working", "CREATE TABLE t AS SELECT 1 AS a;") else { return };
    let built = build(world.place(), &world.source()).expect("built");
    let left = settle(world.place()).expect("settled");
    assert_eq!((left.busy.len(), left.dropped.len()), (1, 0));
    built.swap("1").expect("swapped");
    world.check_restored();
}

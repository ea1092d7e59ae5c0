//! In place.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::console::threads::beside;
use crate::postgres::psql::Psql;
use crate::postgres::restore::in_place::restore;
use crate::postgres::tests::server::PASSWORD;

#[test]
fn in_place_brings_everything_back_byte_for_byte() {
    let Some(world) = World::create("replaced", EVERYTHING) else { return };
    world.sql(FAILED_BRANCH);
    let mut n_kept = 0;
    let mut keep = || {
        // What is there before the restore can be dumped meanwhile.
        let now = dump::prove(&world.place, &world.programs, &world.interrupt)?;
        assert_ne!(now.proof, world.dumped.proof);
        n_kept += 1;
        Ok(())
    };
    restore(world.place(), &world.source(), &mut keep).expect("restored");
    assert_eq!(n_kept, 1);
    world.check_restored();
    world.sql(FAILED_BRANCH);
    restore(world.place(), &world.source(), &mut || Ok(())).expect("restored again");
    world.check_restored();
}

#[test]
fn in_place_sessions_survive_and_writers_wait() {
    let sql = "CREATE TABLE t (a serial PRIMARY KEY, b text); INSERT INTO t (b) VALUES ('x');";
    let Some(world) = World::create("surviving", sql) else { return };
    let (tools, is_over) = (world.server.tools(), AtomicBool::new(false));
    let writing = || {
        let mut psql = Psql::connect(&world.place, &tools, &world.interrupt)?;
        let mut n = 0;
        while !is_over.load(Ordering::SeqCst) {
            psql.run("INSERT INTO public.t (b) VALUES ('y') ON CONFLICT DO NOTHING;")?;
            n += 1;
        }
        anyhow::Ok(n)
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> =
            (0..3).map(|_| beside(scope, &writing).ok().expect("a thread")).collect();
        for _ in 0..5 {
            restore(world.place(), &world.source(), &mut || Ok(())).expect("restored");
        }
        is_over.store(true, Ordering::SeqCst);
        for writer in writers {
            let written = writer.join().expect("a thread").expect("begun");
            assert!(written.expect("no session broke") > 0);
        }
    });
    let first = world.server.text(&world.place.database, "SELECT b FROM public.t WHERE a = 1;");
    assert_eq!(first, "x");
}

#[test]
fn a_failure_in_place_leaves_the_old_state() {
    let Some(world) = World::create("kept", EVERYTHING) else { return };
    world.sql(FAILED_BRANCH);
    let before = dump::prove(&world.place, &world.programs, &world.interrupt).expect("a proof");
    let other_file = Source { blake3: "0", ..world.source() };
    assert!(restore(world.place(), &other_file, &mut || Ok(())).is_err());
    let mut proof = world.dumped.proof.clone();
    proof.tables.values_mut().for_each(|table| table.rows += 1);
    let other_rows = Source { proof: &proof, ..world.source() };
    assert!(restore(world.place(), &other_rows, &mut || Ok(())).is_err());
    let failed = restore(world.place(), &world.source(), &mut || anyhow::bail!("the disk is full"));
    assert!(format!("{:#}", failed.expect_err("kept")).contains("the disk is full"));
    let after = dump::prove(&world.place, &world.programs, &world.interrupt).expect("a proof");
    assert_eq!(after, before);
}

#[test]
fn a_table_that_another_session_keeps_locked_is_a_refusal() {
    let Some(world) = World::create("locked", "CREATE TABLE t (a int);") else { return };
    let tools = world.server.tools();
    let mut other = Psql::connect(&world.place, &tools, &world.interrupt).expect("a session");
    other.run("BEGIN; INSERT INTO public.t VALUES (1);").expect("a row");
    let failed = restore(world.place(), &world.source(), &mut || Ok(())).expect_err("locked");
    assert!(failed.is::<Refusal>(), "{failed:?}");
    other.run("COMMIT;").expect("it survived");
}

#[test]
fn what_cannot_be_replaced_is_refused_and_named() {
    let Some(world) = World::create("guarded", "CREATE TABLE t (a int);") else { return };
    let role = format!("limited_{}", world.place.database);
    world.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'limited'; CREATE SCHEMA mine AUTHORIZATION {role}; \
         CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; \
         CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION watch();"
    ));
    let url = world.server.url(&world.place.database);
    let url = url.replace("postgres:hunter2marker", &format!("{role}:limited"));
    let limited = Server::parse(&url).expect("a URL");
    let place = Place { server: &limited, ..world.place() };
    let refused = restore(place, &world.source(), &mut || Ok(())).expect_err("refused");
    let refused = refused.downcast_ref::<Refusal>().expect("a refusal").what.clone();
    assert!(refused.contains("the event trigger `watching`"), "{refused}");
    assert!(refused.contains("the table of another owner `public.t`"), "{refused}");
    // The superuser may drop both.
    restore(world.place(), &world.source(), &mut || Ok(())).expect("restored");
    world.check_restored();
}

#[test]
fn rows_of_a_user_in_the_tables_of_an_extension_come_back() {
    let sql = "CREATE EXTENSION hstore; CREATE TABLE conf (a int PRIMARY KEY, mine boolean);
        INSERT INTO conf VALUES (1, false), (2, true); ALTER EXTENSION hstore ADD TABLE conf;
        UPDATE pg_extension SET extconfig = ARRAY['conf'::regclass::oid], extcondition = ARRAY['WHERE mine']
          WHERE extname = 'hstore';";
    let Some(world) = World::create("configured", sql) else { return };
    assert_eq!(world.dumped.proof.tables["public.conf"].rows, 1);
    world.sql("DELETE FROM conf WHERE a = 2; INSERT INTO conf VALUES (3, true);");
    restore(world.place(), &world.source(), &mut || Ok(())).expect("restored");
    world.check_restored();
    let all = world
        .server
        .text(&world.place.database, "SELECT array_agg(a ORDER BY a) FROM public.conf;");
    assert_eq!(all, "{1,2}");
}

#[test]
fn a_lost_connection_leaves_the_old_state() {
    let Some(world) = World::create("lost", "CREATE TABLE t AS SELECT 1 AS a;") else { return };
    world.sql("INSERT INTO t VALUES (2);");
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = ";
    let mut keep = || {
        world.server.text("postgres", &format!("{end}'{}';", world.place.database));
        Ok(())
    };
    let lost = restore(world.place(), &world.source(), &mut keep).expect_err("lost");
    assert!(format!("{lost:#}").contains("terminating connection"), "{lost:#}");
    let rows = world.server.text(&world.place.database, "SELECT count(*) FROM public.t;");
    assert_eq!(rows, "2");
}

#[test]
fn no_argument_of_a_process_contains_the_password() {
    let Some(world) = World::create("hidden", "CREATE TABLE t AS SELECT 1 AS a;") else { return };
    let mut n_clients = 0;
    let mut keep = || {
        for process in fs_err::read_dir("/proc")?.flatten() {
            // A process may end while it is looked at.
            let arguments = fs_err::read(process.path().join("cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            assert!(!arguments.contains(PASSWORD), "{arguments}");
            n_clients += usize::from(arguments.contains("psql"));
        }
        Ok(())
    };
    restore(world.place(), &world.source(), &mut keep).expect("restored");
    assert!(n_clients > 0 || !cfg!(target_os = "linux"));
}

//! Dumps of a real server.

use super::*;
use crate::console::interrupt::Interrupt;
use crate::postgres::dump::read_back::Dump;
use crate::postgres::tests::server::{EVERYTHING, PASSWORD, server};

#[test]
fn a_dump_proves_what_it_contains_and_is_read_back_equal() {
    let Some(server) = server() else { return };
    let interrupt = Interrupt::default();
    let place = server.create("dumped");
    server.sql(&place.database, EVERYTHING);
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::create(folder.path(), "dumped").expect("a stage");
    let dumped = dump(&place, &server.programs(), &stage, &interrupt).expect("a dump");
    assert_eq!(
        dumped.extensions.keys().collect::<Vec<_>>(),
        ["citext", "hstore", "pg_trgm", "plpgsql"]
    );
    assert_eq!(dumped.roles, ["postgres"]);
    assert!(dumped.server_version.starts_with("15."), "{}", dumped.server_version);
    let tables = &dumped.proof.tables;
    for (name, expected) in [
        ("public.users", 4),
        ("public.posts", 499),
        ("public.nothing", 1),
        ("public.measured_2024", 30),
        ("public.secrets", 2),
        ("\"Odd \"\" schema\".\"Tab.le; DROP\"", 2),
    ] {
        assert_eq!(tables.get(name).map(|table| table.rows), Some(expected), "{name} {tables:?}");
    }
    let read = read_back::read(Dump::File(stage.path()), &interrupt).expect("read");
    assert_eq!((read.blake3, read.size_bytes), (dumped.blake3.clone(), dumped.size_bytes));
    assert_eq!(read.proof, dumped.proof);
    let bytes = fs_err::read(stage.path()).expect("bytes");
    assert_eq!(bytes.len() as u64, dumped.size_bytes);
    assert_eq!(blake3::hash(&bytes).to_hex().to_string(), dumped.blake3);
    let text = zstd::decode_all(&bytes[..]).expect("a frame");
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(!text.contains("\n\\restrict ") && !text.contains("\n\\unrestrict "));
    assert!(!text.contains(PASSWORD));
    // The same again is the same.
    let stage = Stage::create(folder.path(), "again").expect("a stage");
    let again = dump(&place, &server.programs(), &stage, &interrupt).expect("a dump");
    assert_eq!(again, dumped);
    assert_eq!(prove(&place, &server.programs(), &interrupt).expect("a proof").proof, dumped.proof);
}

#[test]
fn a_thousand_flipped_bytes_are_all_found() {
    let Some(server) = server() else { return };
    let interrupt = Interrupt::default();
    let place = server.create("flipped");
    server.sql(
        &place.database,
        "CREATE TABLE t AS SELECT n, md5(n::text) FROM generate_series(1, 3000) n;",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::create(folder.path(), "flipped").expect("a stage");
    let dumped = dump(&place, &server.programs(), &stage, &interrupt).expect("a dump");
    let bytes = fs_err::read(stage.path()).expect("bytes");
    let path = folder.path().join("damaged");
    let (mut n_damaged, mut n_by_hash) = (0, 0);
    for n in 0..1000 {
        let mut flipped = bytes.clone();
        let at = n * bytes.len() / 1000;
        flipped[at] ^= 1 << (n % 8);
        fs_err::write(&path, &flipped).expect("written");
        match read_back::read(Dump::File(&path), &interrupt) {
            Err(error) => {
                assert!(error.is::<Damage>(), "{error:?}");
                n_damaged += 1;
            }
            Ok(read) => {
                assert_ne!(read.blake3, dumped.blake3, "byte {at}");
                n_by_hash += 1;
            }
        }
    }
    assert!(n_damaged > 950, "{n_damaged} by their structure, {n_by_hash} by the hash of the file");
    for damaged in
        [&bytes[..bytes.len() - 1], &bytes[..bytes.len() / 2], &[&bytes[..], b"x"].concat(), b""]
    {
        fs_err::write(&path, damaged).expect("written");
        assert!(
            read_back::read(Dump::File(&path), &interrupt).expect_err("damaged").is::<Damage>()
        );
    }
}

#[test]
fn an_interrupted_dump_ends_its_program() {
    let Some(server) = server() else { return };
    let interrupt = Interrupt::default();
    let place = server.create("ended");
    server.sql(
        &place.database,
        "CREATE TABLE t AS SELECT n, md5(n::text) FROM generate_series(1, 300000) n;",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::create(folder.path(), "ended").expect("a stage");
    std::thread::scope(|scope| {
        let raising = crate::console::threads::beside(scope, || {
            std::thread::sleep(std::time::Duration::from_millis(150));
            interrupt.raise();
        });
        assert!(raising.is_ok());
        let error = dump(&place, &server.programs(), &stage, &interrupt).expect_err("interrupted");
        assert!(error.is::<Refusal>(), "{error:?}");
    });
    let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = ";
    let left = format!("{left}'{}';", place.database);
    let began = std::time::Instant::now();
    while server.text("postgres", &left) != "0" {
        assert!(began.elapsed().as_secs() < 5);
    }
}

#[test]
fn a_table_that_stays_locked_is_a_refusal() {
    let locked = Trouble::read(
        "pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout\n\
         pg_dump: detail: Query was: LOCK TABLE public.t IN ACCESS SHARE MODE\n",
    );
    let refusal = explained(locked.expect("a complaint").into());
    assert!(refusal.is::<Refusal>());
}

//! `db-restore` over every state a live database can be in: the backup's content afterwards, or
//! unchanged with a clear refusal.

use crate::support::museum::{
    Case, N_ROWS, Random, content_of, names, other_live, put, raw, remove_live, set_aside,
};
use crate::support::sandbox::{Sandbox, open};

#[test]
fn a_missing_database_is_restored() {
    for journal_mode in ["wal", "delete"] {
        let case = Case::new(journal_mode);
        remove_live(&case.sandbox);
        case.restores(&[]);
        assert_eq!(set_aside(&case.sandbox), None);
        let mode: String = open(&case.sandbox.live())
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .expect("mode");
        assert_eq!(mode, journal_mode, "the restored file got another journal mode");
    }
}

#[test]
fn a_missing_folder_is_made() {
    let case = Case::new("wal");
    fs_err::remove_dir_all(case.sandbox.path("backend")).expect("removed");
    case.restores(&[]);
}

#[test]
fn an_empty_database_is_restored_over() {
    let case = Case::new("wal");
    put(&case.sandbox, b"");
    case.restores(&[]);
    assert_eq!(set_aside(&case.sandbox), None);
}

#[test]
fn a_truncated_database_is_restored_over_whatever_its_length() {
    let case = Case::new("wal");
    let whole = raw(&case.sandbox);
    let lengths = [1, 15, 16, 50, 99, 100, 512, 4095, 4096, 4097, 10_001];
    let lengths = lengths.into_iter().chain([whole.len() / 2, whole.len() - 4096]);
    for length in lengths {
        put(&case.sandbox, &whole[..length]);
        case.restores_and_sets_aside(&whole[..length], &[]);
        let folder = set_aside(&case.sandbox).expect("set aside");
        fs_err::remove_dir_all(folder).expect("removed");
    }
}

#[test]
fn a_database_cut_by_one_byte_is_restored_over() {
    // SQLite fills the last page up with a zero and finds nothing amiss.
    let case = Case::new("wal");
    let whole = raw(&case.sandbox);
    put(&case.sandbox, &whole[..whole.len() - 1]);
    case.restores(&[]);
}

#[test]
fn random_bytes_of_an_odd_size_are_set_aside_and_restored_over() {
    let case = Case::new("wal");
    let random = Random(1).bytes(10_001);
    put(&case.sandbox, &random);
    case.restores_and_sets_aside(&random, &[]);
}

#[test]
fn what_may_be_an_encrypted_database_is_restored_over_only_with_force() {
    let case = Case::new("wal");
    let random = Random(2).bytes(8 * 4096);
    put(&case.sandbox, &random);
    let said = case.sandbox.run(&["db-restore", "latest", "--yes"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("may be an encrypted database"), "{said:#?}");
    assert!(said.err.contains("--force"), "{said:#?}");
    assert!(fs_err::read(case.sandbox.live()).expect("read") == random);
    assert_eq!(set_aside(&case.sandbox), None);
    case.restores_and_sets_aside(&random, &["--force"]);
}

#[test]
fn text_in_the_database_s_place_is_set_aside_and_restored_over() {
    let case = Case::new("wal");
    let text = "this is no database\n".repeat(1000).into_bytes();
    put(&case.sandbox, &text);
    case.restores_and_sets_aside(&text, &[]);
}

#[test]
fn a_malformed_schema_is_set_aside_and_restored_over() {
    for trash in [
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE trash(' WHERE type = 'table'",
        "UPDATE sqlite_schema SET rootpage = 99999 WHERE type = 'table'",
        "UPDATE sqlite_schema SET rootpage = 1",
        "DELETE FROM sqlite_schema WHERE type = 'table'",
    ] {
        let case = Case::new("wal");
        case.sandbox.sql(&format!("PRAGMA writable_schema=ON; {trash};"));
        let bytes = raw_without_sqlite(&case.sandbox);
        case.restores_and_sets_aside(&bytes, &[]);
    }
}

#[test]
fn an_unreadable_database_of_other_pages_is_set_aside_and_restored_over() {
    for journal_mode in ["wal", "delete"] {
        for page_size in [512, 1024, 65_536] {
            let case = Case::new("wal");
            let pragmas = format!("PRAGMA page_size={page_size}; PRAGMA encoding='UTF-16le';");
            let other = other_live(&case.sandbox, &pragmas, journal_mode);
            let trash =
                "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE trash(';";
            other.execute_batch(trash).expect("trashed");
            drop(other);
            let bytes = raw_without_sqlite(&case.sandbox);
            case.restores_and_sets_aside(&bytes, &[]);
        }
    }
}

/// The live file's bytes when SQLite may not be able to read it any more.
fn raw_without_sqlite(sandbox: &Sandbox) -> Vec<u8> {
    assert_eq!(names(&sandbox.path("backend/db")), ["kalito.db"]);
    fs_err::read(sandbox.live()).expect("read")
}

#[test]
fn trashed_pages_are_set_aside_and_restored_over() {
    for n_page in 1..4 {
        for trash in [0, 0xff] {
            let case = Case::new("wal");
            let mut bytes = raw(&case.sandbox);
            bytes[n_page * 4096..(n_page + 1) * 4096].fill(trash);
            put(&case.sandbox, &bytes);
            case.restores_and_sets_aside(&bytes, &[]);
        }
    }
}

#[test]
fn a_header_that_lies_is_set_aside_and_restored_over() {
    // Page size, reserved bytes, schema format, encoding.
    for (at, value) in [(16, 0x17), (20, 0xff), (47, 0xff), (56, 0xff)] {
        let case = Case::new("wal");
        let mut bytes = raw(&case.sandbox);
        bytes[at] = value;
        put(&case.sandbox, &bytes);
        let said = case.sandbox.run(&["db-restore", "latest", "--yes"]);
        assert_eq!(said.code, Some(0), "byte {at}: {said:#?}");
        assert_eq!(content_of(&case.sandbox), case.old, "byte {at}");
    }
}

#[test]
fn a_stale_wal_beside_a_missing_database_is_set_aside_and_not_replayed() {
    let case = Case::new("wal");
    let connection = open(&case.sandbox.live());
    connection
        .execute("INSERT INTO messages (content) VALUES ('only in the wal')", [])
        .expect("written");
    let wal = case.sandbox.path("backend/db/kalito.db-wal");
    let stale = fs_err::read(&wal).expect("a wal");
    assert!(!stale.is_empty());
    drop(connection);
    remove_live(&case.sandbox);
    fs_err::write(&wal, &stale).expect("written");
    case.restores(&[]);
    let folder = set_aside(&case.sandbox).expect("set aside");
    let kept = fs_err::read(folder.join("kalito.db-wal")).expect("the raw wal");
    assert!(kept == stale, "the stale wal was not kept whole");
}

#[test]
fn garbage_in_the_wal_s_place_does_not_get_in_the_way() {
    let case = Case::new("wal");
    let whole = raw(&case.sandbox);
    put(&case.sandbox, &whole);
    let wal = case.sandbox.path("backend/db/kalito.db-wal");
    fs_err::write(wal, Random(3).bytes(9_000)).expect("written");
    case.restores(&[]);
}

#[test]
fn a_hot_journal_is_rolled_back_into_the_safety_backup() {
    let case = Case::new("delete");
    let (database, journal) = mid_transaction(&case.sandbox);
    put(&case.sandbox, &database);
    let beside = case.sandbox.path("backend/db/kalito.db-journal");
    fs_err::write(beside, journal).expect("written");
    case.restores(&[]);
    let safety = case.sandbox.json(&["db-list"]);
    let rows = safety["backups"].as_array().expect("rows");
    let safety = rows.iter().find(|row| row["kind"] == "safety");
    assert_eq!(safety.expect("a safety backup")["content_blake3"], case.new);
}

/// The raw files as a crash in the middle of a large transaction leaves them.
fn mid_transaction(sandbox: &Sandbox) -> (Vec<u8>, Vec<u8>) {
    let connection = open(&sandbox.live());
    connection
        .execute_batch(
            "PRAGMA cache_size=1; BEGIN; UPDATE messages SET content = content || ' half';",
        )
        .expect("half a transaction");
    let database = fs_err::read(sandbox.live()).expect("read");
    let journal = sandbox.path("backend/db/kalito.db-journal");
    let journal = fs_err::read(journal).expect("a journal");
    connection.execute_batch("ROLLBACK").expect("rolled back");
    drop(connection);
    assert!(database != fs_err::read(sandbox.live()).expect("read"));
    (database, journal)
}

#[test]
fn a_symbolic_link_to_the_database_is_followed_and_kept() {
    let case = Case::new("wal");
    let bytes = raw(&case.sandbox);
    remove_live(&case.sandbox);
    case.sandbox.write("data/real.db", &bytes);
    std::os::unix::fs::symlink(case.sandbox.path("data/real.db"), case.sandbox.live())
        .expect("linked");
    case.restores(&[]);
    let link = fs_err::symlink_metadata(case.sandbox.live()).expect("there");
    assert!(link.is_symlink());
    let connection = open(&case.sandbox.path("data/real.db"));
    assert_eq!(crate::support::museum::n_messages(&connection), N_ROWS + 3);
}

#[test]
fn a_folder_in_the_database_s_place_is_refused() {
    let case = Case::new("wal");
    remove_live(&case.sandbox);
    case.sandbox.write("backend/db/kalito.db/theirs", "kept");
    let said = case.sandbox.run(&["db-restore", "latest", "--yes"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("is a folder"), "{said:#?}");
    assert!(case.sandbox.path("backend/db/kalito.db/theirs").exists());
}

#[test]
fn another_page_size_in_rollback_mode_ends_in_the_backup_s_content() {
    for page_size in [512, 1024, 16_384, 65_536] {
        let case = Case::new("delete");
        let pragmas = format!("PRAGMA page_size={page_size};");
        drop(other_live(&case.sandbox, &pragmas, "delete"));
        case.restores(&[]);
    }
}

#[test]
fn another_page_size_in_wal_mode_ends_in_the_backup_s_rows() {
    for page_size in [512, 1024, 16_384, 65_536] {
        let case = Case::new("wal");
        let pragmas = format!("PRAGMA page_size={page_size};");
        drop(other_live(&case.sandbox, &pragmas, "wal"));
        case.sandbox.ok(&["db-restore", "latest", "--yes"]);
        let backup = case.sandbox.path("backups").join(&case.sandbox.backups()[0]);
        let after = open(&case.sandbox.live());
        let page: i64 =
            after.query_row("PRAGMA page_size", [], |row| row.get(0)).expect("page size");
        assert_eq!(page, page_size, "a WAL database keeps its page size");
        after.execute("ATTACH ?1 AS b", [backup.to_string_lossy()]).expect("attached");
        let differing: i64 = after
            .query_row(
                "SELECT (SELECT count(*) FROM (SELECT * FROM main.messages EXCEPT SELECT * FROM b.messages))
                      + (SELECT count(*) FROM (SELECT * FROM b.messages EXCEPT SELECT * FROM main.messages))",
                [],
                |row| row.get(0),
            )
            .expect("compared");
        assert_eq!(differing, 0);
        assert_eq!(crate::support::museum::n_messages(&after), N_ROWS + 3);
    }
}

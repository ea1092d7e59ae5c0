//! Restores by difference, without a project around them.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::console::interrupt::Interrupt;
use crate::sqlite::digest::page_source::OfFile;
use crate::sqlite::digest::tree::Id;
use crate::sqlite::read_only;

/// A database of its own with some content; the statements make it.
fn database(folder: &Path, name: &str, statements: &str) -> Result<std::path::PathBuf> {
    let path = folder.join(name);
    let connection = connection::open_or_create(&path, Duration::ZERO)?;
    connection.execute_batch(statements)?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(path)
}

const FEW: &str = "CREATE TABLE t (a INTEGER PRIMARY KEY, b);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
     INSERT INTO t SELECT i, hex(i * i) FROM n;";
const MANY: &str = "CREATE TABLE t (a INTEGER PRIMARY KEY, b);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
     INSERT INTO t SELECT i, hex(i * i) || i FROM n; CREATE INDEX t_b ON t (b);
     CREATE VIEW v AS SELECT b FROM t; PRAGMA user_version = 9;";

/// The pages as the connection sees them, bookkeeping of the header masked.
fn pages(path: &Path) -> Result<Vec<u8>> {
    let connection = read_only::open(path, Duration::ZERO)?;
    let mut statement = connection.prepare("SELECT data FROM sqlite_dbpage")?;
    let pages: Vec<Vec<u8>> =
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut bytes = pages.concat();
    for field in [18..20, 24..28, 40..44, 92..100] {
        bytes[field].fill(0);
    }
    Ok(bytes)
}

fn tried(live: &Path, backup: &Path) -> Result<(Tried, Connection)> {
    tried_with(live, &mut OfFile::open(backup, Groups::default())?, Groups::default())
}

fn tried_with(
    live: &Path,
    wanted: &mut dyn Wanted,
    present: Groups,
) -> Result<(Tried, Connection)> {
    let interrupt = std::sync::Arc::new(Interrupt::default());
    let to = connection::open_or_create(live, Duration::ZERO)?;
    let mut progress = Progress::hidden(&interrupt);
    let tried = put_back(&to, wanted, &mut progress, || Ok(present))?;
    Ok((tried, to))
}

/// Wanted pages whose hashes are known: only groups that differ are read.
struct Hashed {
    file: OfFile,
    hashes: Vec<blake3::Hash>,
    asked: Vec<u64>,
    read: Vec<u64>,
    /// A group that turns out to be damaged when it is read.
    damaged: Option<u64>,
}

impl Hashed {
    fn of(backup: &Path) -> Result<Self> {
        let bytes = fs_err::read(backup)?;
        let hashes = bytes.chunks(GROUP_BYTES).map(blake3::hash).collect();
        let file = OfFile::open(backup, ids_of(&bytes))?;
        Ok(Self { file, hashes, asked: Vec::new(), read: Vec::new(), damaged: None })
    }
}

/// The ids of a file's groups.
fn ids_of(bytes: &[u8]) -> Groups {
    let mut hashing = database::Hashing::default();
    hashing.update(bytes);
    hashing.groups()
}

impl Wanted for Hashed {
    fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }

    fn id(&mut self, group: u64) -> Result<Option<Id>> {
        self.file.id(group)
    }

    fn differing(&mut self, group: u64, there: &[u8]) -> Result<Option<&[u8]>> {
        self.asked.push(group);
        if blake3::hash(there) == self.hashes[usize::try_from(group)?] {
            return Ok(None);
        }
        anyhow::ensure!(self.damaged != Some(group), "group {group} is damaged");
        self.read.push(group);
        self.file.differing(group, &[])
    }
}

#[test]
fn this_build_can_write_pages() {
    assert!(connection::can_write_pages());
}

#[test]
fn larger_and_smaller_databases_of_every_shape_become_the_backup() -> Result<()> {
    for setup in [
        "PRAGMA journal_mode=WAL;",
        "PRAGMA page_size=512;",
        "PRAGMA page_size=65536; PRAGMA journal_mode=WAL;",
        "PRAGMA encoding='UTF-16le'; PRAGMA auto_vacuum=FULL;",
        "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;",
    ] {
        for (old, new) in [(FEW, MANY), (MANY, FEW), (MANY, MANY)] {
            let folder = tempfile::tempdir()?;
            let live = database(folder.path(), "live.db", &format!("{setup}{old}"))?;
            let backup = database(folder.path(), "backup.db", &format!("{setup}{new}"))?;
            // Another connection that has the old schema in its memory.
            let other = read_only::open(&live, Duration::ZERO)?;
            other.query_row("SELECT count(*) FROM t", [], |_| Ok(()))?;
            let wanted = pages(&backup)?;
            let (tried, to) = tried(&live, &backup)?;
            // With auto_vacuum the header names the largest root page, which an index moves.
            if setup.contains("auto_vacuum") && old != new {
                assert_eq!(tried, Tried::NotThisWay, "{setup}");
                continue;
            }
            let Tried::Committed { version } = tried else { panic!("{setup}") };
            assert_eq!(connection::pragma::<i64>(&to, "data_version")?, version, "{setup}");
            let fresh = read_only::open(&live, Duration::ZERO)?;
            let n_rows = |connection: &Connection| {
                connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))
            };
            assert_eq!(n_rows(&fresh)?, n_rows(&other)?, "{setup}");
            assert!(pages(&live)? == wanted, "{setup}");
            let check: String = connection::pragma(&fresh, "integrity_check")?;
            assert_eq!(check, "ok", "{setup}");
            // The next commit is seen, however quick.
            fresh.execute_batch("PRAGMA user_version = 77")?;
            assert_ne!(connection::pragma::<i64>(&to, "data_version")?, version, "{setup}");
        }
    }
    Ok(())
}

#[test]
fn a_backup_smaller_than_one_page_of_the_database_goes_another_way() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let live = database(folder.path(), "live.db", &format!("PRAGMA page_size=65536;{FEW}"))?;
    let backup = database(folder.path(), "backup.db", "PRAGMA page_size=512; CREATE TABLE t (a)")?;
    assert!(fs_err::metadata(&backup)?.len() < 65_536);
    assert_eq!(tried(&live, &backup)?.0, Tried::NotThisWay);
    Ok(())
}

#[test]
fn what_differs_in_shape_goes_another_way_untouched() -> Result<()> {
    for (one, other) in [
        ("PRAGMA page_size=1024;", "PRAGMA page_size=4096;"),
        ("PRAGMA encoding='UTF-16le';", ""),
        ("PRAGMA auto_vacuum=FULL;", ""),
        ("PRAGMA auto_vacuum=FULL;", "PRAGMA auto_vacuum=INCREMENTAL;"),
    ] {
        let folder = tempfile::tempdir()?;
        let live = database(folder.path(), "live.db", &format!("{one}{FEW}"))?;
        let backup = database(folder.path(), "backup.db", &format!("{other}{MANY}"))?;
        let before = fs_err::read(&live)?;
        let (tried, to) = tried(&live, &backup)?;
        assert_eq!(tried, Tried::NotThisWay, "{one} {other}");
        assert!(to.is_autocommit(), "{one} {other}");
        assert!(fs_err::read(&live)? == before, "{one} {other}");
    }
    Ok(())
}

#[test]
fn groups_whose_hashes_agree_are_not_read() -> Result<()> {
    for page_size in [512, 4096, 65_536] {
        let folder = tempfile::tempdir()?;
        let setup = format!("PRAGMA page_size={page_size}; PRAGMA journal_mode=WAL; {MANY}");
        let live = database(folder.path(), "live.db", &setup)?;
        let backup = folder.path().join("backup.db");
        fs_err::copy(&live, &backup)?;
        let n_groups = fs_err::metadata(&backup)?.len().div_ceil(GROUP_BYTES as u64);
        assert!(n_groups > 3, "too few groups to tell");
        let change = "UPDATE t SET b = b || 'x' WHERE a = 4000; PRAGMA wal_checkpoint(TRUNCATE);";
        read_only::open(&live, Duration::ZERO)?.execute_batch(change)?;
        let (wanted, mut hashed) = (pages(&backup)?, Hashed::of(&backup)?);
        let (tried, _to) = tried_with(&live, &mut hashed, Groups::default())?;
        assert!(matches!(tried, Tried::Committed { .. }), "{page_size}");
        assert!(pages(&live)? == wanted, "{page_size}");
        // The first is read for the header, and its own page may differ.
        let n_read = hashed.read.iter().filter(|group| **group > 0).count() as u64;
        assert!((1..n_groups - 1).contains(&n_read), "{page_size}: {n_read} of {n_groups}");
        assert!(hashed.asked.len() as u64 > n_groups, "{page_size}");
    }
    Ok(())
}

#[test]
fn groups_whose_ids_are_known_to_agree_are_not_even_asked_for() -> Result<()> {
    // Longer, shorter and as long as the backup.
    for change in [
        "INSERT INTO t SELECT a + 9000, b || b FROM t",
        "DELETE FROM t WHERE a > 6000; VACUUM",
        "UPDATE t SET b = upper(b) || 'x' WHERE a = 4000",
        "SELECT 1",
    ] {
        let folder = tempfile::tempdir()?;
        let live = database(folder.path(), "live.db", &format!("PRAGMA page_size=1024; {MANY}"))?;
        let backup = folder.path().join("backup.db");
        fs_err::copy(&live, &backup)?;
        read_only::open(&live, Duration::ZERO)?.execute_batch(change)?;
        let (wanted, mut hashed) = (pages(&backup)?, Hashed::of(&backup)?);
        let present = ids_of(&fs_err::read(&live)?);
        let ids = ids_of(&fs_err::read(&backup)?);
        let groups = 1..hashed.hashes.len() as u64;
        let n_known = groups.filter(|group| present.id(*group) == ids.id(*group)).count();
        let (tried, _to) = tried_with(&live, &mut hashed, present)?;
        assert!(matches!(tried, Tried::Committed { .. }), "{change}");
        assert!(pages(&live)? == wanted, "{change}");
        // The header is asked for first, and the first group is compared in any case.
        assert_eq!(hashed.asked.len(), hashed.hashes.len() - n_known + 1, "{change}");
        assert!(n_known > 0 || change.starts_with("DELETE"), "{change}: nothing was tested");
    }
    Ok(())
}

#[test]
fn equal_content_is_told_from_any_other() -> Result<()> {
    for page_size in [512, 65_536] {
        let folder = tempfile::tempdir()?;
        let setup = format!("PRAGMA page_size={page_size}; PRAGMA journal_mode=WAL; {MANY}");
        let live = database(folder.path(), "live.db", &setup)?;
        let backup = folder.path().join("backup.db");
        fs_err::copy(&live, &backup)?;
        let is_equal = || -> Result<Option<bool>> {
            let connection = read_only::open(&live, Duration::ZERO)?;
            let mut wanted = OfFile::open(&backup, Groups::default())?;
            is_equal(&connection, &mut wanted, &Interrupt::default())
        };
        assert_eq!(is_equal()?, Some(true));
        let there = read_only::open(&live, Duration::ZERO)?;
        there.execute_batch("PRAGMA user_version = 10")?;
        assert_eq!(is_equal()?, Some(false), "{page_size}: only the header differs");
        there.execute_batch("PRAGMA user_version = 9; PRAGMA wal_checkpoint(TRUNCATE)")?;
        assert_eq!(is_equal()?, Some(true), "{page_size}: only the bookkeeping differs");
        there.execute_batch("UPDATE t SET b = b || 'x' WHERE a = 8999")?;
        assert_eq!(is_equal()?, Some(false), "{page_size}: a value differs");
        there.execute_batch("CREATE TABLE more (a)")?;
        assert_eq!(is_equal()?, Some(false), "{page_size}: another number of pages");
    }
    Ok(())
}

#[test]
fn wanted_pages_that_turn_out_damaged_in_the_middle_leave_the_old_state() -> Result<()> {
    for mode in ["WAL", "DELETE"] {
        let folder = tempfile::tempdir()?;
        let setup = format!("PRAGMA journal_mode={mode}; {MANY}");
        let live = database(folder.path(), "live.db", &setup)?;
        let backup = database(folder.path(), "backup.db", MANY)?;
        let change = "UPDATE t SET b = b || 'x'; PRAGMA wal_checkpoint(TRUNCATE);";
        read_only::open(&live, Duration::ZERO)?.execute_batch(change)?;
        let before = pages(&live)?;
        let mut hashed = Hashed { damaged: Some(2), ..Hashed::of(&backup)? };
        let Err(error) = tried_with(&live, &mut hashed, Groups::default()) else {
            panic!("{mode}: it is damaged")
        };
        assert_eq!(error.to_string(), "group 2 is damaged");
        assert_eq!(hashed.read, [0, 0, 1], "{mode}");
        assert!(pages(&live)? == before, "{mode}");
    }
    Ok(())
}

//! Checkpoints of a PostgreSQL database in the page store: what changed is added, and what is read is proved.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::museum::names;
use crate::support::postgres_server::{PostgresDatabase, PostgresServer};
use crate::support::sandbox::{Running, Sandbox};

const TABLES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
    INSERT INTO notes SELECT n, n || ' ' || md5(n::text) || md5((n * 7)::text) FROM generate_series(1, 20000) n;
    CREATE TABLE users (id int PRIMARY KEY, name text);
    INSERT INTO users VALUES (1, 'Ada'), (2, 'Grace');";

/// Takes a checkpoint as cron does, and returns its name.
fn checkpoint(sandbox: &Sandbox) -> String {
    let document = sandbox.json(&["db-backup", "--kind", "scheduled"]);
    let name = document["backups"][0]["name"].as_str();
    name.unwrap_or_else(|| panic!("no checkpoint: {document:#}")).to_owned()
}

/// Restores a backup, in place or in the way that a flag names.
fn restore(sandbox: &Sandbox, name: &str, way: Option<&str>) {
    let mut arguments = vec!["db-restore", name, "--yes"];
    arguments.extend(way);
    sandbox.ok(&arguments);
}

fn packs(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folder = sandbox.path("backups/packs");
    names(&folder).into_iter().map(|name| folder.join(name)).collect()
}

fn bytes(paths: &[PathBuf]) -> u64 {
    paths.iter().map(|path| fs_err::metadata(path).expect("there").len()).sum()
}

/// Bytes that a checkpoint added, as its record has it.
fn new_bytes(sandbox: &Sandbox, name: &str) -> u64 {
    let list = sandbox.json(&["db-list"]);
    let rows = list["backups"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == name).expect("listed");
    row["stored"]["new_bytes"].as_u64().expect("a number")
}

#[test]
fn a_checkpoint_adds_what_changed_and_is_restored_both_ways() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let first = checkpoint(&sandbox);
    assert!(first.strip_suffix(".chunks").is_some(), "{first}");
    let old = database.dump();
    let whole = new_bytes(&sandbox, &first);
    database.sql("UPDATE notes SET body = 'changed' WHERE id = 10000");
    let second = checkpoint(&sandbox);
    let added = new_bytes(&sandbox, &second);
    assert!(added < whole / 10, "{added} of {whole} bytes");
    let said = sandbox.ok(&["db-list"]);
    assert!(said.out.contains(" new"), "{said:#?}");
    for name in [&first, &second] {
        let said = sandbox.ok(&["db-verify", name]);
        assert!(
            said.out.contains("is whole: size and BLAKE3 as recorded, the rows of each table too")
        );
        let said = sandbox.ok(&["db-verify", name, "--drill"]);
        assert!(said.out.contains("restore drill ok"), "{said:#?}");
    }
    let new = database.dump();
    for (way, name, wanted) in [(None, &first, &old), (Some("--swap"), &second, &new)] {
        restore(&sandbox, name, way);
        assert_eq!(database.dump(), *wanted, "{way:?}");
    }
}

#[test]
fn an_unchanged_database_costs_a_record_and_nothing_in_the_store() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let first = checkpoint(&sandbox);
    let before = bytes(&packs(&sandbox));
    let second = checkpoint(&sandbox);
    let inode = |name: &str| {
        use std::os::unix::fs::MetadataExt as _;
        fs_err::metadata(sandbox.backup_path(name)).expect("there").ino()
    };
    assert_eq!(inode(&first), inode(&second), "a hard link");
    assert_eq!(bytes(&packs(&sandbox)), before);
    assert_eq!(new_bytes(&sandbox, &second), 0);
    let said = sandbox.ok(&["db-list"]);
    assert!(said.out.contains("nothing new"), "{said:#?}");
    sandbox.ok(&["db-verify", "--all"]);
}

#[test]
fn the_format_of_a_kind_decides_as_for_sqlite() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    assert!(sandbox.backup().strip_suffix(".dump").is_some());
    sandbox.configure("[workspace.metadata.db.format]\nmanual = \"pages\"\nscheduled = \"plain\"");
    database.sql("DELETE FROM users");
    assert!(sandbox.backup().strip_suffix(".chunks").is_some());
    database.sql("DELETE FROM notes WHERE id > 50");
    assert!(checkpoint(&sandbox).strip_suffix(".dump").is_some());
    let said = sandbox.json(&["db-backup", "--format", "pages", "--kind", "pre-deploy"]);
    let name = said["backups"][0]["name"].as_str().expect("a name");
    assert!(name.strip_suffix(".chunks").is_some(), "{name}");
    // Unchanged: a link to the newest, in whichever form it is.
    assert!(checkpoint(&sandbox).strip_suffix(".dump").is_some());
    sandbox.ok(&["db-verify", "--all"]);
}

/// Numbers without a pattern, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Runs something while one bit of a file is wrong.
fn with_a_flipped_bit(path: &Path, at_bit: u64, check: impl FnOnce()) {
    let whole = fs_err::read(path).expect("a file");
    let mut flipped = whole.clone();
    flipped[usize::try_from(at_bit / 8).expect("small")] ^= 1 << (at_bit % 8);
    fs_err::write(path, &flipped).expect("written");
    check();
    fs_err::write(path, &whole).expect("written");
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_no_damaged_backup_is_restored() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let name = checkpoint(&sandbox);
    let before = database.dump();
    let mut files = packs(&sandbox);
    files.push(sandbox.backup_path(&name));
    let mut numbers = Numbers(41);
    for nth in 0..24 {
        let path = &files[nth % files.len()];
        let at = numbers.below(fs_err::metadata(path).expect("there").len() * 8);
        let what = format!("bit {at} of {}", path.display());
        with_a_flipped_bit(path, at, || {
            let said = sandbox.fails(1, &["db-verify", "--all"]);
            let is_found = said.out.contains("is damaged") || said.err.contains("is damaged");
            assert!(is_found, "{what}: {said:#?}");
            sandbox.run(&["db-restore", &name, "--yes", "--force"]);
            assert_eq!(database.dump(), before, "{what}");
        });
        // It is whole again.
        sandbox.ok(&["db-verify", &name]);
    }
    sandbox.ok(&["db-verify", "--all"]);
}

#[test]
fn a_checkpoint_does_not_build_on_a_damaged_one() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let first = checkpoint(&sandbox);
    let pack = packs(&sandbox).remove(0);
    let mut bytes = fs_err::read(&pack).expect("a pack");
    bytes[2000] ^= 4;
    fs_err::write(&pack, bytes).expect("written");
    database.sql("UPDATE notes SET body = 'changed' WHERE id = 10");
    // A checkpoint that a migration relies on is read back before it counts.
    sandbox.ok(&["db-backup", "--kind", "pre-deploy", "--format", "pages"]);
    let second = checkpoint(&sandbox);
    let wanted = database.dump();
    sandbox.fails(1, &["db-verify", &first]);
    sandbox.ok(&["db-verify", &second]);
    database.sql("DROP TABLE notes");
    sandbox.ok(&["db-restore", &second, "--yes"]);
    assert_eq!(database.dump(), wanted);
}

#[test]
fn pruning_keeps_what_the_other_checkpoints_need() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let mut kept = Vec::new();
    for n in 0..6 {
        database
            .sql(&format!("UPDATE notes SET body = body || {n} WHERE id % 6 = {n} AND id < 9000"));
        kept.push((checkpoint(&sandbox), database.dump()));
    }
    let before = bytes(&packs(&sandbox));
    sandbox.ok(&["db-remove", &kept[0].0, "--yes"]);
    sandbox.ok(&["db-prune", "--keep-last", "2", "--yes"]);
    assert!(bytes(&packs(&sandbox)) < before, "space was freed");
    sandbox.ok(&["db-verify", "--all"]);
    for (name, wanted) in &kept[4..] {
        sandbox.ok(&["db-restore", name, "--yes"]);
        assert_eq!(database.dump(), *wanted, "{name}");
    }
    let said = sandbox.ok(&["db-status", "--json"]);
    assert!(said.out.contains("\"store\""), "{said:#?}");
}

/// How a failed branch is undone, wherever the checkpoints are.
fn failed_branch(database: &PostgresDatabase) {
    database.sql(
        "CREATE TABLE feature_x (user_id int REFERENCES users (id)); DELETE FROM users WHERE id = 2;
         ALTER TABLE notes ADD COLUMN extra int DEFAULT 7",
    );
}

#[test]
fn a_failed_branch_is_undone_from_a_stored_checkpoint_and_a_stored_safety_backup_undoes_that() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    sandbox.configure("[workspace.metadata.db.format]\nsafety = \"pages\"");
    let before = database.dump();
    let name = checkpoint(&sandbox);
    for way in [None, Some("--swap")] {
        failed_branch(&database);
        let failed = database.dump();
        restore(&sandbox, &name, way);
        assert_eq!(database.dump(), before, "{way:?}");
        for record in sandbox.records("safety") {
            let file = record["file"].as_str().expect("a name");
            assert!(file.strip_suffix(".chunks").is_some(), "{way:?}: {file}");
        }
        restore(&sandbox, "safety", None);
        assert_eq!(database.dump(), failed, "{way:?}");
        restore(&sandbox, &name, None);
        assert_eq!(database.dump(), before, "{way:?}");
    }
}

#[test]
fn a_killed_checkpoint_leaves_nothing_and_the_next_one_is_whole() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database(TABLES);
    let sandbox = database.sandbox();
    let first = checkpoint(&sandbox);
    let command = ["db-backup", "--kind", "scheduled"];
    database.sql("UPDATE notes SET body = 'x' || body");
    let began = Instant::now();
    checkpoint(&sandbox);
    let whole = began.elapsed();
    for part in 1..9 {
        database.sql(&format!("UPDATE notes SET body = '{part}' || body"));
        let n_before = sandbox.backups().len();
        let child = sandbox.xtask(&command).spawn().expect("the binary runs");
        std::thread::sleep(whole * part / 8);
        drop(Running(child));
        let n_after = sandbox.backups().len();
        assert!(n_after <= n_before + 1);
        // Whatever is listed is whole, and the next command sweeps what is not.
        sandbox.ok(&["db-verify", "--all"]);
        let next = checkpoint(&sandbox);
        sandbox.ok(&["db-verify", &next]);
        let left = names(&sandbox.path("backups/packs"));
        assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?}");
    }
    sandbox.ok(&["db-prune", "--keep-last", "3", "--yes"]);
    sandbox.ok(&["db-verify", "--all"]);
    assert!(!sandbox.backups().contains(&first));
    let waited = Instant::now();
    while database.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        != "1"
    {
        assert!(waited.elapsed() < Duration::from_secs(10), "a killed session stays");
    }
}

//! How the shell scripts `backup-db` and `restore-db` failed: one test for each, named after it.

use crate::support::live_damage::Damage;
use crate::support::sandbox::{Said, Sandbox, messages, open};

/// Runs the xtask while no file may grow beyond 64 KiB: the disk is full, in effect.
fn run_on_a_full_disk(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    // Ignoring the signal turns it into an error of the write.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let mut command = sandbox.xtask_under(&["bash", "-c", script], arguments);
    sandbox.said(&command.output().expect("bash runs"))
}

/// Adds a megabyte that no compression makes smaller.
fn fill(sandbox: &Sandbox) {
    sandbox.sql(
        "CREATE TABLE blobs (bytes BLOB);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 256)
         INSERT INTO blobs SELECT randomblob(4096) FROM n;
         PRAGMA wal_checkpoint(TRUNCATE);",
    );
}

/// Every file in the backups folder but the lock and `.gitignore`.
fn left_behind(sandbox: &Sandbox) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(sandbox.path("backups")) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.expect("entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name != ".gitignore" && !name.contains("lock")).collect()
}

#[test]
fn printed_created_when_the_copy_failed() {
    let sandbox = Sandbox::new();
    fill(&sandbox);
    let said = run_on_a_full_disk(&sandbox, &["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert_eq!(said.out, "", "{said:#?}");
    assert!(said.err.starts_with("error: could not"), "{said:#?}");
    assert_eq!(left_behind(&sandbox), Vec::<String>::new(), "{said:#?}");
    // With room again the same command works.
    sandbox.ok(&["db-backup"]);
}

#[test]
fn restored_although_the_safety_copy_failed() {
    let sandbox = Sandbox::new();
    let name = sandbox.backup();
    fill(&sandbox);
    let said = run_on_a_full_disk(&sandbox, &["db-restore", "latest", "--yes"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(!said.out.contains("[✓]"), "{said:#?}");
    assert!(said.err.contains("the database is untouched"), "{said:#?}");
    assert_eq!(sandbox.backups(), [name]);
    let n: i64 = open(&sandbox.live())
        .query_row("SELECT count(*) FROM blobs", [], |row| row.get(0))
        .expect("the table is still there");
    assert_eq!(n, 256);
}

#[test]
fn two_backups_in_one_second_overwrote_each_other() {
    let sandbox = Sandbox::new();
    for i in 1..=10 {
        sandbox.set_clock("2025-09-13T14:25:30+02:00");
        let suffix = if i == 1 { String::new() } else { format!("-{i}") };
        assert_eq!(
            sandbox.backup_with(&format!("message {i}")),
            format!("kalito.db.2025-09-13_142530{suffix}.bak")
        );
    }
    let backups = sandbox.json(&["db-list"]);
    let names: Vec<_> = backups["backups"].as_array().into_iter().flatten().collect();
    assert_eq!(names.len(), 10);
    for (i, backup) in names.iter().rev().enumerate() {
        let path = sandbox.backup_path(backup["name"].as_str().expect("a name"));
        assert_eq!(messages(&path).len(), 3 + i + 1, "{backup:#}");
    }
}

#[test]
fn a_safety_backup_overwrote_the_very_backup_being_restored() {
    let sandbox = Sandbox::new();
    sandbox.backup();
    sandbox.sql("DELETE FROM messages WHERE id > 1");
    sandbox.set_clock("2025-09-13T15:00:00+02:00");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    let first = "kalito.db.SAFETY.2025-09-13_150000.bak";
    sandbox.set_clock("2025-09-13T15:00:00+02:00");
    let said = sandbox.ok(&["db-restore", first, "--yes"]);
    let second = "kalito.db.SAFETY.2025-09-13_150000-2.bak";
    assert!(said.out.contains(second), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), ["one"]);
    assert_eq!(messages(&sandbox.backup_path(first)), ["one"]);
    assert_eq!(messages(&sandbox.backup_path(second)).len(), 3);
}

#[test]
fn could_not_restore_over_a_corrupt_database() {
    for damage in [Damage::Header, Damage::Schema, Damage::Truncated] {
        let sandbox = Sandbox::new();
        sandbox.backup();
        let damaged = damage.inflict(&sandbox);
        let said = sandbox.ok(&["db-restore", "latest", "--yes"]);
        assert_eq!(messages(&sandbox.live()), ["one", "two", "three"], "{damage:?}");
        assert!(said.out.contains("[✓] SQLite integrity_check: ok"), "{said:#?}");
        // What was there is kept whole.
        let folder = sandbox.path("backups/kalito.db.ASIDE.2025-09-13_142630");
        let aside = fs_err::read(folder.join("kalito.db")).expect("set aside");
        assert_eq!(aside, damaged, "{damage:?}");
    }
}

#[test]
fn a_zero_byte_safety_file_was_listed_first() {
    for damage in [Damage::Header, Damage::Emptied] {
        let sandbox = Sandbox::new();
        let name = sandbox.backup();
        damage.inflict(&sandbox);
        sandbox.ok(&["db-restore", "latest", "--yes"]);
        let backups = sandbox.json(&["db-list"]);
        assert_eq!(backups["backups"][0]["name"], name.as_str(), "{backups:#}");
        assert_eq!(sandbox.backups(), [name], "{damage:?}");
    }
}

#[test]
fn a_zero_byte_safety_file_left_by_an_older_script_is_never_restored() {
    let sandbox = Sandbox::new();
    sandbox.backup();
    let empty = "kalito.db.SAFETY.2025-09-13_150000.bak";
    sandbox.write(&format!("backups/{empty}"), "");
    for reference in [empty, "safety"] {
        let said = sandbox.run(&["db-restore", reference, "--yes"]);
        assert!(matches!(said.code, Some(1 | 2)), "{reference}: {said:#?}");
        assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
    }
    // Nor does it hide the good one.
    sandbox.sql("DELETE FROM messages");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn checked_integrity_only_after_overwriting() {
    let sandbox = Sandbox::new();
    let name = sandbox.backup();
    let path = sandbox.backup_path(&name);
    let mut bytes = fs_err::read(&path).expect("a backup");
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    sandbox.write(&format!("backups/{name}"), &bytes);
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    let said = sandbox.fails(1, &["db-restore", "latest", "--yes"]);
    assert!(said.err.contains("failed its examination"), "{said:#?}");
    assert!(said.err.contains("the database is untouched"), "{said:#?}");
    assert_eq!(said.out, "", "{said:#?}");
    assert_eq!(sandbox.backups(), [name], "no safety backup was needed");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three", "four"]);
}

#[test]
fn deleted_the_wal_under_a_running_application_whose_later_writes_were_lost() {
    for mode in ["wal", "delete"] {
        let sandbox = Sandbox::new();
        sandbox.sql(&format!("PRAGMA journal_mode={mode}"));
        let application = open(&sandbox.live());
        application
            .execute_batch("INSERT INTO messages (content) VALUES ('four')")
            .expect("written");
        sandbox.backup();
        application.execute_batch("DELETE FROM messages WHERE id = 1").expect("written");
        sandbox.ok(&["db-restore", "latest", "--yes"]);
        application
            .execute_batch("INSERT INTO messages (content) VALUES ('after')")
            .expect("written after the restore");
        let after = ["one", "two", "three", "four", "after"];
        assert_eq!(messages(&sandbox.live()), after, "{mode}: seen by others");
        drop(application);
        assert_eq!(messages(&sandbox.live()), after, "{mode}: it stays");
    }
}

#[test]
fn offered_any_file_in_the_folder() {
    let sandbox = Sandbox::new();
    let name = sandbox.backup();
    let strangers = [
        "notes.txt",
        "kalito.db",
        "kalito.db.bak",
        "kalito.db.2025-09-13.bak",
        "kalito.db.2025-13-41_142530.bak",
        "kalito.db.2025-09-13_142530.bak.gz",
        "kalito.db.2025-09-13_142531.bak.json",
    ];
    for stranger in strangers {
        sandbox.write(&format!("backups/{stranger}"), "not a backup");
    }
    fs_err::create_dir(sandbox.backup_path("kalito.db.2025-09-13_142532.bak")).expect("folder");
    let link = sandbox.backup_path("kalito.db.2025-09-13_142533.bak");
    std::os::unix::fs::symlink(sandbox.backup_path(&name), link).expect("link");
    let listed = sandbox.json(&["db-list"]);
    let listed: Vec<_> = listed["backups"].as_array().into_iter().flatten().collect();
    assert_eq!(listed.len(), 1, "{listed:#?}");
    assert_eq!(listed[0]["name"], name.as_str());
    for stranger in strangers {
        for reference in [stranger.to_owned(), format!("backups/{stranger}")] {
            // The time in a stranger's name may still begin the backup's.
            if name.starts_with(&reference) {
                continue;
            }
            let said = sandbox.fails(2, &["db-restore", &reference, "--yes"]);
            assert!(said.err.contains("error: "), "{said:#?}");
        }
    }
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn created_and_backed_up_an_empty_database_when_the_path_was_wrong() {
    let sandbox = Sandbox::new();
    for wrong in ["backend/db/kalitoo.db", "backend/dbs/kalito.db"] {
        let mut command = sandbox.xtask(&["db-backup"]);
        let output = command.env("DATABASE_PATH", wrong).output();
        let said = sandbox.said(&output.expect("the binary runs"));
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert_eq!(said.out, "", "{said:#?}");
        let named = format!("there is no database at `{wrong}");
        assert!(said.err.contains(&named), "{said:#?}");
        let origin = "DATABASE_PATH in the environment";
        assert!(said.err.contains(origin), "{said:#?}");
        assert!(!sandbox.path(wrong).exists());
        assert!(sandbox.backups().is_empty());
    }
}

#[test]
fn broke_on_a_quote_in_the_path() {
    for name in ["o'brien", "a\"b", "two words", "100%?#", "naïve 数", "-dash", "a`b$c"] {
        let sandbox = Sandbox::new();
        let folder = format!("backend/{name}");
        let path = sandbox.path(&folder).join(format!("{name}.db"));
        fs_err::create_dir(sandbox.path(&folder)).expect("folder");
        sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)");
        fs_err::copy(sandbox.live(), &path).expect("moved");
        let quoted = format!("{folder}/{name}.db").replace('"', "\\\"");
        let manifest = format!(
            "[workspace]\n[workspace.metadata.db]\nbackups = \"safe {}\"\n\
             [workspace.metadata.db.databases.kalito]\npath = \"{quoted}\"\n",
            name.replace('"', "\\\"")
        );
        sandbox.write("Cargo.toml", manifest);
        sandbox.ok(&["db-backup"]);
        open(&path).execute_batch("DELETE FROM messages").expect("deleted");
        sandbox.ok(&["db-restore", "latest", "--yes"]);
        assert_eq!(messages(&path), ["one", "two", "three"], "{name}");
        sandbox.ok(&["db-verify", "--all"]);
        let into = format!("{name} copy.db");
        sandbox.ok(&["db-restore", "latest", "--into", &format!("./{into}")]);
        assert_eq!(messages(&sandbox.path(&into)), ["one", "two", "three"]);
    }
}

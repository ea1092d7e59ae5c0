//! `db-reset`: a new database from the migrations; the old one in a safety backup, or untouched.

use crate::restore::in_use::no_commit_is_lost;
use crate::support::museum::{Case, Random, content_of, names, put, remove_live};
use crate::support::sandbox::{Sandbox, messages, open};
use crate::support::strace::{Bench, works};
use crate::support::terminal::Terminal;

const RESET: [&str; 2] = ["db-reset", "--yes"];

/// A migration that writes the file `template` into the file it is given.
const FROM_TEMPLATE: &str = "cat template > \"$DATABASE_PATH\"";

/// Configures a migration, and what it makes: a database with a table and no rows.
fn configure(sandbox: &Sandbox, script: &str) {
    sandbox.configure("migrate = ['sh', 'migrate.sh']");
    sandbox.write("migrate.sh", script);
    open(&sandbox.path("template"))
        .execute_batch(
            "CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT NOT NULL);
             PRAGMA user_version=13;",
        )
        .expect("a template");
}

fn migrated_by(script: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    configure(&sandbox, script);
    sandbox
}

fn journal_mode(sandbox: &Sandbox) -> String {
    let live = open(&sandbox.live());
    live.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a mode")
}

/// Demands that a reset fails and leaves the live database, and no other file behind.
fn fails_untouched(sandbox: &Sandbox, code: i32) -> crate::support::sandbox::Said {
    let before = content_of(sandbox);
    let said = sandbox.fails(code, &RESET);
    assert_eq!(content_of(sandbox), before, "{said:#?}");
    let mut left = names(&sandbox.path("backups"));
    left.retain(|name| ![".lock", ".gitignore", "under-way"].contains(&name.as_str()));
    left.extend(names(&sandbox.path("backups/under-way")));
    assert_eq!(left, [""; 0], "{said:#?}");
    said
}

#[test]
fn the_database_is_new_and_the_old_one_is_one_command_away() {
    let sandbox = migrated_by(FROM_TEMPLATE);
    let before = content_of(&sandbox);
    let said = sandbox.ok(&RESET);
    insta::assert_snapshot!(said.out, @r"
    [✓] New database built: 1 table, schema version 13, integrity_check ok
    [✓] Safety backup created → ./backups/kalito.db.SAFETY.2025-09-13_142630.bak
    [✓] Reset → ./backend/db/kalito.db

    Done. You may need to restart your backend if it was running.
    Undo with: cargo xtask db-restore kalito.db.SAFETY.2025-09-13_142630.bak
    ");
    assert_eq!(said.err, "Building a new database with `sh migrate.sh`\n");
    assert_eq!(messages(&sandbox.live()), [""; 0]);
    assert_eq!(journal_mode(&sandbox), "wal", "as it was");
    assert_eq!(sandbox.backups(), ["kalito.db.SAFETY.2025-09-13_142630.bak"]);
    sandbox.ok(&["db-restore", "safety", "--yes"]);
    assert_eq!(content_of(&sandbox), before);
}

#[test]
fn the_journal_mode_stays_whatever_the_migrations_chose() {
    for (old, new) in [("delete", "wal"), ("wal", "delete")] {
        let sandbox = migrated_by(FROM_TEMPLATE);
        sandbox.sql(&format!("PRAGMA journal_mode={old}"));
        let template = open(&sandbox.path("template"));
        let set = format!("PRAGMA journal_mode={new}");
        let _: String = template.query_row(&set, [], |row| row.get(0)).expect("set");
        drop(template);
        sandbox.ok(&RESET);
        assert_eq!(journal_mode(&sandbox), old);
    }
}

#[test]
fn a_dry_run_says_all_of_it_and_does_none() {
    let sandbox = migrated_by("touch ran");
    sandbox.configure("after-restore = ['sh', 'reindex.sh']");
    let said = sandbox.ok(&["db-reset", "--dry-run"]);
    insta::assert_snapshot!(said.out, @r"
    Would build a new database with `sh migrate.sh`
    Would create a safety backup of ./backend/db/kalito.db in ./backups
    Would put the new database in place → ./backend/db/kalito.db
    Would run sh reindex.sh
    ");
    let document = sandbox.json(&["db-reset", "--dry-run"]);
    assert_eq!(document["would_reset"], "kalito");
    assert!(!sandbox.path("ran").exists());
    assert!(!sandbox.path("backups").exists());
}

#[test]
fn without_a_terminal_it_takes_a_yes_and_for_a_protected_one_the_name() {
    let sandbox = migrated_by(FROM_TEMPLATE);
    let said = sandbox.fails(2, &["db-reset"]);
    insta::assert_snapshot!(said.err, @r"
    error: resetting `backend/db/kalito.db` needs `--yes` when there is no terminal
    hint: pass `--yes`, or look first with `--dry-run`
    ");
    sandbox.configure("protected = true");
    let said = sandbox.fails(2, &RESET);
    assert!(said.err.contains("without a terminal pass `--db kalito --yes`"), "{said:#?}");
    assert_eq!(messages(&sandbox.live()).len(), 3);
    sandbox.ok(&["db-reset", "--yes", "--db", "kalito"]);
    assert_eq!(messages(&sandbox.live()).len(), 0);
}

#[test]
fn on_a_terminal_it_asks_before_anything_is_run() {
    for (answer, code, n_left) in [("n", 1, 3), ("", 1, 3), ("y", 0, 0)] {
        let sandbox = migrated_by(&format!("touch ran\n{FROM_TEMPLATE}"));
        let Some(mut terminal) = Terminal::run(&sandbox, &["db-reset"]) else {
            return;
        };
        let question =
            "Replace ./backend/db/kalito.db with a new database from the migrations ? [y/N]: ";
        terminal.answer(question, answer);
        let ended = terminal.end();
        assert_eq!(ended.code, Some(code), "{answer}: {ended:#?}");
        assert_eq!(messages(&sandbox.live()).len(), n_left, "{answer}");
        assert_eq!(sandbox.path("ran").exists(), code == 0);
    }
}

#[test]
fn without_a_migrate_command_the_key_is_named() {
    let said = Sandbox::new().fails(2, &RESET);
    insta::assert_snapshot!(said.err, @r"
    error: no `migrate` command is configured to build `backend/db/kalito.db`
    hint: set `migrate` in `[workspace.metadata.db.databases.kalito]`
    ");
}

#[test]
fn a_migration_that_fails_leaves_everything_as_it_was() {
    let sandbox = migrated_by(&format!("{FROM_TEMPLATE}\necho no such column >&2\nexit 7\n"));
    let said = fails_untouched(&sandbox, 1);
    insta::assert_snapshot!(said.err, @r"
    Building a new database with `sh migrate.sh`
    no such column
    error: could not reset `backend/db/kalito.db`
      caused by: could not build a new database with `sh migrate.sh`
      caused by: `sh` ended with exit status: 7
    hint: the database is untouched
    ");
}

#[test]
fn what_a_migration_does_to_the_live_database_instead_can_be_brought_back() {
    for (end, code) in [("exit 7", 1), ("true", 1), ("cat template > \"$DATABASE_PATH\"", 0)] {
        let delete = "sqlite3 backend/db/kalito.db 'DELETE FROM messages'";
        let sandbox = migrated_by(&format!("{delete} || exit 99\n{end}\n"));
        if sandbox.command("sqlite3").arg("-version").output().is_err() {
            crate::support::strace::complain(
                "SKIPPED: a command beside the live database needs `sqlite3`",
            );
            return;
        }
        let before = content_of(&sandbox);
        let said = sandbox.fails(code, &RESET);
        assert!(!said.err.contains("untouched"), "{said:#?}");
        let (_, rest) =
            said.err.split_once("by an application or by the command; `").expect("named");
        let name = rest.split(['`', ' ']).nth(3).expect("a name");
        sandbox.ok(&["db-restore", name, "--yes"]);
        assert_eq!(content_of(&sandbox), before, "{end}: {said:#?}");
    }
}

#[test]
fn a_migration_that_hangs_is_ended_after_its_timeout() {
    let sandbox = migrated_by("exec sleep 600");
    sandbox.configure("migrate-timeout = '200ms'");
    let said = fails_untouched(&sandbox, 1);
    assert!(said.err.contains("did not end within 200 ms"), "{said:#?}");
}

#[test]
fn an_interrupt_in_the_middle_of_the_migrations_leaves_everything_as_it_was() {
    let sandbox = migrated_by("kill -INT $PPID; exec sleep 600");
    let said = fails_untouched(&sandbox, 130);
    assert!(said.err.contains("interrupted: "), "{said:#?}");
    let list = sandbox.path("backups");
    let left = names(&list);
    assert!(!left.iter().any(|name| name.contains(".stage-")), "{left:?}");
}

#[test]
fn a_migration_that_makes_nothing_or_nonsense_is_refused() {
    for (script, why) in [
        ("true", "succeeded but wrote nothing into the new file that it was given"),
        ("echo text > \"$DATABASE_PATH\"", "is not an SQLite database"),
        ("head -c 4096 template > \"$DATABASE_PATH\"", "damaged"),
        ("cat without-tables > \"$DATABASE_PATH\"", "it has no tables"),
    ] {
        let sandbox = migrated_by(script);
        let none = open(&sandbox.path("without-tables"));
        none.execute_batch("CREATE TABLE t (a); DROP TABLE t").expect("made");
        drop(none);
        let said = sandbox.run(&RESET);
        assert!([Some(1), Some(2)].contains(&said.code), "{script}: {said:#?}");
        assert!(said.err.contains(why), "{script}: {said:#?}");
        assert_eq!(messages(&sandbox.live()).len(), 3, "{script}");
        assert_eq!(sandbox.backups(), [""; 0], "{script}");
    }
}

#[test]
fn a_migration_that_ignores_its_variable_is_told_of_it() {
    let sandbox = migrated_by("echo migrated-the-live-one");
    let said = fails_untouched(&sandbox, 1);
    assert!(said.err.contains("check `migrate-env`"), "{said:#?}");
}

#[test]
fn the_migrations_are_given_a_private_empty_file_under_the_database_s_own_name() {
    let sandbox = migrated_by(&format!(
        "ls -ln \"$DATABASE_PATH\" > seen\ntest ! -s \"$DATABASE_PATH\"\n{FROM_TEMPLATE}"
    ));
    sandbox.ok(&RESET);
    let seen = fs_err::read_to_string(sandbox.path("seen")).expect("seen");
    assert!(seen.starts_with("-rw-------"), "{seen}");
    assert!(seen.trim_end().ends_with("/kalito.db"), "{seen}");
    assert_eq!(sandbox.backups().len(), 1);
    let left = names(&sandbox.path("backups"));
    assert!(!left.iter().any(|name| name.contains(".stage-")), "{left:?}");
}

#[test]
fn a_migration_may_take_a_backup_of_its_own() {
    let backup = "env -u DATABASE_PATH \"$XTASK\" db-backup --quiet";
    let script = format!("{backup} || exit 1\n{FROM_TEMPLATE}");
    let sandbox = migrated_by(&script);
    let mut command = sandbox.xtask(&RESET);
    command.env("XTASK", env!("CARGO_BIN_EXE_xtask"));
    let said = sandbox.said(&command.output().expect("the binary runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), [""; 0]);
    let backups = sandbox.backups();
    assert_eq!(backups.len(), 2, "{backups:?}");
    for name in backups {
        assert_eq!(messages(&sandbox.backup_path(&name)).len(), 3, "{name}");
    }
}

#[test]
fn a_missing_an_empty_and_a_damaged_database_are_made_anew() {
    let random = Random(6).bytes(8192);
    for (bytes, kept) in [
        (None, "There was no database to keep"),
        (Some(&b""[..]), "There was no database to keep"),
        (Some(b"this is no database"), "Raw files set aside → ./backups/kalito.db.ASIDE."),
        (Some(&random), "Raw files set aside → ./backups/kalito.db.ASIDE."),
    ] {
        let sandbox = migrated_by(FROM_TEMPLATE);
        match bytes {
            Some(bytes) => put(&sandbox, bytes),
            None => remove_live(&sandbox),
        }
        if bytes == Some(&random) {
            let said = sandbox.fails(2, &RESET);
            assert!(said.err.contains("may be an encrypted database"), "{said:#?}");
        }
        let said = sandbox.ok(&["db-reset", "--yes", "--force"]);
        assert!(said.out.contains(kept), "{said:#?}");
        assert!(!said.out.contains("Undo with"), "{said:#?}");
        assert_eq!(messages(&sandbox.live()), [""; 0]);
    }
}

#[test]
fn derived_data_is_rebuilt_and_its_failure_leaves_the_new_database() {
    let sandbox = migrated_by(FROM_TEMPLATE);
    sandbox.configure("after-restore = ['sh', 'reindex.sh']");
    sandbox.write("reindex.sh", "test -s backend/db/kalito.db && touch rebuilt");
    sandbox.ok(&RESET);
    assert!(sandbox.path("rebuilt").exists());
    sandbox.write("reindex.sh", "exit 9");
    let said = sandbox.fails(2, &RESET);
    let what = "error: the database is reset, but `sh reindex.sh` failed";
    assert!(said.err.contains(what), "{said:#?}");
    assert!(
        said.err
            .contains("hint: run it by hand; the database contains what the migrations created")
    );
    assert_eq!(messages(&sandbox.live()), [""; 0]);
}

#[test]
fn of_several_databases_one_has_to_be_named() {
    let sandbox = migrated_by(FROM_TEMPLATE);
    sandbox.configure("[workspace.metadata.db.databases.second]\npath = 'second.db'");
    let said = sandbox.fails(2, &RESET);
    assert!(said.err.contains("choose one with `--db`"), "{said:#?}");
    sandbox.ok(&["db-reset", "--yes", "--db", "kalito"]);
}

#[test]
fn every_commit_beside_a_reset_is_in_the_safety_backup_or_in_the_live_database() {
    for journal_mode in ["wal", "delete"] {
        let case = Case::new(journal_mode);
        configure(&case.sandbox, FROM_TEMPLATE);
        no_commit_is_lost(&case, journal_mode, &RESET);
    }
}

#[test]
fn a_reset_killed_at_any_call_leaves_the_old_or_the_new_database() {
    if !works() {
        return;
    }
    let bench = Bench::new("wal");
    let sandbox = &bench.case.sandbox;
    configure(sandbox, FROM_TEMPLATE);
    // What the migrations make is the content that the bench calls new.
    let new = fs_err::read(crate::support::museum::only_backup(sandbox)).expect("read");
    sandbox.write("template", new);
    let mut n_kills = 0;
    for calls in ["pwrite64", "fsync,fdatasync", "?link,linkat", "?unlink,unlinkat", "?clone3"] {
        n_kills += bench.at_every(calls, "signal=SIGKILL:when=N", &RESET, |bench, said, what| {
            let is_new = bench.live_is_new(what);
            assert!(is_new || said.code != Some(0), "success, and old: {what}");
            let has_safety =
                bench.case.sandbox.backups().iter().any(|name| name.contains(".SAFETY."));
            assert!(has_safety || !is_new, "new without a safety backup: {what}");
            bench.backups_are_whole(what);
        });
    }
    assert!(n_kills > 20, "{n_kills}");
}

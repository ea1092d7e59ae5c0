//! `db-setup`: from a fresh clone to a verified backup, and nothing the second time.

use std::time::{Duration, Instant};

use crate::support::sandbox::{Running, Sandbox, messages};

/// A workspace without its database, whose `migrate` command is a shell script.
fn fresh(script: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("manifest");
    let migrate = "migrate = ['sh', 'migrate.sh']\nmigrate-env = 'APP_DB=file:{path}'\n";
    sandbox.write("Cargo.toml", format!("{manifest}{migrate}"));
    sandbox.write("migrate.sh", script);
    fs_err::copy(sandbox.live(), sandbox.path("template")).expect("copied");
    fs_err::remove_dir_all(sandbox.path("backend")).expect("removed");
    sandbox
}

#[test]
fn a_missing_database_is_created_by_the_host_s_command_and_backed_up() {
    let sandbox = fresh("set -e\necho migrating\ncp template \"${APP_DB#file:}\"\n");
    let said = sandbox.ok(&["db-setup"]);
    let masked = said
        .out
        .replace(|c: char| c.is_ascii_digit(), "9")
        .replace("in 9.9 s", "in 9 ms")
        .replace("in 999 ms", "in 9 ms")
        .replace("in 99 ms", "in 9 ms");
    insta::assert_snapshot!(masked, @r"
    Created ./backend/db/kalito.db
    Backup created at ./backups/kalito.db.9999-99-99_999999.bak
    9.9 KB, 9 table, 9 rows, schema version 99, quick_check ok, BLAKE9 recorded, in 9 ms
    kalito.db.9999-99-99_999999.bak is whole: size and BLAKE9 as recorded, integrity_check ok, 9 table, 9 rows

    Three commands to know:
      cargo xtask db-backup     before anything risky
      cargo xtask db-list       the backups you can go back to
      cargo xtask db-restore    the way back
    ");
    assert!(said.err.contains("migrating"), "the host's own words: {}", said.err);
    let again = sandbox.ok(&["db-setup"]);
    assert!(again.out.starts_with("Unchanged since ./backups/"), "{}", again.out);
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn only_a_migrate_command_of_cargo_is_said_to_be_built_first() {
    let script = "cp template \"${APP_DB#file:}\"\n";
    let said = fresh(script).ok(&["db-setup"]);
    assert!(
        said.err.contains("Creating `backend/db/kalito.db` with `sh migrate.sh`\n"),
        "{said:#?}"
    );
    let sandbox = fresh(script);
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("manifest");
    let by_cargo = manifest.replace("['sh', 'migrate.sh']", "['cargo', 'no-such-command']");
    sandbox.write("Cargo.toml", by_cargo);
    let said = sandbox.fails(2, &["db-setup"]);
    assert!(said.err.contains("a first build takes a few minutes"), "{said:#?}");
}

#[test]
fn a_migration_tool_that_is_not_installed_is_named_with_the_setting_that_names_it() {
    let sandbox = fresh("");
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("manifest");
    sandbox.write("Cargo.toml", manifest.replace("['sh', 'migrate.sh']", "['no-such-tool', 'up']"));
    let said = sandbox.run(&["db-setup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    insta::assert_snapshot!(said.err, @r"
    Creating `backend/db/kalito.db` with `no-such-tool up`
    error: could not create `backend/db/kalito.db` with `no-such-tool up`
      caused by: could not build a new database with `no-such-tool up`
      caused by: could not start `no-such-tool`
      caused by: No such file or directory (os error 2)
    hint: `migrate` in `[workspace.metadata.db.databases.kalito]` in `Cargo.toml` names it: install it, or correct the name, then run `cargo xtask db-setup` again
    ");
}

#[test]
fn a_command_line_in_one_word_is_no_program_and_shown_as_a_list() {
    let sandbox = fresh("");
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("manifest");
    sandbox.write("Cargo.toml", manifest.replace("['sh', 'migrate.sh']", "['sh migrate.sh']"));
    let said = sandbox.fails(2, &["db-setup"]);
    insta::assert_snapshot!(said.err, @r#"
    Creating `backend/db/kalito.db` with `sh migrate.sh`
    error: could not create `backend/db/kalito.db` with `sh migrate.sh`
      caused by: could not build a new database with `sh migrate.sh`
      caused by: could not start `sh migrate.sh`
      caused by: No such file or directory (os error 2)
    hint: no shell is involved: write `["sh", "migrate.sh"]`, or `["sh", "-c", "sh migrate.sh"]` as `migrate` in `[workspace.metadata.db.databases.kalito]` in `Cargo.toml`, then run `cargo xtask db-setup` again
    "#);
}

#[test]
fn a_pattern_of_schema_files_in_a_folder_that_does_not_exist_is_pointed_out() {
    let sandbox = Sandbox::new();
    sandbox.configure("schema = ['migratons/*.sql']");
    sandbox.write("migrations/1.sql", "SELECT 1;");
    let advice = "no file matches `migratons/*.sql` in `schema` of `kalito`: there is no folder \
                  `migratons`: create it with the first migration, or correct the pattern";
    let said = sandbox.ok(&["db-setup"]);
    assert!(said.err.contains(advice), "{said:#?}");
    let said = sandbox.ok(&["db-status"]);
    assert!(said.out.contains("there is no folder `migratons`"), "{said:#?}");
}

#[test]
fn a_pattern_of_schema_files_that_matches_none_is_pointed_out() {
    let sandbox = Sandbox::new();
    sandbox.configure("schema = ['migrations/*.sql', 'schema/*.sql']");
    sandbox.write("migrations/2024-05-01-120000_notes/up.sql", "SELECT 1;");
    sandbox.write("schema/notes.sql", "SELECT 1;");
    let said = sandbox.ok(&["db-setup"]);
    let advice =
        "no file matches `migrations/*.sql` in `schema` of `kalito`: write `migrations/*/up.sql`";
    assert!(said.err.contains(advice), "{said:#?}");
    assert!(!said.err.contains("schema/*.sql"), "{said:#?}");
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("manifest");
    sandbox.write("Cargo.toml", manifest.replace("migrations/*.sql", "migrations/*/up.sql"));
    assert!(!sandbox.ok(&["db-setup"]).err.contains("no file matches"));
}

#[test]
fn a_failing_migration_and_one_that_creates_nothing_are_told_apart() {
    let said = fresh("echo no such table >&2\nexit 7\n").run(&["db-setup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("no such table"), "{}", said.err);
    assert!(said.err.contains("exit status: 7"), "{}", said.err);
    let said = fresh("true\n").run(&["db-setup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("check `migrate-env`"), "{}", said.err);
}

#[test]
fn backups_that_git_tracks_are_warned_of() {
    // System 1 claimed to ignore its backups while they were committed.
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    fs_err::remove_file(sandbox.path("backups/.gitignore")).expect("removed");
    sandbox.git(&["init", "--quiet", "--initial-branch=main"]);
    sandbox.git(&["add", "--force", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message=oops"]);
    let said = sandbox.ok(&["db-setup"]);
    assert!(said.err.contains("git tracks 3 files in the backups folder"), "{}", said.err);
}

#[test]
fn a_migration_that_hangs_is_ended_after_its_timeout() {
    let sandbox = fresh("exec sleep 600\n");
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("manifest");
    sandbox.write("Cargo.toml", format!("{manifest}migrate-timeout = '200ms'\n"));
    let said = sandbox.run(&["db-setup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("did not end within 200 ms"), "{}", said.err);
}

#[test]
fn a_database_that_is_gone_is_not_replaced_by_an_empty_one_while_there_are_backups() {
    let sandbox = fresh("cp template \"${APP_DB#file:}\"\n");
    sandbox.ok(&["db-setup"]);
    fs_err::remove_file(sandbox.live()).expect("removed");
    let said = sandbox.run(&["db-setup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("cargo xtask db-restore"), "{}", said.err);
    assert!(!sandbox.live().exists());
}

#[test]
fn a_setup_that_is_killed_while_the_database_is_made_is_done_by_the_next_one() {
    let sandbox = fresh(
        "set -e\ntemplate=\"$PWD/template\"\n[ -e begun ] && cp template \"${APP_DB#file:}\" && exit 0
         echo half > \"${APP_DB#file:}\"\ntouch begun\nsleep 600\n",
    );
    let mut running = Running(sandbox.xtask(&["db-setup"]).spawn().expect("it runs"));
    let began = Instant::now();
    while !sandbox.path("begun").exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "the migration never began");
        std::thread::yield_now();
    }
    running.0.kill().expect("killed");
    running.0.wait().expect("it ends");
    assert!(!sandbox.live().exists(), "nothing is at the database's place");
    let status = sandbox.fails(1, &["db-status"]);
    assert!(status.out.contains("- `db-setup` of `backend/db/kalito.db`, begun"), "{status:#?}");
    let said = sandbox.ok(&["db-setup"]);
    assert!(said.out.contains("Created ./backend/db/kalito.db"), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
    assert!(!sandbox.ok(&["db-list"]).err.contains("was interrupted"));
}

#[test]
fn a_database_of_0_bytes_is_created_where_there_is_no_backup_to_put_back() {
    let sandbox = fresh("cp template \"${APP_DB#file:}\"\n");
    sandbox.write("backend/db/kalito.db", "");
    let status = sandbox.fails(1, &["db-status"]);
    assert!(status.out.contains("    cargo xtask db-setup\n"), "{status:#?}");
    let said = sandbox.ok(&["db-setup"]);
    assert!(said.out.contains("Created ./backend/db/kalito.db"), "{said:#?}");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn a_command_that_creates_the_database_by_itself_is_told_of_its_variable() {
    let sandbox = fresh("mkdir -p backend/db\ncp template backend/db/kalito.db\n");
    let said = sandbox.ok(&["db-setup"]);
    assert!(said.err.contains("check `migrate-env` before you migrate"), "{said:#?}");
    assert!(said.out.contains("Created ./backend/db/kalito.db"), "{said:#?}");
    assert!(sandbox.ok(&["db-list"]).err.is_empty());
}

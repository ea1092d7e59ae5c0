//! The seven situations of system 1's workflow as transcripts: what a developer types on a day, and
//! what is printed.

use crate::support::sandbox::{Sandbox, messages, open};
use crate::support::strace::complain;

/// A project in a repository, its database bound to git, whose migrations `sqlite3` applies; prints
/// a warning if there is no such program.
fn project() -> Option<Sandbox> {
    let sandbox = Sandbox::empty();
    let tried = sandbox.command("sqlite3").arg("--version").output();
    if !tried.is_ok_and(|output| output.status.success()) {
        complain("SKIPPED: a transcript of the workflow needs sqlite3");
        return None;
    }
    let sandbox = Sandbox::with_hooks();
    sandbox.configure("migrate = ['sh', 'migrate.sh']");
    sandbox.write("migrate.sh", MIGRATE);
    sandbox.write("backend/db/migrations/0012_messages.sql", MESSAGES);
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--no-verify", "--message=migrations"]);
    sandbox.set_clock("2025-09-13T14:25:30+02:00");
    Some(sandbox)
}

/// Applies the migrations whose number is above the database's version, each in a transaction.
const MIGRATE: &str = r#"set -e
for file in backend/db/migrations/*.sql; do
  n=$(basename "$file" | sed 's/^0*\([0-9]*\)_.*/\1/')
  version=$(sqlite3 "$DATABASE_PATH" 'PRAGMA user_version')
  [ "$n" -le "$version" ] || { echo "BEGIN;"; cat "$file"; echo "PRAGMA user_version=$n; COMMIT;"; } |
    sqlite3 -bail "$DATABASE_PATH"
done
"#;

const MESSAGES: &str = "CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT NOT NULL);\n";

/// Runs a command and writes down what was typed and said; a time that passed is none of it.
fn typed(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let said = sandbox.run(arguments);
    let shown: Vec<String> = arguments.iter().map(|word| shell(word)).collect();
    let exit =
        said.code.filter(|code| *code != 0).map_or(String::new(), |n| format!("[exit {n}]\n"));
    let text = format!("$ cargo xtask {}\n{}{}{exit}", shown.join(" "), said.out, said.err);
    without_times(&text)
}

fn shell(word: &str) -> String {
    if word.contains(' ') { format!("'{word}'") } else { word.to_owned() }
}

/// ` in 23 ms` and ` in 1.2 s` as ` in N ms`.
fn without_times(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(" in ") {
        let (before, after) = rest.split_at(at + " in ".len());
        shown.push_str(before);
        let number = after.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(after.len());
        let unit = [" ms", " s"].into_iter().find(|unit| after[number..].starts_with(unit));
        rest = match unit.filter(|_| number > 0) {
            Some(unit) => {
                shown.push_str("N ms");
                &after[number + unit.len()..]
            }
            None => after,
        };
    }
    shown + rest
}

fn add_migration(sandbox: &Sandbox, name: &str, sql: &str) {
    sandbox.write(&format!("backend/db/migrations/{name}.sql"), sql);
    sandbox.git(&["add", "--all"]);
}

#[test]
fn at_the_start_of_a_session() {
    let Some(sandbox) = project() else { return };
    let mut day = typed(&sandbox, &["db-backup", "--if-changed", "--label", "start of the day"]);
    day += &typed(&sandbox, &["db-backup", "--if-changed", "--label", "after lunch"]);
    let commit = sandbox.git(&["rev-parse", "--short=7", "HEAD"]);
    day += &typed(&sandbox, &["db-list"]).replace(&commit, "$COMMIT");
    insta::assert_snapshot!(day, @r#"
    $ cargo xtask db-backup --if-changed --label 'start of the day'
    Backup created at ./backups/kalito.db.2025-09-13_142530.bak
    8.0 KB, 1 table, 3 rows, schema version 12, quick_check ok, BLAKE3 recorded, in N ms
    $ cargo xtask db-backup --if-changed --label 'after lunch'
    Unchanged since ./backups/kalito.db.2025-09-13_142530.bak: no new backup was needed
    $ cargo xtask db-list
    NAME                             ALSO      SIZE   AGE  STATE
    kalito.db.2025-09-13_142530.bak  latest  8.0 KB  2min  verified
        manual  main@$COMMIT  "start of the day"

    `latest` means kalito.db.2025-09-13_142530.bak
    "#);
    let seen = sandbox.git(&["status", "--porcelain", "--untracked-files=all"]);
    assert!(!seen.contains(".bak"), "backups stay out of git: {seen}");
}

#[test]
fn before_a_schema_edit() {
    let Some(sandbox) = project() else { return };
    add_migration(&sandbox, "0013_summaries", "CREATE TABLE summaries (id INTEGER PRIMARY KEY);\n");
    let said = sandbox.hooked(&["commit", "--quiet", "--message=Summaries of memories"]);
    insta::assert_snapshot!(said.err, @"xtask-db: checkpoint kalito.db.2025-09-13_142530.pages (8.0 KB)");
    insta::assert_snapshot!(sandbox.git(&["log", "-1", "--format=%B"]), @r#"
    Summaries of memories

    Db-Backup: kalito.db.2025-09-13_142530.pages (8.0 KB; +summaries)
    "#);
}

#[test]
fn before_a_migration() {
    let Some(sandbox) = project() else { return };
    add_migration(&sandbox, "0013_summaries", "CREATE TABLE summaries (id INTEGER PRIMARY KEY);\n");
    let mut day = typed(&sandbox, &["db-migrate"]);
    add_migration(&sandbox, "0014_oops", "DELETE FROM messages WHERE id > 1;\n");
    day += &typed(&sandbox, &["db-migrate"]);
    insta::assert_snapshot!(day, @r#"
    $ cargo xtask db-migrate
    Rehearsed `sh migrate.sh` on a private copy of ./backend/db/kalito.db in N ms
      + table summaries
      ~ user_version: 12 → 13
      summaries: 0 rows
    Checkpoint created at ./backups/kalito.db.2025-09-13_142530.pages
    Migrated ./backend/db/kalito.db in N ms
      + table summaries
      ~ user_version: 12 → 13
      summaries: 0 rows
    Undo with: cargo xtask db-restore kalito.db.2025-09-13_142530-2.pages --yes
    Rehearsing `sh migrate.sh` on a private copy of ./backend/db/kalito.db
    Running `sh migrate.sh` on ./backend/db/kalito.db
    $ cargo xtask db-migrate
    Rehearsing `sh migrate.sh` on a private copy of ./backend/db/kalito.db
    error: the migration of `backend/db/kalito.db` is refused after its rehearsal
      caused by: table `messages` loses 2 of its 3 rows
    hint: if that is intended, pass `--allow-loss messages`; the live database is as it was
    [exit 1]
    "#);
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn before_a_deployment_in_ci() {
    let Some(sandbox) = project() else { return };
    add_migration(&sandbox, "0013_summaries", "CREATE TABLE summaries (id INTEGER PRIMARY KEY);\n");
    let mut step = sandbox.xtask(&["db-pre-deploy"]);
    let output = sandbox.path("../output");
    step.env("CI", "true").env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", &output);
    let said = sandbox.said(&step.output().expect("the binary runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    insta::assert_snapshot!(without_times(&said.out), @r#"
    Backup created at ./backups/kalito.db.2025-09-13_142530.bak
    kalito.db.2025-09-13_142530.bak is whole: size and BLAKE3 as recorded, integrity_check ok, 1 table, 3 rows, restore drill ok
    Rehearsed `sh migrate.sh` on a private copy of ./backend/db/kalito.db in N ms
      + table summaries
      ~ user_version: 12 → 13
      summaries: 0 rows
    Ready to deploy.
    The way back: cargo xtask db-restore kalito.db.2025-09-13_142530.bak --yes
    "#);
    let output = fs_err::read_to_string(output).expect("outputs");
    insta::assert_snapshot!(output, @r#"
    backup=kalito.db.2025-09-13_142530.bak
    restore-command=cargo xtask db-restore kalito.db.2025-09-13_142530.bak --yes
    "#);
}

#[test]
fn before_an_update_of_packages() {
    let Some(sandbox) = project() else { return };
    let mut day = typed(&sandbox, &["db-backup", "--pin", "--label", "before cargo update"]);
    // The new version of some package rewrites the data in its own way.
    sandbox.sql("UPDATE messages SET content = upper(content)");
    day += &typed(&sandbox, &["db-diff", "--rows"]);
    day += &typed(&sandbox, &["db-restore", "latest", "--yes"]);
    insta::assert_snapshot!(day, @r#"
    $ cargo xtask db-backup --pin --label 'before cargo update'
    Backup created at ./backups/kalito.db.2025-09-13_142530.bak
    8.0 KB, 1 table, 3 rows, schema version 12, quick_check ok, BLAKE3 recorded, in N ms
    $ cargo xtask db-diff --rows
    kalito.db.2025-09-13_142530.bak → ./backend/db/kalito.db
    messages
      ~ id=1: content: 'one' → 'ONE'
      ~ id=2: content: 'two' → 'TWO'
      ~ id=3: content: 'three' → 'THREE'
    TABLE     ADDED  REMOVED  CHANGED
    messages      0        0        3
    $ cargo xtask db-restore latest --yes
    [✓] Safety backup created → ./backups/kalito.db.SAFETY.2025-09-13_142730.bak
    [✓] Restored → ./backend/db/kalito.db
    [✓] SQLite integrity_check: ok

    Done. You may need to restart your backend if it was running.
    Undo with: cargo xtask db-restore kalito.db.SAFETY.2025-09-13_142730.bak
    "#);
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn after_a_failed_feature_branch() {
    let Some(sandbox) = project() else { return };
    let before = sandbox.content();
    let said = sandbox.hooked(&["switch", "--quiet", "--create", "feature/summaries"]);
    insta::assert_snapshot!(said.err, @r#"
    xtask-db: checkpoint kalito.db.2025-09-13_142630.pages (8.0 KB)
    xtask-db: first time on `feature/summaries`; `cargo xtask db-rollback` restores the database to this state
    "#);
    add_migration(&sandbox, "0013_drop", "DROP TABLE messages;\n");
    sandbox.hooked(&["commit", "--quiet", "--message=A new model"]);
    sandbox.ok(&["db-migrate", "--allow-loss", "messages"]);
    sandbox.hooked(&["switch", "--quiet", "main"]);
    let rollback = ["db-rollback", "--branch", "feature/summaries", "--yes"];
    insta::assert_snapshot!(typed(&sandbox, &rollback), @r#"
    $ cargo xtask db-rollback --branch feature/summaries --yes
    [✓] Safety backup created → ./backups/kalito.db.SAFETY.2025-09-13_143030.bak
    [✓] Restored → ./backend/db/kalito.db
    [✓] SQLite quick_check: ok (when it was taken; every byte is as recorded)

    Done. You may need to restart your backend if it was running.
    Undo with: cargo xtask db-restore kalito.db.SAFETY.2025-09-13_143030.bak
    kalito.db.2025-09-13_142630.pages is the state in which `feature/summaries` was entered, 4min ago
    Changes since then, which the safety backup will keep:
      - table messages
      ~ user_version: 12 → 13
      messages: 3 rows removed
    "#);
    assert_eq!(sandbox.content(), before);
}

#[test]
fn a_fresh_database() {
    let Some(sandbox) = project() else { return };
    let day = typed(&sandbox, &["db-reset", "--yes"]) + &typed(&sandbox, &["db-status"]);
    let day = day.lines().filter(|line| !line.trim_start().starts_with("space "));
    insta::assert_snapshot!(day.collect::<Vec<_>>().join("\n"), @r#"
    $ cargo xtask db-reset --yes
    [✓] New database built: 1 table, schema version 12, integrity_check ok
    [✓] Safety backup created → ./backups/kalito.db.SAFETY.2025-09-13_142530.bak
    [✓] Reset → ./backend/db/kalito.db

    Done. You may need to restart your backend if it was running.
    Undo with: cargo xtask db-restore kalito.db.SAFETY.2025-09-13_142530.bak
    Building a new database with `sh migrate.sh`
    $ cargo xtask db-status
    kalito: ./backend/db/kalito.db
      database     8.0 KB, WAL, schema version 12
      last backup  none
      backups      1: 1 verified, 1 of them safety
    backups folder: ./backups
      retention    none configured: all backups are kept
    git hooks: installed

    1 thing needs attention:
    - there is no backup of `backend/db/kalito.db`
        cargo xtask db-backup
    [exit 1]
    "#);
    let n: i64 = open(&sandbox.live())
        .query_row("SELECT count(*) FROM messages", [], |row| row.get(0))
        .expect("the table");
    assert_eq!(n, 0);
}

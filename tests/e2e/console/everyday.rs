//! What people meet every day: versions, usage, remarks, comparisons of any two files, and screens of any
//! size.

use crate::restore::dialogue::NUMBER;
use crate::support::sandbox::{Sandbox, messages};
use crate::support::terminal::Terminal;

#[test]
fn the_version_names_the_crate_and_its_sqlite() {
    let said = Sandbox::new().ok(&["--version"]);
    let expected = format!("xtask-db {}, SQLite 3.", env!("CARGO_PKG_VERSION"));
    assert!(said.out.contains(&expected), "{said:#?}");
}

#[test]
fn a_count_that_is_not_a_number_is_refused_with_what_is_wanted() {
    let sandbox = Sandbox::new();
    for flag in ["--keep-last", "--keep-hourly", "--keep-daily", "--keep-weekly", "--keep-yearly"] {
        let said = sandbox.run(&["db-prune", flag, "x"]);
        assert_eq!(said.code, Some(2));
        assert!(said.err.contains("it must be a whole number, e.g. 10"), "{said:#?}");
    }
}

#[test]
fn any_two_files_are_compared_by_their_paths() {
    let sandbox = Sandbox::new();
    for (name, sql) in [
        ("before.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1)"),
        ("after.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)"),
    ] {
        let connection = crate::support::sandbox::open(&sandbox.path(name));
        connection.execute_batch(sql).expect("rows");
    }
    let said = sandbox.ok(&["db-diff", "./before.db", "./after.db", "--rows"]);
    assert!(said.out.contains("+ rowid=2: a=2"), "{said:#?}");
    let said = sandbox.run(&["db-diff", "./before.db", "./after.db", "--exit-code"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let absolute = sandbox.path("after.db").to_string_lossy().into_owned();
    let said = sandbox.run(&["db-diff", &absolute, "./after.db", "--exit-code"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    // A backup by its path stays a backup, and one side may be either.
    sandbox.ok(&["db-backup"]);
    let backup = format!("./backups/{}", sandbox.backups()[0]);
    let said = sandbox.run(&["db-diff", &backup, "./backend/db/kalito.db", "--exit-code"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said = sandbox.run(&["db-diff", "./none.db"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    sandbox.write("text.txt", "no database ".repeat(99));
    let said = sandbox.run(&["db-diff", "./text.txt", "./after.db"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
}

#[test]
fn a_database_that_git_would_commit_is_a_remark_unless_it_is_meant() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.write(".gitignore", "/backups\n");
    sandbox.ok(&["db-backup"]);
    sandbox.ok(&["db-hooks", "install"]);
    let said = sandbox.ok(&["db-status"]);
    assert!(
        said.out.contains("Worth knowing: git does not ignore `backend/db/kalito.db`"),
        "{said:#?}"
    );
    let remedy = "printf '\\n%s\\n' '/backend/db/kalito.db*' >> .gitignore";
    assert!(said.out.contains(&format!("\n    {remedy}   # or, if it is intended,")), "{said:#?}");
    let output = sandbox.command("sh").args(["-c", remedy]).output().expect("sh runs");
    assert!(output.status.success(), "{output:?}");
    let said = sandbox.ok(&["db-status"]);
    assert!(!said.out.contains("Worth knowing: git"), "{said:#?}");
    sandbox.git(&["add", "--force", "backend/db/kalito.db"]);
    let said = sandbox.ok(&["db-status"]);
    assert!(said.out.contains("Worth knowing: git tracks `backend/db/kalito.db`"), "{said:#?}");
    let said = sandbox.ok(&["db-setup"]);
    assert!(said.err.contains("git rm --cached ./backend/db/kalito.db"), "{said:#?}");
    sandbox.configure("tracked = true");
    let said = sandbox.ok(&["db-status"]);
    assert!(!said.out.contains("Worth knowing: git"), "{said:#?}");
}

#[test]
fn a_database_ahead_of_the_code_needs_attention() {
    let sandbox = Sandbox::new();
    sandbox.configure("schema = [\"backend/db/migrations/*.sql\"]");
    sandbox.write("backend/db/migrations/0011_messages.sql", "-- messages\n");
    sandbox.ok(&["db-backup"]);
    let said = sandbox.run(&["db-status"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.out.contains("schema version 12, newer than the code's 11"), "{said:#?}");
    assert!(!said.out.contains('…'), "{said:#?}");
}

#[test]
fn a_plain_no_is_not_an_error() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore", "latest"]) else { return };
    terminal.answer("[y/N]: ", "n");
    let ended = terminal.end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(!ended.screen.contains("error"), "{ended:#?}");
    assert!(ended.screen.contains("the database is untouched"), "{ended:#?}");
    assert_eq!(messages(&sandbox.live()).len(), 4);
}

#[test]
fn the_list_of_the_dialogue_fits_the_screen_so_that_the_newest_stay_in_view() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let first = fs_err::read(sandbox.backup_path("kalito.db.2025-09-13_142530.bak"));
    let bytes = first.expect("a backup");
    for minute in 0..59 {
        let name = format!("backups/kalito.db.2025-09-12_10{minute:02}00.bak");
        sandbox.write(&name, &bytes);
    }
    for (n_rows, n_columns) in [(24, 80), (40, 80), (24, 60), (40, 200), (5, 80)] {
        let Some(mut terminal) =
            Terminal::run_sized(&sandbox, (n_rows, n_columns), &["db-restore"])
        else {
            return;
        };
        terminal.answer(NUMBER, "q");
        let ended = terminal.end();
        let taken: usize =
            ended.screen.lines().map(|line| line.chars().count().div_ceil(n_columns).max(1)).sum();
        assert!(taken <= n_rows || n_rows == 5, "{n_rows} rows, {taken} taken: {ended:#?}");
        let newest = "1) kalito.db.2025-09-13_142530.bak 8.0KB 2025-09-13 14:25:30";
        assert!(ended.screen.contains(newest) || n_columns < 64, "{ended:#?}");
        assert!(ended.screen.contains("of 60 shown; press Enter for more."), "{ended:#?}");
    }
}

#[test]
fn lists_are_folded_to_the_terminal_and_lose_nothing() {
    let sandbox = Sandbox::new();
    let label = "a label that says at length what was about to be tried before it went wrong";
    sandbox.ok(&["db-backup", "--label", label]);
    for n_columns in [50, 80, 120] {
        let Some(terminal) = Terminal::run_sized(&sandbox, (40, n_columns), &["db-list"]) else {
            return;
        };
        let ended = terminal.end();
        assert!(
            ended.screen.lines().skip(2).all(|line| line.chars().count() <= n_columns),
            "{ended:#?}"
        );
        let words = ended.screen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(label), "{ended:#?}");
    }
    let said = sandbox.ok(&["db-list"]);
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{said:#?}");
    assert!(said.out.split_whitespace().collect::<Vec<_>>().join(" ").contains(label), "{said:#?}");
}

//! What the last question of `db-restore` names and demands, on a real terminal.

use crate::restore::dialogue::{NUMBER, QUESTION, two_backups};
use crate::support::sandbox::{messages, open};
use crate::support::terminal::Terminal;

#[test]
fn a_protected_database_asks_for_its_name() {
    for (answer, code, left) in [("y", 1, 5), ("kalito.db", 1, 5), ("kalito", 0, 3)] {
        let sandbox = two_backups();
        sandbox.configure("protected = true");
        let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
            return;
        };
        terminal.answer(NUMBER, "2");
        let question = "./backend/db/kalito.db is protected. Type `kalito` to go on: ";
        terminal.answer(question, answer);
        let ended = terminal.end();
        assert_eq!(ended.code, Some(code), "{answer}: {ended:#?}");
        assert_eq!(messages(&sandbox.live()).len(), left, "{answer}: {ended:#?}");
    }
}

#[test]
fn the_question_names_where_the_path_came_from() {
    let sandbox = two_backups();
    drop(open(&sandbox.path("backend/db/other.db")));
    for (file, line, origin) in [
        (".env", "DATABASE_PATH=backend/db/other.db", "DATABASE_PATH in .env"),
        (".env.local", "DATABASE_URL=sqlite:backend/db/third.db", "DATABASE_URL in .env.local"),
    ] {
        sandbox.write(file, line);
        let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore", "latest"]) else {
            return;
        };
        terminal.expect("Restore this backup into ./backend/db/");
        terminal.expect(&format!("(from {origin})"));
        terminal.answer(" ? [y/N]: ", "n");
        let ended = terminal.end();
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        fs_err::remove_file(sandbox.path(file)).expect("removed");
    }
}

#[test]
fn with_a_ref_and_yes_nothing_is_asked_on_a_terminal_either() {
    let sandbox = two_backups();
    let arguments = ["db-restore", "latest~1", "--yes"];
    let Some(terminal) = Terminal::run(&sandbox, &arguments) else {
        return;
    };
    let ended = terminal.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!ended.screen.contains('?'), "{ended:#?}");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn a_database_that_appears_while_the_question_stands_is_kept() {
    let sandbox = two_backups();
    fs_err::remove_file(sandbox.live()).expect("removed");
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
        return;
    };
    terminal.answer(NUMBER, "2");
    terminal.expect(QUESTION);
    sandbox.sql("CREATE TABLE precious (value TEXT); INSERT INTO precious VALUES ('kept')");
    terminal.press("y\r");
    let ended = terminal.end();
    let safety = sandbox.backups().into_iter().find(|n| n.contains("SAFETY"));
    let Some(safety) = safety else {
        let tables = "SELECT value FROM precious";
        let there = open(&sandbox.live()).query_row(tables, [], |row| row.get::<_, String>(0));
        assert_eq!(there.as_deref(), Ok("kept"), "it is lost: {ended:#?}");
        return;
    };
    let kept = open(&sandbox.backup_path(&safety));
    let value: String = kept
        .query_row("SELECT value FROM precious", [], |row| row.get(0))
        .expect("the row is in the safety backup");
    assert_eq!(value, "kept");
}

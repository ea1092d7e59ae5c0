//! `db-restore` as a person meets it: on a real terminal, without a REF.

use crate::support::live_damage::Damage;
use crate::support::sandbox::{Sandbox, messages};
use crate::support::terminal::Terminal;

/// The question for a number.
pub(crate) const NUMBER: &str = "Enter number to restore (or 'q' to quit): ";
/// The question for a yes.
pub(crate) const QUESTION: &str = "Restore this backup into ./backend/db/kalito.db ? [y/N]: ";

/// Two backups; the live database has a message more than both.
pub(crate) fn two_backups() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    sandbox.ok(&["db-backup", "--label", "before the schema change"]);
    sandbox.sql("INSERT INTO messages (content) VALUES ('five')");
    sandbox
}

#[test]
fn the_dialogue_lists_asks_confirms_restores_and_says_how_to_undo_it() {
    let sandbox = two_backups();
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
        return;
    };
    terminal.answer(NUMBER, "2");
    terminal.answer(QUESTION, "y");
    let ended = terminal.end();
    assert_eq!(
        ended.screen,
        "\
Select a backup to restore (newest first):
Backup dir: $ROOT/backups

1) kalito.db.2025-09-13_142630.bak 8.0KB 2025-09-13 14:26:30   1min  manual
    \"before the schema change\"
2) kalito.db.2025-09-13_142530.bak 8.0KB 2025-09-13 14:25:30   2min  manual
Enter number to restore (or 'q' to quit): 2

You chose:
  $ROOT/backups/kalito.db.2025-09-13_142530.bak
Restore this backup into ./backend/db/kalito.db ? [y/N]: y
[✓] Safety backup created → ./backups/kalito.db.SAFETY.2025-09-13_142730.bak
[✓] Restored → ./backend/db/kalito.db
[✓] SQLite integrity_check: ok

Done. You may need to restart your backend if it was running.
Undo with: cargo xtask db-restore kalito.db.SAFETY.2025-09-13_142730.bak
"
    );
    assert_eq!(ended.code, Some(0));
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn the_list_names_branch_and_commit_in_a_repository() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.git(&["switch", "--quiet", "--create", "feature/x"]);
    sandbox.backup();
    let commit = sandbox.git(&["rev-parse", "--short=7", "HEAD"]);
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
        return;
    };
    terminal.expect(&format!("feature/x@{commit}"));
    terminal.answer(NUMBER, "q");
    assert_eq!(terminal.end().code, Some(1));
}

#[test]
fn a_wrong_number_asks_again() {
    let sandbox = two_backups();
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
        return;
    };
    for wrong in ["0", "3", "-1", "1.5", "two", "99999999999999999999999", ""] {
        terminal.answer(NUMBER, wrong);
        terminal.expect(" is not a number from 1 to 2.");
    }
    terminal.answer(NUMBER, " 2 ");
    terminal.expect("kalito.db.2025-09-13_142530.bak");
    terminal.answer(QUESTION, "YES");
    let ended = terminal.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three"]);
}

#[test]
fn any_reference_is_an_answer_and_a_wrong_number_is_no_beginning_of_a_time() {
    for (reference, n_messages) in [
        ("latest", 4),
        ("oldest", 3),
        ("before the schema change", 4),
        ("kalito.db.2025-09-13_142530.bak", 3),
        ("2025-09-13_1425", 3),
    ] {
        let sandbox = two_backups();
        let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
            return;
        };
        terminal.answer(NUMBER, "nothing of that name");
        terminal.expect("`nothing of that name` is not a number from 1 to 2.\r\n");
        terminal.expect("As a reference: no backup matches `nothing of that name`\r\nhint: ");
        terminal.answer(NUMBER, "2025");
        terminal.expect("`2025` is not a number from 1 to 2.\r\nEnter number");
        terminal.press(reference);
        terminal.press(crate::support::terminal::ENTER);
        terminal.expect("You chose:");
        terminal.answer(QUESTION, "y");
        let ended = terminal.end();
        assert_eq!(ended.code, Some(0), "{reference}: {ended:#?}");
        assert_eq!(messages(&sandbox.live()).len(), n_messages, "{reference}");
    }
}

#[test]
fn more_backups_than_fit_the_screen_are_paged() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let first = fs_err::read(sandbox.backup_path("kalito.db.2025-09-13_142530.bak"));
    let bytes = first.expect("a backup");
    for minute in 0..40 {
        // Made by an older script: there is no record.
        let name = format!("backups/kalito.db.2025-09-12_10{minute:02}00.bak");
        sandbox.write(&name, &bytes);
    }
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    let Some(mut terminal) = Terminal::run_sized(&sandbox, (40, 100), &["db-restore"]) else {
        return;
    };
    terminal.expect("\n30) kalito.db.2025-09-12_101100.bak");
    terminal.expect("33 of 41 shown; press Enter for more.");
    terminal.answer(NUMBER, "");
    terminal.expect("\n34) kalito.db.2025-09-12_100700.bak");
    terminal.expect("\n41) kalito.db.2025-09-12_100000.bak");
    // Everything is shown now: a bare Enter is a wrong number.
    terminal.answer(NUMBER, "");
    terminal.expect("An empty answer is not a number from 1 to 41.");
    terminal.answer(NUMBER, "41");
    terminal.expect("kalito.db.2025-09-12_100000.bak");
    terminal.answer(QUESTION, "n");
    let ended = terminal.end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let page = ended.screen.split("press Enter").next().expect("a page");
    assert!(!page.contains("34)"), "{ended:#?}");
}

#[test]
fn a_number_of_a_page_not_shown_yet_can_be_chosen() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let first = fs_err::read(sandbox.backup_path("kalito.db.2025-09-13_142530.bak"));
    let bytes = first.expect("a backup");
    for minute in 0..30 {
        let name = format!("backups/kalito.db.2025-09-12_10{minute:02}00.bak");
        sandbox.write(&name, &bytes);
    }
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
        return;
    };
    terminal.answer(NUMBER, "31");
    terminal.expect("kalito.db.2025-09-12_100000.bak");
    terminal.answer(QUESTION, "n");
    assert_eq!(terminal.end().code, Some(1));
}

#[test]
fn without_backups_there_is_nothing_to_choose_from() {
    let sandbox = Sandbox::new();
    let Some(terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
        return;
    };
    let ended = terminal.end();
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.screen.contains("there are no backups in `backups`"), "{ended:#?}");
}

#[test]
fn the_list_is_shown_with_quiet_too_because_it_is_part_of_the_question() {
    let sandbox = two_backups();
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore", "--quiet"]) else {
        return;
    };
    terminal.answer(NUMBER, "q");
    let ended = terminal.end();
    assert!(ended.screen.contains("1) kalito.db.2025-09-13_142630.bak"), "{ended:#?}");
}

#[test]
fn only_backups_of_this_database_are_offered() {
    let sandbox = two_backups();
    let bytes = fs_err::read(sandbox.backup_path("kalito.db.2025-09-13_142530.bak"));
    let bytes = bytes.expect("a backup");
    for stranger in ["other.db.2025-09-14_100000.bak", "kalito.db.2025-09-14.bak", "notes.txt"] {
        sandbox.write(&format!("backups/{stranger}"), &bytes);
    }
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
        return;
    };
    terminal.expect("\n1) kalito.db.2025-09-13_142630.bak");
    terminal.expect("\n2) kalito.db.2025-09-13_142530.bak");
    terminal.answer(NUMBER, "3");
    terminal.answer(NUMBER, "q");
    let ended = terminal.end();
    assert!(!ended.screen.contains("2025-09-14"), "{ended:#?}");
    assert!(!ended.screen.contains("notes"), "{ended:#?}");
}

#[test]
fn a_database_that_cannot_be_read_is_restored_over_in_the_dialogue_too() {
    let sandbox = two_backups();
    Damage::Header.inflict(&sandbox);
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
        return;
    };
    terminal.answer(NUMBER, "1");
    terminal.answer(QUESTION, "y");
    terminal.expect("[✓] Raw files set aside → ./backups/kalito.db.ASIDE.2025-09-13_142730");
    let ended = terminal.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(messages(&sandbox.live()).len(), 4);
}

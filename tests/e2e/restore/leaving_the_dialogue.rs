//! Leaving the dialogue of `db-restore`: `q`, "n", Ctrl-D and Ctrl-C change nothing.

use std::io::Write as _;

use crate::restore::dialogue::{NUMBER, QUESTION, two_backups};
use crate::support::sandbox::{Sandbox, messages};
use crate::support::terminal::{CTRL_C, CTRL_D, ENTER, Ended, Terminal};

/// Nothing but the two backups is there, and the live database has every message.
fn assert_unchanged(sandbox: &Sandbox, ended: &Ended) {
    assert_eq!(
        sandbox.backups(),
        ["kalito.db.2025-09-13_142530.bak", "kalito.db.2025-09-13_142630.bak"],
        "{ended:#?}"
    );
    assert_eq!(messages(&sandbox.live()), ["one", "two", "three", "four", "five"], "{ended:#?}");
}

#[test]
fn q_and_ctrl_d_at_the_list_change_nothing() {
    for keys in ["q\r", "Q\r", CTRL_D] {
        let sandbox = two_backups();
        let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
            return;
        };
        terminal.expect(NUMBER);
        terminal.press(keys);
        let ended = terminal.end();
        assert_eq!(ended.code, Some(1), "{keys:?}: {ended:#?}");
        assert!(ended.screen.ends_with("Nothing was restored.\n"), "{ended:#?}");
        assert_unchanged(&sandbox, &ended);
    }
}

#[test]
fn anything_but_yes_at_the_question_changes_nothing() {
    for keys in ["n\r", ENTER, "yy\r", "1\r", CTRL_D] {
        let sandbox = two_backups();
        let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
            return;
        };
        terminal.answer(NUMBER, "1");
        terminal.expect(QUESTION);
        terminal.press(keys);
        let ended = terminal.end();
        assert_eq!(ended.code, Some(1), "{keys:?}: {ended:#?}");
        let said = "not confirmed; the database is untouched\n";
        assert!(ended.screen.ends_with(said), "{keys:?}: {ended:#?}");
        assert!(!ended.screen.contains("error:"), "{keys:?}: {ended:#?}");
        assert_unchanged(&sandbox, &ended);
    }
}

/// Ctrl-C at the question, once the answers before it are given.
fn interrupted_at(question: &str, number: Option<&str>) {
    let sandbox = two_backups();
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-restore"]) else {
        return;
    };
    if let Some(number) = number {
        terminal.answer(NUMBER, number);
    }
    terminal.expect(question);
    terminal.press(CTRL_C);
    let ended = terminal.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    let said = "interrupted: nothing was changed\n";
    assert!(ended.screen.ends_with(said), "{ended:#?}");
    assert_unchanged(&sandbox, &ended);
    // Nothing is left locked either.
    sandbox.ok(&["db-backup"]);
}

#[test]
fn ctrl_c_at_the_list_ends_with_130_and_changes_nothing() {
    interrupted_at(NUMBER, None);
}

#[test]
fn ctrl_c_at_the_question_ends_with_130_and_changes_nothing() {
    interrupted_at(QUESTION, Some("1"));
}

#[test]
fn ctrl_c_in_the_moment_the_question_appears_is_not_lost() {
    let sandbox = two_backups();
    if !has_strace(&sandbox) {
        return;
    }
    // Every write returns late: the question is on the screen before the program continues.
    let slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=write"];
    let slow = [&slow[..], &["-e", "inject=write:delay_exit=200000"]].concat();
    let Some(mut terminal) = Terminal::run_under(&sandbox, &slow, &["db-restore"]) else {
        return;
    };
    terminal.expect(NUMBER);
    terminal.press(CTRL_C);
    let ended = terminal.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert_unchanged(&sandbox, &ended);
}

fn has_strace(sandbox: &Sandbox) -> bool {
    let tried = sandbox.command("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        let message = "SKIPPED: a delayed write needs strace";
        writeln!(std::io::stderr(), "{message}").expect("stderr");
    }
    can
}

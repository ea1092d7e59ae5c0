//! `db-import --merge` beside applications, triggers and odd files.

use crate::rows::merge::{machine, share, texts};
use crate::support::sandbox::{Sandbox, open};

const NOTES: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);";

fn here_with_file(mode: &str) -> Sandbox {
    let here = machine(
        &format!("PRAGMA journal_mode={mode}; {NOTES}"),
        "INSERT INTO notes VALUES (1, 'mine');",
    );
    let there = machine(NOTES, "INSERT INTO notes VALUES (1, 'yours');");
    share(&there, &here, "yours.jsonl");
    here
}

const ALL: &str = "SELECT text FROM notes ORDER BY id";

#[test]
fn an_application_goes_on_writing_before_and_after() {
    for mode in ["wal", "delete"] {
        let here = here_with_file(mode);
        let application = open(&here.live());
        application.execute_batch("INSERT INTO notes (text) VALUES ('before')").expect("written");
        here.ok(&["db-import", "--merge", "yours.jsonl"]);
        application.execute_batch("INSERT INTO notes (text) VALUES ('after')").expect("written");
        drop(application);
        assert_eq!(texts(&here, ALL), ["mine", "before", "yours", "after"], "{mode}");
    }
}

#[test]
fn a_locked_database_is_an_exit_of_its_own_and_nothing_is_kept() {
    for mode in ["wal", "delete"] {
        let here = here_with_file(mode);
        let application = open(&here.live());
        application.execute_batch("BEGIN IMMEDIATE").expect("a lock");
        let said = here.fails(3, &["db-import", "--merge", "yours.jsonl", "--busy-timeout", "0"]);
        assert!(said.err.contains("stayed locked"), "{said:#?}");
        application.execute_batch("ROLLBACK").expect("ended");
        assert_eq!(texts(&here, ALL), ["mine"]);
        assert!(here.backups().is_empty());
    }
}

#[test]
fn triggers_stay_quiet_and_that_is_said() {
    let schema = format!(
        "{NOTES} CREATE TABLE log (what TEXT);
         CREATE TRIGGER noisy AFTER INSERT ON notes BEGIN INSERT INTO log VALUES (new.text); END;"
    );
    let here = machine(&schema, "");
    let there = machine(&schema, "INSERT INTO notes VALUES (1, 'yours');");
    share(&there, &here, "yours.jsonl");
    let said = here.ok(&["db-import", "--merge", "yours.jsonl"]);
    // The file has the trigger's row already: it is not written a second time.
    assert_eq!(texts(&here, "SELECT what FROM log"), ["yours"]);
    assert!(said.err.contains("the triggers of notes did not run (noisy)"), "{said:#?}");
}

#[test]
fn a_bad_file_among_good_ones_refuses_all_before_the_database_is_locked() {
    let here = here_with_file("wal");
    let good = fs_err::read_to_string(here.path("yours.jsonl")).expect("an export");
    let cut = good.lines().take(2).collect::<Vec<_>>().join("\n") + "\n";
    here.write("shared/a.jsonl", &good);
    here.write("shared/b.jsonl", cut);
    let application = open(&here.live());
    application.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let said = here.run(&["db-import", "--merge", "shared", "--busy-timeout", "0"]);
    assert!(said.err.contains("could not read `shared/b.jsonl`"), "{said:#?}");
    assert_ne!(said.code, Some(0));
    assert_ne!(said.code, Some(3), "it never came to the lock");
    application.execute_batch("ROLLBACK").expect("ended");
    assert_eq!(texts(&here, ALL), ["mine"]);
}

#[test]
fn symbolic_links_in_a_folder_are_passed_over() {
    let here = here_with_file("wal");
    fs_err::create_dir(here.path("shared")).expect("a folder");
    fs_err::os::unix::fs::symlink(here.path("yours.jsonl"), here.path("shared/link.jsonl"))
        .expect("a link");
    let said = here.fails(2, &["db-import", "--merge", "shared"]);
    assert!(said.err.contains("`shared` contains no exports"), "{said:#?}");
}

#[test]
fn control_characters_of_a_file_never_reach_the_terminal() {
    let schema = "CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT);";
    let here = machine(schema, "INSERT INTO notes VALUES ('a' || char(27) || '[2J', 'mine');");
    let there = machine(schema, "INSERT INTO notes VALUES ('a' || char(27) || '[2J', 'yours');");
    share(&there, &here, "yours.jsonl");
    let said = here.fails(1, &["db-import", "--merge", "yours.jsonl"]);
    assert!(
        said.err.contains(r"name 'a\u{1b}[2J': text 'mine' here, 'yours' in the file"),
        "{said:#?}"
    );
    assert!(!said.err.contains('\u{1b}') && !said.out.contains('\u{1b}'), "{said:#?}");
}

#[test]
fn a_constraint_that_forbids_a_row_names_table_and_row() {
    let loose = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);";
    let here = machine(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT CHECK (length(text) < 9));",
        "",
    );
    let there = machine(loose, "INSERT INTO notes VALUES (1, 'short'), (2, 'much too long');");
    share(&there, &here, "yours.jsonl");
    let said = here.fails(1, &["db-import", "--merge", "yours.jsonl"]);
    assert!(
        said.err.contains("a row of `notes` (id 2) cannot be here: CHECK constraint failed"),
        "{said:#?}"
    );
    assert_eq!(texts(&here, ALL), [""; 0]);
}

#[test]
fn a_damaged_database_is_refused_in_a_dry_run_as_well() {
    let sandbox = crate::rows::import::with_export();
    sandbox.sql("PRAGMA journal_mode = DELETE");
    let live = sandbox.live();
    let mut bytes = fs_err::read(&live).expect("the database");
    let page = 4096;
    bytes[page..page + 100].fill(0xA5);
    fs_err::write(&live, &bytes).expect("damaged");
    for more in [&[][..], &["--dry-run"]] {
        let said = sandbox.fails(1, &[&["db-import", "--merge", "e.jsonl"], more].concat());
        assert!(said.err.contains("is damaged; nothing can be merged into it"), "{said:#?}");
        assert!(said.err.contains("hint: restore a backup with"), "{said:#?}");
    }
}

#[test]
fn triggers_that_only_forbid_are_named_by_merges_and_records() {
    let schema = "CREATE TABLE item (id INTEGER PRIMARY KEY, sku TEXT UNIQUE, qty INTEGER);
        CREATE VIRTUAL TABLE found USING fts5(sku, content='item', content_rowid='id');
        CREATE TRIGGER fed AFTER INSERT ON item BEGIN INSERT INTO found (rowid, sku) VALUES (new.id, new.sku); END;
        CREATE TRIGGER no_negative BEFORE INSERT ON item WHEN new.qty < 0
          BEGIN SELECT raise(ABORT, 'qty must not be negative'); END;";
    let here = machine(schema, "INSERT INTO item (sku, qty) VALUES ('a', 1)");
    let named = "the triggers of item did not run (no_negative): they may forbid rows";
    here.write("r.json", r#"[{"sku": "neg", "qty": -5}]"#);
    let records = ["db-import", "r.json", "--records", "", "--table", "item", "--yes"];
    for more in [&["--dry-run"][..], &[]] {
        let said = here.ok(&[&records[..], more].concat());
        assert!(said.err.contains(named) && !said.err.contains("(fed"), "{said:#?}");
    }
    share(&machine(schema, "INSERT INTO item VALUES (1, 'b', 2)"), &here, "yours.jsonl");
    let said = here.ok(&["db-import", "--merge", "yours.jsonl"]);
    assert!(said.err.contains(named), "{said:#?}");
    // A table that did not change is not mentioned.
    let said = here.ok(&["db-import", "--merge", "yours.jsonl"]);
    assert!(!said.err.contains("triggers"), "{said:#?}");
}

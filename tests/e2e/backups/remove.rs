//! `db-remove`: removes one backup on purpose, and reports what else still has its content.

use std::io::Write as _;

use crate::support::sandbox::{Sandbox, messages};
use crate::support::terminal::{ENTER, Terminal};

const SECRET: &str = "hunter2-hunter2-hunter2-hunter2";

/// Whether any file in the backups folder holds the secret, packs unpacked by a restore apart.
fn is_in_a_plain_file(sandbox: &Sandbox) -> bool {
    let entries = fs_err::read_dir(sandbox.path("backups")).expect("folder");
    entries.map(|entry| entry.expect("entry").path()).filter(|path| path.is_file()).any(|path| {
        let bytes = fs_err::read(path).expect("bytes");
        bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
    })
}

fn leak(sandbox: &Sandbox) {
    sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('{SECRET}')"));
}

fn forget(sandbox: &Sandbox) {
    sandbox
        .sql(&format!("PRAGMA secure_delete=ON; DELETE FROM messages WHERE content = '{SECRET}'"));
}

#[test]
fn a_leaked_secret_is_gone_and_the_others_stay() {
    let sandbox = Sandbox::new();
    let before = sandbox.backup();
    leak(&sandbox);
    let leaked = sandbox.backup();
    forget(&sandbox);
    let after = sandbox.backup();
    assert!(is_in_a_plain_file(&sandbox));
    let said = sandbox.ok(&["db-remove", &leaked, "--yes"]);
    assert_eq!(said.out, format!("Removed {leaked}\n"));
    assert!(!is_in_a_plain_file(&sandbox));
    assert_eq!(sandbox.backups(), [before, after]);
    assert!(!sandbox.path(&format!("backups/{leaked}.json")).exists());
    sandbox.ok(&["db-verify", "--all"]);
}

#[test]
fn without_a_terminal_only_the_exact_name_and_yes_remove() {
    let sandbox = Sandbox::new();
    let first = sandbox.backup();
    sandbox.backup_with("four");
    for arguments in [
        &["db-remove", &first][..],
        &["db-remove", "oldest", "--yes"],
        &["db-remove", &first[..first.len() - 1], "--yes"],
    ] {
        let said = sandbox.fails(2, arguments);
        assert!(said.err.contains(&format!("`cargo xtask db-remove {first} --yes`")), "{said:#?}");
    }
    assert_eq!(sandbox.backups().len(), 2);
    let said = sandbox.ok(&["db-remove", &first, "--dry-run"]);
    assert_eq!(said.out, format!("Would remove {first}\n"));
    assert_eq!(sandbox.backups().len(), 2);
    let document = sandbox.json(&["db-remove", &first, "--yes"]);
    assert_eq!(document["removed"], true);
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn on_a_terminal_the_name_is_typed_out() {
    let sandbox = Sandbox::new();
    let first = sandbox.backup();
    sandbox.backup_with("four");
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-remove", "oldest"]) else { return };
    terminal.expect("to remove it: ");
    terminal.press(&format!("yes{ENTER}"));
    assert_eq!(terminal.end().code, Some(1));
    assert_eq!(sandbox.backups().len(), 2);
    let Some(mut terminal) = Terminal::run(&sandbox, &["db-remove", "oldest"]) else { return };
    terminal.expect(&format!("Type `{first}` to remove it: "));
    terminal.press(&format!("{first}{ENTER}"));
    assert_eq!(terminal.end().code, Some(0));
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn what_pruning_always_keeps_needs_force_and_a_pin_must_be_taken_out() {
    let sandbox = Sandbox::new();
    let first = sandbox.backup();
    let said = sandbox.fails(1, &["db-remove", &first, "--yes"]);
    assert!(said.err.contains("is protected: newest verified"), "{said:#?}");
    assert!(said.err.contains("create a newer one with `cargo xtask db-backup`"), "{said:#?}");
    sandbox.backup_with("four");
    sandbox.ok(&["db-pin", &first]);
    let said = sandbox.fails(1, &["db-remove", &first, "--yes", "--force"]);
    assert!(said.err.contains(&format!("cargo xtask db-unpin {first}")), "{said:#?}");
    sandbox.ok(&["db-unpin", &first]);
    sandbox.ok(&["db-restore", &first, "--yes"]);
    let safety = sandbox.backups().into_iter().find(|name| name.contains("SAFETY"));
    let safety = safety.expect("a safety backup");
    let said = sandbox.fails(1, &["db-remove", &safety, "--yes"]);
    assert!(said.err.contains("one of the newest three safety backups"), "{said:#?}");
    sandbox.ok(&["db-remove", &safety, "--yes", "--force"]);
    sandbox.ok(&["db-remove", &first, "--yes"]);
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn a_damaged_backup_goes_by_force() {
    let sandbox = Sandbox::new();
    let cut = sandbox.backup();
    let overwritten = sandbox.backup_with("four");
    sandbox.backup_with("five");
    fs_err::write(sandbox.backup_path(&cut), "cut").expect("written");
    fs_err::write(sandbox.backup_path(&format!("{overwritten}.json")), "{}").expect("written");
    for name in [&cut, &overwritten] {
        let said = sandbox.fails(1, &["db-remove", name, "--yes"]);
        assert!(said.err.contains("is protected: its record does not match it\n"), "{said:#?}");
        let way = format!("hint: `cargo xtask db-remove {name} --force` removes it anyway\n");
        assert!(said.err.contains(&way), "{said:#?}");
        let said = sandbox.ok(&["db-remove", name, "--force", "--yes"]);
        assert_eq!(said.out, format!("Removed {name}\n"));
        assert!(!sandbox.backup_path(&format!("{name}.json")).exists());
    }
    assert_eq!(sandbox.backups().len(), 1);
    sandbox.ok(&["db-status"]);
}

#[test]
fn hard_links_and_equal_content_are_named() {
    let sandbox = Sandbox::new();
    sandbox.configure("\n[workspace.metadata.db]\nformat = { branch = 'plain' }");
    leak(&sandbox);
    let first = sandbox.backup();
    // The same file under a second name, and the same content in another file.
    sandbox.ok(&["db-backup", "--kind", "branch"]);
    sandbox.ok(&["db-backup", "--label", "a copy"]);
    forget(&sandbox);
    sandbox.backup();
    let names = sandbox.backups();
    let said = sandbox.ok(&["db-remove", &first, "--yes"]);
    let equal = format!("warning: the same content is also in {}, {}", names[2], names[1]);
    assert!(said.err.contains(&equal), "{said:#?}");
    let document = sandbox.json(&["db-remove", &names[1], "--yes"]);
    assert_eq!(document["equal"], serde_json::json!([names[2]]));
    assert!(is_in_a_plain_file(&sandbox));
    sandbox.ok(&["db-remove", &names[2], "--yes"]);
    assert!(!is_in_a_plain_file(&sandbox));
}

#[test]
fn pages_of_a_stored_one_are_reclaimed_and_those_that_others_share_are_said() {
    let sandbox = Sandbox::new();
    let stored = |label: &str| {
        let arguments = ["db-backup", "--format", "pages", "--label", label];
        let document = sandbox.json(&arguments);
        document["backups"][0]["name"].as_str().expect("a name").to_owned()
    };
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                INSERT INTO messages (content) SELECT hex(randomblob(100)) FROM n";
    sandbox.sql(fill);
    stored("before");
    leak(&sandbox);
    let leaked = stored("leaked");
    sandbox.sql("INSERT INTO messages (content) VALUES ('on another page'); VACUUM");
    let also = stored("leaked too");
    forget(&sandbox);
    sandbox.sql("VACUUM");
    stored("after");
    let said = sandbox.ok(&["db-remove", &leaked, "--yes"]);
    assert!(said.err.contains(" are also in"), "{said:#?}");
    assert!(said.out.contains("Page store: "), "{said:#?}");
    let document = sandbox.json(&["db-remove", &also, "--yes"]);
    assert_eq!(document["removed"], true);
    assert!(document["store"]["trouble"].is_null(), "{document:#}");
    // Nothing that is left has it: every backup is restored and read.
    for name in sandbox.backups() {
        sandbox.ok(&["db-restore", &name, "--into", "out.db"]);
        assert!(!messages(&sandbox.path("out.db")).iter().any(|text| text == SECRET), "{name}");
        fs_err::remove_file(sandbox.path("out.db")).expect("removed");
    }
    sandbox.ok(&["db-verify", "--all"]);
    // No pack holds a block that no list names: the secret's are gone with them.
    let said = sandbox.ok(&["db-prune", "--keep-last", "9", "--dry-run"]);
    assert!(!said.out.contains("Page store"), "{said:#?}");
}

#[test]
fn a_backup_that_somebody_reads_stays() {
    let sandbox = Sandbox::new();
    let first = sandbox.backup();
    sandbox.backup_with("four");
    let mut file = std::fs::File::open(sandbox.backup_path(&first)).expect("open");
    file.lock_shared().expect("locked");
    let said = sandbox.fails(3, &["db-remove", &first, "--yes"]);
    assert!(said.err.contains("another command is reading it"), "{said:#?}");
    assert_eq!(sandbox.backups().len(), 2);
    file.flush().expect("flushed");
    drop(file);
    sandbox.ok(&["db-remove", &first, "--yes"]);
}

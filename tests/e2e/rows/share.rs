//! `db-export --share`: one file for each machine in a folder that git tracks.

pub(crate) mod through_git;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::sandbox::{Said, Sandbox};
use crate::support::strace::{traced, works};

fn repository() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox
}

/// The xtask as a user of a machine whose home is another folder.
fn at(sandbox: &Sandbox, home: &str, user: &str, arguments: &[&str]) -> Command {
    let home = sandbox.path("..").join(home);
    fs_err::create_dir_all(&home).expect("a home");
    let mut command = sandbox.xtask(arguments);
    command.env("HOME", home).env("USER", user).env_remove("XDG_STATE_HOME");
    command
}

fn run(sandbox: &Sandbox, mut command: Command) -> Said {
    sandbox.said(&command.output().expect("the binary runs"))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What was said, the machine's digits shown as `DIGITS`.
fn without_digits(sandbox: &Sandbox, text: &str) -> String {
    let file = names(&sandbox.path("shared")).into_iter().find(|name| name.starts_with("ada_"));
    text.replace(&file.expect("a file")[4..10], "DIGITS")
}

const SHARE: [&str; 3] = ["db-export", "--share", "shared"];

#[test]
fn each_machine_has_one_file_of_its_own_and_its_name_stays() {
    let sandbox = repository();
    let said = run(&sandbox, at(&sandbox, "one", "ada", &SHARE));
    insta::assert_snapshot!(without_digits(&sandbox, &said.out), @"
    Exported ./backend/db/kalito.db → ./shared/ada_DIGITS.jsonl: 3 rows of 1 table, 542 B
    Commit it, and others can merge it: cargo xtask db-import --merge shared
    ");
    insta::assert_snapshot!(said.err, @"Created the folder `shared`");
    let first = names(&sandbox.path("shared"));
    let mode = fs_err::metadata(sandbox.path("shared").join(&first[0])).expect("a file");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    run(&sandbox, at(&sandbox, "one", "ada", &SHARE));
    assert_eq!(names(&sandbox.path("shared")), first);
    run(&sandbox, at(&sandbox, "two", "ada", &SHARE));
    let both = names(&sandbox.path("shared"));
    assert_eq!(both.len(), 2, "{both:?}");
    for name in &both {
        let digits = name.strip_prefix("ada_").and_then(|rest| rest.strip_suffix(".jsonl"));
        let digits = digits.expect("the user, digits, and the ending");
        assert!(digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    }
    let kept = fs_err::read_to_string(sandbox.path("../one/.local/state/xtask-db/machine"));
    assert_eq!(format!("ada_{}.jsonl", kept.expect("digits").trim()), first[0]);
}

#[test]
fn a_second_file_of_one_machine_is_pointed_out() {
    let sandbox = repository();
    run(&sandbox, at(&sandbox, "one", "ada", &SHARE));
    let said = run(&sandbox, at(&sandbox, "one", "root", &SHARE));
    assert_eq!(said.code, Some(0), "{said:#?}");
    let expected = "`shared/ada_DIGITS.jsonl` is also from this machine, under another user's name";
    assert!(without_digits(&sandbox, &said.err).contains(expected), "{said:#?}");
    let said = run(&sandbox, at(&sandbox, "two", "ada", &SHARE));
    assert!(!said.err.contains("of this machine"), "{said:#?}");
}

#[test]
fn nothing_of_the_user_the_machine_or_a_path_is_in_the_file() {
    let sandbox = repository();
    let mut command = at(&sandbox, "one", "ada@corp.example", &SHARE);
    command.env("HOSTNAME", "lovelace-laptop").env("LOGNAME", "ada@corp.example");
    let said = run(&sandbox, command);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let name = names(&sandbox.path("shared")).remove(0);
    assert!(name.starts_with("ada_") && !name.contains("corp"), "{name}");
    let text = fs_err::read_to_string(sandbox.path("shared").join(&name)).expect("an export");
    let output = sandbox.command("uname").arg("-n").output().expect("uname");
    let host = sandbox.said(&output).out.trim().to_owned();
    let root = sandbox.root().to_string_lossy().into_owned();
    for secret in [&root, &host, "ada", "corp", "kalito", "2025-09-13", &name[4..10], "example"] {
        assert!(!text.contains(secret), "`{secret}` is in the file");
    }
}

#[test]
fn what_did_not_change_is_left_as_it_is() {
    let sandbox = repository();
    run(&sandbox, at(&sandbox, "one", "ada", &SHARE));
    let path = sandbox.path("shared").join(&names(&sandbox.path("shared"))[0]);
    // As git leaves it after a checkout.
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let modified = || fs_err::metadata(&path).expect("a file").modified().expect("a time");
    let before = modified();
    let said = run(&sandbox, at(&sandbox, "one", "ada", &SHARE));
    insta::assert_snapshot!(without_digits(&sandbox, &said.out), @"Unchanged since it was last shared: ./shared/ada_DIGITS.jsonl: 3 rows of 1 table, 542 B");
    assert_eq!(modified(), before);
    let said = run(&sandbox, at(&sandbox, "one", "ada", &[&SHARE[..], &["--json"]].concat()));
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("a document");
    assert_eq!(document["unchanged"], true);
    assert!(document["output"].as_str().is_some_and(|path| path.starts_with("$ROOT/shared/ada_")));
    // One letter, the same length.
    sandbox.sql("UPDATE messages SET content = 'owe' WHERE content = 'one'");
    let said = run(&sandbox, at(&sandbox, "one", "ada", &SHARE));
    assert!(said.out.starts_with("Exported "), "{said:#?}");
    assert!(fs_err::read_to_string(&path).expect("text").contains("owe"));
}

#[test]
fn an_empty_database_never_leaves_an_old_file_called_new() {
    let sandbox = repository();
    let said = run(&sandbox, at(&sandbox, "one", "ada", &SHARE));
    assert_eq!(said.code, Some(0));
    let path = sandbox.path("shared").join(&names(&sandbox.path("shared"))[0]);
    let before = fs_err::read(&path).expect("bytes");
    sandbox.sql("DELETE FROM messages");
    let said = run(&sandbox, at(&sandbox, "one", "ada", &SHARE));
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:#?}");
    insta::assert_snapshot!(without_digits(&sandbox, &said.err), @"
    warning: `shared/ada_DIGITS.jsonl` is unchanged: it is what was shared before
    error: could not export `backend/db/kalito.db`
      caused by: there is no row to share
    hint: nothing was written: add rows first, or select others
    ");
    assert_eq!(fs_err::read(&path).expect("bytes"), before);
    let part = [&SHARE[..], &["--root", "messages", "--where", "id > 99"]].concat();
    let said = run(&sandbox, at(&sandbox, "one", "ada", &part));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("is unchanged: it is what was shared before"), "{said:#?}");
    assert_eq!(names(&sandbox.path("shared")).len(), 1);
}

#[test]
fn who_would_get_nothing_is_warned() {
    let sandbox = repository();
    sandbox.write(".gitignore", "*.db*\nshared/\n");
    let said = run(&sandbox, at(&sandbox, "one", "ada", &SHARE));
    insta::assert_snapshot!(without_digits(&sandbox, &said.err), @"
    Created the folder `shared`
    warning: git ignores `shared/ada_DIGITS.jsonl`: nobody else will get it; `git check-ignore --verbose shared/ada_DIGITS.jsonl` shows why
    ");
    assert!(!said.out.contains("Commit it"), "{said:#?}");
    let sandbox = Sandbox::new();
    let said = run(&sandbox, at(&sandbox, "one", "ada", &SHARE));
    assert!(said.err.contains("is not in a git repository: nobody else will get it"), "{said:#?}");
    assert_eq!(said.code, Some(0));
}

#[test]
fn what_is_in_the_way_is_refused() {
    let sandbox = repository();
    let set = |value: &'static str| {
        let mut command = at(&sandbox, "one", "ada", &SHARE);
        command.env("XTASK_DB_MACHINE", value);
        run(&sandbox, command)
    };
    let said = set("laptop");
    insta::assert_snapshot!(said.err, @"
    error: `XTASK_DB_MACHINE` is `laptop`, which is not the number of a machine
    hint: use six digits from 0 to 9 and a to f, or unset it
    ");
    assert_eq!(set("00ff00").code, Some(0));
    sandbox.write("shared/ada_00ff00.jsonl", "<<<<<<< HEAD\n");
    let said = set("00ff00");
    insta::assert_snapshot!(said.err, @"
    error: `shared/ada_00ff00.jsonl` already exists, and is not an export that can be replaced
    hint: choose another path, or remove it first
    ");
    let mut homeless = sandbox.xtask(&SHARE);
    homeless.env_remove("HOME");
    let said = run(&sandbox, homeless);
    insta::assert_snapshot!(said.err, @"
    error: this machine has no number yet, and there is no home folder to keep one in
    hint: set XTASK_DB_MACHINE to six hexadecimal digits that no other machine uses
    ");
    let mut inside = sandbox.xtask(&SHARE);
    inside.env("HOME", sandbox.root());
    let said = run(&sandbox, inside);
    assert!(said.err.contains("everybody would have the same number"), "{said:#?}");
    let mut odd = at(&sandbox, "one", "ada", &SHARE);
    fs_err::create_dir_all(sandbox.path("../one/.local/state/xtask-db")).expect("a folder");
    fs_err::write(sandbox.path("../one/.local/state/xtask-db/machine"), "odd\n").expect("written");
    let said = sandbox.said(&odd.output().expect("it runs"));
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("does not contain the six hexadecimal digits"), "{said:#?}");
    for (folder, why) in [
        ("../nowhere", "there is no folder `../nowhere`"),
        ("Cargo.toml", "there is no folder `Cargo.toml`"),
    ] {
        let said = run(&sandbox, at(&sandbox, "two", "ada", &["db-export", "--share", folder]));
        assert!(said.code == Some(2) && said.err.contains(why), "{said:#?}");
    }
    let csv = [&SHARE[..], &["--format", "csv"]].concat();
    let said = run(&sandbox, at(&sandbox, "two", "ada", &csv));
    assert!(said.err.contains("`--share` and `--format csv` do not go together"), "{said:#?}");
}

#[test]
fn two_databases_do_not_write_one_file() {
    let sandbox = repository();
    sandbox.configure("[workspace.metadata.db.databases.other]\npath = \"other.db\"");
    for name in ["kalito", "other"] {
        fs_err::copy(sandbox.live(), sandbox.path("other.db")).expect("a copy");
        let share = [&SHARE[..], &["--db", name]].concat();
        let said = run(&sandbox, at(&sandbox, "one", "ada", &share));
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert_eq!(names(&sandbox.path("shared").join(name)).len(), 1);
    }
    assert_eq!(names(&sandbox.path("shared")), ["kalito", "other"]);
}

#[test]
fn a_kill_or_a_failing_disk_at_any_call_leaves_the_old_file_or_the_new_one() {
    if !works() {
        return;
    }
    let sandbox = repository();
    let state = sandbox.path("../home/.local/state/xtask-db");
    fs_err::create_dir_all(&state).expect("a folder");
    fs_err::write(state.join("machine"), "00ff00\n").expect("written");
    sandbox.ok(&SHARE);
    let path = sandbox.path("shared/user_00ff00.jsonl");
    let old = fs_err::read(&path).expect("bytes");
    sandbox.sql("INSERT INTO messages (content) VALUES ('four')");
    sandbox.ok(&SHARE);
    let new = fs_err::read(&path).expect("bytes");
    let mut n_done = 0;
    for calls in ["write", "fsync,fdatasync", "?rename,?renameat,renameat2", "?unlink,unlinkat"] {
        for done in ["signal=SIGKILL", "error=ENOSPC", "error=EIO"] {
            for n in 1..=3 {
                fs_err::write(&path, &old).expect("written");
                let inject = format!("inject={calls}:{done}:when={n}");
                let said = traced(&sandbox, &["-e", &inject], &SHARE);
                let found = fs_err::read(&path).expect("bytes");
                assert!(found == old || found == new, "{inject}: torn");
                assert!(found == new || said.code != Some(0), "{inject}: called new: {said:#?}");
                n_done += u32::from(said.code != Some(0));
            }
        }
    }
    assert!(n_done > 10, "{n_done}");
    sandbox.ok(&SHARE);
    assert_eq!(names(&sandbox.path("shared")), ["user_00ff00.jsonl"], "a stage was left");
}

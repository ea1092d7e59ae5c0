//! The order of the wings: imports go down only, no command imports another, no circle of files.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Import, imports};

/// The wings of `xtask/db/src` from the roof to the ground: each uses only those after it.
const WINGS: [&str; 25] = [
    "lib",
    "command",
    "cli",
    "arguments",
    "commands",
    "operations",
    "health",
    "restore",
    "migrate",
    "rows",
    "hooks",
    "capture",
    "retention",
    "bundle",
    "serve",
    "schedule",
    "recovery",
    "host",
    "branches",
    "backups",
    "git",
    "postgres",
    "sqlite",
    "files",
    "console",
];

/// What all commands share.
const FLAGS: &str = "commands/flags.rs";

/// The crate's own files, named below `src`.
fn files() -> Vec<(String, String)> {
    let below = |name: &str| name.strip_prefix("xtask/db/src/").map(str::to_owned);
    super::product().into_iter().filter_map(|(name, text)| Some((below(&name)?, text))).collect()
}

/// The imports that go up from one wing to another, and those of files that are in no wing.
fn up_going(files: &[(String, String)]) -> Vec<String> {
    let wing =
        |file: &str| file.split('/').next().unwrap_or(file).trim_end_matches(".rs").to_owned();
    let floor = |file: &str| WINGS.iter().position(|name| *name == wing(file));
    let goes_up = |import: &Import| match (floor(&import.from), floor(&import.to)) {
        (Some(from), Some(to)) => from > to,
        _ => true,
    };
    imports(files).into_iter().filter(goes_up).map(|i| format!("{} → {}", i.from, i.to)).collect()
}

/// The commands that import another command.
fn commands_of_commands(files: &[(String, String)]) -> Vec<String> {
    let command = |file: &str| -> Option<String> {
        let file = file.strip_prefix("commands/")?;
        Some(file.split('/').next()?.trim_end_matches(".rs").to_owned())
    };
    let is_wrong = |import: &Import| match (command(&import.from), command(&import.to)) {
        (Some(from), Some(to)) => from != to && import.to != FLAGS,
        _ => false,
    };
    imports(files).into_iter().filter(is_wrong).map(|i| format!("{} → {}", i.from, i.to)).collect()
}

/// The groups of files of which each leads to each other.
fn circles(files: &[(String, String)]) -> BTreeSet<Vec<String>> {
    let mut next: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for import in imports(files) {
        next.entry(import.from).or_default().push(import.to);
    }
    let reached = |from: &String| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(file) = left.pop() {
            let new = next.get(file).into_iter().flatten().filter(|to| seen.insert((*to).clone()));
            left.extend(new.collect::<Vec<_>>());
        }
        seen
    };
    let all: BTreeMap<&String, BTreeSet<String>> =
        next.keys().map(|file| (file, reached(file))).collect();
    let leads = |from: &String, to: &String| all.get(from).is_some_and(|seen| seen.contains(to));
    let on_circles = all.keys().filter(|file| leads(file, file));
    on_circles
        .map(|file| {
            all.keys().filter(|f| leads(file, f) && leads(f, file)).map(|f| (*f).clone()).collect()
        })
        .collect()
}

#[test]
fn imports_go_down_the_wings_only() {
    assert_eq!(up_going(&files()), Vec::<String>::new());
}

#[test]
fn no_command_imports_a_command() {
    assert_eq!(commands_of_commands(&files()), Vec::<String>::new());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    assert_eq!(circles(&files()), BTreeSet::new());
}

#[test]
fn a_wrong_import_is_found_where_it_is_planted() {
    let plant = |from: &str, text: &str, to: &str| {
        vec![(from.to_owned(), text.to_owned()), (to.to_owned(), String::new())]
    };
    let (up, wing) = ("use crate::commands::list::Args;", "commands/list.rs");
    assert_eq!(up_going(&plant("backups/vault.rs", up, wing)).len(), 1);
    assert_eq!(up_going(&plant("cli.rs", up, wing)).len(), 0);
    assert_eq!(up_going(&plant("attic/vault.rs", up, wing)).len(), 1);
    assert_eq!(commands_of_commands(&plant("commands/diff.rs", up, wing)).len(), 1);
    assert_eq!(commands_of_commands(&plant("commands/list/report.rs", up, wing)).len(), 0);
    let flags = "use crate::commands::flags::Common;";
    assert_eq!(commands_of_commands(&plant("commands/diff.rs", flags, FLAGS)).len(), 0);
}

#[test]
fn a_circle_is_found_where_it_is_planted() {
    let mut files = vec![
        ("git/a.rs".to_owned(), "use crate::git::b;".to_owned()),
        ("git/b.rs".to_owned(), "use super::c::{C, d};".to_owned()),
        ("git/c.rs".to_owned(), String::new()),
    ];
    assert_eq!(circles(&files).len(), 0);
    files[2].1 = "use crate::{git::a, files::stage};".to_owned();
    let all = ["git/a.rs", "git/b.rs", "git/c.rs"].map(str::to_owned).to_vec();
    assert_eq!(circles(&files).into_iter().collect::<Vec<_>>(), [all]);
    let parent = [("a.rs", "mod b;\nfn f() { b::g(); }"), ("a/b.rs", "use super::f;")];
    let parent = parent.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(circles(&parent).len(), 1);
}

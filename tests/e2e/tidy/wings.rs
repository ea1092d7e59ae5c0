//! The order of the wings: imports go down only, no command imports another, no circle of files.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Import, imports};

/// The wings of `xtask/db/src` from the roof to the ground: each uses only those after it.
const WINGS: [&str; 21] = [
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
    "recovery",
    "host",
    "branches",
    "backups",
    "git",
    "sqlite",
    "files",
    "console",
];

/// What all commands share.
const FLAGS: &str = "commands/flags.rs";

/// The circles that are left. Take a line out when its circle is cut; none may be added.
const CIRCLES: &[&[&str]] = &[
    &[
        "backups/backup.rs",
        "backups/ownership.rs",
        "backups/privacy.rs",
        "backups/reader.rs",
        "backups/store/freshness.rs",
        "backups/vault.rs",
        "backups/writer.rs",
    ],
    &["backups/record.rs", "backups/record/listed.rs"],
    &["backups/reference.rs", "backups/reference/nearest.rs", "backups/reference/printed.rs"],
    &["backups/store/pack.rs", "backups/store/page_list.rs"],
    &["backups/store/pack_index.rs", "backups/store/pack_readings.rs"],
    &["backups/verification.rs", "backups/verification/outcome.rs"],
    &[
        "capture.rs",
        "capture/link.rs",
        "capture/plain.rs",
        "capture/request.rs",
        "capture/stored.rs",
        "capture/stored/bases.rs",
    ],
    &["commands/export.rs", "commands/export/report.rs"],
    &["commands/export/destination.rs", "commands/export/output.rs"],
    &["commands/hooks/branch_switch.rs", "commands/hooks/follow_branches.rs"],
    &[
        "commands/import.rs",
        "commands/import/merge.rs",
        "commands/import/new_database.rs",
        "commands/import/records.rs",
        "commands/import/report.rs",
        "commands/import/source.rs",
        "commands/import/target.rs",
    ],
    &["files/early_sync.rs", "files/publish.rs", "files/stage.rs"],
    &["health.rs", "health/exposed_databases.rs", "health/sqlite_library.rs"],
    &["hooks.rs", "hooks/block.rs"],
    &[
        "host/command.rs",
        "host/command/database_users.rs",
        "host/command/descendants.rs",
        "host/command/supervised.rs",
        "host/command/supervisor.rs",
        "host/command/tree.rs",
        "host/project.rs",
    ],
    &["host/configuration.rs", "host/configuration/variables.rs", "host/session.rs"],
    &["migrate/verdict.rs", "migrate/verdict/allowance.rs", "migrate/verdict/losses.rs"],
    &[
        "migrate/verdict/column_shape.rs",
        "migrate/verdict/lost_rows.rs",
        "migrate/verdict/tally.rs",
    ],
    &["migrate/verdict/columns.rs", "migrate/verdict/effects.rs", "migrate/verdict/gone_tables.rs"],
    &["operations/migration/rehearsal_steps.rs", "operations/migration/report.rs"],
    &["recovery/database_lock.rs", "recovery/interrupted_step.rs"],
    &["retention/protection.rs", "retention/prune.rs", "retention/weight.rs"],
    &["rows/export/subset.rs", "rows/export/subset/condition.rs"],
    &[
        "rows/import.rs",
        "rows/import/dump.rs",
        "rows/import/dump/reserved_tables.rs",
        "rows/import/dump/script.rs",
        "rows/import/dump/shadow_tables.rs",
        "rows/import/own_export.rs",
    ],
    &["rows/import/proof.rs", "rows/import/proof/named_orphans.rs"],
    &[
        "rows/merge.rs",
        "rows/merge/ambiguities.rs",
        "rows/merge/apply.rs",
        "rows/merge/collision.rs",
        "rows/merge/identity.rs",
        "rows/merge/layout.rs",
        "rows/merge/one_file.rs",
        "rows/merge/plain_numbers.rs",
        "rows/merge/references.rs",
        "rows/merge/row_names.rs",
        "rows/merge/row_numbers.rs",
        "rows/merge/schema_fit.rs",
        "rows/merge/staged_rows.rs",
        "rows/merge/swapped_rows.rs",
        "rows/merge/undeclared_references.rs",
        "rows/merge/verdict.rs",
    ],
    &["rows/merge/declared_keys.rs", "rows/merge/live_tables.rs"],
    &["sqlite/connection.rs", "sqlite/read_only.rs", "sqlite/snapshot.rs"],
    &["sqlite/digest/database.rs", "sqlite/digest/tree.rs"],
    &["sqlite/schema.rs", "sqlite/schema/change.rs", "sqlite/schema/definition.rs"],
];

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
fn the_only_circles_of_files_are_those_that_are_known() {
    let known: BTreeSet<Vec<String>> =
        CIRCLES.iter().map(|circle| circle.iter().map(|&file| file.to_owned()).collect()).collect();
    let found = circles(&files());
    let lines = |circles: Vec<&Vec<String>>| -> String {
        circles.iter().map(|circle| format!("\n  {circle:?},")).collect()
    };
    let new = lines(found.difference(&known).collect());
    let gone = lines(known.difference(&found).collect());
    assert!(new.is_empty() && gone.is_empty(), "new:{new}\ngone, so take them out:{gone}");
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

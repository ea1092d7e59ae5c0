//! The tables of docs/configuration.md and `.env.local.example` have every key and every variable that the
//! product reads, and none besides.

use std::collections::BTreeSet;

use crate::support::markdown::{documents, workspace};
use crate::support::sandbox::Sandbox;
use crate::tidy::{code, product};

type Names = BTreeSet<String>;

/// Sections of the configuration by their heading, and a section of a manifest with a key that does not exist.
const SECTIONS: [(&str, &str); 11] = [
    ("[workspace.metadata.db]", "[workspace.metadata.db]\nwrong = 1"),
    (
        "[workspace.metadata.db.databases.NAME]",
        "[workspace.metadata.db.databases.a]\npath = 'a.db'\nwrong = 1",
    ),
    ("[workspace.metadata.db.format]", "[workspace.metadata.db.format]\nwrong = 1"),
    ("[workspace.metadata.db.bundle]", "[workspace.metadata.db.bundle]\nwrong = 1"),
    (
        "[workspace.metadata.db.bundle.items.NAME]",
        "[workspace.metadata.db.bundle.items.a]\npath = 'a'\nwrong = 1",
    ),
    (
        "[workspace.metadata.db.bundle.snapshots.NAME]",
        "[workspace.metadata.db.bundle.snapshots.a]\nzfs = ['a']\nwrong = 1",
    ),
    (
        "[workspace.metadata.db.bundle.snapshots.NAME.keep]",
        "[workspace.metadata.db.bundle.snapshots.a]\nzfs = ['a']\nkeep.wrong = 1",
    ),
    ("[workspace.metadata.db.schedule]", "[workspace.metadata.db.schedule]\nwrong = 1"),
    (
        "[workspace.metadata.db.schedule.export]",
        "[workspace.metadata.db.schedule.export]\ninto = 'a'\nwrong = 1",
    ),
    ("[workspace.metadata.db.hooks]", "[workspace.metadata.db.hooks]\nwrong = 1"),
    ("[workspace.metadata.db.keep]", "[workspace.metadata.db.keep]\nwrong = 1"),
];

/// Sections of the top one, which have headings of their own.
const INNER: [&str; 9] =
    ["bundle", "databases", "export", "format", "hooks", "items", "keep", "schedule", "snapshots"];

/// Words that are names of variables wherever they are in the code.
const WORDS: [&str; 10] =
    ["CARGO", "CI", "COLUMNS", "EDITOR", "HOME", "LINES", "LOGNAME", "SHELL", "TMPDIR", "USER"];

/// Names in the code that nobody sets for these commands: what the compiler sets, what they pass to their own
/// children (the lines of progress among it, see ARCHITECTURE.md), the planted faults of a test build, and what a
/// shell sets for its completion.
const OTHERS: [&str; 9] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_VERSION",
    "XTASK_DB_PROGRESS",
    "XTASK_DB_SUPERVISES",
    "XTASK_DB_WITH_BUNDLE",
    "XTASK_DB_WITH_SERVE",
    "XTASK_DB_PLANT",
    "COMP_LINE",
    "LC_ALL",
];

#[test]
fn every_key_is_in_the_table_of_its_section() {
    let guide = guide();
    for (heading, wrong) in SECTIONS {
        let sandbox = Sandbox::empty();
        sandbox.write("Cargo.toml", format!("[workspace]\nmembers = []\n{wrong}\n"));
        let said = sandbox.fails(2, &["db-list"]);
        let known = said.err.split("the known ones are ").nth(1).expect("the known keys");
        let known = known.lines().next().unwrap_or_default().split(", ");
        let known: Names =
            known.filter(|key| !is_inner(key, heading)).map(|key| key.trim().to_owned()).collect();
        assert_eq!(first_column(section(&guide, heading)), known, "{heading}");
    }
}

#[test]
fn every_variable_is_in_the_guide_and_in_the_example() {
    let read = variables();
    assert!(read.contains("DATABASE_URL") && read.contains("HOME"), "{read:?}");
    let example = fs_err::read_to_string(workspace().join(".env.local.example")).expect("example");
    let offered = example.lines().filter_map(|line| line.strip_prefix("# ")?.split_once('='));
    let offered: Names = offered.map(|(name, _)| name.to_owned()).filter(|n| is_name(n)).collect();
    assert_eq!(offered, read, ".env.local.example");
    let described = first_column(section(&guide(), "Environment variables"));
    assert_eq!(described, read, "docs/configuration.md");
}

/// Whether a key is a section of its own; a schedule has flags of the same names.
fn is_inner(key: &str, heading: &str) -> bool {
    let flags = [
        ("bundle", "[workspace.metadata.db.schedule]"),
        ("format", "[workspace.metadata.db.schedule.export]"),
    ];
    INNER.contains(&key) && !flags.contains(&(key, heading))
}

fn guide() -> String {
    let guide = documents().into_iter().find(|d| d.name == "docs/configuration.md");
    guide.expect("the guide").text
}

/// What follows a heading, to the next one of its level.
fn section<'a>(guide: &'a str, heading: &str) -> &'a str {
    let all = guide.split("\n## ");
    let mut found =
        all.filter(|s| s.lines().next().is_some_and(|l| l.trim_matches('`') == heading));
    found.next().unwrap_or_else(|| panic!("no heading {heading}"))
}

/// The code spans in the first column of the tables.
fn first_column(section: &str) -> Names {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    cells.flat_map(|cell| cell.split(", ")).map(|key| key.trim_matches('`').to_owned()).collect()
}

/// The variables that the code reads: every text that can only be a variable's name.
fn variables() -> Names {
    let mut names = Names::new();
    // What `psql` gets is set, and not read.
    for (_, text) in product().into_iter().filter(|(name, _)| !name.contains("/postgres/")) {
        // A value's name in help looks like a variable.
        let code = code(&text).replace("value_name = \"", "value_name = \"a ");
        // Texts of the code, and what a hook's shell expands.
        let texts = code.split('"').chain(code.split("${").skip(1));
        for text in texts.map(|text| text.split([':', '}']).next().unwrap_or_default()) {
            let is_variable = text.contains('_') || WORDS.contains(&text);
            let is_of_git =
                text.starts_with("GIT_") || text.ends_with("_HEAD") || text == "BISECT_LOG";
            if is_name(text) && is_variable && !is_of_git && !OTHERS.contains(&text) {
                names.insert(text.to_owned());
            }
        }
    }
    names
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && !text.ends_with('_')
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

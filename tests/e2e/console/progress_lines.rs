//! Progress for a program that started this one: `XTASK_DB_PROGRESS=lines`.

use serde_json::{Value, json};

use crate::support::sandbox::{Said, Sandbox};

/// Runs a command whose progress somebody reads.
fn watched(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let mut command = sandbox.xtask(arguments);
    command.env("XTASK_DB_PROGRESS", "lines");
    let said = sandbox.said(&command.output().expect("the binary runs"));
    assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
    said
}

/// The lines of progress, and the other ones.
fn parted(said: &Said) -> (Vec<Value>, Vec<&str>) {
    let (progress, others): (Vec<&str>, Vec<&str>) =
        said.err.lines().partition(|line| line.starts_with('\u{1e}'));
    let parse = |line: &str| serde_json::from_str(&line[1..]).expect("an object");
    (progress.into_iter().map(parse).collect(), others)
}

#[test]
fn a_backup_writes_lines_about_its_progress_with_json_too() {
    let sandbox = Sandbox::new();
    let size_bytes = fs_err::metadata(sandbox.live()).expect("a database").len();
    for flags in [&["--json"][..], &["--quiet"], &[]] {
        let said = watched(&sandbox, &[&["db-backup"][..], flags].concat());
        let (lines, others) = parted(&said);
        assert_eq!(others, [""; 0], "{flags:?}");
        let begun = json!({ "verb": "Copying", "done_bytes": null, "total_bytes": null });
        assert_eq!(lines.first(), Some(&begun), "{said:#?}");
        let last = lines.last().expect("a line");
        assert_eq!(last["verb"], "Copying", "{last}");
        assert_eq!(last["done_bytes"], size_bytes, "{last}");
        assert_eq!(last["total_bytes"], size_bytes, "{last}");
    }
}

#[test]
fn a_step_that_turns_to_another_ends_with_a_line() {
    let sandbox = Sandbox::new();
    let out = sandbox.path("out.jsonl");
    let out = out.to_str().expect("a path");
    sandbox.ok(&["db-export", "--output", out]);
    let said = watched(&sandbox, &["db-import", "--into", "other.db", out, "--yes"]);
    let (lines, _) = parted(&said);
    let verbs: Vec<&str> = lines.iter().filter_map(|line| line["verb"].as_str()).collect();
    assert_eq!(verbs, ["importing", "importing", "examining", "examining"], "{said:#?}");
    assert_eq!(lines[1]["done_bytes"], lines[1]["total_bytes"], "{said:#?}");
    assert_eq!(lines[2]["total_bytes"], Value::Null, "{said:#?}");
}

#[test]
fn without_the_variable_or_with_another_value_there_is_no_such_line() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.ok(&["db-backup"]).err, "");
    let mut command = sandbox.xtask(&["db-backup"]);
    command.env("XTASK_DB_PROGRESS", "1");
    let said = sandbox.said(&command.output().expect("the binary runs"));
    assert_eq!((said.code, &*said.err), (Some(0), ""));
}

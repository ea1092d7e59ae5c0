//! `bench store`: everybody does everything, ours rightly, and nothing is left behind. How long anything
//! takes and how much room is asserted nowhere.

use crate::bench::{self, link_program};
use crate::support::sandbox::Sandbox;

const SMALL: [&str; 11] = [
    "store",
    "--size",
    "1MB",
    "--checkpoints",
    "2",
    "--keep",
    "1",
    "--runs",
    "1",
    "--folder",
    "bench",
];

fn folder(sandbox: &Sandbox) -> std::path::PathBuf {
    let folder = sandbox.path("bench");
    fs_err::create_dir(&folder).expect("folder");
    folder
}

#[test]
fn a_series_is_kept_restored_verified_and_pruned_and_nothing_is_left_behind() {
    let sandbox = Sandbox::empty();
    let folder = folder(&sandbox);
    let report = bench::json(&sandbox, &SMALL);
    for program in ["sqlite3", "restic", "borg"] {
        if report["versions"][program].is_null() {
            crate::support::strace::complain(&format!("SKIPPED: the part that needs {program}"));
        }
    }
    let results = report["results"].as_array().expect("results");
    let ours: Vec<_> = results.iter().filter(|result| result["command"][0] == "xtask").collect();
    let deeds: Vec<_> = ours.iter().filter_map(|result| result["deed"].as_str()).collect();
    assert_eq!(deeds, ["checkpoint", "unchanged", "restore", "list", "verify", "prune"]);
    let n_runs = |deed: &str| if deed == "checkpoint" { 2 } else { 1 };
    for result in results.iter().filter(|result| result["installed"] == true) {
        let runs = result["runs"].as_array().unwrap_or_else(|| panic!("no runs: {result}"));
        assert_eq!(runs.len(), n_runs(result["deed"].as_str().expect("a deed")), "{result}");
        assert!(runs[0]["seconds"].as_f64().expect("seconds") > 0.0, "{result}");
    }
    let first = ours[0]["runs"][0]["growth_bytes"].as_i64();
    assert!(first > Some(100 << 10), "a checkpoint takes room: {first:?}");
    assert_eq!(report["series"]["pages_changed"].as_array().expect("changes").len(), 1);
    assert_eq!(report["room"]["states_kept"], 1);
    assert_eq!(fs_err::read_dir(&folder).expect("folder").count(), 0);
}

#[test]
fn who_is_not_wanted_has_no_row_and_every_promise_has_an_answer() {
    let sandbox = Sandbox::empty();
    folder(&sandbox);
    let others = ["--without", "restic", "--without", "borg"];
    let said = bench::run(&sandbox, &[&SMALL[..], &others].concat());
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(!said.out.contains("restic backup") && !said.out.contains("borg create"), "{said:#?}");
    let promises = said.out.split("Promised for 1 GB").nth(1).expect("promises");
    let judged = |line: &&str| line.ends_with("  kept") || line.ends_with("  MISSED");
    let n_judged = promises.lines().filter(judged).count();
    assert!(n_judged >= 5, "{promises}");
}

#[test]
fn without_sqlite3_the_others_cannot_be_timed_and_ours_are() {
    let sandbox = Sandbox::empty();
    folder(&sandbox);
    let programs = sandbox.path("bin");
    fs_err::create_dir(&programs).expect("folder");
    // Peak memory is told against that of a program with none of its own.
    link_program("true", &programs);
    let mut bench = bench::command(&sandbox, &SMALL);
    bench.env("PATH", &programs);
    let said = sandbox.said(&bench.output().expect("the binary runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    for missing in ["sqlite3 .backup", ".backup, then restic backup", "borg extract"] {
        let row = said.out.lines().find(|line| line.trim_start().starts_with(missing));
        assert!(row.expect("a row").ends_with("not installed"), "{said:#?}");
    }
    let row = said.out.lines().find(|line| line.trim_start().starts_with("db-restore"));
    assert!(row.expect("a row").contains(" MiB "), "{said:#?}");
}

#[test]
fn a_folder_without_room_is_refused_before_anything_is_made() {
    let sandbox = Sandbox::empty();
    let folder = folder(&sandbox);
    let said = bench::run(&sandbox, &["store", "--size", "500000GB", "--folder", "bench"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("free, but the bench needs"), "{said:#?}");
    assert_eq!(fs_err::read_dir(&folder).expect("folder").count(), 0);
}

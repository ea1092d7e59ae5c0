//! `bench`: what it times, and that it leaves nothing behind. How long anything takes is asserted nowhere.

pub(crate) mod export;
pub(crate) mod store;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::sandbox::{Said, Sandbox};

/// The program of package `bench`, which is built when the first test asks for it.
#[expect(clippy::disallowed_methods, reason = "cargo runs in the real workspace")]
fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "bench"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        // With what cargo tells this test of package `xtask`, build scripts would run again.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_") {
                cargo.env_remove(&*name);
            }
        }
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
        assert!(status.success(), "package `bench` does not compile");
        Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("bench")
    })
}

/// The bench in a sandbox, timing the xtask under test.
pub(crate) fn command(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.command(program());
    command.env("XTASK", env!("CARGO_BIN_EXE_xtask")).args(arguments);
    command
}

/// The output of the bench.
pub(crate) fn run(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    sandbox.said(&command(sandbox, arguments).output().expect("the binary runs"))
}

/// What the bench says with `--json`.
pub(crate) fn json(sandbox: &Sandbox, arguments: &[&str]) -> serde_json::Value {
    let said = run(sandbox, &[arguments, &["--json"]].concat());
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:#?}"))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "cargo runs in the real workspace")]
fn the_xtask_passes_everything_on_to_the_bench_and_its_exit_code_back() {
    let bench = |arguments: &[&str]| {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        xtask.env("CARGO", env!("CARGO")).arg("bench").args(arguments);
        let output = xtask.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("it runs");
        Sandbox::empty().said(&output)
    };
    let help = bench(&["store", "--help"]);
    assert_eq!(help.code, Some(0), "{help:#?}");
    assert!(help.out.contains("\nUsage: cargo xtask bench store [OPTIONS]\n"), "{help:#?}");
    let refused = bench(&["hooks", "--pairs", "1", "--folder", "nowhere"]);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.err.contains("could not look at `nowhere`"), "{refused:#?}");
}

#[test]
fn a_bench_times_every_contender_and_leaves_nothing_behind() {
    let sandbox = Sandbox::empty();
    let folder = sandbox.path("bench");
    fs_err::create_dir(&folder).expect("folder");
    let report = json(&sandbox, &["--size", "1MB", "--runs", "1", "--folder", "bench"]);
    let results = report["results"].as_array().expect("results");
    let names: Vec<_> = results.iter().filter_map(|r| r["name"].as_str()).collect();
    assert_eq!(
        names,
        [
            "cp --reflink=auto, fsync",
            "sqlite3 .backup",
            "sqlite3 VACUUM INTO",
            "db-backup",
            "db-verify",
            "db-diff",
            "sqldiff --summary",
            "db-restore",
            "db-backup of 160 KB",
        ]
    );
    for result in results.iter().filter(|result| result["installed"] == true) {
        let runs = result["runs"].as_array().expect("runs");
        assert_eq!(runs.len(), 1, "{result}");
        assert!(runs[0]["seconds"].as_f64().expect("seconds") > 0.0);
        assert!(result["peak_bytes"].as_u64().expect("bytes") > 0);
    }
    let ours = results.iter().filter(|result| result["command"][0] == "xtask");
    assert_eq!(ours.filter(|result| result["installed"] == true).count(), 5);
    assert!(report["database"]["size_bytes"].as_u64() >= Some(1 << 20));
    assert_eq!(fs_err::read_dir(&folder).expect("folder").count(), 0);
}

#[test]
fn a_bench_without_sqlite3_says_so_and_times_the_rest() {
    let sandbox = Sandbox::empty();
    let programs = sandbox.path("bin");
    fs_err::create_dir(&programs).expect("folder");
    let mut bench = command(&sandbox, &["--size", "1MB", "--runs", "1", "--folder", "."]);
    // `true` by its real path: the floor of peak memory is measured with it.
    link_program("true", &programs);
    bench.env("PATH", &programs);
    let said = sandbox.said(&bench.output().expect("the binary runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    let row = |name: &str| said.out.lines().find(|line| line.starts_with(name));
    let missing = row("sqlite3 .backup").expect("a row");
    assert!(missing.ends_with("not installed"), "{missing}");
    let timed = row("db-backup").expect("a row");
    assert!(timed.ends_with("MiB"), "{timed}");
}

#[test]
fn a_bench_in_a_missing_folder_is_refused() {
    let sandbox = Sandbox::empty();
    let said = run(&sandbox, &["--size", "1MB", "--folder", "nowhere"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("could not look at `nowhere`"), "{said:#?}");
    assert_eq!(said.out, "");
}

#[test]
fn a_bench_of_the_hooks_compares_both_kinds_of_commit_and_leaves_nothing_behind() {
    let sandbox = Sandbox::empty();
    let folder = sandbox.path("bench");
    fs_err::create_dir(&folder).expect("folder");
    let report = json(&sandbox, &["hooks", "--pairs", "1", "--folder", "bench"]);
    let results = report["results"].as_array().expect("results");
    let limits: Vec<_> = results.iter().map(|r| r["limit_seconds"].as_f64()).collect();
    assert_eq!(limits, [Some(0.010), Some(0.150)]);
    for result in results {
        assert_eq!(result["pairs"].as_array().expect("pairs").len(), 1, "{result}");
        assert!(result["without_seconds"].as_f64().expect("seconds") > 0.0, "{result}");
        assert!(result["overhead_seconds"].is_number() && result["within_limit"].is_boolean());
    }
    assert_eq!(fs_err::read_dir(&folder).expect("folder").count(), 0);
}

#[test]
fn a_bench_against_another_build_times_the_same_deeds_of_both_and_leaves_nothing_behind() {
    let sandbox = Sandbox::empty();
    let folder = sandbox.path("bench");
    fs_err::create_dir(&folder).expect("folder");
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let small = ["against", xtask, "--size", "1MB", "--pairs", "1", "--folder", "bench"];
    let report = json(&sandbox, &small);
    let results = report["results"].as_array().expect("results");
    assert_eq!(results.len(), 5, "{results:#?}");
    for result in results {
        assert_eq!(result["pairs"].as_array().expect("pairs").len(), 1, "{result}");
        assert!(result["ratio"].as_f64().expect("a ratio") > 0.0, "{result}");
        assert!(result["within_limit"].is_boolean(), "{result}");
    }
    assert!(report["reading_seconds"].is_number(), "{report:#}");
    assert_eq!(fs_err::read_dir(&folder).expect("folder").count(), 0);
}

/// Makes one program of the machine's `PATH` the only one in a folder.
pub(crate) fn link_program(name: &str, folder: &std::path::Path) {
    let path = std::env::var_os("PATH").expect("a PATH");
    let found = std::env::split_paths(&path).map(|place| place.join(name));
    let program = found.into_iter().find(|path| path.is_file());
    let program = program.expect("the program is installed");
    std::os::unix::fs::symlink(program, folder.join(name)).expect("linked");
}

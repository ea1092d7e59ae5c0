//! `bench`: what it times, and that it leaves nothing behind. How long anything takes is asserted nowhere.

use crate::sandbox::Sandbox;

#[test]
fn a_bench_times_every_contender_and_leaves_nothing_behind() {
    let sandbox = Sandbox::empty();
    let folder = sandbox.path("bench");
    fs_err::create_dir(&folder).expect("folder");
    let report = sandbox.json(&["bench", "--size", "1MB", "--runs", "1", "--folder", "bench"]);
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
    let mut bench = sandbox.xtask(&["bench", "--size", "1MB", "--runs", "1", "--folder", "."]);
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
    let said = sandbox.run(&["bench", "--size", "1MB", "--folder", "nowhere"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("could not look at `nowhere`"), "{said:#?}");
    assert_eq!(said.out, "");
}

#[test]
fn a_bench_of_the_hooks_compares_both_kinds_of_commit_and_leaves_nothing_behind() {
    let sandbox = Sandbox::empty();
    let folder = sandbox.path("bench");
    fs_err::create_dir(&folder).expect("folder");
    let report = sandbox.json(&["bench", "hooks", "--pairs", "1", "--folder", "bench"]);
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

/// Makes one program of the machine's `PATH` the only one in a folder.
pub(crate) fn link_program(name: &str, folder: &std::path::Path) {
    let path = std::env::var_os("PATH").expect("a PATH");
    let found = std::env::split_paths(&path).map(|place| place.join(name));
    let program = found.into_iter().find(|path| path.is_file());
    let program = program.expect("the program is installed");
    std::os::unix::fs::symlink(program, folder.join(name)).expect("linked");
}

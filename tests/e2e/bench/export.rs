//! `bench export`: everybody takes a turn, what was imported is exported to the same bytes, and nothing
//! is left behind. How long anything takes is asserted nowhere.

use crate::bench::{self, link_program};
use crate::support::sandbox::Sandbox;

const SMALL: [&str; 7] = ["export", "--size", "1MB", "--runs", "1", "--folder", "bench"];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::empty();
    fs_err::create_dir(sandbox.path("bench")).expect("folder");
    sandbox
}

#[test]
fn everybody_takes_a_turn_and_nothing_is_left_behind() {
    let sandbox = sandbox();
    let report = bench::json(&sandbox, &SMALL);
    if report["versions"]["sqlite3"].is_null() {
        crate::support::strace::complain("SKIPPED: the part that needs sqlite3");
    }
    let results = report["results"].as_array().expect("results");
    let ours: Vec<_> = results.iter().filter(|result| result["command"][0] == "xtask").collect();
    let names: Vec<_> = ours.iter().filter_map(|result| result["name"].as_str()).collect();
    let of_one = ["db-export", "db-import", "db-import of the dump"];
    assert_eq!(names, [of_one, of_one].concat());
    for result in results.iter().filter(|result| result["installed"] == true) {
        assert!(result["median_seconds"].as_f64().expect("seconds") > 0.0, "{result}");
        assert!(result["output_bytes"].as_u64() > Some(100 << 10), "{result}");
    }
    assert_eq!(fs_err::read_dir(sandbox.path("bench")).expect("folder").count(), 0);
}

#[test]
fn without_sqlite3_ours_are_timed_alone() {
    let sandbox = sandbox();
    let programs = sandbox.path("bin");
    fs_err::create_dir(&programs).expect("folder");
    // Peak memory is told against that of a program with none of its own.
    link_program("true", &programs);
    let mut bench = bench::command(&sandbox, &SMALL);
    bench.env("PATH", &programs);
    let said = sandbox.said(&bench.output().expect("the binary runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    let rows = |name: &str| {
        let rows = said.out.lines().filter(|line| line.trim_start().starts_with(name));
        rows.map(|row| row.ends_with("not installed")).collect::<Vec<_>>()
    };
    assert_eq!(rows("sqlite3 .read"), [true, true], "{said:#?}");
    assert_eq!(rows("db-import  "), [false, false], "{said:#?}");
}

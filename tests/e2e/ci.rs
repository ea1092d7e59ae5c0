//! `ci`: runs `.ci/run` from the workspace root and passes its exit code on.

use crate::support::sandbox::Sandbox;

#[test]
fn the_checks_run_from_the_root_with_our_streams_and_their_exit_code_is_ours() {
    let sandbox = Sandbox::empty();
    sandbox.write(".ci/run", "pwd; echo \"package: ${CARGO_PKG_NAME-none}\" >&2; exit 7\n");
    sandbox.write("backend/src/main.rs", "");
    let mut ci = sandbox.xtask(&["ci"]);
    ci.env("CARGO_PKG_NAME", "xtask").current_dir(sandbox.path("backend/src"));
    let said = sandbox.said(&ci.output().expect("the binary runs"));
    assert_eq!(said.code, Some(7), "{said:#?}");
    assert_eq!(said.out, "$ROOT\n");
    assert_eq!(said.err, "package: none\n");
}

#[test]
fn a_signal_that_ends_the_checks_is_told_as_a_shell_tells_it() {
    let sandbox = Sandbox::empty();
    sandbox.write(".ci/run", "kill -TERM $$\n");
    let said = sandbox.run(&["ci"]);
    assert_eq!(said.code, Some(143), "{said:#?}");
}

#[test]
fn without_a_script_nothing_is_checked_and_that_is_no_success() {
    let sandbox = Sandbox::empty();
    let said = sandbox.run(&["ci"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("there is no `.ci/run`"), "{said:#?}");
}

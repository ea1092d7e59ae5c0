//! `db-completions`: scripts that shells accept, and candidates for commands, flags and references.

use std::path::Path;

use crate::support::sandbox::Sandbox;
use crate::support::strace::complain;

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A sandbox with a backup of branch `main`, with the scripts written.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.ok(&["db-backup", "--label", "before-merge"]);
    for shell in ["bash", "zsh", "fish"] {
        sandbox.write(shell, sandbox.ok(&["db-completions", shell]).out);
    }
    sandbox
}

/// What bash offers for a line, the words broken as bash breaks them.
fn in_bash(sandbox: &Sandbox, line: &str, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source ./bash; COMP_LINE='{line}' COMP_POINT={} COMP_WORDS=({}) COMP_CWORD={}; _xtask_db; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        line.len(),
        quoted.join(" "),
        words.len() - 1
    );
    let mut command = sandbox.command("bash");
    let output = command.args(["--norc", "-c", &script]).output().expect("bash");
    let said = sandbox.said(&output);
    assert_eq!(said.err, "", "{said:#?}");
    said.out.lines().map(str::to_owned).collect()
}

#[test]
fn every_script_is_one_that_its_shell_accepts() {
    let sandbox = sandbox();
    for (shell, flag) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        if !is_installed(shell) {
            complain(&format!("SKIPPED: reading the script for {shell} needs {shell}"));
            continue;
        }
        let output = sandbox.command(shell).args([flag, shell]).output().expect(shell);
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
}

#[test]
fn bash_completes_commands_flags_and_references() {
    let sandbox = sandbox();
    let check = |line: &str, expected: &[&str]| {
        let words: Vec<&str> = line.split(' ').collect();
        let offered = in_bash(&sandbox, line, &words);
        assert_eq!(offered, expected, "{line}");
    };
    check("cargo xtask db-resto", &["db-restore"]);
    check("cargo xtask db-pin", &["db-pin"]);
    check("cargo xtask db-hooks un", &["uninstall"]);
    check("cargo xtask db-restore --dry", &["--dry-run"]);
    check("cargo xtask db-restore la", &["latest"]);
    check("cargo xtask db-restore be", &["before-merge"]);
    check("cargo xtask db-restore --yes @", &["@main"]);
    check("cargo xtask db-rollback --to 2025", &["2025-09-13_142530"]);
    check("cargo xtask db-list --db k", &["kalito"]);
    check("cargo xtask db-restore latest --into ", &[""]);
    let broken = ["cargo", "xtask", "db-restore", "@", "ma"];
    assert_eq!(in_bash(&sandbox, "cargo xtask db-restore @ma", &broken), ["main"]);
}

#[test]
fn bash_leaves_other_lines_to_what_completed_cargo_before() {
    let sandbox = sandbox();
    let script = "_cargo() { COMPREPLY=(\"cargo's\"); }; complete -F _cargo cargo; source ./bash; \
                  source ./bash; COMP_LINE='cargo bu' COMP_POINT=8 COMP_WORDS=(cargo bu) COMP_CWORD=1; \
                  _xtask_db; printf '%s\\n' \"${COMPREPLY[@]}\"; complete -p cargo";
    let output = sandbox.command("bash").args(["--norc", "-c", script]).output().expect("bash");
    let said = sandbox.said(&output);
    let complete = "complete -o bashdefault -o default -F _xtask_db cargo";
    assert_eq!(said.out, format!("cargo's\n{complete}\n"), "{said:#?}");
}

#[test]
fn one_script_serves_every_workspace_below_whose_root_the_program_is() {
    let sandbox = sandbox();
    let program = Path::new("target/debug/xtask");
    fs_err::create_dir_all(sandbox.path("target/debug")).expect("folder");
    fs_err::copy(env!("CARGO_BIN_EXE_xtask"), sandbox.path("target/debug/xtask")).expect("copy");
    let mut command = sandbox.command(sandbox.root().join(program));
    let output = command.args(["db-completions", "bash"]).output().expect("xtask");
    let script = sandbox.said(&output).out;
    assert!(script.contains("program=target/debug/xtask folder=$PWD"), "{script}");
    sandbox.write("bash", script);
    let words = ["cargo", "xtask", "db-resto"];
    assert_eq!(in_bash(&sandbox, "cargo xtask db-resto", &words), ["db-restore"]);
}

#[test]
fn completion_says_nothing_where_there_is_nothing_to_complete() {
    let sandbox = Sandbox::empty();
    let said = sandbox.run(&["db-complete", "--", "db-restore", ""]);
    assert_eq!(said.out, "");
    let said = sandbox.ok(&["db-complete", "--", "db-restor"]);
    assert_eq!(said.out, "db-restore\n");
}

//! The block beside what the user has in a hook, and in the environments that hooks run in.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use crate::support::sandbox::Sandbox;

/// Writes a program of the user's own.
pub(super) fn program(sandbox: &Sandbox, path: &str, text: &str) -> PathBuf {
    sandbox.write(path, text);
    let mode = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(sandbox.path(path), mode).expect("permissions");
    sandbox.path(path)
}

/// A repository whose hooks start a program that writes each start to `../started`, and then
/// starts the real one.
fn counted() -> Sandbox {
    let sandbox = Sandbox::with_hooks();
    let log = sandbox.path("../started");
    let real = env!("CARGO_BIN_EXE_xtask");
    let text = format!("#!/bin/sh\necho \"$*\" >> '{}'\nexec '{real}' \"$@\"\n", log.display());
    let fake = program(&sandbox, "../counting", &text);
    for entry in fs_err::read_dir(sandbox.path(".git/hooks")).expect("folder") {
        let path = entry.expect("entry").path();
        let text = fs_err::read_to_string(&path).expect("a hook");
        fs_err::write(&path, text.replace(real, fake.to_str().expect("a path"))).expect("written");
    }
    sandbox
}

/// What was started since the last question.
fn started(sandbox: &Sandbox) -> Vec<String> {
    let log = sandbox.path("../started");
    let text = fs_err::read_to_string(&log).unwrap_or_default();
    let _ = fs_err::remove_file(log);
    text.lines().map(|line| line.split(" --").next().unwrap_or(line).to_owned()).collect()
}

#[test]
fn the_binary_starts_only_where_a_schema_file_or_a_branch_changes() {
    let sandbox = counted();
    sandbox.write("notes.txt", "notes");
    for arguments in [
        &["add", "."][..],
        &["commit", "--quiet", "--message=notes"],
        &["commit", "--quiet", "--amend", "--no-edit"],
        &["commit", "--quiet", "--allow-empty", "--message=empty"],
        &["checkout", "--quiet", "HEAD~1", "--", "notes.txt"],
        &["merge", "--quiet", "--ff-only", "HEAD"],
        &["rebase", "--quiet", "HEAD~1"],
        &["stash", "--quiet"],
        &["reset", "--quiet", "--hard"],
    ] {
        sandbox.tries(arguments);
        assert_eq!(started(&sandbox), [""; 0], "{arguments:?}");
    }
    sandbox.stage_migration("moods");
    sandbox.hooked(&["commit", "--quiet", "--message=moods"]);
    assert_eq!(started(&sandbox), ["db-hooks run pre-commit", "db-hooks run prepare-commit-msg"]);
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    assert_eq!(started(&sandbox), ["db-hooks run post-checkout"]);
}

#[test]
fn ci_and_the_variable_turn_the_hooks_off() {
    let sandbox = counted();
    for (name, value, runs) in [
        ("CI", "1", false),
        ("CI", "true", false),
        ("XTASK_DB_HOOKS", "0", false),
        ("CI", "false", true),
        ("CI", "", true),
        ("XTASK_DB_HOOKS", "1", true),
        ("XTASK_DB_HOOKS", "", true),
    ] {
        let branch = format!("{name}-{value}-");
        for arguments in [
            &["commit", "--quiet", "--all", "--message=x"][..],
            &["switch", "--quiet", "--create", &branch],
        ] {
            sandbox.write("backend/db/migrations/0001_messages.sql", format!("-- {branch}\n"));
            let mut git = sandbox.git_at_clock(arguments);
            let said = sandbox.said(&git.env(name, value).output().expect("git runs"));
            assert_eq!(said.code, Some(0), "{said:#?}");
            assert_eq!(!started(&sandbox).is_empty(), runs, "{name}={value} {arguments:?}");
            assert_eq!(!said.err.is_empty(), runs, "{name}={value} {arguments:?}: {said:#?}");
        }
    }
}

const HOOKS: [&str; 4] = ["pre-commit", "prepare-commit-msg", "post-rewrite", "post-checkout"];

/// Runs a hook as git would, with two lines on its input, and returns its exit code.
fn run_by_hand(sandbox: &Sandbox, hook: &str) -> Option<i32> {
    let arguments: &[&str] = match hook {
        "pre-commit" => &[],
        "prepare-commit-msg" => &[".git/COMMIT_EDITMSG", "a b", "*"],
        "post-rewrite" => &["amend"],
        _ => &["HEAD", "HEAD", "1"],
    };
    let git = sandbox.git_at_clock(&[]);
    let mut run = sandbox.command(sandbox.hook(hook));
    run.envs(git.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run.args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = run.spawn().expect("the hook runs");
    let mut input = child.stdin.take().expect("stdin");
    input.write_all(b"old new\nold2 new2\n").expect("written");
    drop(input);
    child.wait_with_output().expect("it ends").status.code()
}

#[test]
fn a_hook_of_the_user_s_keeps_its_input_arguments_options_and_exit_status() {
    for shell in ["/bin/sh", "/bin/sh -eu", "/usr/bin/env bash", "/bin/dash"] {
        let program = shell.split(' ').next().unwrap_or(shell);
        if !std::path::Path::new(program).exists() {
            let note = format!("SKIPPED: a test of a hook in `{shell}` needs it\n");
            std::io::stderr().write_all(note.as_bytes()).expect("stderr");
            continue;
        }
        let sandbox = Sandbox::without_hooks();
        let seen = sandbox.path("../seen");
        let script = format!(
            "#!{shell}\nset -eu\n{{ echo \"$0 $# $* $- $PWD ${{xtask-}}${{code-}}${{m-}}\"; cat; }} \
             > '{}'\nexec sh -c 'exit 7'\n",
            seen.display()
        );
        for name in HOOKS {
            sandbox.write_hook(name, &script, 0o755);
        }
        let mut said = Vec::new();
        for install in [false, true] {
            if install {
                sandbox.ok(&["db-hooks", "install"]);
            }
            sandbox.write("backend/db/migrations/0001_messages.sql", format!("-- {install}\n"));
            sandbox.hooked(&["add", "backend"]);
            for hook in HOOKS {
                let code = run_by_hand(&sandbox, hook);
                let text = fs_err::read_to_string(&seen).expect("the user's hook ran");
                assert!(text.ends_with("old new\nold2 new2\n"), "{hook}: {text}");
                said.push((hook, code, text));
            }
        }
        let (without, with) = said.split_at(4);
        assert_eq!(without, with, "{shell}");
        assert!(with.iter().all(|(_, code, _)| *code == Some(7)), "{with:?}");
        assert_eq!(sandbox.n_of("pre-commit"), 1, "the block ran in {shell}");
    }
}

#[test]
fn what_git_hands_to_post_rewrite_reaches_the_user_s_hook() {
    let sandbox = Sandbox::without_hooks();
    sandbox.write_hook("post-rewrite", "#!/bin/sh\necho \"$1\" > seen\nexec cat >> seen\n", 0o755);
    sandbox.ok(&["db-hooks", "install"]);
    sandbox.stage_migration("moods");
    let old = sandbox.git(&["rev-parse", "HEAD"]);
    sandbox.hooked(&["commit", "--quiet", "--amend", "--no-edit"]);
    let new = sandbox.git(&["rev-parse", "HEAD"]);
    let seen = fs_err::read_to_string(sandbox.path("seen")).expect("seen");
    assert_eq!(seen, format!("amend\n{old} {new}\n"));
}

#[test]
fn without_a_built_binary_cargo_is_named_first_and_then_run() {
    let sandbox = Sandbox::with_hooks();
    let hook = fs_err::read_to_string(sandbox.hook("pre-commit")).expect("a hook");
    sandbox.write(".git/hooks/pre-commit", hook.replace(env!("CARGO_BIN_EXE_xtask"), "/no such"));
    let text = format!("#!/bin/sh\nshift\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_xtask"));
    program(&sandbox, "../bin/cargo", &text);
    sandbox.stage_migration("moods");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(sandbox.path("../bin")).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).expect("a PATH");
    let mut git = sandbox.git_at_clock(&["commit", "--quiet", "--message=moods"]);
    let said = sandbox.said(&git.env("PATH", path).output().expect("git runs"));
    insta::assert_snapshot!(said.err, @r"
    xtask-db: xtask is not built; `cargo xtask` builds it now
    xtask-db: checkpoint kalito.db.2025-09-13_143030.pages (8.0 KB)
    ");
    assert_eq!(sandbox.n_of("pre-commit"), 1);
}

#[test]
fn without_a_binary_and_without_cargo_the_commit_says_how_to_go_on() {
    let sandbox = Sandbox::with_hooks();
    let hook = fs_err::read_to_string(sandbox.hook("pre-commit")).expect("a hook");
    let hook = hook.replace(env!("CARGO_BIN_EXE_xtask"), "/no such");
    let lines: Vec<&str> = hook.lines().filter(|line| !line.starts_with("  PATH=")).collect();
    sandbox.write(".git/hooks/pre-commit", lines.join("\n") + "\n");
    sandbox.stage_migration("moods");
    let mut git = sandbox.git_at_clock(&["commit", "--quiet", "--message=moods"]);
    let said = sandbox.said(&git.env("PATH", "/usr/bin:/bin").output().expect("git runs"));
    if said.code == Some(0) {
        let note = "SKIPPED: a test of a machine without cargo needs one\n";
        std::io::stderr().write_all(note.as_bytes()).expect("stderr");
        return;
    }
    assert!(said.err.contains("xtask is not built"), "{}", said.err);
    assert!(said.err.contains("`git commit --no-verify` commits without one"), "{}", said.err);
}

#[test]
fn a_client_with_a_poor_environment_still_takes_its_checkpoints() {
    let sandbox = Sandbox::with_hooks();
    let poor = |arguments: &[&str]| {
        let mut git = sandbox.git_at_clock(arguments);
        git.env("PATH", "/usr/bin:/bin").env_remove("HOME").env_remove("LANG");
        let said = sandbox.said(&git.output().expect("git runs"));
        assert_eq!(said.code, Some(0), "{said:#?}");
        said
    };
    sandbox.stage_migration("moods");
    poor(&["commit", "--quiet", "--message=moods"]);
    assert_eq!((sandbox.n_of("pre-commit"), sandbox.trailers().len()), (1, 1));
    let said = poor(&["switch", "--quiet", "--create", "feature"]);
    assert!(said.err.contains("first time on `feature`"), "{}", said.err);
}

#[test]
fn nothing_on_the_input_is_read() {
    let sandbox = Sandbox::with_hooks();
    sandbox.stage_migration("moods");
    // git itself reads the message from it; a hook that read would have eaten it.
    let mut git = sandbox.git_at_clock(&["commit", "--quiet", "--file=-"]);
    let mut child = git.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("git runs");
    let mut input = child.stdin.take().expect("stdin");
    input.write_all(b"moods from the input\n").expect("written");
    drop(input);
    assert!(child.wait().expect("it ends").success());
    let subject = sandbox.git(&["log", "-1", "--format=%s"]);
    assert_eq!((subject.as_str(), sandbox.trailers().len()), ("moods from the input", 1));
    // With an input that never ends and never says anything, everything continues.
    let mut git = sandbox.git_at_clock(&["switch", "--quiet", "--create", "feature"]);
    let mut child = git.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("git runs");
    let held = child.stdin.take();
    assert!(child.wait().expect("it ends").success());
    drop(held);
    assert_eq!(sandbox.n_of("branch"), 1);
}

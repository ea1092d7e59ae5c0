//! Beside real hook managers: what husky or lefthook owns is not touched and the printed block works
//! there; the framework `pre-commit` and our block live in one file.
//!
//! `.ci/hookmanagers` installs them into `target/ci-tools`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::sandbox::{Said, Sandbox};
use crate::support::strace::complain;

/// A tool's program; prints a warning if it is not installed.
fn tool(path: &str) -> Option<PathBuf> {
    let target =
        Path::new(env!("CARGO_BIN_EXE_xtask")).ancestors().nth(2).expect("a target folder");
    let program = target.join("ci-tools").join(path);
    if program.exists() {
        return Some(program);
    }
    complain(&format!("SKIPPED: a test beside a hook manager needs {path} (`.ci/hookmanagers`)"));
    None
}

/// A repository with a database whose schema files are known, and no hooks yet.
fn repository() -> Sandbox {
    let sandbox = Sandbox::with_hooks();
    sandbox.ok(&["db-hooks", "uninstall"]);
    sandbox
}

/// Runs a manager's program and demands that it did its work.
fn run(sandbox: &Sandbox, program: &Path, arguments: &[&str]) -> Said {
    let output = sandbox.command(program).args(arguments).output().expect("it runs");
    let said = sandbox.said(&output);
    assert_eq!(said.code, Some(0), "{}: {said:#?}", program.display());
    said
}

/// Every file in a folder with its bytes and mode.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let mut files = BTreeMap::new();
    for entry in fs_err::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("entry").path();
        let mode = fs_err::metadata(&path).expect("metadata").permissions().mode();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), (fs_err::read(path).expect("read"), mode));
        }
    }
    files
}

fn hooks(sandbox: &Sandbox) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    files(&sandbox.path(".git/hooks"))
}

/// Commits a migration; demands one more checkpoint with its trailer, if the message's hook has a
/// block, and that their own hook ran too.
fn a_migration_is_checkpointed(sandbox: &Sandbox, table: &str, theirs: &str, trailer: bool) {
    let before = sandbox.records("pre-commit").len();
    sandbox.stage_migration(table);
    let said = sandbox.hooked(&["commit", "--message=a migration"]);
    assert!(format!("{}{}", said.out, said.err).contains(theirs), "{said:#?}");
    assert_eq!(sandbox.records("pre-commit").len(), before + 1, "{said:#?}");
    let message = sandbox.git(&["log", "-1", "--format=%B"]);
    assert_eq!(message.contains("Db-Backup: kalito.db."), trailer, "{message}: {said:#?}");
    // An ordinary commit takes none.
    sandbox.write("notes.txt", table);
    sandbox.hooked(&["add", "notes.txt"]);
    sandbox.hooked(&["commit", "--quiet", "--message=notes"]);
    assert_eq!(sandbox.records("pre-commit").len(), before + 1);
}

fn printed(sandbox: &Sandbox, hook: &str) -> String {
    sandbox.ok(&["db-hooks", "print", hook]).out
}

#[test]
fn hooks_that_husky_owns_are_left_to_it_and_the_printed_block_works_there() {
    let Some(husky) = tool("node_modules/husky/bin.js") else { return };
    let sandbox = repository();
    run(&sandbox, Path::new("node"), &[husky.to_str().expect("a path")]);
    sandbox.write(".husky/pre-commit", "echo theirs-ran\n");
    let (before, theirs) = (hooks(&sandbox), files(&sandbox.path(".husky")));
    let said = sandbox.fails(1, &["db-hooks", "install"]);
    let why = "warning: pre-commit is left alone: husky owns the hooks of this repository\n";
    assert!(said.err.contains(why), "{said:#?}");
    assert!(said.err.contains("cargo xtask db-hooks print HOOK"), "{said:#?}");
    assert_eq!(files(&sandbox.path(".husky")), theirs);
    assert_eq!(hooks(&sandbox), before, "nor in the folder that git does not look into");

    sandbox.write(
        ".husky/pre-commit",
        format!("echo theirs-ran\n{}", printed(&sandbox, "pre-commit")),
    );
    a_migration_is_checkpointed(&sandbox, "one", "theirs-ran", false);
    for hook in ["prepare-commit-msg", "post-checkout", "post-merge", "post-rewrite"] {
        sandbox.fails(1, &["db-hooks", "status"]);
        sandbox.write(&format!(".husky/{hook}"), printed(&sandbox, hook));
    }
    sandbox.ok(&["db-hooks", "status"]);
    a_migration_is_checkpointed(&sandbox, "two", "theirs-ran", true);
    sandbox.hooked(&["switch", "--quiet", "--create", "feature"]);
    assert_eq!(sandbox.records("branch").len(), 1);
    let pasted = files(&sandbox.path(".husky"));
    sandbox.ok(&["db-hooks", "uninstall"]);
    assert_eq!(files(&sandbox.path(".husky")), pasted, "what was pasted is the user's");
}

#[test]
fn a_hook_that_lefthook_owns_is_left_to_it_and_the_printed_block_works_there() {
    let Some(lefthook) = tool("node_modules/.bin/lefthook") else { return };
    let sandbox = repository();
    sandbox.write(
        "lefthook.yml",
        "pre-commit:\n  commands:\n    theirs:\n      run: echo theirs-ran\n  \
         scripts:\n    \"xtask-db.sh\":\n      runner: sh\n",
    );
    run(&sandbox, &lefthook, &["install"]);
    let before = hooks(&sandbox);
    let said = sandbox.fails(1, &["db-hooks", "install"]);
    let why = "warning: pre-commit is left alone: it belongs to lefthook\n";
    assert!(said.err.contains(why), "{said:#?}");
    let pre_commit = sandbox.path(".git/hooks/pre-commit");
    assert_eq!(hooks(&sandbox)[&pre_commit], before[&pre_commit]);

    sandbox.write(".lefthook/pre-commit/xtask-db.sh", printed(&sandbox, "pre-commit"));
    a_migration_is_checkpointed(&sandbox, "one", "theirs-ran", true);
    sandbox.ok(&["db-hooks", "uninstall"]);
    assert_eq!(hooks(&sandbox), before, "every byte");
}

/// A repository in which the framework `pre-commit` runs a hook of the project.
fn with_pre_commit(sandbox: &Sandbox, entry: &str) {
    sandbox.write(
        ".pre-commit-config.yaml",
        format!(
            "repos:\n- repo: local\n  hooks:\n  - id: theirs\n    name: theirs\n    language: system\n    \
             entry: {entry}\n    always_run: true\n    pass_filenames: false\n    verbose: true\n"
        ),
    );
    sandbox.hooked(&["add", ".pre-commit-config.yaml"]);
}

#[test]
fn the_framework_pre_commit_and_our_block_work_in_one_file() {
    let Some(pre_commit) = tool("python/bin/pre-commit") else { return };
    let sandbox = repository();
    with_pre_commit(&sandbox, "echo theirs-ran");
    run(&sandbox, &pre_commit, &["install"]);
    let before = hooks(&sandbox);
    sandbox.ok(&["db-hooks", "install"]);
    sandbox.ok(&["db-hooks", "status"]);
    a_migration_is_checkpointed(&sandbox, "one", "theirs-ran", true);

    // Their hook still blocks a commit, and what was checkpointed before it stays.
    with_pre_commit(&sandbox, "sh -c 'exit 3'");
    sandbox.stage_migration("blocked");
    let head = sandbox.git(&["rev-parse", "HEAD"]);
    let output = sandbox.git_at_clock(&["commit", "--message=no"]).output().expect("git runs");
    assert_eq!(sandbox.said(&output).code, Some(1), "{:#?}", sandbox.said(&output));
    assert_eq!(sandbox.git(&["rev-parse", "HEAD"]), head);

    sandbox.ok(&["db-hooks", "uninstall"]);
    assert_eq!(hooks(&sandbox), before, "every byte");
}

#[test]
fn a_second_pre_commit_install_is_seen_and_mended() {
    let Some(pre_commit) = tool("python/bin/pre-commit") else { return };
    let sandbox = repository();
    with_pre_commit(&sandbox, "echo theirs-ran");
    run(&sandbox, &pre_commit, &["install"]);
    sandbox.ok(&["db-hooks", "install"]);
    // It takes the file for its own and writes it again.
    run(&sandbox, &pre_commit, &["install"]);
    sandbox.fails(1, &["db-hooks", "status"]);
    let said = sandbox.run(&["db-status"]);
    assert!(said.out.contains("\n    cargo xtask db-hooks install\n"), "{said:#?}");
    sandbox.ok(&["db-hooks", "install"]);
    a_migration_is_checkpointed(&sandbox, "one", "theirs-ran", true);
}

#[test]
fn our_hook_that_the_framework_pre_commit_has_moved_still_runs_once() {
    let Some(pre_commit) = tool("python/bin/pre-commit") else { return };
    let sandbox = repository();
    let before = hooks(&sandbox);
    sandbox.ok(&["db-hooks", "install"]);
    with_pre_commit(&sandbox, "echo theirs-ran");
    run(&sandbox, &pre_commit, &["install"]);
    assert!(sandbox.path(".git/hooks/pre-commit.legacy").exists());
    sandbox.ok(&["db-hooks", "install"]);
    sandbox.ok(&["db-hooks", "status"]);
    a_migration_is_checkpointed(&sandbox, "one", "theirs-ran", true);
    run(&sandbox, &pre_commit, &["uninstall"]);
    sandbox.ok(&["db-hooks", "status"]);
    sandbox.ok(&["db-hooks", "uninstall"]);
    assert_eq!(hooks(&sandbox), before, "every byte");
}

#[test]
fn our_hook_that_the_framework_pre_commit_has_moved_is_taken_out_there() {
    let Some(pre_commit) = tool("python/bin/pre-commit") else { return };
    let sandbox = repository();
    sandbox.ok(&["db-hooks", "install"]);
    with_pre_commit(&sandbox, "echo theirs-ran");
    run(&sandbox, &pre_commit, &["install"]);
    sandbox.ok(&["db-hooks", "uninstall"]);
    sandbox.fails(1, &["db-hooks", "status"]);
    sandbox.stage_migration("one");
    let said = sandbox.hooked(&["commit", "--message=a migration"]);
    assert!(said.err.contains("theirs-ran"), "{said:#?}");
    assert_eq!(sandbox.records("pre-commit").len(), 0);
}

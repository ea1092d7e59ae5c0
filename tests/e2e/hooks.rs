//! `db-hooks`: what `install` puts into git's hooks, that `uninstall` restores every byte, and what
//! `status` and `print` say.

pub(crate) mod branch_retention;
pub(crate) mod branch_switch;
pub(crate) mod commit;
pub(crate) mod failed_checkpoint;
pub(crate) mod follow_branches;
pub(crate) mod managers;
pub(crate) mod project_places;
pub(crate) mod reflog;
pub(crate) mod shell_block;
pub(crate) mod trailer;
pub(crate) mod unconfigured_branch;

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use crate::support::sandbox::{Said, Sandbox};

const ALL: [&str; 5] =
    ["pre-commit", "prepare-commit-msg", "post-checkout", "post-merge", "post-rewrite"];

impl Sandbox {
    /// The file of a hook.
    pub(crate) fn hook(&self, name: &str) -> PathBuf {
        self.path(".git/hooks").join(name)
    }

    /// Writes a hook of the user's own.
    pub(crate) fn write_hook(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) {
        self.write(&format!(".git/hooks/{name}"), text);
        set_mode(&self.hook(name), mode);
    }

    /// Runs git with the sandbox's clock, whatever comes of it.
    pub(crate) fn tries(&self, arguments: &[&str]) -> Said {
        self.said(&self.git_at_clock(arguments).output().expect("git runs"))
    }

    /// The values of the `Db-Backup` trailers of the last commit.
    pub(crate) fn trailers(&self) -> Vec<String> {
        let format = "--format=%(trailers:key=Db-Backup,valueonly)";
        let said = self.git(&["log", "-1", format]);
        said.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// How many backups of a kind there are.
    pub(crate) fn n_of(&self, kind: &str) -> usize {
        self.records(kind).len()
    }

    /// A repository without hooks yet.
    pub(crate) fn without_hooks() -> Self {
        let sandbox = Self::with_hooks();
        sandbox.ok(&["db-hooks", "uninstall"]);
        sandbox
    }
}

fn set_mode(path: &std::path::Path, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    fs_err::set_permissions(path, permissions).expect("permissions");
}

fn mode(path: &std::path::Path) -> u32 {
    fs_err::symlink_metadata(path).expect("a file").permissions().mode() & 0o7777
}

#[test]
fn uninstall_restores_every_byte_and_every_mode() {
    let user_s = [
        ("pre-commit", "#!/bin/sh\nset -eu\nexec true \"$@\"\n", 0o755),
        ("prepare-commit-msg", "#!/usr/bin/env bash\nset -euo pipefail\necho \"$1\" >&2", 0o750),
        ("post-checkout", "#!/bin/sh", 0o700),
        ("post-merge", "#! /bin/sh -e\n\n\n# \u{fc}ber\r\nexit 3\n\n", 0o4755),
        ("post-rewrite", "#!/bin/dash\ncat\n", 0o775),
    ];
    let sandbox = Sandbox::without_hooks();
    for (name, text, mode) in user_s {
        sandbox.write_hook(name, text, mode);
    }
    // Invalid UTF-8, as a comment in another encoding.
    let latin = b"#!/bin/sh\n# \xfcber\n".to_vec();
    sandbox.write_hook("post-merge", &latin, 0o4755);
    sandbox.ok(&["db-hooks", "install"]);
    for (name, _, expected) in user_s {
        let text = fs_err::read(sandbox.hook(name)).expect("a hook");
        assert!(String::from_utf8_lossy(&text).contains("# >>> xtask-db >>>\n"), "{name}");
        assert_eq!(mode(&sandbox.hook(name)), expected, "{name}");
    }
    sandbox.ok(&["db-hooks", "install"]);
    sandbox.ok(&["db-hooks", "uninstall"]);
    for (name, text, expected) in user_s {
        let there = fs_err::read(sandbox.hook(name)).expect("a hook");
        let before = if name == "post-merge" { &latin } else { text.as_bytes() };
        assert_eq!(there, before, "{name}: {}", String::from_utf8_lossy(&there));
        assert_eq!(mode(&sandbox.hook(name)), expected, "{name}");
    }
}

#[test]
fn hooks_of_our_own_go_and_a_second_uninstall_says_so() {
    let sandbox = Sandbox::without_hooks();
    let before = names(&sandbox);
    let said = sandbox.ok(&["db-hooks", "install"]);
    insta::assert_snapshot!(said.out, @"Installed 5 git hooks in ./.git/hooks");
    for name in ALL {
        assert_eq!(mode(&sandbox.hook(name)) & 0o700, 0o700, "{name}");
    }
    let said = sandbox.ok(&["db-hooks", "install"]);
    insta::assert_snapshot!(said.out, @"All 5 git hooks are installed in ./.git/hooks");
    let said = sandbox.ok(&["db-hooks", "uninstall"]);
    insta::assert_snapshot!(said.out, @"Removed 5 blocks from ./.git/hooks");
    assert_eq!(names(&sandbox), before);
    let said = sandbox.ok(&["db-hooks", "uninstall"]);
    insta::assert_snapshot!(said.out, @"Nothing to remove: no hook in ./.git/hooks has a block");
}

/// The files in the folder of hooks, sorted.
fn names(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs_err::read_dir(sandbox.path(".git/hooks")).expect("folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_hook_that_is_no_plain_shell_script_is_left_alone_and_named() {
    let sandbox = Sandbox::without_hooks();
    let python = "#!/usr/bin/env python3\nprint('theirs')\n";
    sandbox.write_hook("pre-commit", python, 0o755);
    sandbox.write_hook("prepare-commit-msg", "#!/bin/sh\r\nexit 0\r\n", 0o755);
    sandbox.write_hook("post-merge", "#!/bin/sh\nexit 0\n", 0o644);
    sandbox.write("theirs.sh", "#!/bin/sh\nexit 0\n");
    symlink(sandbox.path("theirs.sh"), sandbox.hook("post-checkout")).expect("linked");
    let said = sandbox.fails(1, &["db-hooks", "install"]);
    insta::assert_snapshot!(format!("{}{}", said.out, said.err), @r"
    Installed 1 git hook in ./.git/hooks
    warning: pre-commit is left alone: it is not an `sh`, `bash` or `dash` script
    warning: prepare-commit-msg is left alone: its lines end with CRLF
    warning: post-checkout is left alone: it is a symbolic link
    warning: post-merge is left alone: git does not run it, because it is not executable
    To add it there anyway: paste the output of `cargo xtask db-hooks print HOOK` into the file that manages that hook, right after its first line
    ");
    assert_eq!(fs_err::read_to_string(sandbox.hook("pre-commit")).expect("a hook"), python);
    assert_eq!(fs_err::read_to_string(sandbox.path("theirs.sh")).expect("it").len(), 17);
    assert_eq!(mode(&sandbox.hook("post-merge")), 0o644);
    let said = sandbox.fails(1, &["db-hooks", "status"]);
    insta::assert_snapshot!(format!("{}{}", said.out, said.err), @r"
    pre-commit          left alone  it is not an `sh`, `bash` or `dash` script
    prepare-commit-msg  left alone  its lines end with CRLF
    post-checkout       left alone  it is a symbolic link
    post-merge          left alone  git does not run it, because it is not executable
    post-rewrite        installed
    `cargo xtask db-hooks install` installs them, or shows where they belong
    ");
    sandbox.ok(&["db-hooks", "uninstall"]);
    assert!(fs_err::symlink_metadata(sandbox.hook("post-checkout")).expect("a link").is_symlink());
    assert_eq!(fs_err::read_to_string(sandbox.path("theirs.sh")).expect("it").len(), 17);
}

#[test]
fn status_answers_by_its_exit_code_and_in_json() {
    let sandbox = Sandbox::with_hooks();
    sandbox.ok(&["db-hooks", "status"]);
    set_mode(&sandbox.hook("pre-commit"), 0o644);
    fs_err::remove_file(sandbox.hook("post-merge")).expect("removed");
    sandbox.fails(1, &["db-hooks", "status"]);
    let document = sandbox.json(&["db-hooks", "status"]);
    assert_eq!(document["version"], 1);
    let states: Vec<_> =
        document["hooks"].as_array().expect("hooks").iter().map(|hook| &hook["state"]).collect();
    assert_eq!(states, ["not executable", "installed", "installed", "missing", "installed"]);
    // A git that does not run it must not be called installed.
    let said = sandbox.fails(1, &["db-hooks", "install"]);
    assert!(said.err.contains("pre-commit is left alone: it is not executable"), "{}", said.err);
    set_mode(&sandbox.hook("pre-commit"), 0o755);
    sandbox.ok(&["db-hooks", "status"]);
}

#[test]
fn what_print_says_works_in_a_hook_that_something_else_manages() {
    let sandbox = Sandbox::without_hooks();
    let folder = sandbox.path("elsewhere");
    fs_err::create_dir(&folder).expect("folder");
    sandbox.hooked(&["config", "core.hooksPath", folder.to_str().expect("a path")]);
    for name in ["pre-commit", "prepare-commit-msg"] {
        let block = sandbox.ok(&["db-hooks", "print", name]).out;
        sandbox.write(&format!("elsewhere/{name}"), format!("#!/bin/sh\n{block}exec true\n"));
        set_mode(&folder.join(name), 0o755);
    }
    sandbox.stage_migration("moods");
    sandbox.hooked(&["commit", "--quiet", "--message=moods"]);
    assert_eq!(sandbox.n_of("pre-commit"), 1);
    assert_eq!(sandbox.trailers().len(), 1);
    let all = sandbox.ok(&["db-hooks", "print"]).out;
    for name in ALL {
        assert!(all.contains(&format!("# {name}\n# >>> xtask-db >>>\n")), "{name}");
    }
    let said = sandbox.fails(2, &["db-hooks", "print", "pre-push"]);
    assert!(said.err.contains("the hooks are pre-commit, prepare-commit-msg"), "{}", said.err);
}

#[test]
fn a_changed_pattern_is_in_the_hooks_after_any_command() {
    let sandbox = Sandbox::with_hooks();
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    sandbox.write("Cargo.toml", manifest.replace("migrations/*.sql", "it's/**/up.sql"));
    let said = sandbox.ok(&["db-list"]);
    assert!(said.err.contains("The git hooks now match the configuration"), "{}", said.err);
    let said = sandbox.ok(&["db-list"]);
    assert!(!said.err.contains("hooks"), "{}", said.err);
    sandbox.write("backend/db/it's/1/up.sql", "CREATE TABLE moods (id);\n");
    sandbox.hooked(&["add", "backend"]);
    sandbox.hooked(&["commit", "--quiet", "--message=moods"]);
    let taken = sandbox.records("pre-commit");
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0]["paths"], serde_json::json!(["backend/db/it's/1/up.sql"]));
    sandbox.stage_migration("old_place");
    sandbox.hooked(&["commit", "--quiet", "--message=old place"]);
    assert_eq!(sandbox.n_of("pre-commit"), 1, "the old pattern is gone");
    let before = fs_err::read(sandbox.hook("pre-commit")).expect("a hook");
    assert!(!String::from_utf8_lossy(&before).contains("migrations"));
}

#[test]
fn without_patterns_or_without_a_repository_it_is_said() {
    let sandbox = Sandbox::new();
    let said = sandbox.fails(2, &["db-hooks", "install"]);
    insta::assert_snapshot!(said.err, @r"
    error: `$ROOT` is not in a git repository
    hint: hooks need one: create it with `git init`
    ");
    sandbox.git_init();
    let said = sandbox.ok(&["db-hooks", "install"]);
    assert!(said.err.contains("no database has `schema` patterns"), "{}", said.err);
    sandbox.stage_migration("moods");
    let said = sandbox.hooked(&["commit", "--quiet", "--message=moods"]);
    assert_eq!(said.err, "");
    assert_eq!(sandbox.backups(), [""; 0]);
}

//! What git reports: where the work tree is, what is checked out, which commit is an ancestor of
//! which.
//!
//! Git is only asked: even a tree is written only when a commit called a hook. Variables that a
//! hook inherits, e.g. `GIT_DIR`, are not passed on, and no optional lock is taken. Without git, or
//! outside a repository, there is no answer, and everything except git references works.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use xshell::{Cmd, Shell, cmd};

use crate::git::recorded;

/// The place of a folder in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The root of this work tree.
    pub top: PathBuf,
    /// The folder in which git keeps the data of this worktree alone.
    pub own: PathBuf,
    /// The folder that all worktrees of the repository share.
    pub common: PathBuf,
    /// The main worktree's root; `None` for a bare repository.
    pub main: Option<PathBuf>,
    /// `.` in the main worktree, else the linked one's name.
    pub worktree: String,
}

/// How git sees a file that should stay out of every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// It is in the index.
    Tracked,
    /// The next `git add --all` takes it in.
    NotIgnored,
}

/// The variable in which `git -c` passes settings to hooks and programs.
const GIVEN_SETTINGS: &str = "GIT_CONFIG_PARAMETERS";

/// Variables by which git passes the place of the repository to its own children, and how its caller means
/// pathspecs: ours always mean the same (Magit, for one, commits with `--literal-pathspecs`).
const LOCAL_VARIABLES: [&str; 16] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    GIVEN_SETTINGS,
    "GIT_DIR",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
];

/// Other variables that git sets for its hooks, and the committer: useless to a command of the
/// host. Git's own configuration in the environment (`GIT_CONFIG_COUNT`) stays, because CI trusts
/// folders by it.
const HOOK_VARIABLES: [&str; 11] = [
    "GIT_AUTHOR_DATE",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_COMMITTER_DATE",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_QUARANTINE_PATH",
    "GIT_REFLOG_ACTION",
    "GIT_SEQUENCE_EDITOR",
];

/// The variables by which git talks to its children and hooks: they are kept from a command of the
/// host.
pub(crate) fn hook_variables() -> impl Iterator<Item = &'static str> {
    LOCAL_VARIABLES.into_iter().chain(HOOK_VARIABLES)
}

/// Takes git's own variables from a command that is not git's child.
pub(crate) fn without_git_variables(mut command: Cmd<'_>) -> Cmd<'_> {
    for variable in LOCAL_VARIABLES {
        command = command.env_remove(variable);
    }
    command
}

/// A folder's name as a pattern that means just this name.
fn escape_glob(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for letter in name.chars() {
        if matches!(letter, '*' | '?' | '[' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// Git's output. A byte that is not UTF-8, e.g. in a branch's name, is shown as `\xff`: no name of
/// git's has a backslash, so two names stay two, and one odd name hides none of the others.
pub(crate) fn ask(folder: &Path, arguments: &[&str]) -> Option<String> {
    let answer = ask_bytes(folder, arguments)?;
    let mut text = String::with_capacity(answer.len());
    for chunk in answer.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    Some(text)
}

/// Git's output to the byte, without the last line break.
fn ask_bytes(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let shell = Shell::new().ok()?;
    shell.change_dir(folder);
    let command = cmd!(shell, "git {arguments...}").env("GIT_OPTIONAL_LOCKS", "0");
    let command = without_git_variables(command).quiet().ignore_stderr();
    let mut answer = command.output().ok()?.stdout;
    if answer.last() == Some(&b'\n') {
        answer.pop();
    }
    Some(answer)
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// The same with the settings that the calling git got by `-c`, e.g. the comment character of a
/// message.
fn ask_as_called(folder: &Path, arguments: &[&str]) -> Option<String> {
    let shell = Shell::new().ok()?;
    shell.change_dir(folder);
    let mut command = cmd!(shell, "git {arguments...}").env("GIT_OPTIONAL_LOCKS", "0");
    for variable in LOCAL_VARIABLES.into_iter().filter(|name| *name != GIVEN_SETTINGS) {
        command = command.env_remove(variable);
    }
    command.quiet().ignore_stderr().read().ok()
}

impl Place {
    /// Finds the repository around a folder; `None` if there is none, or no git.
    #[must_use]
    pub fn of(folder: &Path) -> Option<Self> {
        let question = [
            "rev-parse",
            "--path-format=absolute",
            "--show-toplevel",
            "--git-dir",
            "--git-common-dir",
        ];
        let answer = ask_bytes(folder, &question)?;
        let mut lines = answer.split(|byte| *byte == b'\n').map(path_of);
        let (top, own, common) = (lines.next()?, lines.next()?, lines.next()?);
        if own == common {
            let main = Some(top.clone());
            return Some(Self { main, top, own, common, worktree: ".".to_owned() });
        }
        let worktree = own.file_name()?.to_string_lossy().into_owned();
        // The first entry is the main worktree, or the bare repository.
        let listed = ask_bytes(folder, &["worktree", "list", "--porcelain"])?;
        let lines = listed.split(|byte| *byte == b'\n');
        let first: Vec<&[u8]> = lines.take_while(|line| !line.is_empty()).collect();
        let main = first
            .iter()
            .find_map(|line| line.strip_prefix(b"worktree "))
            .filter(|_| !first.contains(&&b"bare"[..]))
            .map(path_of);
        Some(Self { top, own, common, main, worktree })
    }

    /// Reads the state of the worktree.
    #[must_use]
    pub(crate) fn state(&self) -> Option<recorded::Git> {
        let question = ["status", "--porcelain=v2", "--branch", "--untracked-files=no"];
        let answer = ask(&self.top, &question)?;
        let mut state = recorded::Git {
            branch: None,
            commit: None,
            dirty: false,
            worktree: self.worktree.clone(),
            branch_created: None,
            left: None,
            unknown: serde_json::Map::new(),
        };
        for line in answer.lines() {
            if let Some(commit) = line.strip_prefix("# branch.oid ") {
                state.commit = (commit != "(initial)").then(|| commit.to_owned());
            } else if let Some(branch) = line.strip_prefix("# branch.head ") {
                state.branch = (branch != "(detached)").then(|| branch.to_owned());
            } else if !line.starts_with('#') {
                state.dirty = true;
            }
        }
        state.branch_created = state.branch.as_deref().and_then(|name| self.reflog(name).created());
        Some(state)
    }

    /// The commit that a revision names.
    #[must_use]
    pub fn commit(&self, revision: &str) -> Option<String> {
        // A revision that begins with a dash would be an option.
        if revision.starts_with('-') {
            return None;
        }
        let commit = format!("{revision}^{{commit}}");
        ask(&self.top, &["rev-parse", "--verify", "--quiet", &commit])
    }

    /// The folder in which git looks for hooks.
    #[must_use]
    pub(crate) fn hooks(&self) -> PathBuf {
        // A relative `core.hooksPath` counts from where hooks run: the root of the work tree.
        match ask(&self.top, &["rev-parse", "--git-path", "hooks"]) {
            Some(folder) => self.top.join(folder),
            None => self.common.join("hooks"),
        }
    }

    /// The operation that git is in the middle of, e.g. `a rebase`.
    #[must_use]
    pub(crate) fn in_the_middle_of(&self) -> Option<&'static str> {
        const SIGNS: [(&str, &str); 6] = [
            ("rebase-merge", "a rebase"),
            ("rebase-apply", "a rebase"),
            ("CHERRY_PICK_HEAD", "a cherry-pick"),
            ("REVERT_HEAD", "a revert"),
            ("MERGE_HEAD", "a merge"),
            ("BISECT_LOG", "a bisection"),
        ];
        let found = SIGNS.iter().find(|(file, _)| self.own.join(file).exists());
        found.map(|(_, what)| *what)
    }

    /// The branch that is checked out; `None` if HEAD is detached.
    #[must_use]
    pub(crate) fn branch(&self) -> Option<String> {
        let head = ask(&self.top, &["symbolic-ref", "--quiet", "HEAD"])?;
        Some(head.strip_prefix("refs/heads/")?.to_owned())
    }

    /// The branch that the main worktree has checked out; a bare repository has a HEAD too.
    #[must_use]
    pub(crate) fn main_branch(&self) -> Option<String> {
        let head = ask(&self.common, &["symbolic-ref", "--quiet", "HEAD"])?;
        Some(head.strip_prefix("refs/heads/")?.to_owned())
    }

    /// A git pathspec with the meaning of a schema pattern, which is relative to `root`.
    #[must_use]
    pub(crate) fn pathspec(&self, root: &Path, pattern: &str) -> String {
        let prefix = self.prefix(root);
        format!(":(top,glob){}{pattern}", escape_glob(&prefix))
    }

    /// The path of `root` in the worktree: empty, or with a final slash.
    #[must_use]
    pub(crate) fn prefix(&self, root: &Path) -> String {
        let absolute = |path: &Path| fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (root, top) = (absolute(root), absolute(&self.top));
        match root.strip_prefix(&top) {
            Ok(inside) if !inside.as_os_str().is_empty() => {
                format!("{}/", inside.to_string_lossy())
            }
            _ => String::new(),
        }
    }

    /// Among some commits, finds the one that is a commit itself or its nearest ancestor.
    #[must_use]
    pub fn nearest(&self, commit: &str, among: &BTreeSet<String>) -> Option<String> {
        if among.contains(commit) {
            return Some(commit.to_owned());
        }
        let ancestors = ask(&self.top, &["rev-list", "--topo-order", commit])?;
        ancestors.lines().find(|ancestor| among.contains(*ancestor)).map(str::to_owned)
    }

    /// Adds trailers to a commit message in place; those of the same key stay.
    #[must_use]
    pub(crate) fn add_trailers(&self, message: &Path, trailers: &[String]) -> Option<()> {
        let message = message.to_str()?;
        let mut arguments = vec!["interpret-trailers", "--in-place", "--no-divider"];
        arguments.push("--if-exists=addIfDifferent");
        for trailer in trailers {
            arguments.extend(["--trailer", trailer]);
        }
        arguments.push(message);
        ask_as_called(&self.top, &arguments).map(drop)
    }

    /// The configured prefix of comments in commit messages, if there is one.
    #[must_use]
    pub(crate) fn comment_setting(&self) -> Option<String> {
        let either = ["config", "--get-regexp", "^core[.]comment(string|char)$"];
        let settings = ask_as_called(&self.top, &either)?;
        let last = |key: &str| settings.lines().rev().find_map(|line| line.strip_prefix(key));
        let found = last("core.commentstring ").or_else(|| last("core.commentchar "));
        found.map(str::to_owned)
    }

    /// The trailers of a commit message, one a line.
    #[must_use]
    pub(crate) fn trailers(&self, message: &Path) -> Option<String> {
        ask_as_called(
            &self.top,
            &["interpret-trailers", "--parse", "--no-divider", message.to_str()?],
        )
    }

    /// Whether git leaves a path out of every commit, because of a pattern.
    #[must_use]
    pub(crate) fn is_ignored(&self, path: &Path) -> bool {
        let path = path.to_str();
        path.is_some_and(|path| ask(&self.top, &["check-ignore", "--quiet", "--", path]).is_some())
    }

    /// How git sees a file that should stay out of every commit; `None` if it is outside of the work tree
    /// or git ignores it.
    #[must_use]
    pub(crate) fn exposes(&self, path: &Path) -> Option<Exposure> {
        let path = fs_err::canonicalize(path).ok()?;
        let top = fs_err::canonicalize(&self.top).ok()?;
        path.strip_prefix(top).ok()?;
        if !self.tracked(&path).is_empty() {
            return Some(Exposure::Tracked);
        }
        (!self.is_ignored(&path)).then_some(Exposure::NotIgnored)
    }

    /// The line of this work tree's `.gitignore` that leaves a folder out; `None` for its root.
    #[must_use]
    pub(crate) fn ignoring(&self, folder: &Path) -> Option<String> {
        let prefix = self.prefix(folder);
        (!prefix.is_empty()).then(|| format!("/{}", escape_glob(&prefix)))
    }

    /// The files in a folder that git tracks.
    #[must_use]
    pub fn tracked(&self, folder: &Path) -> Vec<String> {
        let Some(folder) = folder.to_str() else {
            return Vec::new();
        };
        let answer = ask(&self.top, &["ls-files", "--", folder]).unwrap_or_default();
        answer.lines().map(str::to_owned).collect()
    }
}

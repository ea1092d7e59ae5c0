//! The shell text of a block.
//!
//! It runs at every commit and must cost next to nothing: the block itself asks git whether a
//! schema file is affected, and only then starts the built binary. It runs in a subshell, so that
//! `$@`, the options and the directory of the surrounding hook stay, and with `/dev/null` as its
//! input, so that it neither consumes what git writes to the hook nor waits for a terminal.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::git::repository::Place;
use crate::hooks::hook::Hook;
use crate::host::project::{OnFailure, Project};

/// What a hook reports on a branch that does not use these tasks.
pub(crate) const NOT_CONFIGURED: &str =
    "xtask-db: nothing to do on this branch: its Cargo.toml configures no database";

/// The settings of a project that its blocks contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Pathspecs of all schema files.
    pub(crate) pathspecs: Vec<String>,
    /// Path of the project in the worktree: empty, or with a final slash.
    pub(crate) prefix: String,
    /// How a failing checkpoint affects a commit.
    pub(crate) on_failure: OnFailure,
    /// Possible paths of the built binary, in order: relative to the project, or absolute.
    pub(crate) binaries: Vec<String>,
    /// The folder with `cargo`, which the poor PATH of a graphical client lacks.
    pub(crate) cargo: Option<PathBuf>,
}

impl Settings {
    /// The settings for the blocks of a project; `binary` is the running program.
    pub(crate) fn of(
        project: &Project,
        place: &Place,
        binary: Option<&Path>,
        cargo: Option<PathBuf>,
    ) -> Self {
        let root = fs_err::canonicalize(&project.root).unwrap_or_else(|_| project.root.clone());
        let mut binaries = Vec::new();
        if let Some(binary) = binary {
            // Every linked worktree has a target folder of its own, and the main one's at hand.
            if let Ok(inside) = binary.strip_prefix(&root) {
                binaries.push(inside.to_string_lossy().into_owned());
            }
            binaries.push(binary.to_string_lossy().into_owned());
        }
        let patterns = project.databases.iter().flat_map(|database| &database.schema);
        let mut pathspecs: Vec<String> =
            patterns.map(|pattern| place.pathspec(&project.root, pattern)).collect();
        pathspecs.sort();
        Self {
            pathspecs,
            prefix: place.prefix(&project.root),
            on_failure: project.on_failure,
            binaries,
            cargo,
        }
    }
}

/// A word in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The body of a hook's block.
#[must_use]
pub(crate) fn block(hook: Hook, settings: &Settings) -> String {
    let lines = [
        "# Checkpoints of the database; `cargo xtask db-hooks uninstall` removes this block,",
        "# XTASK_DB_HOOKS=0 in the environment turns it off.",
        "(",
        "  set +e +u",
        "  [ \"${XTASK_DB_HOOKS:-1}\" != 0 ] || exit 0",
        "  case ${CI:-} in ''|0|false) ;; *) exit 0 ;; esac",
    ];
    let mut text = format!("{}\n", lines.join("\n"));
    text.push_str(&condition(hook, settings));
    if hook == Hook::PreCommit {
        text.push_str(
            "  case ${GIT_INDEX_FILE:-} in ''|/*) ;; *) GIT_INDEX_FILE=$PWD/$GIT_INDEX_FILE ;; esac\n",
        );
    }
    if hook == Hook::PrepareCommitMsg {
        text.push_str("  case $1 in /*) ;; *) m=$PWD/$1; shift; set -- \"$m\" \"$@\" ;; esac\n");
    }
    text.push_str(&run(hook, settings));
    let blocks = hook == Hook::PreCommit && settings.on_failure == OnFailure::Block;
    text.push_str(if blocks { ") </dev/null || exit 1\n" } else { ") </dev/null || :\n" });
    text
}

/// The pathspecs in the body of a block.
#[must_use]
pub(crate) fn pathspecs_of(body: &str) -> Vec<String> {
    let line = body.lines().find(|line| line.ends_with("2>/dev/null && exit 0"));
    let quoted = line.and_then(|line| {
        let line = line.trim().strip_suffix("2>/dev/null && exit 0")?.trim_end();
        line.strip_prefix('\'')?.strip_suffix('\'')
    });
    let specs = quoted.map(|quoted| quoted.split("' '").map(|spec| spec.replace("'\\''", "'")));
    specs.into_iter().flatten().collect()
}

/// The condition that ends the block early if there is nothing to do.
fn condition(hook: Hook, settings: &Settings) -> String {
    let specs: Vec<String> = settings.pathspecs.iter().map(|spec| quoted(spec)).collect();
    let specs = specs.join(" ");
    let differ = |what: &str| {
        if specs.is_empty() {
            return "  exit 0 # no `schema` is configured\n".to_owned();
        }
        format!(
            "  GIT_LITERAL_PATHSPECS=0 git diff {what} --quiet --no-renames --no-ext-diff -- \\\n\
             \x20   {specs} 2>/dev/null && exit 0\n"
        )
    };
    match hook {
        Hook::PreCommit => differ("--cached"),
        Hook::PrepareCommitMsg => "  [ -f \"${1%/*}/xtask-db-checkpoint\" ] || exit 0\n".to_owned(),
        Hook::PostCheckout => "  [ \"${3:-0}\" = 1 ] || exit 0\n".to_owned(),
        Hook::PostMerge => format!(
            "  if [ \"${{1:-0}}\" = 1 ]; then what=--cached; else what='@{{1}} HEAD'; fi\n{}",
            differ("$what")
        ),
        Hook::PostRewrite => differ("'@{1}' HEAD"),
    }
}

/// The part that starts the binary, or cargo if there is none.
fn run(hook: Hook, settings: &Settings) -> String {
    let word = hook.word();
    let mut text = String::new();
    if !settings.prefix.is_empty() {
        // Whatever it begins with, and wherever CDPATH leads.
        let folder = quoted(&format!("./{}", settings.prefix));
        let _ = writeln!(text, "  cd {folder} 2>/dev/null || exit 0");
    }
    text.push_str("  [ -f Cargo.toml ] || exit 0\n");
    if let Some(cargo) = &settings.cargo {
        let folder = quoted(&cargo.to_string_lossy());
        let _ = writeln!(text, "  PATH=$PATH:{folder}; export PATH");
    }
    let binaries: Vec<String> = settings.binaries.iter().map(|path| quoted(path)).collect();
    let failed = if hook == Hook::PreCommit && settings.on_failure == OnFailure::Block {
        "  [ $code -le 1 ] || echo 'xtask-db: no checkpoint, so the commit is blocked; \
         `git commit --no-verify` commits without one' >&2\n"
    } else {
        ""
    };
    let _ = write!(
        text,
        "  for xtask in {} ''; do [ -n \"$xtask\" ] && [ -x \"$xtask\" ] && break; done\n\
         \x20 if [ -n \"$xtask\" ]; then\n\
         \x20   \"$xtask\" db-hooks run {word} -- \"$@\"\n\
         \x20 else\n\
         \x20   echo 'xtask-db: xtask is not built; `cargo xtask` builds it now' >&2\n\
         \x20   cargo xtask db-hooks run {word} -- \"$@\"\n\
         \x20 fi\n\
         \x20 code=$?\n\
         {}{failed}  exit $code\n",
        binaries.join(" "),
        another_program()
    );
    text
}

/// The part that finds out, after a failure only, whether the program was another project's xtask, or was
/// built on a branch without these tasks. On such a branch, there is nothing to do. The words for which it
/// searches are in every manifest with `[workspace.metadata.db]`, however it is written.
fn another_program() -> String {
    format!(
        "  if [ $code != 0 ] && ! {{ [ -n \"$xtask\" ] && \"$xtask\" db-hooks run --help; }} \
         >/dev/null 2>&1; then\n\
         \x20   if ! grep -qw metadata Cargo.toml || ! grep -qw db Cargo.toml; then\n\
         \x20     echo '{NOT_CONFIGURED}' >&2\n\
         \x20     exit 0\n\
         \x20   fi\n\
         \x20   [ -z \"$xtask\" ] || {{\n\
         \x20     echo \"xtask-db: $xtask is not this project's xtask, or is one without xtask-db; \
         \\`cargo xtask db-status\\` builds the right one\" >&2\n\
         \x20     code=2\n\
         \x20   }}\n\
         \x20 fi\n"
    )
}

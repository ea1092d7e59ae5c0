//! The database in `.gitignore`, if git would take it.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::files::Files;

/// What SQLite writes beside a database.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// How git treats the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// There is no repository, or the database is outside of it.
    Outside,
    /// It is ignored.
    Ignored,
    /// It is tracked on purpose.
    Tracked,
    /// `git add --all` would add it.
    Visible,
}

/// Asks git about the database.
///
/// # Errors
///
/// If no shell can be made.
pub(crate) fn look(files: &Files, path: &str) -> Result<Sight> {
    let shell = Shell::new()?;
    shell.change_dir(files.root());
    let answer = |words: &[&str]| {
        let command = cmd!(shell, "git {words...} -- {path}").quiet().ignore_status();
        command.ignore_stderr().output().ok().and_then(|output| output.status.code())
    };
    // 128 without a repository or outside of it, and nothing without git.
    Ok(match answer(&["check-ignore", "--quiet", "--no-index"]) {
        Some(0) => Sight::Ignored,
        Some(1) if answer(&["ls-files", "--error-unmatch"]) == Some(0) => Sight::Tracked,
        Some(1) => Sight::Visible,
        _ => Sight::Outside,
    })
}

/// Adds the database and what SQLite writes beside it.
///
/// # Errors
///
/// If `.gitignore` cannot be read.
pub(crate) fn plan(files: &mut Files, path: &str) -> Result<()> {
    let text = files.text(".gitignore")?.unwrap_or_default();
    let lines = lines(path).concat();
    let text = match text.as_str() {
        "" => lines,
        text if text.ends_with('\n') => format!("{text}{lines}"),
        text => format!("{text}\n{lines}"),
    };
    files.set(".gitignore", &text)
}

/// The lines that are added.
pub(crate) fn lines(path: &str) -> [String; 4] {
    let path = escaped(path);
    SUFFIXES.map(|suffix| format!("/{path}{suffix}\n"))
}

/// A path in which git sees no pattern.
fn escaped(path: &str) -> String {
    let special = |c: char| "*?[]\\".contains(c).then(|| format!("\\{c}"));
    path.chars().map(|c| special(c).unwrap_or_else(|| c.to_string())).collect()
}

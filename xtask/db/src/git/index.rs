//! The files that the next commit will contain.

use std::path::PathBuf;

use xshell::{Shell, cmd};

use crate::git::repository::{Place, without_git_variables};

/// The index of a commit in progress. `git commit -a` and `git commit PATH` have one of their own,
/// which git names to its hooks in `GIT_INDEX_FILE`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index(
    /// The file; `None` for the repository's ordinary one.
    pub(crate) Option<PathBuf>,
);

impl Index {
    fn ask(&self, place: &Place, arguments: &[&str]) -> Option<String> {
        let mut answer = String::from_utf8(self.answer(place, arguments)?).ok()?;
        answer.truncate(answer.trim_end_matches('\n').len());
        Some(answer)
    }

    /// Git's output, to the byte: a name is not always UTF-8.
    fn answer(&self, place: &Place, arguments: &[&str]) -> Option<Vec<u8>> {
        let shell = Shell::new().ok()?;
        shell.change_dir(&place.top);
        let command = without_git_variables(cmd!(shell, "git {arguments...}"));
        let mut command = command.env("GIT_OPTIONAL_LOCKS", "0");
        if let Some(index) = &self.0 {
            command = command.env("GIT_INDEX_FILE", index);
        }
        Some(command.quiet().ignore_stderr().output().ok()?.stdout)
    }

    /// The paths that the commit changes (adds, changes, deletes, renames from or to) among those
    /// that match the pathspecs, relative to the root of the work tree; `None` if git fails.
    pub(crate) fn staged(&self, place: &Place, pathspecs: &[String]) -> Option<Vec<String>> {
        let mut arguments =
            vec!["diff", "--cached", "--name-only", "--no-renames", "--no-ext-diff", "-z", "--"];
        arguments.extend(pathspecs.iter().map(String::as_str));
        Some(names(&self.answer(place, &arguments)?))
    }

    /// The content of a file as it is about to be committed.
    pub(crate) fn content(&self, place: &Place, path: &str) -> Option<String> {
        self.ask(place, &["cat-file", "blob", &format!(":0:{path}")])
    }

    /// The tree that the commit will have; git writes it as an object.
    pub(crate) fn tree(&self, place: &Place) -> Option<String> {
        self.ask(place, &["write-tree"])
    }
}

impl Place {
    /// The paths that differ between two commits among those that match the pathspecs; `None` if
    /// one of the two does not exist.
    pub(crate) fn changed(&self, old: &str, new: &str, specs: &[String]) -> Option<Vec<String>> {
        let mut arguments = vec!["diff", "--name-only", "--no-renames", "--no-ext-diff", "-z"];
        arguments.extend([old, new, "--"]);
        arguments.extend(specs.iter().map(String::as_str));
        Some(names(&Index::default().answer(self, &arguments)?))
    }
}

fn names(answer: &[u8]) -> Vec<String> {
    let names = answer.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

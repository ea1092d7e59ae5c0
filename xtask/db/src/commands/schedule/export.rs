//! The export that git keeps: a file of each database, committed by itself, without touching what else is staged.

use std::collections::BTreeSet;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use super::child;
use super::work::Work;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::files::publish;
use crate::git::repository::{self, Place};
use crate::health::schedule::time;
use crate::host::project::schedule::Export;
use crate::host::session::Session;
use crate::schedule::program;

/// The line of a commit message by which our own commits are known.
const TRAILER: &str = "Scheduled-Export";

/// Exports every database, and commits and pushes the files as configured.
///
/// # Errors
///
/// If a database cannot be exported, or git refuses.
pub(super) fn export(session: &mut Session, work: &Work<'_>) -> Result<()> {
    let Some(export) = &work.schedule.export else { return Ok(()) };
    publish::create_folders(&work.project.root.join(&export.into))
        .with_context(|| format!("could not create the folder `{}` of the export", export.into))?;
    let mut paths = Vec::new();
    for database in &work.project.databases {
        let name = match export.format.as_str() {
            "csv" => database.name.clone(),
            format => format!("{}.{format}", database.name),
        };
        let path = format!("{}/{name}", export.into.trim_end_matches('/'));
        child::run(
            session,
            work,
            &["db-export", "--db", &database.name, "--format", &export.format, "--output", &path],
        )?;
        paths.push(path);
    }
    if !export.commit {
        return Ok(());
    }
    let Some(place) = &work.project.git else {
        return Err(Refusal::could_not(
            "the export cannot be committed: the project is not in a git repository, or `git` is not on the PATH",
            "take `commit = true` out of the schedule's `export`, run `git init`, or install git",
        ));
    };
    let repository = Repository { work, place, export, paths };
    repository.commit(session)?;
    match &export.push {
        Some(remote) => repository.push(session, remote),
        None => Ok(()),
    }
}

/// The repository around the project, and the files of it that are exports.
struct Repository<'a> {
    work: &'a Work<'a>,
    place: &'a Place,
    export: &'a Export,
    paths: Vec<String>,
}

impl Repository<'_> {
    /// Commits the files, and nothing else, if they changed.
    fn commit(&self, session: &mut Session) -> Result<()> {
        let found = self.status()?;
        if let Some(path) = found.iter().find_map(|line| ignored(line)) {
            return Err(Refusal::could_not(
                format!("the export was written, but not committed: git ignores `{path}`"),
                format!(
                    "`git check-ignore --verbose --no-index {path}` shows the rule; take it out, or `commit = true` \
                     out of the schedule's `export`"
                ),
            ));
        }
        if found.is_empty() {
            self.demand_tracked()?;
            session.note("  The export is as it was committed");
            return Ok(());
        }
        if let Some(what) = self.place.in_the_middle_of() {
            return Err(Refusal::could_not(
                format!("the export was written, but not committed: {what} is under way"),
                "end it; the next run commits",
            ));
        }
        if self.place.branch().is_none() {
            return Err(Refusal::could_not(
                "the export was written, but not committed: no branch is checked out",
                "check a branch out; the next run commits",
            ));
        }
        let mut add = vec!["add", "--intent-to-add", "--"];
        add.extend(self.paths.iter().map(String::as_str));
        self.git(&add)
            .with_context(|| format!("could not add the export in `{}`", self.export.into))?;
        let message = format!(
            "Scheduled export of {}\n\n{TRAILER}: {}\n",
            self.work
                .project
                .databases
                .iter()
                .map(|one| one.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            self.work.slot.to_rfc3339()
        );
        // Hooks, e.g. linters, are for what people write; a signature would ask for a passphrase.
        let mut commit = vec!["-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false"];
        commit.extend(["commit", "--quiet", "--only", "--message", &message, "--"]);
        commit.extend(self.paths.iter().map(String::as_str));
        self.git(&commit).context("could not commit the export")?;
        let files = text::count(self.paths.len() as u64, "export");
        session.note(format!("  Committed {files} for the slot of {}", time(self.work.slot)));
        Ok(())
    }

    /// What git has to report of these files: changed, new and ignored ones.
    fn status(&self) -> Result<Vec<String>> {
        let mut status =
            vec!["status", "--porcelain", "--untracked-files=all", "--ignored=traditional", "--"];
        status.extend(self.paths.iter().map(String::as_str));
        let found = self.git(&status)?;
        // Files of others in a folder that is exported, e.g. `.DS_Store`, may well be ignored.
        let is_hidden = |line: &str| line.starts_with("!! ") && line.contains("/.");
        Ok(found.lines().filter(|line| !is_hidden(line)).map(str::to_owned).collect())
    }

    /// Refuses files that are not in this repository although nothing is to commit, e.g. those in a submodule.
    fn demand_tracked(&self) -> Result<()> {
        let mut list = vec!["ls-files", "--error-unmatch", "--"];
        list.extend(self.paths.iter().map(String::as_str));
        let Err(error) = self.git(&list) else { return Ok(()) };
        Err(Refusal::could_not(
            format!("the export was written, but not committed: {error}"),
            format!(
                "`{}` must be a folder that this repository keeps, and not e.g. a submodule; change `into` in the \
                 schedule's `export`",
                self.export.into
            ),
        ))
    }

    /// Pushes the branch if nothing but our own commits would be published by that.
    fn push(&self, session: &mut Session, remote: &str) -> Result<()> {
        let Some(branch) = self.place.branch() else { return Ok(()) };
        let known = format!("refs/remotes/{remote}/{branch}");
        let Ok(_) = self.git(&["rev-parse", "--verify", "--quiet", &known]) else {
            session.warn(format!(
                "not pushed: `{branch}` is not on {remote} yet, and a push would publish all of it; push it once yourself"
            ));
            return Ok(());
        };
        let range = format!("{known}..HEAD");
        if self.git(&["rev-list", "--count", &range])? == "0" {
            return Ok(());
        }
        let n_others = self.n_others(&range)?;
        if n_others > 0 {
            let n = text::count(n_others as u64, "commit");
            session.warn(format!(
                "the export in `{}` is not pushed: `{branch}` has {n} of yours that {remote} has not, and a push would \
                 publish them; your next `git push` takes the export along",
                self.export.into
            ));
            return Ok(());
        }
        let target = format!("HEAD:refs/heads/{branch}");
        if let Err(error) =
            self.git(&["-c", "core.hooksPath=/dev/null", "push", "--quiet", remote, &target])
        {
            return Err(Refusal::could_not(
                format!("the export was committed, but could not be pushed to {remote}: {error}"),
                format!(
                    "if {remote} has newer commits, run `git pull --rebase {remote} {branch}`; the next run pushes"
                ),
            ));
        }
        session.note(format!("  Pushed to {remote}"));
        Ok(())
    }

    /// How many commits of a range are not exports alone: those that are not ours, and ours to which somebody added other
    /// files, e.g. by `git commit --amend`.
    fn n_others(&self, range: &str) -> Result<usize> {
        let ours = format!("--grep=^{TRAILER}: ");
        let not_ours = self.git(&["rev-list", "--basic-regexp", "--invert-grep", &ours, range])?;
        let exclusions: Vec<_> =
            self.paths.iter().map(|path| format!(":(exclude,literal){path}")).collect();
        let mut with_more = vec!["rev-list", "--full-history", range, "--", ":/"];
        with_more.extend(exclusions.iter().map(String::as_str));
        let with_more = self.git(&with_more)?;
        Ok(not_ours.lines().chain(with_more.lines()).collect::<BTreeSet<_>>().len())
    }

    /// Runs git in the project's folder. It asks no questions: nobody is there.
    fn git(&self, arguments: &[&str]) -> Result<String> {
        let mut command = program::command_in(&self.work.project.root, &["git"])?;
        for variable in repository::hook_variables() {
            // The names of the author and the committer stay.
            if !variable.starts_with("GIT_AUTHOR_") && !variable.starts_with("GIT_COMMITTER_") {
                command.env_remove(variable);
            }
        }
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .env("GIT_TERMINAL_PROMPT", "0")
            .output()
            .context("could not start git")?;
        if !output.status.success() {
            bail!("git: {}", reason(&String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// The file that a line of `git status` reports as ignored.
fn ignored(line: &str) -> Option<&str> {
    line.strip_prefix("!! ")
}

/// The line of git's messages that gives the reason: of a push the rejected branch, else what it calls fatal.
fn reason(said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let of_kind = |kind: &str| lines().find_map(|line| line.strip_prefix(kind));
    let line = lines()
        .find(|line| line.starts_with("! ["))
        .or_else(|| of_kind("fatal: "))
        .or_else(|| of_kind("error: "))
        .or_else(|| lines().next())
        .unwrap_or("it gave no reason");
    let words: Vec<_> = line.trim_start_matches("! ").split_whitespace().collect();
    text::plain(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_line_that_names_one() {
        for (said, expected) in [
            ("", "it gave no reason"),
            ("warning: x\nfatal: no such remote\n", "no such remote"),
            (
                "Author identity unknown\n\n*** Please tell me who you are.\n\nfatal: empty ident name",
                "empty ident name",
            ),
            (
                "To ../remote\n ! [rejected]        HEAD -> main (fetch first)\nerror: failed to push",
                "[rejected] HEAD -> main (fetch first)",
            ),
            ("error: pathspec 'x' did not match", "pathspec 'x' did not match"),
        ] {
            assert_eq!(reason(said), expected, "{said}");
        }
    }
}

//! The export that git keeps: a file of each database, committed by itself, without touching what else is staged.

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
            "the export cannot be committed: the project is not in a git repository",
            "take `commit = true` out of the schedule's `export`, or run `git init`",
        ));
    };
    let repository = Repository { work, place };
    repository.commit(session, export, &paths)?;
    match &export.push {
        Some(remote) => repository.push(session, export, remote),
        None => Ok(()),
    }
}

/// The repository around the project.
struct Repository<'a> {
    work: &'a Work<'a>,
    place: &'a Place,
}

impl Repository<'_> {
    /// Commits the files, and nothing else, if they changed.
    fn commit(&self, session: &mut Session, export: &Export, paths: &[String]) -> Result<()> {
        let mut status = vec!["status", "--porcelain", "--"];
        status.extend(paths.iter().map(String::as_str));
        if self.git(&status)?.is_empty() {
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
        add.extend(paths.iter().map(String::as_str));
        self.git(&add).with_context(|| format!("could not add the export in `{}`", export.into))?;
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
        commit.extend(paths.iter().map(String::as_str));
        self.git(&commit).context("could not commit the export")?;
        let files = text::count(paths.len() as u64, "export");
        session.note(format!("  Committed {files} for the slot of {}", time(self.work.slot)));
        Ok(())
    }

    /// Pushes the branch if nothing but our own commits would be published by that.
    fn push(&self, session: &mut Session, export: &Export, remote: &str) -> Result<()> {
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
        let ours = format!("--grep=^{TRAILER}: ");
        let others = self.git(&["rev-list", "--count", "--invert-grep", &ours, &range])?;
        if others != "0" {
            let n = text::count(others.parse().unwrap_or(1), "commit");
            session.warn(format!(
                "the export in `{}` is not pushed: `{branch}` has {n} of yours that {remote} has not, and a push would \
                 publish them; your next `git push` takes the export along",
                export.into
            ));
            return Ok(());
        }
        let target = format!("HEAD:refs/heads/{branch}");
        self.git(&["-c", "core.hooksPath=/dev/null", "push", "--quiet", remote, &target])
            .with_context(|| {
                format!("the export was committed, but could not be pushed to {remote}")
            })?;
        session.note(format!("  Pushed to {remote}"));
        Ok(())
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
            let said = String::from_utf8_lossy(&output.stderr);
            let line =
                said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
            bail!(
                "git: {}",
                text::plain(line.trim_start_matches("fatal: ").trim_start_matches("error: "))
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

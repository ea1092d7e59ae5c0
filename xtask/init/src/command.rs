//! The two commands: plan, show, ask, write.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser};

use crate::files::Change;
use crate::host::Host;
use crate::migrations::Asked;
use crate::plan::{self, Plan, Wanted};
use crate::record::{self, Back, Record, Way};
use crate::refusal::Refusal;
use crate::{leftovers, screen, writing};

const EXAMPLE_INIT: &str = "\
Example:
  cargo xtask-db init --xtask-db ../xtask-db/xtask/db --dry-run";
const EXAMPLE_UNINIT: &str = "\
Example:
  cargo xtask db-hooks uninstall
  cargo xtask-db uninit";

/// Add `cargo xtask db-*` to a project, or remove it again
#[derive(Debug, Parser)]
#[command(name = "cargo xtask-db", bin_name = "cargo xtask-db", version, max_term_width = 80)]
pub(crate) enum Command {
    /// Add xtask-db to this project: show the changes, ask, and write them
    #[command(after_help = EXAMPLE_INIT)]
    Init(Init),
    /// Undo what `init` wrote: show the changes, ask, and write them
    #[command(after_help = EXAMPLE_UNINIT)]
    Uninit(Consent),
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder of the package `xtask-db`, which is not published yet
    #[arg(long, value_name = "DIR")]
    xtask_db: Option<PathBuf>,
    /// The database, which need not exist yet [default: from an env file, or the
    /// only one there]
    #[arg(long, value_name = "PATH")]
    database: Option<String>,
    /// Pattern of the schema files [default: the folder of migrations]
    #[arg(long, value_name = "PATTERN")]
    schema: Vec<String>,
    /// Command that migrates [default: that of sqlx, diesel or sea-orm]
    #[arg(long, value_name = "COMMAND")]
    migrate: Option<String>,
    /// How that command is told the file, e.g. `DATABASE_URL=sqlite://{path}`
    /// [default: `DATABASE_PATH`, or that of sqlx, diesel or sea-orm]
    #[arg(long, value_name = "TEMPLATE")]
    migrate_env: Option<String>,
    /// Give the new xtask a workspace of its own
    #[arg(long)]
    own_workspace: bool,
    /// Build SQLite with its table of raw pages, for the application too
    #[arg(long)]
    dbpage: bool,
    #[command(flatten)]
    consent: Consent,
}

/// Whether changes are written.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Consent {
    /// Show the changes and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the changes without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

impl Command {
    /// Runs the command; the exit code is the process's.
    ///
    /// # Errors
    ///
    /// A refusal, or what the world refused.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let folder = std::env::current_dir()?;
        match self {
            Self::Init(args) => args.run(&folder),
            Self::Uninit(consent) => uninit(&folder, consent),
        }
    }
}

impl Init {
    fn run(self, folder: &Path) -> Result<ExitCode> {
        refuse_unfinished(folder)?;
        let host = Host::around(folder)?;
        let consent = self.consent;
        let is_told_more = self.database.is_some()
            || !self.schema.is_empty()
            || self.migrate.is_some()
            || self.migrate_env.is_some();
        let Plan { changes, notes } = plan::plan(&host, &self.wanted())?;
        if changes.is_empty() {
            screen::say("Nothing to do: this project has xtask-db already");
            if is_told_more {
                screen::say(
                    "What was given on the command line was not applied: edit the table \
                     `[workspace.metadata.db.databases]` in `Cargo.toml`",
                );
            }
            return Ok(ExitCode::SUCCESS);
        }
        let mut record = Record::read(&host.root)?.unwrap_or_default();
        record.add(&changes);
        let before = crate::files::read(&host.root.join(record::PATH), record::PATH)?;
        let noted = Change { path: record::PATH.to_owned(), before, after: Some(record.text()?) };
        screen::show(&changes);
        for note in &notes {
            screen::note(note);
        }
        if !consent.is_given("Write these changes?")? {
            return Ok(consent.without());
        }
        // The record comes first: after a kill at any moment, `uninit` knows what to undo.
        let all: Vec<Change> = std::iter::once(noted).chain(record::in_order(changes)).collect();
        writing::write(&host.root, &all)?;
        say_written(&all);
        screen::say("Next: `cargo xtask db-setup`; its first build takes a minute or two");
        screen::say("Commit these files together; `cargo xtask-db uninit` undoes them");
        Ok(ExitCode::SUCCESS)
    }

    fn wanted(self) -> Wanted {
        Wanted {
            library: self.xtask_db,
            database: self.database,
            migrations: Asked {
                schema: self.schema,
                migrate: self.migrate,
                migrate_env: self.migrate_env,
            },
            own_workspace: self.own_workspace,
            dbpage: self.dbpage,
        }
    }
}

impl Consent {
    fn is_given(self, question: &str) -> Result<bool> {
        if self.dry_run || self.yes {
            return Ok(self.yes);
        }
        screen::ask(question)?.ok_or_else(|| {
            Refusal::error(
                "nobody can answer: this is not a terminal",
                "write the changes with `--yes`, or only show them with `--dry-run`",
            )
        })
    }

    /// The exit code if it was not given.
    fn without(self) -> ExitCode {
        screen::say("Nothing was written.");
        if self.dry_run { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// A run that was killed is undone before another one begins.
fn refuse_unfinished(folder: &Path) -> Result<()> {
    let Some(root) = record::root_of(folder) else { return Ok(()) };
    let Some(record) = Record::read(root)? else { return Ok(()) };
    if record.ways(root)?.iter().all(|(_, way)| *way != Way::Absent) {
        return Ok(());
    }
    Err(Refusal::error(
        "an earlier `init` was interrupted, or what it wrote was removed",
        "undo the rest with `cargo xtask-db uninit`, then run this again",
    ))
}

fn uninit(folder: &Path, consent: Consent) -> Result<ExitCode> {
    let record =
        record::root_of(folder).map(|root| Ok::<_, anyhow::Error>((root, Record::read(root)?)));
    let Some((root, Some(record))) = record.transpose()? else {
        return Err(without_record(folder)?);
    };
    refuse_hooks(root)?;
    let ways = record.ways(root)?;
    let is_changed =
        |(path, way): &(String, Way)| (*way == Way::Changed).then(|| format!("`{path}`"));
    let edited: Vec<_> = ways.iter().filter_map(is_changed).collect();
    if !edited.is_empty() {
        return Err(Refusal::error(
            format!("what `init` wrote has been changed since in {}", edited.join(", ")),
            format!("restore those lines, or remove them by hand and remove `{}`", record::PATH),
        ));
    }
    let backs = ways.into_iter().filter_map(|(_, way)| match way {
        Way::Back(back) => Some(back),
        Way::Absent | Way::Changed => None,
    });
    let backs: Vec<Back> = backs.collect();
    let notes: Vec<String> = backs.iter().flat_map(notes_of).collect();
    let mut changes: Vec<Change> = backs.into_iter().map(|back| back.change).collect();
    screen::show(&changes);
    for note in &notes {
        screen::note(note);
    }
    if !consent.is_given("Undo these changes?")? {
        return Ok(consent.without());
    }
    let path = record::PATH.to_owned();
    let before = crate::files::read(&root.join(&path), &path)?;
    // The record goes last: killed at any moment, the next `uninit` continues.
    changes.push(Change { path, before, after: None });
    writing::write(root, &changes)?;
    say_written(&changes);
    screen::say(
        "The database and its backups stay: look at `git status` before you commit; cargo updates Cargo.lock \
             with its next build",
    );
    Ok(ExitCode::SUCCESS)
}

/// Without the record, only the lines that look like those of `init` can be named.
fn without_record(folder: &Path) -> Result<anyhow::Error> {
    let found = leftovers::find(folder)?;
    let hint = if found.is_empty() {
        "nothing that `init` writes was found in this project either: there is nothing to remove"
            .to_owned()
    } else {
        format!(
            "remove by hand what belongs to xtask-db, and nothing else needs:\n  {}",
            found.join("\n  ")
        )
    };
    Ok(Refusal::error(format!("`init` has left no record here (`{}`)", record::PATH), hint))
}

/// What a person should know before a change is undone.
fn notes_of(back: &Back) -> Vec<String> {
    let mut notes = Vec::new();
    let Change { path, after, .. } = &back.change;
    if !back.added.is_empty() {
        let lines = back.added.iter().filter(|line| !line.trim().is_empty());
        let lines: Vec<_> = lines.map(|line| format!("`{}`", line.trim())).collect();
        let lines = lines.join(", ");
        notes.push(format!(
            "added to the database's table in `{path}` since, and removed with it: {lines}"
        ));
    }
    let is_ours = |line: &&str| line.starts_with("[workspace.metadata.db");
    let rest: Vec<_> = after.iter().flat_map(|text| text.lines()).filter(is_ours).collect();
    if !rest.is_empty() {
        notes.push(format!(
            "`init` did not write {} in `{path}`, so it stays: remove it by hand, otherwise a later `init` \
             finds the project configured",
            rest.join(", ")
        ));
    }
    notes
}

/// The hooks would call a program that is gone.
fn refuse_hooks(root: &Path) -> Result<()> {
    let shell = xshell::Shell::new()?;
    shell.change_dir(root);
    let asked =
        xshell::cmd!(shell, "git rev-parse --git-path hooks").quiet().ignore_stderr().read();
    let Ok(folder) = asked else { return Ok(()) };
    let Ok(entries) = fs_err::read_dir(root.join(folder.trim())) else { return Ok(()) };
    for entry in entries.flatten() {
        let text = fs_err::read(entry.path()).unwrap_or_default();
        if String::from_utf8_lossy(&text).contains("cargo xtask db-hooks uninstall") {
            return Err(Refusal::error(
                "the git hooks of xtask-db are still installed",
                "run `cargo xtask db-hooks uninstall` first, while there is a `cargo xtask`",
            ));
        }
    }
    Ok(())
}

fn say_written(changes: &[Change]) {
    for Change { path, before, after } in changes {
        let did = match (before, after) {
            (_, None) => "Removed",
            (None, Some(_)) => "Created",
            (Some(_), Some(_)) => "Changed",
        };
        screen::say(&format!("{did} {path}"));
    }
}

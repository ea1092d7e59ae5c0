//! The two commands: plan, show, ask, write.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser};

use crate::consent::Consent;
use crate::files::Change;
use crate::host::Host;
use crate::migrations::Asked;
use crate::plan::{self, Plan, Wanted};
use crate::record::{self, Record, Way};
use crate::refusal::Refusal;
use crate::{screen, uninit, writing};

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
            Self::Uninit(consent) => uninit::run(&folder, consent),
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
        screen::say_written(&all);
        screen::say("Next: `cargo xtask db-setup`; its first build takes a few minutes");
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

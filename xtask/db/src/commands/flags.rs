//! The flags that every command has.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::console::text;
use crate::host::configuration::LONGEST_TIMEOUT;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::{hook_blocks, late_schedule};
use crate::recovery::{interrupted_bundle, interrupted_step};

/// The flags of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Database to use [default: all; some commands require one if several are
    /// configured]
    #[arg(long, value_name = "NAME")]
    pub db: Option<String>,
    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,
    /// Print only warnings and errors
    #[arg(long)]
    pub quiet: bool,
    /// Lock timeout in seconds, or e.g. `500ms` [default: as configured, else 5]
    #[arg(long, value_name = "SECS", value_parser = lock_timeout)]
    pub busy_timeout: Option<Duration>,
}

/// The flags of every command that rehearses a migration.
#[derive(Debug, clap::Args)]
pub(crate) struct Migration {
    /// Allow the loss of a table or a column, e.g. `notes.body` (repeatable)
    #[arg(long = "allow-loss", value_name = "NAME")]
    pub allow_loss: Vec<String>,
    /// Migration command to run [default: the configured `migrate`]
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

impl Common {
    /// The project that a command works on, as its flags have it; stale git hooks are renewed.
    pub(crate) fn project(&self, session: &mut Session) -> Result<Project> {
        let project = self.project_to_look_at(session)?;
        hook_blocks::refresh(session, &project);
        Ok(project)
    }

    /// The same for a command that changes nothing.
    pub(crate) fn project_to_look_at(&self, session: &mut Session) -> Result<Project> {
        let project = self.project_by_itself(session)?;
        late_schedule::say_once_a_day(session, &project);
        Ok(project)
    }

    /// The same for a hook, and for the clock's own commands: they say nothing of a late schedule.
    pub(crate) fn project_by_itself(&self, session: &mut Session) -> Result<Project> {
        let project = self.project_to_recover(session)?;
        if let Some(left) = interrupted_bundle::left(&project.backups) {
            session.warn(left);
        }
        for database in &project.databases {
            for left in interrupted_step::left(&project, database) {
                let (what, remedy) =
                    (left.sentence(&project, database), left.remedy(&project, database));
                session.warn(format!("{what}: {remedy}"));
            }
        }
        Ok(project)
    }

    /// Does the same without reporting interrupted commands: for commands that report them
    /// themselves.
    pub(crate) fn project_to_recover(&self, session: &mut Session) -> Result<Project> {
        let mut project = session.project(self.db.as_deref())?;
        if let Some(timeout) = self.busy_timeout {
            project.busy_timeout = timeout;
        }
        Ok(project)
    }
}

/// A plain number is seconds; with a unit it is what the configuration accepts.
fn lock_timeout(typed: &str) -> Result<Duration> {
    let is_plain = typed.parse::<u64>().is_ok();
    let timeout = if is_plain { &format!("{typed}s") } else { typed };
    let timeout = text::parse_duration(timeout)?;
    ensure!(timeout <= LONGEST_TIMEOUT, "the maximum is one day");
    Ok(timeout)
}

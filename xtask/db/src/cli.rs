//! The commands, and what every one of them ends in: an exit code and, where it failed, one error.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use crate::commands::{
    backup, complete, completions, diff, export, hooks, import, label, list, migrate, pin,
    pre_deploy, pre_migrate, prune, recover, remove, reset, restore, rollback, setup, status,
    supervise, verify,
};
use crate::console::refusal::{Answer, Declined, Exit, Refusal};
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::damage_report;
use crate::recovery::interrupted_step;
use crate::sqlite::connection::{self, Trouble};

/// Every `db-*` task.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Prepare a fresh clone: database, git hooks, first backup
    #[command(name = "db-setup", after_help = setup::EXAMPLE)]
    Setup(setup::Args),
    /// Create a verified backup of each database
    #[command(name = "db-backup", after_help = backup::EXAMPLE)]
    Backup(backup::Args),
    /// List all backups, newest first
    #[command(name = "db-list", after_help = list::EXAMPLE)]
    List(list::Args),
    /// Restore a backup, after a safety backup of the current state
    #[command(name = "db-restore", after_help = restore::EXAMPLE)]
    Restore(restore::Args),
    /// Check that backups are intact
    #[command(name = "db-verify", after_help = verify::EXAMPLE)]
    Verify(verify::Args),
    /// Remove backups that no retention rule keeps
    #[command(name = "db-prune", after_help = prune::EXAMPLE)]
    Prune(prune::Args),
    /// Protect a backup from pruning
    #[command(name = "db-pin", after_help = pin::EXAMPLE)]
    Pin(pin::Args),
    /// Allow pruning to remove a pinned backup again
    #[command(name = "db-unpin", after_help = pin::EXAMPLE_UNPIN)]
    Unpin(pin::Args),
    /// Change the label of a backup
    #[command(name = "db-label", after_help = label::EXAMPLE)]
    Label(label::Args),
    /// Remove one backup, e.g. because it contains a leaked secret
    #[command(name = "db-remove", after_help = remove::EXAMPLE)]
    Remove(remove::Args),
    /// Check the health of the database, its backups and the hooks
    #[command(name = "db-status", after_help = status::EXAMPLE)]
    Status(status::Args),
    /// Compare two states of the database: schema and rows
    #[command(name = "db-diff", after_help = diff::EXAMPLE)]
    Diff(diff::Args),
    /// Restore the database to its state when a branch was entered
    #[command(name = "db-rollback", after_help = rollback::EXAMPLE)]
    Rollback(rollback::Args),
    /// Rehearse a migration on a private copy and keep a checkpoint
    #[command(name = "db-pre-migrate", after_help = pre_migrate::EXAMPLE)]
    PreMigrate(migrate::Args),
    /// Rehearse and run a migration; restore the old state on failure
    #[command(name = "db-migrate", after_help = migrate::EXAMPLE)]
    Migrate(migrate::Args),
    /// Gate a deployment: backup, restore drill, rehearsal
    #[command(name = "db-pre-deploy", after_help = pre_deploy::EXAMPLE)]
    PreDeploy(pre_deploy::Args),
    /// Export rows as JSONL, JSON, SQL or CSV
    #[command(name = "db-export", after_help = export::EXAMPLE)]
    Export(export::Args),
    /// Create a database from an export, or merge rows into one
    #[command(name = "db-import", override_usage = import::USAGE, after_help = import::EXAMPLE)]
    Import(import::Args),
    /// Rebuild the database from its migrations after a safety backup
    #[command(name = "db-reset", after_help = reset::EXAMPLE)]
    Reset(reset::Args),
    /// Undo or accept what an interrupted command left behind
    #[command(name = "db-recover", after_help = recover::EXAMPLE)]
    Recover(recover::Args),
    /// Install or inspect the git hooks that create checkpoints
    #[command(name = "db-hooks", after_help = hooks::EXAMPLE)]
    Hooks(hooks::Args),
    /// Print a completion script for bash, zsh or fish
    #[command(name = "db-completions", after_help = completions::EXAMPLE)]
    Completions(completions::Args),
    /// Complete a command line (started by the completion scripts)
    #[command(name = "db-complete", hide = true)]
    Complete(complete::Args),
    /// Supervise a command of the host (started by other commands)
    #[command(name = "db-supervise", hide = true)]
    Supervise(supervise::Args),
}

/// The flags of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Database to use, if several are configured
    #[arg(long, value_name = "NAME")]
    pub db: Option<String>,
    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,
    /// Print only warnings and errors
    #[arg(long)]
    pub quiet: bool,
    /// Lock timeout in seconds [default: configured or 5]
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub busy_timeout: Option<u64>,
}

impl Common {
    /// The project that a command works on, as its flags have it; stale git hooks are renewed.
    pub(crate) fn project(&self, session: &mut Session) -> Result<Project> {
        let project = self.project_to_look_at(session)?;
        hooks::refresh(session, &project);
        Ok(project)
    }

    /// The same for a command that changes nothing.
    pub(crate) fn project_to_look_at(&self, session: &mut Session) -> Result<Project> {
        let project = self.project_to_recover(session)?;
        for database in &project.databases {
            for left in interrupted_step::left(&project, database) {
                let (what, remedy) =
                    (left.sentence(&project, database), left.remedy(&project, database));
                session.warn(format!("{what}: {remedy}"));
            }
        }
        Ok(project)
    }

    /// The same without a word about what interrupted commands left: for those that report it themselves.
    pub(crate) fn project_to_recover(&self, session: &mut Session) -> Result<Project> {
        let mut project = session.project(self.db.as_deref())?;
        if let Some(seconds) = self.busy_timeout {
            project.busy_timeout = Duration::from_secs(seconds);
        }
        Ok(project)
    }
}

impl Task {
    /// Runs the task and says what came of it.
    pub(crate) fn run(self, mut session: Session) -> Exit {
        let common = self.common();
        session.listen_to(common.json, common.quiet);
        let outcome = self.dispatch(&mut session);
        let outcome = outcome.and_then(|answer| session.finish(answer));
        match outcome {
            Ok(Answer::Yes) => Exit::Yes,
            Ok(Answer::No) => Exit::No,
            Ok(Answer::CannotTell) => Exit::CouldNot,
            Err(error) => {
                // An interrupt while backups are marked leaves the error as it is.
                let _ = damage_report::of(&mut session, &error);
                fail(&error, &mut session)
            }
        }
    }

    fn common(&self) -> &Common {
        match self {
            Self::Setup(args) => &args.common,
            Self::Backup(args) => &args.common,
            Self::List(args) => &args.common,
            Self::Restore(args) => &args.common,
            Self::Rollback(args) => &args.common,
            Self::Verify(args) => &args.common,
            Self::Prune(args) => &args.common,
            Self::Hooks(args) => args.common(),
            Self::Pin(args) | Self::Unpin(args) => &args.common,
            Self::Label(args) => &args.common,
            Self::Remove(args) => &args.common,
            Self::Diff(args) => &args.common,
            Self::Export(args) => &args.common,
            Self::Import(args) => &args.common,
            Self::Status(args) => &args.common,
            Self::Reset(args) => &args.common,
            Self::Recover(args) => &args.common,
            Self::PreMigrate(args) | Self::Migrate(args) => &args.common,
            Self::PreDeploy(args) => &args.common,
            Self::Completions(args) => &args.common,
            Self::Complete(args) => &args.common,
            Self::Supervise(args) => &args.common,
        }
    }

    fn dispatch(self, session: &mut Session) -> Result<Answer> {
        anyhow::ensure!(
            !session.is_to_supervise() || matches!(self, Self::Supervise(_)),
            "this program was started to supervise a command, and runs another task"
        );
        match self {
            Self::Setup(args) => args.run(session),
            Self::Backup(args) => args.run(session),
            Self::List(args) => args.run(session),
            Self::Restore(args) => args.run(session),
            Self::Rollback(args) => args.run(session),
            Self::Verify(args) => args.run(session),
            Self::Prune(args) => args.run(session),
            Self::Hooks(args) => args.run(session),
            Self::Pin(args) => args.pin(session),
            Self::Unpin(args) => args.unpin(session),
            Self::Label(args) => args.run(session),
            Self::Remove(args) => args.run(session),
            Self::Diff(args) => args.run(session),
            Self::Export(args) => args.run(session),
            Self::Import(args) => args.run(session),
            Self::Status(args) => args.run(session),
            Self::Reset(args) => args.run(session),
            Self::Recover(args) => args.run(session),
            Self::PreMigrate(args) => args.rehearse(session),
            Self::Migrate(args) => args.run(session),
            Self::PreDeploy(args) => args.run(session),
            Self::Completions(args) => args.run(session),
            Self::Complete(args) => args.run(session),
            Self::Supervise(args) => args.run(session),
        }
    }
}

/// The one printer of errors.
fn fail(error: &anyhow::Error, session: &mut Session) -> Exit {
    let exit = exit_of(error);
    let (text, hint) = layout(error);
    session.complain(&text);
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    session.document(&json!({
        "version": 1,
        "error": {
            "message": error.to_string(),
            "causes": causes,
            "hint": hint,
            "exit_code": exit as u8,
        },
    }));
    exit
}

/// What an error tells the shell.
fn exit_of(error: &anyhow::Error) -> Exit {
    let interrupted = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.exit == Exit::Interrupted)
    };
    if error.chain().any(interrupted) {
        return Exit::Interrupted;
    }
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return refusal.exit;
    }
    if error.downcast_ref::<Declined>().is_some() {
        return Exit::No;
    }
    match connection::trouble(error) {
        Trouble::Busy => Exit::Locked,
        Trouble::Interrupted => Exit::Interrupted,
        _ => Exit::CouldNot,
    }
}

/// The layout of an error, and its hint.
pub(crate) fn layout(error: &anyhow::Error) -> (String, Option<String>) {
    if exit_of(error) == Exit::Interrupted {
        let said = text::plain(&error.to_string());
        // Who knows what state things are in says it, and the way on.
        let told = error.downcast_ref::<Refusal>().filter(|refusal| refusal.what != "interrupted");
        if let Some(Refusal { hint, .. }) = told {
            let text = format!("interrupted: {said}\nhint: {}\n", text::plain(hint));
            return (text, Some(hint.clone()));
        }
        let hint = "nothing was changed that had not been reported as done";
        let said = if said == "interrupted" { hint.to_owned() } else { format!("{said}; {hint}") };
        return (format!("interrupted: {said}\n"), Some(hint.to_owned()));
    }
    if let Some(declined) = error.downcast_ref::<Declined>() {
        let said = text::plain(&declined.to_string());
        return (format!("{said}\n"), Some(declined.untouched.clone()));
    }
    let mut text = format!("error: {}\n", text::plain(&error.to_string()));
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // A cause that only repeats the line above it tells nothing.
        if !last.ends_with(&cause) {
            let _ = writeln!(text, "  caused by: {}", text::plain(&cause));
        }
        last = cause;
    }
    let hint = error.downcast_ref::<Refusal>().map(|refusal| refusal.hint.clone());
    if let Some(hint) = &hint {
        let _ = writeln!(text, "hint: {}", text::plain(hint));
    }
    (text, hint)
}

//! The commands, and how each of them ends: with an exit code and, if it failed, one error.

use anyhow::Result;
use clap::Subcommand;

use crate::arguments;
use crate::commands::flags::Common;
use crate::commands::{
    backup, bundle, complete, completions, diff, export, hooks, import, label, list, migrate, pin,
    pre_deploy, pre_migrate, prune, recover, remove, reset, restore, rollback, schedule, serve,
    setup, status, supervise, verify,
};
use crate::console::refusal::{Answer, Exit};
use crate::host::session::Session;
use crate::host::session::failure::fail;
use crate::operations::damage_report;

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
    PreMigrate(pre_migrate::Args),
    /// Rehearse and run a migration; restore the old state on failure
    #[command(name = "db-migrate", after_help = migrate::EXAMPLE)]
    Migrate(migrate::Args),
    /// Gate a deployment: backup, restore drill, rehearsal
    #[command(name = "db-pre-deploy", after_help = pre_deploy::EXAMPLE)]
    PreDeploy(pre_deploy::Args),
    /// Export rows as JSONL, JSON, SQL or CSV
    #[command(name = "db-export", after_help = export::EXAMPLE)]
    Export(export::Args),
    /// Import rows into a new database, or into the live one
    #[command(name = "db-import", override_usage = import::USAGE, after_help = import::EXAMPLE)]
    Import(import::args::Args),
    /// Rebuild the database from its migrations after a safety backup
    #[command(name = "db-reset", after_help = reset::EXAMPLE)]
    Reset(reset::Args),
    /// Undo or accept what an interrupted command left behind
    #[command(name = "db-recover", after_help = recover::EXAMPLE)]
    Recover(recover::Args),
    /// Bundle the whole installation into one archive, or restore it
    #[command(name = "db-bundle", after_help = bundle::EXAMPLE)]
    Bundle(bundle::Args),
    /// Back up by the clock: install the timer, show its state
    #[command(name = "db-schedule", after_help = schedule::EXAMPLE)]
    Schedule(schedule::Args),
    /// Show backups on a local web page, and answer an HTTP API
    #[command(name = "db-serve", after_help = serve::EXAMPLE)]
    Serve(serve::Args),
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

impl Task {
    /// Runs the task and reports the result.
    pub(crate) fn run(self, mut session: Session) -> Exit {
        let common = self.common();
        if common.json {
            session.write_json();
        }
        if common.quiet {
            session.be_quiet();
        }
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
            Self::Bundle(args) => args.common(),
            Self::Schedule(args) => args.common(),
            Self::Serve(args) => &args.common,
            Self::Pin(args) | Self::Unpin(args) => &args.common,
            Self::Label(args) => &args.common,
            Self::Remove(args) => &args.common,
            Self::Diff(args) => &args.common,
            Self::Export(args) => &args.common,
            Self::Import(args) => &args.common,
            Self::Status(args) => &args.common,
            Self::Reset(args) => &args.common,
            Self::Recover(args) => &args.common,
            Self::PreMigrate(args) => &args.common,
            Self::Migrate(args) => &args.common,
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
            Self::Bundle(args) => args.run(session),
            Self::Schedule(args) => args.run(session),
            Self::Serve(args) => args.run(session),
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
            Self::PreMigrate(args) => args.run(session),
            Self::Migrate(args) => args.run(session),
            Self::PreDeploy(args) => args.run(session),
            Self::Completions(args) => args.run(session),
            Self::Complete(args) => args.run(session, &command_line()),
            Self::Supervise(args) => args.run(session),
        }
    }
}

/// The command line that completion works on: the host's, or ours alone if the host reads its own.
fn command_line() -> clap::Command {
    let ours = || Task::augment_subcommands(clap::Command::new("xtask"));
    arguments::host().unwrap_or_else(ours)
}

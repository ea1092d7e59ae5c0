//! `db-schedule`: backups by the clock.

mod child;
mod export;
mod install;
mod outcome;
mod run;
mod setting;
mod status;
mod steps;
mod uninstall;
mod unreadable;
mod verify;
mod work;

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Refusal};
use crate::host::session::Session;
use crate::schedule::home::Home;
use crate::schedule::trigger::Trigger;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-schedule install
  cargo xtask db-schedule status
  cargo xtask db-schedule run      # as the timer does: take what is due

Configure it in Cargo.toml, below `[workspace.metadata.db.schedule]`: `at =
\"02:00\"`, `every = \"6h\"` or `weekly = \"sun 02:00\"`. docs/schedule.md of
xtask-db lists what else a run can do, and whom it can notify.";

const EXAMPLE_INSTALL: &str = "\
Examples:
  cargo xtask db-schedule install
  cargo xtask db-schedule install --with cron";
const EXAMPLE_UNINSTALL: &str = "\
Example:
  cargo xtask db-schedule uninstall";
const EXAMPLE_STATUS: &str = "\
Examples:
  cargo xtask db-schedule status
  cargo xtask db-schedule status --json | jq -r '.next'";
const EXAMPLE_RUN: &str = "\
Example:
  cargo xtask db-schedule run";

/// Arguments of `db-schedule`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Install the timer, and a copy of this program for it
    #[command(after_help = EXAMPLE_INSTALL)]
    Install(InstallArgs),
    /// Remove the timer and everything that it left on this machine
    #[command(after_help = EXAMPLE_UNINSTALL)]
    Uninstall(Common),
    /// Show what is scheduled, and its state; exit with 1 if it is late
    #[command(after_help = EXAMPLE_STATUS)]
    Status(Common),
    /// Take the backup that is due, if one is, then verify and clean up
    #[command(after_help = EXAMPLE_RUN)]
    Run(Common),
}

/// Arguments of `db-schedule install`.
#[derive(Debug, clap::Args)]
struct InstallArgs {
    /// What calls by the clock: `systemd`, `launchd` or `cron` [default: the
    /// first of these that this machine has]
    #[arg(long, value_name = "TRIGGER", value_parser = trigger)]
    with: Option<Trigger>,
    #[command(flatten)]
    common: Common,
}

impl Args {
    /// The flags that every command has.
    pub(crate) fn common(&self) -> &Common {
        match &self.act {
            Act::Install(args) => &args.common,
            Act::Uninstall(common) | Act::Status(common) | Act::Run(common) => common,
        }
    }

    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = match self.common().project_by_itself(session) {
            Err(error) if matches!(self.act, Act::Run(_)) => {
                unreadable::remember(session, &error);
                return Err(error);
            }
            project => project?,
        };
        if self.common().db.is_some() {
            return Err(Refusal::could_not(
                "a schedule is for all databases of the project",
                "leave `--db` out",
            ));
        }
        let home = Home::of(&project, &setting::state_folder(session)?);
        match self.act {
            Act::Install(args) => install::install(session, &project, &home, args.with),
            Act::Uninstall(_) => uninstall::uninstall(session, &project, &home),
            Act::Status(_) => status::status(session, &project, &home),
            Act::Run(_) => run::run(session, &project, &home),
        }
    }
}

/// A trigger, as it is typed.
fn trigger(typed: &str) -> Result<Trigger> {
    Ok(match typed {
        "systemd" => Trigger::Systemd,
        "launchd" => Trigger::Launchd,
        "cron" => Trigger::Cron,
        _ => bail!("the triggers are `systemd`, `launchd` and `cron`"),
    })
}

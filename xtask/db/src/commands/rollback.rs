//! `db-rollback`: the database as it was when a branch was entered.

mod beginning;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::reader::Contents;
use crate::backups::vault::Vault;
use crate::backups::verification;
use crate::backups::verification::outcome::Outcome;
use crate::commands::flags::Common;
use crate::commands::rollback::beginning::Beginning;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::operations::find_backup;
use crate::operations::restore::request::Request;
use crate::operations::restore::state_left;
use crate::rows::diff::states::between;
use crate::rows::diff::{Difference, State, Wanted};
use crate::sqlite::connection;
use crate::sqlite::examination::finding::Damage;
use crate::sqlite::snapshot::Snapshot;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-rollback                      # on the branch that went wrong
  cargo xtask db-rollback --branch feature/x   # from another branch
  cargo xtask db-rollback --to @main --yes";

/// Arguments of `db-rollback`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Branch to undo, even if it was deleted [default: the current branch]
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Branch that the undone branch was created from [default: found in the
    /// git history]
    #[arg(long, value_name = "BRANCH")]
    base: Option<String>,
    /// Backup to restore instead of the branch point
    #[arg(long, value_name = "REF")]
    to: Option<String>,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let database = project.one(self.common.db.as_deref())?;
        let vault = Vault::of(&project, session.now());
        let beginning = Beginning {
            project: &project,
            vault: &vault,
            database: &database,
            branch: self.branch.as_deref(),
            base: self.base.as_deref(),
        };
        let backup = match &self.to {
            Some(reference) => {
                let database = Some(database.name.as_str());
                let wanted = find_backup::Wanted { reference, database };
                find_backup::backup(session, &project, &vault, wanted)?
            }
            None => beginning.find(session)?,
        };
        if !say_what_is_newer(session, &project, &database, &backup) {
            session.interrupt().check()?;
            session.note("Newer changes could not be compared; the safety backup keeps them all");
        }
        let request = Request {
            yes: self.yes,
            dry_run: self.dry_run,
            ..Request::of_backup(&backup, self.common.db)
        };
        let outcome = request.run(session, &project);
        if self.to.is_some() {
            return outcome;
        }
        outcome.map_err(|error| point_to_another(session, &beginning, &backup, error))
    }
}

/// Reports the changes since the backup; false if the two cannot be compared, e.g. because the
/// database is damaged or gone.
fn say_what_is_newer(
    session: &mut Session,
    project: &Project,
    database: &Database,
    backup: &Backup,
) -> bool {
    let interrupt = session.interrupt().clone();
    let compared = (|| -> Result<Difference> {
        let contents = Contents::open(backup)?;
        let file = contents.file(&interrupt)?;
        let live = live_database::open(project, database)?;
        let old = connection::open_immutable(file.path())?;
        let _watched = (interrupt.watch(&old), interrupt.watch(&live));
        let (_reading, _reading_too) = (Snapshot::begin(&old)?, Snapshot::begin(&live)?);
        let states = (State::of_file(&old, file.path(), &interrupt), State::of(&live));
        live.proved(between(states.0, states.1, &Wanted::default(), &mut |_| {}))
    })();
    let difference = match compared {
        Ok(difference) => difference,
        // The restore explains what is wrong with the backup.
        Err(error) => return error.downcast_ref::<Damage>().is_some(),
    };
    if difference.is_empty() {
        session.note("No row and no definition has changed since then");
        return true;
    }
    session.note("Changes since then, which the safety backup will keep:");
    for line in difference.summary_lines() {
        session.note(format!("  {line}"));
    }
    true
}

/// Adds to the error of a damaged branch point which other backup there is to go back to.
fn point_to_another(
    session: &Session,
    beginning: &Beginning<'_>,
    backup: &Backup,
    mut error: anyhow::Error,
) -> anyhow::Error {
    let is_untouched = state_left::is_untouched(&error);
    let Some(refusal) = error.downcast_mut::<Refusal>().filter(|r| r.exit == Exit::No) else {
        return error;
    };
    let depth = verification::depth_before_restore(backup);
    let verified = verification::verify(backup, depth, session.interrupt());
    if verified.is_ok_and(|verified| verified.outcome == Outcome::Damaged)
        && let Ok(instead) = beginning.instead_of(session, backup)
    {
        let state = if is_untouched { "; the database is untouched" } else { "" };
        refusal.hint = format!("{instead}{state}");
    }
    error
}

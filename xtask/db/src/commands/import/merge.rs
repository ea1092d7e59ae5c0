//! `db-import --merge`: files of rows into the live database, after a safety backup.

use anyhow::Result;

use crate::commands::import::Args;
use crate::merging::Source;
use crate::project::{Database, Project};
use crate::refusal::{Answer, Refusal};
use crate::session::Session;

/// NEXT: loads the files and merges them.
pub(super) fn run(_args: &Args, _session: &mut Session) -> Result<Answer> {
    Err(Refusal::could_not("this way of importing is not built yet", "nothing was changed"))
}

/// NEXT: merges what was loaded: safety backup, one transaction, report, derived data; `--dry-run`,
/// `--on-conflict`, `--newer`, `--strict`, `--yes` and `--db` are taken from the arguments.
#[expect(dead_code, reason = "records come through here")]
pub(super) fn into_live(
    _args: &Args,
    _session: &mut Session,
    (_project, _database): (&Project, &Database),
    _sources: &[Source],
) -> Result<Answer> {
    Err(Refusal::could_not("this way of importing is not built yet", "nothing was changed"))
}

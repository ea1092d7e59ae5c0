//! `db-restore`: restores a backup; without REF, a dialogue offers a list.

use std::path::PathBuf;

use anyhow::Result;

use crate::commands::flags::Common;
use crate::console::refusal::Answer;
use crate::host::session::Session;
use crate::operations::restore::expected_live::Expected;
use crate::operations::restore::on_server::run::Way;
use crate::operations::restore::request::Request;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-restore                       # choose from a list
  cargo xtask db-restore latest --yes
  cargo xtask db-restore @main --dry-run
  cargo xtask db-restore 3d --into /tmp/three-days-ago.db
  cargo xtask db-restore latest --table messages --yes

REF is `latest`, `latest~2`, `oldest`, `safety`, a file name, a path, the
beginning of a name or of its time (`2025-09-13_14`), a label, `@branch`, an age
(`2h`, `3d`) or a git revision (`HEAD~3`, `v1.2`).";

/// Arguments of `db-restore`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Args {
    /// Backup to restore [default: choose from a list]
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Write the backup to this file and leave the live database untouched
    #[arg(long, value_name = "PATH")]
    into: Option<PathBuf>,
    /// Restore only this table (repeatable)
    #[arg(long = "table", value_name = "TABLE", conflicts_with = "into")]
    tables: Vec<String>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Restore only if the live database is still in this state, the `if_live`
    /// in the document of a dry run
    #[arg(long, value_name = "STATE", conflicts_with = "into")]
    if_live: Option<Expected>,
    /// Restore even over a database that may be encrypted, over an existing
    /// `--into` file, or from a backup that cannot be verified
    #[arg(long)]
    force: bool,
    /// Restore a PostgreSQL database by building a new one that takes its
    /// name, also if it is small enough to be restored in place
    #[arg(long, conflicts_with_all = ["into", "tables"])]
    swap: bool,
    /// Restore a PostgreSQL database in place, in one transaction, however
    /// large it is: no session is ended, and writers wait as long as it takes
    #[arg(long, conflicts_with_all = ["into", "tables", "swap"])]
    in_place: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let request = Request {
            reference: self.reference,
            yes: self.yes,
            into: self.into,
            tables: self.tables,
            dry_run: self.dry_run,
            force: self.force,
            way: if self.swap { Some(Way::Swap) } else { self.in_place.then_some(Way::InPlace) },
            command: "db-restore",
            if_live: self.if_live,
            database: self.common.db,
        };
        request.run(session, &project)
    }
}

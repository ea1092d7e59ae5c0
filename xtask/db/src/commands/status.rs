//! `db-status`: whether all is well, on one screen, without changing anything.

mod json_document;
mod report;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::backups::privacy;
use crate::backups::vault::Vault;
use crate::commands::flags::Common;
use crate::commands::status::json_document::{OfDatabase, OfFolder};
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text::{self, Span};
use crate::health;
use crate::health::backups_folder::Folder;
use crate::health::checkup::Checkup;
use crate::health::problem::Problem;
use crate::hooks::folder::Installed;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::{hook_blocks, late_schedule};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-status
  cargo xtask db-status --max-age 24h --quiet   # for cron
  cargo xtask db-status --json | jq -r '.problems[].remedy'

Exit code 0 means that all is well, 1 that something needs attention.";

/// Arguments of `db-status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Maximum age of the newest backup, e.g. `24h` or `7d` [default: any age]
    #[arg(long, value_name = "SPAN")]
    max_age: Option<Span>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    healthy: bool,
    problems: &'a [Problem],
    remarks: &'a [Problem],
    databases: Vec<OfDatabase<'a>>,
    folder: OfFolder<'a>,
    /// Whether all are; null where hooks would do nothing.
    hooks_installed: Option<bool>,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project_to_recover(session)?;
        let databases = project.chosen(self.common.db.as_deref())?;
        let now = session.now();
        let vault = Vault::of(&project, now);
        let cannot = || Refusal {
            what: format!("could not read the backups folder `{}`", vault.folder().display()),
            hint: format!(
                "check who owns it and its permissions, with {}",
                text::look_at(vault.folder())
            ),
            exit: Exit::CouldNot,
        };
        let backups = vault.backups().with_context(cannot)?;
        let folder = Folder::of(&project, &vault, &backups).with_context(cannot)?;
        let of = |database| Checkup::of(&project, database, &backups, now);
        let checkups: Vec<Checkup<'_>> = databases.iter().map(of).collect();
        let mut problems: Vec<Problem> =
            checkups.iter().flat_map(|checkup| checkup.problems(self.max_age)).collect();
        problems.extend(folder.problems(&project));
        let hooks = hooks_installed(session, &project);
        problems.extend(health::of_hooks(&project, hooks));
        if let Some(folder) = session.state_folder() {
            let (program, moment) = (session.binary(), late_schedule::moment(session));
            problems.extend(health::schedule::problems(&project, &folder, program, moment));
        }
        for checkup in &checkups {
            report::say_database(session, checkup);
        }
        report::say_folder(session, &project, &folder);
        report::say_hooks(session, hooks);
        report::say_problems(session, &problems);
        let mut remarks = health::remarks(&project);
        let open = privacy::open_to_others(&vault, &project.root);
        remarks.extend(open.map(|open| Problem::new("open-folder", open.what, open.remedy)));
        report::say_remarks(session, &remarks);
        session.document(&Document {
            version: VERSION,
            healthy: problems.is_empty(),
            problems: &problems,
            remarks: &remarks,
            databases: checkups.iter().map(OfDatabase::of).collect(),
            folder: OfFolder::of(&project, &folder),
            hooks_installed: hooks.map(|hooks| hooks == Installed::All),
        });
        Ok(if problems.is_empty() { Answer::Yes } else { Answer::No })
    }
}

/// How many of the hooks are installed; `None` without a repository, in CI, and if they are turned
/// off: there they do nothing.
fn hooks_installed(session: &Session, project: &Project) -> Option<Installed> {
    let said = |name| session.text_variable(name);
    let is_off = |value: &str| matches!(value, "" | "0" | "false");
    if said("CI").is_some_and(|value| !is_off(&value))
        || said("XTASK_DB_HOOKS").is_some_and(|value| value == "0")
    {
        return None;
    }
    hook_blocks::installed(session, project)
}

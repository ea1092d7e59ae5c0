//! `db-status`: whether all is well, on one screen, without changing anything.

mod report;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::backups::privacy;
use crate::backups::vault::Vault;
use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text::Span;
use crate::health;
use crate::health::backups_folder::Folder;
use crate::health::checkup::Checkup;
use crate::health::glance::Sight;
use crate::health::page_store::Store;
use crate::health::problem::Problem;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::hook_blocks;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-status
  cargo xtask db-status --max-age 24h --quiet   # for cron
  cargo xtask db-status --json | jq -r '.problems[].remedy'

Exits with 0 if all is well, with 1 if something needs attention.";

/// Arguments of `db-status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Maximum age of the newest backup, e.g. `24h` or `7d` [default: any age]
    #[arg(long, value_name = "SPAN")]
    max_age: Option<Span>,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project_to_recover(session)?;
        let databases = project.chosen(self.common.db.as_deref())?;
        let now = session.now();
        let vault = Vault::of(&project, now);
        let cannot = || Refusal {
            what: format!("could not read the backups folder `{}`", vault.folder().display()),
            hint: "check who owns it and its permissions".to_owned(),
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
        session.document(&json!({
            "version": 1,
            "healthy": problems.is_empty(),
            "problems": problems,
            "remarks": remarks,
            "databases": checkups.iter().map(database).collect::<Result<Vec<_>>>()?,
            "folder": folder_document(&project, &folder),
            "hooks_installed": hooks,
        }));
        Ok(if problems.is_empty() { Answer::Yes } else { Answer::No })
    }
}

/// Whether every hook is installed; `None` without a repository, in CI and where they are turned off:
/// there they do nothing.
fn hooks_installed(session: &Session, project: &Project) -> Option<bool> {
    let said = |name| session.text_variable(name);
    let is_off = |value: &str| matches!(value, "" | "0" | "false");
    if said("CI").is_some_and(|value| !is_off(&value))
        || said("XTASK_DB_HOOKS").is_some_and(|value| value == "0")
    {
        return None;
    }
    hook_blocks::are_installed(session, project)
}

fn database(checkup: &Checkup<'_>) -> Result<Value> {
    let live = &checkup.live;
    let (sight, detail) = match &live.sight {
        Sight::Missing => ("missing", None),
        Sight::Empty => ("empty", None),
        Sight::Foreign(what) => ("foreign", Some(what)),
        Sight::Other(_) => ("other-engine", None),
        Sight::MayBeEncrypted => ("may-be-encrypted", None),
        Sight::Forbidden(why) => ("forbidden", Some(why)),
        Sight::Damaged(why) => ("damaged", Some(why)),
        Sight::Busy(why) => ("busy", Some(why)),
        Sight::Schema { .. } => ("readable", None),
    };
    let schema_blake3 = match &live.sight {
        Sight::Schema { schema_blake3, .. } => Some(schema_blake3),
        _ => None,
    };
    let now = checkup.now;
    Ok(json!({
        "name": checkup.database.name,
        "path": checkup.database.path.to_string_lossy(),
        "origin": checkup.database.origin,
        "sight": sight,
        "detail": detail,
        "size_bytes": live.size_bytes,
        "wal_bytes": live.wal_bytes,
        "journal_mode": live.wal.map(|wal| if wal { "wal" } else { "delete" }),
        "schema_blake3": schema_blake3,
        "schema_version": checkup.version(),
        "schema_drifted": checkup.has_drifted(),
        "newest_migration": checkup.newest_migration(),
        "pending_migrations": checkup.n_pending(),
        "last_backup": checkup.last().map(|backup| backup.to_json(now)).transpose()?,
        "backups": {
            "all": checkup.backups.len(),
            "verified": checkup.n_in("verified"),
            "unread": checkup.n_in("unread"),
            "unverified": checkup.n_in("unverified"),
            "unrecorded": checkup.n_in("unrecorded"),
            "damaged": checkup.n_in("damaged"),
            "safety": report::n_safety(checkup),
        },
    }))
}

fn folder_document(project: &Project, folder: &Folder) -> Value {
    let aside = folder.set_aside.iter();
    let aside =
        aside.map(|(path, bytes)| json!({ "path": path.to_string_lossy(), "size_bytes": bytes }));
    json!({
        "path": project.backups.to_string_lossy(),
        "exists": folder.exists,
        "backups": folder.n_backups,
        "used_bytes": folder.used_bytes,
        "store": folder.store.as_ref().map(Store::to_json),
        "free_bytes": folder.free_bytes,
        "retention": (!project.keep.is_empty()).then(|| project.keep.words()),
        "locked_by": folder.holder.as_ref().map(|holder| json!({
            "pid": holder.pid,
            "name": holder.name,
        })),
        "stages": folder.leftovers.stages,
        "lone_records": folder.leftovers.lone_records,
        "set_aside": aside.collect::<Vec<_>>(),
        "tracked": folder.tracked,
    })
}

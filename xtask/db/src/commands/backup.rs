//! `db-backup`: one verified backup of each database.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Refusal};
use crate::host::session::Session;
use crate::operations::back_up_each::{Done, Request};
use crate::operations::list_document;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-backup --label 'before the merge'
  cargo xtask db-backup --if-changed --kind scheduled    # from cron
  cargo xtask db-backup --output /mnt/usb --json";

/// Arguments of `db-backup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Label to show in `db-list`
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Protect the backup from pruning
    #[arg(long)]
    pin: bool,
    /// Folder to write to [default: the backups folder]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Do nothing if the newest intact backup has the same content
    #[arg(long)]
    if_changed: bool,
    /// If the database is structurally damaged, set its raw files aside
    /// instead of failing
    #[arg(long)]
    damaged: bool,
    /// Reason for the backup; after an automatic kind the configured
    /// retention runs
    #[arg(long, value_name = "KIND", default_value = "manual")]
    kind: Kind,
    /// How to store it: `plain` (an SQLite file) or `pages` (in the page
    /// store) [default: as configured for the kind, else plain]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        if self.kind == Kind::Safety {
            return Err(Refusal::could_not(
                "`--kind safety` is for restores, which take safety backups by themselves",
                "leave `--kind` out",
            ));
        }
        let project = self.common.project(session)?;
        let done = self.request().back_up_each(session, &project)?;
        session.document(&document(&done, session.now())?);
        Ok(Answer::Yes)
    }

    fn request(self) -> Request {
        Request {
            label: self.label,
            pin: self.pin,
            output: self.output,
            if_changed: self.if_changed,
            damaged: self.damaged,
            kind: self.kind,
            format: self.format,
            database: self.common.db,
        }
    }
}

fn document(done: &[(String, Done)], now: chrono::DateTime<chrono::FixedOffset>) -> Result<Value> {
    let mut backups = Vec::new();
    let mut unchanged = Vec::new();
    let mut aside = Vec::new();
    for (database, one) in done {
        match one {
            Done::Backup(backup) => backups.push(backup.to_json(now)?),
            Done::Unchanged(backup) => unchanged.push(backup.to_json(now)?),
            Done::Aside(folder) => aside.push(json!({ "database": database, "folder": folder })),
        }
    }
    let mut document = list_document::document(&backups);
    document["unchanged"] = unchanged.into();
    document["set_aside"] = aside.into();
    Ok(document)
}

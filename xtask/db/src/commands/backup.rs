//! `db-backup`: one verified backup of each database.

use std::borrow::Cow;
use std::path::PathBuf;

use anyhow::Result;
use chrono::{DateTime, FixedOffset};
use serde::Serialize;

use crate::backups::backup_document::BackupDocument;
use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Refusal};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::back_up_each::{Done, Request};

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
    /// Reason for the backup: `manual`, `pre-deploy`, or an automatic kind:
    /// `scheduled`, `pre-commit`, `branch` or `pre-migrate`, which also run the
    /// configured retention
    #[arg(long, value_name = "KIND", default_value = "manual")]
    kind: Kind,
    /// How to store the backup: `plain` (an SQLite file) or `pages` (in the
    /// page store) [default: as configured for the kind, else `pages` for automatic
    /// kinds and `plain` for others]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Output of `--json`.
#[derive(Default, Serialize)]
struct Document<'a> {
    version: u32,
    backups: Vec<BackupDocument>,
    /// The backups that are as the databases are now.
    unchanged: Vec<BackupDocument>,
    set_aside: Vec<Aside<'a>>,
}

/// A damaged database whose raw files were kept.
#[derive(Serialize)]
struct Aside<'a> {
    database: &'a str,
    folder: Cow<'a, str>,
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
        session.document(&Document::of(&done, session.now()));
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
            retain: true,
        }
    }
}

impl<'a> Document<'a> {
    fn of(done: &'a [(String, Done)], now: DateTime<FixedOffset>) -> Self {
        let mut document = Self { version: VERSION, ..Self::default() };
        for (database, one) in done {
            match one {
                Done::Backup(backup) => document.backups.push(BackupDocument::of(backup, now)),
                Done::Unchanged(backup) => document.unchanged.push(BackupDocument::of(backup, now)),
                Done::Aside(folder) => {
                    document.set_aside.push(Aside { database, folder: folder.to_string_lossy() });
                }
            }
        }
        document
    }
}

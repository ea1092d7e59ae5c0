//! `--into PATH` if nothing is there yet: the backup's bytes, proved.

use std::borrow::Cow;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::backup_document::BackupDocument;
use crate::backups::reader::Contents;
use crate::backups::set_aside;
use crate::console::refusal::{Answer, Refusal};
use crate::files::free_space;
use crate::files::publish::{self, Published};
use crate::files::stage::{self, Stage};
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::restore::candidate;
use crate::operations::restore::preview::PlanDocument;
use crate::operations::restore::request::Request;

/// Output of `--json` for a backup that was restored to another path.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    /// The backup.
    restored: BackupDocument,
    into: Cow<'a, str>,
    content_blake3: &'a str,
}

impl Request {
    /// `--into` a path where nothing is yet: the backup's bytes, proved.
    pub(super) fn write_elsewhere(
        &self,
        session: &mut Session,
        project: &Project,
        backup: &Backup,
    ) -> Result<Answer> {
        let Some(into) = &self.into else {
            return Ok(Answer::Yes);
        };
        let path = session.folder().join(into);
        let shown = project.dotted(&path);
        let database = Database::new("into", &path);
        let verification = self.examine(session, project, &database, backup)?;
        if let Some(sidecar) = set_aside::raw_files(&path).first() {
            return Err(Refusal::could_not(
                format!(
                    "`{}` is there and would be mistaken for part of it",
                    project.path(sidecar)
                ),
                "move it away, or choose another path",
            ));
        }
        if fs_err::symlink_metadata(&path).is_ok() {
            return Err(Refusal::could_not(
                format!("`{shown}` is a dangling symbolic link"),
                "choose another path",
            ));
        }
        let folder = path.parent().context("`--into` does not name a file")?;
        free_space::demand(folder, backup.size_bytes, "the copy")?;
        if self.dry_run {
            session.say(format!("Would write {} → {shown}", backup.name));
            session.document(&PlanDocument::of(backup, &path));
            return Ok(Answer::Yes);
        }
        let name = path.file_name().context("`--into` does not name a file")?.to_string_lossy();
        let contents = Contents::open(backup)?;
        stage::sweep_dead_stages(folder, &name)?;
        let stage = Stage::create(folder, &name)?;
        let hashes = contents
            .copy_into(&stage, session.interrupt())
            .map_err(|error| candidate::explain_damage(error, backup))?;
        anyhow::ensure!(
            hashes.content_blake3 == verification.content_blake3,
            "the copy is not equal to the backup"
        );
        stage.sync()?;
        if stage.publish(&path)? == Published::NameTaken {
            return Err(Refusal::could_not(
                format!("`{shown}` already exists"),
                "choose another path",
            ));
        }
        drop(stage);
        publish::sync_folder(folder)?;
        session.say(format!("[✓] Written → {shown}"));
        let checked = candidate::checked(backup, &verification);
        session.say(format!("{checked}, content equal to the backup's"));
        session.document(&Document {
            version: VERSION,
            restored: BackupDocument::of(backup, session.now()),
            into: path.to_string_lossy(),
            content_blake3: &hashes.content_blake3,
        });
        Ok(Answer::Yes)
    }
}

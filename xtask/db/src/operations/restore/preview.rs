//! The preview of a restore: the plan, and reasons to think twice.

use std::borrow::Cow;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::reader::Contents;
use crate::backups::verification::outcome::Verification;
use crate::capture;
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::host::project::{Database, Project, schema_files};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::restore::candidate::Candidate;
use crate::operations::restore::receipt::{Planned, Receipt};
use crate::operations::restore::request::Request;
use crate::restore::by_difference;
use crate::restore::plan::{Live, Plan};
use crate::sqlite::digest::database::Groups;
use crate::sqlite::read_only;

/// Output of `--json --dry-run`.
#[derive(Serialize)]
pub(super) struct PlanDocument<'a> {
    version: u32,
    dry_run: bool,
    would_restore: String,
    into: Cow<'a, str>,
    #[serde(flatten)]
    receipt: Option<Receipt>,
}

impl<'a> PlanDocument<'a> {
    /// The backup, and where it would go.
    pub(super) fn of(backup: &Backup, path: &'a Path) -> Self {
        let (would_restore, into) = (backup.name.to_string(), path.to_string_lossy());
        Self { version: VERSION, dry_run: true, would_restore, into, receipt: None }
    }
}

impl Request {
    /// A backup of another file under the same name: a test database, a shared backups folder.
    pub(crate) fn point_out_other_source(
        &self,
        session: &mut Session,
        project: &Project,
        database: &Database,
        backup: &Backup,
    ) -> Result<()> {
        let target = project.plain_place(database);
        let Some(record) = backup.record().filter(|record| record.source != target) else {
            return Ok(());
        };
        if self.into.is_some() {
            return Ok(());
        }
        let place = project.quoted_place(database);
        let what =
            format!("`{}` was taken from `{}`, not from {place}", backup.name, record.source);
        if session.has_terminal() || self.database.is_some() || self.force {
            session.warn(what);
            return Ok(());
        }
        Err(Refusal::could_not(
            what,
            format!("if it belongs there anyway, pass `--db {}`", text::shell(&database.name)),
        ))
    }
}

/// Describes how the current state would be kept.
pub(crate) fn would_keep(project: &Project, database: &Database, live: &Live) -> String {
    let place = project.place(database);
    match live {
        Live::Absent { sidecars: false } => "There is no database to keep".to_owned(),
        Live::Readable(_) => {
            let folder = project.dotted(&project.backups);
            format!("Would create a safety backup of {place} in {folder}")
        }
        Live::Unreadable(why) => {
            format!("Would set the raw files of {place} aside: {}", text::plain(why))
        }
        Live::Absent { sidecars: true } | Live::MayBeEncrypted => {
            format!("Would set the raw files of {place} aside")
        }
    }
}

impl Planned<'_> {
    /// Reports what a restore would do.
    ///
    /// # Errors
    ///
    /// If the live database, which is read for `--json` only, can no longer be.
    pub(super) fn say(&self, session: &mut Session, plan: &Plan) -> Result<Answer> {
        let Self { project, database, .. } = *self;
        let place = project.place(database);
        session.say(would_keep(project, database, &plan.live));
        if let Some(page_size_bytes) = plan.convert_to_bytes {
            session.say(format!("Would convert a copy to the page size {page_size_bytes} first"));
        }
        let size = text::size(plan.backup.size_bytes);
        session.say(format!("Would restore {} ({size}) → {place}", plan.backup.name));
        for command in &database.after_restore {
            session.say(format!("Would run {}", command.join(" ")));
        }
        if session.wants_json() {
            let receipt = Some(self.receipt(session, &plan.live)?);
            session.document(&PlanDocument {
                receipt,
                ..PlanDocument::of(&plan.backup, &plan.target)
            });
        }
        Ok(Answer::Yes)
    }
}

/// Points out that nothing would change: the hooks may have taken a checkpoint after the data was
/// ruined.
pub(crate) fn point_out_equal(
    session: &mut Session,
    project: &Project,
    database: &Database,
    candidate: &Candidate<'_>,
) {
    let Candidate { plan, verification, .. } = candidate;
    if !matches!(plan.live, Live::Readable(_)) {
        return;
    }
    let interrupt = session.interrupt().clone();
    let compared = (|| -> Result<bool> {
        let contents = Contents::open(&plan.backup)?;
        let mut wanted = contents.wanted(Groups::default())?;
        let connection = read_only::open(&plan.target, project.busy_timeout)?;
        let _watched = interrupt.watch(&connection);
        if let Some(is_equal) = by_difference::is_equal(&connection, wanted.as_mut(), &interrupt)? {
            return Ok(is_equal);
        }
        let hash = capture::content_hash(&connection, &project.backups, &interrupt)?;
        Ok(hash == verification.content_blake3)
    })();
    // If something cannot be read now, the restore itself meets it again and explains it.
    if compared.is_ok_and(|is_equal| is_equal) {
        session.warn(format!(
            "{} equals {} already: nothing would change; `cargo xtask db-list` shows older ones",
            project.place(database),
            plan.backup.name
        ));
    }
}

/// Points out that the code expects a newer schema than the backup has.
pub(crate) fn point_out_old_schema(
    session: &mut Session,
    project: &Project,
    database: &Database,
    verification: &Verification,
) {
    let Some(version) = verification.examination.schema_version.filter(|version| *version > 0)
    else {
        return;
    };
    let newest = schema_files::newest_migration(&project.root, &database.schema);
    if let Some((newest, file)) = newest
        && version < newest
    {
        session.note(format!(
            "Note: the backup has schema version {version}, the code's newest migration is {newest} \
             ({}): {} applies it again",
            project.path(&file),
            if database.migrate.is_empty() { "your migration command" } else { "`cargo xtask db-migrate`" }
        ));
    }
}

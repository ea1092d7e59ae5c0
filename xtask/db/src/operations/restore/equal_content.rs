//! A restore of what the database contains already: no safety backup is taken, and nothing is written.
//!
//! A database that is missing, damaged or encrypted is never equal. The journal mode does not count: a
//! restore leaves it as it is. Equal content is restored all the same if something else hangs on it: the
//! host's `after-restore` commands, or the note of an interrupted step, which a restore ends.

use std::borrow::Cow;

use anyhow::Result;
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::backup_document::BackupDocument;
use crate::backups::format::Format;
use crate::backups::reader::Contents;
use crate::backups::vault::Vault;
use crate::backups::verification;
use crate::backups::verification::outcome::Outcome;
use crate::capture;
use crate::console::refusal::{Answer, Refusal};
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::damage_report;
use crate::operations::restore::candidate::{self, Candidate};
use crate::operations::restore::preview::Planned;
use crate::operations::restore::request::Request;
use crate::recovery::database_lock::Claim;
use crate::recovery::interrupted_step;
use crate::restore::by_difference;
use crate::restore::plan::Live;
use crate::sqlite::digest::database::Groups;
use crate::sqlite::examination::finding::Depth;
use crate::sqlite::read_only;

/// What `--json` prints if there is nothing to restore.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    restored: (),
    /// The backup whose content is there already.
    equal_to: BackupDocument,
    into: Cow<'a, str>,
    safety: (),
    content_blake3: &'a str,
}

impl Request {
    /// Reports that there is nothing to restore; `None` if there is.
    ///
    /// # Errors
    ///
    /// A refusal if the restore would be refused without a terminal; if another command keeps working on
    /// the database, or at the user's interrupt.
    pub(super) fn nothing_to_restore(
        &self,
        session: &mut Session,
        project: &Project,
        database: &Database,
        candidate: &Candidate<'_>,
    ) -> Result<Option<Answer>> {
        if !is_equal(session, project, candidate) {
            return Ok(None);
        }
        let (name, place) = (&candidate.plan.backup.name, project.quoted_place(database));
        let already = format!("{place} already has the content of `{name}`");
        if !database.after_restore.is_empty() {
            session
                .note(format!("{already}; it is restored again, because `after-restore` is set"));
            return Ok(None);
        }
        if self.dry_run {
            if !interrupted_step::left(project, database).is_empty() {
                return Ok(None);
            }
        } else {
            self.demand_answers(session, project, database)?;
            // Another command may be in the middle of something: its end is waited for.
            let claim = Claim::take(project, database, self.command, session.interrupt())?;
            let vault = Vault::of(project, session.now());
            let _locked = vault.lock(project.busy_timeout, session.interrupt())?;
            candidate::demand_still_there(&candidate.plan.backup)?;
            if !claim.left().is_empty() || !is_equal(session, project, candidate) {
                return Ok(None);
            }
        }
        demand_whole(session, &candidate.plan.backup, &already)?;
        session.say(format!("nothing to restore: {already}"));
        // A hook may have taken a checkpoint of what went wrong.
        session.note("`cargo xtask db-list` shows the other backups");
        let plan = candidate.plan;
        if self.dry_run {
            session.document(&Planned::of_equal(&plan.backup, &plan.target));
            return Ok(Some(Answer::Yes));
        }
        session.document(&Document {
            version: VERSION,
            restored: (),
            equal_to: BackupDocument::of(&plan.backup, session.now()),
            into: plan.target.to_string_lossy(),
            safety: (),
            content_blake3: &candidate.verification.content_blake3,
        });
        Ok(Some(Answer::Yes))
    }
}

/// Reads the pages of a stored backup: a restore would compare each with its id, and now none is
/// restored. Of a plain one everything was read already.
///
/// # Errors
///
/// A refusal if it is damaged, or at the user's interrupt.
fn demand_whole(session: &mut Session, backup: &Backup, already: &str) -> Result<()> {
    if backup.name.format != Format::Pages {
        return Ok(());
    }
    let verification = verification::verify(backup, Depth::Quick, session.interrupt())?;
    damage_report::of_packs(session, &verification.suspects)?;
    if verification.outcome == Outcome::Whole {
        return Ok(());
    }
    for reason in &verification.reasons {
        session.warn(format!("{}: {reason}", backup.name));
    }
    Err(Refusal::no(
        format!("{already}, but that backup is damaged"),
        "keep this content with `cargo xtask db-backup`; the database is untouched",
    ))
}

/// Whether the live database has the content of a backup already. What cannot be read now is met again,
/// and explained, by the restore itself.
fn is_equal(session: &Session, project: &Project, candidate: &Candidate<'_>) -> bool {
    let Candidate { plan, verification } = candidate;
    if !matches!(plan.live, Live::Readable(_)) {
        return false;
    }
    let interrupt = session.interrupt().clone();
    let compared = (|| -> Result<bool> {
        let contents = Contents::open(&plan.backup)?;
        let mut wanted = contents.wanted(Groups::default())?;
        let connection = read_only::open(&plan.target, project.busy_timeout)?;
        let _watched = interrupt.watch(&connection);
        let by_pages = by_difference::is_equal(&connection, wanted.as_mut(), &interrupt)?;
        let by_hash = || -> Result<bool> {
            let hash = capture::content_hash(&connection, &project.backups, &interrupt)?;
            Ok(hash == verification.content_blake3)
        };
        let is_equal = by_pages.map_or_else(by_hash, Ok)?;
        connection.proved(Ok(is_equal))
    })();
    compared.unwrap_or(false)
}

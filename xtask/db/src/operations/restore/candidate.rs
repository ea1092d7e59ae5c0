//! The backup to restore: examined before anything is touched, checked to be the same when it is
//! written, and reported afterwards.

use std::path::Path;

use anyhow::{Context, Result};

use crate::backups::backup::Backup;
use crate::backups::name::Name;
use crate::backups::reader::Contents;
use crate::backups::record::proof::Proof;
use crate::backups::verification;
use crate::backups::verification::outcome::{Outcome, Verification};
use crate::console::interrupt::Interrupt;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::files::sidecars;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::operations::damage_report;
use crate::operations::restore::expected_live::Expected;
use crate::operations::restore::request::Request;
use crate::restore::plan::{Destination, Plan};
use crate::sqlite::digest::database::Groups;
use crate::sqlite::examination::finding::{Damage, Depth, Weight, has};

impl Request {
    /// Examines the candidate before anything is touched.
    pub(crate) fn examine(
        &self,
        session: &mut Session,
        project: &Project,
        database: &Database,
        backup: &Backup,
    ) -> Result<Verification> {
        let interrupt = session.interrupt().clone();
        let depth = verification::depth_before_restore(backup);
        let verification = verification::verify_for_restore(backup, depth, &interrupt)
            .with_context(|| format!("could not restore {}", project.quoted_place(database)))?;
        for reason in &verification.reasons {
            session.warn(format!("{}: {reason}", backup.name));
        }
        for warning in &verification.warnings {
            session.warn(format!("{}: {warning}", backup.name));
        }
        damage_report::of_packs(session, &verification.suspects)?;
        let untouched = "`cargo xtask db-verify --all` shows which backups are whole; the database \
                         is untouched";
        // Its bytes are sound as far as can be seen, and there is no record to compare with.
        let is_forced = self.force
            && matches!(backup.proof, Proof::Damaged(_))
            && !has(&verification.examination.findings, Weight::Structural);
        match verification.outcome {
            Outcome::Damaged if is_forced => Ok(verification),
            Outcome::Damaged => Err(Refusal::no(
                format!(
                    "`{}` failed its examination: {}",
                    backup.name,
                    text::count(verification.reasons.len() as u64, "reason")
                ),
                untouched,
            )),
            Outcome::CannotTell if !self.force => Err(Refusal::could_not(
                format!("`{}` cannot be proved whole", backup.name),
                format!("{untouched}; `--force` restores it anyway"),
            )),
            Outcome::CannotTell | Outcome::Whole => Ok(verification),
        }
    }
}

/// A backup that was examined, and the plan to restore it.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// The plan.
    pub(crate) plan: &'a Plan,
    /// Result of verifying the backup.
    pub(crate) verification: &'a Verification,
    /// What must still be in place of the live database.
    pub(crate) expected: Option<&'a Expected>,
}

impl<'a> Candidate<'a> {
    /// A candidate that may replace whatever is there.
    #[must_use]
    pub(crate) fn of(plan: &'a Plan, verification: &'a Verification) -> Self {
        Self { plan, verification, expected: None }
    }

    /// Checks that the bytes are still the same: the backup was examined before the question and
    /// the lock. Returns the ids of their groups. A stored backup knows them itself: its list has a
    /// checksum, and every page is compared with its id when it is read.
    pub(crate) fn unchanged(&self, contents: &Contents, interrupt: &Interrupt) -> Result<Groups> {
        let Self { plan, verification, .. } = self;
        if plan.backup.name.format.is_stored() {
            return Ok(Groups::default());
        }
        let (hashes, ids) = contents.hash_groups(interrupt)?;
        if hashes.content_blake3 == verification.content_blake3 {
            return Ok(ids);
        }
        Err(Refusal::no(
            format!("`{}` changed after it was examined", plan.backup.name),
            "`cargo xtask db-verify --all` shows which backups are whole; the database is untouched",
        ))
    }
}

/// Adds to a failure in the middle of a restore what it means that pages of the backup turned out
/// to be damaged.
pub(crate) fn explain_damage(error: anyhow::Error, backup: &Backup) -> anyhow::Error {
    if error.downcast_ref::<Damage>().is_none() {
        return error;
    }
    error.context(Refusal {
        what: format!("`{}` is damaged", backup.name),
        hint: "`cargo xtask db-verify --all` shows which backups are whole".to_owned(),
        exit: Exit::No,
    })
}

/// The live database as the destination of a restore.
pub(crate) fn destination<'a>(
    project: &'a Project,
    database: &'a Database,
    force: bool,
) -> Destination<'a> {
    let (backups, busy_timeout) = (&project.backups, project.busy_timeout);
    Destination { path: database.home(), backups, force, busy_timeout }
}

/// The result of SQLite's check for the restored content, which equals the backup's.
pub(crate) fn checked(backup: &Backup, verification: &Verification) -> String {
    let verified = backup.record().and_then(|record| record.verified.as_ref());
    let incomplete = has(&verification.findings, Weight::Unchecked);
    match (verification.depth, verified) {
        (None, None) if incomplete => {
            "[!] SQLite quick_check: incomplete when it was taken, see the warnings".to_owned()
        }
        (None, None) => {
            "[✓] SQLite quick_check: ok (when it was taken; every byte is as recorded)".to_owned()
        }
        _ if incomplete => "[!] SQLite integrity_check: incomplete, see the warnings".to_owned(),
        (None, Some(verified)) if verified.depth == Depth::Quick => {
            "[✓] SQLite quick_check: ok (when it was taken; every byte is as recorded)".to_owned()
        }
        (None | Some(Depth::Quick), Some(verified)) => {
            let date = verified.at.format("%Y-%m-%d %H:%M");
            format!("[✓] SQLite integrity_check: ok (by `db-verify` on {date})")
        }
        _ => "[✓] SQLite integrity_check: ok".to_owned(),
    }
}

/// Refuses names that a restored file must not have: a backup is immutable, so a file with a
/// backup's name in the backups folder is not a target; nor is a sidecar.
///
/// # Errors
///
/// As described.
pub(crate) fn refuse_names_of_others(project: &Project, path: &Path) -> Result<()> {
    let text = path.to_string_lossy();
    if sidecars::ALL.iter().any(|suffix| text.ends_with(suffix)) {
        return Err(Refusal::could_not(
            format!(
                "`{}` is the name of a file that SQLite reserves for itself",
                project.path(path)
            ),
            "choose another path; nothing was changed",
        ));
    }
    let same_folder = |folder: &Path| {
        let (a, b) = (fs_err::canonicalize(folder), fs_err::canonicalize(&project.backups));
        a.is_ok() && a.ok() == b.ok()
    };
    let is_name = path.file_name().and_then(|name| name.to_str()).and_then(Name::parse).is_some();
    if is_name && path.parent().is_some_and(same_folder) {
        return Err(Refusal::could_not(
            format!("`{}` has the name of a backup in the backups folder", project.path(path)),
            "choose another path; nothing was changed",
        ));
    }
    Ok(())
}

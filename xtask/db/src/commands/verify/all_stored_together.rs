//! Verifies all stored backups together: each page is read once, then each list is proved by its
//! ids.

use std::path::PathBuf;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::reader::Contents;
use crate::backups::store::{pack_check, pack_folder, suspect_packs};
use crate::backups::vault::Vault;
use crate::backups::verification;
use crate::backups::verification::outcome::Verification;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::verify_one;

/// Findings about all packs, which stay where they are as long as this value exists.
pub(super) struct Checked {
    folder: PathBuf,
    found: pack_check::Checked,
    _held: Option<fs_err::File>,
}

/// Checks the packs; `None` if no backup needs any.
///
/// # Errors
///
/// If the folder of packs cannot be read, or at the user's interrupt.
pub(super) fn check(session: &Session, backups: &[Backup]) -> Result<Option<Checked>> {
    let mut stored = backups.iter().filter(|backup| backup.name.format.is_stored());
    let Some(backup) = stored.next() else { return Ok(None) };
    // The packs only: a list that is held would keep its own abandoned stage from being swept.
    let held = pack_folder::hold(&backup.folder)?;
    let mut progress = session.progress("Verifying");
    let checked = pack_check::check(&backup.folder, session.now(), &mut progress)?;
    Ok(Some(Checked { folder: backup.folder.to_path_buf(), found: checked, _held: held }))
}

impl Checked {
    /// Verifies one stored backup.
    ///
    /// # Errors
    ///
    /// If it cannot be read at all, or at the user's interrupt.
    pub(super) fn verify(&self, session: &Session, backup: &Backup) -> Result<Verification> {
        let interrupt = session.interrupt();
        let check = |contents: &Contents| match contents.stored() {
            Some(stored) => pack_check::demand_undamaged(stored, &self.found.damaged, interrupt),
            None => Ok(()),
        };
        verification::verify_checked(backup, check, interrupt)
    }

    /// Warns of damaged packs that none of the reasons names, records the readings, and marks the
    /// other backups that need the damaged blocks.
    ///
    /// # Errors
    ///
    /// At the user's interrupt: a folder that cannot be written is not a reason to doubt a backup.
    pub(super) fn conclude(
        self,
        session: &mut Session,
        project: &Project,
        reasons: &[String],
    ) -> Result<()> {
        self.warn(session, reasons);
        let Self { folder, found: checked, _held: held } = self;
        let interrupt = session.interrupt().clone();
        let vault = Vault::for_project(project, &folder, session.now());
        let noted = vault.lock(project.busy_timeout, &interrupt).and_then(|locked| {
            let found = suspect_packs::conclude(&locked, checked, session.now(), &interrupt)?;
            if !found.marked.is_empty() {
                vault.remark(found.to_string());
            }
            Ok(())
        });
        drop(held);
        verify_one::unless_interrupted(session, noted)
    }

    fn warn(&self, session: &mut Session, reasons: &[String]) {
        let all_whole = reasons.is_empty();
        for damaged in &self.found.damaged {
            let pack = pack_folder::said(&damaged.pack);
            if reasons.iter().any(|reason| reason.contains(&pack)) {
                continue;
            }
            let end = if all_whole { "; no backup here needs the damaged part" } else { "" };
            session.warn(format!("the pack `{pack}` {}{end}", damaged.why));
        }
    }
}

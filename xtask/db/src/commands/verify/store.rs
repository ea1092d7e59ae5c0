//! Verifying all stored backups together: each page is read once, then each list is proved by ids.

use anyhow::Result;

use crate::backup::Backup;
use crate::contents::Contents;
use crate::name::Format;
use crate::progress::Progress;
use crate::session::Session;
use crate::store::checking::{self, Damaged};
use crate::store::shelf;
use crate::verification::{self, Verification};

/// What was found of all packs, which stay where they are as long as this is there.
pub(super) struct Checked {
    damaged: Vec<Damaged>,
    _held: Option<fs_err::File>,
}

/// Checks the packs; `None` where no backup needs any.
///
/// # Errors
///
/// Where the folder of packs cannot be read, or at the user's interrupt.
pub(super) fn check(session: &Session, backups: &[Backup]) -> Result<Option<Checked>> {
    let mut stored = backups.iter().filter(|backup| backup.name.format == Format::Pages);
    let Some(backup) = stored.next() else { return Ok(None) };
    // The packs only: a list that is held would keep its own abandoned stage from being swept.
    let held = shelf::hold(&backup.folder)?;
    let mut progress = Progress::new(session, "Verifying");
    let damaged = checking::check(&backup.folder, &mut progress)?;
    Ok(Some(Checked { damaged, _held: held }))
}

impl Checked {
    /// Verifies one stored backup.
    ///
    /// # Errors
    ///
    /// Where it cannot be read at all, or at the user's interrupt.
    pub(super) fn verify(&self, session: &Session, backup: &Backup) -> Result<Verification> {
        let interrupt = session.interrupt();
        let check = |contents: &Contents| match contents.stored() {
            Some(stored) => checking::demand_undamaged(stored, &self.damaged, interrupt),
            None => Ok(()),
        };
        verification::verify_checked(backup, check, interrupt)
    }

    /// Warns of damaged packs that none of the reasons names.
    pub(super) fn warn(&self, session: &mut Session, reasons: &[String]) {
        let all_whole = reasons.is_empty();
        for damaged in &self.damaged {
            let pack = shelf::said(&damaged.pack);
            if reasons.iter().any(|reason| reason.contains(&pack)) {
                continue;
            }
            let end = if all_whole { "; no backup here needs what is wrong in it" } else { "" };
            session.warn(format!("the pack `{pack}` {}{end}", damaged.why));
        }
    }
}

//! Verifying all stored backups together: each page is read once, then each list is proved by ids.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::reader::Contents;
use crate::backups::store::pack_readings::{Keep, Readings};
use crate::backups::store::stored_database::Stored;
use crate::backups::store::{pack_check, pack_index, pack_rereading, suspect_packs};
use crate::backups::vault::Vault;
use crate::backups::verification::{self, Outcome, Verification};
use crate::backups::writer::Locked;
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::sqlite::digest::tree::Id;

/// What was found of all packs, which stay where they are as long as this is there.
pub(super) struct Checked {
    folder: PathBuf,
    found: pack_check::Checked,
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
    let held = pack_index::hold(&backup.folder)?;
    let mut progress = Progress::new(session, "Verifying");
    let checked = pack_check::check(&backup.folder, session.now(), &mut progress)?;
    Ok(Some(Checked { folder: backup.folder.to_path_buf(), found: checked, _held: held }))
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
            Some(stored) => pack_check::demand_undamaged(stored, &self.found.damaged, interrupt),
            None => Ok(()),
        };
        verification::verify_checked(backup, check, interrupt)
    }

    /// Warns of damaged packs that none of the reasons names, notes what was read, and marks the backups
    /// that were not asked about and need what is damaged.
    ///
    /// # Errors
    ///
    /// At the user's interrupt: a folder that cannot be written is no reason to doubt a backup.
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
        unless_interrupted(session, noted)
    }

    fn warn(&self, session: &mut Session, reasons: &[String]) {
        let all_whole = reasons.is_empty();
        for damaged in &self.found.damaged {
            let pack = pack_index::said(&damaged.pack);
            if reasons.iter().any(|reason| reason.contains(&pack)) {
                continue;
            }
            let end = if all_whole { "; no backup here needs what is wrong in it" } else { "" };
            session.warn(format!("the pack `{pack}` {}{end}", damaged.why));
        }
    }
}

/// After one stored backup was verified by itself: notes the packs it is in, which are read whole; or
/// looks at those that turned out damaged, for the other backups that have them too.
///
/// # Errors
///
/// At the user's interrupt.
pub(super) fn note(
    session: &mut Session,
    project: &Project,
    backup: &Backup,
    verification: &Verification,
) -> Result<()> {
    if backup.name.format == Format::Plain || verification.outcome == Outcome::CannotTell {
        return Ok(());
    }
    let (interrupt, now) = (session.interrupt().clone(), session.now());
    let vault = Vault::for_project(project, &backup.folder, now);
    let noted = vault.lock(project.busy_timeout, &interrupt).and_then(|locked| {
        let mut bad = suspect_packs::names(&verification.suspects);
        if verification.outcome == Outcome::Whole {
            bad = read_packs(&locked, backup, now, &interrupt)?;
        }
        if !bad.is_empty() {
            suspect_packs::examine(&locked, &bad, now, &interrupt)?;
        }
        Ok(())
    });
    unless_interrupted(session, noted)
}

/// Reads the packs of a backup whole, but for those that were read since this command began, and notes
/// them. Returns those that are not intact.
fn read_packs(
    locked: &Locked<'_>,
    backup: &Backup,
    now: DateTime<FixedOffset>,
    interrupt: &Interrupt,
) -> Result<BTreeSet<Id>> {
    let contents = Contents::open(backup)?;
    let packs = contents.stored().map(Stored::packs).unwrap_or_default();
    let mut readings = Readings::of(&backup.folder);
    let mut bad = BTreeSet::new();
    for pack in packs.keys() {
        interrupt.check()?;
        if readings.last_of(pack).is_some_and(|last| last.at == now.timestamp()) {
            continue;
        }
        match pack_rereading::read_one(&backup.folder.join(pack_index::FOLDER), pack, now) {
            Some(reading) => readings.note([(*pack, reading)]),
            None => drop(bad.insert(*pack)),
        }
    }
    readings.keep(Keep::Synced)?;
    locked.forget_listed();
    Ok(bad)
}

fn unless_interrupted(session: &mut Session, noted: Result<()>) -> Result<()> {
    if let Err(error) = noted {
        session.interrupt().check()?;
        session.warn(format!("what was read could not be noted: {error:#}"));
    }
    Ok(())
}

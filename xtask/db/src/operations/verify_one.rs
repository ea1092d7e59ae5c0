//! Verifies one backup, with a restore drill if requested, and writes `verified` or `damaged` into its
//! record.

use std::collections::BTreeSet;

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backups::backup::Backup;
use crate::backups::reader::Contents;
use crate::backups::record::Examined;
use crate::backups::record::proof::Proof;
use crate::backups::store::pack_readings::{Keep, Readings};
use crate::backups::store::stored_database::Stored;
use crate::backups::store::{pack_folder, pack_rereading, suspect_packs};
use crate::backups::vault::Vault;
use crate::backups::verification;
use crate::backups::verification::outcome::{Outcome, Verification};
use crate::backups::writer::Locked;
use crate::console::interrupt::Interrupt;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::dump_drill;
use crate::postgres::restore::fill::Differs;
use crate::restore::proof::{self, Unequal};
use crate::sqlite::digest::tree::Id;
use crate::sqlite::examination::finding::{Depth, Finding, Weight, has};

/// Verifies one backup deeply, reports the result, and writes it into the record's `verified`.
pub(crate) fn verify_one(
    session: &mut Session,
    project: &Project,
    backup: &Backup,
    drill: bool,
) -> Result<Verification> {
    let mut verification = verification::verify(backup, Depth::Deep, session.interrupt());
    if drill
        && let Ok(verification) = &mut verification
        && verification.outcome != Outcome::Damaged
    {
        judge_drill(session, project, backup, verification)?;
    }
    let verification = conclude(session, project, backup, verification)?;
    note(session, project, backup, &verification)?;
    Ok(verification)
}

/// Says the outcome of a verification and remembers it.
pub(crate) fn conclude(
    session: &mut Session,
    project: &Project,
    backup: &Backup,
    verification: Result<Verification>,
) -> Result<Verification> {
    let verification = match verification {
        Ok(verification) => verification,
        Err(error) => {
            session.interrupt().check()?;
            let verification = Verification::impossible(&error);
            say(session, backup, &verification);
            return Ok(verification);
        }
    };
    remember(session, project, backup, &verification)?;
    say(session, backup, &verification);
    Ok(verification)
}

/// Restores it into a scratch file: an unequal result is damage, a full disk is not.
fn judge_drill(
    session: &Session,
    project: &Project,
    backup: &Backup,
    verification: &mut Verification,
) -> Result<()> {
    let interrupt = session.interrupt();
    verification.is_drilled = true;
    let vault = Vault::for_project(project, &backup.folder, session.now());
    if backup.name.format.is_dump() {
        return judge(verification, dump_drill::drill(project, backup, interrupt), interrupt);
    }
    let drilled = vault
        .lock(project.busy_timeout, interrupt)
        .and_then(|locked| proof::drill(backup, &locked, &verification.content_blake3, interrupt));
    judge(verification, drilled, interrupt)
}

/// Completes a verification with the result of its drill.
fn judge(
    verification: &mut Verification,
    drilled: Result<()>,
    interrupt: &Interrupt,
) -> Result<()> {
    let Err(error) = drilled else { return Ok(()) };
    interrupt.check()?;
    if error.is::<Unequal>() || error.is::<Differs>() {
        let what = format!("restored into a scratch database, {error:#}");
        verification.outcome = Outcome::Damaged;
        verification.findings.insert(0, Finding::structural(what.clone()));
        verification.reasons.push(what);
    } else {
        verification.outcome = Outcome::CannotTell;
        verification.reasons.push(format!("could not run the restore drill: {error:#}"));
    }
    Ok(())
}

fn say(session: &mut Session, backup: &Backup, verification: &Verification) {
    let examination = &verification.examination;
    let n_rows: u64 = examination.tables.values().flatten().sum();
    let proof = match backup.proof {
        Proof::Recorded(_) => "size and BLAKE3 as recorded, ",
        _ => "",
    };
    let is_deep = verification.depth == Some(Depth::Deep);
    let is_dump = backup.name.format.is_dump();
    let examined = match has(&examination.findings, Weight::Unchecked) {
        _ if is_dump && is_deep => "the rows of each table too",
        _ if is_dump => "its rows recorded when it was taken",
        true if is_deep => "integrity_check incomplete",
        false if is_deep => "integrity_check ok",
        // Every byte is as it was then.
        true => "quick_check incomplete when it was taken",
        false => "quick_check ok when it was taken",
    };
    match verification.outcome {
        Outcome::Whole => session.say(format!(
            "{} is whole: {proof}{examined}, {}, {}{}",
            backup.name,
            text::count(examination.tables.len() as u64, "table"),
            text::count(n_rows, "row"),
            if verification.is_drilled { ", restore drill ok" } else { "" }
        )),
        Outcome::CannotTell => session.say(format!("{}: cannot tell", backup.name)),
        Outcome::Damaged => session.say(format!("{} is damaged", backup.name)),
    }
    for reason in &verification.reasons {
        session.say(format!("  {reason}"));
    }
    for warning in &verification.warnings {
        session.warn(format!("{}: {warning}", backup.name));
    }
    if verification.outcome == Outcome::Damaged {
        session.note(
            "hint: create a new one with `cargo xtask db-backup`; this one stays where it is",
        );
    }
}

/// Writes the record's `verified`; a folder that cannot be written is not a reason to doubt a
/// backup.
fn remember(
    session: &mut Session,
    project: &Project,
    backup: &Backup,
    verification: &Verification,
) -> Result<()> {
    // If SQLite read nothing, this is not an examination.
    let Some(depth) = verification.depth else { return Ok(()) };
    let vault = Vault::for_project(project, &backup.folder, session.now());
    let write = || -> Result<()> {
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        // The record as it is now: another command may have pinned it meanwhile.
        let Some(mut backup) = vault.read(backup.name.clone())? else {
            return Ok(());
        };
        let Proof::Recorded(record) = &mut backup.proof else {
            return Ok(());
        };
        let mut examined = Examined {
            at: session.now(),
            depth,
            findings: verification.findings.clone(),
            unknown: serde_json::Map::new(),
        };
        // The findings of a deep look stay valid as long as the bytes are the same.
        if let Some(before) = record.verified.take()
            && verification.outcome == Outcome::Whole
            && (depth, before.depth) == (Depth::Quick, Depth::Deep)
        {
            examined = Examined { at: examined.at, ..before };
        }
        record.verified = Some(examined);
        let record = record.clone();
        locked.rewrite(&backup, &record)
    };
    if let Err(error) = write() {
        session.interrupt().check()?;
        session.warn(format!("the result could not be written into the record: {error:#}"));
    }
    Ok(())
}

/// After one stored backup was verified by itself: records its packs, which are read completely, or
/// checks those that turned out to be damaged, for the other backups that have them too.
///
/// # Errors
///
/// At the user's interrupt.
fn note(
    session: &mut Session,
    project: &Project,
    backup: &Backup,
    verification: &Verification,
) -> Result<()> {
    if !backup.name.format.is_stored() || verification.outcome == Outcome::CannotTell {
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

/// Reads the packs of a backup completely, except those that were read since this command began,
/// and records them. Returns those that are not intact.
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
        match pack_rereading::read_one(&backup.folder.join(pack_folder::FOLDER), pack, now) {
            Some(reading) => readings.note([(*pack, reading)]),
            None => drop(bad.insert(*pack)),
        }
    }
    readings.keep(Keep::Synced)?;
    locked.forget_listed();
    Ok(bad)
}

/// Warns if a result could not be recorded.
///
/// # Errors
///
/// At the user's interrupt.
pub(crate) fn unless_interrupted(session: &mut Session, noted: Result<()>) -> Result<()> {
    if let Err(error) = noted {
        session.interrupt().check()?;
        session.warn(format!("could not note what was read: {error:#}"));
    }
    Ok(())
}

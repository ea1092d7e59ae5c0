//! Packs under suspicion: they are read, the damage is noted, and every backup that needs a damaged
//! block is marked damaged in its record.
//!
//! The marks come before the note. A command that is killed in between leaves packs that count as
//! unread, and never a damaged backup that counts as whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backups::backup::{Backup, State};
use crate::backups::reader;
use crate::backups::record::{Examined, Record};
use crate::backups::store::pack_check::{self, Checked, Damaged};
use crate::backups::store::pack_index::Shelf;
use crate::backups::store::pack_readings::{Keep, Readings};
use crate::backups::store::stored_database::Stored;
use crate::backups::store::{pack, pack_folder};
use crate::backups::writer::Locked;
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::text;
use crate::sqlite::digest::tree::Id;
use crate::sqlite::examination::finding::{Damage, Depth, Finding};

/// Names of backups in one message.
const MAX_NAMED: usize = 5;

/// The names of packs by their paths.
#[must_use]
pub(crate) fn names(paths: &[PathBuf]) -> BTreeSet<Id> {
    let file_names = paths.iter().filter_map(|path| path.file_name()?.to_str());
    file_names.filter_map(pack::parse_name).collect()
}

/// Reads packs, notes the result, and marks the backups that need damaged parts, with a remark.
/// Returns the damaged packs.
///
/// # Errors
///
/// If the folder cannot be read or written, or at the user's interrupt.
pub(crate) fn examine(
    locked: &Locked<'_>,
    packs: &BTreeSet<Id>,
    now: DateTime<FixedOffset>,
    interrupt: &Arc<Interrupt>,
) -> Result<Vec<Id>> {
    let backups = locked.vault().folder();
    let mut hidden = Progress::hidden(interrupt);
    let checked = pack_check::check_named(backups, packs, now, &mut hidden)?;
    let found = conclude(locked, checked, now, interrupt)?;
    if !found.damaged.is_empty() {
        locked.vault().remark(found.to_string());
    }
    Ok(found.damaged.into_iter().map(|damaged| damaged.pack).collect())
}

/// Examines the packs that a failure to read names, if any.
///
/// # Errors
///
/// As [`examine`].
pub(crate) fn after(
    locked: &Locked<'_>,
    error: &anyhow::Error,
    now: DateTime<FixedOffset>,
    interrupt: &Arc<Interrupt>,
) -> Result<()> {
    let packs = error.downcast_ref::<Damage>().map(|damage| names(&damage.packs));
    if let Some(packs) = packs.filter(|packs| !packs.is_empty()) {
        examine(locked, &packs, now, interrupt)?;
    }
    Ok(())
}

/// Damaged packs, and the backups that were marked for them.
#[derive(Debug)]
pub(crate) struct Found {
    /// The packs whose bytes were read and are wrong.
    pub(crate) damaged: Vec<Damaged>,
    /// The names of the backups that were marked damaged now.
    pub(crate) marked: Vec<String>,
}

/// Marks the backups that need blocks which a check found damaged, and records the readings.
///
/// # Errors
///
/// As [`examine`].
pub(crate) fn conclude(
    locked: &Locked<'_>,
    checked: Checked,
    now: DateTime<FixedOffset>,
    interrupt: &Interrupt,
) -> Result<Found> {
    let damaged: Vec<Damaged> =
        checked.damaged.into_iter().filter(|damaged| damaged.is_certain).collect();
    let marked = match damaged[..] {
        [] => Vec::new(),
        _ => mark(locked, &damaged, now, interrupt)?,
    };
    let mut readings = Readings::of(locked.vault().folder());
    readings.note(checked.readings);
    readings.keep(Keep::Synced)?;
    locked.forget_listed();
    Ok(Found { damaged, marked })
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for damaged in &self.damaged {
            write!(f, "the pack `{}` {}; ", pack_folder::said(&damaged.pack), damaged.why)?;
        }
        let mut named: Vec<_> =
            self.marked.iter().take(MAX_NAMED).map(|name| format!("`{name}`")).collect();
        if self.marked.len() > MAX_NAMED {
            named.push(format!("{} more", self.marked.len() - MAX_NAMED));
        }
        match &named[..] {
            [] => f.write_str("no other backup needs the damaged part"),
            [one] => write!(f, "{one} needs the damaged part and is marked damaged"),
            _ => {
                let n = text::count(self.marked.len() as u64, "backup");
                let named = named.join(", ");
                write!(f, "{n} need the damaged part and are marked damaged: {named}")
            }
        }
    }
}

/// Marks the backups that need a damaged block, and returns their names.
fn mark(
    locked: &Locked<'_>,
    damaged: &[Damaged],
    now: DateTime<FixedOffset>,
    interrupt: &Interrupt,
) -> Result<Vec<String>> {
    let mut shelf = Shelf::of(locked.vault().folder());
    let mut judged = BTreeMap::<(u64, u64), Option<String>>::new();
    let mut marked = Vec::new();
    for backup in locked.backups()?.iter() {
        let Some(record) = backup.record().filter(|_| backup.name.format.is_stored()) else {
            continue;
        };
        if backup.state() == State::Damaged && record.is_marked_damaged() {
            continue;
        }
        let why = if let Some(why) = judged.get(&backup.identity) {
            why.clone()
        } else {
            let why = damage(&mut shelf, backup, damaged, interrupt)?;
            judged.entry(backup.identity).or_insert(why).clone()
        };
        if let Some(why) = why {
            locked.rewrite(backup, &marked_record(record, why, now))?;
            marked.push(backup.name.to_string());
        }
    }
    Ok(marked)
}

/// The damage to a backup if these blocks are damaged; `None` if it needs none of them.
fn damage(
    shelf: &mut Shelf,
    backup: &Backup,
    damaged: &[Damaged],
    interrupt: &Interrupt,
) -> Result<Option<String>> {
    // A list that is damaged itself shows whenever backups are listed.
    let Ok(list) = reader::list(backup) else { return Ok(None) };
    let names = list.packs.clone();
    let stored = Stored::find(shelf, list)?;
    let packs = stored.packs();
    let concerns = |bad: &Damaged| packs.contains_key(&bad.pack) || names.contains(&bad.pack);
    if !damaged.iter().any(concerns) {
        return Ok(None);
    }
    let sound = pack_check::demand_undamaged(&stored, damaged, interrupt)
        .and_then(|()| stored.prove(interrupt).map(drop));
    interrupt.check()?;
    match sound {
        Err(error) if error.downcast_ref::<Damage>().is_some() => Ok(Some(format!("{error:#}"))),
        // Not read at all is not damaged.
        Err(_) | Ok(()) => Ok(None),
    }
}

fn marked_record(record: &Record, why: String, now: DateTime<FixedOffset>) -> Record {
    let examined = Examined {
        at: now,
        depth: Depth::Quick,
        findings: vec![Finding::structural(why)],
        unknown: serde_json::Map::new(),
    };
    Record { verified: Some(examined), ..record.clone() }
}

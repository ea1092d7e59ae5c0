//! Reading a share of all backups, the longest unread first: `db-verify --all --read 5%`, and the runs by the clock.

use std::collections::BTreeSet;
use std::str::FromStr;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::store::pack_readings::{Keep, Readings};
use crate::backups::store::suspect_packs::{self, Found};
use crate::backups::store::{pack, pack_check, pack_folder, pack_rereading};
use crate::backups::vault::Vault;
use crate::backups::verification::outcome::Outcome;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::operations::verify_one::verify_one;
use crate::sqlite::digest::tree::Id;

/// A share in percent, from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share(pub(crate) u8);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().trim_end_matches('%').trim_end().parse::<u8>();
        match number {
            Ok(percent @ 1..=100) => Ok(Self(percent)),
            _ => Err("give a share from 1% to 100%, e.g. `5%`".to_owned()),
        }
    }
}

/// Something to read.
enum Item<'b> {
    Pack(Id),
    Plain(&'b Backup),
}

/// The packs to read, and how much data there is.
#[derive(Default)]
pub(crate) struct Chosen<'b> {
    /// The share of all bytes that is wanted.
    pub(crate) percent: u8,
    /// The packs to read.
    pub(crate) packs: BTreeSet<Id>,
    /// The plain backups to read.
    pub(crate) plain: Vec<&'b Backup>,
    /// How many packs there are.
    pub(crate) n_packs: u64,
    /// How many plain backups there are.
    pub(crate) n_plain: u64,
    /// Size of what is read.
    pub(crate) bytes: u64,
    /// Size of everything.
    pub(crate) all_bytes: u64,
}

/// Reads the chosen packs and plain backups, records that, and marks damage. Returns the worst outcome, and what was found
/// in packs.
///
/// # Errors
///
/// If the folder cannot be read or stays locked, or at the user's interrupt.
pub(crate) fn read(
    session: &mut Session,
    project: &Project,
    vault: &Vault,
    chosen: &Chosen<'_>,
) -> Result<(Outcome, Found)> {
    let found = read_packs(session, project, vault, &chosen.packs)?;
    let mut worst = if found.damaged.is_empty() { Outcome::Whole } else { Outcome::Damaged };
    for backup in &chosen.plain {
        worst = worst.max(verify_one(session, project, backup, false)?.outcome);
    }
    Ok((worst, found))
}

/// Chooses the packs and backups that were unread for longest.
///
/// # Errors
///
/// If the folder of packs cannot be read.
pub(crate) fn choose<'b>(
    vault: &Vault,
    backups: &'b [Backup],
    Share(percent): Share,
) -> Result<Chosen<'b>> {
    let readings = Readings::of(vault.folder());
    let folder = vault.folder().join(pack_folder::FOLDER);
    let mut items = Vec::new();
    for name in pack_folder::names(&folder)? {
        let last = readings.last_of(&name).map(|last| last.at);
        let path = folder.join(pack::file_name(&name));
        let bytes = fs_err::symlink_metadata(path).map_or(0, |metadata| metadata.len());
        items.push((last, bytes, Item::Pack(name)));
    }
    for backup in backups.iter().filter(|backup| !backup.name.format.is_stored()) {
        let last = backup.record().map(|record| record.last_examined().at.timestamp());
        items.push((last, backup.file_bytes, Item::Plain(backup)));
    }
    items.sort_by_key(|(last, ..)| *last);
    let all_bytes = items.iter().map(|(_, bytes, _)| bytes).sum();
    let mut chosen = Chosen { percent, all_bytes, ..Chosen::default() };
    let goal = (u128::from(chosen.all_bytes) * u128::from(percent)).div_ceil(100);
    for (_, bytes, item) in items {
        let is_wanted = u128::from(chosen.bytes) < goal;
        match item {
            Item::Pack(name) => {
                chosen.n_packs += 1;
                chosen.packs.extend(is_wanted.then_some(name));
            }
            Item::Plain(backup) => {
                chosen.n_plain += 1;
                chosen.plain.extend(is_wanted.then_some(backup));
            }
        }
        chosen.bytes += if is_wanted { bytes } else { 0 };
    }
    Ok(chosen)
}

/// Hashes the packs, and looks closely at those that do not match their names.
fn read_packs(
    session: &mut Session,
    project: &Project,
    vault: &Vault,
    packs: &BTreeSet<Id>,
) -> Result<Found> {
    let nothing = Found { damaged: Vec::new(), marked: Vec::new() };
    if packs.is_empty() {
        return Ok(nothing);
    }
    let (interrupt, now) = (session.interrupt().clone(), session.now());
    let folder = vault.folder().join(pack_folder::FOLDER);
    let held = pack_folder::hold(vault.folder())?;
    let size = |id: &Id| fs_err::metadata(folder.join(pack::file_name(id))).map(|file| file.len());
    let mut progress = session.progress("Reading");
    progress.expect_bytes(packs.iter().filter_map(|id| size(id).ok()).sum());
    let (mut intact, mut suspect, mut n_bytes) = (Vec::new(), BTreeSet::new(), 0);
    for id in packs {
        interrupt.check()?;
        // Since they were chosen, a pruning may have removed some that no backup needs any more.
        let Ok(n_more) = size(id) else { continue };
        match pack_rereading::read_one(&folder, id, now) {
            Some(reading) => intact.push((*id, reading)),
            None => drop(suspect.insert(*id)),
        }
        n_bytes += n_more;
        progress.reach(n_bytes);
    }
    drop(progress);
    let checked = if suspect.is_empty() {
        None
    } else {
        let mut progress = session.progress("Verifying");
        Some(pack_check::check_named(vault.folder(), &suspect, now, &mut progress)?)
    };
    drop(held);
    let locked = vault.lock(project.busy_timeout, &interrupt)?;
    let mut readings = Readings::of(vault.folder());
    readings.note(intact);
    readings.keep(Keep::Synced)?;
    match checked {
        None => Ok(nothing),
        Some(checked) => suspect_packs::conclude(&locked, checked, now, &interrupt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_whole_number_of_percent() {
        for (text, wanted) in
            [("5%", Some(5)), ("100", Some(100)), (" 7 % ", Some(7)), ("0%", None), ("101%", None)]
        {
            assert_eq!(text.parse::<Share>().ok(), wanted.map(Share), "{text}");
        }
        assert!("x".parse::<Share>().is_err());
    }
}

//! `db-verify --all --read 5%`: reads a share of all backups, the longest unread first.

use std::collections::BTreeSet;
use std::str::FromStr;

use anyhow::Result;
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::backup_document::BackupDocument;
use crate::backups::store::pack_readings::Readings;
use crate::backups::store::suspect_packs::{self, Found};
use crate::backups::store::{pack_check, pack_folder};
use crate::backups::vault::Vault;
use crate::backups::verification::outcome::Outcome;
use crate::console::refusal::Answer;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::verify_one::verify_one;
use crate::sqlite::digest::tree::{self, Id};

/// A share in percent, from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share(u8);

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

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    read: Read,
    damaged_packs: Vec<String>,
    /// The backups that turned out damaged.
    marked: &'a [String],
    backups: Vec<BackupDocument>,
}

/// The packs that were read.
#[derive(Serialize)]
struct Read {
    percent: u8,
    packs: usize,
    plain: usize,
    bytes: u64,
    of_bytes: u64,
}

/// Something to read.
enum Item<'b> {
    Pack(Id),
    Plain(&'b Backup),
}

/// The packs to read, and how much data there is.
#[derive(Default)]
pub(super) struct Chosen<'b> {
    /// The share of all bytes that is wanted.
    percent: u8,
    packs: BTreeSet<Id>,
    plain: Vec<&'b Backup>,
    n_packs: u64,
    n_plain: u64,
    bytes: u64,
    all_bytes: u64,
}

/// Reads the chosen packs and plain backups, records that, and marks damage.
///
/// # Errors
///
/// If the folder cannot be read or stays locked, or at the user's interrupt.
pub(super) fn read(
    session: &mut Session,
    project: &Project,
    vault: &Vault,
    chosen: &Chosen<'_>,
) -> Result<Answer> {
    if chosen.n_packs + chosen.n_plain == 0 {
        session.say(format!("No backups in {} to verify.", project.dotted(&project.backups)));
    }
    let found = read_packs(session, project, vault, &chosen.packs)?;
    let mut worst = if found.damaged.is_empty() { Outcome::Whole } else { Outcome::Damaged };
    for backup in &chosen.plain {
        worst = worst.max(verify_one(session, project, backup, false)?.outcome);
    }
    say(session, chosen, &found);
    document(session, vault, chosen, &found)?;
    Ok(match worst {
        Outcome::Whole => Answer::Yes,
        Outcome::Damaged => Answer::No,
        Outcome::CannotTell => Answer::CannotTell,
    })
}

/// Chooses the packs and backups that were unread for longest.
///
/// # Errors
///
/// If the folder of packs cannot be read.
pub(super) fn choose<'b>(
    vault: &Vault,
    backups: &'b [Backup],
    Share(percent): Share,
) -> Result<Chosen<'b>> {
    let readings = Readings::of(vault.folder());
    let folder = vault.folder().join(pack_folder::FOLDER);
    let mut items = Vec::new();
    for name in pack_folder::names(&folder)? {
        let last = readings.last_of(&name).map(|last| last.at);
        let path = folder.join(crate::backups::store::pack::file_name(&name));
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

fn read_packs(
    session: &mut Session,
    project: &Project,
    vault: &Vault,
    packs: &BTreeSet<Id>,
) -> Result<Found> {
    if packs.is_empty() {
        return Ok(Found { damaged: Vec::new(), marked: Vec::new() });
    }
    let (interrupt, now) = (session.interrupt().clone(), session.now());
    let held = pack_folder::hold(vault.folder())?;
    let mut progress = session.progress("Reading");
    let checked = pack_check::check_named(vault.folder(), packs, now, &mut progress)?;
    drop(progress);
    drop(held);
    let locked = vault.lock(project.busy_timeout, &interrupt)?;
    suspect_packs::conclude(&locked, checked, now, &interrupt)
}

fn say(session: &mut Session, chosen: &Chosen<'_>, found: &Found) {
    if chosen.n_packs + chosen.n_plain == 0 {
        return;
    }
    let mut parts = Vec::new();
    if chosen.n_packs > 0 {
        let packs = text::count(chosen.n_packs, "pack");
        parts.push(format!("{} of {packs}", text::digits(chosen.packs.len() as u64)));
    }
    if chosen.n_plain > 0 {
        let plain = text::count(chosen.n_plain, "plain backup");
        parts.push(format!("{} of {plain}", text::digits(chosen.plain.len() as u64)));
    }
    let (bytes, all) = (text::size(chosen.bytes), text::size(chosen.all_bytes));
    let parts = parts.join(" and ");
    session.say(format!("Read {parts}, the longest unread first: {bytes} of {all}"));
    if found.damaged.is_empty() {
        return;
    }
    session.say(format!("Damaged: {found}"));
    session.note("hint: `cargo xtask db-verify --all` reads the rest; take a new backup now");
}

fn document(
    session: &mut Session,
    vault: &Vault,
    chosen: &Chosen<'_>,
    found: &Found,
) -> Result<()> {
    if !session.wants_json() {
        return Ok(());
    }
    let now = session.now();
    let backups = vault.backups()?;
    let damaged = found.damaged.iter().map(|damaged| tree::hex(&damaged.pack));
    session.document(&Document {
        version: VERSION,
        read: Read {
            percent: chosen.percent,
            packs: chosen.packs.len(),
            plain: chosen.plain.len(),
            bytes: chosen.bytes,
            of_bytes: chosen.all_bytes,
        },
        damaged_packs: damaged.collect(),
        marked: &found.marked,
        backups: backups.iter().map(|backup| BackupDocument::of(backup, now)).collect(),
    });
    Ok(())
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

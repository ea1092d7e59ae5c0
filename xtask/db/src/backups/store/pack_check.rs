//! Checks packs: every block is read once, for all backups together.
//!
//! Two threads read, a few blocks at a time. Damaged blocks are remembered by their ids, so that
//! the page lists show afterwards which backups are affected.

use std::collections::{BTreeSet, HashSet};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backups::store::file_header::Newer;
use crate::backups::store::pack::{Pack, Unpacking};
use crate::backups::store::pack_folder::{self, FOLDER};
use crate::backups::store::pack_index::{Opened, Shelf};
use crate::backups::store::pack_readings::{Reading, Was};
use crate::backups::store::stored_database::{self, Stored};
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::threads;
use crate::sqlite::digest::tree::Id;

const N_THREADS: usize = 2;
/// Blocks that are read at once.
const WINDOW: u32 = 256;

/// A pack that does not match its name.
#[derive(Debug)]
pub(crate) struct Damaged {
    /// Its name.
    pub(crate) pack: Id,
    /// Text that follows "the pack X …".
    pub(crate) why: String,
    /// Whether its bytes were read and are wrong. Otherwise a newer version wrote it, or it is not
    /// a pack of ours.
    pub(crate) is_certain: bool,
    /// The ids of its damaged blocks.
    ids: HashSet<Id>,
}

/// Results of reading packs.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The damaged ones.
    pub(crate) damaged: Vec<Damaged>,
    /// Readings to record.
    pub(crate) readings: Vec<(Id, Reading)>,
}

/// Checks every pack of a backups folder: its bytes against its name, each block against its id. The
/// caller holds them.
///
/// # Errors
///
/// If the folder of packs cannot be read, or at the user's interrupt.
pub(crate) fn check(
    backups: &Path,
    now: DateTime<FixedOffset>,
    progress: &mut Progress,
) -> Result<Checked> {
    check_opened(backups, &Shelf::of(backups).packs()?, now, progress)
}

/// Checks the packs of some names, as [`check`].
///
/// # Errors
///
/// As [`check`].
pub(crate) fn check_named(
    backups: &Path,
    names: &BTreeSet<Id>,
    now: DateTime<FixedOffset>,
    progress: &mut Progress,
) -> Result<Checked> {
    check_opened(backups, &Shelf::of(backups).packs_named(names), now, progress)
}

fn check_opened(
    backups: &Path,
    packs: &[Opened],
    now: DateTime<FixedOffset>,
    progress: &mut Progress,
) -> Result<Checked> {
    let size = |opened: &Opened| opened.pack.as_ref().map_or(0, |pack| pack.size_bytes);
    progress.expect_bytes(packs.iter().map(size).sum());
    let interrupt = progress.interrupt().clone();
    let folder = &backups.join(FOLDER);
    let next = AtomicUsize::new(0);
    let mut checked = Checked::default();
    std::thread::scope(|scope| {
        let (done, results) = mpsc::channel();
        let (next, interrupt) = (&next, &interrupt);
        let one = move || {
            let opened = packs.get(next.fetch_add(1, Ordering::Relaxed))?;
            Some((size(opened), check_one(folder, opened, now, interrupt)))
        };
        for _ in 0..N_THREADS {
            let done = done.clone();
            let all = move || while one().is_some_and(|one| done.send(one).is_ok()) {};
            // The rest is checked below.
            let _ = threads::beside(scope, all);
        }
        drop(done);
        let mut n_done = 0;
        for (size_bytes, (damaged, reading)) in results.into_iter().chain(std::iter::from_fn(one)) {
            interrupt.check()?;
            n_done += size_bytes;
            progress.reach(n_done);
            checked.damaged.extend(damaged);
            checked.readings.extend(reading);
        }
        Ok::<(), anyhow::Error>(())
    })?;
    checked.damaged.sort_by_key(|damaged| damaged.pack);
    Ok(checked)
}

/// Checks one pack; the reading of a file that changed in the meantime is not recorded.
fn check_one(
    folder: &Path,
    opened: &Opened,
    now: DateTime<FixedOffset>,
    interrupt: &Interrupt,
) -> (Option<Damaged>, Option<(Id, Reading)>) {
    let name = opened.name;
    let before = pack_folder::look(folder, &name).ok().flatten();
    let damaged = damage_of(opened, interrupt);
    let after = pack_folder::look(folder, &name).ok().flatten();
    let identity = before.filter(|before| Some(*before) == after);
    let was = if damaged.is_none() { Was::Intact } else { Was::Damaged };
    let is_certain = damaged.as_ref().is_none_or(|damaged| damaged.is_certain);
    let reading = identity
        .filter(|_| is_certain)
        .map(|identity| (name, Reading { identity, at: now.timestamp(), was }));
    (damaged, reading)
}

/// `None` if all is well.
fn damage_of(opened: &Opened, interrupt: &Interrupt) -> Option<Damaged> {
    let mut damaged =
        Damaged { pack: opened.name, why: String::new(), is_certain: true, ids: HashSet::new() };
    let pack = match &opened.pack {
        Ok(pack) => pack,
        Err(error) => {
            damaged.is_certain = !is_withheld(error);
            damaged.why = match error.downcast_ref::<Newer>() {
                Some(newer) => format!("has version {}: update xtask-db to read it", newer.version),
                None => format!("cannot be read: {}", error.root_cause()),
            };
            return Some(damaged);
        }
    };
    let intact = pack.is_intact();
    let blocks = check_blocks(pack, &mut damaged.ids, interrupt);
    damaged.is_certain =
        ![intact.as_ref().err(), blocks.as_ref().err()].into_iter().flatten().any(is_withheld);
    damaged.why = match (intact, blocks) {
        (Err(error), _) | (_, Err(error)) => format!("cannot be read: {}", error.root_cause()),
        (Ok(true), Ok(())) if damaged.ids.is_empty() => return None,
        (Ok(_), Ok(())) => "is damaged: its bytes do not match its name".to_owned(),
    };
    Some(damaged)
}

/// Whether nothing is known of a pack because it may not be read, or has a newer version.
fn is_withheld(error: &anyhow::Error) -> bool {
    let is_forbidden = |cause: &std::io::Error| cause.kind() == ErrorKind::PermissionDenied;
    error.downcast_ref::<Newer>().is_some()
        || error.chain().filter_map(|cause| cause.downcast_ref()).any(is_forbidden)
}

fn check_blocks(pack: &Pack, wrong: &mut HashSet<Id>, interrupt: &Interrupt) -> Result<()> {
    let file = fs_err::File::open(&pack.path)?;
    let mut unpacking = Unpacking::new()?;
    for section in &pack.sections {
        let (mut first, end) = (section.first_entry, section.first_entry + section.n_blocks);
        while first < end {
            interrupt.check()?;
            for entry in pack.entries(&file, first, WINDOW.min(end - first))? {
                let is_right = pack.stored(&file, &entry).and_then(|stored| {
                    Pack::is_right(&entry, &stored, section.block_bytes, &mut unpacking)
                });
                if !is_right.unwrap_or(false) {
                    wrong.insert(entry.id);
                }
            }
            first += WINDOW.min(end - first);
        }
    }
    Ok(())
}

/// Demands that a stored backup needs no damaged block.
///
/// # Errors
///
/// [`crate::sqlite::examination::finding::Damage`], which names the pack, if it does or a block is missing
/// altogether; or at the user's interrupt.
pub(crate) fn demand_undamaged(
    stored: &Stored,
    damaged: &[Damaged],
    interrupt: &Interrupt,
) -> Result<()> {
    if damaged.iter().all(|damaged| damaged.ids.is_empty()) {
        return Ok(());
    }
    let mut reader = stored.reader()?;
    for number in 0..stored.cut().n_blocks() {
        if number.is_multiple_of(4096) {
            interrupt.check()?;
        }
        let (pack, entry) = reader.demand(number)?;
        let is_here = |damaged: &&Damaged| damaged.pack == pack.name;
        let is_suspect = |damaged: &Damaged| damaged.ids.contains(&entry.id);
        // If only the entry's note of its position is wrong, the block is right where the list has it.
        if damaged.iter().find(is_here).is_some_and(is_suspect) && reader.block(number).is_err() {
            return Err(stored_database::damaged(pack).into());
        }
    }
    Ok(())
}

//! Checking the packs: every block of each is read once, for all backups together.
//!
//! Two threads read, a few blocks at a time. What is damaged is kept by its id, so that afterwards the
//! page lists tell which backups it touches.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use anyhow::Result;

use crate::finding::Damage;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::store::list::Newer;
use crate::store::pack::{Pack, Unpacking};
use crate::store::shelf::{self, Shelf};
use crate::store::stored::Stored;
use crate::store::tree::Id;

const N_THREADS: usize = 2;
/// Blocks that are read at once.
const WINDOW: u32 = 256;

/// A pack that is not what it should be.
#[derive(Debug)]
pub(crate) struct Damaged {
    /// Its name.
    pub(crate) pack: Id,
    /// What follows "the pack X …".
    pub(crate) why: String,
    /// The ids of its damaged blocks.
    ids: HashSet<Id>,
}

/// A pack in the folder, and what went wrong where it cannot be opened.
type Opened = (Id, Result<Pack>);

/// Checks every pack of a backups folder: its bytes against its name, each block against its id. The
/// caller holds them.
///
/// # Errors
///
/// Where the folder of packs cannot be read, or at the user's interrupt.
pub(crate) fn check(backups: &Path, progress: &mut Progress) -> Result<Vec<Damaged>> {
    let packs = Shelf::of(backups).packs()?;
    let size = |opened: &Opened| opened.1.as_ref().map_or(0, |pack| pack.size_bytes);
    progress.expect_bytes(packs.iter().map(size).sum());
    let interrupt = progress.interrupt().clone();
    let next = AtomicUsize::new(0);
    let mut damaged = Vec::new();
    std::thread::scope(|scope| {
        let (done, results) = mpsc::channel();
        for _ in 0..N_THREADS {
            let (done, packs, next, interrupt) = (done.clone(), &packs, &next, &interrupt);
            scope.spawn(move || {
                while let Some(opened) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if done.send((size(opened), check_one(opened, interrupt))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let mut n_done = 0;
        for (size_bytes, result) in results {
            interrupt.check()?;
            n_done += size_bytes;
            progress.reach(n_done);
            damaged.extend(result);
        }
        Ok::<(), anyhow::Error>(())
    })?;
    damaged.sort_by_key(|damaged| damaged.pack);
    Ok(damaged)
}

/// `None` where all is well.
fn check_one((name, opened): &Opened, interrupt: &Interrupt) -> Option<Damaged> {
    let mut damaged = Damaged { pack: *name, why: String::new(), ids: HashSet::new() };
    let pack = match opened {
        Ok(pack) => pack,
        Err(error) => {
            damaged.why = match error.downcast_ref::<Newer>() {
                Some(newer) => format!("has version {}: update xtask-db to read it", newer.version),
                None => format!("cannot be read: {}", error.root_cause()),
            };
            return Some(damaged);
        }
    };
    let intact = pack.is_intact();
    let blocks = check_blocks(pack, &mut damaged.ids, interrupt);
    damaged.why = match (intact, blocks) {
        (Err(error), _) | (_, Err(error)) => format!("cannot be read: {}", error.root_cause()),
        (Ok(true), Ok(())) if damaged.ids.is_empty() => return None,
        (Ok(_), Ok(())) => "is damaged: its bytes are not what its name says".to_owned(),
    };
    Some(damaged)
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
/// [`Damage`], which names the pack, where it does or a block is missing altogether; or at the user's
/// interrupt.
pub(crate) fn demand_undamaged(
    stored: &Stored,
    damaged: &[Damaged],
    interrupt: &Interrupt,
) -> Result<()> {
    if damaged.iter().all(|damaged| damaged.ids.is_empty()) {
        return Ok(());
    }
    let mut reader = stored.reader()?;
    for number in 0..stored.shape().n_blocks() {
        if number.is_multiple_of(4096) {
            interrupt.check()?;
        }
        let (pack, entry) = reader.demand(number)?;
        let is_here = |damaged: &&Damaged| damaged.pack == pack.name;
        if damaged.iter().find(is_here).is_some_and(|damaged| damaged.ids.contains(&entry.id)) {
            let pack = shelf::said(&pack.name);
            return Err(Damage(format!("page data is damaged: in the pack `{pack}`")).into());
        }
    }
    Ok(())
}

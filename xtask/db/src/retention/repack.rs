//! Carries out a reclaim plan: copies what is needed into new packs, then removes the old ones.
//!
//! Old packs are removed only when the new ones are on the disk under their names, so that a kill
//! or a full disk loses nothing and the next pruning continues; and only while nobody reads. A
//! block is compared with its id before it is copied: a pack with a damaged one stays as it is.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::backups::page_lists;
use crate::backups::store::intake::new_packs::{self, NewPacks};
use crate::backups::store::pack::writer::{Finished, Writing};
use crate::backups::store::pack::{Content, Entry, Origin, Pack, Unpacking};
use crate::backups::store::pack_folder;
use crate::backups::store::used_blocks::Counted;
use crate::backups::writer::Locked;
use crate::console::progress::Progress;
use crate::files::publish;
use crate::retention::repack_plan::{self, Left, Plan, alone};
use crate::sqlite::digest::tree::Id;

/// Result of reclaiming space.
#[derive(Debug, Default)]
pub(crate) struct Reclaimed {
    /// Packs that were removed because nothing in them was needed.
    pub(crate) n_removed: u64,
    /// Packs that were removed because new ones contain the blocks that were needed.
    pub(crate) n_rewritten: u64,
    /// Bytes freed on the disk.
    pub(crate) freed_bytes: u64,
    /// Whether another process was reading, so that not everything could be done.
    pub(crate) is_read: bool,
    /// Packs that stay as they are, and why.
    pub(crate) left: Vec<Left>,
}

/// Reclaims the blocks to which no page list in the folder refers.
///
/// # Errors
///
/// [`repack_plan::Unreadable`], if the disk is full or fails, or at the user's interrupt; nothing
/// that is needed is lost then.
pub(crate) fn reclaim(
    locked: &Locked<'_>,
    extent: repack_plan::Extent,
    progress: &mut Progress,
) -> Result<Reclaimed> {
    let backups = locked.vault().folder();
    let lists = page_lists::find(backups)?;
    let plan = repack_plan::plan(backups, &lists, extent, progress.interrupt())?;
    if plan.is_empty() {
        return Ok(Reclaimed { left: plan.left, ..Reclaimed::default() });
    }
    apply(locked, plan, progress)
}

fn apply(locked: &Locked<'_>, plan: Plan, progress: &mut Progress) -> Result<Reclaimed> {
    progress.expect_bytes(plan.live_bytes());
    let folder = locked.vault().folder().join(pack_folder::FOLDER);
    let mut reclaimed = Reclaimed { left: plan.left, ..Reclaimed::default() };
    // First what makes room for the rest.
    reclaimed.n_removed = remove(&folder, &plan.remove, &mut reclaimed)?;
    if reclaimed.is_read {
        return Ok(reclaimed);
    }
    let mut work = Work::new(&folder, reclaimed)?;
    for counted in plan.rewrite {
        if work.reclaimed.is_read {
            break;
        }
        progress.interrupt().check()?;
        work.carry(counted, progress)?;
    }
    work.shelve()?;
    let Work { mut reclaimed, new_bytes, .. } = work;
    reclaimed.freed_bytes = reclaimed.freed_bytes.saturating_sub(new_bytes);
    Ok(reclaimed)
}

/// Removes packs while nobody reads; returns how many.
fn remove(folder: &Path, packs: &[Pack], reclaimed: &mut Reclaimed) -> Result<u64> {
    if packs.is_empty() {
        return Ok(0);
    }
    let Some(_alone) = alone(folder)? else {
        reclaimed.is_read = true;
        return Ok(0);
    };
    for pack in packs {
        publish::remove(&pack.path)?;
        reclaimed.freed_bytes += pack.size_bytes;
    }
    publish::sync_folder(folder)?;
    Ok(packs.len() as u64)
}

/// New packs in progress, and the results for the old ones.
struct Work<'f> {
    folder: &'f Path,
    writing: Option<Writing>,
    /// Old packs of which everything needed is in new ones, the current one included.
    carried: Vec<Pack>,
    /// The names of the new ones.
    new: BTreeSet<Id>,
    unpacking: Unpacking,
    reclaimed: Reclaimed,
    /// The size of the new packs.
    new_bytes: u64,
    n_done: u64,
}

/// The part of a pack that is needed, compared with its ids.
#[derive(Default)]
struct Needed {
    bytes: Vec<u8>,
    blocks: Vec<Carried>,
}

struct Carried {
    origin: Origin,
    entry: Entry,
    stored: Range<usize>,
    block_bytes: u32,
}

impl<'f> Work<'f> {
    fn new(folder: &'f Path, reclaimed: Reclaimed) -> Result<Self> {
        Ok(Self {
            folder,
            writing: None,
            carried: Vec::new(),
            new: BTreeSet::new(),
            unpacking: Unpacking::new()?,
            reclaimed,
            new_bytes: 0,
            n_done: 0,
        })
    }

    /// Moves the needed blocks of a pack, or leaves the pack as it is if one of them is damaged.
    fn carry(&mut self, counted: Counted, progress: &mut Progress) -> Result<()> {
        let needed = match read(&counted, &mut self.unpacking) {
            Ok(needed) => needed,
            Err(error) => {
                let why = format!("is damaged: {}", error.root_cause());
                self.reclaimed.left.push(Left { pack: counted.pack.name, why });
                return Ok(());
            }
        };
        // Pages and chunks stay in packs of their own, so that a build that knows no chunks reads all pages.
        let content = counted.pack.content;
        if self.writing.as_ref().is_some_and(|writing| writing.content() != content) {
            self.shelve()?;
        }
        for block in &needed.blocks {
            let writing = match &mut self.writing {
                Some(writing) => writing,
                None => self.writing.insert(Writing::begin(self.folder, content)?),
            };
            let stored = &needed.bytes[block.stored.clone()];
            writing.carry(block.origin, &block.entry, stored, block.block_bytes)?;
            if writing.is_full() {
                self.shelve()?;
            }
        }
        self.n_done += counted.live_bytes;
        progress.reach(self.n_done);
        self.carried.push(counted.pack);
        Ok(())
    }

    /// Finishes the pack in the making, and removes the old ones that it replaces.
    fn shelve(&mut self) -> Result<()> {
        if let Some(writing) = self.writing.take() {
            let finished: Finished = writing.finish()?;
            let mut new = NewPacks::default();
            new_packs::shelve(self.folder, &finished, &mut new)?;
            publish::sync_folder(self.folder)?;
            self.new_bytes += new.size_bytes;
            new.keep();
            self.new.insert(finished.name);
        }
        let mut carried = std::mem::take(&mut self.carried);
        // A pack that was just written is never one to remove.
        carried.retain(|pack| !self.new.contains(&pack.name));
        self.reclaimed.n_rewritten += remove(self.folder, &carried, &mut self.reclaimed)?;
        Ok(())
    }
}

/// Reads the needed blocks of a pack.
fn read(counted: &Counted, unpacking: &mut Unpacking) -> Result<Needed> {
    let pack = &counted.pack;
    let file = fs_err::File::open(&pack.path)?;
    let mut needed = Needed::default();
    for section in &pack.sections {
        let first = section.first_entry;
        let entries = pack.entries(&file, first, section.n_blocks)?;
        for (n, entry) in (0..section.n_blocks).zip(entries) {
            if !counted.is_live(first + n) {
                continue;
            }
            let stored = pack.stored(&file, &entry)?;
            let is_right = Pack::is_right(&entry, &stored, section.block_bytes, unpacking)
                .context("a page cannot be unpacked")?;
            ensure!(is_right, "a page is not what it was");
            let begin = needed.bytes.len();
            needed.bytes.extend_from_slice(&stored);
            needed.blocks.push(Carried {
                origin: Origin { pack: section.origin, slot: section.first_slot + n },
                entry,
                stored: begin..needed.bytes.len(),
                block_bytes: match pack.content {
                    Content::Pages => section.block_bytes,
                    Content::Chunks => entry.plain_bytes(&stored),
                },
            });
        }
    }
    Ok(needed)
}

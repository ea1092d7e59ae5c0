//! New blocks on their way into packs, and packs on their way to their names.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use anyhow::{Context as _, Result};

use crate::durable::{self, Published};
use crate::store::pack;
use crate::store::pack::writing::{Finished, Packing, Writing};
use crate::store::tree::{Id, Shape};

/// Packs that no list names yet; they remove themselves unless they are kept.
#[derive(Debug, Default)]
pub(crate) struct NewPacks {
    paths: Vec<PathBuf>,
    /// The names of those that were read back, also of those that were there already.
    pub(crate) read: Vec<Id>,
    /// Size of their files.
    pub(crate) size_bytes: u64,
}

impl NewPacks {
    /// A list names them now.
    pub(crate) fn keep(&mut self) {
        self.paths.clear();
    }
}

impl Drop for NewPacks {
    fn drop(&mut self) {
        for path in &self.paths {
            // Where even this fails, pruning finds that nobody names it.
            let _ = durable::remove(path);
        }
    }
}

/// A block on its way into a pack.
pub(super) struct Block {
    pub(super) id: Id,
    pub(super) number: u32,
    pub(super) bytes: Vec<u8>,
}

/// What became of one new pack.
pub(super) struct Shelved {
    pub(super) name: Id,
    pub(super) n_entries: u32,
}

/// Packs blocks until no more come.
pub(super) fn pack_all(
    folder: &Path,
    blocks: mpsc::Receiver<Vec<Block>>,
    finished: &mpsc::SyncSender<Finished>,
    (level, shape): (i32, Shape),
) -> Result<()> {
    let block_bytes = u32::try_from(shape.block_bytes)?;
    let mut packing = Packing::new(level)?;
    let mut writing: Option<Writing> = None;
    for block in blocks.into_iter().flatten() {
        let pack = match &mut writing {
            Some(pack) => pack,
            None => writing.insert(Writing::begin(folder)?),
        };
        pack.append((block.id, block.number), &packing.pack(&block.bytes)?, block_bytes)?;
        if let Some(full) = writing.take_if(|pack| pack.is_full()) {
            finished.send(full.finish()?).context("the shelving thread ended early")?;
        }
    }
    if let Some(last) = writing {
        finished.send(last.finish()?).context("the shelving thread ended early")?;
    }
    Ok(())
}

/// Syncs packs and gives them their names.
pub(super) fn shelve_all(
    folder: &Path,
    packs: mpsc::Receiver<Finished>,
) -> Result<(Vec<Shelved>, NewPacks)> {
    let (mut shelved, mut new) = (Vec::new(), NewPacks::default());
    for pack in packs {
        shelve(folder, &pack, &mut new)?;
        shelved.push(Shelved { name: pack.name, n_entries: pack.n_entries });
    }
    if !shelved.is_empty() {
        durable::sync_folder(folder)?;
    }
    Ok((shelved, new))
}

/// Syncs a pack, reads it back and gives it its name; where a pack of that name is there and is what it says, nothing
/// is needed. The folder is not synced yet.
///
/// # Errors
///
/// Where the disk fails.
pub(crate) fn shelve(folder: &Path, pack: &Finished, new: &mut NewPacks) -> Result<()> {
    pack.stage.sync()?;
    let is_kept = pack::is_intact(pack.stage.path(), &pack.name)?;
    anyhow::ensure!(is_kept, "the disk did not keep what was written to a pack");
    let path = folder.join(pack::file_name(&pack.name));
    match pack.stage.publish(&path)? {
        Published::Yes => {
            new.paths.push(path);
            new.size_bytes += pack.size_bytes;
        }
        Published::NameTaken => {
            if !pack::is_intact(&path, &pack.name).unwrap_or(false) {
                // It is damaged: its own content takes its place.
                pack.stage.replace(&path)?;
            }
        }
    }
    new.read.push(pack.name);
    Ok(())
}

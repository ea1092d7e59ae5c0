//! New blocks on their way into packs, and packs on their way to their final names.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::backups::store::pack::writer::{Finished, Packing, Writing};
use crate::backups::store::pack::{self, Content};
use crate::console::threads::{Lane, Step};
use crate::files::publish::{self, Published};
use crate::sqlite::digest::database::Hashes;
use crate::sqlite::digest::tree::Id;

/// Packs that no list names yet; they remove themselves unless they are kept.
#[derive(Debug, Default)]
pub(crate) struct NewPacks {
    paths: Vec<PathBuf>,
    /// The names of the packs that were read back, including those that already existed.
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
            // If even this fails, pruning finds that no list refers to it.
            let _ = publish::remove(path);
        }
    }
}

/// A list that has no name yet. The new packs are on the disk under their names, and are removed again
/// if no list names them.
pub(crate) struct NewList {
    /// The bytes of its file.
    pub(crate) list: Vec<u8>,
    /// The hashes of the backup.
    pub(crate) hashes: Hashes,
    /// The new packs.
    pub(crate) packs: NewPacks,
    /// The known backup, by its place, from which every group of a database was adopted: each of its blocks was looked up, and
    /// has the id that the database has there.
    pub(crate) adopted_from: Option<usize>,
}

/// A block to be written into a pack.
pub(crate) struct Block {
    /// Its id.
    pub(crate) id: Id,
    /// Its number in its database, or [`LONE`](pack::LONE).
    pub(crate) number: u32,
    /// The size of a page, or of this chunk.
    pub(crate) size_bytes: u32,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Result of publishing one new pack.
#[derive(Debug)]
pub(crate) struct Shelved {
    pub(super) name: Id,
    pub(super) n_entries: u32,
}

/// Packs blocks.
pub(crate) struct Packer<'s> {
    folder: &'s Path,
    content: Content,
    packing: Packing,
    writing: Option<Writing>,
    shelving: Lane<'s, Finished, Shelving<'s>>,
}

impl<'s> Packer<'s> {
    /// Packs into a folder; full packs continue to be shelved.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(crate) fn new(
        folder: &'s Path,
        shelving: Lane<'s, Finished, Shelving<'s>>,
        level: i32,
        content: Content,
    ) -> Result<Self> {
        Ok(Self { folder, content, packing: Packing::new(level)?, writing: None, shelving })
    }
}

impl Step<Vec<Block>> for Packer<'_> {
    type Done = (Vec<Shelved>, NewPacks);

    fn take(&mut self, blocks: Vec<Block>) -> Result<()> {
        for block in blocks {
            let pack = match &mut self.writing {
                Some(pack) => pack,
                None => self.writing.insert(Writing::begin(self.folder, self.content)?),
            };
            let packed = self.packing.pack(&block.bytes)?;
            pack.append(block.id, block.number, &packed, block.size_bytes)?;
            if let Some(full) = self.writing.take_if(|pack| pack.is_full()) {
                self.shelving.send(full.finish()?)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Self::Done> {
        if let Some(last) = self.writing {
            self.shelving.send(last.finish()?)?;
        }
        self.shelving.finish()
    }
}

/// Syncs packs and gives them their names.
pub(crate) struct Shelving<'s> {
    folder: &'s Path,
    shelved: Vec<Shelved>,
    new: NewPacks,
}

impl<'s> Shelving<'s> {
    /// Into a folder of packs.
    pub(crate) fn new(folder: &'s Path) -> Self {
        Self { folder, shelved: Vec::new(), new: NewPacks::default() }
    }
}

impl Step<Finished> for Shelving<'_> {
    type Done = (Vec<Shelved>, NewPacks);

    fn take(&mut self, pack: Finished) -> Result<()> {
        shelve(self.folder, &pack, &mut self.new)?;
        self.shelved.push(Shelved { name: pack.name, n_entries: pack.n_entries });
        Ok(())
    }

    fn finish(self) -> Result<Self::Done> {
        if !self.shelved.is_empty() {
            publish::sync_folder(self.folder)?;
        }
        Ok((self.shelved, self.new))
    }
}

/// Syncs a pack, reads it back and gives it its name; if an intact pack of that name exists,
/// nothing is needed. The folder is not synced yet.
///
/// # Errors
///
/// If the disk fails.
pub(crate) fn shelve(folder: &Path, pack: &Finished, new: &mut NewPacks) -> Result<()> {
    pack.stage.sync()?;
    let is_kept = pack::is_kept(pack.stage.path(), &pack.name)?;
    anyhow::ensure!(is_kept, "the disk does not return what was written to a pack");
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

//! Adds a database to the store: finds the blocks that are there already, and packs the others.
//!
//! The bytes come in pieces, in order. A group of 64 KiB that a stored backup has at the same place
//! is recognized by one hash; otherwise each block is looked up in all of them. New blocks go into
//! new packs, which threads compress and sync. Existing files are not changed.

pub(crate) mod naming;
pub(crate) mod new_packs;

use std::path::Path;
use std::sync::mpsc;

use anyhow::{Context as _, Result};

use crate::backups::store::cut::Cut;
use crate::backups::store::intake::naming::Naming;
use crate::backups::store::intake::new_packs::{
    Block, NewList, NewPacks, Packer, Shelved, Shelving,
};
use crate::backups::store::pack::Content;
use crate::backups::store::pack::writer::{FIRST_LEVEL, LATER_LEVEL};
use crate::backups::store::page_list::{Address, List, Run};
use crate::backups::store::stored_database::{Reader, Stored, entry_number};
use crate::console::threads::{Lane, Step};
use crate::sqlite::digest;
use crate::sqlite::digest::database::{self, Hashes};
use crate::sqlite::digest::tree::{self, GROUP_BYTES, Id, Shape, Tree};
use crate::sqlite::header::{HEADER_LENGTH, Header};
use crate::sqlite::snapshot::copy;

/// The result of an intake.
pub(crate) struct Taken {
    /// The list and the new packs.
    pub(crate) new: NewList,
    /// The header of the database.
    pub(crate) header: Header,
}

/// The thread that compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// Another one than that which reads.
    Beside,
    /// The one that reads. A piece of a file is read so quickly that passing it on would cost more: it would have left the
    /// processor's cache.
    InTurn,
}

/// A database that is to be added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intake<'a> {
    /// The folder of packs.
    pub(crate) folder: &'a Path,
    /// The shape of the database.
    pub(crate) shape: Shape,
    /// The stored backups that it is compared with.
    pub(crate) known: &'a [Stored],
    /// The thread that compares.
    pub(crate) compare: Compare,
}

impl Intake<'_> {
    /// Takes it in; `source` sends its pieces, each a whole number of groups but the last, and takes
    /// spare ones back. `on_new` is called when the first new block is found.
    ///
    /// # Errors
    ///
    /// If the source fails or ends early, or the disk is full or fails; no new pack stays then.
    pub(crate) fn take(
        self,
        source: impl FnOnce(&mut copy::Send<'_>, &mpsc::Receiver<Vec<u8>>) -> Result<()>,
        on_new: impl FnOnce() + Send,
    ) -> Result<Taken> {
        const N_PIECES: usize = 6;
        const N_GROUPS: usize = 128;
        const N_PACKS: usize = 2;
        let Self { folder, shape, known, compare } = self;
        let (empty, spare) = mpsc::sync_channel::<Vec<u8>>(2 * N_PIECES);
        let level = if known.is_empty() { FIRST_LEVEL } else { LATER_LEVEL };
        let (compared, (shelved, packs)) = std::thread::scope(|scope| {
            let shelving = Lane::begin(scope, N_PACKS, Shelving::new(folder));
            let packing = Packer::new(folder, shelving, level, Content::Pages)?;
            let packing = Lane::begin(scope, N_GROUPS, packing);
            let known = (0..).zip(known).map(|(nth, stored)| Known::of(nth, stored));
            let known = known.collect::<Result<_>>()?;
            let (on_new, compared) = (Some(on_new), Compared::nothing_of(shape));
            let comparing = Comparing { known, packing, empty, on_new, compared };
            let mut comparing = match compare {
                Compare::Beside => Lane::begin(scope, N_PIECES, comparing),
                Compare::InTurn => Lane::here(comparing),
            };
            source(&mut |piece| comparing.send(piece), &spare)?;
            comparing.finish()
        })?;
        compared.finish(&shelved, packs)
    }
}

/// Compares incoming blocks with those that are already stored.
struct Comparing<'s, F> {
    known: Vec<Known<'s>>,
    packing: Lane<'s, Vec<Block>, Packer<'s>>,
    /// Channel that returns pieces after they were compared.
    empty: mpsc::SyncSender<Vec<u8>>,
    on_new: Option<F>,
    compared: Compared,
}

/// Results of the comparison so far.
struct Compared {
    shape: Shape,
    n_bytes: u64,
    naming: Naming,
    whole: Tree,
    content: Tree,
    header: Option<Header>,
    /// The known backup that has every group, by its place.
    adopted_from: Option<usize>,
}

/// A stored backup that is compared, and the group of it that was read last.
struct Known<'s> {
    stored: &'s Stored,
    /// Its place among the known ones.
    nth: usize,
    /// Groups that were adopted from it.
    n_adopted: u64,
    reader: Reader<'s>,
    /// The place of each of its packs among those of the new list.
    places: Vec<Option<u32>>,
    group: Option<u64>,
    blocks: Vec<Option<(Address, Id)>>,
    /// The group that was hashed last, if its list has it in one run.
    run: Option<Run>,
}

impl<F: FnOnce()> Comparing<'_, F> {
    fn piece(&mut self, piece: &[u8]) -> Result<()> {
        if self.compared.header.is_none() {
            let header: Option<[u8; HEADER_LENGTH]> =
                piece.get(..HEADER_LENGTH).and_then(|bytes| bytes.try_into().ok());
            self.compared.header = header.map(Header);
        }
        for bytes in piece.chunks(digest::GROUP_BYTES) {
            let group = self.compared.n_bytes / GROUP_BYTES;
            self.group(group, bytes)?;
            self.compared.n_bytes += bytes.len() as u64;
        }
        Ok(())
    }

    fn group(&mut self, group: u64, bytes: &[u8]) -> Result<()> {
        let shape = self.compared.shape;
        let is_only = shape.size_bytes <= GROUP_BYTES;
        // The only group is the file itself; its blocks are compared one by one.
        if is_only {
            return self.blocks(group, bytes);
        }
        let hash = tree::subtree(group * GROUP_BYTES, bytes);
        for at in 0..self.known.len() {
            if self.known[at].hash_of(group)? == Some(hash) {
                self.adopt(at)?;
                self.known[at].n_adopted += 1;
                self.compared.push(hash, group, bytes);
                // The nearest one is asked first.
                self.known[..=at].rotate_right(1);
                return Ok(());
            }
        }
        self.compared.push(hash, group, bytes);
        self.blocks(group, bytes)
    }

    /// Takes over all blocks of the group that was read last.
    fn adopt(&mut self, at: usize) -> Result<()> {
        if let Some(run) = self.known[at].run {
            let pack = self.place_of(at, run.first.pack)?;
            let first = Address { pack, ..run.first };
            self.compared.naming.push_run(Run { first, ..run });
            return Ok(());
        }
        for nth in 0..self.known[at].blocks.len() {
            let found = self.known[at].blocks[nth];
            self.adopt_one(at, found.context("a known block is missing")?.0)?;
        }
        Ok(())
    }

    fn adopt_one(&mut self, at: usize, address: Address) -> Result<()> {
        let pack = self.place_of(at, address.pack)?;
        self.compared.naming.push(Address { pack, slot: address.slot });
        Ok(())
    }

    /// The place in the new list of a pack of a known one.
    fn place_of(&mut self, at: usize, pack: u32) -> Result<u32> {
        let known = &mut self.known[at];
        let place = &mut known.places[pack as usize];
        if let Some(pack) = *place {
            return Ok(pack);
        }
        let name = known.stored.list().packs[pack as usize];
        Ok(*place.insert(self.compared.naming.place_of(name)?))
    }

    fn blocks(&mut self, group: u64, bytes: &[u8]) -> Result<()> {
        let shape = self.compared.shape;
        let is_only = shape.size_bytes <= GROUP_BYTES;
        let block_bytes = usize::try_from(shape.block_bytes)?;
        for at in 0..self.known.len() {
            self.known[at].load(group)?;
        }
        let mut new = Vec::new();
        for (nth, block) in bytes.chunks(block_bytes).enumerate() {
            let number = group * shape.group_blocks() + nth as u64;
            let id = shape.id(number, block);
            if is_only {
                self.compared.push(id, number, block);
            }
            let found = (0..self.known.len()).find_map(|at| {
                let (address, known) = (*self.known[at].blocks.get(nth)?)?;
                (known == id).then_some((at, address))
            });
            if let Some((at, address)) = found {
                self.adopt_one(at, address)?;
            } else {
                let number = entry_number(shape, number)?;
                self.add()?;
                let size_bytes = u32::try_from(shape.block_bytes)?;
                new.push(Block { id, number, size_bytes, bytes: block.to_vec() });
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        self.packing.send(new)
    }

    fn add(&mut self) -> Result<()> {
        if let Some(on_new) = self.on_new.take() {
            on_new();
        }
        self.compared.naming.push_new().map(drop).context("the database has too many pages")
    }
}

impl<F: FnOnce()> Step<Vec<u8>> for Comparing<'_, F> {
    type Done = (Compared, (Vec<Shelved>, NewPacks));

    fn take(&mut self, mut piece: Vec<u8>) -> Result<()> {
        self.piece(&piece)?;
        piece.clear();
        let _ = self.empty.try_send(piece);
        Ok(())
    }

    fn finish(mut self) -> Result<Self::Done> {
        let n_groups = self.compared.n_bytes.div_ceil(GROUP_BYTES);
        let whole = self.known.iter().find(|known| n_groups > 0 && known.n_adopted == n_groups);
        self.compared.adopted_from = whole.map(|known| known.nth);
        Ok((self.compared, self.packing.finish()?))
    }
}

impl<'s> Known<'s> {
    /// Compares with a stored backup, none of whose groups was read yet.
    fn of(nth: usize, stored: &'s Stored) -> Result<Self> {
        let places = vec![None; stored.list().packs.len()];
        let reader = stored.reader()?;
        Ok(Self {
            stored,
            nth,
            n_adopted: 0,
            reader,
            places,
            group: None,
            blocks: Vec::new(),
            run: None,
        })
    }

    /// The hash of a group. In one run, as nearly all are, it is hashed without looking up each block.
    fn hash_of(&mut self, group: u64) -> Result<Option<Id>> {
        const MAX_BLOCKS: usize = 128;
        let shape = self.stored.shape();
        let first = group * shape.group_blocks();
        let n_blocks = shape.group_blocks().min(shape.n_blocks().saturating_sub(first));
        self.run = None;
        if shape.size_bytes > GROUP_BYTES && self.group != Some(group) {
            let n_wanted = u32::try_from(n_blocks)?;
            if let Some((address, entries)) = self.reader.look_up_run(first, n_wanted)? {
                let mut ids = [Id::default(); MAX_BLOCKS];
                let ids = &mut ids[..entries.len().min(MAX_BLOCKS)];
                for (nth, id) in ids.iter_mut().enumerate() {
                    *id = entries[nth].id;
                }
                let is_whole = ids.len() == entries.len();
                if let Some(hash) = is_whole.then(|| tree::merged(ids)).flatten() {
                    self.run = Some(Run { first: address, n_blocks: n_wanted });
                    return Ok(Some(hash));
                }
            }
        }
        self.load(group)?;
        Ok(self.hash())
    }

    /// Looks a group up, once.
    fn load(&mut self, group: u64) -> Result<()> {
        if self.group == Some(group) {
            return Ok(());
        }
        let shape = self.stored.shape();
        let first = group * shape.group_blocks();
        let last = (first + shape.group_blocks()).min(shape.n_blocks());
        self.blocks.clear();
        for number in first..last {
            let found = self.reader.look_up(number)?;
            self.blocks.push(found.map(|(address, entry)| (address, entry.id)));
        }
        self.group = Some(group);
        Ok(())
    }

    /// The hash of the group, if the group is complete and part of a larger file.
    fn hash(&self) -> Option<Id> {
        let mut tree = Tree::default();
        if self.stored.shape().size_bytes <= GROUP_BYTES {
            return None;
        }
        for block in &self.blocks {
            tree.push((*block)?.1);
        }
        tree.subtree()
    }
}

impl Compared {
    /// The state before any piece was received.
    fn nothing_of(shape: Shape) -> Self {
        Self {
            shape,
            n_bytes: 0,
            naming: Naming::default(),
            whole: Tree::default(),
            content: Tree::default(),
            header: None,
            adopted_from: None,
        }
    }

    /// Adds a subtree to the hashes of the file. The first contains the header.
    fn push(&mut self, hash: Id, number: u64, bytes: &[u8]) {
        self.whole.push(hash);
        if number > 0 {
            return self.content.push(hash);
        }
        let masked = database::masked(bytes);
        self.content.push(if bytes.len() as u64 == self.shape.size_bytes {
            tree::lone_id(&masked)
        } else {
            tree::subtree(0, &masked)
        });
    }

    fn finish(self, shelved: &[Shelved], packs: NewPacks) -> Result<Taken> {
        let shape = self.shape;
        anyhow::ensure!(
            self.n_bytes == shape.size_bytes,
            "read {} bytes of {}",
            self.n_bytes,
            shape.size_bytes
        );
        let root = self.whole.clone().root();
        let hashes = Hashes {
            blake3: tree::hex(&root),
            content_blake3: tree::hex(&self.content.clone().root()),
        };
        let (named, runs) = self.naming.settle(shelved)?;
        let list = List::encode(Cut::Pages(shape), &root, &named, &runs)?;
        let header = self.header.context("the database has no pages")?;
        let adopted_from = self.adopted_from;
        Ok(Taken { new: NewList { list, hashes, packs, adopted_from }, header })
    }
}

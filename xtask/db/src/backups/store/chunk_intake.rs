//! Adds a dump to the store: cuts its SQL into chunks, finds those that are there already, and packs the
//! others.
//!
//! The content decides where a chunk ends (`FastCDC`,
//! <https://www.usenix.org/conference/atc16/technical-sessions/presentation/xia>), so that rows that are
//! inserted or removed change the chunks around them only. A chunk is known by the hash of its bytes,
//! wherever it is.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::Scope;

use anyhow::{Context as _, Result};
use fastcdc::v2020::{Normalization, cut, select_masks};

use crate::backups::store::cut::Cut;
use crate::backups::store::intake::naming::{NEW, Naming};
use crate::backups::store::intake::new_packs::{Block, NewList, Packer, Shelving};
use crate::backups::store::pack::writer::{FIRST_LEVEL, LATER_LEVEL};
use crate::backups::store::pack::{Content, LONE};
use crate::backups::store::page_list::{Address, List};
use crate::backups::store::stored_database::Stored;
use crate::backups::store::stored_dump::Root;
use crate::console::threads::{Lane, Step};
use crate::sqlite::digest::database::Hashes;
use crate::sqlite::digest::tree::{self, Id};

/// Chunks have 4 to 5 KiB on average. Of 282 MB of SQL, a first checkpoint takes 117 MB, and one after 0.1 %
/// changed rows 2.0 MB; with chunks of twice the size, it would be 113 MB and 3.4 MB.
const MIN_BYTES: usize = 1 << 10;
const AVERAGE_BYTES: usize = 4 << 10;
const MAX_BYTES: usize = 16 << 10;
/// How much is cut at once.
const WINDOW_BYTES: usize = 1 << 20;
/// Groups of new chunks, and packs, that may wait for a thread.
const N_GROUPS: usize = 32;
const N_PACKS: usize = 2;

/// A dump on its way into the store.
pub(crate) struct Intake<'s> {
    masks: (u64, u64),
    /// What was not cut yet.
    rest: Vec<u8>,
    known: HashMap<Id, Address>,
    /// The packs of the known chunks, and their places among those of the new list.
    packs: Vec<(Id, Option<u32>)>,
    naming: Naming,
    new: Vec<Block>,
    packing: Lane<'s, Vec<Block>, Packer<'s>>,
    root: Root,
    size_bytes: u64,
    n_chunks: u64,
}

impl<'s> Intake<'s> {
    /// Begins to add a dump to a folder of packs; it is compared with stored ones.
    ///
    /// # Errors
    ///
    /// If a list is damaged, or there is no memory.
    pub(crate) fn begin(
        scope: &'s Scope<'s, '_>,
        folder: &'s Path,
        known: &[Stored],
    ) -> Result<Self> {
        let level = if known.is_empty() { FIRST_LEVEL } else { LATER_LEVEL };
        let shelving = Lane::begin(scope, N_PACKS, Shelving::new(folder));
        let packing = Packer::new(folder, shelving, level, Content::Chunks)?;
        let mut intake = Self {
            masks: select_masks(AVERAGE_BYTES, Normalization::Level1),
            rest: Vec::new(),
            known: HashMap::new(),
            packs: Vec::new(),
            naming: Naming::default(),
            new: Vec::new(),
            packing: Lane::begin(scope, N_GROUPS, packing),
            root: Root::default(),
            size_bytes: 0,
            n_chunks: 0,
        };
        known.iter().try_for_each(|stored| intake.learn(stored))?;
        Ok(intake)
    }

    /// Remembers the chunks of a stored dump that are where its list has them.
    fn learn(&mut self, stored: &Stored) -> Result<()> {
        let n_before = u32::try_from(self.packs.len())?;
        self.packs.extend(stored.list().packs.iter().map(|pack| (*pack, None)));
        let mut reader = stored.reader()?;
        for number in 0..stored.cut().n_blocks() {
            if let Some((Address { pack, slot }, entry)) = reader.look_up(number)? {
                let address = Address { pack: n_before + pack, slot };
                self.known.entry(entry.id).or_insert(address);
            }
        }
        Ok(())
    }

    /// Cuts chunks off until less than this is left.
    fn cut_down_to(&mut self, n_left: usize) -> Result<()> {
        let (strict, loose) = self.masks;
        let rest = std::mem::take(&mut self.rest);
        let mut at = 0;
        while rest.len() - at > n_left {
            let source = &rest[at..];
            let (_, n_bytes) = cut(
                source,
                MIN_BYTES,
                AVERAGE_BYTES,
                MAX_BYTES,
                strict,
                loose,
                strict << 1,
                loose << 1,
            );
            self.chunk(&source[..n_bytes])?;
            at += n_bytes;
        }
        self.rest = rest;
        self.rest.drain(..at);
        if self.new.is_empty() {
            return Ok(());
        }
        self.packing.send(std::mem::take(&mut self.new))
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
        let id = tree::lone_id(bytes);
        self.root.add(&id);
        self.size_bytes += bytes.len() as u64;
        self.n_chunks += 1;
        let Some(address) = self.known.get(&id).copied() else {
            let address = self.naming.push_new()?;
            self.known.insert(id, address);
            let size_bytes = u32::try_from(bytes.len())?;
            self.new.push(Block { id, number: LONE, size_bytes, bytes: bytes.to_vec() });
            return Ok(());
        };
        let pack = match address.pack {
            NEW => NEW,
            pack => {
                let (name, place) = &mut self.packs[pack as usize];
                match place {
                    Some(place) => *place,
                    None => *place.insert(self.naming.place_of(*name)?),
                }
            }
        };
        self.naming.push(Address { pack, ..address });
        Ok(())
    }
}

impl Step<Arc<Vec<u8>>> for Intake<'_> {
    /// The list, and the size of the SQL. The hash of its content is for the caller to add.
    type Done = (NewList, u64);

    fn take(&mut self, bytes: Arc<Vec<u8>>) -> Result<()> {
        self.rest.extend_from_slice(&bytes);
        if self.rest.len() < WINDOW_BYTES {
            return Ok(());
        }
        // A chunk may end later if more follows, but not beyond this.
        self.cut_down_to(MAX_BYTES)
    }

    fn finish(mut self) -> Result<Self::Done> {
        self.cut_down_to(0)?;
        let (shelved, packs) = self.packing.finish()?;
        let (named, runs) = self.naming.settle(&shelved).context("could not list the chunks")?;
        let cut = Cut::Chunks { size_bytes: self.size_bytes, n_chunks: self.n_chunks };
        let root = self.root.finish();
        let list = List::encode(cut, &root, &named, &runs)?;
        let hashes = Hashes { blake3: tree::hex(&root), content_blake3: String::new() };
        Ok((NewList { list, hashes, packs, adopted_from: None }, self.size_bytes))
    }
}

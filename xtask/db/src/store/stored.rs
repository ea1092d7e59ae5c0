//! A stored backup, open for reading: its page list, and the packs that hold its blocks.
//!
//! Every block is compared with its id on the way out, and the ids with the hash of the whole file
//! that the list names.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use crate::content::{self, Hashes};
use crate::interrupt::Interrupt;
use crate::store::list::{Address, Cursor, List, MOST_LIST_BYTES};
use crate::store::pack::{Entry, LONE, Pack, Unpacking};
use crate::store::shelf::{self, Places, Shelf};
use crate::store::tree::{self, Id, Shape, Tree};

/// Entries of one pack that are read at once.
const WINDOW: u32 = 256;
/// Packs that are open at once.
const MOST_FILES: usize = 64;

/// A stored backup.
#[derive(Debug)]
pub(crate) struct Stored {
    list: List,
    places: Places,
}

/// Reads the list at a path.
///
/// # Errors
///
/// Where it cannot be read, is damaged, or is of a newer version.
pub(crate) fn read_list(path: &Path) -> Result<List> {
    let size_bytes = fs_err::metadata(path)?.len();
    ensure!(size_bytes <= MOST_LIST_BYTES, "`{}` is far too large", path.display());
    let bytes = fs_err::read(path)?;
    List::decode(&bytes)
        .with_context(|| format!("could not read the page list `{}`", path.display()))
}

impl Stored {
    /// Finds the packs of a list.
    ///
    /// # Errors
    ///
    /// Where the folder of packs cannot be read.
    pub(crate) fn find(shelf: &mut Shelf, list: List) -> Result<Self> {
        let places = shelf.places(&list)?;
        Ok(Self { list, places })
    }

    /// The list.
    #[must_use]
    pub(crate) fn list(&self) -> &List {
        &self.list
    }

    /// Size of the database and of its blocks.
    #[must_use]
    pub(crate) fn shape(&self) -> Shape {
        self.list.shape
    }

    /// A reader at the beginning.
    ///
    /// # Errors
    ///
    /// Where there is no memory.
    pub(crate) fn reader(&self) -> Result<Reader<'_>> {
        Ok(Reader {
            stored: self,
            cursor: self.list.cursor(),
            windows: HashMap::new(),
            files: HashMap::new(),
            unpacking: Unpacking::new()?,
            loaded: (None, Vec::new()),
        })
    }

    /// Proves from the ids alone that every block is there and that together they are the file that the
    /// list names; but for the first, the blocks themselves are not read.
    ///
    /// # Errors
    ///
    /// Where one is missing, they are another file, or at the user's interrupt.
    pub(crate) fn prove(&self, interrupt: &Interrupt) -> Result<Hashes> {
        const CHECK_EVERY: u64 = 4096;
        let mut reader = self.reader()?;
        let (mut whole, mut content) = (Tree::default(), Tree::default());
        for number in 0..self.shape().n_blocks() {
            if number.is_multiple_of(CHECK_EVERY) {
                interrupt.check()?;
            }
            let id = if number > 0 {
                let id = reader.demand(number)?.1.id;
                content.push(id);
                id
            } else {
                let first = reader.block(0)?;
                content.push(self.shape().id(0, &content::masked(&first)));
                self.shape().id(0, &first)
            };
            whole.push(id);
        }
        let root = whole.root();
        ensure!(root == self.list.root, "its pages do not make up the file that its list names");
        Ok(Hashes { blake3: tree::hex(&root), content_blake3: tree::hex(&content.root()) })
    }
}

/// Reads blocks, each one's number not below the one's before.
#[derive(Debug)]
pub(crate) struct Reader<'s> {
    stored: &'s Stored,
    cursor: Cursor<'s>,
    /// The entries read last, by pack.
    windows: HashMap<Id, (u32, Vec<Entry>)>,
    files: HashMap<Id, fs_err::File>,
    unpacking: Unpacking,
    /// The blocks of the group that was looked up last: number, pack and entry.
    loaded: (Option<u64>, Vec<(u64, &'s Arc<Pack>, Entry)>),
}

impl<'s> Reader<'s> {
    /// The address of a block and its entry; `None` behind the last, and where no pack has it or its
    /// pack cannot be read.
    ///
    /// # Errors
    ///
    /// Where the list does not say what it should.
    pub(crate) fn look_up(&mut self, number: u64) -> Result<Option<(Address, Entry)>> {
        let Some(address) = self.cursor.seek(number)? else { return Ok(None) };
        let entry = self.stored.places.of(address).map(|place| self.entry(place.pack, place.entry));
        Ok(entry.and_then(Result::ok).map(|entry| (address, entry)))
    }

    /// The pack and the entry of a block.
    ///
    /// # Errors
    ///
    /// Where no pack has it, or its pack cannot be read.
    pub(crate) fn demand(&mut self, number: u64) -> Result<(&'s Arc<Pack>, Entry)> {
        let address = self.cursor.seek(number)?.context("the list ends early")?;
        let Some(place) = self.stored.places.of(address) else {
            let name = &self.stored.list.packs[address.pack as usize];
            let trouble = self.stored.places.trouble(address.pack);
            anyhow::bail!("page data is missing: the pack `{}` {trouble}", shelf::said(name));
        };
        Ok((place.pack, self.entry(place.pack, place.entry)?))
    }

    fn entry(&mut self, pack: &Arc<Pack>, number: u32) -> Result<Entry> {
        if let Some((first, entries)) = self.windows.get(&pack.name)
            && let Some(entry) = number.checked_sub(*first).and_then(|n| entries.get(n as usize))
        {
            return Ok(*entry);
        }
        let entries = pack.entries(self.file(pack)?, number, WINDOW)?;
        let entry = entries.first().copied();
        self.windows.insert(pack.name, (number, entries));
        entry.with_context(|| format!("the pack `{}` is damaged", shelf::said(&pack.name)))
    }

    fn file(&mut self, pack: &Arc<Pack>) -> Result<&fs_err::File> {
        if self.files.len() >= MOST_FILES && !self.files.contains_key(&pack.name) {
            self.files.clear();
        }
        match self.files.entry(pack.name) {
            std::collections::hash_map::Entry::Occupied(there) => Ok(there.into_mut()),
            std::collections::hash_map::Entry::Vacant(free) => {
                Ok(free.insert(fs_err::File::open(&pack.path)?))
            }
        }
    }

    /// The blocks of a group, one after the other, compared with their ids.
    ///
    /// # Errors
    ///
    /// Where one is missing or damaged.
    pub(crate) fn group(&mut self, group: u64) -> Result<Vec<u8>> {
        let shape = self.stored.shape();
        let first = group * shape.group_blocks();
        let last = (first + shape.group_blocks()).min(shape.n_blocks());
        let mut bytes = Vec::with_capacity(tree::GROUP_BYTES as usize);
        let (mut tree, mut ids) = (Tree::default(), Vec::new());
        for number in first..last {
            let (pack, entry) = self.demand(number)?;
            bytes.extend_from_slice(&self.unpack(pack, &entry)?);
            tree.push(entry.id);
            ids.push((pack, entry));
        }
        let is_right = if shape.is_lone() {
            tree.root() == tree::lone_id(&bytes)
        } else if shape.n_blocks() <= shape.group_blocks() {
            tree.root() == *blake3::hash(&bytes).as_bytes()
        } else {
            tree.subtree() == Some(tree::subtree(group * tree::GROUP_BYTES, &bytes))
        };
        if !is_right {
            let mut blocks = bytes.chunks(usize::try_from(shape.block_bytes)?).zip(first..);
            let wrong = ids.iter().find(|(_, entry)| {
                blocks.next().is_none_or(|(block, number)| shape.id(number, block) != entry.id)
            });
            let name = wrong.map_or(self.stored.list.root, |(pack, _)| pack.name);
            anyhow::bail!("page data is damaged: in the pack `{}`", shelf::said(&name));
        }
        Ok(bytes)
    }

    /// One block, compared with its id.
    ///
    /// # Errors
    ///
    /// Where it is missing or damaged.
    pub(crate) fn block(&mut self, number: u64) -> Result<Vec<u8>> {
        let (pack, entry) = self.demand(number)?;
        self.checked(number, pack, &entry)
    }

    /// The id of a group of a database of several, from the ids of its blocks.
    ///
    /// # Errors
    ///
    /// Where one is missing.
    pub(crate) fn group_id(&mut self, group: u64) -> Result<Option<Id>> {
        self.load(group)?;
        let mut tree = Tree::default();
        for (_, _, entry) in &self.loaded.1 {
            tree.push(entry.id);
        }
        let is_part = self.stored.shape().size_bytes > tree::GROUP_BYTES;
        Ok(tree.subtree().filter(|_| is_part))
    }

    /// Makes the bytes of a group out of what stands in its place elsewhere: only blocks that differ are
    /// read. Returns whether any does. What stands there may be shorter or longer.
    ///
    /// # Errors
    ///
    /// Where a block is missing or damaged.
    pub(crate) fn make(&mut self, group: u64, bytes: &mut Vec<u8>) -> Result<bool> {
        let shape = self.stored.shape();
        let begin = group * tree::GROUP_BYTES;
        let n_bytes = shape.size_bytes.saturating_sub(begin).min(tree::GROUP_BYTES);
        let mut differs = bytes.len() as u64 != n_bytes;
        self.load(group)?;
        for (number, pack, entry) in self.loaded.1.clone() {
            let from = usize::try_from(number * shape.block_bytes - begin)?;
            let to = usize::try_from((from as u64 + shape.block_bytes).min(n_bytes))?;
            let is_equal =
                bytes.get(from..to).is_some_and(|there| shape.id(number, there) == entry.id);
            if !is_equal {
                differs = true;
                let block = self.checked(number, pack, &entry)?;
                bytes.resize(bytes.len().max(to), 0);
                ensure!(block.len() == to - from, "a block has the wrong length");
                bytes[from..to].copy_from_slice(&block);
            }
        }
        bytes.truncate(usize::try_from(n_bytes)?);
        Ok(differs)
    }

    /// Looks the blocks of a group up, unless they were looked up last.
    fn load(&mut self, group: u64) -> Result<()> {
        if self.loaded.0 == Some(group) {
            return Ok(());
        }
        let shape = self.stored.shape();
        let first = group * shape.group_blocks();
        let last = (first + shape.group_blocks()).min(shape.n_blocks());
        // Asked for again, after it was left: from the beginning.
        if self.loaded.0.is_none_or(|before| before >= group) {
            self.cursor = self.stored.list.cursor();
        }
        let mut blocks = Vec::new();
        for number in first..last {
            let (pack, entry) = self.demand(number)?;
            blocks.push((number, pack, entry));
        }
        self.loaded = (Some(group), blocks);
        Ok(())
    }

    /// The bytes of an entry, compared with its id.
    fn checked(&mut self, number: u64, pack: &Arc<Pack>, entry: &Entry) -> Result<Vec<u8>> {
        let block = self.unpack(pack, entry)?;
        let is_right = self.stored.shape().id(number, &block) == entry.id;
        ensure!(is_right, "page data is damaged: in the pack `{}`", shelf::said(&pack.name));
        Ok(block)
    }

    fn unpack(&mut self, pack: &Arc<Pack>, entry: &Entry) -> Result<Vec<u8>> {
        self.file(pack)?;
        let file = &self.files[&pack.name];
        pack.block(file, entry, &mut self.unpacking).with_context(|| {
            format!("page data is damaged: in the pack `{}`", shelf::said(&pack.name))
        })
    }
}

/// The number of a block as its entry has it.
///
/// # Errors
///
/// Where a database has more blocks than SQLite has pages.
pub(crate) fn entry_number(shape: Shape, number: u64) -> Result<u32> {
    if shape.is_lone() { Ok(LONE) } else { Ok(u32::try_from(number)?) }
}

impl Stored {
    /// Hands on all bytes in order, in pieces of a mebibyte, every block compared with its id. Two
    /// threads unpack.
    ///
    /// # Errors
    ///
    /// Where a block is missing or damaged, `each` fails, or at the user's interrupt.
    pub(crate) fn pieces(
        &self,
        interrupt: &Interrupt,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        const N_THREADS: u64 = 2;
        const PIECE_GROUPS: u64 = 16;
        let n_groups = self.shape().size_bytes.div_ceil(tree::GROUP_BYTES);
        let n_pieces = n_groups.div_ceil(PIECE_GROUPS);
        std::thread::scope(|scope| {
            let mut unpacked = Vec::new();
            for thread in 0..N_THREADS {
                let (piece_done, pieces) = std::sync::mpsc::sync_channel::<Result<Vec<u8>>>(2);
                unpacked.push(pieces);
                scope.spawn(move || {
                    let mut reader = match self.reader() {
                        Ok(reader) => reader,
                        Err(error) => return drop(piece_done.send(Err(error))),
                    };
                    for piece in (thread..n_pieces).step_by(N_THREADS as usize) {
                        let groups = piece * PIECE_GROUPS..n_groups.min((piece + 1) * PIECE_GROUPS);
                        let mut bytes = Vec::with_capacity(1 << 20);
                        let read = groups.into_iter().try_for_each(|group| {
                            bytes.extend_from_slice(&reader.group(group)?);
                            Ok(())
                        });
                        let failed = read.is_err();
                        if piece_done.send(read.map(|()| bytes)).is_err() || failed {
                            return;
                        }
                    }
                });
            }
            for piece in 0..n_pieces {
                interrupt.check()?;
                let from = &unpacked[(piece % N_THREADS) as usize];
                let bytes = from.recv().context("an unpacking thread ended early")??;
                each(&bytes)?;
            }
            Ok(())
        })
    }
}

//! A stored backup, open for reading: its list, and the packs with its blocks; each block is checked
//! against its id. What only dumps need is in `stored_dump.rs`.
//!
//! Every block is compared with its id when it is read, and the ids with the hash of the whole file
//! in the list.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, mpsc};

use anyhow::{Context as _, Result, ensure};

use crate::backups::store::cut::{self, Cut};
use crate::backups::store::file_header::Newer;
use crate::backups::store::open_pack::OpenPack;
use crate::backups::store::pack::{Content, Entry, LONE, Pack, Unpacking};
use crate::backups::store::pack_folder;
use crate::backups::store::pack_index::{Part, Places, Shelf};
use crate::backups::store::page_list::{Address, Cursor, List, MAX_LIST_BYTES};
use crate::console::interrupt::Interrupt;
use crate::console::planted_faults::Planted;
use crate::console::threads;
use crate::files::publish;
use crate::sqlite::digest;
use crate::sqlite::digest::database::{self, Hashes};
use crate::sqlite::digest::tree::{self, Id, Shape, Tree};
use crate::sqlite::examination::finding::Damage;

/// Entries of one pack that are read at once.
const WINDOW: u32 = 256;
/// Threads that unpack a whole backup.
const N_THREADS: usize = 2;
/// Groups in a piece that they pass on: 1 MiB.
const PIECE_GROUPS: u64 = 16;
/// Packs that are open at once.
const MAX_FILES: usize = 64;

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
/// If it cannot be read, is damaged, or has a newer version.
pub(crate) fn read_list(path: &Path) -> Result<List> {
    read_list_by(path, List::decode)
}

/// Like [`read_list`], with a choice of how to decode it.
///
/// # Errors
///
/// As [`read_list`].
pub(crate) fn read_list_by<T>(path: &Path, decode: fn(&[u8]) -> Result<T>) -> Result<T> {
    let size_bytes = fs_err::metadata(path)?.len();
    ensure!(size_bytes <= MAX_LIST_BYTES, "`{}` is far too large", path.display());
    let bytes = fs_err::read(path)?;
    let what = format!("could not read the {} `{}`", cut::noun(path), path.display());
    decode(&bytes).map_err(|error| match error.downcast_ref::<Newer>() {
        Some(_) => error.context(what),
        None => error.context(Damage::new(what)),
    })
}

impl Stored {
    /// Finds the packs of a list.
    ///
    /// # Errors
    ///
    /// If the folder of packs cannot be read.
    pub(crate) fn find(shelf: &mut Shelf, list: List) -> Result<Self> {
        let places = shelf.places(&list)?;
        Ok(Self { list, places })
    }

    /// The list.
    #[must_use]
    pub(crate) fn list(&self) -> &List {
        &self.list
    }

    /// How it was cut into blocks.
    #[must_use]
    pub(crate) fn cut(&self) -> Cut {
        self.list.cut
    }

    /// Size of the database and of its blocks; see [`Cut::shape`].
    #[must_use]
    pub(crate) fn shape(&self) -> Shape {
        self.list.cut.shape()
    }

    /// The packs that contain its blocks now.
    #[must_use]
    pub(crate) fn packs(&self) -> BTreeMap<Id, Arc<Pack>> {
        self.places.packs()
    }

    /// The damage of a backup whose blocks do not make up the file that the list names: any of its
    /// packs may be wrong.
    #[must_use]
    pub(crate) fn unequal(&self) -> Damage {
        let what = match self.cut() {
            Cut::Pages(_) => "its pages do not form the file that its list describes",
            Cut::Chunks { .. } => "its chunks do not form the dump that its list describes",
        };
        let what = what.to_owned();
        Damage { what, packs: self.packs().into_values().map(|pack| pack.path.clone()).collect() }
    }

    /// A reader at the beginning.
    ///
    /// # Errors
    ///
    /// If there is no memory.
    pub(crate) fn reader(&self) -> Result<Reader<'_>> {
        Ok(Reader {
            stored: self,
            cursor: self.list.cursor()?,
            near: None,
            windows: Vec::new(),
            files: HashMap::new(),
            unpacking: Unpacking::new()?,
        })
    }

    /// Proves from the ids alone that every block exists and that together they are the file that
    /// the list names; except for the first page, the blocks themselves are not read. The ids of a
    /// dump do not tell the hash of its content.
    ///
    /// # Errors
    ///
    /// If one is missing, they are another file, or at the user's interrupt.
    pub(crate) fn prove(&self, interrupt: &Interrupt) -> Result<Hashes> {
        const CHECK_EVERY: u64 = 4096;
        if self.cut().content() == Content::Chunks {
            self.prove_chunks(interrupt)?;
            let blake3 = tree::hex(&self.list.root);
            return Ok(Hashes { blake3, content_blake3: String::new() });
        }
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
                content.push(self.shape().id(0, &database::masked(&first)));
                self.shape().id(0, &first)
            };
            whole.push(id);
        }
        let root = whole.root();
        if root != self.list.root {
            return Err(self.unequal().into());
        }
        Ok(Hashes { blake3: tree::hex(&root), content_blake3: tree::hex(&content.root()) })
    }
}

/// Reads blocks, each one's number not below the one's before.
#[derive(Debug)]
pub(crate) struct Reader<'s> {
    stored: &'s Stored,
    cursor: Cursor<'s>,
    /// The blocks that the last one asked for is among, and their pack's place in the list.
    near: Option<(u32, &'s Part)>,
    /// The entries that were read last, for each pack of the list: one pack may contain blocks of
    /// many, and within those of each the numbers mostly increase.
    windows: Vec<Window>,
    files: HashMap<Id, OpenPack>,
    unpacking: Unpacking,
}

/// Entries of a pack from one on.
#[derive(Debug, Default)]
struct Window {
    pack: Id,
    first: u32,
    entries: Vec<Entry>,
}

impl Window {
    fn get(&self, pack: &Pack, number: u32) -> Option<&Entry> {
        let n_ahead = number.checked_sub(self.first)?;
        self.entries.get(n_ahead as usize).filter(|_| self.pack == pack.name)
    }
}

impl<'s> Reader<'s> {
    /// The address of a block and its entry; `None` behind the last, and if no pack has it or its
    /// pack cannot be read.
    ///
    /// # Errors
    ///
    /// If the list is damaged.
    pub(crate) fn look_up(&mut self, number: u64) -> Result<Option<(Address, Entry)>> {
        let Some(address) = self.cursor.seek(number)? else { return Ok(None) };
        let Some((pack, nth)) = self.place(address) else { return Ok(None) };
        Ok(self.entry(address.pack, pack, nth).ok().map(|entry| (address, entry)))
    }

    /// The blocks from one on, if the list has all of them in one run and their entries follow one another in a pack: the
    /// address of the first and the entries. Otherwise `None`, and [`Self::look_up`] goes on at the same block.
    ///
    /// # Errors
    ///
    /// If the list is damaged.
    pub(crate) fn look_up_run(
        &mut self,
        first: u64,
        n_blocks: u32,
    ) -> Result<Option<(Address, &[Entry])>> {
        let Some(address) = self.cursor.seek(first)? else { return Ok(None) };
        if n_blocks == 0 || self.cursor.n_ahead() < n_blocks {
            return Ok(None);
        }
        let last = Address { slot: address.slot + (n_blocks - 1), ..address };
        let (Some((pack, nth)), Some((last_pack, last_nth))) =
            (self.place(address), self.place(last))
        else {
            return Ok(None);
        };
        if !Arc::ptr_eq(pack, last_pack) || last_nth != nth + (n_blocks - 1) {
            return Ok(None);
        }
        let is_read = |window: &Window| {
            window.get(pack, nth).is_some() && window.get(pack, last_nth).is_some()
        };
        let of = address.pack as usize;
        if !self.windows.get(of).is_some_and(is_read)
            && self.read_window(address.pack, pack, nth).is_err()
        {
            return Ok(None);
        }
        let window = &self.windows[of];
        let begin = (nth - window.first) as usize;
        Ok(window.entries.get(begin..begin + n_blocks as usize).map(|entries| (address, entries)))
    }

    /// The pack and the entry of a block.
    ///
    /// # Errors
    ///
    /// If no pack has it, or its pack cannot be read.
    pub(crate) fn demand(&mut self, number: u64) -> Result<(&'s Arc<Pack>, Entry)> {
        let address = self.cursor.seek(number)?.context("the list ends early")?;
        let Some((pack, nth)) = self.place(address) else {
            if let Some(version) = self.stored.places.newer(address.pack) {
                return Err(Newer { what: "a pack", version }.into());
            }
            let name = &self.stored.list.packs[address.pack as usize];
            let trouble = self.stored.places.trouble(address.pack);
            let noun = self.stored.cut().content().noun();
            let pack = pack_folder::said(name);
            let what = format!("{noun} data is missing: the pack `{pack}` {trouble}");
            return Err(Damage { what, packs: self.stored.places.unreadable(address.pack) }.into());
        };
        Ok((pack, self.entry(address.pack, pack, nth)?))
    }

    /// The pack that has a block, and at which of its entries.
    fn place(&mut self, address: Address) -> Option<(&'s Arc<Pack>, u32)> {
        // Mostly it is where the one before does.
        let near = self.near.filter(|(pack, _)| *pack == address.pack);
        if let Some((part, nth)) =
            near.and_then(|(_, part)| Some((part, part.entry(address.slot)?)))
        {
            return Some((&part.pack, nth));
        }
        let part = self.stored.places.part(address)?;
        self.near = Some((address.pack, part));
        Some((&part.pack, part.entry(address.slot)?))
    }

    fn entry(&mut self, of: u32, pack: &Arc<Pack>, number: u32) -> Result<Entry> {
        let window = self.windows.get(of as usize);
        if let Some(entry) = window.and_then(|window| window.get(pack, number)) {
            return Ok(*entry);
        }
        self.read_window(of, pack, number)?;
        let entry = self.windows[of as usize].entries.first().copied();
        entry.with_context(|| damaged(pack))
    }

    /// Reads the entries from one on.
    fn read_window(&mut self, of: u32, pack: &Arc<Pack>, first: u32) -> Result<()> {
        let file = self.file(pack)?.file();
        let entries = pack.entries(file, first, WINDOW).with_context(|| damaged(pack))?;
        let of = of as usize;
        if self.windows.len() <= of {
            self.windows.resize_with(of + 1, Window::default);
        }
        self.windows[of] = Window { pack: pack.name, first, entries };
        Ok(())
    }

    fn file(&mut self, pack: &Arc<Pack>) -> Result<&mut OpenPack> {
        if self.files.len() >= MAX_FILES && !self.files.contains_key(&pack.name) {
            self.files.clear();
        }
        match self.files.entry(pack.name) {
            std::collections::hash_map::Entry::Occupied(there) => Ok(there.into_mut()),
            std::collections::hash_map::Entry::Vacant(free) => {
                Ok(free.insert(OpenPack::open(pack)?))
            }
        }
    }

    /// Appends the blocks of a group in order, compared with their ids, and returns the id of the
    /// group; for a file of a single group, that of the file.
    ///
    /// # Errors
    ///
    /// If one is missing or damaged.
    pub(crate) fn group(&mut self, group: u64, into: &mut Vec<u8>) -> Result<Id> {
        let shape = self.stored.shape();
        let begin = into.len();
        let first = group * shape.group_blocks();
        let last = (first + shape.group_blocks()).min(shape.n_blocks());
        let (mut tree, mut ids) = (Tree::default(), Vec::new());
        for number in first..last {
            let (pack, entry) = self.demand(number)?;
            self.unpack(pack, &entry, into)?;
            tree.push(entry.id);
            ids.push((pack, entry));
        }
        let bytes = &into[begin..];
        let (said, id) = if shape.n_blocks() <= shape.group_blocks() {
            (Some(tree.root()), tree::lone_id(bytes))
        } else {
            (tree.subtree(), tree::subtree(group * tree::GROUP_BYTES, bytes))
        };
        if said != Some(id) {
            let mut blocks = bytes.chunks(usize::try_from(shape.block_bytes)?).zip(first..);
            let wrong = ids.iter().find(|(_, entry)| {
                blocks.next().is_none_or(|(block, number)| shape.id(number, block) != entry.id)
            });
            let damage = wrong.map_or_else(|| self.stored.unequal(), |(pack, _)| damaged(pack));
            return Err(damage.into());
        }
        Ok(id)
    }

    /// One block, compared with its id.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged.
    pub(crate) fn block(&mut self, number: u64) -> Result<Vec<u8>> {
        let (pack, entry) = self.demand(number)?;
        self.checked(number, pack, &entry)
    }

    /// The bytes of an entry, compared with its id.
    ///
    /// # Errors
    ///
    /// If they cannot be read or are damaged.
    pub(super) fn checked(
        &mut self,
        number: u64,
        pack: &Arc<Pack>,
        entry: &Entry,
    ) -> Result<Vec<u8>> {
        let mut block = Vec::new();
        self.unpack(pack, entry, &mut block)?;
        let is_right = self.stored.cut().id(number, &block) == entry.id;
        if is_right { Ok(block) } else { Err(damaged(pack).into()) }
    }

    /// Appends a block to some bytes, compared with its id, which is returned.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged.
    pub(super) fn append(&mut self, number: u64, into: &mut Vec<u8>) -> Result<Id> {
        let (pack, entry) = self.demand(number)?;
        let begin = into.len();
        self.unpack(pack, &entry, into)?;
        let is_right = self.stored.cut().id(number, &into[begin..]) == entry.id;
        if is_right { Ok(entry.id) } else { Err(damaged(pack).into()) }
    }

    fn unpack(&mut self, pack: &Arc<Pack>, entry: &Entry, into: &mut Vec<u8>) -> Result<()> {
        self.file(pack)?;
        let (files, unpacking) = (&mut self.files, &mut self.unpacking);
        let open = files.get_mut(&pack.name).context("the pack is not open")?;
        let stored = open.stored(pack, entry);
        stored
            .and_then(|stored| pack.append_block(entry, stored, unpacking, into))
            .with_context(|| damaged(pack))
    }
}

/// The damage of a block in a pack.
pub(super) fn damaged(pack: &Pack) -> Damage {
    let (noun, name) = (pack.content.noun(), pack_folder::said(&pack.name));
    let what = format!("{noun} data is damaged: in the pack `{name}`");
    Damage { what, packs: vec![pack.path.clone()] }
}

/// The number of a block as its entry has it.
///
/// # Errors
///
/// If a database has more blocks than SQLite has pages.
pub(crate) fn entry_number(shape: Shape, number: u64) -> Result<u32> {
    if shape.is_lone() { Ok(LONE) } else { Ok(u32::try_from(number)?) }
}

impl Stored {
    /// Reads every block back from the disk, if the system forgets what it has cached. Compares it
    /// with its id, and all of them with the file that the list names.
    ///
    /// # Errors
    ///
    /// As [`Stored::pieces`].
    pub(crate) fn read_back(&self, interrupt: &Interrupt) -> Result<()> {
        if Planted::UnreadBlock.is_on() {
            return Ok(());
        }
        for pack in self.packs().values() {
            publish::forget_cached(&fs_err::File::open(&pack.path)?);
        }
        if self.cut().content() == Content::Chunks {
            return self.read_chunks(interrupt);
        }
        let n_groups = self.shape().size_bytes.div_ceil(tree::GROUP_BYTES);
        let half = n_groups / 2;
        let (first, second) = threads::both(
            || self.groups_read(0..half, interrupt),
            || self.groups_read(half..n_groups, interrupt),
        );
        let mut whole = Tree::default();
        first?.into_iter().chain(second?).for_each(|id| whole.push(id));
        if whole.root() == self.list.root { Ok(()) } else { Err(self.unequal().into()) }
    }

    /// Reads some groups, compares their blocks with their ids, and returns the ids of the groups.
    fn groups_read(&self, groups: Range<u64>, interrupt: &Interrupt) -> Result<Vec<Id>> {
        let mut reader = self.reader()?;
        let mut bytes = Vec::with_capacity(digest::GROUP_BYTES);
        let mut ids = Vec::new();
        for group in groups {
            interrupt.check()?;
            bytes.clear();
            ids.push(reader.group(group, &mut bytes)?);
        }
        Ok(ids)
    }

    /// Passes on all bytes in order, in pieces of a mebibyte, every block compared with its id. Two
    /// threads unpack.
    ///
    /// # Errors
    ///
    /// If a block is missing or damaged, `each` fails, or at the user's interrupt.
    pub(crate) fn pieces(
        &self,
        interrupt: &Interrupt,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if self.cut().content() == Content::Chunks {
            return self.each_of_sql(interrupt, each);
        }
        let n_groups = self.shape().size_bytes.div_ceil(tree::GROUP_BYTES);
        let n_pieces = n_groups.div_ceil(PIECE_GROUPS);
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for nth in 0..N_THREADS {
                let (done, unpacked) = mpsc::sync_channel(2);
                let thread = threads::beside(scope, move || {
                    let mine = (nth as u64..n_pieces).step_by(N_THREADS);
                    if let Err(error) = self.unpack_pieces(mine, n_groups, &done) {
                        let _ = done.send(Err(error));
                    }
                });
                threads.push(thread.ok().map(|_| unpacked));
            }
            let mut reader = self.reader()?;
            for (piece, nth) in (0..n_pieces).zip((0..N_THREADS).cycle()) {
                interrupt.check()?;
                let bytes = match &threads[nth] {
                    Some(thread) => thread.recv().context("an unpacking thread ended early")??,
                    None => unpack(&mut reader, piece, n_groups)?,
                };
                each(&bytes)?;
            }
            Ok(())
        })
    }

    /// Unpacks some of the pieces and sends them, until the receiver is gone.
    fn unpack_pieces(
        &self,
        pieces: impl Iterator<Item = u64>,
        n_groups: u64,
        done: &mpsc::SyncSender<Result<Vec<u8>>>,
    ) -> Result<()> {
        let mut reader = self.reader()?;
        for piece in pieces {
            if done.send(Ok(unpack(&mut reader, piece, n_groups)?)).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// The bytes of one piece.
fn unpack(reader: &mut Reader<'_>, piece: u64, n_groups: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1 << 20);
    for group in piece * PIECE_GROUPS..n_groups.min((piece + 1) * PIECE_GROUPS) {
        reader.group(group, &mut bytes)?;
    }
    Ok(bytes)
}

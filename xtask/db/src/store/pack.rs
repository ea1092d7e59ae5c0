//! A pack: compressed blocks in one immutable file whose name is the hash of its bytes.
//!
//! Behind the blocks comes the index: an entry for each block, then sections, which say under which
//! addresses the blocks are known, then a footer of fixed length. A block keeps the address of the pack
//! it was first written to, also where a later pack holds it: page lists are never rewritten.
//! `FORMAT.md` says it byte by byte.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::durable::Stage;
use crate::store::list::{demand_version, take};
use crate::store::tree::{self, Id};

/// How a pack of any version begins and ends; the version follows.
const MAGIC: &[u8; 14] = b"xtask-db pack\0";
const VERSION: u16 = 1;
/// The magic and the version.
const START_BYTES: u64 = 16;
const ENTRY_BYTES: u64 = 44;
const SECTION_BYTES: u64 = 48;
const FOOTER_BYTES: u64 = 32;
/// How the names of packs end.
const ENDING: &str = ".pack";
/// Marks in an entry's length that the block is stored as it is.
const RAW: u32 = 1 << 31;
/// Stands for the number of a block that is a whole file.
pub(crate) const LONE: u32 = u32::MAX;
/// A pack that has reached this is finished.
const FULL_BYTES: u64 = 32 << 20;
/// Larger writes ask the kernel for larger pieces of page cache than a busy machine has.
const WRITE_BYTES: usize = 16 << 10;

/// Where one block lies in a pack, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its id.
    pub(crate) id: Id,
    /// Its number in its database, or [`LONE`].
    pub(crate) number: u32,
    /// Where its bytes begin.
    offset: u32,
    /// How many they are, and whether they are compressed.
    length: u32,
}

impl Entry {
    /// How many bytes it takes in the pack, without this entry.
    #[must_use]
    pub(crate) fn stored_bytes(&self) -> u32 {
        self.length & !RAW
    }
}

/// Blocks that follow one another in a pack and had the numbers from `first_slot` on in the pack they
/// were first written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    /// That pack.
    pub(crate) origin: Id,
    /// Their first number there.
    pub(crate) first_slot: u32,
    /// How many they are.
    pub(crate) n_blocks: u32,
    /// The first one's entry.
    pub(crate) first_entry: u32,
    /// Their size.
    pub(crate) block_bytes: u32,
}

/// A finished pack and its sections; its file is opened when it is read.
#[derive(Debug, Clone)]
pub(crate) struct Pack {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// The hash of its bytes, as its name says.
    pub(crate) name: Id,
    /// Size of its file.
    pub(crate) size_bytes: u64,
    /// Number of blocks.
    pub(crate) n_entries: u32,
    /// Its sections.
    pub(crate) sections: Vec<Section>,
    entries_offset: u64,
}

/// The file name of a pack.
#[must_use]
pub(crate) fn file_name(name: &Id) -> String {
    format!("{}{ENDING}", tree::hex(name))
}

/// Reads a file name; `None` where it is not a pack's.
#[must_use]
pub(crate) fn parse_name(name: &str) -> Option<Id> {
    let id = *blake3::Hash::from_hex(name.strip_suffix(ENDING)?).ok()?.as_bytes();
    (file_name(&id) == name).then_some(id)
}

impl Pack {
    /// Opens the pack of a name in a folder and reads its sections.
    ///
    /// # Errors
    ///
    /// Where it is missing, cut short, of a newer version, or does not say what it should.
    pub(crate) fn open(folder: &Path, name: Id) -> Result<Self> {
        let path = folder.join(file_name(&name));
        let file = fs_err::File::open(&path)?;
        let size_bytes = file.metadata()?.len();
        let read = || -> Result<Self> {
            let mut start = [0; START_BYTES as usize];
            file.file().read_exact_at(&mut start, 0)?;
            demand_version(&start, MAGIC, "pack")?;
            let mut footer = [0; FOOTER_BYTES as usize];
            let footer_offset = size_bytes.checked_sub(FOOTER_BYTES).context("it is cut short")?;
            file.file().read_exact_at(&mut footer, footer_offset)?;
            let mut rest = footer.as_slice();
            let entries_offset = u64::from_le_bytes(take(&mut rest)?);
            let n_entries = u32::from_le_bytes(take(&mut rest)?);
            let n_sections = u32::from_le_bytes(take(&mut rest)?);
            ensure!(rest == start, "it is cut short");
            let sections_offset = entries_offset
                .checked_add(u64::from(n_entries) * ENTRY_BYTES)
                .context("its index is damaged")?;
            let n_bytes = u64::from(n_sections) * SECTION_BYTES;
            let is_whole = sections_offset.checked_add(n_bytes) == Some(footer_offset);
            ensure!(is_whole && entries_offset >= START_BYTES, "its index is damaged");
            let mut bytes = vec![0; usize::try_from(n_bytes)?];
            file.file().read_exact_at(&mut bytes, sections_offset)?;
            let sections = bytes.chunks_exact(SECTION_BYTES as usize);
            let sections: Vec<_> =
                sections.map(|bytes| section(bytes, name)).collect::<Result<_>>()?;
            let fits = |section: &Section| {
                section.first_entry.checked_add(section.n_blocks).is_some_and(|n| n <= n_entries)
                    && section.first_slot.checked_add(section.n_blocks).is_some()
            };
            ensure!(sections.iter().all(fits), "its index is damaged");
            Ok(Self { path: path.clone(), name, size_bytes, n_entries, sections, entries_offset })
        };
        read().with_context(|| format!("could not read the pack `{}`", path.display()))
    }

    /// Reads entries from its open file.
    ///
    /// # Errors
    ///
    /// Where they cannot be read.
    pub(crate) fn entries(&self, file: &fs_err::File, first: u32, n: u32) -> Result<Vec<Entry>> {
        let n = n.min(self.n_entries.saturating_sub(first));
        let mut bytes = vec![0; n as usize * ENTRY_BYTES as usize];
        let offset = self.entries_offset + u64::from(first) * ENTRY_BYTES;
        file.file().read_exact_at(&mut bytes, offset).with_context(|| self.unreadable())?;
        bytes.chunks_exact(ENTRY_BYTES as usize).map(entry).collect()
    }

    /// Reads the block of an entry from its open file, unpacked and not yet compared with its id.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or unpacked.
    pub(crate) fn block(
        &self,
        file: &fs_err::File,
        entry: &Entry,
        unpacking: &mut Unpacking,
    ) -> Result<Vec<u8>> {
        let bytes = self.stored(file, entry)?;
        if entry.length & RAW != 0 {
            return Ok(bytes);
        }
        unpacking.unpack(&bytes).with_context(|| self.unreadable())
    }

    /// Reads the bytes of an entry as they are stored.
    ///
    /// # Errors
    ///
    /// Where they cannot be read.
    pub(crate) fn stored(&self, file: &fs_err::File, entry: &Entry) -> Result<Vec<u8>> {
        let (begin, n_bytes) = (u64::from(entry.offset), u64::from(entry.stored_bytes()));
        let is_inside = begin >= START_BYTES && begin + n_bytes <= self.entries_offset;
        ensure!(
            is_inside && n_bytes <= tree::GROUP_BYTES,
            "{}: its index is damaged",
            self.unreadable()
        );
        let mut bytes = vec![0; usize::try_from(n_bytes)?];
        file.file().read_exact_at(&mut bytes, begin).with_context(|| self.unreadable())?;
        Ok(bytes)
    }

    fn unreadable(&self) -> String {
        format!("could not read the pack `{}`", self.path.display())
    }
}

fn entry(bytes: &[u8]) -> Result<Entry> {
    let mut rest = bytes;
    let id = take(&mut rest)?;
    let [number, offset, length] =
        [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?].map(u32::from_le_bytes);
    Ok(Entry { id, number, offset, length })
}

/// A section; zeros in the place of its origin mean the pack itself, whose name nobody knew yet.
fn section(bytes: &[u8], name: Id) -> Result<Section> {
    let mut rest = bytes;
    let origin = take(&mut rest)?;
    let [first_slot, n_blocks, first_entry, block_bytes] =
        [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?, take(&mut rest)?]
            .map(u32::from_le_bytes);
    let origin = if origin == [0; 32] { name } else { origin };
    Ok(Section { origin, first_slot, n_blocks, first_entry, block_bytes })
}

/// Unpacks blocks, one after the other.
pub(crate) struct Unpacking(zstd::bulk::Decompressor<'static>);

impl Unpacking {
    /// Ready for blocks.
    ///
    /// # Errors
    ///
    /// Where there is no memory.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(zstd::bulk::Decompressor::new()?))
    }

    fn unpack(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
        let size = size.filter(|size| *size <= tree::GROUP_BYTES).context("a block is damaged")?;
        Ok(self.0.decompress(bytes, usize::try_from(size)?)?)
    }
}

impl std::fmt::Debug for Unpacking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpacking")
    }
}

/// A pack that is being written.
pub(crate) struct Writing {
    stage: Stage,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    offset: u64,
    entries: Vec<Entry>,
    sections: Vec<Section>,
}

/// A pack that is complete and not yet synced or named.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its file.
    pub(crate) stage: Stage,
    /// The hash of its bytes.
    pub(crate) name: Id,
    /// Size of its file.
    pub(crate) size_bytes: u64,
    /// Number of blocks.
    pub(crate) n_entries: u32,
}

impl Writing {
    /// Begins a pack in a folder.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be written.
    pub(crate) fn begin(folder: &Path) -> Result<Self> {
        let mut writing = Self {
            stage: Stage::create(folder, "pack")?,
            hasher: blake3::Hasher::new(),
            buffer: Vec::with_capacity(2 * WRITE_BYTES),
            offset: 0,
            entries: Vec::new(),
            sections: Vec::new(),
        };
        writing.write(MAGIC)?;
        writing.write(&VERSION.to_le_bytes())?;
        Ok(writing)
    }

    /// Whether another block belongs into another pack.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.offset >= FULL_BYTES
    }

    /// Appends a block under a new address in this pack.
    ///
    /// # Errors
    ///
    /// Where the disk is full or fails.
    pub(crate) fn append(
        &mut self,
        (id, number): (Id, u32),
        packed: &Packed<'_>,
        block_bytes: u32,
    ) -> Result<()> {
        let slot = u32::try_from(self.entries.len())?;
        self.append_as([0; 32], slot, block_bytes);
        let (bytes, raw) = match packed {
            Packed::Compressed(bytes) => (*bytes, 0),
            Packed::Raw(bytes) => (*bytes, RAW),
        };
        self.put((id, number), bytes, raw)
    }

    /// Appends a block of another pack as it is stored there, under the address it has.
    ///
    /// # Errors
    ///
    /// Where the disk is full or fails.
    pub(crate) fn carry(
        &mut self,
        (origin, slot): (Id, u32),
        entry: &Entry,
        stored: &[u8],
        block_bytes: u32,
    ) -> Result<()> {
        self.append_as(origin, slot, block_bytes);
        self.put((entry.id, entry.number), stored, entry.length & RAW)
    }

    fn append_as(&mut self, origin: Id, slot: u32, block_bytes: u32) {
        let entry = self.entries.len() as u32;
        match self.sections.last_mut() {
            Some(last)
                if last.origin == origin
                    && last.first_slot + last.n_blocks == slot
                    && last.block_bytes == block_bytes =>
            {
                last.n_blocks += 1;
            }
            _ => self.sections.push(Section {
                origin,
                first_slot: slot,
                n_blocks: 1,
                first_entry: entry,
                block_bytes,
            }),
        }
    }

    fn put(&mut self, (id, number): (Id, u32), bytes: &[u8], raw: u32) -> Result<()> {
        let offset = u32::try_from(self.offset)?;
        let length = u32::try_from(bytes.len())? | raw;
        self.entries.push(Entry { id, number, offset, length });
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        self.offset += bytes.len() as u64;
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.hasher.update(&self.buffer);
        for slice in self.buffer.chunks(WRITE_BYTES) {
            self.stage.append(slice)?;
        }
        self.buffer.clear();
        Ok(())
    }

    /// Writes the index.
    ///
    /// # Errors
    ///
    /// Where the disk is full or fails.
    pub(crate) fn finish(mut self) -> Result<Finished> {
        let entries_offset = self.offset;
        for entry in &std::mem::take(&mut self.entries) {
            self.write(&entry.id)?;
            for number in [entry.number, entry.offset, entry.length] {
                self.write(&number.to_le_bytes())?;
            }
        }
        let n_entries = u32::try_from((self.offset - entries_offset) / ENTRY_BYTES)?;
        let sections = std::mem::take(&mut self.sections);
        for section in &sections {
            self.write(&section.origin)?;
            let Section { first_slot, n_blocks, first_entry, block_bytes, .. } = section;
            for number in [first_slot, n_blocks, first_entry, block_bytes] {
                self.write(&number.to_le_bytes())?;
            }
        }
        self.write(&entries_offset.to_le_bytes())?;
        self.write(&n_entries.to_le_bytes())?;
        self.write(&u32::try_from(sections.len())?.to_le_bytes())?;
        self.write(MAGIC)?;
        self.write(&VERSION.to_le_bytes())?;
        self.flush()?;
        let name = *self.hasher.finalize().as_bytes();
        Ok(Finished { stage: self.stage, name, size_bytes: self.offset, n_entries })
    }
}

/// A block as it goes into a pack.
#[derive(Debug)]
pub(crate) enum Packed<'b> {
    /// A zstd frame that says its length.
    Compressed(&'b [u8]),
    /// As it is, because compression gains nothing.
    Raw(&'b [u8]),
}

/// Packs blocks, one after the other.
pub(crate) struct Packing {
    compressor: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
}

impl Packing {
    /// Ready for blocks, at a level of zstd's.
    ///
    /// # Errors
    ///
    /// Where there is no memory.
    pub(crate) fn new(level: i32) -> Result<Self> {
        let most = zstd::zstd_safe::compress_bound(usize::try_from(tree::GROUP_BYTES)?);
        Ok(Self {
            compressor: zstd::bulk::Compressor::new(level)?,
            buffer: Vec::with_capacity(most),
        })
    }

    /// Packs a block.
    ///
    /// # Errors
    ///
    /// Where the compression fails, which it never does.
    pub(crate) fn pack<'b>(&'b mut self, block: &'b [u8]) -> Result<Packed<'b>> {
        self.buffer.clear();
        self.compressor.compress_to_buffer(block, &mut self.buffer)?;
        if self.buffer.len() < block.len() {
            Ok(Packed::Compressed(&self.buffer))
        } else {
            Ok(Packed::Raw(block))
        }
    }
}

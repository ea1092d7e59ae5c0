//! A pack: compressed blocks in one immutable file, which is named by the hash of its bytes.
//!
//! After the blocks comes the index: an entry per block, sections with the addresses under which
//! the blocks are known, and a footer of fixed length. A block keeps the address of the pack it was
//! first written to even if a later pack contains it, because page lists are never rewritten.
//! `docs/formats.md` describes it byte by byte.

pub(crate) mod writer;

use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::backups::store::file_header::{self, Newer, take};
use crate::files::publish;
use crate::sqlite::digest::tree::{self, Id};

/// How a pack of any version begins and ends; the version follows.
const MAGIC: &[u8; 14] = b"xtask-db pack\0";
/// The version of a pack of pages.
const OF_PAGES: u16 = 1;
/// The version of a pack of chunks. A build that knows no chunks does not see the lists that need such a
/// pack, and leaves it alone because its version is newer.
const OF_CHUNKS: u16 = 2;
const KIND: file_header::Kind = file_header::Kind { magic: MAGIC, newest: OF_CHUNKS, what: "pack" };
/// The magic and the version.
const START: usize = 16;
const START_BYTES: u64 = START as u64;
const ENTRY: usize = 44;
/// Four times the number of blocks that fit into a pack of 32 MiB if an empty page takes 17 bytes.
pub(crate) const MAX_ENTRIES: u32 = 8 << 20;
/// Size of an entry.
pub(crate) const ENTRY_BYTES: u64 = ENTRY as u64;
const SECTION: usize = 48;
const SECTION_BYTES: u64 = SECTION as u64;
/// Sections that are read at once.
const N_SECTIONS: usize = 4096;
const FOOTER: usize = 32;
const FOOTER_BYTES: u64 = FOOTER as u64;
/// How the names of packs end.
const ENDING: &str = ".pack";
/// Marks in an entry's length that the block is stored as it is.
const RAW: u32 = 1 << 31;
/// Stands for the number of a block that is a whole file.
pub(crate) const LONE: u32 = u32::MAX;

/// What the blocks of a pack are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Content {
    /// Pages of SQLite databases.
    Pages,
    /// Chunks of dumps.
    Chunks,
}

impl Content {
    fn version(self) -> u16 {
        match self {
            Self::Pages => OF_PAGES,
            Self::Chunks => OF_CHUNKS,
        }
    }

    fn of(version: u16) -> Self {
        if version == OF_PAGES { Self::Pages } else { Self::Chunks }
    }

    /// One of them, in messages.
    #[must_use]
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Pages => "page",
            Self::Chunks => "chunk",
        }
    }
}

/// The index entry of one block: its id and its place in the pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its id.
    pub(crate) id: Id,
    /// Its number in its database, or [`LONE`].
    pub(crate) number: u32,
    /// Offset of its bytes.
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

    /// How many bytes it has, as its stored bytes claim.
    #[must_use]
    pub(crate) fn plain_bytes(&self, stored: &[u8]) -> u32 {
        if self.length & RAW != 0 {
            return self.stored_bytes();
        }
        let size = zstd::zstd_safe::get_frame_content_size(stored).ok().flatten();
        size.and_then(|size| u32::try_from(size).ok()).unwrap_or_default()
    }
}

/// Blocks that follow one another in a pack and had the numbers from `first_slot` on in the pack they
/// were first written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    /// The pack to which the blocks were first written.
    pub(crate) origin: Id,
    /// Their first number there.
    pub(crate) first_slot: u32,
    /// How many they are.
    pub(crate) n_blocks: u32,
    /// The first one's entry.
    pub(crate) first_entry: u32,
    /// The size of each page; of chunks, the size of all of them, if it is below 4 GiB.
    pub(crate) block_bytes: u32,
}

/// The address of a block, which stays the same when it is carried into another pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The pack it was first written to; in that pack itself, zeros.
    pub(crate) pack: Id,
    /// Its number there.
    pub(crate) slot: u32,
}

/// A finished pack and its sections; its file is opened when it is read.
#[derive(Debug, Clone)]
pub(crate) struct Pack {
    /// Path of the file.
    pub(crate) path: PathBuf,
    /// The hash of its bytes, according to its name.
    pub(crate) name: Id,
    /// What its blocks are.
    pub(crate) content: Content,
    /// Size of its file.
    pub(crate) size_bytes: u64,
    /// Number of blocks.
    pub(crate) n_entries: u32,
    /// Its sections.
    pub(crate) sections: Vec<Section>,
    entries_offset: u64,
}

#[cfg(test)]
impl Pack {
    /// A pack that has no file.
    pub(crate) fn of_nothing(n_entries: u32) -> Self {
        let (path, name, sections) = (PathBuf::new(), [0; 32], Vec::new());
        let content = Content::Pages;
        Self { path, name, content, size_bytes: 0, n_entries, sections, entries_offset: 0 }
    }
}

/// The file name of a pack.
#[must_use]
pub(crate) fn file_name(name: &Id) -> String {
    format!("{}{ENDING}", tree::hex(name))
}

/// Reads a file name; `None` if it is not a pack's.
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
    /// If it is missing, cut short, of a newer version, or is damaged.
    pub(crate) fn open(folder: &Path, name: Id) -> Result<Self> {
        let path = folder.join(file_name(&name));
        // A pipe of that name would be waited for without end, and a link may lead anywhere.
        let is_file = fs_err::symlink_metadata(&path)?.is_file();
        ensure!(is_file, "could not read the pack `{}`: it is not a file", path.display());
        let file = fs_err::File::open(&path)?;
        let size_bytes = file.metadata()?.len();
        let read = || -> Result<Self> {
            let mut start = [0; START];
            file.file().read_exact_at(&mut start, 0)?;
            let mut footer = [0; FOOTER];
            let footer_offset = size_bytes.checked_sub(FOOTER_BYTES).context("it is cut short")?;
            file.file().read_exact_at(&mut footer, footer_offset)?;
            // A flipped bit must not make a damaged pack one of a newer version, of which nothing is known.
            let is_of_one_version = footer.ends_with(&start);
            let version = KIND.demand(&start).map_err(|error| {
                if error.is::<Newer>() && !is_of_one_version {
                    anyhow!("it is damaged: its beginning and its end do not agree")
                } else {
                    error
                }
            })?;
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
            // Every section has a block, and every block has a byte: nothing larger is read into memory.
            let is_possible = n_sections <= n_entries
                && u64::from(n_entries) <= entries_offset - START_BYTES
                && n_entries <= MAX_ENTRIES;
            ensure!(is_possible, "its index is larger than its contents allow");
            let claimed = Claimed { n_entries, n_sections, sections_offset };
            let sections = claimed.sections(&file, name)?;
            let (path, content) = (path.clone(), Content::of(version));
            Ok(Self { path, name, content, size_bytes, n_entries, sections, entries_offset })
        };
        read().with_context(|| format!("could not read the pack `{}`", path.display()))
    }

    /// The size of all its blocks before compression, as its sections have it.
    #[must_use]
    pub(crate) fn plain_bytes(&self) -> u64 {
        let bytes = |section: &Section| match self.content {
            Content::Pages => u64::from(section.n_blocks) * u64::from(section.block_bytes),
            Content::Chunks => u64::from(section.block_bytes),
        };
        self.sections.iter().map(bytes).sum()
    }

    /// Whether the bytes of its file match its name.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub(crate) fn is_intact(&self) -> Result<bool> {
        is_intact(&self.path, &self.name).with_context(|| self.unreadable())
    }

    /// Reads entries from its open file.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub(crate) fn entries(&self, file: &fs_err::File, first: u32, n: u32) -> Result<Vec<Entry>> {
        let n = n.min(self.n_entries.saturating_sub(first));
        let mut bytes = vec![0; n as usize * ENTRY];
        let offset = self.entries_offset + u64::from(first) * ENTRY_BYTES;
        file.file().read_exact_at(&mut bytes, offset).with_context(|| self.unreadable())?;
        // A plain loop: in a dev build, adapters would cost three times as much for every page of a database.
        let mut entries = Vec::with_capacity(n as usize);
        let mut at = 0;
        while at < bytes.len() {
            entries.push(entry(&bytes[at..at + ENTRY])?);
            at += ENTRY;
        }
        Ok(entries)
    }

    /// Appends the block of an entry to some bytes, unpacked and not yet compared with its id.
    ///
    /// # Errors
    ///
    /// If it cannot be unpacked.
    pub(crate) fn append_block(
        &self,
        entry: &Entry,
        stored: &[u8],
        unpacking: &mut Unpacking,
        into: &mut Vec<u8>,
    ) -> Result<()> {
        if entry.length & RAW != 0 {
            into.extend_from_slice(stored);
            return Ok(());
        }
        unpacking.append(stored, into).with_context(|| self.unreadable())
    }

    /// Whether the stored bytes of an entry match its id.
    ///
    /// # Errors
    ///
    /// If they cannot be unpacked.
    pub(crate) fn is_right(
        entry: &Entry,
        stored: &[u8],
        block_bytes: u32,
        unpacking: &mut Unpacking,
    ) -> Result<bool> {
        let unpacked;
        let block = if entry.length & RAW != 0 {
            stored
        } else {
            let mut bytes = Vec::new();
            unpacking.append(stored, &mut bytes)?;
            unpacked = bytes;
            &unpacked
        };
        Ok(entry.id
            == match entry.number {
                LONE => tree::lone_id(block),
                number => tree::subtree(u64::from(number) * u64::from(block_bytes), block),
            })
    }

    /// Reads the bytes of an entry as they are stored.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub(crate) fn stored(&self, file: &fs_err::File, entry: &Entry) -> Result<Vec<u8>> {
        let place = self.place(entry)?;
        let mut bytes = vec![0; usize::try_from(place.end - place.start)?];
        file.file().read_exact_at(&mut bytes, place.start).with_context(|| self.unreadable())?;
        Ok(bytes)
    }

    /// The range of an entry's bytes in the file.
    ///
    /// # Errors
    ///
    /// If they cannot be there.
    pub(crate) fn place(&self, entry: &Entry) -> Result<Range<u64>> {
        let (begin, n_bytes) = (u64::from(entry.offset), u64::from(entry.stored_bytes()));
        let is_inside = begin >= START_BYTES && begin + n_bytes <= self.entries_offset;
        ensure!(
            is_inside && n_bytes <= tree::GROUP_BYTES,
            "{}: its index is damaged",
            self.unreadable()
        );
        Ok(begin..begin + n_bytes)
    }

    /// The offset at which the bytes of its entries end.
    #[must_use]
    pub(crate) fn end_of_blocks(&self) -> u64 {
        self.entries_offset
    }

    /// The message for a failure to read the pack.
    pub(crate) fn unreadable(&self) -> String {
        format!("could not read the pack `{}`", self.path.display())
    }
}

/// Whether the bytes of a file match the name of the pack, read from the disk if the system forgets
/// what it has cached of them.
///
/// # Errors
///
/// If they cannot be read.
pub(crate) fn is_intact(path: &Path, name: &Id) -> Result<bool> {
    // A pipe would be waited for without end.
    if !fs_err::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let file = fs_err::File::open(path)?;
    publish::forget_cached(&file);
    has_name(file, name)
}

/// Whether the bytes of a file that was synced a moment ago are those of the pack of a name. They may
/// come from the cache: a large first checkpoint should not wait for the disk a second time, and what
/// is relied upon is read from the disk before it is published.
///
/// # Errors
///
/// If they cannot be read.
pub(crate) fn is_kept(path: &Path, name: &Id) -> Result<bool> {
    has_name(fs_err::File::open(path)?, name)
}

fn has_name(file: fs_err::File, name: &Id) -> Result<bool> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    Ok(hasher.finalize().as_bytes() == name)
}

/// The sizes that the end of a pack claims for its index.
struct Claimed {
    n_entries: u32,
    n_sections: u32,
    sections_offset: u64,
}

impl Claimed {
    /// Reads the sections piece by piece; the first that cannot be read ends it, however many are
    /// claimed.
    fn sections(&self, file: &fs_err::File, name: Id) -> Result<Vec<Section>> {
        let mut sections = Vec::new();
        let mut n_left = self.n_sections as usize;
        let mut offset = self.sections_offset;
        while n_left > 0 {
            let n = n_left.min(N_SECTIONS);
            let mut bytes = vec![0; n * SECTION];
            file.file().read_exact_at(&mut bytes, offset)?;
            for bytes in bytes.chunks_exact(SECTION) {
                let section = section(bytes, name)?;
                ensure!(self.fits(&section), "its index is damaged");
                sections.push(section);
            }
            n_left -= n;
            offset += bytes.len() as u64;
        }
        Ok(sections)
    }

    fn fits(&self, section: &Section) -> bool {
        let end = section.first_entry.checked_add(section.n_blocks);
        section.n_blocks > 0
            && end.is_some_and(|end| end <= self.n_entries)
            && section.first_slot.checked_add(section.n_blocks).is_some()
    }
}

/// Reads an entry: plain indices, because a dev build does this for every page of a database.
fn entry(bytes: &[u8]) -> Result<Entry> {
    ensure!(bytes.len() == ENTRY, "it is cut short");
    let number =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let mut id = [0; 32];
    id.copy_from_slice(&bytes[..32]);
    Ok(Entry { id, number: number(32), offset: number(36), length: number(40) })
}

/// A section; zeros in the place of its origin mean the pack itself, whose name was not known yet.
fn section(bytes: &[u8], name: Id) -> Result<Section> {
    let mut rest = bytes;
    let origin = take(&mut rest)?;
    let [first_slot, n_blocks, first_entry, block_bytes] =
        [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?, take(&mut rest)?]
            .map(u32::from_le_bytes);
    let origin = if origin == [0; 32] { name } else { origin };
    Ok(Section { origin, first_slot, n_blocks, first_entry, block_bytes })
}

/// Unpacks blocks in order.
pub(crate) struct Unpacking {
    decompressor: zstd::bulk::Decompressor<'static>,
    block: Box<[u8]>,
}

impl Unpacking {
    /// Ready for blocks.
    ///
    /// # Errors
    ///
    /// If there is no memory.
    pub(crate) fn new() -> Result<Self> {
        let block = vec![0; usize::try_from(tree::GROUP_BYTES)?].into_boxed_slice();
        Ok(Self { decompressor: zstd::bulk::Decompressor::new()?, block })
    }

    fn append(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> Result<()> {
        let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
        let size = size.filter(|size| *size <= tree::GROUP_BYTES).context("a block is damaged")?;
        let block = &mut self.block[..usize::try_from(size)?];
        let n_bytes = self.decompressor.decompress_to_buffer(bytes, block)?;
        into.extend_from_slice(&block[..n_bytes]);
        Ok(())
    }
}

impl std::fmt::Debug for Unpacking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpacking")
    }
}

//! Writing a pack: blocks are compressed and appended, then the index.

use std::path::Path;

use anyhow::Result;

use crate::backups::store::pack::{Content, ENTRY_BYTES, Entry, MAGIC, Origin, RAW, Section};
use crate::files::stage::Stage;
use crate::sqlite::digest::tree::{self, Id};

/// A pack that has reached this is finished; tests fill several with little.
const FULL_BYTES: u64 = if cfg!(test) { 32 << 10 } else { 32 << 20 };

/// Larger writes ask the kernel for larger pieces of page cache than a busy machine has.
const WRITE_BYTES: usize = 16 << 10;

/// A pack that is being written.
pub(crate) struct Writing {
    content: Content,
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
    /// If the folder cannot be written.
    pub(crate) fn begin(folder: &Path, content: Content) -> Result<Self> {
        let mut writing = Self {
            content,
            stage: Stage::create(folder, "pack")?,
            hasher: blake3::Hasher::new(),
            buffer: Vec::with_capacity(2 * WRITE_BYTES),
            offset: 0,
            entries: Vec::new(),
            sections: Vec::new(),
        };
        writing.write(MAGIC)?;
        writing.write(&content.version().to_le_bytes())?;
        Ok(writing)
    }

    /// What its blocks are.
    #[must_use]
    pub(crate) fn content(&self) -> Content {
        self.content
    }

    /// Whether another block belongs into another pack.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.offset >= FULL_BYTES
    }

    /// Appends a block under a new address in this pack. `block_bytes` is the size of a page, or of
    /// this chunk.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails.
    pub(crate) fn append(
        &mut self,
        id: Id,
        number: u32,
        packed: &Packed<'_>,
        block_bytes: u32,
    ) -> Result<()> {
        let origin = Origin { pack: [0; 32], slot: u32::try_from(self.entries.len())? };
        self.append_as(origin, block_bytes)?;
        let (bytes, raw) = match packed {
            Packed::Compressed(bytes) => (*bytes, 0),
            Packed::Raw(bytes) => (*bytes, RAW),
        };
        self.put(id, number, bytes, raw)
    }

    /// Appends a block of another pack as it is stored there, under the address it has.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails.
    pub(crate) fn carry(
        &mut self,
        origin: Origin,
        entry: &Entry,
        stored: &[u8],
        block_bytes: u32,
    ) -> Result<()> {
        self.append_as(origin, block_bytes)?;
        self.put(entry.id, entry.number, stored, entry.length & RAW)
    }

    fn append_as(&mut self, origin: Origin, block_bytes: u32) -> Result<()> {
        let Origin { pack, slot } = origin;
        let first_entry = u32::try_from(self.entries.len())?;
        let is_of_pages = self.content == Content::Pages;
        match self.sections.last_mut() {
            Some(last)
                if last.origin == pack
                    && last.first_slot + last.n_blocks == slot
                    && (!is_of_pages || last.block_bytes == block_bytes) =>
            {
                last.n_blocks += 1;
                if !is_of_pages {
                    last.block_bytes = last.block_bytes.saturating_add(block_bytes);
                }
            }
            _ => self.sections.push(Section {
                origin: pack,
                first_slot: slot,
                n_blocks: 1,
                first_entry,
                block_bytes,
            }),
        }
        Ok(())
    }

    fn put(&mut self, id: Id, number: u32, bytes: &[u8], raw: u32) -> Result<()> {
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
    /// If the disk is full or fails.
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
        self.write(&self.content.version().to_le_bytes())?;
        self.flush()?;
        let name = *self.hasher.finalize().as_bytes();
        Ok(Finished { stage: self.stage, name, size_bytes: self.offset, n_entries })
    }
}

/// A block as it goes into a pack.
#[derive(Debug)]
pub(crate) enum Packed<'b> {
    /// A zstd frame that contains its length.
    Compressed(&'b [u8]),
    /// Stored raw, because compression gains nothing.
    Raw(&'b [u8]),
}

/// Packs blocks in order.
pub(crate) struct Packing {
    compressor: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
}

impl Packing {
    /// Ready for blocks, at a level of zstd's.
    ///
    /// # Errors
    ///
    /// If there is no memory.
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
    /// If the compression fails, which it never does.
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

/// The level of zstd: half of the size at 0.5 GB/s. Later checkpoints add little, and are packed a
/// tenth tighter.
pub(crate) const FIRST_LEVEL: i32 = 1;
pub(crate) const LATER_LEVEL: i32 = 3;

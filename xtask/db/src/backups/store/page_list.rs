//! A list of the store: which blocks form a backup, in order. A page list ends in `.pages` and is a
//! database, a chunk list ends in `.chunks` and is a dump; they differ in what a block is.
//!
//! A block is named by the pack it was first written to and its number in that pack. Neighbours are
//! usually neighbours in their pack too, so the list is a sequence of runs, a byte or two each
//! after compression. It needs no other list. `docs/formats.md` describes it byte by byte.

use std::io::{BufRead as _, BufReader};

use anyhow::{Context as _, Result, bail, ensure};
use zstd::stream::read::Decoder;

use crate::backups::store::cut::{CHUNKS, Cut, PAGES, VERSION};
use crate::backups::store::file_header::take;
use crate::backups::store::pack::{Content, MAX_ENTRIES};
use crate::sqlite::digest::tree::{Id, Shape};

const HEADER_BYTES: usize = 16 + 8 + 8 + 32 + 4 + 4 + 4;
const CHECKSUM_BYTES: usize = 32;
/// The largest window that unpacking may need: this build's compression level needs 2 MiB.
const MAX_WINDOW_LOG: u32 = 23;
/// Bytes of runs to unpack at once: the unpacked list is never in memory as a whole.
const PIECE_BYTES: usize = 16 << 10;
/// A list of a database of 16 TiB is smaller than this.
pub(crate) const MAX_LIST_BYTES: u64 = 4 << 30;

/// The address of a block: the pack to which it was first written, as an index into
/// [`List::packs`], and its slot in that pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    /// The pack's place in the list of packs.
    pub(crate) pack: u32,
    /// The block's number.
    pub(crate) slot: u32,
}

/// Blocks that follow one another both in the database and in their pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Address of the first block.
    pub(crate) first: Address,
    /// How many there are; not 0.
    pub(crate) n_blocks: u32,
}

/// A list that was read and whose checksum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List {
    /// How the backup was cut.
    pub(crate) cut: Cut,
    /// BLAKE3 of the database; of a dump, BLAKE3 of the ids of its chunks.
    pub(crate) root: Id,
    /// The packs that its blocks were first written to.
    pub(crate) packs: Vec<Id>,
    /// The runs, encoded and compressed.
    runs: Vec<u8>,
    /// Their length before compression.
    n_plain: u32,
}

impl List {
    /// Encodes a list as the bytes of its file.
    ///
    /// # Errors
    ///
    /// If the compression fails, which it never does.
    pub(crate) fn encode(cut: Cut, root: &Id, packs: &[Id], runs: &[Run]) -> Result<Vec<u8>> {
        let mut plain = Vec::with_capacity(runs.len() * 4);
        let mut expected = vec![0_u32; packs.len()];
        for run in runs {
            let expected = &mut expected[run.first.pack as usize];
            put(&mut plain, u64::from(run.n_blocks));
            put(&mut plain, u64::from(run.first.pack));
            put(&mut plain, zigzag(i64::from(run.first.slot) - i64::from(*expected)));
            *expected = run.first.slot + run.n_blocks;
        }
        let runs = zstd::bulk::compress(&plain, 3)?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + packs.len() * 32 + runs.len() + 32);
        bytes.extend_from_slice(cut.kind().magic);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let second = match cut {
            Cut::Pages(shape) => shape.block_bytes,
            Cut::Chunks { n_chunks, .. } => n_chunks,
        };
        bytes.extend_from_slice(&cut.size_bytes().to_le_bytes());
        bytes.extend_from_slice(&second.to_le_bytes());
        bytes.extend_from_slice(root);
        for n in [packs.len(), plain.len(), runs.len()] {
            bytes.extend_from_slice(&u32::try_from(n)?.to_le_bytes());
        }
        bytes.extend(packs.iter().flatten());
        bytes.extend_from_slice(&runs);
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        Ok(bytes)
    }

    /// Reads the bytes of a list's file.
    ///
    /// # Errors
    ///
    /// [`Newer`], or if they are not a list or damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let list = Self::decode_for_one_pass(bytes)?;
        let mut n_blocks = 0;
        let mut cursor = list.cursor()?;
        while let Some(run) = cursor.next_run()? {
            n_blocks += u64::from(run.n_blocks);
        }
        let wanted = list.cut.n_blocks();
        ensure!(n_blocks == wanted, "it names {n_blocks} blocks of {wanted}");
        Ok(list)
    }

    /// Like [`List::decode`], for a caller that goes through all runs and sees their errors then.
    ///
    /// # Errors
    ///
    /// [`Newer`], or if they are not a list or their checksum is wrong.
    pub(crate) fn decode_for_one_pass(bytes: &[u8]) -> Result<Self> {
        let (header, mut rest) = Header::read(bytes)?;
        let Header { cut, root, n_plain, n_runs, .. } = header;
        // No two blocks of a database are in the same place: more than fit into its packs are impossible.
        // A chunk may be in a dump more than once.
        let most = u64::from(header.n_packs) * u64::from(MAX_ENTRIES);
        let is_possible = cut.content() == Content::Chunks || cut.n_blocks() <= most;
        ensure!(is_possible, "it names more blocks than its packs can hold");
        let most = cut.n_blocks().saturating_mul(20);
        ensure!(u64::from(n_plain) <= most, "it has too many runs");
        let packs = header.packs(&mut rest)?;
        ensure!(rest.len() == n_runs as usize, "its length is wrong");
        Ok(Self { cut, root, packs, runs: rest.to_vec(), n_plain })
    }

    /// Goes through the blocks in order.
    ///
    /// # Errors
    ///
    /// If there is no memory.
    pub(crate) fn cursor(&self) -> Result<Cursor<'_>> {
        let mut unpacking = Decoder::with_buffer(self.runs.as_slice())?;
        unpacking.window_log_max(MAX_WINDOW_LOG)?;
        Ok(Cursor {
            rest: BufReader::with_capacity(PIECE_BYTES, unpacking),
            n_left: self.n_plain,
            n_blocks_left: self.cut.n_blocks(),
            expected: vec![0; self.packs.len()],
            run: None,
            next: 0,
        })
    }
}

/// The names of the packs in a list. Its checksum is compared; its runs are not decoded.
///
/// # Errors
///
/// [`Newer`], or if it is not a list or damaged.
pub(crate) fn packs_named(bytes: &[u8]) -> Result<Vec<Id>> {
    let (header, mut rest) = Header::read(bytes)?;
    header.packs(&mut rest)
}

/// The header of a list, as it claims.
struct Header {
    cut: Cut,
    root: Id,
    n_packs: u32,
    /// Length of the runs before and after compression.
    n_plain: u32,
    n_runs: u32,
}

impl Header {
    /// Reads the header, and returns the bytes between it and the checksum.
    fn read(bytes: &[u8]) -> Result<(Self, &[u8])> {
        let kind = if bytes.starts_with(CHUNKS.magic) { CHUNKS } else { PAGES };
        ensure!(bytes.starts_with(kind.magic), "it is not a {}", kind.what);
        let n_body = bytes.len().checked_sub(CHECKSUM_BYTES).context("it is cut short")?;
        let (body, checksum) = bytes.split_at(n_body);
        // Before the version: a flipped bit must not make a damaged list one of a newer version.
        ensure!(blake3::hash(body).as_bytes() == checksum, "its checksum is wrong: it is damaged");
        kind.demand(bytes)?;
        let mut rest = body.get(16..).context("it is cut short")?;
        let size_bytes = u64::from_le_bytes(take(&mut rest)?);
        let second = u64::from_le_bytes(take(&mut rest)?);
        let root = take(&mut rest)?;
        let [n_packs, n_plain, n_runs] =
            [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?].map(u32::from_le_bytes);
        let cut = if kind == CHUNKS {
            ensure!(second <= size_bytes, "it has more chunks than bytes");
            Cut::Chunks { size_bytes, n_chunks: second }
        } else {
            let is_block = second.is_power_of_two() && (4096..=65_536).contains(&second);
            ensure!(is_block, "its blocks have {second} bytes");
            Cut::Pages(Shape { size_bytes, block_bytes: second })
        };
        Ok((Self { cut, root, n_packs, n_plain, n_runs }, rest))
    }

    fn packs(&self, rest: &mut &[u8]) -> Result<Vec<Id>> {
        (0..self.n_packs).map(|_| take(rest)).collect()
    }
}

/// A place in a list; it only goes forward.
pub(crate) struct Cursor<'l> {
    rest: BufReader<Decoder<'static, &'l [u8]>>,
    /// Unpacked bytes that are still to come, as the list claims.
    n_left: u32,
    /// Blocks that are still to come, as the list claims.
    n_blocks_left: u64,
    expected: Vec<u32>,
    /// The rest of the current run.
    run: Option<Run>,
    /// The number of the block that comes next.
    next: u64,
}

impl Cursor<'_> {
    /// The next whole run.
    ///
    /// # Errors
    ///
    /// If the list is damaged.
    pub(crate) fn next_run(&mut self) -> Result<Option<Run>> {
        if let Some(run) = self.run.take() {
            self.next += u64::from(run.n_blocks);
            return Ok(Some(run));
        }
        let run = self.read()?;
        self.next += run.map_or(0, |run| u64::from(run.n_blocks));
        Ok(run)
    }

    /// The address of a block whose number is not lower than that of the previous call; `None`
    /// after the last block.
    ///
    /// # Errors
    ///
    /// If the list is damaged.
    pub(crate) fn seek(&mut self, number: u64) -> Result<Option<Address>> {
        loop {
            let run = match self.run {
                Some(run) => run,
                None => match self.read()? {
                    Some(run) => run,
                    None => return Ok(None),
                },
            };
            let n_ahead = number - self.next;
            if n_ahead < u64::from(run.n_blocks) {
                let n_ahead = u32::try_from(n_ahead)?;
                let first = Address { slot: run.first.slot + n_ahead, ..run.first };
                self.run = Some(Run { first, n_blocks: run.n_blocks - n_ahead });
                self.next = number;
                return Ok(Some(first));
            }
            self.next += u64::from(run.n_blocks);
            self.run = None;
        }
    }

    /// How many blocks of the current run are still to come, from the block that was sought last on.
    #[must_use]
    pub(crate) fn n_ahead(&self) -> u32 {
        self.run.map_or(0, |run| run.n_blocks)
    }

    fn read(&mut self) -> Result<Option<Run>> {
        if self.peek()?.is_none() {
            ensure!(self.n_left == 0, "it is cut short");
            return Ok(None);
        }
        let n_blocks = u32::try_from(self.number()?)?;
        let pack = u32::try_from(self.number()?)?;
        let distance = unzigzag(self.number()?);
        let expected = self.expected.get_mut(pack as usize).context("it names an unknown pack")?;
        let slot = i64::from(*expected).checked_add(distance);
        let slot = slot.and_then(|slot| u32::try_from(slot).ok());
        let slot = slot.context("it names an impossible block")?;
        let end = slot.checked_add(n_blocks).filter(|end| *end <= MAX_ENTRIES);
        *expected = end.context("it names an impossible block")?;
        ensure!(n_blocks > 0, "it has an empty run");
        let n_left = self.n_blocks_left.checked_sub(u64::from(n_blocks));
        self.n_blocks_left = n_left.context("it names more blocks than its database has")?;
        Ok(Some(Run { first: Address { pack, slot }, n_blocks }))
    }

    /// The next byte, which stays; `None` at the end.
    fn peek(&mut self) -> Result<Option<u8>> {
        let unpacked = self.rest.fill_buf().context("its runs cannot be unpacked")?;
        Ok(unpacked.first().copied())
    }

    /// Seven bits a byte, the lowest first; the highest bit is set if more follow.
    fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.peek()?.context("it ends within a number")?;
            self.n_left =
                self.n_left.checked_sub(1).context("its runs are longer than declared")?;
            self.rest.consume(1);
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        bail!("it contains a number that is too large")
    }
}

impl std::fmt::Debug for Cursor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Runs that grow by one block at a time.
#[derive(Debug, Default)]
pub(crate) struct Runs(Vec<Run>);

impl Runs {
    /// Appends a block.
    pub(crate) fn push(&mut self, address: Address) {
        match self.0.last_mut() {
            Some(run)
                if run.first.pack == address.pack
                    && run.first.slot.checked_add(run.n_blocks) == Some(address.slot) =>
            {
                run.n_blocks += 1;
            }
            _ => self.0.push(Run { first: address, n_blocks: 1 }),
        }
    }

    /// Appends blocks that follow one another.
    pub(crate) fn push_run(&mut self, next: Run) {
        match self.0.last_mut() {
            Some(run)
                if run.first.pack == next.first.pack
                    && run.first.slot.checked_add(run.n_blocks) == Some(next.first.slot) =>
            {
                run.n_blocks += next.n_blocks;
            }
            _ => self.0.push(next),
        }
    }

    /// All runs.
    #[must_use]
    pub(crate) fn into_vec(self) -> Vec<Run> {
        self.0
    }
}

/// Writes a number in the form that [`Cursor::number`] reads.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(0x80 | number.to_le_bytes()[0]);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::backups::store::file_header::Newer;

    fn cuts(n_blocks: u64) -> [Cut; 2] {
        let size_bytes = n_blocks * 4096;
        let shape = Shape { size_bytes, block_bytes: 4096 };
        [Cut::Pages(shape), Cut::Chunks { size_bytes, n_chunks: n_blocks }]
    }

    fn encoded(addresses: &[(u32, u32)]) -> Vec<u8> {
        encoded_as(cuts(addresses.len() as u64)[0], addresses)
    }

    fn encoded_as(cut: Cut, addresses: &[(u32, u32)]) -> Vec<u8> {
        let mut runs = Runs::default();
        for (pack, slot) in addresses {
            runs.push(Address { pack: *pack, slot: *slot });
        }
        let packs = [[1; 32], [2; 32], [3; 32]];
        List::encode(cut, &[9; 32], &packs, &runs.into_vec()).expect("encoded")
    }

    proptest! {
        #[test]
        fn every_block_is_found_again(addresses in prop::collection::vec((0..3_u32, 0..50_u32), 0..200)) {
            let list = List::decode(&encoded(&addresses)).expect("a list");
            prop_assert_eq!(list.root, [9; 32]);
            let mut cursor = list.cursor().expect("memory");
            for (number, (pack, slot)) in addresses.iter().enumerate().filter(|(n, _)| n % 3 != 1) {
                let address = Address { pack: *pack, slot: *slot };
                prop_assert_eq!(cursor.seek(number as u64).expect("sound"), Some(address));
            }
            prop_assert_eq!(cursor.seek(addresses.len() as u64).expect("sound"), None);
            let mut cursor = list.cursor().expect("memory");
            let mut again = Vec::new();
            while let Some(run) = cursor.next_run().expect("sound") {
                again.extend((0..run.n_blocks).map(|n| (run.first.pack, run.first.slot + n)));
            }
            prop_assert_eq!(again, addresses);
        }

        #[test]
        fn a_changed_or_cut_list_is_refused(at in 0..1000_usize, bit in 0..8_u32, cut: bool) {
            let mut bytes = encoded(&[(0, 0), (0, 1), (2, 7), (1, 0), (1, 1)]);
            let at = at % bytes.len();
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] ^= 1 << bit;
            }
            prop_assert!(List::decode(&bytes).is_err());
        }
    }

    #[test]
    fn a_newer_list_says_so() {
        let mut bytes = encoded(&[(0, 0)]);
        bytes[14] = 2;
        let error = List::decode(&bytes).expect_err("damaged");
        assert!(error.downcast_ref::<Newer>().is_none(), "{error:#}");
        let n_body = bytes.len() - CHECKSUM_BYTES;
        let checksum = blake3::hash(&bytes[..n_body]);
        bytes[n_body..].copy_from_slice(checksum.as_bytes());
        let error = List::decode(&bytes).expect_err("newer");
        assert_eq!(error.downcast_ref::<Newer>().map(|newer| newer.version), Some(2));
    }
}

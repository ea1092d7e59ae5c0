//! Which pages of a file are which, by their hashes: how much two states have in common.
//!
//! It is the bench's own measure, taken without the code that it measures.

use std::io::Read as _;
use std::path::Path;

use anyhow::Result;
use fs_err::File;

pub(super) const PAGE_BYTES: usize = 4096;
const PAGES_AT_ONCE: usize = 256;

/// The hash of each page of a file, in order.
pub(super) struct Pages(Vec<u64>);

impl Pages {
    /// Reads a database that nobody has open and whose WAL is empty.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut file = File::open(path)?;
        let mut block = vec![0; PAGE_BYTES * PAGES_AT_ONCE];
        let mut hashes = Vec::new();
        loop {
            let n_read = fill(&mut file, &mut block)?;
            hashes.extend(block[..n_read].chunks(PAGE_BYTES).map(short_hash));
            if n_read < block.len() {
                return Ok(Self(hashes));
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// How many of these are not the same in the other state, at the same place.
    pub(super) fn n_unlike(&self, other: &Self) -> u64 {
        let n_alike = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        self.len() - n_alike as u64
    }
}

fn fill(file: &mut File, block: &mut [u8]) -> Result<usize> {
    let mut n_read = 0;
    while n_read < block.len() {
        match file.read(&mut block[n_read..])? {
            0 => break,
            n => n_read += n,
        }
    }
    Ok(n_read)
}

fn short_hash(page: &[u8]) -> u64 {
    let hash = blake3::hash(page);
    hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_differs_or_is_new_is_unlike() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("pages");
        let read = |bytes: &[u8]| {
            fs_err::write(&path, bytes).expect("written");
            Pages::read(&path).expect("read")
        };
        let mut bytes = vec![7; PAGE_BYTES * 300];
        let before = read(&bytes);
        assert_eq!((before.len(), before.n_unlike(&before)), (300, 0));
        bytes[PAGE_BYTES * 299] = 8;
        bytes[1] = 8;
        bytes.resize(PAGE_BYTES * 302, 7);
        let after = read(&bytes);
        assert_eq!((after.n_unlike(&before), before.n_unlike(&after)), (4, 2));
    }
}

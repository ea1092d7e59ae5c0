//! The two hashes of a database file: of all its bytes, and of its content.
//!
//! They differ only in the header's bookkeeping, which depends on who copied the file and when. The
//! content hash treats it as zeros: bytes 18–19 (journal mode), 24–27 (change counter), 40–43
//! (schema cookie) and 92–99 (version-valid-for, library version), counted from 0
//! (<https://sqlite.org/fileformat2.html>).
//!
//! All bytes except those of the first group are hashed once: BLAKE3 is a tree, in which the two
//! hashes differ only on the way from the first leaf to the root (section 2.1 of
//! <https://github.com/BLAKE3-team/BLAKE3-specs/blob/master/blake3.pdf>).

use std::ops::Range;

use blake3::Hasher;
use blake3::hazmat::HasherExt as _;

use crate::sqlite::digest::GROUP_BYTES;
use crate::sqlite::digest::tree::{Id, Tree};
use crate::sqlite::header::HEADER_LENGTH;

const BOOKKEEPING: [Range<usize>; 4] = [18..20, 24..28, 40..44, 92..100];

/// Hashes a database file that arrives in pieces.
#[derive(Default)]
pub(crate) struct Hashing {
    /// The present group, and of the first one the same with the bookkeeping masked.
    group: Hasher,
    masked: Hasher,
    group_bytes: usize,
    /// The ids of the groups before it.
    groups: Vec<Id>,
    /// The first of them with the bookkeeping masked.
    first_masked: Option<Id>,
    begun: bool,
}

/// The ids of a file's groups of 64 KiB; empty if they are unknown. Equal ids at the same place
/// mean equal bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups(Vec<Id>);

impl Groups {
    /// The id of a group, by its number from 0.
    #[must_use]
    pub(crate) fn id(&self, group: u64) -> Option<Id> {
        self.0.get(usize::try_from(group).ok()?).copied()
    }
}

/// The beginning of a database with its bookkeeping masked.
#[must_use]
pub(crate) fn masked(beginning: &[u8]) -> Vec<u8> {
    let mut masked = beginning.to_vec();
    for range in BOOKKEEPING {
        if let Some(bytes) = masked.get_mut(range) {
            bytes.fill(0);
        }
    }
    masked
}

/// The finished hashes, 64 lowercase hex digits each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hashes {
    /// Hash of all bytes.
    pub blake3: String,
    /// Hash of all bytes with the bookkeeping masked.
    pub content_blake3: String,
}

impl Hashing {
    /// Takes the next piece; the first must contain the whole header, or be the only one.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        let mut rest = piece;
        if !self.begun {
            self.begun = true;
            let (header, after) = piece.split_at(piece.len().min(HEADER_LENGTH));
            self.group.update(header);
            self.masked.update(&masked(header));
            self.group_bytes = header.len();
            rest = after;
        }
        while !rest.is_empty() {
            // Whether a full group is the last one shows only now.
            if self.group_bytes == GROUP_BYTES {
                self.end_group();
            }
            let (now, later) = rest.split_at(rest.len().min(GROUP_BYTES - self.group_bytes));
            self.group.update(now);
            if self.groups.is_empty() {
                self.masked.update(now);
            }
            self.group_bytes += now.len();
            rest = later;
        }
    }

    fn end_group(&mut self) {
        if self.groups.is_empty() {
            self.first_masked = Some(self.masked.finalize_non_root());
        }
        self.groups.push(self.group.finalize_non_root());
        self.group_bytes = 0;
        self.group = Hasher::new();
        self.group.set_input_offset((self.groups.len() * GROUP_BYTES) as u64);
    }

    /// The ids of the groups; empty for a file of a single group.
    #[must_use]
    pub(crate) fn groups(&self) -> Groups {
        let mut ids = self.groups.clone();
        if !ids.is_empty() {
            ids.push(self.group.finalize_non_root());
        }
        Groups(ids)
    }

    /// Ends the file.
    #[must_use]
    pub(crate) fn finish(&self) -> Hashes {
        let (whole, content) = match self.first_masked {
            None => (self.group.finalize(), self.masked.finalize()),
            Some(first_masked) => {
                let mut ids = self.groups().0;
                let whole = root(&ids);
                ids[0] = first_masked;
                (whole, root(&ids))
            }
        };
        Hashes { blake3: whole.to_hex().to_string(), content_blake3: content.to_hex().to_string() }
    }
}

/// The hash of a file from the ids of its groups, of which there are several.
fn root(ids: &[Id]) -> blake3::Hash {
    let mut tree = Tree::default();
    for id in ids {
        tree.push(*id);
    }
    blake3::Hash::from_bytes(tree.root())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bookkeeping_is_masked() {
        let file = vec![7_u8; 4096];
        let hashes = |change: Option<usize>| {
            let mut file = file.clone();
            if let Some(at) = change {
                file[at] = 8;
            }
            let mut hashing = Hashing::default();
            hashing.update(&file[..1024]);
            hashing.update(&file[1024..]);
            hashing.finish()
        };
        let before = hashes(None);
        for at in 0..200 {
            let after = hashes(Some(at));
            let masked = BOOKKEEPING.iter().any(|range| range.contains(&at));
            assert_ne!(after.blake3, before.blake3, "byte {at}");
            assert_eq!(after.content_blake3 == before.content_blake3, masked, "byte {at}");
        }
    }

    #[test]
    fn both_hashes_are_those_of_the_bytes_at_every_length() {
        let mut file = vec![0; 9 * GROUP_BYTES];
        blake3::Hasher::new().finalize_xof().fill(&mut file);
        let ends =
            (0..=9).flat_map(|n| [n * GROUP_BYTES, n * GROUP_BYTES + 1, n * GROUP_BYTES + 9000]);
        for length in ends.chain([1, 99, 100, 101, 512, 1023, 1024, 4096]) {
            let Some(bytes) = file.get(..length) else { continue };
            for piece in [128, 4096, GROUP_BYTES, 1 << 20] {
                let mut hashing = Hashing::default();
                bytes.chunks(piece).for_each(|piece| hashing.update(piece));
                let hashes = hashing.finish();
                let expected = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
                assert_eq!(hashes.blake3, expected(bytes), "{length} in pieces of {piece}");
                let mut content = bytes.to_vec();
                for range in BOOKKEEPING.iter().flat_map(Clone::clone).filter(|at| *at < length) {
                    content[range] = 0;
                }
                if length >= HEADER_LENGTH {
                    assert_eq!(hashes.content_blake3, expected(&content), "{length}");
                }
            }
        }
    }

    #[test]
    fn only_the_group_with_the_change_has_another_id() {
        let groups = |change: Option<usize>| {
            let mut file = vec![7; 4 * GROUP_BYTES + 100];
            if let Some(at) = change {
                file[at] = 8;
            }
            let mut hashing = Hashing::default();
            hashing.update(&file);
            hashing.groups()
        };
        let before = groups(None);
        assert_eq!(before.id(5), None);
        for at in [0, GROUP_BYTES, 3 * GROUP_BYTES + 1, 4 * GROUP_BYTES + 99] {
            let after = groups(Some(at));
            for group in 0..5 {
                let changed = after.id(group) != before.id(group);
                assert_eq!(changed, (at / GROUP_BYTES) as u64 == group, "byte {at}, group {group}");
            }
        }
        assert_ne!(before.id(1), before.id(2), "an id is of the place too");
    }
}

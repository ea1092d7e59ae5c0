//! The hash tree of a database file: ids of blocks, and how they make up the hash of the whole file.
//!
//! BLAKE3 is a binary tree over chunks of 1 KiB (section 2.1 of
//! <https://github.com/BLAKE3-team/BLAKE3-specs/blob/master/blake3.pdf>). A block is a power of two
//! of them and is at a multiple of its own size, so that it is a subtree, and its chaining value is
//! its id: the ids alone give the hash of the file, and 16 ids that of 64 KiB, which is hashed more
//! than twice as fast as 16 pages one by one. An id identifies the bytes *and* their place in the
//! file.

use blake3::CHUNK_LEN;
use blake3::hazmat::{
    ChainingValue, HasherExt as _, Mode, max_subtree_len, merge_subtrees_non_root,
    merge_subtrees_root,
};

use crate::sqlite::digest;

/// The id of a block: 32 bytes.
pub(crate) type Id = ChainingValue;

/// Size of the groups of bytes that are compared at once if nothing changed.
pub(crate) const GROUP_BYTES: u64 = digest::GROUP_BYTES as u64;

/// How a file of one size is cut into blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Size of the file.
    pub(crate) size_bytes: u64,
    /// Size of every block but the last, which may be shorter: a power of two, 4 KiB to 64 KiB.
    pub(crate) block_bytes: u64,
}

impl Shape {
    /// The shape of a database: a block is a page, or as many pages as make up 4 KiB.
    #[must_use]
    pub(crate) fn of(size_bytes: u64, page_size_bytes: u64) -> Self {
        Self { size_bytes, block_bytes: page_size_bytes.max(4096) }
    }

    /// Number of blocks.
    #[must_use]
    pub(crate) fn n_blocks(self) -> u64 {
        self.size_bytes.div_ceil(self.block_bytes)
    }

    /// Number of blocks in a group.
    #[must_use]
    pub(crate) fn group_blocks(self) -> u64 {
        GROUP_BYTES / self.block_bytes
    }

    /// Whether one block is the whole file: then its id is the hash of the file.
    #[must_use]
    pub(crate) fn is_lone(self) -> bool {
        self.n_blocks() == 1
    }

    /// The id of a block of this file, by its number from 0.
    #[must_use]
    pub(crate) fn id(self, number: u64, bytes: &[u8]) -> Id {
        if self.is_lone() { lone_id(bytes) } else { subtree(number * self.block_bytes, bytes) }
    }
}

/// The id of a block that is a whole file.
#[must_use]
pub(crate) fn lone_id(bytes: &[u8]) -> Id {
    *blake3::hash(bytes).as_bytes()
}

/// The chaining value of the bytes at an offset, which make up a subtree. Bytes that are not a subtree,
/// as a damaged pack may claim, have the hash of a whole file, which is not a chaining value.
#[must_use]
pub(crate) fn subtree(offset_bytes: u64, bytes: &[u8]) -> Id {
    let is_chunk = offset_bytes.is_multiple_of(CHUNK_LEN as u64);
    let fits = || max_subtree_len(offset_bytes).is_none_or(|most| bytes.len() as u64 <= most);
    if !is_chunk || bytes.is_empty() || !fits() {
        return lone_id(bytes);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset_bytes);
    hasher.update(bytes);
    hasher.finalize_non_root()
}

/// Subtrees of one size, from left to right, until they are merged into the one above them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    /// The left subtrees that wait for their right ones, each larger than the next.
    waiting: Vec<Id>,
    /// The last one: whether it is the end of the tree shows only when another comes.
    last: Option<Id>,
    n_subtrees: u64,
}

impl Tree {
    /// Adds the next subtree; all but the last have one size.
    pub(crate) fn push(&mut self, id: Id) {
        if let Some(mut merged) = self.last.replace(id) {
            // As in a binary counter: every pair of subtrees of one size becomes one.
            let mut n_subtrees = self.n_subtrees;
            while n_subtrees.is_multiple_of(2)
                && let Some(left) = self.waiting.pop()
            {
                merged = merge_subtrees_non_root(&left, &merged, Mode::Hash);
                n_subtrees /= 2;
            }
            self.waiting.push(merged);
        }
        self.n_subtrees += 1;
    }

    /// The hash of the file that the subtrees make up: of a single one, its own; of none, the hash
    /// of nothing.
    #[must_use]
    pub(crate) fn root(mut self) -> Id {
        let Some(last) = self.last else {
            return *blake3::hash(b"").as_bytes();
        };
        let Some(first) = (!self.waiting.is_empty()).then(|| self.waiting.remove(0)) else {
            return last;
        };
        let right = join(self.waiting, last);
        *merge_subtrees_root(&first, &right, Mode::Hash).as_bytes()
    }

    /// The chaining value of the subtree that these make up within a larger tree.
    #[must_use]
    pub(crate) fn subtree(self) -> Option<Id> {
        Some(join(self.waiting, self.last?))
    }
}

/// The chaining value of subtrees, the largest on the left.
fn join(waiting: Vec<Id>, last: Id) -> Id {
    waiting
        .into_iter()
        .rev()
        .fold(last, |right, left| merge_subtrees_non_root(&left, &right, Mode::Hash))
}

/// The chaining value of the subtree that subtrees of one size make up, as [`Tree::subtree`]; `None` unless their number is
/// a power of two. They are overwritten: in a dev build, [`Tree`] costs several times as much.
#[must_use]
pub(crate) fn merged(ids: &mut [Id]) -> Option<Id> {
    let mut n_ids = ids.len();
    if !n_ids.is_power_of_two() {
        return None;
    }
    while n_ids > 1 {
        let mut at = 0;
        while at < n_ids {
            ids[at / 2] = merge_subtrees_non_root(&ids[at], &ids[at + 1], Mode::Hash);
            at += 2;
        }
        n_ids /= 2;
    }
    Some(ids[0])
}

/// Lowercase hex digits.
#[must_use]
pub(crate) fn hex(id: &Id) -> String {
    blake3::Hash::from_bytes(*id).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_are_merged_as_by_a_tree() {
        for n_ids in 0..=64_usize {
            let ids: Vec<Id> =
                (0..n_ids).map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).collect();
            let mut tree = Tree::default();
            for id in &ids {
                tree.push(*id);
            }
            let expected = tree.subtree().filter(|_| n_ids.is_power_of_two());
            assert_eq!(merged(&mut ids.clone()), expected, "{n_ids}");
        }
    }

    #[test]
    fn whatever_a_damaged_pack_claims_has_an_id() {
        for (offset, length) in [(4104, 4096), (4096, 65_536), (1, 1), (0, 0), (1024, 4096)] {
            let bytes = vec![7; length];
            assert_eq!(subtree(offset, &bytes), lone_id(&bytes), "{length} bytes at {offset}");
        }
        assert_ne!(subtree(4096, &[7; 4096]), lone_id(&[7; 4096]));
    }

    /// Bytes without any pattern.
    fn bytes(n_bytes: usize) -> Vec<u8> {
        let mut bytes = vec![0; n_bytes];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn blocks_and_groups_make_up_the_hash_of_the_file_at_every_size() {
        for page_size_bytes in [512_u64, 4096, 8192, 65_536] {
            for n_pages in (0..40).chain([63, 64, 65, 127, 128, 129, 255, 256, 257, 300]) {
                let size_bytes = n_pages * page_size_bytes;
                let file = bytes(usize::try_from(size_bytes).expect("small"));
                let shape = Shape::of(size_bytes, page_size_bytes);
                let wanted = *blake3::hash(&file).as_bytes();
                let (mut all, mut groups) = (Tree::default(), Tree::default());
                for (g, group) in file.chunks(digest::GROUP_BYTES).enumerate() {
                    let mut of_group = Tree::default();
                    for (b, block) in
                        group.chunks(shape.block_bytes.try_into().expect("small")).enumerate()
                    {
                        let id = shape.id(g as u64 * shape.group_blocks() + b as u64, block);
                        all.push(id);
                        of_group.push(id);
                    }
                    let id = of_group.subtree().expect("blocks");
                    if size_bytes > GROUP_BYTES {
                        assert_eq!(id, subtree(g as u64 * GROUP_BYTES, group), "{size_bytes}");
                    }
                    groups.push(id);
                }
                assert_eq!(all.root(), wanted, "{n_pages} pages of {page_size_bytes}");
                if size_bytes > GROUP_BYTES {
                    assert_eq!(groups.root(), wanted, "{n_pages} pages of {page_size_bytes}");
                }
            }
        }
    }
}

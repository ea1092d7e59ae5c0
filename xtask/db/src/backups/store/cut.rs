//! The two kinds of lists in the store, and how each cuts a backup into blocks.

use std::path::Path;

use crate::backups::store::file_header::Kind;
use crate::backups::store::pack::Content;
use crate::sqlite::digest::tree::{self, Id, Shape};

/// The list of the pages of a database.
pub(super) const PAGES: Kind =
    Kind { magic: b"xtask-db pages", newest: VERSION, what: "page list" };
/// The list of the chunks of a dump.
pub(super) const CHUNKS: Kind =
    Kind { magic: b"xtask-db chunk", newest: VERSION, what: "chunk list" };
/// The version that this build writes and reads, of both.
pub(super) const VERSION: u16 = 1;

/// Length of how a list of either kind begins.
pub(crate) const MAGIC_LENGTH: u64 = 14;

/// Whether a file begins like a list of either kind, in any version.
#[must_use]
pub(crate) fn begins_like_one(bytes: &[u8]) -> bool {
    [PAGES, CHUNKS].iter().any(|kind| bytes.starts_with(kind.magic))
}

/// What the file at a path is by its name, in messages.
#[must_use]
pub(crate) fn noun(path: &Path) -> &'static str {
    let is_of_chunks = path.extension().is_some_and(|ending| ending == "chunks");
    if is_of_chunks { CHUNKS.what } else { PAGES.what }
}

/// How a backup is cut into blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A database into pages of one size.
    Pages(Shape),
    /// A dump into chunks that its content delimits; each is known by its own hash.
    Chunks {
        /// Size of the dump's SQL.
        size_bytes: u64,
        /// How many there are.
        n_chunks: u64,
    },
}

impl Cut {
    /// Number of blocks.
    #[must_use]
    pub(crate) fn n_blocks(self) -> u64 {
        match self {
            Self::Pages(shape) => shape.n_blocks(),
            Self::Chunks { n_chunks, .. } => n_chunks,
        }
    }

    /// Size of what was cut.
    #[must_use]
    pub(crate) fn size_bytes(self) -> u64 {
        match self {
            Self::Pages(shape) => shape.size_bytes,
            Self::Chunks { size_bytes, .. } => size_bytes,
        }
    }

    /// The shape of a database; of a dump, that of nothing, because no part of it has a fixed place.
    #[must_use]
    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::Pages(shape) => shape,
            Self::Chunks { .. } => Shape { size_bytes: 0, block_bytes: 4096 },
        }
    }

    /// The id of a block, by its number from 0.
    #[must_use]
    pub(crate) fn id(self, number: u64, bytes: &[u8]) -> Id {
        match self {
            Self::Pages(shape) => shape.id(number, bytes),
            Self::Chunks { .. } => tree::lone_id(bytes),
        }
    }

    /// What a block is.
    #[must_use]
    pub(crate) fn content(self) -> Content {
        match self {
            Self::Pages(_) => Content::Pages,
            Self::Chunks { .. } => Content::Chunks,
        }
    }

    /// The kind of its list.
    #[must_use]
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Pages(_) => PAGES,
            Self::Chunks { .. } => CHUNKS,
        }
    }
}

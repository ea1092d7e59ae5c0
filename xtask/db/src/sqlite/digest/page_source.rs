//! The pages that a database will have, wherever they are stored: the interface of a restore by
//! difference.
//!
//! It is asked for the ids of groups first, and then, if those do not decide, with the present
//! bytes. A source that knows the id of a group can answer without reading the group.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::sqlite::digest::GROUP_BYTES;
use crate::sqlite::digest::database::Groups;
use crate::sqlite::digest::tree::Id;

/// The pages to read. They are requested group by group, in order; every page size divides a group.
pub(crate) trait Wanted {
    /// How many bytes they are together.
    fn size_bytes(&self) -> u64;

    /// The id of a group (see [`Groups`]), if it is known without reading the group.
    ///
    /// # Errors
    ///
    /// If the source of that knowledge is damaged.
    fn id(&mut self, group: u64) -> Result<Option<Id>>;

    /// Reads all requested bytes of a group (from `group` × [`GROUP_BYTES`] on, fewer at the end),
    /// unless `there` are the same: then nothing. `there` may be shorter, and empty to read them in
    /// any case.
    ///
    /// # Errors
    ///
    /// If they cannot be read or are damaged.
    fn differing(&mut self, group: u64, there: &[u8]) -> Result<Option<&[u8]>>;
}

/// The pages of a plain file.
pub(crate) struct OfFile {
    file: fs_err::File,
    size_bytes: u64,
    ids: Groups,
    group: Vec<u8>,
}

impl OfFile {
    /// The pages of a file to which nobody writes, and the ids of its groups as far as they are known.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub(crate) fn open(path: &Path, ids: Groups) -> Result<Self> {
        let file = fs_err::File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self { file, size_bytes, ids, group: vec![0; GROUP_BYTES] })
    }
}

impl Wanted for OfFile {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn id(&mut self, group: u64) -> Result<Option<Id>> {
        Ok(self.ids.id(group))
    }

    fn differing(&mut self, group: u64, there: &[u8]) -> Result<Option<&[u8]>> {
        let offset = group * GROUP_BYTES as u64;
        let n_bytes = self.size_bytes.saturating_sub(offset).min(GROUP_BYTES as u64);
        let bytes = &mut self.group[..usize::try_from(n_bytes)?];
        self.file.file().read_exact_at(bytes, offset).context("the backup ended early")?;
        Ok((bytes != there).then_some(bytes))
    }
}

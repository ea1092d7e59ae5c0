//! A backup that is locked while it is read, so that pruning does not remove it.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::store::pack_folder;

/// A backup that is being read and must not be removed.
#[derive(Debug)]
pub(crate) struct Held {
    _file: fs_err::File,
    _packs: Option<fs_err::File>,
}

impl Backup {
    /// Locks the backup while it is read, so that pruning does not remove it.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub(crate) fn hold(&self) -> Result<Held> {
        let file = fs_err::File::open(self.path())?;
        // Only a removal takes the exclusive lock, and only for a moment.
        file.file().lock_shared()?;
        let packs = match self.name.format {
            Format::Plain | Format::Dump => None,
            // Its pages are missing if there is no folder, which is damage like any other.
            Format::Pages | Format::Chunks => pack_folder::hold(&self.folder)?,
        };
        Ok(Held { _file: file, _packs: packs })
    }
}

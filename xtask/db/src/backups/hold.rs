//! A backup that is held while it is read: no pruning takes it away meanwhile.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::store::pack_folder;

/// A backup that is being read and must not be removed meanwhile.
#[derive(Debug)]
pub(crate) struct Held {
    _file: fs_err::File,
    _packs: Option<fs_err::File>,
}

impl Backup {
    /// Holds the backup while it is read: pruning leaves it meanwhile.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub(crate) fn hold(&self) -> Result<Held> {
        let file = fs_err::File::open(self.path())?;
        // Only a removal takes the exclusive lock, and only for a moment.
        file.file().lock_shared()?;
        let packs = match self.name.format {
            Format::Plain => None,
            // Its pages are missing if there is no folder, which is damage like any other.
            Format::Pages => pack_folder::hold(&self.folder)?,
        };
        Ok(Held { _file: file, _packs: packs })
    }
}

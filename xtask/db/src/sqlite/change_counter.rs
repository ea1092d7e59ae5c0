//! The change counter in the header: shows whether there was a commit in between.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::Result;

/// The change counter in the header of a database in rollback-journal mode: every commit raises it
/// (<https://sqlite.org/fileformat2.html#file_change_counter>). In WAL mode it shows nothing.
pub(crate) struct ChangeCounter {
    file: Option<fs_err::File>,
    seen: std::cell::Cell<Option<[u8; 4]>>,
}

impl ChangeCounter {
    pub(crate) fn of(path: &Path) -> Self {
        Self { file: fs_err::File::open(path).ok(), seen: std::cell::Cell::new(None) }
    }

    fn read(&self) -> Result<Option<[u8; 4]>> {
        let mut counter = [0; 4];
        let Some(file) = &self.file else { return Ok(None) };
        file.file().read_exact_at(&mut counter, 24)?;
        Ok(Some(counter))
    }

    pub(crate) fn remember(&self) -> Result<()> {
        self.seen.set(self.read()?);
        Ok(())
    }

    pub(crate) fn has_changed(&self) -> Result<bool> {
        Ok(self.read()? != self.seen.get())
    }
}

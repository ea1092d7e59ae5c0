//! Proves a bundle without keeping anything of it.

use std::io::Read;
use std::path::Path;

use anyhow::Result;

use crate::bundle::manifest::{Entry, Item, Manifest};
use crate::bundle::read::{self, Receive};
use crate::bundle::seal::Keys;
use crate::console::progress::Progress;

/// Reads a whole bundle.
///
/// # Errors
///
/// As [`read::read`].
pub(crate) fn prove(path: &Path, keys: &Keys, progress: &mut Progress) -> Result<Manifest> {
    let interrupt = progress.interrupt().clone();
    read::read(path, keys, &interrupt, &mut Nothing { progress, n_bytes: 0 })
}

struct Nothing<'p> {
    progress: &'p mut Progress,
    n_bytes: u64,
}

impl Receive for Nothing<'_> {
    fn begin(&mut self, manifest: &Manifest) -> Result<()> {
        self.progress.expect_bytes(manifest.size_bytes());
        Ok(())
    }

    fn take(&mut self, _: &Item, entry: &Entry, _: &mut dyn Read) -> Result<()> {
        self.n_bytes += entry.size_bytes();
        self.progress.reach(self.n_bytes);
        Ok(())
    }
}

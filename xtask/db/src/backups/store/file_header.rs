//! The first bytes of a file of the store: its kind and its version.

use anyhow::{Context as _, Result, bail};

/// The version that this build writes and reads.
const VERSION: u16 = 1;

/// A file that cannot be read because a newer version wrote it.
#[derive(Debug)]
pub(crate) struct Newer {
    /// Kind of the file.
    pub(crate) what: &'static str,
    /// Its version.
    pub(crate) version: u16,
}

impl std::fmt::Display for Newer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} has version {}: update xtask-db to read it", self.what, self.version)
    }
}

impl std::error::Error for Newer {}

/// Checks how a file of the store begins.
///
/// # Errors
///
/// [`Newer`], or if it begins otherwise.
pub(crate) fn demand_version(bytes: &[u8], magic: &[u8; 14], what: &'static str) -> Result<()> {
    let version = bytes.strip_prefix(magic).and_then(|rest| rest.first_chunk());
    match version.map(|bytes| u16::from_le_bytes(*bytes)) {
        Some(VERSION) => Ok(()),
        Some(version) if version > VERSION => Err(Newer { what, version }.into()),
        _ => bail!("it is not a {what}"),
    }
}

/// Takes a field of fixed length off the front.
pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (field, after) = rest.split_first_chunk().context("it is cut short")?;
    *rest = after;
    Ok(*field)
}

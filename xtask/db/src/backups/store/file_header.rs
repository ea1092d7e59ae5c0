//! The first bytes of a file of the store: its kind and its version.

use anyhow::{Context as _, Result, bail};

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

/// A kind of file of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// How it begins, in any version; the version follows.
    pub(crate) magic: &'static [u8; 14],
    /// The newest version that this build knows.
    pub(crate) newest: u16,
    /// What it is, in messages.
    pub(crate) what: &'static str,
}

impl Kind {
    /// Checks how a file begins, and returns its version.
    ///
    /// # Errors
    ///
    /// [`Newer`], or if it begins otherwise.
    pub(crate) fn demand(self, bytes: &[u8]) -> Result<u16> {
        let Self { magic, newest, what } = self;
        let version = bytes.strip_prefix(magic).and_then(|rest| rest.first_chunk());
        match version.map(|bytes| u16::from_le_bytes(*bytes)) {
            Some(version) if (1..=newest).contains(&version) => Ok(version),
            Some(version) if version > newest => Err(Newer { what, version }.into()),
            _ => bail!("it is not a {what}"),
        }
    }
}

/// Takes a field of fixed length off the front.
pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (field, after) = rest.split_first_chunk().context("it is cut short")?;
    *rest = after;
    Ok(*field)
}

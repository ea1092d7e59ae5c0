//! The bytes of a backup, whichever way they are kept: the one seam through which backups are read.
//!
//! What reads a backup asks for its bytes in order, or, where SQLite must open it, for a plain file:
//! a plain backup is that file itself, a stored one becomes a private copy that removes itself. It is
//! held meanwhile, so that no pruning takes it away.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::backup::Backup;
use crate::content::{Hashes, Hashing};
use crate::copy;
use crate::durable::Stage;
use crate::interrupt::Interrupt;
use crate::standing::{self, Standing};
use crate::vault::Held;

/// An open backup.
#[derive(Debug)]
pub(crate) struct Contents {
    kept: Kept,
    _held: Held,
}

/// How the bytes are kept.
#[derive(Debug)]
enum Kept {
    Plain(PathBuf),
}

/// A plain database file with the bytes of a backup; a private copy removes itself with this.
#[derive(Debug)]
pub(crate) struct PlainFile<'c> {
    path: PathBuf,
    _stage: Option<Stage>,
    _contents: &'c Contents,
}

impl PlainFile<'_> {
    /// Where it lies; nobody writes it.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Contents {
    /// Opens a backup and holds it.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened; of a stored one also where its page list is damaged, of a newer
    /// version, or names a pack that is not there.
    pub(crate) fn open(backup: &Backup) -> Result<Self> {
        let held = backup.hold()?;
        Ok(Self { kept: Kept::Plain(backup.path()), _held: held })
    }

    /// What stands there: a database as it should, and its header.
    ///
    /// # Errors
    ///
    /// Where the first bytes cannot be read.
    pub(crate) fn standing(&self) -> Result<Standing> {
        match &self.kept {
            Kept::Plain(path) => standing::look(path),
        }
    }

    /// Hands on all bytes in order, in pieces of at most 1 MiB.
    ///
    /// # Errors
    ///
    /// Where they cannot be read or are damaged, `each` fails, or at the user's interrupt.
    pub(crate) fn pieces(
        &self,
        interrupt: &Interrupt,
        each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        match &self.kept {
            Kept::Plain(path) => copy::read_file(path, interrupt, each),
        }
    }

    /// Hashes all bytes; returns how many there are, too.
    ///
    /// # Errors
    ///
    /// As [`Contents::pieces`].
    pub(crate) fn hash(&self, interrupt: &Interrupt) -> Result<(Hashes, u64)> {
        let (mut hashing, mut size_bytes) = (Hashing::default(), 0);
        self.pieces(interrupt, |piece| {
            hashing.update(piece);
            size_bytes += piece.len() as u64;
            Ok(())
        })?;
        Ok((hashing.finish(), size_bytes))
    }

    /// Copies all bytes into an empty stage, hashing on the way.
    ///
    /// # Errors
    ///
    /// As [`Contents::pieces`], or where the disk is full or fails.
    pub(crate) fn copy_into(&self, stage: &Stage, interrupt: &Interrupt) -> Result<Hashes> {
        let mut hashing = Hashing::default();
        self.pieces(interrupt, |piece| {
            hashing.update(piece);
            stage.append(piece)
        })?;
        Ok(hashing.finish())
    }

    /// A plain database file with these bytes, for SQLite to open as immutable.
    ///
    /// # Errors
    ///
    /// As [`Contents::pieces`], or where there is no room for a private copy.
    pub(crate) fn file(&self, _interrupt: &Interrupt) -> Result<PlainFile<'_>> {
        match &self.kept {
            Kept::Plain(path) => {
                Ok(PlainFile { path: path.clone(), _stage: None, _contents: self })
            }
        }
    }
}

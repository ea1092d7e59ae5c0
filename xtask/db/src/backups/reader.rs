//! The bytes of a backup in any format: everything that reads backups goes through here.
//!
//! A caller asks for the bytes in order, or for a plain file if SQLite must open it: a plain backup
//! is that file itself, a stored one becomes a private copy that removes itself. The backup is
//! locked meanwhile, so that pruning cannot remove it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::hold::Held;
use crate::backups::store::cut::Cut;
use crate::backups::store::pack_index::Shelf;
use crate::backups::store::page_list::{self, List};
use crate::backups::store::pages::OfStore;
use crate::backups::store::stored_database::{self, Stored};
use crate::console::interrupt::Interrupt;
use crate::files::stage::Stage;
use crate::files::{free_space, publish};
use crate::postgres::dump::read_back::{self, Dump, Part, ReadBack, StoredSql};
use crate::sqlite::digest::database::{Groups, Hashes, Hashing};
use crate::sqlite::digest::page_source::{OfFile, Wanted};
use crate::sqlite::digest::tree::{self, Id};
use crate::sqlite::examination::finding::Damage;
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::snapshot::copy;

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
    Stored { stored: Box<Stored>, folder: PathBuf, name: String },
}

/// A plain database file with the bytes of a backup; a private copy removes itself with this.
#[derive(Debug)]
pub(crate) struct PlainFile<'c> {
    path: PathBuf,
    _stage: Option<Stage>,
    _contents: &'c Contents,
}

impl PlainFile<'_> {
    /// The path of the database file, to which nobody writes.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads only the list of a stored backup.
///
/// # Errors
///
/// If it cannot be read, is damaged, or has a newer version.
pub(crate) fn list(backup: &Backup) -> Result<List> {
    let list = stored_database::read_list(&backup.path())?;
    let is_of_chunks = matches!(list.cut, Cut::Chunks { .. });
    if is_of_chunks == backup.name.format.is_dump() {
        return Ok(list);
    }
    Err(Damage::new(format!("`{}` is a list of another kind", backup.name)).into())
}

/// The names of the packs in the page list at a path, whose checksum is compared.
///
/// # Errors
///
/// As [`list`].
pub(crate) fn packs_named(path: &Path) -> Result<Vec<Id>> {
    stored_database::read_list_by(path, page_list::packs_named)
}

impl Contents {
    /// Opens a backup and locks it against removal.
    ///
    /// # Errors
    ///
    /// If it cannot be opened; of a stored one also if its page list is damaged, of a newer
    /// version, or names a pack that is not there.
    pub(crate) fn open(backup: &Backup) -> Result<Self> {
        let held = backup.hold()?;
        let kept = match backup.name.format {
            Format::Plain | Format::Dump => Kept::Plain(backup.path()),
            Format::Pages | Format::Chunks => {
                let mut shelf = Shelf::of(&backup.folder);
                let stored = Stored::find(&mut shelf, list(backup)?)?;
                let (folder, name) = (backup.folder.to_path_buf(), backup.name.to_string());
                Kept::Stored { stored: Box::new(stored), folder, name }
            }
        };
        Ok(Self { kept, _held: held })
    }

    /// The kind of file it is by its first bytes, with the header if it is a database.
    ///
    /// # Errors
    ///
    /// If the first bytes cannot be read.
    pub(crate) fn standing(&self) -> Result<Standing> {
        match &self.kept {
            Kept::Plain(path) => probe::look(path),
            Kept::Stored { stored, .. } if stored.cut().size_bytes() == 0 => Ok(Standing::Empty),
            Kept::Stored { stored, .. } => Ok(probe::of_bytes(&stored.reader()?.block(0)?)),
        }
    }

    /// Passes on all bytes in order, in pieces of at most 1 MiB.
    ///
    /// # Errors
    ///
    /// If they cannot be read or are damaged, `each` fails, or at the user's interrupt.
    pub(crate) fn pieces(
        &self,
        interrupt: &Interrupt,
        each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        match &self.kept {
            Kept::Plain(path) => copy::read_file(path, interrupt, each),
            Kept::Stored { stored, .. } => stored.pieces(interrupt, each),
        }
    }

    /// Hashes all bytes; also returns their number.
    ///
    /// # Errors
    ///
    /// As [`Contents::pieces`].
    pub(crate) fn hash(&self, interrupt: &Interrupt) -> Result<(Hashes, u64)> {
        if let Kept::Stored { stored, .. } = &self.kept
            && matches!(stored.cut(), Cut::Chunks { .. })
        {
            let read = read_back::read(Dump::Stored(self), interrupt)?;
            let hashes = Hashes { blake3: read.blake3, content_blake3: read.proof.content_blake3 };
            return Ok((hashes, read.size_bytes));
        }
        let (mut hashing, mut size_bytes) = (Hashing::default(), 0);
        self.pieces(interrupt, |piece| {
            hashing.update(piece);
            size_bytes += piece.len() as u64;
            Ok(())
        })?;
        Ok((hashing.finish(), size_bytes))
    }

    /// Computes the hash of all bytes. A plain backup is read. For a stored one, the ids of its
    /// pages are merged; the pages are compared with them only when they are read.
    ///
    /// # Errors
    ///
    /// As [`Contents::pieces`].
    pub(crate) fn prove(&self, interrupt: &Interrupt) -> Result<(Hashes, u64)> {
        match &self.kept {
            Kept::Plain(_) => self.hash(interrupt),
            Kept::Stored { stored, .. } => {
                Ok((stored.prove(interrupt)?, stored.cut().size_bytes()))
            }
        }
    }

    /// Reads all bytes back from the disk, if the system forgets what it has cached; returns their
    /// BLAKE3.
    ///
    /// # Errors
    ///
    /// As [`Contents::pieces`].
    pub(crate) fn read_back(&self, interrupt: &Interrupt) -> Result<String> {
        match &self.kept {
            Kept::Plain(path) => {
                publish::forget_cached(&fs_err::File::open(path)?);
                Ok(self.hash(interrupt)?.0.blake3)
            }
            Kept::Stored { stored, .. } => {
                stored.read_back(interrupt)?;
                Ok(tree::hex(&stored.list().root))
            }
        }
    }

    /// Hashes all bytes; also returns the ids of their groups.
    ///
    /// # Errors
    ///
    /// As [`Contents::pieces`].
    pub(crate) fn hash_groups(&self, interrupt: &Interrupt) -> Result<(Hashes, Groups)> {
        let mut hashing = Hashing::default();
        self.pieces(interrupt, |piece| {
            hashing.update(piece);
            Ok(())
        })?;
        Ok((hashing.finish(), hashing.groups()))
    }

    /// The pages in the store, of a stored backup.
    #[must_use]
    pub(crate) fn stored(&self) -> Option<&Stored> {
        match &self.kept {
            Kept::Plain(_) => None,
            Kept::Stored { stored, .. } => Some(stored),
        }
    }

    /// Copies all bytes into an empty stage, hashing on the way.
    ///
    /// # Errors
    ///
    /// As [`Contents::pieces`], or if the disk is full or fails.
    pub(crate) fn copy_into(&self, stage: &Stage, interrupt: &Interrupt) -> Result<Hashes> {
        let mut hashing = Hashing::default();
        self.pieces(interrupt, |piece| {
            hashing.update(piece);
            stage.append(piece)
        })?;
        Ok(hashing.finish())
    }

    /// The pages for a restore by difference. A plain backup does not know the ids of its groups,
    /// as a stored one does; the ids from [`Contents::hash_groups`] save reading pages that are
    /// equal.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub(crate) fn wanted(&self, ids: Groups) -> Result<Box<dyn Wanted + '_>> {
        match &self.kept {
            Kept::Plain(path) => Ok(Box::new(OfFile::open(path, ids)?)),
            Kept::Stored { stored, .. } => Ok(Box::new(OfStore::of(stored)?)),
        }
    }

    /// Reads a PostgreSQL dump to the end, and proves its content.
    ///
    /// # Errors
    ///
    /// As [`Contents::pieces`].
    pub(crate) fn dump(&self, interrupt: &Interrupt) -> Result<ReadBack> {
        match &self.kept {
            Kept::Plain(path) => read_back::read(Dump::File(path), interrupt),
            Kept::Stored { .. } => read_back::read(Dump::Stored(self), interrupt),
        }
    }

    /// The PostgreSQL dump, for the engine to load; it is held as long as this value.
    #[must_use]
    pub(crate) fn as_dump(&self) -> Dump<'_> {
        match &self.kept {
            Kept::Plain(path) => Dump::File(path),
            Kept::Stored { .. } => Dump::Stored(self),
        }
    }

    /// A plain database file with these bytes, for SQLite to open as immutable.
    ///
    /// # Errors
    ///
    /// As [`Contents::pieces`], or if there is no room for a private copy.
    pub(crate) fn file(&self, interrupt: &Interrupt) -> Result<PlainFile<'_>> {
        match &self.kept {
            Kept::Plain(path) => {
                Ok(PlainFile { path: path.clone(), _stage: None, _contents: self })
            }
            Kept::Stored { stored, folder, name } => {
                free_space::demand(
                    folder,
                    stored.cut().size_bytes(),
                    "a private copy of the backup",
                )?;
                let stage = Stage::create_held(folder, name)
                    .context("could not create a private copy of the backup")?;
                let hashes = self.copy_into(&stage, interrupt)?;
                if hashes.blake3 != tree::hex(&stored.list().root) {
                    return Err(stored.unequal().into());
                }
                let path = stage.path().to_owned();
                Ok(PlainFile { path, _stage: Some(stage), _contents: self })
            }
        }
    }
}

impl StoredSql for Contents {
    fn begin(&self) -> Result<Part<'_>> {
        let Kept::Stored { stored, .. } = &self.kept else {
            anyhow::bail!("it is not in the store")
        };
        let mut sql = stored.sql()?;
        Ok(Box::new(move |part| sql.next(part)))
    }

    fn blake3(&self) -> String {
        self.stored().map(|stored| tree::hex(&stored.list().root)).unwrap_or_default()
    }
}

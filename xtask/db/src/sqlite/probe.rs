//! The kind of file at a path, determined before any connection is open: nothing, a foreign file,
//! or a file that begins like an SQLite database, and its header.

pub(crate) mod other_engines;

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files::sidecars;
use crate::sqlite::header::{HEADER_LENGTH, Header, MAGIC};
use crate::sqlite::probe::other_engines::Engine;

/// The kind of file at a path, determined before any connection is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing, and the reason: the path itself or a symbolic link's target is missing.
    Missing,
    /// Something that is not a regular file, in words.
    NotAFile(&'static str),
    /// A database of another engine.
    Other(Engine),
    /// A file of 0 bytes.
    Empty,
    /// A file that does not begin as a SQLite database.
    Foreign {
        /// Whether its bytes look random, as those of an encrypted database do.
        may_be_encrypted: bool,
    },
    /// A file that begins as a SQLite database.
    Sqlite(Header),
}

/// Looks at a path without opening a connection. Symbolic links are followed, as SQLite does.
///
/// # Errors
///
/// If it cannot be read, as for want of permission.
pub(crate) fn look(path: &Path) -> Result<Standing> {
    let metadata = match fs_err::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Standing::Missing),
        Err(error) => return Err(error.into()),
    };
    if metadata.is_dir() {
        let folder = Standing::NotAFile("a folder");
        return Ok(other_engines::of_folder(path).map_or(folder, Standing::Other));
    }
    if !metadata.is_file() {
        return Ok(Standing::NotAFile("not a regular file"));
    }
    if has_odd_sidecar(path) {
        return Ok(Standing::NotAFile(
            "beside a -wal, -shm or -journal that is not a regular file",
        ));
    }
    if metadata.len() == 0 {
        return Ok(Standing::Empty);
    }
    let mut start = Vec::new();
    fs_err::File::open(path)?.take(4096).read_to_end(&mut start)?;
    Ok(match of_bytes(&start) {
        // The WAL is beside one of the names only; through another one its pages are not seen.
        Standing::Sqlite(header) if metadata.nlink() > 1 && header.is_wal() => {
            Standing::NotAFile("a WAL database with several names (hard links)")
        }
        Standing::Foreign { may_be_encrypted } => Standing::Foreign {
            may_be_encrypted: may_be_encrypted && metadata.len().is_multiple_of(512),
        },
        standing => standing,
    })
}

/// The one path of a file, which may not exist yet: behind every symbolic link, from the root.
///
/// # Errors
///
/// If a folder on the way cannot be searched, or symbolic links go in a circle.
pub(crate) fn canonical(path: &Path) -> std::io::Result<PathBuf> {
    /// Maximum number of symbolic links to follow: the same as in Linux.
    const MAX_LINKS: u32 = 40;
    let mut path = std::path::absolute(path)?;
    for _ in 0..MAX_LINKS {
        match fs_err::canonicalize(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            canonical => return canonical,
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path) };
        // SQLite would create a file at the target of a link to nothing.
        path = match fs_err::read_link(&path) {
            Ok(to) => folder.join(to),
            Err(_) => return Ok(canonical(folder)?.join(name)),
        };
    }
    Err(std::io::Error::other(format!("`{}`: too many symbolic links", path.display())))
}

/// The kind of a file that is not empty, by its first bytes.
#[must_use]
pub(crate) fn of_bytes(start: &[u8]) -> Standing {
    if let Some(engine) = other_engines::of_bytes(start) {
        return Standing::Other(engine);
    }
    let header = start.first_chunk::<HEADER_LENGTH>();
    if let Some(header) = header.filter(|_| start.starts_with(MAGIC)) {
        return Standing::Sqlite(Header(*header));
    }
    let start = start.get(..4096).unwrap_or(start);
    Standing::Foreign { may_be_encrypted: looks_random(start) }
}

/// SQLite would open a FIFO in a sidecar's place and wait for ever.
fn has_odd_sidecar(path: &Path) -> bool {
    sidecars::ALL.iter().any(|suffix| {
        let sidecar = sidecars::beside(path, suffix);
        fs_err::metadata(sidecar).is_ok_and(|metadata| !metadata.is_file())
    })
}

/// Whether bytes are as evenly distributed as random ones: of 4096 random bytes, no value takes up
/// more than 1 %, while in text, images with headers and zeros some value does.
fn looks_random(bytes: &[u8]) -> bool {
    let mut n_of_value = [0_usize; 256];
    for byte in bytes {
        n_of_value[usize::from(*byte)] += 1;
    }
    let most = n_of_value.iter().max().copied().unwrap_or(0);
    bytes.len() >= 512 && most <= (bytes.len() / 100).max(12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_look_encrypted_and_others_do_not() {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"seed");
        let mut random = vec![0; 4096];
        hasher.finalize_xof().fill(&mut random);
        assert!(looks_random(&random));
        assert!(!looks_random(&[0; 4096]));
        assert!(!looks_random("select the words of an ordinary text ".repeat(110).as_bytes()));
        assert!(!looks_random(&random[..100]));
    }
}

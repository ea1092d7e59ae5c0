//! Looks at what a bundle is to contain, and hashes it.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bundle::manifest::{self, Content, Entry, Item, Kind, MAX_ENTRIES};
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;

/// How every SQLite file begins (<https://sqlite.org/fileformat.html>).
const SQLITE: &[u8] = b"SQLite format 3\0";
/// How much is read at once.
const PART_BYTES: usize = 256 << 10;

/// An item, and where its bytes are.
#[derive(Debug, Clone)]
pub(crate) struct Gathered {
    /// As the manifest has it.
    pub(crate) item: Item,
    /// The file or the folder.
    pub(crate) from: PathBuf,
}

impl Gathered {
    /// Where the bytes of an entry are.
    #[must_use]
    pub(crate) fn path(&self, entry: &Entry) -> PathBuf {
        if entry.path.is_empty() { self.from.clone() } else { self.from.join(&entry.path) }
    }
}

/// Looks at items.
pub(crate) struct Gathering<'a> {
    /// Paths that no item contains: databases, which are items of their own, and the backups.
    pub(crate) excluded: &'a BTreeSet<PathBuf>,
    /// The user's interrupt.
    pub(crate) interrupt: &'a Interrupt,
    /// What was passed over, because it has no content: sockets and pipes.
    pub(crate) passed_over: Vec<PathBuf>,
}

impl Gathering<'_> {
    /// An item at a place.
    ///
    /// # Errors
    ///
    /// A refusal if it contains something that a bundle cannot hold; or if it cannot be read.
    pub(crate) fn item(&mut self, item: Item, from: &Path) -> Result<Gathered> {
        let mut item = item;
        // The item itself may be a link, e.g. from a folder of dotfiles.
        let from =
            from.canonicalize().with_context(|| format!("could not read `{}`", from.display()))?;
        self.add(&mut item, &from, String::new())?;
        item.kind = match item.entries.first().map(|entry| &entry.content) {
            Some(Content::File { .. }) => Kind::File,
            Some(Content::Folder) => Kind::Folder,
            _ => return Err(unfit(&from, "is neither a file nor a folder")),
        };
        Ok(Gathered { item, from })
    }

    fn add(&mut self, item: &mut Item, at: &Path, path: String) -> Result<()> {
        self.interrupt.check()?;
        if self.excluded.contains(at) {
            return Ok(());
        }
        let meta = fs_err::symlink_metadata(at)?;
        let kind = meta.file_type();
        let content = if kind.is_symlink() {
            let target = fs_err::read_link(at)?;
            let target = target.to_str().filter(|target| manifest::is_inside(&path, target));
            let Some(target) = target else {
                return Err(unfit(at, "is a symbolic link that leaves the item"));
            };
            Content::Link { target: target.to_owned() }
        } else if kind.is_dir() {
            Content::Folder
        } else if kind.is_file() {
            demand_at_rest(at)?;
            let (size_bytes, blake3) = hash(at, self.interrupt)?;
            Content::File { size_bytes, blake3 }
        } else if kind.is_socket() || kind.is_fifo() {
            self.passed_over.push(at.to_owned());
            return Ok(());
        } else {
            return Err(unfit(at, "is a device"));
        };
        let is_folder = content == Content::Folder;
        let (mode, modified) = (meta.mode() & 0o777, meta.mtime());
        item.entries.push(Entry { path: path.clone(), mode, modified, content });
        if item.entries.len() > MAX_ENTRIES {
            return Err(unfit(at, "is one file too many: an item has at most 200,000"));
        }
        if is_folder {
            self.add_content(item, at, &path)?;
        }
        Ok(())
    }

    fn add_content(&mut self, item: &mut Item, at: &Path, path: &str) -> Result<()> {
        let mut names = Vec::new();
        for one in fs_err::read_dir(at)? {
            let name = one?.file_name();
            let Some(name) = name.to_str() else {
                return Err(unfit(&at.join(&name), "has a name that is not UTF-8"));
            };
            names.push(name.to_owned());
        }
        names.sort();
        let twins = names.windows(2).find(|pair| pair[0].to_lowercase() == pair[1].to_lowercase());
        if let Some([one, other]) = twins {
            let what = format!("and `{other}` differ only in case");
            return Err(unfit(&at.join(one), &what));
        }
        for name in names {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            self.add(item, &at.join(name), path)?;
        }
        Ok(())
    }
}

/// The size and the hash of a file.
///
/// # Errors
///
/// If it cannot be read, or at the user's interrupt.
pub(crate) fn hash(path: &Path, interrupt: &Interrupt) -> Result<(u64, String)> {
    let mut file = fs_err::File::open(path)?;
    let (mut hasher, mut size_bytes, mut room) = (blake3::Hasher::new(), 0, vec![0; PART_BYTES]);
    loop {
        interrupt.check()?;
        let n = file.read(&mut room)?;
        if n == 0 {
            return Ok((size_bytes, hasher.finalize().to_hex().to_string()));
        }
        hasher.update(&room[..n]);
        size_bytes += n as u64;
    }
}

/// Refuses an SQLite database with changes that are not in its file: a copy of the file would lose them.
fn demand_at_rest(path: &Path) -> Result<()> {
    let is_filled = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        fs_err::symlink_metadata(PathBuf::from(name)).is_ok_and(|meta| meta.len() > 0)
    };
    if !is_filled("-wal") && !is_filled("-journal") {
        return Ok(());
    }
    let mut start = Vec::new();
    fs_err::File::open(path)?.take(SQLITE.len() as u64).read_to_end(&mut start)?;
    if start != SQLITE {
        return Ok(());
    }
    Err(Refusal::could_not(
        format!(
            "`{}` is an SQLite database in use: a copy of its file would lose changes",
            path.display()
        ),
        "add it as `[workspace.metadata.db.databases.NAME]` with its `path`: then SQLite copies it, and it is an item of its own",
    ))
}

fn unfit(path: &Path, what: &str) -> anyhow::Error {
    Refusal::could_not(
        format!("`{}` {what}", path.display()),
        "change the item's `path` in `[workspace.metadata.db.bundle.items]`, or move it elsewhere",
    )
}

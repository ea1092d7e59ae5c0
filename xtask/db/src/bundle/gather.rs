//! Looks at what a bundle is to contain, and hashes it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bundle::hashed::Hashed;
use crate::bundle::manifest::{self, Content, Entry, Item, Kind, MAX_ENTRIES};
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::files::sidecars;

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
        self.add(&mut item, &from, "")?;
        item.kind = match item.entries.first().map(|entry| &entry.content) {
            Some(Content::File { .. }) => Kind::File,
            Some(Content::Folder) => Kind::Folder,
            _ => return Err(unfit(&from, "is neither a file nor a folder")),
        };
        Ok(Gathered { item, from })
    }

    fn add(&mut self, item: &mut Item, at: &Path, path: &str) -> Result<()> {
        self.interrupt.check()?;
        if self.excluded.contains(at) {
            return Ok(());
        }
        let meta = fs_err::symlink_metadata(at)?;
        let kind = meta.file_type();
        let content = if kind.is_symlink() {
            let target = fs_err::read_link(at)?;
            let target = target.to_str().filter(|target| manifest::is_inside(path, target));
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
        item.entries.push(Entry { path: path.to_owned(), mode, modified, content });
        if item.entries.len() > MAX_ENTRIES {
            return Err(unfit(at, "is one file too many: an item has at most 200,000"));
        }
        if is_folder {
            self.add_content(item, at, path)?;
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
        let mut seen = BTreeMap::new();
        for name in &names {
            if let Some(twin) = seen.insert(name.to_lowercase(), name) {
                return Err(unfit(&at.join(twin), &format!("and `{name}` differ only in case")));
            }
        }
        for name in names {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            self.add(item, &at.join(name), &path)?;
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
    let mut hashed = Hashed::new(fs_err::File::open(path)?, interrupt);
    let mut room = vec![0; PART_BYTES];
    loop {
        interrupt.check()?;
        if hashed.read(&mut room)? == 0 {
            return Ok(hashed.end());
        }
    }
}

/// Refuses an SQLite database with changes that are not in its file: a copy of the file would lose them.
fn demand_at_rest(path: &Path) -> Result<()> {
    let is_filled = |suffix: &str| {
        fs_err::symlink_metadata(sidecars::beside(path, suffix)).is_ok_and(|meta| meta.len() > 0)
    };
    if !is_filled(sidecars::WAL) && !is_filled(sidecars::JOURNAL) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The refusal of a folder with files in it, if it is refused.
    fn check(files: &[(&str, &[u8])], expected: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            fs_err::write(folder.path().join(name), bytes).expect("written");
        }
        let gathered = gather(folder.path());
        let said = gathered.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{said}");
    }

    fn gather(folder: &Path) -> Result<(Gathered, Vec<PathBuf>)> {
        let (excluded, interrupt) = (BTreeSet::new(), Interrupt::default());
        let mut gathering =
            Gathering { excluded: &excluded, interrupt: &interrupt, passed_over: Vec::new() };
        let item = Item {
            name: "groups".to_owned(),
            kind: Kind::Folder,
            place: "groups".to_owned(),
            secret: false,
            server_version: None,
            rows: BTreeMap::new(),
            stream: None,
            entries: Vec::new(),
        };
        let gathered = gathering.item(item, folder)?;
        Ok((gathered, gathering.passed_over))
    }

    #[test]
    fn names_that_differ_only_in_case_are_refused_whatever_is_between_them() {
        check(&[("a", b""), ("b", b""), ("B.txt", b"")], "");
        check(&[("a", b""), ("A", b"")], "differ only in case");
        check(&[("a", b""), ("A", b""), ("B", b""), ("Z", b"")], "differ only in case");
        check(&[("é", b""), ("É", b""), ("Z", b"")], "differ only in case");
    }

    #[test]
    fn a_database_in_use_is_refused_and_one_at_rest_is_a_file() {
        let database = b"SQLite format 3\0 and so on";
        check(&[("a.db", database), ("a.db-wal", b"")], "");
        check(&[("a.db", b"no database"), ("a.db-wal", b"frames")], "");
        check(&[("a.db", database), ("a.db-wal", b"frames")], "is an SQLite database in use");
        check(&[("a.db", database), ("a.db-journal", b"pages")], "is an SQLite database in use");
    }

    #[test]
    fn a_link_that_leaves_the_item_is_refused_and_what_has_no_content_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).expect("a FIFO");
        let (gathered, passed_over) = gather(folder.path()).expect("gathered");
        assert_eq!((gathered.item.entries.len(), passed_over.len()), (1, 1));
        for (target, is_refused) in [("fifo", false), ("../x", true), ("/etc/passwd", true)] {
            let link = folder.path().join("link");
            fs_err::os::unix::fs::symlink(target, &link).expect("a link");
            assert_eq!(gather(folder.path()).is_err(), is_refused, "{target}");
            fs_err::remove_file(link).expect("removed");
        }
    }
}

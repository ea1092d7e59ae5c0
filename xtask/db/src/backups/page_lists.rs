//! The page lists and chunk lists of a backups folder, which name the blocks that are still needed.
//!
//! Every file that ends in `.pages` or `.chunks` counts: one may have been renamed, and its blocks are as
//! valuable as before. A file that is not a list counts only if its name is ours: it was one
//! once, and a whole copy of it may come back.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::backups::format::Format;
use crate::backups::name::Name;
use crate::backups::store::cut;
use crate::backups::store::page_list::List;
use crate::backups::store::stored_database;

/// A file that is a list, or was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Path of the list.
    pub(crate) path: PathBuf,
    /// Device and inode: equal for hard links to one list.
    pub(crate) identity: (u64, u64),
    /// Its size.
    pub(crate) size_bytes: u64,
}

/// Every list in a backups folder, in the order of their names; none if the folder is missing.
///
/// # Errors
///
/// If the folder, or a file that may be a list, cannot be read at all.
pub(crate) fn find(backups: &Path) -> Result<Vec<Reference>> {
    let entries = match fs_err::read_dir(backups) {
        Ok(entries) => entries,
        Err(error) if is_gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let mut stored = Format::ALL.into_iter().filter(|format| format.is_stored());
        if stored.any(|format| name.as_bytes().ends_with(format.ending().as_bytes()))
            && entry.file_type()?.is_file()
        {
            found.extend(look(&entry.path(), &name)?);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// `None` for a file of another program, and if it is gone by now.
fn look(path: &Path, name: &OsStr) -> Result<Option<Reference>> {
    let file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    let mut start = Vec::new();
    file.take(cut::MAGIC_LENGTH).read_to_end(&mut start)?;
    let is_ours = name.to_str().is_some_and(|name| Name::parse(name).is_some());
    Ok((is_ours || cut::begins_like_one(&start)).then(|| Reference {
        path: path.to_owned(),
        identity: (metadata.dev(), metadata.ino()),
        size_bytes: metadata.len(),
    }))
}

fn is_gone(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

impl Reference {
    /// Its file name; `None` if that is not UTF-8, and therefore not the name of a backup.
    #[must_use]
    pub(crate) fn name(&self) -> Option<&str> {
        self.path.file_name()?.to_str()
    }

    /// Reads the list, to go through all its runs; `None` if it is gone by now.
    ///
    /// # Errors
    ///
    /// If it is damaged, or of a newer version.
    pub(crate) fn read(&self) -> Result<Option<List>> {
        match stored_database::read_list_by(&self.path, List::decode_for_one_pass) {
            Ok(list) => Ok(Some(list)),
            Err(error) if error.downcast_ref().is_some_and(is_gone) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::store::cut::Cut;
    use crate::sqlite::digest::tree::Shape;

    #[test]
    fn a_list_counts_whatever_its_name_is_and_what_was_never_one_does_not() {
        let folder = tempfile::tempdir().expect("folder");
        let shape = Shape { size_bytes: 0, block_bytes: 4096 };
        let list = List::encode(Cut::Pages(shape), &[0; 32], &[], &[]).expect("a list");
        let cut = Cut::Chunks { size_bytes: 0, n_chunks: 0 };
        let chunks = List::encode(cut, &[0; 32], &[], &[]).expect("a list");
        let names = ["a.db.2025-09-13_142530.pages", "kept for Ann.pages", "theirs.pages", "a.bak"];
        for name in names {
            fs_err::write(folder.path().join(name), &list).expect("written");
        }
        fs_err::write(folder.path().join("theirs.pages"), "a text").expect("written");
        fs_err::write(folder.path().join("theirs.chunks"), "a text").expect("written");
        fs_err::write(folder.path().join("kept for Bob.chunks"), &chunks).expect("written");
        // A list of one kind keeps its blocks under the ending of the other, too.
        fs_err::write(folder.path().join("mixed up.pages"), &chunks).expect("written");
        fs_err::write(folder.path().join("a.db.2025-09-14_142530.pages"), "").expect("written");
        let not_utf8 = OsStr::from_bytes(b"\xff.pages");
        fs_err::write(folder.path().join(not_utf8), &list).expect("written");
        fs_err::create_dir(folder.path().join("folder.pages")).expect("folder");
        std::os::unix::fs::symlink("a.bak", folder.path().join("link.pages")).expect("link");
        let found = find(folder.path()).expect("found");
        let names: Vec<_> = found.iter().filter_map(|found| found.path.file_name()).collect();
        let wanted =
            [names_of("a.db.2025-09-13_142530.pages"), names_of("a.db.2025-09-14_142530.pages")];
        assert_eq!(names[..2], wanted);
        let others =
            ["kept for Ann.pages", "kept for Bob.chunks", "mixed up.pages"].map(OsStr::new);
        assert_eq!(names[2..5], others);
        assert_eq!(names[5..], [not_utf8]);
        let readable = found.iter().map(|found| found.read().is_ok()).collect::<Vec<_>>();
        assert_eq!(readable, [true, false, true, true, true, true]);
    }

    fn names_of(name: &str) -> &OsStr {
        OsStr::new(name)
    }
}

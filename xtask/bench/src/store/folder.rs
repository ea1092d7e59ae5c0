//! How much room a folder really takes.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Result;
use fs_err as fs;

/// What `st_blocks` counts in, whatever the file system.
const BLOCK_BYTES: u64 = 512;

/// The blocks of everything in a folder, what has several names once; nothing of a missing folder.
pub(super) fn disk_bytes(folder: &Path) -> Result<u64> {
    let mut seen = BTreeSet::new();
    if folder.exists() { count(folder, &mut seen) } else { Ok(0) }
}

fn count(path: &Path, seen: &mut BTreeSet<(u64, u64)>) -> Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    let mut bytes = 0;
    if seen.insert((metadata.dev(), metadata.ino())) {
        bytes += metadata.blocks() * BLOCK_BYTES;
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            bytes += count(&entry?.path(), seen)?;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hard_link_takes_no_room_and_a_hole_neither() {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("sub")).expect("folder");
        fs::write(path("sub/a"), vec![1; 1 << 20]).expect("written");
        fs::File::open(path("sub/a")).expect("opened").sync_all().expect("synced");
        let before = disk_bytes(folder.path()).expect("counted");
        assert!((1 << 20..(1 << 20) + (64 << 10)).contains(&before), "{before}");
        fs::hard_link(path("sub/a"), path("b")).expect("linked");
        fs::File::create(path("hole")).expect("created").set_len(1 << 30).expect("long");
        let after = disk_bytes(folder.path()).expect("counted");
        assert!(after < before + (64 << 10), "{before}, {after}");
        assert_eq!(disk_bytes(&path("missing")).expect("counted"), 0);
    }
}

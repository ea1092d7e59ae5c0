//! Free space and the kind of file system under a path.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Result;

use crate::console::refusal::Refusal;
use crate::console::text;

/// Bytes that an ordinary user can still write in a folder; `None` if the system does not report it.
#[must_use]
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|folder| folder.is_dir())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

/// Fails if a folder has less space than an act needs.
///
/// # Errors
///
/// A refusal that names what is needed and what is free.
pub(crate) fn demand(folder: &Path, needed_bytes: u64, what: &str) -> Result<()> {
    match free_bytes(folder) {
        Some(free) if free < needed_bytes => Err(Refusal::could_not(
            format!(
                "{what} needs {} in `{}`, but only {} are free",
                text::size(needed_bytes),
                folder.display(),
                text::size(free)
            ),
            "free some space (`cargo xtask db-prune --dry-run` shows what can be removed); nothing \
             was changed",
        )),
        _ => Ok(()),
    }
}

/// Whether two paths are on one file system.
#[must_use]
pub(crate) fn same_file_system(a: &Path, b: &Path) -> bool {
    let device = |path: &Path| {
        let existing = path.ancestors().find(|path| path.exists())?;
        Some(fs_err::metadata(existing).ok()?.dev())
    };
    device(a) == device(b)
}

/// The network file system that a path is on; `None` for a local one.
#[must_use]
pub(crate) fn network(path: &Path) -> Option<&'static str> {
    let existing = path.ancestors().find(|path| path.exists())?;
    #[cfg(target_os = "linux")]
    {
        // The magic numbers are unsigned; the field's type differs between platforms.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "32-bit magic")]
        let magic = rustix::fs::statfs(existing).ok()?.f_type as u32;
        network_of_magic(magic)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = existing;
        None
    }
}

/// File systems whose locks SQLite cannot trust, by the magic number of `statfs(2)`.
#[cfg(any(target_os = "linux", test))]
fn network_of_magic(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517B | 0xFE53_4D42 => "SMB",
        0xFF53_4D42 => "CIFS",
        0x0102_1997 => "9p (a shared folder)",
        0x786F_4256 => "a VirtualBox shared folder",
        0x5346_414F => "AFS",
        0x00C3_6400 => "Ceph",
        0x6573_5546 => "FUSE (perhaps sshfs or a shared folder)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_magic() {
        assert_eq!(network_of_magic(0x6969), Some("NFS"));
        // ext4, tmpfs, btrfs, xfs
        for local in [0xEF53, 0x0102_1994, 0x9123_683E, 0x5846_5342] {
            assert_eq!(network_of_magic(local), None);
        }
    }

    #[test]
    fn more_than_there_is_is_refused() {
        let folder = std::env::temp_dir();
        assert!(demand(&folder, 0, "nothing").is_ok());
        let error = demand(&folder, u64::MAX, "everything").expect_err("must be refused");
        assert!(error.to_string().contains("are free"), "{error}");
    }
}

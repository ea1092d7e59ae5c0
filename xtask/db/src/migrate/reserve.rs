//! Reserves what is needed to undo a migration, before it runs: room on the disk, by unnamed files,
//! and descriptors. Both are released right before the way back, which is therefore possible even
//! if the migration or another program fills the disk.

use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::files::stage::Stage;

/// So many descriptors are open at once when a state is restored: the database with its sidecars, the backup
/// with its list and packs, stages, a lock, folders. Chosen with room to spare;
/// `tests/e2e/migrate/way_back.rs` tries limits from 8 to 71.
const N_DESCRIPTORS: usize = 32;

/// Room and descriptors; both are let go when this is dropped.
#[derive(Debug)]
pub(crate) struct Reserve {
    room: Vec<fs_err::File>,
    descriptors: Vec<fs_err::File>,
}

/// Room in a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room<'a> {
    /// The folder.
    pub(crate) folder: &'a Path,
    /// How much of it.
    pub(crate) bytes: u64,
}

impl Reserve {
    /// Takes room and descriptors.
    ///
    /// # Errors
    ///
    /// A refusal if there is not enough of either.
    pub(crate) fn take(rooms: &[Room<'_>]) -> Result<Self> {
        let room = rooms.iter().filter(|room| room.bytes > 0).map(Room::take);
        let room = room.collect::<Result<_>>()?;
        Ok(Self { room, descriptors: descriptors()? })
    }

    /// Releases both, so that the migration can be undone.
    pub(crate) fn release(self) {
        let Self { room, descriptors } = self;
        drop((room, descriptors));
    }
}

impl Room<'_> {
    fn take(&self) -> Result<fs_err::File> {
        let cannot = || format!("could not reserve room in `{}`", self.folder.display());
        // Its name goes at once, so that nothing is left whatever happens to us.
        let file = {
            let stage = Stage::create(self.folder, "room").with_context(cannot)?;
            stage.file().try_clone().with_context(cannot)?
        };
        match fallocate(file.file(), FallocateFlags::empty(), 0, self.bytes) {
            // If the file system knows no reservation, that there is room was seen before.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(file),
            Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Err(Refusal::could_not(
                format!(
                    "the way back of the migration needs {} in `{}`, which is not available",
                    text::size(self.bytes),
                    self.folder.display()
                ),
                "free some space (`cargo xtask db-prune --dry-run` shows what can be removed); \
                 nothing was changed",
            )),
            Err(error) => Err(std::io::Error::from(error)).with_context(cannot),
        }
    }
}

fn descriptors() -> Result<Vec<fs_err::File>> {
    let one = |_| fs_err::File::open("/dev/null");
    (0..N_DESCRIPTORS).map(one).collect::<Result<_, _>>().map_err(|error| {
        let refusal = Refusal {
            what: format!(
                "the way back of the migration needs {N_DESCRIPTORS} open files, which are not \
                 available"
            ),
            hint: "allow this process more open files (`ulimit -n 256`); nothing was changed"
                .to_owned(),
            exit: crate::console::refusal::Exit::CouldNot,
        };
        anyhow::Error::from(error).context(refusal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_without_a_name_and_more_than_there_is_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let room = |bytes| Room { folder: folder.path(), bytes };
        let reserve = Reserve::take(&[room(1 << 20), room(0)]).expect("room");
        assert_eq!(reserve.room.len(), 1);
        assert_eq!(fs_err::read_dir(folder.path()).expect("a folder").count(), 0);
        drop(reserve);
        let refused = Reserve::take(&[room(1 << 60)]).expect_err("too much");
        assert!(refused.to_string().contains("the way back"), "{refused:#}");
    }
}

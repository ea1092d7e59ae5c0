//! A dump on its way into the page store: from the server, or from a file that was written before.
//!
//! It is compared with earlier stored dumps, whose packs are reread in passing. If one of them turns out to be
//! damaged, it is given up, and the dump is taken in again without it.

use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::backups::backup::Backup;
use crate::backups::record::Record;
use crate::backups::store::chunk_intake::Intake;
use crate::backups::store::intake::new_packs::NewList;
use crate::capture::link;
use crate::capture::record::record_of_dump;
use crate::capture::request::{Capture, Taken};
use crate::capture::stored::bases::{Base, Of};
use crate::capture::stored::{self, PlainCopy, publish};
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::threads::Step as _;
use crate::postgres::dump::read_back::{Dump, each_piece};
use crate::postgres::dump::{self, Dumped};
use crate::postgres::place::Place;
use crate::postgres::standing;

/// A new backup, or that none was needed.
pub(super) type New = std::result::Result<Backup, Taken>;

/// Dumps a database into the store and publishes the list.
///
/// # Errors
///
/// As [`capture::take`](crate::capture::take).
pub(super) fn take(place: Place<'_>, capture: Capture<'_>, progress: &Progress) -> Result<New> {
    match add(capture, progress, |base| from_server(place, capture, base))? {
        Added::Equal(equal, new) => stored::link(capture, &equal, new).map(Err),
        // Without its new packs, nothing of it stays.
        Added::New(new, _) if is_equal_file(capture, &new) => Ok(Err(Taken::Unchanged)),
        Added::New(mut new, dumped) => {
            publish(capture, record_of_dump(capture, dumped), &mut new).map(Ok)
        }
    }
}

/// Takes a finished dump in a file into the store and publishes it there.
///
/// # Errors
///
/// If the file cannot be read, the disk is full or fails, or at the user's interrupt.
pub(crate) fn publish_copy(
    capture: Capture<'_>,
    copy: &PlainCopy<'_>,
    progress: &Progress,
) -> Result<Backup> {
    let from_file = |base: &Base<'_>| from_file(copy, capture, base, progress.interrupt());
    let (mut new, size_bytes) = match add(capture, progress, from_file)? {
        Added::Equal(equal, new) => match link::take_link(capture, &equal) {
            Ok(backup) => return Ok(backup),
            // A file system without hard links.
            Err(_) => (new, equal.size_bytes),
        },
        Added::New(new, size_bytes) => (new, size_bytes),
    };
    let blake3 = new.hashes.blake3.clone();
    publish(capture, Record { size_bytes, blake3, ..copy.record.clone() }, &mut new)
}

/// What became of a dump in the store.
enum Added<T> {
    /// A stored backup has this content already, and is proved.
    Equal(Backup, NewList),
    /// A new list, and what its source tells of it.
    New(NewList, T),
}

fn add<T>(
    capture: Capture<'_>,
    progress: &Progress,
    source: impl Fn(&Base<'_>) -> Result<(NewList, T)>,
) -> Result<Added<T>> {
    let mut base = Base::of(capture, Of::Dump, progress)?;
    loop {
        let (new, told) = source(&base)?;
        match base.judge(&new, progress.interrupt()).map(Option::<&Backup>::cloned) {
            Ok(equal) => {
                base.note(&new)?;
                return Ok(match equal {
                    Some(equal) => Added::Equal(equal, new),
                    None => Added::New(new, told),
                });
            }
            Err(error) => {
                // The new packs must be gone before they are written again.
                drop(new);
                base.after(error, progress)?;
            }
        }
    }
}

fn from_server(
    place: Place<'_>,
    capture: Capture<'_>,
    base: &Base<'_>,
) -> Result<(NewList, Dumped)> {
    let folder = capture.locked.packs_folder()?;
    let ((mut new, size_bytes), dumped) = std::thread::scope(|scope| {
        let intake = Intake::begin(scope, &folder, base.known())?;
        dump::dump_through(place, intake)
            .map_err(|error| standing::explain(error, place.server, place.programs))
    })?;
    new.hashes.content_blake3.clone_from(&dumped.proof.content_blake3);
    let dumped = Dumped { size_bytes, blake3: new.hashes.blake3.clone(), ..dumped };
    Ok((new, dumped))
}

fn from_file(
    copy: &PlainCopy<'_>,
    capture: Capture<'_>,
    base: &Base<'_>,
    interrupt: &Interrupt,
) -> Result<(NewList, u64)> {
    let folder = capture.locked.packs_folder()?;
    let (mut new, size_bytes) = std::thread::scope(|scope| {
        let mut intake = Intake::begin(scope, &folder, base.known())?;
        let read = each_piece(Dump::File(copy.path), interrupt, &mut |piece| {
            intake.take(Arc::new(piece.bytes().to_vec()))
        })?;
        ensure!(
            read.blake3 == copy.record.blake3,
            "the copy changed while it was added to the store"
        );
        intake.finish()
    })?;
    new.hashes.content_blake3.clone_from(&copy.record.content_blake3);
    Ok((new, size_bytes))
}

/// Whether a dump in a file of its own, whose bytes the caller has proved, has this content already.
fn is_equal_file(capture: Capture<'_>, new: &NewList) -> bool {
    let is_equal = |record: &&Record| record.content_blake3 == new.hashes.content_blake3;
    capture.wanted.unless_equal.filter(is_equal).is_some_and(|record| record.stored.is_none())
}

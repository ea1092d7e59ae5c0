//! Takes a backup into the page store: one snapshot, examined in place, proved, published.
//!
//! No copy of the database is written: its pages go from the snapshot into the store, while a
//! second connection in the same state examines it. If a stored backup has the same content, the
//! new one costs a record and a hard link to its page list.

pub(super) mod bases;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::backups::name::Name;
use crate::backups::reader::Contents;
use crate::backups::record::{self, Record};
use crate::backups::store::intake::Compare;
use crate::backups::store::intake::new_packs::NewList;
use crate::backups::store::{intake, suspect_packs};
use crate::capture::link;
use crate::capture::record::{record_again, record_of};
use crate::capture::request::{Capture, Look, Taken, Wanted};
use crate::capture::stored::bases::{Base, Of};
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::threads;
use crate::host::project::live_database;
use crate::sqlite::digest::database::Groups;
use crate::sqlite::digest::tree::Shape;
use crate::sqlite::examination::finding::{Depth, Finding, Weight, has};
use crate::sqlite::examination::{self, Examination};
use crate::sqlite::read_only::{self, Looking};
use crate::sqlite::snapshot::Snapshot;
use crate::sqlite::snapshot::copy::{self, Copied};
use crate::sqlite::trouble;

/// Takes one stored backup of a live database. A damaged source is an answer, not an error.
///
/// # Errors
///
/// As [`capture::take`].
pub(crate) fn take(
    connection: &Looking,
    capture: Capture<'_>,
    progress: &mut Progress,
) -> Result<Taken> {
    let Capture { project, wanted, .. } = capture;
    match take_in(connection, capture, progress) {
        // Pages of two states look damaged.
        Err(error) if connection.prove().is_err() => connection.proved(Err(error)),
        Err(error) if trouble::trouble(&error) == trouble::Trouble::Damaged => {
            Ok(Taken::Damaged(vec![Finding::structural(trouble::message(&error))]))
        }
        taken => taken.map_err(|error| live_database::explain(error, project, wanted.database)),
    }
}

fn take_in(connection: &Looking, capture: Capture<'_>, progress: &mut Progress) -> Result<Taken> {
    let wanted = capture.wanted;
    let started = Instant::now();
    let interrupt = Arc::clone(progress.interrupt());
    let _watched = interrupt.watch(connection);
    let (snapshot, twin) = read_only::begin_twins(connection)?;
    if is_plain_of_its_size(wanted, &snapshot) && is_unchanged(&snapshot, wanted, &interrupt)? {
        connection.prove()?;
        return Ok(Taken::Unchanged);
    }
    let shape = Shape::of(snapshot.size_bytes(), snapshot.page_size_bytes);
    let mut base = Base::of(capture, Of::Database(shape), progress)?;
    let (mut twin, mut earlier) = (twin, None);
    let (taken, findings, counted) = loop {
        progress.expect_bytes(shape.size_bytes);
        let read = read(&snapshot, twin.take(), &base, progress)?;
        connection.prove()?;
        let findings = earlier.take().or(read.findings);
        match read.judged {
            Ok(None) => break (read.taken, findings, read.counted),
            Ok(Some(equal)) => {
                base.note(&read.taken.new)?;
                return link(capture, &equal, read.taken.new);
            }
            Err(error) => {
                // The new packs must be gone before they are written again.
                drop(read.taken);
                earlier = findings;
                base.after(error, progress)?;
            }
        }
    };
    let findings = match findings {
        Some(findings) => findings?,
        // There was no second connection in the same state, or only a new order of old pages.
        None => examination::check(connection, Depth::Quick)?,
    };
    let examination = examination::conclude(findings, counted.context("nothing was counted")?)?;
    let journal_mode = connection.journal_mode_of(&snapshot);
    drop(snapshot);
    connection.prove()?;
    if has(&examination.findings, Weight::Structural) {
        return Ok(Taken::Damaged(examination.findings));
    }
    interrupt.check()?;
    let version = examination.schema_version;
    let intake::Taken { mut new, header } = taken;
    let (size_bytes, hashes) = (shape.size_bytes, new.hashes.clone());
    let copied = Copied { size_bytes, hashes, header, groups: Groups::default() };
    let record = record_of(capture, &copied, journal_mode, examination);
    base.note(&new)?;
    let backup = publish(capture, record, &mut new)?;
    Ok(Taken::Backup(Box::new(backup), version, started.elapsed(), Groups::default()))
}

/// Result of reading a snapshot.
struct Read {
    taken: intake::Taken,
    /// The stored backup that is proved to have this content; or the error if a backup is damaged.
    judged: Result<Option<Backup>>,
    /// Findings of the second connection; `None` if there was none, or nothing new to check.
    findings: Option<Result<Vec<Finding>>>,
    counted: Option<Result<Examination>>,
}

/// Stores the pages, and examines the same state at the same time, on the twin connection.
fn read(
    snapshot: &Snapshot<'_>,
    twin: Option<Looking>,
    base: &Base<'_>,
    progress: &mut Progress,
) -> Result<Read> {
    let interrupt = Arc::clone(progress.interrupt());
    let (go, wait) = mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        let checking = twin.and_then(|twin| {
            let interrupt = &interrupt;
            // If no thread is available, it is as if there were no twin.
            threads::beside(scope, move || check_once(&twin, &wait, interrupt).transpose()).ok()
        });
        let source = |send: &mut copy::Send<'_>, spare: &_| {
            copy::read_pieces(snapshot, send, spare, |n_bytes| {
                interrupt.check()?;
                progress.reach(n_bytes);
                Ok(())
            })
        };
        // New content is examined; the rest was examined before. Without a twin there is nothing to
        // wait for.
        let on_new = move || {
            let _ = go.send(());
        };
        let compare = if snapshot.file.is_some() { Compare::InTurn } else { Compare::Beside };
        let taken = base.take_in(source, compare, on_new);
        let judged = taken.as_ref().ok().map(|taken| base.judge(&taken.new, &interrupt));
        let judged = judged.unwrap_or(Ok(None)).map(Option::<&Backup>::cloned);
        let is_new = taken.is_ok() && matches!(judged, Ok(None));
        let counted = is_new.then(|| examination::count(snapshot.connection()));
        let findings = checking.and_then(|checking| threads::join(checking).transpose());
        Ok(Read { taken: taken?, judged, findings, counted })
    })
}

/// Whether a plain backup of just this size would make a new one unnecessary.
fn is_plain_of_its_size(wanted: &Wanted<'_>, snapshot: &Snapshot<'_>) -> bool {
    wanted
        .unless_equal
        .is_some_and(|equal| equal.stored.is_none() && equal.size_bytes == snapshot.size_bytes())
}

/// Whether the content equals that of the backup that would make a new one unnecessary.
fn is_content(wanted: &Wanted<'_>, content_blake3: &str) -> bool {
    wanted.unless_equal.is_some_and(|equal| equal.content_blake3 == content_blake3)
}

/// Whether the backup that would make a new one unnecessary is intact, if it is in the store.
///
/// # Errors
///
/// If the folder cannot be read, or at the user's interrupt.
pub(crate) fn is_whole(capture: Capture<'_>, progress: &Progress) -> Result<bool> {
    let Capture { locked, wanted, .. } = capture;
    let Some(equal) = wanted.unless_equal.filter(|equal| equal.stored.is_some()) else {
        return Ok(true);
    };
    let backups = locked.backups()?;
    let Some(backup) = backups.iter().find(|backup| backup.record() == Some(equal)) else {
        return Ok(false);
    };
    let shape = Shape::of(equal.size_bytes, equal.page_size_bytes());
    let base = Base::of(capture, Of::Database(shape), progress)?;
    let proved = Contents::open(backup).and_then(|contents| match wanted.look {
        Look::AtIds => Ok(contents.prove(progress.interrupt())?.0.blake3),
        Look::AtPages => contents.read_back(progress.interrupt()),
    });
    progress.interrupt().check()?;
    match proved {
        Ok(blake3) => {
            base.note_read()?;
            // One that lost a page by now is found by another look.
            let is_sound = |b: Backup| b.record() == Some(equal) && b.state().is_sound();
            let now = locked.vault().read(backup.name.clone())?;
            Ok(blake3 == equal.blake3 && now.is_some_and(is_sound))
        }
        Err(error) => {
            suspect_packs::after(locked, &error, wanted.now, progress.interrupt())?;
            Ok(false)
        }
    }
}

/// Whether the content equals that of a plain backup; checked before anything is packed.
fn is_unchanged(
    snapshot: &Snapshot<'_>,
    wanted: &Wanted<'_>,
    interrupt: &Interrupt,
) -> Result<bool> {
    Ok(is_content(wanted, &copy::hash_pages(snapshot, interrupt)?.content_blake3))
}

/// Checks as soon as there is something to check; `None` if there never is.
fn check_once(
    twin: &Looking,
    wait: &mpsc::Receiver<()>,
    interrupt: &Interrupt,
) -> Option<Result<Vec<Finding>>> {
    wait.recv().ok()?;
    let _watched = interrupt.watch(twin);
    Some(examination::check(twin, Depth::Quick))
}

fn name_of(wanted: &Wanted<'_>) -> Name {
    let safety = wanted.kind == Kind::Safety;
    let format = match wanted.database.server() {
        Some(_) => Format::Chunks,
        None => Format::Pages,
    };
    Name::new(&wanted.database.file_name(), safety, wanted.now.naive_local()).in_format(format)
}

/// Takes it as a separate record and a hard link to the equal backup; if there are no hard links,
/// as a copy of its list.
pub(super) fn link(capture: Capture<'_>, equal: &Backup, mut new: NewList) -> Result<Taken> {
    let record = equal.record().context("a stored backup that was compared has a record")?;
    if capture.wanted.unless_equal.is_some_and(|newest| newest.file == record.file) {
        return Ok(Taken::Unchanged);
    }
    let backup = if let Ok(backup) = link::take_link(capture, equal) {
        backup
    } else {
        let mut record = record_again(capture, record);
        record.blake3.clone_from(&new.hashes.blake3);
        publish(capture, record, &mut new)?
    };
    Ok(Taken::Linked(Box::new(backup), equal.name.to_string()))
}

/// Publishes a new list and its record.
///
/// # Errors
///
/// If the disk is full or fails.
pub(super) fn publish(
    capture: Capture<'_>,
    mut record: Record,
    new: &mut NewList,
) -> Result<Backup> {
    let (locked, name) = (capture.locked, name_of(capture.wanted));
    let stage = locked.stage(&name)?;
    stage.append(&new.list)?;
    stage.sync()?;
    let list_bytes = new.list.len() as u64;
    record.stored = Some(record::Stored {
        list_bytes,
        new_bytes: list_bytes + new.packs.size_bytes,
        unknown: serde_json::Map::new(),
    });
    record.sequence = locked.next_sequence()?;
    // A failure may leave the list in place, which needs them then; too many are harmless.
    new.packs.keep();
    locked.publish(&stage, name, record)
}

/// A finished plain copy of a database.
pub(crate) struct PlainCopy<'c> {
    /// Path of the copy.
    pub(crate) path: &'c Path,
    /// Its proof.
    pub(crate) record: Record,
}

/// Takes a finished plain copy into the store and publishes it there.
///
/// # Errors
///
/// If the copy cannot be read, the disk is full or fails, or at the user's interrupt.
pub(crate) fn publish_copy(
    capture: Capture<'_>,
    copy: PlainCopy<'_>,
    progress: &Progress,
) -> Result<Backup> {
    let Capture { locked, wanted, .. } = capture;
    let PlainCopy { path, record } = copy;
    let shape = Shape::of(record.size_bytes, record.page_size_bytes());
    let mut base = Base::of(capture, Of::Database(shape), progress)?;
    let (mut new, equal) = loop {
        let new = take_copy_in(path, &base, progress.interrupt())?.new;
        anyhow::ensure!(
            new.hashes.blake3 == record.blake3,
            "the copy changed while it was added to the store"
        );
        match base.judge(&new, progress.interrupt()).map(Option::<&Backup>::cloned) {
            Ok(equal) => break (new, equal),
            Err(error) => {
                // The new packs must be gone before they are written again.
                drop(new);
                base.after(error, progress)?;
            }
        }
    };
    base.note(&new)?;
    if let Some(equal) = equal {
        let old = equal.record().context("a stored backup that was compared has a record")?;
        let mut record = Record { blake3: old.blake3.clone(), ..record.clone() };
        if let (Some(now), Some(old)) = (&mut record.sqlite, &old.sqlite) {
            now.version.clone_from(&old.version);
        }
        record.sequence = locked.next_sequence()?;
        let stored = old.stored.clone();
        record.stored = stored.map(|stored| record::Stored { new_bytes: 0, ..stored });
        if let Ok(backup) = locked.publish_link(&equal, name_of(wanted), record) {
            return Ok(backup);
        }
    }
    publish(capture, record, &mut new)
}

fn take_copy_in(copy: &Path, base: &Base<'_>, interrupt: &Interrupt) -> Result<intake::Taken> {
    let source = |send: &mut copy::Send<'_>, spare: &mpsc::Receiver<Vec<u8>>| {
        copy::read_file(copy, interrupt, |piece| {
            let mut bytes = spare.try_recv().unwrap_or_default();
            bytes.extend_from_slice(piece);
            send(bytes)
        })
    };
    base.take_in(source, Compare::Beside, || ())
}

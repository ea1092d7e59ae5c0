//! Taking a backup into the page store: one snapshot, examined where it stands, proved, published.
//!
//! No copy of the database is written on the way: its pages go from the snapshot into the store, and
//! a second connection in the same state examines it meanwhile. Content that a stored backup has
//! already costs a record and a hard link to its page list.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use anyhow::{Context as _, Result};
use rusqlite::Connection;

use crate::backup::{Backup, State};
use crate::content::Groups;
use crate::copy::{self, Copied};
use crate::database::{self, Looking, Snapshot};
use crate::examination;
use crate::finding::{Depth, Finding, Weight, has};
use crate::interrupt::Interrupt;
use crate::locked::Locked;
use crate::name::{Format, Name};
use crate::progress::Progress;
use crate::project::Project;
use crate::record::{self, Kind, Record};
use crate::staging;
use crate::store::intake;
use crate::store::shelf::Shelf;
use crate::store::stored::{self, Stored};
use crate::store::tree::Shape;
use crate::taking::{self, Taken, Wanted};

/// Stored backups that a new one is compared with.
const MOST_KNOWN: usize = 4;

/// Takes one stored backup of a live database. A damaged source is an answer, not an error.
///
/// # Errors
///
/// As [`taking::take`].
pub(crate) fn take(
    connection: &Connection,
    locked: &Locked<'_>,
    project: &Project,
    wanted: &Wanted<'_>,
    progress: &mut Progress,
) -> Result<Taken> {
    match take_in(connection, locked, project, wanted, progress) {
        Err(error) if database::trouble(&error) == database::Trouble::Damaged => {
            Ok(Taken::Damaged(vec![Finding::structural(database::message(&error))]))
        }
        taken => taken.map_err(|error| taking::explain(error, project, wanted.database)),
    }
}

fn take_in(
    connection: &Connection,
    locked: &Locked<'_>,
    project: &Project,
    wanted: &Wanted<'_>,
    progress: &mut Progress,
) -> Result<Taken> {
    let began = Instant::now();
    let interrupt = Arc::clone(progress.interrupt());
    let _watched = interrupt.watch(connection);
    let path = &wanted.database.path;
    let (snapshot, twin) = database::begin_twins(connection, path, project.busy_timeout)?;
    if wanted
        .unless_equal
        .is_some_and(|equal| equal.stored.is_none() && equal.size_bytes == snapshot.size_bytes())
        && is_unchanged(&snapshot, wanted, &interrupt)?
    {
        return Ok(Taken::Unchanged);
    }
    let shape = Shape::of(snapshot.size_bytes(), snapshot.page_size_bytes);
    let (backups, known) = known(locked, wanted, shape)?;
    let folder = locked.packs_folder()?;
    progress.expect_bytes(snapshot.size_bytes());
    let (begin, begun) = mpsc::sync_channel(1);
    let (taken, examined) = std::thread::scope(|scope| {
        let examining = twin.map(|twin| {
            let interrupt = Arc::clone(&interrupt);
            scope.spawn(move || examine_once(&twin, &begun, &interrupt))
        });
        let taken = intake::take(
            &folder,
            shape,
            &known,
            |full, spare| {
                copy::read_pieces(&snapshot, &interrupt, full, spare, |n| progress.reach(n))
            },
            // What is new is examined; the rest was.
            move || drop(begin.send(())),
        );
        // A new combination of old pages is examined below.
        let counted = taken.as_ref().ok().filter(|taken| taken.equal.is_none());
        let counted = counted.map(|_| examination::count(connection));
        let checked = examining.map(std::thread::ScopedJoinHandle::join);
        (taken, (checked, counted))
    });
    let mut taken = taken?;
    if let Some(equal) = taken.equal {
        return link(locked, project, wanted, &backups[equal]);
    }
    if wanted.unless_equal.is_some_and(|r| r.content_blake3 == taken.hashes.content_blake3) {
        return Ok(Taken::Unchanged);
    }
    let (checked, counted) = examined;
    let checked = checked.transpose().map_err(|_| anyhow::anyhow!("the check ended early"))?;
    let findings = match checked.flatten() {
        Some(findings) => findings?,
        // There was no second connection in the same state, or nothing new to begin with.
        None => examination::check(connection, Depth::Quick)?,
    };
    let examination = examination::conclude(findings, counted.context("nothing was counted")?)?;
    let journal_mode = snapshot.journal_mode.clone();
    drop(snapshot);
    if has(&examination.findings, Weight::Structural) {
        return Ok(Taken::Damaged(examination.findings));
    }
    interrupt.check()?;
    let version = examination.schema_version;
    let copied = Copied {
        size_bytes: shape.size_bytes,
        hashes: taken.hashes.clone(),
        header: taken.header,
        groups: Groups::default(),
    };
    let record = staging::record_of(project, wanted, &copied, journal_mode, examination);
    let backup = publish(locked, name_of(wanted), record, &mut taken)?;
    Ok(Taken::Backup(Box::new(backup), version, began.elapsed(), Groups::default()))
}

/// Whether the content is that of a plain backup; asked before anything is packed.
fn is_unchanged(
    snapshot: &Snapshot<'_>,
    wanted: &Wanted<'_>,
    interrupt: &Interrupt,
) -> Result<bool> {
    let hashes = copy::hash_pages(snapshot, interrupt)?;
    Ok(wanted.unless_equal.is_some_and(|record| record.content_blake3 == hashes.content_blake3))
}

/// Checks as soon as there is something to check; `None` where there never is.
fn examine_once(
    twin: &Looking,
    begun: &mpsc::Receiver<()>,
    interrupt: &Interrupt,
) -> Option<Result<Vec<Finding>>> {
    begun.recv().ok()?;
    let _watched = interrupt.watch(twin);
    Some(examination::check(twin, Depth::Quick))
}

fn name_of(wanted: &Wanted<'_>) -> Name {
    let safety = wanted.kind == Kind::Safety;
    Name::new(&wanted.database.file_name(), safety, wanted.now.naive_local())
        .in_format(Format::Pages)
}

/// The stored backups that a new one is compared with, the likeliest first: the newest of its database,
/// then the newest of other branches.
fn known(
    locked: &Locked<'_>,
    wanted: &Wanted<'_>,
    shape: Shape,
) -> Result<(Vec<Backup>, Vec<Stored>)> {
    let mut shelf = Shelf::of(locked.vault().folder());
    let (mut chosen, mut opened): (Vec<Backup>, Vec<Stored>) = (Vec::new(), Vec::new());
    let mut branches = Vec::new();
    let mut candidates: Vec<Backup> = locked.vault().backups()?;
    candidates.retain(|b| b.name.format == Format::Pages && b.state() == State::Verified);
    candidates.sort_by_key(|backup| !backup.is_of(wanted.database));
    for backup in candidates {
        let git = backup.record().and_then(|record| record.git.as_ref());
        let branch = git.map(|git| (git.worktree.clone(), git.branch.clone()));
        let is_new = !branches.contains(&branch)
            && !chosen.iter().any(|other| other.identity == backup.identity);
        if !is_new || chosen.len() == MOST_KNOWN {
            continue;
        }
        // A damaged one is of no use here; verification names it.
        let Ok(stored) = open(&mut shelf, &backup.path()) else { continue };
        if stored.shape().block_bytes == shape.block_bytes {
            branches.push(branch);
            chosen.push(backup);
            opened.push(stored);
        }
    }
    Ok((chosen, opened))
}

fn open(shelf: &mut Shelf, path: &Path) -> Result<Stored> {
    Stored::find(shelf, stored::read_list(path)?)
}

/// A record of its own and a hard link to the equal one; where there are no hard links, a copy of
/// its list.
fn link(
    locked: &Locked<'_>,
    project: &Project,
    wanted: &Wanted<'_>,
    equal: &Backup,
) -> Result<Taken> {
    let record = equal.record().context("a stored backup that was compared has a record")?;
    if wanted.unless_equal.is_some_and(|r| r.content_blake3 == record.content_blake3) {
        return Ok(Taken::Unchanged);
    }
    let backup = taking::take_link(locked, project, wanted, (equal, record))?;
    Ok(Taken::Linked(Box::new(backup), equal.name.to_string()))
}

fn publish(
    locked: &Locked<'_>,
    name: Name,
    mut record: Record,
    taken: &mut intake::Taken,
) -> Result<Backup> {
    let stage = locked.stage(&name)?;
    stage.append(&taken.list)?;
    stage.sync()?;
    let list_bytes = taken.list.len() as u64;
    record.stored = Some(record::Stored {
        list_bytes,
        new_bytes: list_bytes + taken.packs.size_bytes,
        unknown: serde_json::Map::new(),
    });
    record.sequence = locked.next_sequence()?;
    let backup = locked.publish(&stage, name, record)?;
    taken.packs.keep();
    Ok(backup)
}

/// Takes a finished plain copy into the store and publishes it there.
///
/// # Errors
///
/// Where the copy cannot be read, the disk is full or fails, or at the user's interrupt.
pub(crate) fn publish_copy(
    locked: &Locked<'_>,
    wanted: &Wanted<'_>,
    (copy, record): (&Path, Record),
) -> Result<Backup> {
    let shape = Shape::of(record.size_bytes, record.sqlite.page_size_bytes);
    let (backups, known) = known(locked, wanted, shape)?;
    let folder = locked.packs_folder()?;
    let interrupt = Interrupt::default();
    let mut taken = intake::take(
        &folder,
        shape,
        &known,
        |full, _| {
            copy::read_file(copy, &interrupt, |piece| {
                full.send(piece.to_vec()).context("the copy was not taken in")
            })
        },
        || (),
    )?;
    anyhow::ensure!(
        taken.hashes.blake3 == record.blake3,
        "the copy changed while it was taken into the store"
    );
    if let Some(equal) = taken.equal {
        let mut record = record;
        record.sequence = locked.next_sequence()?;
        record.stored = backups[equal].record().and_then(|record| record.stored.clone());
        return locked.publish_link(&backups[equal], name_of(wanted), record);
    }
    publish(locked, name_of(wanted), record, &mut taken)
}

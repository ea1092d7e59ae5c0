//! A checkpoint: a backup that a hook or a migration takes automatically.
//!
//! If the content is unchanged since the newest whole backup, it costs a record and a hard link.
//! The caller runs the configured retention afterwards.

use std::sync::Arc;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::reader::{self, Contents};
use crate::backups::store::suspect_packs;
use crate::capture::request::{Capture, Look, Taken, Wanted};
use crate::capture::{self, link, plain};
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::sqlite::digest::tree;

/// The newest backup of that database in this worktree that is whole on the disk right now, not only in
/// its record; and a remark if the newest recorded one is not. If both it and the new one are in the store, the
/// comparison proves its pages, so only its list is read here.
///
/// # Errors
///
/// If the folder cannot be read, or at the user's interrupt.
pub(crate) fn newest_whole(
    capture: Capture<'_>,
    interrupt: &Arc<Interrupt>,
) -> Result<(Option<Backup>, Option<String>)> {
    let Capture { locked, project, wanted } = capture;
    let backups = locked.backups()?;
    let newest = backups.iter().find(|backup| {
        backup.is_of(wanted.database)
            && backup.worktree() == project.worktree()
            && backup.state().is_sound()
    });
    let Some(newest) = newest else {
        return Ok((None, None));
    };
    let newest = newest.clone();
    let proved = if newest.name.format.is_stored() && wanted.format.is_stored() {
        reader::list(&newest).map(|list| tree::hex(&list.root))
    } else {
        // Nothing else is read of it: all of it is.
        let proved = Contents::open(&newest).and_then(|contents| contents.hash(interrupt));
        proved.map(|(hashes, _)| hashes.blake3)
    };
    interrupt.check()?;
    if let Err(error) = &proved {
        suspect_packs::after(locked, error, locked.vault().now(), interrupt)?;
    }
    if let Ok(blake3) = proved
        && newest.record().is_some_and(|record| record.blake3 == blake3)
    {
        return Ok((Some(newest), None));
    }
    let remark = format!(
        "{} cannot be read or does not match its record; a new backup is taken. `cargo xtask \
         db-verify {}` reports more",
        project.dotted(&newest.path()),
        newest.name
    );
    Ok((None, Some(remark)))
}

/// Takes a backup; if its content equals that of `newest`, whose bytes the caller has proved, as a
/// separate record and a hard link.
///
/// # Errors
///
/// As [`capture::take`].
pub(crate) fn take(
    capture: Capture<'_>,
    newest: Option<&Backup>,
    progress: &mut Progress,
) -> Result<Taken> {
    let wanted = capture.wanted;
    // A caller that wants a file of its own gets one.
    let newest =
        newest.filter(|backup| wanted.format.is_stored() || !backup.name.format.is_stored());
    let equal = newest.filter(|backup| backup.record().is_some());
    let wanted = Wanted { unless_equal: equal.and_then(Backup::record), ..wanted.clone() };
    let capture = Capture { wanted: &wanted, ..capture };
    let taken = capture::take(capture, progress)?;
    let (Taken::Unchanged, Some(equal)) = (&taken, equal) else {
        return Ok(taken);
    };
    // A stored backup was already read if it was compared.
    let is_to_be_read = !equal.name.format.is_stored() && wanted.look == Look::AtPages;
    let is_readable = !is_to_be_read || plain::is_readable(equal, progress.interrupt())?;
    if is_readable && let Ok(backup) = link::take_link(capture, equal) {
        return Ok(Taken::Linked(Box::new(backup), equal.name.to_string()));
    }
    // A file system without hard links: the checkpoint is a copy then.
    let anew = Wanted { unless_equal: None, ..wanted.clone() };
    capture::take(Capture { wanted: &anew, ..capture }, progress)
}

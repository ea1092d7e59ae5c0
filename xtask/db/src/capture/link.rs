//! A backup of unchanged content: a hard link to the equal one, with a record of its own.

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::name::Name;
use crate::backups::record::Record;
use crate::capture::record::record_again;
use crate::capture::request::Capture;

/// Takes a checkpoint of unchanged content: a separate record and a hard link to the equal backup,
/// whose bytes the caller has proved.
///
/// # Errors
///
/// If the file system has no hard links, or the disk is full or fails.
pub(crate) fn take_link(capture: Capture<'_>, equal: &Backup) -> Result<Backup> {
    let Capture { locked, wanted, .. } = capture;
    let old = equal.record().context("a backup that was compared has a record")?;
    let record = Record { sequence: locked.next_sequence()?, ..record_again(capture, old) };
    let safety = wanted.kind == Kind::Safety;
    let name = Name::new(&wanted.database.file_name(), safety, wanted.now.naive_local())
        .in_format(equal.name.format);
    locked.publish_link(equal, name, record)
}

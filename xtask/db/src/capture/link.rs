//! A backup of unchanged content: a hard link to the equal one, with a record of its own.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::name::Name;
use crate::backups::record::Record;
use crate::backups::writer::Locked;
use crate::capture::record::record_again;
use crate::capture::request::Wanted;
use crate::host::project::Project;

/// Takes a checkpoint of unchanged content: a record of its own and a hard link to the equal backup,
/// whose bytes the caller has proved.
///
/// # Errors
///
/// If the file system has no hard links, or the disk is full or fails.
pub(crate) fn take_link(
    locked: &Locked<'_>,
    project: &Project,
    wanted: &Wanted<'_>,
    equal: (&Backup, &Record),
) -> Result<Backup> {
    let (backup, old) = equal;
    let record = Record { sequence: locked.next_sequence()?, ..record_again(project, wanted, old) };
    let safety = wanted.kind == Kind::Safety;
    let name = Name::new(&wanted.database.file_name(), safety, wanted.now.naive_local())
        .in_format(backup.name.format);
    locked.publish_link(backup, name, record)
}

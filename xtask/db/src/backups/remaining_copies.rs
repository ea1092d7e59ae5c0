//! The other backups in a folder that still have the content of a backup that is to be removed.
//!
//! Equal content is found through the records, shared pages of stored backups through their page
//! lists. A plain backup shares no pages; whether its rows are in other backups too could only be
//! found by comparing rows, which is not done here.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::reader;
use crate::backups::store::shared_blocks::Blocks;
use crate::console::interrupt::Interrupt;

/// The other places where the content of a backup is.
#[derive(Debug, Default)]
pub(crate) struct Remaining {
    /// The names of backups of equal content, hard links to its file among them.
    pub(crate) equal: Vec<String>,
    /// Stored backups that share some of its pages with it.
    pub(crate) sharing: Vec<Sharing>,
    /// Pages of the backup; 0 if it is not stored, or its page list cannot be read.
    pub(crate) n_pages: u64,
    /// Names of stored backups whose page list cannot be read: it is unknown what they share.
    pub(crate) unreadable: Vec<String>,
    /// How many other backups of the same database cannot be compared.
    pub(crate) n_unknown: u64,
}

/// A stored backup that shares pages.
#[derive(Debug)]
pub(crate) struct Sharing {
    /// Its name.
    pub(crate) name: String,
    /// How many pages.
    pub(crate) n_pages: u64,
}

/// Finds the other backups in the folder that contain the content of a backup.
///
/// # Errors
///
/// At the user's interrupt.
pub(crate) fn of(backup: &Backup, all: &[Backup], interrupt: &Interrupt) -> Result<Remaining> {
    let mut remaining = Remaining::default();
    let own = blocks(backup);
    if let Some(Ok(own)) = &own {
        remaining.n_pages = own.n();
    }
    for other in all.iter().filter(|other| other.name != backup.name) {
        interrupt.check()?;
        let name = other.name.to_string();
        if is_equal(backup, other) {
            remaining.equal.push(name);
            continue;
        }
        match (&own, blocks(other)) {
            (Some(Ok(own)), Some(Ok(blocks))) => {
                let n_pages = own.n_shared(&blocks);
                if n_pages > 0 {
                    remaining.sharing.push(Sharing { name, n_pages });
                }
            }
            (Some(_), Some(_)) => remaining.unreadable.push(name),
            _ => remaining.n_unknown += u64::from(is_of_same_database(backup, other)),
        }
    }
    Ok(remaining)
}

/// The blocks of a stored backup; `None` for a plain one.
fn blocks(backup: &Backup) -> Option<Result<Blocks>> {
    backup.name.format.is_stored().then(|| reader::list(backup).and_then(|list| Blocks::of(&list)))
}

fn is_equal(a: &Backup, b: &Backup) -> bool {
    let content = |backup: &Backup| backup.record().map(|record| record.content_blake3.clone());
    a.identity == b.identity || content(a).is_some_and(|a| content(b) == Some(a))
}

fn is_of_same_database(a: &Backup, b: &Backup) -> bool {
    match (a.record(), b.record()) {
        (Some(a), Some(b)) => a.database == b.database,
        _ => a.name.file == b.name.file,
    }
}

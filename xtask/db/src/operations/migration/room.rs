//! The space on disk that a migration of the live database needs, and keeps for its way back.

use std::path::Path;

use anyhow::Result;

use crate::backups::vault::Vault;
use crate::files::free_space;
use crate::migrate::reserve::{Reserve, Room};
use crate::operations::migration::job::Job;
use crate::operations::migration::rehearsed::Rehearsed;

/// Demands space for the size that the rehearsed copy grew to, and returns that size: in its
/// journal, in the file beside the live database, and for undoing the migration; beside the
/// backups, for the examination and a safety backup.
///
/// # Errors
///
/// A refusal if there is not enough.
pub(super) fn demand(job: &Job<'_>, vault: &Vault, rehearsed: &Rehearsed) -> Result<u64> {
    let old_bytes = rehearsed.staged.record().size_bytes;
    let new_bytes = rehearsed.rehearsal.size_bytes.max(old_bytes);
    let Some(file) = job.database.file_if_any() else {
        // A server has its own disk.
        let what = "the examination and a safety backup";
        free_space::demand(vault.folder(), 2 * new_bytes, what)?;
        return Ok(new_bytes);
    };
    let for_live = new_bytes + (new_bytes - old_bytes) + transaction_bytes(old_bytes);
    let folder = file.parent().unwrap_or(Path::new("/"));
    let kept = "the examination and a safety backup";
    if free_space::same_file_system(folder, vault.folder()) {
        let what = format!("the migration with {kept}");
        free_space::demand(folder, for_live + 2 * new_bytes, &what)?;
        return Ok(new_bytes);
    }
    free_space::demand(folder, for_live, "the migration")?;
    free_space::demand(vault.folder(), 2 * new_bytes, kept)?;
    Ok(new_bytes)
}

/// Reserves the space that undoing the migration also needs: for the examination's copy and a
/// safety backup beside the backups, and for a transaction that writes the old state beside the
/// live database.
///
/// # Errors
///
/// If there is not enough, or the disk fails.
pub(super) fn reserve(
    job: &Job<'_>,
    vault: &Vault,
    old_bytes: u64,
    new_bytes: u64,
) -> Result<Reserve> {
    let beside_backups = Room { folder: vault.folder(), bytes: 2 * new_bytes };
    let Some(file) = job.database.file_if_any() else {
        return Reserve::take(&[beside_backups]);
    };
    let folder = file.parent().unwrap_or(Path::new("/"));
    let beside_live = Room { folder, bytes: transaction_bytes(old_bytes) };
    Reserve::take(&[beside_backups, beside_live])
}

/// The space that a transaction needs which writes every page of a database. Each frame of a WAL
/// has a header.
fn transaction_bytes(size_bytes: u64) -> u64 {
    size_bytes + size_bytes / 16 + (64 << 10)
}

//! The way back: the database changes, and is restored to what the newest checkpoint holds.

use anyhow::{Result, ensure};
use fs_err as fs;

use crate::note;
use crate::store::folder;
use crate::store::keeper::{Deed, Keeper, RESTORED};
use crate::store::pages::{PAGE_BYTES, Pages};
use crate::store::trial::Trial;

/// Only the first page may differ, whose counters tell of the restore itself.
const N_PAGES_OF_BOOKKEEPING: u64 = 1;

/// Has everybody restore the newest state, so many times, by turns.
pub(super) fn time_all(trial: &mut Trial<'_>, n_runs: usize) -> Result<()> {
    note("restores ...")?;
    for _ in 0..n_runs {
        trial.copy(Deed::Beside)?;
        for keeper in trial.keepers.clone() {
            if keeper.needs_copy() {
                restore_beside(trial, keeper)?;
            } else {
                put_back(trial, keeper)?;
            }
        }
    }
    Ok(())
}

/// Into the live database, which has changed meanwhile.
fn put_back(trial: &mut Trial<'_>, keeper: Keeper) -> Result<()> {
    trial.workload.change()?;
    trial.time(keeper, Deed::Restore)?;
    trial.workload.settle()?;
    let found = Pages::read(&trial.scratch.live())?;
    let n_unlike = found.n_unlike(&trial.pages);
    ensure!(
        found.len() == trial.pages.len() && n_unlike <= N_PAGES_OF_BOOKKEEPING,
        "`{}` left {n_unlike} pages as they were not",
        keeper.program()
    );
    remove_safety_backups(trial)
}

/// Into a file of its own: what these programs can do beside an application that runs.
fn restore_beside(trial: &mut Trial<'_>, keeper: Keeper) -> Result<()> {
    let restored = trial.scratch.path(RESTORED);
    fs::create_dir(&restored)?;
    trial.time(keeper, Deed::Restore)?;
    let n_restored = folder::disk_bytes(&restored)? / PAGE_BYTES as u64;
    ensure!(
        n_restored + N_PAGES_OF_BOOKKEEPING >= trial.pages.len(),
        "`{}` restored {n_restored} pages only",
        keeper.program()
    );
    Ok(fs::remove_dir_all(restored)?)
}

/// Full copies of what each restore replaced would fill the disk before the next one.
fn remove_safety_backups(trial: &Trial<'_>) -> Result<()> {
    let folder = trial.scratch.path(Keeper::Ours.folder());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.contains(".SAFETY.") && (name.ends_with(".bak") || name.ends_with(".bak.json")) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

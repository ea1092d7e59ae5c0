//! The size of backups that share pages: each file and each page counts once.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::page_lists::{self, Reference};
use crate::backups::store::pack_index::Shelf;
use crate::backups::store::used_blocks::Usage;
use crate::backups::vault::Vault;
use crate::console::interrupt::Interrupt;
use crate::host::project::policy::Policy;
use crate::retention::plan::{self, Candidate, Verdict};
use crate::retention::repack_plan;

/// The policy without a size that the whole folder does not reach: nothing need be weighed then.
///
/// # Errors
///
/// If the folder of packs cannot be read.
pub(crate) fn relevant(policy: &Policy, vault: &Vault, backups: &[Backup]) -> Result<Policy> {
    let mut policy = policy.clone();
    if policy.max_size_bytes.is_none() {
        return Ok(policy);
    }
    let mut seen = BTreeSet::new();
    let once = backups.iter().filter(|backup| seen.insert(backup.identity));
    let files_bytes: u64 = once.map(|backup| backup.file_bytes).sum();
    let packs_bytes = Shelf::of(vault.folder()).size_bytes()?;
    policy.max_size_bytes = policy.max_size_bytes.filter(|most| files_bytes + packs_bytes > *most);
    Ok(policy)
}

/// The size of each backup, including its pages, but without those that the backups before it need.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn weigh(backups: &Path, rows: &[&Candidate]) -> Result<Vec<u64>> {
    let mut sizes = plan::weigh_files(rows);
    if !rows.iter().any(|row| row.format.is_stored()) {
        return Ok(sizes);
    }
    let lists = page_lists::find(backups)?;
    let lists: HashMap<_, _> = lists.iter().map(|list| (list.identity, list)).collect();
    let mut usage = Usage::of(backups, &BTreeSet::new())?;
    for (row, size_bytes) in rows.iter().zip(&mut sizes) {
        let list = lists.get(&row.identity).copied();
        *size_bytes += list.map_or(0, |list| added_bytes(&mut usage, list));
    }
    Ok(sizes)
}

/// See [`prune::weigh_pages`].
pub(crate) fn weigh_condemned(
    vault: &Vault,
    plan: &mut [Verdict],
    interrupt: &Interrupt,
) -> Result<()> {
    let condemned = plan::condemned(plan);
    let is_condemned = |list: &Reference| list.name().is_some_and(|name| condemned.contains(name));
    let (going, staying): (Vec<_>, Vec<_>) =
        page_lists::find(vault.folder())?.into_iter().partition(is_condemned);
    if going.is_empty() {
        return Ok(());
    }
    let mut usage = Usage::of(vault.folder(), &BTreeSet::new())?;
    if repack_plan::mark(&mut usage, &staying, interrupt).is_err() {
        // Where a list cannot be read nothing is reclaimed.
        return interrupt.check();
    }
    let going: HashMap<&str, &Reference> =
        going.iter().filter_map(|list| Some((list.name()?, list))).collect();
    for verdict in plan.iter_mut().filter(|verdict| !verdict.keep) {
        let list = going.get(&*verdict.name);
        verdict.freed_bytes += list.map_or(0, |list| added_bytes(&mut usage, list));
    }
    Ok(())
}

/// The blocks that a list newly marks; a list that cannot be read counts with its own file only.
fn added_bytes(usage: &mut Usage, list: &Reference) -> u64 {
    let added = list.read().ok().flatten().and_then(|list| usage.add(&list).ok());
    added.map_or(0, |added| added.n_bytes)
}

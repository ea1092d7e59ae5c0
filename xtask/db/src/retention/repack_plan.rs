//! The packs that can be removed because no page list needs them, and those that are rewritten without
//! their unneeded blocks.
//!
//! A plan touches nothing. Every list in the folder counts: if one cannot be read, nothing is known
//! to be unneeded, and there is no plan. A block in two packs is needed in only one of them, whose
//! bytes are proved first. Packs that cannot be read, and files that are not packs, stay.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::backups::page_lists::Reference;
use crate::backups::store::cut;
use crate::backups::store::file_header::Newer;
use crate::backups::store::pack::{Content, Pack};
use crate::backups::store::pack_folder;
use crate::backups::store::used_blocks::{Counted, Usage};
use crate::console::interrupt::Interrupt;
use crate::sqlite::digest::tree::Id;

/// A pack of which more than one part in this many is unneeded is rewritten. So the unneeded ones
/// together are never more than a third of the others.
const DEAD_PARTS: u64 = 4;
/// A pack below this is small.
const SMALL_BYTES: u64 = if cfg!(test) { 8 << 10 } else { 1 << 20 };
/// More small packs than this are gathered.
const MAX_SMALL: usize = if cfg!(test) { 4 } else { 32 };
/// How many large packs a command rewrites in passing.
const MAX_BY_THE_WAY: usize = 2;

/// How much is reclaimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Everything that is possible: the user asked for it.
    All,
    /// A plan that takes hardly any time, because another command carries it out in passing.
    ByTheWay,
}

/// The work to do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Packs of which nothing is needed.
    pub(crate) remove: Vec<Pack>,
    /// Packs of which something is, and goes into new ones.
    pub(crate) rewrite: Vec<Counted>,
    /// Packs that stay as they are because they cannot be read.
    pub(crate) left: Vec<Left>,
}

/// A pack that stays as it is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// Its name.
    pub(crate) pack: Id,
    /// The reason: text that follows "the pack X …".
    pub(crate) why: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the pack `{}` {}", pack_folder::said(&self.pack), self.why)
    }
}

/// A page list that cannot be read: it is unknown what it needs.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// Path of the pack.
    pub(crate) path: PathBuf,
    /// Why.
    pub(crate) why: String,
    /// Whether a newer build wrote it.
    pub(crate) is_newer: bool,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = cut::noun(&self.path);
        write!(f, "the {noun} `{}` cannot be read: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for Unreadable {}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.rewrite.is_empty()
    }

    /// The bytes that the plan frees on the disk, except for a few bytes of new indexes.
    #[must_use]
    pub(crate) fn freed_bytes(&self) -> u64 {
        let removed: u64 = self.remove.iter().map(|pack| pack.size_bytes).sum();
        let rewritten = self.rewrite.iter().map(|counted| counted.pack.size_bytes);
        removed + rewritten.sum::<u64>() - self.live_bytes()
    }

    /// The blocks for new packs.
    #[must_use]
    pub(crate) fn live_bytes(&self) -> u64 {
        self.rewrite.iter().map(|counted| counted.live_bytes).sum()
    }
}

/// Plans what to reclaim in a backups folder that has exactly these lists.
///
/// # Errors
///
/// [`Unreadable`], if the folder of packs cannot be read, or at the user's interrupt.
pub(crate) fn plan(
    backups: &Path,
    lists: &[Reference],
    extent: Extent,
    interrupt: &Interrupt,
) -> Result<Plan> {
    let mut left = Vec::new();
    let mut damaged = BTreeSet::new();
    loop {
        let mut usage = Usage::of(backups, &damaged)?;
        if usage.packs.is_empty() {
            left.extend(usage.unreadable.iter().map(|(pack, error)| unreadable(*pack, error)));
            return Ok(Plan { left, ..Plan::default() });
        }
        mark(&mut usage, lists, interrupt)?;
        let unproved = prove(&usage, &mut damaged, interrupt)?;
        if unproved.is_empty() {
            left.extend(usage.unreadable.iter().map(|(pack, error)| unreadable(*pack, error)));
            return Ok(Plan { left, ..choose(usage, extent) });
        }
        // Blocks that another pack also has are then needed there.
        left.extend(unproved);
    }
}

/// Marks the blocks to which lists refer, each file once.
///
/// # Errors
///
/// [`Unreadable`], or at the user's interrupt.
pub(crate) fn mark(usage: &mut Usage, lists: &[Reference], interrupt: &Interrupt) -> Result<()> {
    let mut seen = BTreeSet::new();
    for reference in lists.iter().filter(|reference| seen.insert(reference.identity)) {
        interrupt.check()?;
        let marked = reference.read().and_then(|list| match list {
            Some(list) => usage.add(&list).map(|_| ()),
            None => Ok(()),
        });
        marked.map_err(|error| Unreadable {
            path: reference.path.clone(),
            why: error.root_cause().to_string(),
            is_newer: error.downcast_ref::<Newer>().is_some(),
        })?;
    }
    Ok(())
}

/// Proves the packs that are relied upon for blocks that another pack also has; returns those that
/// are damaged.
fn prove(usage: &Usage, damaged: &mut BTreeSet<Id>, interrupt: &Interrupt) -> Result<Vec<Left>> {
    let mut relied_upon: BTreeSet<usize> = usage.twice.iter().map(|(winner, _)| *winner).collect();
    // The content that a pack claims decides what is needed of it: a flipped bit there must not
    // remove it.
    let goes = |counted: &Counted| counted.n_live == 0 || counted.is_loose();
    let going = usage.packs.iter().enumerate().filter(|(_, counted)| goes(counted));
    relied_upon.extend(going.map(|(at, _)| at));
    let mut left = Vec::new();
    for at in relied_upon {
        interrupt.check()?;
        let pack = &usage.packs[at].pack;
        if damaged.contains(&pack.name) {
            continue;
        }
        if !pack.is_intact().unwrap_or(false) {
            damaged.insert(pack.name);
            left.push(Left { pack: pack.name, why: "is damaged".to_owned() });
        }
    }
    Ok(left)
}

fn unreadable(pack: Id, error: &anyhow::Error) -> Left {
    let why = match error.downcast_ref::<Newer>() {
        Some(newer) => format!("has version {}: update xtask-db to read it", newer.version),
        None => format!("cannot be read: {}", error.root_cause()),
    };
    Left { pack, why }
}

impl Counted {
    /// Whether so much of it is dead that it is rewritten.
    fn is_loose(&self) -> bool {
        self.dead_bytes() > self.pack.size_bytes / DEAD_PARTS
    }
}

fn choose(usage: Usage, extent: Extent) -> Plan {
    let (used, unused): (Vec<_>, Vec<_>) =
        usage.packs.into_iter().partition(|counted| counted.n_live > 0);
    let (small, others): (Vec<_>, Vec<_>) =
        used.into_iter().partition(|counted| counted.pack.size_bytes < SMALL_BYTES);
    let n_small = |content| small.iter().filter(|counted| counted.pack.content == content).count();
    let gather = [Content::Pages, Content::Chunks].map(|content| n_small(content) > MAX_SMALL);
    let is_gathered = |counted: &Counted| match counted.pack.content {
        Content::Pages => gather[0],
        Content::Chunks => gather[1],
    };
    let small = small.into_iter().filter(|counted| is_gathered(counted) || counted.is_loose());
    let mut rewrite: Vec<Counted> = others.into_iter().filter(Counted::is_loose).collect();
    if extent == Extent::ByTheWay {
        let dead = |counted: &Counted| counted.dead_bytes() * 1000 / counted.pack.size_bytes;
        rewrite.sort_by_key(|counted| std::cmp::Reverse(dead(counted)));
        rewrite.truncate(MAX_BY_THE_WAY);
    }
    rewrite.extend(small);
    rewrite.sort_by_key(|counted| counted.pack.content);
    let remove = unused.into_iter().map(|counted| counted.pack).collect();
    Plan { remove, rewrite, left: Vec::new() }
}

/// The folder of packs of a backups folder, locked exclusively; `None` while another process reads a
/// backup.
///
/// # Errors
///
/// If it cannot be opened, or the file system has no locks.
pub(crate) fn alone(packs: &Path) -> Result<Option<fs_err::File>> {
    let folder = pack_folder::open(packs)?.context("the folder of packs is gone")?;
    match folder.file().try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("could not lock `{}`", packs.display()))
        }
    }
}

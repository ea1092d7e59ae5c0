//! Finds blocks in packs: the folder of packs, their indexes, and the place of each block of a
//! list.
//!
//! A block is looked up in the pack it was first written to. Only if that pack is gone are the
//! indexes of all packs read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use crate::backups::store::file_header::Newer;
use crate::backups::store::pack::{self, Pack};
use crate::backups::store::pack_folder::{FOLDER, names};
use crate::backups::store::pack_readings::Readings;
use crate::backups::store::page_list::{Address, List};
use crate::sqlite::digest::tree::Id;

/// The packs that were opened so far.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    /// The present places of the blocks of each pack.
    found: HashMap<Id, Found>,
    /// The blocks of other packs that each pack contains, once this was asked for.
    carried: Option<Carried>,
    /// Packs that do not match their names, from which nothing is read.
    damaged: BTreeSet<Id>,
}

/// A pack in the folder.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Its name.
    pub(crate) name: Id,
    /// The pack, or why it cannot be opened.
    pub(crate) pack: Result<Pack>,
}

/// The present places of the blocks of one pack, sorted by `first_slot`. If the pack is gone, there
/// are none, but a reason.
#[derive(Debug, Clone)]
struct Found {
    parts: Arc<[Part]>,
    trouble: Arc<str>,
    /// Path of the pack itself, if it exists and cannot be read.
    unreadable: Option<Arc<Path>>,
    /// The version of a pack that may contain them, if that is newer than this build.
    newer: Option<u16>,
}

/// Blocks that follow one another in a pack.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    first_slot: u32,
    n_blocks: u32,
    first_entry: u32,
    /// In which pack.
    pub(crate) pack: Arc<Pack>,
}

impl Part {
    /// The entry of a block, if it is one of these.
    #[must_use]
    pub(crate) fn entry(&self, slot: u32) -> Option<u32> {
        let n_ahead = slot.checked_sub(self.first_slot)?;
        (n_ahead < self.n_blocks).then(|| self.first_entry + n_ahead)
    }
}

/// The blocks of other packs that each pack contains.
#[derive(Debug, Default)]
struct Carried {
    parts: HashMap<Id, Vec<Part>>,
    /// The version of a pack that cannot be asked, because a newer build wrote it.
    newer: Option<u16>,
}

/// The places of the blocks of one list.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The places, for each pack of the list.
    found: Vec<Found>,
}

impl Shelf {
    /// The shelf of a backups folder; the folder of packs may be missing.
    #[must_use]
    pub(crate) fn of(backups: &Path) -> Self {
        Self {
            folder: backups.join(FOLDER),
            found: HashMap::new(),
            carried: None,
            damaged: BTreeSet::new(),
        }
    }

    /// Every pack in the folder by its name, in the order of the names, or the error if it cannot
    /// be read.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn packs(&self) -> Result<Vec<Opened>> {
        let mut packs: Vec<_> =
            names(&self.folder)?.into_iter().map(|name| self.open(name)).collect();
        packs.sort_by_key(|opened| opened.name);
        Ok(packs)
    }

    /// Opens the packs in the folder that have these names, like [`Shelf::packs`].
    #[must_use]
    pub(crate) fn packs_named(&self, names: &BTreeSet<Id>) -> Vec<Opened> {
        names.iter().map(|name| self.open(*name)).collect()
    }

    fn open(&self, name: Id) -> Opened {
        Opened { name, pack: Pack::open(&self.folder, name) }
    }

    /// The size of all packs, without opening them.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn size_bytes(&self) -> Result<u64> {
        let sizes = names(&self.folder)?.into_iter().map(|name| {
            let path = self.folder.join(pack::file_name(&name));
            fs_err::symlink_metadata(path).map_or(0, |metadata| metadata.len())
        });
        Ok(sizes.sum())
    }

    /// Stops reading from some packs; returns how many of them were trusted before.
    pub(crate) fn distrust(&mut self, packs: impl IntoIterator<Item = Id>) -> usize {
        let n_before = self.damaged.len();
        self.damaged.extend(packs);
        if self.damaged.len() > n_before {
            self.found.clear();
        }
        self.damaged.len() - n_before
    }

    /// The folder of packs.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether nothing is taken from a pack.
    #[must_use]
    pub(crate) fn is_distrusted(&self, pack: &Id) -> bool {
        self.damaged.contains(pack)
    }

    /// Stops reading from packs that were read and found damaged.
    pub(crate) fn distrust_noted(&mut self, readings: &Readings) {
        self.distrust(readings.damaged().collect::<Vec<_>>());
    }

    /// Finds the packs of a list. A pack that is gone or cannot be read has no places.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub(crate) fn places(&mut self, list: &List) -> Result<Places> {
        let found = list.packs.iter().map(|origin| self.find(origin));
        Ok(Places { found: found.collect::<Result<_>>()? })
    }

    fn find(&mut self, origin: &Id) -> Result<Found> {
        if let Some(found) = self.found.get(origin) {
            return Ok(found.clone());
        }
        let (mut newer, mut unreadable) = (None, None);
        let (mut there, trouble): (Vec<Part>, String) = match Pack::open(&self.folder, *origin) {
            Ok(pack) => {
                let pack = Arc::new(pack);
                let own = parts(&pack).filter(|(of, _)| of == origin);
                (own.map(|(_, part)| part).collect(), "does not contain it".to_owned())
            }
            Err(error) if is_missing(&error) => (Vec::new(), "is missing".to_owned()),
            Err(error) => {
                newer = version(&error);
                let path = self.folder.join(pack::file_name(origin));
                unreadable = newer.is_none().then(|| path.into());
                (Vec::new(), format!("cannot be read: {}", error.root_cause()))
            }
        };
        if there.is_empty() {
            let carried = self.carried()?;
            there = carried.parts.get(origin).cloned().unwrap_or_default();
            newer = newer.or(carried.newer);
        }
        there.retain(|part| !self.damaged.contains(&part.pack.name));
        there.sort_by_key(|part: &Part| part.first_slot);
        let trouble = trouble.into();
        let found = Found { parts: there.into(), trouble, unreadable, newer };
        self.found.insert(*origin, found.clone());
        Ok(found)
    }

    fn carried(&mut self) -> Result<&Carried> {
        if self.carried.is_none() {
            let mut carried = Carried::default();
            for Opened { pack, .. } in self.packs()? {
                match pack {
                    Ok(pack) => {
                        for (origin, part) in parts(&Arc::new(pack)) {
                            carried.parts.entry(origin).or_default().push(part);
                        }
                    }
                    Err(error) => carried.newer = carried.newer.or(version(&error)),
                }
            }
            self.carried = Some(carried);
        }
        Ok(self.carried.get_or_insert_default())
    }
}

impl Places {
    /// The blocks that one is among; `None` if no pack has it.
    #[must_use]
    pub(crate) fn part(&self, address: Address) -> Option<&Part> {
        let parts = &self.found.get(address.pack as usize)?.parts;
        // Pruning may leave a block in two packs for a while: any part that has it will do.
        let after = parts.partition_point(|part| part.first_slot <= address.slot);
        parts[..after].iter().rev().find(|part| part.entry(address.slot).is_some())
    }

    /// Packs of a list none of whose blocks is to be found, and why.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (usize, &str)> {
        let missing = self.found.iter().enumerate().filter(|(_, found)| found.parts.is_empty());
        missing.map(|(at, found)| (at, &*found.trouble))
    }

    /// The packs that contain the blocks now.
    #[must_use]
    pub(crate) fn packs(&self) -> BTreeMap<Id, Arc<Pack>> {
        let parts = self.found.iter().flat_map(|found| found.parts.iter());
        parts.map(|part| (part.pack.name, Arc::clone(&part.pack))).collect()
    }

    /// The version of a pack that may contain the missing blocks, if a newer version wrote it.
    #[must_use]
    pub(crate) fn newer(&self, pack: u32) -> Option<u16> {
        self.found.get(pack as usize)?.newer
    }

    /// The path of a pack of the list that exists and cannot be read.
    #[must_use]
    pub(crate) fn unreadable(&self, pack: u32) -> Vec<PathBuf> {
        let found = self.found.get(pack as usize);
        found
            .and_then(|found| found.unreadable.as_deref())
            .map(Path::to_owned)
            .into_iter()
            .collect()
    }

    /// The reason why a pack of the list has no block at a place.
    #[must_use]
    pub(crate) fn trouble(&self, pack: u32) -> &str {
        self.found.get(pack as usize).map_or("is unknown", |found| &found.trouble)
    }
}

/// The version of a file that cannot be read because a newer version wrote it.
fn version(error: &anyhow::Error) -> Option<u16> {
    error.downcast_ref::<Newer>().map(|newer| newer.version)
}

fn parts(pack: &Arc<Pack>) -> impl Iterator<Item = (Id, Part)> {
    pack.sections.iter().map(|section| {
        let pack::Section { origin, first_slot, n_blocks, first_entry, .. } = *section;
        (origin, Part { first_slot, n_blocks, first_entry, pack: Arc::clone(pack) })
    })
}

fn is_missing(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::NotFound)
}

//! The shelf: the folder of packs, and where in it the blocks of a list lie.
//!
//! A block whose pack is still the one it was first written to is found without looking at any other;
//! only where such a pack is gone, all packs are asked what they carry.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use crate::store::list::{Address, List};
use crate::store::pack::{self, Pack};
use crate::store::tree::{self, Id};

/// The folder of packs within a backups folder.
pub(crate) const FOLDER: &str = "packs";

/// The packs that were opened so far.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    /// Where the blocks of each pack lie now.
    found: HashMap<Id, Found>,
    /// What all packs carry of others, once it was asked for.
    carried: Option<Carried>,
}

/// Where the blocks of one pack lie now, sorted by `first_slot`; none, and why, where it is gone.
#[derive(Debug, Clone)]
struct Found {
    parts: Arc<[Part]>,
    trouble: Arc<str>,
}

/// Blocks that follow one another in a pack.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    first_slot: u32,
    n_blocks: u32,
    first_entry: u32,
    pack: Arc<Pack>,
}

/// What all packs carry of others.
#[derive(Debug, Default)]
struct Carried {
    parts: HashMap<Id, Vec<Part>>,
}

/// Where a block lies now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    /// In which pack.
    pub(crate) pack: &'p Arc<Pack>,
    /// At which of its entries.
    pub(crate) entry: u32,
}

/// Where the blocks of one list lie.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// For each pack of the list.
    found: Vec<Found>,
}

impl Shelf {
    /// The shelf of a backups folder; the folder of packs may be missing.
    #[must_use]
    pub(crate) fn of(backups: &Path) -> Self {
        Self { folder: backups.join(FOLDER), found: HashMap::new(), carried: None }
    }

    /// The folder of packs.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every pack in the folder by its name, in the order of the names, and what went wrong where one
    /// cannot be read.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read.
    pub(crate) fn packs(&self) -> Result<Vec<(Id, Result<Pack>)>> {
        let mut packs: Vec<_> = names(&self.folder)?
            .into_iter()
            .map(|name| (name, Pack::open(&self.folder, name)))
            .collect();
        packs.sort_by_key(|(name, _)| *name);
        Ok(packs)
    }

    /// Finds the packs of a list. What is gone or cannot be read has no places.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read.
    pub(crate) fn places(&mut self, list: &List) -> Result<Places> {
        let found = list.packs.iter().map(|origin| self.find(origin));
        Ok(Places { found: found.collect::<Result<_>>()? })
    }

    fn find(&mut self, origin: &Id) -> Result<Found> {
        if let Some(found) = self.found.get(origin) {
            return Ok(found.clone());
        }
        let (mut there, trouble): (Vec<Part>, String) = match Pack::open(&self.folder, *origin) {
            Ok(pack) => {
                let pack = Arc::new(pack);
                let own = parts(&pack).filter(|(of, _)| of == origin);
                (own.map(|(_, part)| part).collect(), "does not hold it".to_owned())
            }
            Err(error) if is_missing(&error) => (Vec::new(), "is missing".to_owned()),
            Err(error) => (Vec::new(), format!("cannot be read: {}", error.root_cause())),
        };
        if there.is_empty() {
            there = self.carried()?.parts.get(origin).cloned().unwrap_or_default();
        }
        there.sort_by_key(|part: &Part| part.first_slot);
        let found = Found { parts: there.into(), trouble: trouble.into() };
        self.found.insert(*origin, found.clone());
        Ok(found)
    }

    fn carried(&mut self) -> Result<&Carried> {
        if self.carried.is_none() {
            let mut carried = Carried::default();
            for (_, pack) in self.packs()? {
                let Ok(pack) = pack else { continue };
                for (origin, part) in parts(&Arc::new(pack)) {
                    carried.parts.entry(origin).or_default().push(part);
                }
            }
            self.carried = Some(carried);
        }
        Ok(self.carried.get_or_insert_default())
    }
}

impl Places {
    /// Where a block lies; `None` where no pack has it.
    #[must_use]
    pub(crate) fn of(&self, address: Address) -> Option<Place<'_>> {
        let parts = &self.found.get(address.pack as usize)?.parts;
        // Pruning may leave a block in two packs for a while: any part that has it will do.
        let after = parts.partition_point(|part| part.first_slot <= address.slot);
        parts[..after].iter().rev().find_map(|part| {
            let n_ahead = address.slot - part.first_slot;
            (n_ahead < part.n_blocks)
                .then(|| Place { pack: &part.pack, entry: part.first_entry + n_ahead })
        })
    }

    /// Why a pack of the list has nothing at a place.
    #[must_use]
    pub(crate) fn trouble(&self, pack: u32) -> &str {
        self.found.get(pack as usize).map_or("is unknown", |found| &found.trouble)
    }
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

/// The names of the packs in a folder; none where it is missing. Other files are not ours.
fn names(folder: &Path) -> Result<Vec<Id>> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let is_file = entry.file_type()?.is_file();
        let name = entry.file_name().to_str().and_then(pack::parse_name);
        names.extend(name.filter(|_| is_file));
    }
    Ok(names)
}

/// The path of a pack in messages.
#[must_use]
pub(crate) fn said(name: &Id) -> String {
    format!("{FOLDER}/{}…", &tree::hex(name)[..16])
}

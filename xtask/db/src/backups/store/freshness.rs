//! How fresh the proof of stored backups is: when the packs of each were last read.
//!
//! Only page lists, packs' names and notes are read for that, each once. A missing pack is found at
//! the same time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backups::backup::Pages;
use crate::backups::reader;
use crate::backups::store::file_header::Newer;
use crate::backups::store::pack_folder::{self, FOLDER};
use crate::backups::store::pack_index::{Opened, Shelf};
use crate::backups::store::pack_readings::{self, Reading, Readings};
use crate::console::text::Span;
use crate::sqlite::digest::tree::Id;

/// The packs of a folder, as far as they were checked.
#[derive(Debug)]
pub(crate) struct Freshness {
    backups: PathBuf,
    now: DateTime<FixedOffset>,
    /// Readings before this moment do not count, seconds since 1970.
    since: i64,
    readings: Option<Readings>,
    packs: HashMap<Id, Pages>,
    /// The packs that contain blocks of others, once this was asked for.
    carriers: Option<BTreeMap<Id, BTreeSet<Id>>>,
    /// Hard links to one list are one answer.
    lists: HashMap<(u64, u64), Pages>,
}

impl Freshness {
    /// Creates it without reading anything.
    #[must_use]
    pub(crate) fn of(backups: &Path, now: DateTime<FixedOffset>, read_within: Span) -> Self {
        let since = read_within.before(now).map_or(i64::MIN, |since| since.timestamp());
        Self {
            backups: backups.to_owned(),
            now,
            since,
            readings: None,
            packs: HashMap::new(),
            carriers: None,
            lists: HashMap::new(),
        }
    }

    /// The state of the pages of the list at a path, as far as it is known.
    pub(crate) fn pages(&mut self, list: &Path, identity: (u64, u64)) -> Pages {
        if let Some(pages) = self.lists.get(&identity) {
            return *pages;
        }
        let pages = match reader::packs_named(list) {
            Ok(names) => {
                let nothing_named = Pages::Read(self.now.timestamp());
                names.iter().map(|name| self.pack(name)).fold(nothing_named, worse)
            }
            Err(error) if error.downcast_ref::<Newer>().is_some() => Pages::Unknown,
            Err(error) if error.downcast_ref::<std::io::Error>().is_some() => Pages::Unknown,
            Err(_) => Pages::Lost,
        };
        self.lists.insert(identity, pages);
        pages
    }

    /// The state of the blocks that were first written to a pack, as far as it is known.
    fn pack(&mut self, origin: &Id) -> Pages {
        let there = self.file(origin);
        if there != Pages::Lost {
            return there;
        }
        let carriers = self.carriers().get(origin).cloned().unwrap_or_default();
        let carried = carriers.iter().map(|pack| self.file(pack)).reduce(worse);
        carried.unwrap_or(Pages::Lost)
    }

    /// The state of the file of a pack, as far as it is known.
    fn file(&mut self, pack: &Id) -> Pages {
        if let Some(pages) = self.packs.get(pack) {
            return *pages;
        }
        let readings = self.readings.get_or_insert_with(|| Readings::of(&self.backups));
        let pages = match pack_folder::look(&self.backups.join(FOLDER), pack) {
            Ok(Some(identity)) => {
                let last = readings.last(pack, &identity);
                self.of_reading(last.filter(|last| pack_readings::counts(last, self.now)))
            }
            Ok(None) => Pages::Lost,
            Err(_) => Pages::Unknown,
        };
        self.packs.insert(*pack, pages);
        pages
    }

    fn of_reading(&self, last: Option<Reading>) -> Pages {
        match last {
            Some(reading) if reading.at >= self.since => Pages::Read(reading.at),
            Some(reading) => Pages::Unread(Some(reading.at)),
            None => Pages::Unread(None),
        }
    }

    fn carriers(&mut self) -> &BTreeMap<Id, BTreeSet<Id>> {
        let backups = &self.backups;
        self.carriers.get_or_insert_with(|| carriers(backups).unwrap_or_default())
    }
}

/// The packs that carry blocks of others, by the names of these.
fn carriers(backups: &Path) -> Result<BTreeMap<Id, BTreeSet<Id>>> {
    let mut carriers = BTreeMap::<Id, BTreeSet<Id>>::new();
    for Opened { name, pack } in Shelf::of(backups).packs()? {
        let Ok(pack) = pack else { continue };
        for section in &pack.sections {
            carriers.entry(section.origin).or_default().insert(name);
        }
    }
    Ok(carriers)
}

/// The worse of two, the older of two equally good.
fn worse(one: Pages, other: Pages) -> Pages {
    let rank = |pages: Pages| match pages {
        Pages::Lost => (0, 0),
        Pages::Unknown => (1, 0),
        Pages::Unread(at) => (2, at.unwrap_or(i64::MIN)),
        Pages::Read(at) => (3, at),
        Pages::None => (4, 0),
    };
    if rank(other) < rank(one) { other } else { one }
}

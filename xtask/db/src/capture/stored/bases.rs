//! The backups that a new stored one builds on, read back first: the stored backups that it is
//! compared with, without the packs that must not be trusted.
//!
//! Before the comparison, the packs that were unread for longest are read within a budget of time.
//! A damaged pack is given up: its content is taken from the snapshot again, and the backups that
//! need its damaged part are marked.

use std::collections::BTreeSet;
use std::sync::mpsc;

use anyhow::{Context as _, Result};

use crate::backups::backup::Pages;
use crate::backups::backup::{Backup, State};
use crate::backups::format::Format;
use crate::backups::reader;
use crate::backups::store::intake::new_packs::NewList;
use crate::backups::store::intake::{self, Compare, Intake};
use crate::backups::store::pack_index::Shelf;
use crate::backups::store::pack_readings::{self, Keep, Readings};
use crate::backups::store::page_list::List;
use crate::backups::store::stored_database::Stored;
use crate::backups::store::{pack_rereading, suspect_packs};
use crate::backups::writer::Locked;
use crate::capture::request::{Capture, Look, Wanted};
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::sqlite::digest::database::Hashes;
use crate::sqlite::digest::tree::{self, Id, Shape};
use crate::sqlite::examination::finding::Damage;
use crate::sqlite::snapshot::copy;

/// Stored backups that a new one is compared with.
const MAX_KNOWN: usize = 4;

/// What is taken, and therefore what it can build on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// A database of pages.
    Database(Shape),
    /// A dump.
    Dump,
}

impl Of {
    fn format(self) -> Format {
        match self {
            Self::Database(_) => Format::Pages,
            Self::Dump => Format::Chunks,
        }
    }

    /// Whether a stored backup of this format is cut in the same way.
    fn is_cut_like(self, stored: &Stored) -> bool {
        match self {
            Self::Database(shape) => stored.shape().block_bytes == shape.block_bytes,
            Self::Dump => true,
        }
    }
}

/// The stored backup that a new one builds on.
pub(crate) struct Base<'a> {
    locked: &'a Locked<'a>,
    wanted: &'a Wanted<'a>,
    of: Of,
    shelf: Shelf,
    readings: Readings,
    /// The stored backups that it is compared with, the likeliest first: the newest of its database, then
    /// the newest of other branches.
    backups: Vec<Backup>,
    stored: Vec<Stored>,
}

impl<'a> Base<'a> {
    /// Finds the existing backups to build on, and rereads the packs that were unread for longest.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read, or at the user's interrupt.
    pub(crate) fn of(capture: Capture<'a>, of: Of, progress: &Progress) -> Result<Self> {
        let Capture { locked, wanted, .. } = capture;
        let folder = locked.vault().folder();
        let readings = Readings::of(folder);
        let mut shelf = Shelf::of(folder);
        shelf.distrust_noted(&readings);
        let (backups, stored) = (Vec::new(), Vec::new());
        let mut base = Self { locked, wanted, of, shelf, readings, backups, stored };
        let doubted = base.doubted()?;
        base.find_known()?;
        let built_on = base.stored.iter().flat_map(|stored| stored.packs().into_keys()).collect();
        let mut bad = base.unsound_of(&doubted, progress.interrupt())?;
        bad.extend(pack_rereading::reread(
            &built_on,
            &mut base.readings,
            wanted.now,
            progress.interrupt(),
        )?);
        if !bad.is_empty() {
            base.give_up(&bad, progress)?;
        }
        Ok(base)
    }

    /// The packs of backups that are known to be damaged: damage in one of their packs may affect
    /// others that share it, even if that was not checked yet. Reports missing pages.
    fn doubted(&mut self) -> Result<BTreeSet<Id>> {
        let (mut packs, mut n_lost) = (BTreeSet::new(), 0);
        for damaged in self.locked.backups()?.iter() {
            if !damaged.name.format.is_stored() || damaged.state() != State::Damaged {
                continue;
            }
            n_lost += u64::from(damaged.pages == Pages::Lost);
            if let Ok(list) = reader::list(damaged) {
                packs.extend(Stored::find(&mut self.shelf, list)?.packs().into_keys());
            }
        }
        if n_lost > 0 {
            let backups = text::count(n_lost, "stored backup");
            self.locked.vault().remark(format!(
                "page data of {backups} is missing: `cargo xtask db-verify --all` shows which and \
                 why"
            ));
        }
        Ok(packs)
    }

    /// The packs among these that are not intact. Packs that were read since yesterday are trusted.
    fn unsound_of(&mut self, packs: &BTreeSet<Id>, interrupt: &Interrupt) -> Result<BTreeSet<Id>> {
        let mut bad = BTreeSet::new();
        for pack in packs.iter().filter(|pack| !self.shelf.is_distrusted(pack)) {
            interrupt.check()?;
            if pack_rereading::is_recent(self.readings.last_of(pack).as_ref(), self.wanted.now) {
                continue;
            }
            match pack_rereading::read_one(self.shelf.folder(), pack, self.wanted.now) {
                Some(reading) => self.readings.note([(*pack, reading)]),
                None => drop(bad.insert(*pack)),
            }
        }
        Ok(bad)
    }

    fn find_known(&mut self) -> Result<()> {
        self.backups.clear();
        self.stored.clear();
        let mut branches = Vec::new();
        let listed = self.locked.backups()?;
        let is_one = |b: &&Backup| b.name.format == self.of.format() && b.state().is_sound();
        let mut candidates: Vec<&Backup> = listed.iter().filter(is_one).collect();
        candidates.sort_by_key(|backup| !backup.is_of(self.wanted.database));
        for backup in candidates {
            let git = backup.record().and_then(|record| record.git.as_ref());
            let branch = git.map(|git| (git.worktree.clone(), git.branch.clone()));
            if branches.contains(&branch) || self.backups.len() == MAX_KNOWN {
                continue;
            }
            // A damaged one is useless here; verification names it.
            let found = reader::list(backup).and_then(|list| Stored::find(&mut self.shelf, list));
            let Ok(stored) = found else { continue };
            if self.of.is_cut_like(&stored) {
                branches.push(branch);
                self.backups.push(backup.clone());
                self.stored.push(stored);
            }
        }
        Ok(())
    }

    /// Looks at packs closely and builds on none of those that are damaged; returns how many were
    /// trusted before.
    fn give_up(&mut self, packs: &BTreeSet<Id>, progress: &Progress) -> Result<usize> {
        let bad =
            suspect_packs::examine(self.locked, packs, self.wanted.now, progress.interrupt())?;
        let n_given_up = self.shelf.distrust(bad);
        self.find_known()?;
        Ok(n_given_up)
    }

    /// The stored backups that a new one is compared with.
    #[must_use]
    pub(crate) fn known(&self) -> &[Stored] {
        &self.stored
    }

    /// Takes a database in, as [`Intake::take`].
    ///
    /// # Errors
    ///
    /// If the folder of packs cannot be written; as [`Intake::take`].
    pub(super) fn take_in(
        &self,
        source: impl FnOnce(&mut copy::Send<'_>, &mpsc::Receiver<Vec<u8>>) -> Result<()>,
        compare: Compare,
        on_new: impl FnOnce() + Send,
    ) -> Result<intake::Taken> {
        let Of::Database(shape) = self.of else { anyhow::bail!("a dump has no pages") };
        let folder = self.locked.packs_folder()?;
        let intake = Intake { folder: &folder, shape, known: &self.stored, compare };
        intake.take(source, on_new)
    }

    /// The stored backup with the content that was taken in; `None` if it is new. If every group was adopted from it, the
    /// comparison has proved its list already. If it will be relied upon, it is read back from the disk, page by page.
    ///
    /// # Errors
    ///
    /// [`Damage`], if that cannot be read or does not match, or at the user's interrupt.
    pub(crate) fn judge(&self, new: &NewList, interrupt: &Interrupt) -> Result<Option<&Backup>> {
        let equal = self.backups.iter().position(|backup| has_content(backup, &new.hashes));
        if let Some(equal) = equal
            && self.is_proved(equal, new, interrupt)?
        {
            return Ok(self.backups.get(equal));
        }
        if self.wanted.look == Look::AtPages {
            let mut all = Shelf::of(self.locked.vault().folder());
            Stored::find(&mut all, List::decode(&new.list)?)?.read_back(interrupt)?;
        }
        Ok(None)
    }

    /// Whether every page of an equal backup is in its place. Missing pages were taken again
    /// already. If every group was adopted from it, the comparison has looked up all of its pages, and their ids are those of
    /// the database: this is the proof of its list, except that it also reads the first page.
    fn is_proved(&self, equal: usize, new: &NewList, interrupt: &Interrupt) -> Result<bool> {
        let (backup, stored) = (&self.backups[equal], &self.stored[equal]);
        let root = tree::hex(&stored.list().root);
        let is_compared = new.adopted_from == Some(equal) && new.hashes.blake3 == root;
        let proved = if is_compared {
            stored.reader().and_then(|mut reader| reader.block(0)).map(|_| root)
        } else {
            stored.prove(interrupt).map(|hashes| hashes.blake3)
        };
        let blake3 = match proved {
            Err(error) if names_no_pack(&error) => return Ok(false),
            proved => proved?,
        };
        if self.wanted.look == Look::AtPages {
            stored.read_back(interrupt)?;
        }
        Ok(backup.record().is_some_and(|record| record.blake3 == blake3))
    }

    /// Stops building on packs that turned out to be damaged.
    ///
    /// # Errors
    ///
    /// The same, if it is not damage or nothing is left that could be taken again.
    pub(crate) fn after(&mut self, error: anyhow::Error, progress: &Progress) -> Result<()> {
        progress.interrupt().check()?;
        let Some(damage) = error.downcast_ref::<Damage>() else { return Err(error) };
        let packs = suspect_packs::names(&damage.packs);
        let n_given_up = self.give_up(&packs, progress)?;
        if n_given_up > 0 || self.shelf.distrust(packs) > 0 {
            return self.find_known();
        }
        if self.stored.is_empty() {
            return Err(unreadable(error));
        }
        // Whatever is wrong with what is there: nothing of it is used.
        self.backups.clear();
        self.stored.clear();
        Ok(())
    }

    /// Records the packs that were reread, and those that were just written.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn note(&self, new: &NewList) -> Result<()> {
        self.note_all(&new.packs.read)
    }

    /// Records the packs that were reread.
    ///
    /// # Errors
    ///
    /// As [`Base::note`].
    pub(super) fn note_read(&self) -> Result<()> {
        self.note_all(&[])
    }

    fn note_all(&self, new: &[Id]) -> Result<()> {
        let (folder, now) = (self.shelf.folder(), self.wanted.now);
        let mut noted = Readings::of(self.locked.vault().folder());
        if noted.merge(&self.readings) + new.len() == 0 {
            return Ok(());
        }
        // The list stays: readings only make it fresher.
        for pack in new {
            noted.note(pack_readings::just_now(folder, pack, now));
        }
        noted.keep(Keep::ByTheWay).context("could not note which packs were read")
    }
}

fn has_content(backup: &Backup, hashes: &Hashes) -> bool {
    backup.record().is_some_and(|record| record.content_blake3 == hashes.content_blake3)
}

fn names_no_pack(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Damage>().is_some_and(|damage| damage.packs.is_empty())
}

/// The error if the disk does not give back the bytes that were just written to it.
fn unreadable(error: anyhow::Error) -> anyhow::Error {
    error.context(Refusal {
        what: "a backup could not be read back right after it was written".to_owned(),
        hint:
            "the disk of the backups folder does not return what was written: check the disk, or \
             set `DATABASE_BACKUP_DIR` to another folder; the database is untouched"
                .to_owned(),
        exit: Exit::CouldNot,
    })
}

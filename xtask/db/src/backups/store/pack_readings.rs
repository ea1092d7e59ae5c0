//! When each pack was last read completely: a note in the backups folder.
//!
//! A reading counts for one file only. The note contains its inode, size and times, so that a pack
//! that was replaced, restored or changed counts as unread. The note is written without a sync: if
//! it is lost, truncated or damaged, no pack counts as read, and nothing worse happens.
//! `docs/formats.md` describes it byte by byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, FixedOffset};

use crate::backups::store::pack_folder::{self, FOLDER, Identity};
use crate::files::publish;
use crate::files::stage::Stage;
use crate::sqlite::digest::tree::{self, Id};

/// The note's file name in the backups folder.
pub(crate) const FILE: &str = ".readings";
const FIRST_LINE: &str = "xtask-db readings 1";
/// A note of a hundred thousand packs is smaller than this.
const MAX_BYTES: u64 = 32 << 20;
/// Readings that are further ahead than this were noted by a wrong clock.
const MAX_AHEAD_SECONDS: i64 = 24 * 60 * 60;

/// Result of reading a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Was {
    /// The bytes match the name.
    Intact,
    /// The bytes differ: nothing new is built on the pack, and the backups that need its damaged
    /// blocks are marked.
    Damaged,
}

impl Was {
    fn word(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Damaged => "damaged",
        }
    }
}

/// One reading of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The file that was read.
    pub(crate) identity: Identity,
    /// Time at which it ended, in seconds since 1970.
    pub(crate) at: i64,
    /// Its result.
    pub(crate) was: Was,
}

/// The readings of a backups folder.
#[derive(Debug)]
pub(crate) struct Readings {
    backups: PathBuf,
    /// The folder of packs.
    folder: PathBuf,
    noted: BTreeMap<Id, Reading>,
    /// Readings that are not on the disk yet.
    new: Vec<(Id, Reading)>,
}

/// Whether a note has to survive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// A user asked for the reading, which took a while.
    Synced,
    /// A checkpoint read it in passing: there is no need for a sync of its own.
    ByTheWay,
}

impl Readings {
    /// The readings that are noted in a backups folder; none if the note is missing or damaged.
    #[must_use]
    pub(crate) fn of(backups: &Path) -> Self {
        let noted = read(&backups.join(FILE)).unwrap_or_default();
        let (folder, backups) = (backups.join(FOLDER), backups.to_owned());
        Self { backups, folder, noted, new: Vec::new() }
    }

    /// The folder of packs.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The last reading of the file that now has a pack's name.
    #[must_use]
    pub(crate) fn last(&self, pack: &Id, now_there: &Identity) -> Option<Reading> {
        self.noted.get(pack).filter(|reading| reading.identity == *now_there).copied()
    }

    /// The last reading of a pack that is still valid for its file.
    #[must_use]
    pub(crate) fn last_of(&self, pack: &Id) -> Option<Reading> {
        // Without a note no file need be looked at.
        self.noted.get(pack)?;
        self.last(pack, &pack_folder::look(&self.folder, pack).ok()??)
    }

    /// Notes readings.
    pub(crate) fn note(&mut self, readings: impl IntoIterator<Item = (Id, Reading)>) {
        for (pack, reading) in readings {
            self.noted.insert(pack, reading);
            self.new.push((pack, reading));
        }
    }

    /// Adds the readings that others have recorded since; returns their number.
    pub(crate) fn merge(&mut self, others: &Self) -> usize {
        self.note(others.new.iter().copied());
        others.new.len()
    }

    /// The packs that a reading showed to be damaged and that were not replaced since.
    pub(crate) fn damaged(&self) -> impl Iterator<Item = Id> {
        let bad = self.noted.iter().filter(|(_, reading)| reading.was == Was::Damaged);
        bad.filter(|(pack, _)| self.last_of(pack).is_some()).map(|(pack, _)| *pack)
    }

    /// Writes the note, without packs that are gone. The caller holds the lock of the backups folder.
    ///
    /// # Errors
    ///
    /// If the folder of packs cannot be read, or the backups folder not be written.
    pub(crate) fn keep(&mut self, keep: Keep) -> Result<()> {
        let there: BTreeSet<Id> = pack_folder::names(&self.folder)?.into_iter().collect();
        self.noted.retain(|pack, _| there.contains(pack));
        let stage = Stage::create(&self.backups, FILE.trim_start_matches('.'))?;
        stage.append(self.encoded().as_bytes())?;
        if keep == Keep::Synced {
            stage.sync()?;
        }
        stage.replace(&self.backups.join(FILE))?;
        if keep == Keep::Synced {
            publish::sync_folder(&self.backups)?;
        }
        Ok(())
    }

    fn encoded(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        for (pack, Reading { identity, at, was }) in &self.noted {
            let Identity { inode, size_bytes, modified, changed } = identity;
            let _ = writeln!(
                text,
                "{} {inode} {size_bytes} {}.{:09} {}.{:09} {at} {}",
                tree::hex(pack),
                modified.0,
                modified.1,
                changed.0,
                changed.1,
                was.word()
            );
        }
        let checksum = blake3::hash(text.as_bytes());
        let _ = writeln!(text, "{}", checksum.to_hex());
        text
    }
}

/// The reading of a pack that was just read and is intact.
#[must_use]
pub(crate) fn just_now(
    folder: &Path,
    pack: &Id,
    now: DateTime<FixedOffset>,
) -> Option<(Id, Reading)> {
    let identity = pack_folder::look(folder, pack).ok()??;
    Some((*pack, Reading { identity, at: now.timestamp(), was: Was::Intact }))
}

/// Whether a reading counts at a moment: a clock that was wrong must not vouch for the future.
#[must_use]
pub(crate) fn counts(reading: &Reading, now: DateTime<FixedOffset>) -> bool {
    reading.at <= now.timestamp().saturating_add(MAX_AHEAD_SECONDS)
}

fn read(path: &Path) -> Result<BTreeMap<Id, Reading>> {
    // A pipe of that name would never end, and a link may lead anywhere.
    ensure!(fs_err::symlink_metadata(path)?.is_file(), "it is not a file");
    let mut text = String::new();
    fs_err::File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    let body = text.strip_suffix('\n').context("it is cut short")?;
    let (body, checksum) = body.rsplit_once('\n').context("it is cut short")?;
    let is_right = blake3::hash(format!("{body}\n").as_bytes()).to_hex().as_str() == checksum;
    ensure!(is_right, "its checksum is wrong");
    let mut lines = body.lines();
    ensure!(lines.next() == Some(FIRST_LINE), "it has another version");
    lines.map(|line| parse(line).context("a line is wrong")).collect()
}

fn parse(line: &str) -> Option<(Id, Reading)> {
    let mut words = line.split(' ');
    let pack = *blake3::Hash::from_hex(words.next()?).ok()?.as_bytes();
    let (inode, size_bytes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let mut time = || {
        let (seconds, nanoseconds) = words.next()?.split_once('.')?;
        Some((seconds.parse().ok()?, nanoseconds.parse().ok()?))
    };
    let (modified, changed) = (time()?, time()?);
    let at = words.next()?.parse().ok()?;
    let was = match words.next()? {
        "intact" => Was::Intact,
        "damaged" => Was::Damaged,
        _ => return None,
    };
    Some((pack, Reading { identity: Identity { inode, size_bytes, modified, changed }, at, was }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with_pack() -> (tempfile::TempDir, Id, Identity) {
        let folder = tempfile::tempdir().expect("folder");
        let packs = folder.path().join(FOLDER);
        fs_err::create_dir(&packs).expect("folder");
        let pack = *blake3::hash(b"pack").as_bytes();
        let path = packs.join(crate::backups::store::pack::file_name(&pack));
        fs_err::write(&path, "pack").expect("written");
        let identity = Identity::of(&fs_err::metadata(&path).expect("there"));
        (folder, pack, identity)
    }

    #[test]
    fn a_note_counts_for_the_very_file_only_and_not_if_a_bit_of_it_is_wrong() {
        let (folder, pack, identity) = folder_with_pack();
        let reading = Reading { identity, at: 1_757_773_530, was: Was::Intact };
        let mut readings = Readings::of(folder.path());
        readings.note([(pack, reading), ([9; 32], reading)]);
        readings.keep(Keep::Synced).expect("kept");
        let again = Readings::of(folder.path());
        assert_eq!(again.last(&pack, &identity), Some(reading));
        assert_eq!(again.noted.len(), 1, "a pack that is gone stayed in the note");
        let other = Identity { inode: identity.inode + 1, ..identity };
        assert_eq!(again.last(&pack, &other), None);
        let path = folder.path().join(FILE);
        let whole = fs_err::read(&path).expect("a note");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs_err::write(&path, &bytes).expect("written");
            assert_eq!(Readings::of(folder.path()).last(&pack, &identity), None, "byte {at}");
            fs_err::write(&path, &whole[..at]).expect("written");
            assert_eq!(Readings::of(folder.path()).last(&pack, &identity), None, "cut at {at}");
        }
    }

    #[test]
    fn a_reading_of_the_far_future_does_not_count() {
        let now = DateTime::parse_from_rfc3339("2025-09-13T14:25:30+02:00").expect("a time");
        let (_folder, _, identity) = folder_with_pack();
        let at = |at| Reading { identity, at, was: Was::Intact };
        assert!(counts(&at(now.timestamp()), now));
        assert!(!counts(&at(now.timestamp() + 25 * 60 * 60), now));
    }
}

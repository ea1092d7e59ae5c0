//! A backup: a finished, examined, immutable copy in the backups folder, and its proof.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, TimeDelta};

use crate::backups::format::Format;
use crate::backups::home::{Owner, Whose};
use crate::backups::kind::Kind;
use crate::backups::name::Name;
use crate::backups::record::Record;
use crate::backups::record::listed::Summary;
use crate::backups::record::packing::Packing;
use crate::backups::record::proof::Proof;
use crate::files::stage;

/// One backup as it was listed.
#[derive(Debug, Clone)]
pub(crate) struct Backup {
    /// Its name, taken apart.
    pub name: Name,
    /// The folder it is in.
    pub folder: Arc<Path>,
    /// Size of the database that it contains.
    pub size_bytes: u64,
    /// Size of its file; for a stored backup, that of its page list.
    pub file_bytes: u64,
    /// Device and inode: equal for hard links to one file.
    pub identity: (u64, u64),
    /// The content of its record, or the reason why there is none.
    pub proof: Proof,
    /// State of its pages in the store.
    pub pages: Pages,
    /// Time at which it was taken; for an unrecorded one, the local time in its name.
    pub created_at: DateTime<FixedOffset>,
    /// Project that it belongs to; known only if the whole folder was listed.
    pub whose: Whose,
}

/// State of a backup, as far as it is known without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The last examination is clean and the size is as recorded.
    Verified,
    /// It would be verified, but one of its packs was last read too long ago, at this time.
    Unread(DateTime<FixedOffset>),
    /// The last examination found structural damage, the size differs, a pack that it names is gone, or
    /// its record is damaged.
    Damaged,
    /// Something could not be checked, or the record cannot be read.
    Unverified,
    /// There is no record.
    Unrecorded,
}

/// State of the pages of a backup, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// It has no pages in the store.
    None,
    /// Every pack that it names was read within the time that counts; the oldest of these readings,
    /// seconds since 1970.
    Read(i64),
    /// One of them was not; time of its last reading, if there is one.
    Unread(Option<i64>),
    /// A pack that it names is gone, or its list is damaged.
    Lost,
    /// Unknown: a newer build wrote its list, or it cannot be read.
    Unknown,
}

impl State {
    /// The word for it.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unread(_) => "unread",
            Self::Damaged => "damaged",
            Self::Unverified => "unverified",
            Self::Unrecorded => "unrecorded",
        }
    }

    /// Whether nothing is wrong with it.
    #[must_use]
    pub(crate) fn is_sound(self) -> bool {
        matches!(self, Self::Verified | Self::Unread(_))
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unread(since) => write!(f, "unread since {}", since.format("%Y-%m-%d")),
            state => f.pad(state.word()),
        }
    }
}

impl Backup {
    /// The path of the backup.
    #[must_use]
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(self.name.to_string())
    }

    /// The path of its record.
    #[must_use]
    pub(crate) fn record_path(&self) -> PathBuf {
        self.folder.join(self.name.record())
    }

    /// Whether it is in a private folder, which is removed when its process ends.
    #[must_use]
    pub(crate) fn is_unfinished(&self) -> bool {
        let name = self.folder.file_name().and_then(|name| name.to_str());
        name.is_some_and(stage::is_stage)
    }

    /// Packs its record to save memory, until it is needed.
    pub(crate) fn pack(&mut self, packing: &mut Packing) {
        if let Proof::Recorded(record) = &mut self.proof {
            // A record that cannot be packed stays as it is.
            let _ = record.pack(packing);
        }
    }

    /// Its record, if there is one that can be read.
    #[must_use]
    pub(crate) fn record(&self) -> Option<&Record> {
        match &self.proof {
            Proof::Recorded(record) => Some(record),
            _ => None,
        }
    }

    /// The part of its record that lists need, which requires no unpacking.
    #[must_use]
    pub(crate) fn summary(&self) -> Option<&Summary> {
        match &self.proof {
            Proof::Recorded(record) => Some(record.summary()),
            _ => None,
        }
    }

    /// Why it was taken; without a record only its name can tell.
    #[must_use]
    pub(crate) fn kind(&self) -> Option<Kind> {
        match (self.summary(), self.name.safety) {
            (Some(record), _) => Some(record.kind),
            (None, true) => Some(Kind::Safety),
            (None, false) => None,
        }
    }

    /// The state of the backup, as far as it is known without reading it.
    #[must_use]
    pub(crate) fn state(&self) -> State {
        match &self.proof {
            Proof::Unrecorded => State::Unrecorded,
            Proof::Damaged(_) => State::Damaged,
            Proof::Unreadable(_) | Proof::Newer(_) => State::Unverified,
            Proof::Recorded(record) => {
                let record = record.summary();
                let is_lost = self.pages == Pages::Lost;
                if is_lost || !self.has_recorded_size(record) || record.is_marked_damaged {
                    State::Damaged
                } else if record.is_unchecked || self.pages == Pages::Unknown {
                    State::Unverified
                } else if let Pages::Unread(at) = self.pages {
                    State::Unread(self.unread_since(at, record.examined_at))
                } else {
                    State::Verified
                }
            }
        }
    }

    /// The last time at which all of its pages were known to be right: the oldest last reading of
    /// one of its packs, else the last examination of the backup itself.
    fn unread_since(
        &self,
        at: Option<i64>,
        examined_at: DateTime<FixedOffset>,
    ) -> DateTime<FixedOffset> {
        let noted = at.and_then(|at| DateTime::from_timestamp(at, 0));
        noted.map_or(examined_at, |at| at.with_timezone(self.created_at.offset()))
    }

    /// Whether the record and the file tell the same story.
    #[must_use]
    pub(crate) fn record_agrees(&self) -> bool {
        match &self.proof {
            Proof::Unrecorded => true,
            Proof::Unreadable(_) | Proof::Damaged(_) | Proof::Newer(_) => false,
            Proof::Recorded(record) => {
                record.is_of_file(&self.name.to_string())
                    && self.has_recorded_size(record.summary())
            }
        }
    }

    /// Whether its file has the size that was recorded.
    fn has_recorded_size(&self, record: &Summary) -> bool {
        match (self.name.format, record.stored_bytes) {
            (Format::Plain | Format::Dump, None) => record.size_bytes == self.file_bytes,
            (Format::Pages | Format::Chunks, Some((list_bytes, _))) => {
                list_bytes == self.file_bytes
            }
            _ => false,
        }
    }

    /// Bytes that it added to the backups folder when it was taken, as far as is known; a later hard
    /// link to it adds none.
    #[must_use]
    pub(crate) fn new_bytes(&self) -> u64 {
        match self.summary().and_then(|record| record.stored_bytes) {
            Some((_, new_bytes)) => new_bytes,
            None => self.file_bytes,
        }
    }

    /// Whether it belongs to a database of this project.
    #[must_use]
    pub(crate) fn belongs_to(&self, owner: Owner<'_>) -> bool {
        self.whose.is_ours() && self.bears_name_of(owner)
    }

    /// Whether it has a database's name, in its record or else in its file name; another project
    /// may have one of the same name.
    #[must_use]
    pub(crate) fn bears_name_of(&self, owner: Owner<'_>) -> bool {
        match self.summary() {
            Some(record) => *record.database == *owner.name,
            None => self.name.file == owner.file_name(),
        }
    }

    /// The linked worktree it was taken in; `.` for the main one.
    #[must_use]
    pub(crate) fn worktree(&self) -> &str {
        self.summary().map_or(".", |record| &record.worktree)
    }

    /// The branch it was taken on.
    #[must_use]
    pub(crate) fn branch(&self) -> Option<&str> {
        self.summary()?.branch.as_deref()
    }

    /// Whether it is pinned.
    #[must_use]
    pub(crate) fn is_pinned(&self) -> bool {
        self.summary().is_some_and(|record| record.pinned)
    }

    /// The label that the user gave it.
    #[must_use]
    pub(crate) fn label(&self) -> Option<&str> {
        self.summary().and_then(|record| record.label.as_deref())
    }

    /// Whether its time is more than a day ahead: a clock was wrong.
    #[must_use]
    pub(crate) fn is_from_the_future(&self, now: DateTime<FixedOffset>) -> bool {
        self.created_at > now + TimeDelta::days(1)
    }

    /// How old it is; never negative.
    #[must_use]
    pub(crate) fn age(&self, now: DateTime<FixedOffset>) -> TimeDelta {
        (now - self.created_at).max(TimeDelta::zero())
    }

    /// `branch@commit`, as far as they are known.
    #[must_use]
    pub(crate) fn branch_at_commit(&self) -> Option<String> {
        let git = self.record()?.git.as_ref()?;
        let commit = git.commit.as_deref().map(|commit| commit.get(..7).unwrap_or(commit));
        Some(match (git.branch.as_deref(), commit) {
            (Some(branch), Some(commit)) => format!("{branch}@{commit}"),
            (Some(branch), None) => branch.to_owned(),
            (None, Some(commit)) => format!("@{commit}"),
            (None, None) => return None,
        })
    }
}

/// Sorts backups newest first: recorded ones by `sequence`, the others by the time in their names
/// among them; never by the time of the file.
pub(crate) fn sort_newest_first(backups: &mut Vec<Backup>) {
    let sequence = |backup: &Backup| backup.summary().map_or(0, |record| record.sequence);
    if backups.iter().all(|backup| backup.summary().is_some()) {
        backups.sort_unstable_by(|a, b| (sequence(b), &b.name).cmp(&(sequence(a), &a.name)));
        return;
    }
    let (mut recorded, mut others): (Vec<_>, Vec<_>) =
        backups.drain(..).partition(|backup| backup.summary().is_some());
    recorded.sort_by(|a, b| (sequence(a), &a.name).cmp(&(sequence(b), &b.name)));
    others.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
    // Oldest first; each unrecorded one goes before the first recorded one that is younger.
    let mut others = others.into_iter().peekable();
    for backup in recorded {
        while let Some(older) = others.next_if(|other| other.created_at < backup.created_at) {
            backups.push(older);
        }
        backups.push(backup);
    }
    backups.extend(others);
    backups.reverse();
}

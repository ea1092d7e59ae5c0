//! A record in a long list of backups: the fields that lists need are at hand, the rest is packed.
//! This bounds the memory of a list of 50,000 backups (`tests/e2e/backups/many.rs`).

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backups::home::Home;
use crate::backups::kind::Kind;
use crate::backups::record::Record;
use crate::backups::record::packing::{Packed, Packing};
use crate::sqlite::examination::finding::{Weight, has};

/// The part of a record that lists need.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each flag is independent of the others")]
pub(crate) struct Summary {
    /// See [`Record`] for these.
    pub(crate) sequence: u64,
    pub(crate) kind: Kind,
    pub(crate) pinned: bool,
    pub(crate) database: Arc<str>,
    pub(crate) worktree: Arc<str>,
    pub(crate) branch: Option<Arc<str>>,
    pub(crate) label: Option<Arc<str>>,
    /// Whether it is a branch point.
    pub(crate) enters: bool,
    pub(crate) size_bytes: u64,
    /// For a stored backup: the size of its list, and of the packs that it added.
    pub(crate) stored_bytes: Option<(u64, u64)>,
    /// Time of the last examination.
    pub(crate) examined_at: DateTime<FixedOffset>,
    /// Whether that verification found damage.
    pub(crate) is_marked_damaged: bool,
    pub(crate) is_unchecked: bool,
    /// Place and project of its database, if the record contains them.
    pub(crate) home: Option<Arc<Home>>,
}

/// A record that was read.
#[derive(Debug)]
pub(crate) struct Recorded {
    summary: Summary,
    /// Hash of the file name in the record.
    file_hash: blake3::Hash,
    packed: Option<Packed>,
    full: OnceLock<Box<Record>>,
}

impl Recorded {
    /// Wraps a record, which stays unpacked.
    #[must_use]
    pub(crate) fn of(record: Record) -> Self {
        let summary = Summary::of(&record);
        let file_hash = blake3::hash(record.file.as_bytes());
        Self { summary, file_hash, packed: None, full: OnceLock::from(Box::new(record)) }
    }

    /// The part that lists need, of the record as it was read.
    #[must_use]
    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Whether the record names a file.
    #[must_use]
    pub(crate) fn is_of_file(&self, name: &str) -> bool {
        self.file_hash == blake3::hash(name.as_bytes())
    }

    /// Packs the record to save memory, until it is needed.
    ///
    /// # Errors
    ///
    /// If it cannot be packed, which never happens; it stays at hand then.
    pub(crate) fn pack(&mut self, packing: &mut Packing) -> Result<()> {
        let Summary { database, worktree, branch, label, .. } = &mut self.summary;
        let texts = [Some(database), Some(worktree), branch.as_mut(), label.as_mut()];
        for text in texts.into_iter().flatten() {
            packing.share(text);
        }
        if let Some(home) = &mut self.summary.home {
            packing.share_home(home);
        }
        if self.packed.is_none()
            && let Some(record) = self.full.get()
        {
            self.packed = Some(packing.add(record)?);
        }
        self.full = OnceLock::new();
        Ok(())
    }

    fn full(&self) -> &Record {
        self.full.get_or_init(|| Box::new(self.unpack()))
    }

    /// Unpacks the record, which this process packed.
    #[expect(clippy::expect_used, reason = "these bytes never left the memory of this process")]
    fn unpack(&self) -> Record {
        let packed = self.packed.as_ref().expect("a record is at hand or packed");
        packed.record().expect("what was packed here unpacks")
    }
}

impl Summary {
    fn of(record: &Record) -> Self {
        let examined = record.last_examined();
        let git = record.git.as_ref();
        Self {
            sequence: record.sequence,
            kind: record.kind,
            pinned: record.pinned,
            database: record.database.as_str().into(),
            worktree: record.worktree().into(),
            branch: git.and_then(|git| git.branch.as_deref()).map(Into::into),
            label: record.label.as_deref().map(Into::into),
            enters: record.enters.is_some(),
            size_bytes: record.size_bytes,
            stored_bytes: record
                .stored
                .as_ref()
                .map(|stored| (stored.list_bytes, stored.new_bytes)),
            examined_at: examined.at,
            is_marked_damaged: has(&examined.findings, Weight::Structural),
            is_unchecked: has(&examined.findings, Weight::Unchecked),
            home: record.home.clone().map(Arc::new),
        }
    }
}

impl Deref for Recorded {
    type Target = Record;

    fn deref(&self) -> &Record {
        self.full()
    }
}

impl DerefMut for Recorded {
    /// The record, to be changed and written; the summary stays as it was.
    fn deref_mut(&mut self) -> &mut Record {
        self.full();
        self.packed = None;
        self.full.get_mut().unwrap_or_else(|| unreachable!("it was just unpacked"))
    }
}

impl Clone for Recorded {
    /// A clone keeps the packed record only, if there is one.
    fn clone(&self) -> Self {
        let (summary, packed) = (self.summary.clone(), self.packed.clone());
        let file_hash = self.file_hash;
        let full = if packed.is_some() { OnceLock::new() } else { self.full.clone() };
        Self { summary, file_hash, packed, full }
    }
}

impl PartialEq for Recorded {
    fn eq(&self, other: &Self) -> bool {
        self.full() == other.full()
    }
}

//! What a restore of a bundle has done and has still to do: written before each step, so that it can be continued or undone
//! whenever the program ends.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::bundle::manifest::{Kind, LeftOut, Stream};
use crate::files::publish;
use crate::files::stage::Stage;
use crate::recovery::interrupted_bundle::{FILE, FOLDER};

/// The newest version that is understood.
pub(crate) const VERSION: u32 = 1;
/// The items as they were extracted.
pub(crate) const NEW: &str = "new";
/// What they replaced.
pub(crate) const OLD: &str = "old";

/// A journal, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    /// Of the format.
    pub version: u32,
    /// The name of the bundle.
    pub bundle: String,
    /// When the restore began, RFC 3339.
    pub began_at: String,
    /// Which way it goes.
    pub phase: Phase,
    /// The items, in the order in which they are restored.
    pub steps: Vec<Step>,
    /// Items that the bundle does not contain and that can be rebuilt.
    pub left_out: Vec<LeftOut>,
    /// What it deliberately does not contain.
    pub not_covered: Vec<String>,
}

/// Which way a restore goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// The bundle is being extracted: nothing was changed.
    Staging,
    /// To the new state.
    Forward,
    /// All items are new.
    Done,
    /// To the old state.
    Backward,
    /// All items are old.
    Undone,
}

/// The restore of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How far it is.
    pub state: State,
    /// Of a file or a folder, where it belongs. A stream stays where it was extracted to.
    pub place: PathBuf,
    /// Where it was extracted to; after the switch, the old one may be here for a moment.
    pub new: PathBuf,
    /// Where the replaced one is kept.
    pub old: PathBuf,
    /// The extracted file or folder.
    pub staged: Option<Identity>,
    /// The one that was there.
    pub original: Option<Identity>,
    /// Folders that had to be created, the outermost first.
    pub created: Vec<PathBuf>,
    /// Of a database, the name of its backup in the backups folder.
    pub backup: Option<String>,
    /// Of a database, the safety backup of what was there.
    pub safety: Option<String>,
    /// Of a database, the highest number of a backup before the step, until its safety backup is noted.
    pub sequence_before: Option<u64>,
    /// Of a database, whether it was there before.
    pub existed: Option<bool>,
    /// Of a snapshot, what its stream is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Nothing was done.
    Waiting,
    /// It is being done, or is done and not noted.
    Switching,
    /// It is done.
    Done,
    /// It is being undone.
    Undoing,
    /// It is undone.
    Undone,
}

/// A file or folder, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The device.
    pub device: u64,
    /// The inode on it.
    pub inode: u64,
}

impl Identity {
    /// What is at a path, which may be a link; `None` if nothing is.
    #[must_use]
    pub(crate) fn at(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let meta = fs_err::symlink_metadata(path).ok()?;
        Some(Self { device: meta.dev(), inode: meta.ino() })
    }
}

impl Journal {
    /// Reads the journal in a folder.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let bytes = fs_err::read(&path)?;
        serde_json::from_slice(&bytes)
            .with_context(|| format!("could not read `{}`", path.display()))
    }

    /// Writes it, durably.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let stage = Stage::create(folder, FILE)?;
        stage.append(&serde_json::to_vec_pretty(self)?)?;
        stage.sync()?;
        stage.replace(&folder.join(FILE))?;
        publish::sync_folder(folder)
    }
}

/// The restores that have begun to change something or are over, with their folders, the newest first.
///
/// # Errors
///
/// If a journal cannot be read.
pub(crate) fn all(backups: &Path) -> Result<Vec<(PathBuf, Journal)>> {
    let mut found = Vec::new();
    for folder in folders(backups)? {
        if folder.join(FILE).is_file() {
            let journal = Journal::read(&folder)?;
            found.push((folder, journal));
        }
    }
    found.retain(|(_, journal)| journal.phase != Phase::Staging);
    Ok(found)
}

/// The folders of all restores, the newest first.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn folders(backups: &Path) -> Result<Vec<PathBuf>> {
    let folder = backups.join(FOLDER);
    let mut found = Vec::new();
    if folder.is_dir() {
        for one in fs_err::read_dir(&folder)? {
            let path = one?.path();
            if path.is_dir() {
                found.push(path);
            }
        }
    }
    found.sort();
    found.reverse();
    Ok(found)
}

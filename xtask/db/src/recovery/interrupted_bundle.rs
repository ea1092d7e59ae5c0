//! A restore of a bundle that was interrupted, or that can still be undone: every command reports the first, and none prunes what
//! either needs, also one that was built without bundles.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::vault;
use crate::console::text;

/// The folder in the backups folder in which restores of bundles keep what they need, each in a folder of its own.
pub(crate) const FOLDER: &str = vault::BUNDLE_RESTORES;
/// The file in it that has how far the restore is.
pub(crate) const FILE: &str = "journal.json";

/// As much of a journal as is needed here.
#[derive(Debug, Deserialize)]
struct Journal {
    bundle: String,
    phase: String,
    #[serde(default)]
    steps: Vec<Step>,
}

/// The restore of an item.
#[derive(Debug, Deserialize)]
struct Step {
    name: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    backup: Option<String>,
    #[serde(default)]
    safety: Option<String>,
    #[serde(default)]
    sequence_before: Option<u64>,
}

/// What is left of a restore that is neither done nor undone, as a warning.
#[must_use]
pub(crate) fn left(backups: &Path) -> Option<String> {
    for folder in folders(backups) {
        let Some(journal) = journal(&folder) else { continue };
        let (bundle, is_over) = match &journal {
            Ok(Journal { bundle, phase, .. }) => {
                (text::plain(bundle), matches!(&**phase, "staging" | "done" | "undone"))
            }
            Err(_) => ("a bundle".into(), false),
        };
        if !is_over {
            return Some(format!(
                "a restore of {bundle} was interrupted: continue it with `cargo xtask db-bundle restore --resume`, or \
                 undo it with `--undo`"
            ));
        }
    }
    None
}

/// The backups that `db-bundle restore --resume` or `--undo` needs.
#[derive(Debug, Default)]
pub(crate) struct Needed {
    steps: Vec<Step>,
    /// Whether a journal cannot be read: then each safety backup may be one of them.
    is_unknown: bool,
}

impl Needed {
    /// Those of the last restore: it is the one that can be undone.
    #[must_use]
    pub(crate) fn of(backups: &Path) -> Self {
        let newest = folders(backups).iter().find_map(|folder| {
            let journal = journal(folder)?;
            // It changed nothing.
            let is_staging = journal.as_ref().is_ok_and(|journal| journal.phase == "staging");
            (!is_staging).then_some(journal)
        });
        match newest {
            None => Self::default(),
            Some(Ok(journal)) if journal.phase == "undone" => Self::default(),
            Some(Ok(journal)) => Self { steps: journal.steps, is_unknown: false },
            Some(Err(_)) => Self { steps: Vec::new(), is_unknown: true },
        }
    }

    /// Why a backup must stay, if it must.
    #[must_use]
    pub(crate) fn reason(&self, backup: &Backup) -> Option<&'static str> {
        let is_safety = backup.kind() == Some(Kind::Safety);
        if self.is_unknown && is_safety {
            return Some("the journal of a restored bundle cannot be read");
        }
        let name = backup.name.to_string();
        let is_needed = |step: &Step| match (&step.safety, step.sequence_before) {
            _ if step.safety.as_deref() == Some(&name) => true,
            _ if step.backup.as_deref() == Some(&name) => step.state != "done",
            // Taken, and not yet noted.
            (None, Some(before)) if is_safety => backup
                .record()
                .is_some_and(|record| record.database == step.name && record.sequence > before),
            _ => false,
        };
        self.steps.iter().any(is_needed).then_some("`db-bundle restore --undo` needs it")
    }
}

/// The folders of all restores, the newest first.
fn folders(backups: &Path) -> Vec<PathBuf> {
    let Ok(folders) = fs_err::read_dir(backups.join(FOLDER)) else { return Vec::new() };
    let mut folders: Vec<_> = folders.flatten().map(|folder| folder.path()).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// The journal in a folder; `None` if there is none.
fn journal(folder: &Path) -> Option<serde_json::Result<Journal>> {
    let bytes = fs_err::read(folder.join(FILE)).ok()?;
    Some(serde_json::from_slice(&bytes))
}

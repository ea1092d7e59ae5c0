//! The record of what `init` changed: `uninit` undoes what is in it, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::additions::{self, Stripped};
use crate::files::{self, Change};
use crate::hunk::{self, Hunk};
use crate::toml_text;

/// Where the record is, relative to the root.
pub(crate) const PATH: &str = ".cargo/xtask-db-init.json";
const VERSION: u32 = 1;

/// The changes in the order in which they are made: cargo can read the project after each.
pub(crate) fn in_order(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(|change| rank(&change.path));
    changes
}

/// The package of tasks comes before the manifest that names it, and that before the alias.
fn rank(path: &str) -> u8 {
    match path {
        "Cargo.toml" => 1,
        path if path.starts_with(".cargo/") => 2,
        _ => 0,
    }
}

/// The nearest folder upwards in which `init` has left its record.
pub(crate) fn root_of(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join(PATH).is_file())
}

/// What was changed, by path.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    files: BTreeMap<String, Edit>,
}

/// What was done to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Edit {
    /// It was created with this text.
    Created(String),
    /// These lines of it were replaced, one edit after the other.
    Edited(Vec<Vec<Hunk>>),
}

/// What undoing the change of one file means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// This change leads back.
    Back(Back),
    /// Nothing of the edit is there: it was never made, or it has been undone.
    Absent,
    /// The lines of the edit have changed since; those of them that are gone.
    Changed(Vec<String>),
}

/// A change that leads back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Back {
    /// The change.
    pub(crate) change: Change,
    /// The lines that were added to the table of `init` since; they go with it.
    pub(crate) added: Vec<String>,
}

impl Record {
    /// Reads the record of a project; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a newer version wrote it.
    pub(crate) fn read(root: &Path) -> Result<Option<Self>> {
        let Some(text) = files::read(&root.join(PATH), PATH)? else { return Ok(None) };
        let record: Self =
            serde_json::from_str(&text).with_context(|| format!("could not read `{PATH}`"))?;
        ensure!(
            record.version == VERSION,
            "`{PATH}` was written by another version of this program"
        );
        Ok(Some(record))
    }

    /// Adds changes to it.
    pub(crate) fn add(&mut self, changes: &[Change]) {
        self.version = VERSION;
        for Change { path, before, after } in changes {
            let after = after.clone().unwrap_or_default();
            let Some(before) = before else {
                self.files.insert(path.clone(), Edit::Created(after));
                continue;
            };
            let hunks = hunk::hunks(before, &after);
            match self.files.get_mut(path) {
                Some(Edit::Edited(edits)) => edits.push(hunks),
                Some(Edit::Created(text)) => *text = after,
                None => drop(self.files.insert(path.clone(), Edit::Edited(vec![hunks]))),
            }
        }
    }

    /// Its text.
    ///
    /// # Errors
    ///
    /// If JSON cannot express it.
    pub(crate) fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// How each file is undone, in the order opposite to that of [`in_order`].
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub(crate) fn ways(&self, root: &Path) -> Result<Vec<(String, Way)>> {
        let way = |(path, edit): (&String, &Edit)| {
            let now = files::read(&root.join(path), path)?;
            Ok((path.clone(), edit.way(path, now)))
        };
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|(path, _)| std::cmp::Reverse(rank(path)));
        files.into_iter().map(way).collect()
    }
}

impl Edit {
    fn way(&self, path: &str, now: Option<String>) -> Way {
        match (self, now) {
            (Self::Created(_), None) => Way::Absent,
            (Self::Created(text), Some(now)) if *text == now => {
                let change = Change { path: path.to_owned(), before: Some(now), after: None };
                Way::Back(Back { change, added: Vec::new() })
            }
            (Self::Edited(edits), Some(now)) => match undone(path, &now, edits) {
                Some(back) => Way::Back(back),
                None if edits.iter().all(|hunks| hunk::is_absent(&now, hunks)) => Way::Absent,
                None => Way::Changed(self.gone_from(&now)),
            },
            (Self::Created(_), now) => Way::Changed(self.gone_from(&now.unwrap_or_default())),
            (Self::Edited(_), None) => Way::Changed(self.gone_from("")),
        }
    }

    /// The lines that were written and that a text does not have.
    fn gone_from(&self, now: &str) -> Vec<String> {
        let written: Vec<&str> = match self {
            Self::Created(text) => text.lines().collect(),
            Self::Edited(edits) => edits.iter().flatten().flat_map(Hunk::added).collect(),
        };
        let is_gone = |line: &&str| !line.is_empty() && !now.lines().any(|there| there == *line);
        written.into_iter().filter(is_gone).map(str::to_owned).collect()
    }
}

/// The file without the edits; `None` if their lines have changed, or if what follows them would
/// become a part of the table before them.
fn undone(path: &str, now: &str, edits: &[Vec<Hunk>]) -> Option<Back> {
    let Stripped { text, added } = additions::strip(now.to_owned(), edits);
    let step = |text: String, hunks: &Vec<Hunk>| hunk::reverted(&text, hunks);
    let after = edits.iter().rev().try_fold(text, step)?;
    let is_toml = Path::new(path).extension().is_some_and(|extension| extension == "toml");
    if is_toml && !toml_text::has_all_keys(now, &after) {
        return None;
    }
    let (before, after) = (Some(now.to_owned()), Some(after));
    Some(Back { change: Change { path: path.to_owned(), before, after }, added })
}

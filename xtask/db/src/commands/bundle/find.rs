//! Finds the bundle that a command means, and what opens it.

use std::path::PathBuf;

use anyhow::Result;

use crate::bundle::record::{self, Listed};
use crate::bundle::seal::Keys;
use crate::commands::bundle::KeyArgs;
use crate::console::refusal::Refusal;
use crate::host::project::Project;
use crate::host::session::Session;

impl KeyArgs {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// As [`Keys::read`].
    pub(super) fn read(&self, session: &Session) -> Result<Keys> {
        let absolute = |path: &PathBuf| session.folder().join(path);
        let (identity, passphrase) =
            (self.identity.as_ref().map(absolute), self.passphrase_file.as_ref().map(absolute));
        Keys::read(identity.as_deref(), passphrase.as_deref())
    }
}

/// Means the newest one.
const LATEST: &str = "latest";

/// The folders in which bundles are looked for.
pub(super) fn folders(project: &Project) -> Vec<PathBuf> {
    let mut folders = vec![project.backups.clone()];
    folders.extend(project.bundle.output.as_ref().map(|folder| project.root.join(folder)));
    folders.dedup();
    folders
}

/// All bundles, newest first.
///
/// # Errors
///
/// If a folder cannot be read.
pub(super) fn all(project: &Project) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    for folder in folders(project) {
        found.extend(record::list(&folder)?);
    }
    found.sort_by_key(|one| (std::cmp::Reverse(one.name.time), one.name.to_string()));
    Ok(found)
}

/// The bundle at a path, or of a name in one of the folders; the newest one for `latest` or without either.
///
/// # Errors
///
/// A refusal if there is none.
pub(super) fn one(session: &Session, project: &Project, file: Option<&PathBuf>) -> Result<PathBuf> {
    let Some(file) =
        file.filter(|file| file.as_os_str() != LATEST || session.folder().join(file).exists())
    else {
        let newest = all(project)?.into_iter().next();
        return newest.map(|one| one.path).ok_or_else(|| {
            Refusal::could_not(
                format!("there is no bundle in {}", project.dotted(&project.backups)),
                "create one with `cargo xtask db-bundle create`, or name its file",
            )
        });
    };
    let in_folders = folders(project).into_iter().map(|folder| folder.join(file));
    let candidates = std::iter::once(session.folder().join(file)).chain(in_folders);
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Refusal::could_not(
            format!("there is no bundle `{}`", file.display()),
            "`cargo xtask db-bundle list` shows those in the backups folder",
        )
    })
}

//! What is remembered of snapshots that a configured command made: only these commands know how to list them.
//!
//! Each is a small file in the backups folder, which is written before the snapshot is made and removed after it is:
//! so none is forgotten, whenever the program ends.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use crate::bundle::snapshots::name::Name;
use crate::files::publish::{self, Published};
use crate::files::stage::Stage;

/// The version of the files.
const VERSION: u32 = 1;
const END: &str = ".json";

#[derive(Serialize)]
struct Note<'a> {
    version: u32,
    name: String,
    made_by: &'a [String],
}

/// Remembers that a command is about to make a snapshot.
///
/// # Errors
///
/// If the folder cannot be written, or the snapshot is remembered already.
pub(super) fn add(folder: &Path, name: Name, made_by: &[String]) -> Result<()> {
    publish::create_folders(folder)?;
    let path = path(folder, name);
    let stage = Stage::create(folder, &name.to_string())?;
    let note = Note { version: VERSION, name: name.to_string(), made_by };
    stage.append(&serde_json::to_vec_pretty(&note)?)?;
    stage.sync()?;
    let published = stage.publish(&path)?;
    anyhow::ensure!(published == Published::Yes, "`{}` is there already", path.display());
    publish::sync_folder(folder)
}

/// Forgets a snapshot.
///
/// # Errors
///
/// If the folder cannot be written.
pub(super) fn forget(folder: &Path, name: Name) -> Result<()> {
    publish::remove(&path(folder, name))?;
    publish::sync_folder(folder)
}

/// The snapshots that are remembered, in no order.
///
/// # Errors
///
/// If the folder cannot be read; a missing one remembers none.
pub(super) fn list(folder: &Path) -> Result<Vec<Name>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for one in fs_err::read_dir(folder)? {
        let file = one?.file_name();
        let name = file.to_str().and_then(|file| file.strip_suffix(END));
        names.extend(name.and_then(Name::parse));
    }
    Ok(names)
}

/// The file that remembers a snapshot.
pub(super) fn path(folder: &Path, name: Name) -> PathBuf {
    folder.join(format!("{name}{END}"))
}

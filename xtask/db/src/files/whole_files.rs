//! Writes a small file, or a folder of copies, as a whole or not at all.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::files::publish::{Published, rename_without_replacing, sync_folder};
use crate::files::stage::{Stage, remove_stage, stage_name};

/// Writes a small file in one step, replacing an existing one of that name.
///
/// # Errors
///
/// If the disk is full or fails; the old content then stays.
pub(crate) fn replace_file(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        anyhow::bail!("`{}` is not a file", path.display());
    };
    let stage = Stage::create(folder, &name.to_string_lossy())?;
    stage.append(bytes)?;
    stage.file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    stage.sync()?;
    stage.replace(path)
}

/// Copies files into a new folder that appears under its final name only when all of them are on
/// the disk. `to` gets `-2`, `-3` … where its name is taken; returns the name it got.
///
/// # Errors
///
/// If a file cannot be read, or the disk is full or fails.
pub(crate) fn copy_into_folder(files: &[fs_err::File], to: &Path) -> Result<PathBuf> {
    let (Some(folder), Some(name)) = (to.parent(), to.file_name().and_then(|n| n.to_str())) else {
        anyhow::bail!("`{}` is not a name for a folder", to.display());
    };
    let stage = folder.join(stage_name(name));
    let copy = || -> Result<PathBuf> {
        std::fs::DirBuilder::new().mode(0o700).create(&stage)?;
        for mut file in files {
            let Some(name) = file.path().file_name() else { continue };
            let mut copy = fs_err::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(stage.join(name))?;
            io::copy(&mut file, &mut copy)?;
            copy.sync_all()?;
        }
        sync_folder(&stage)?;
        let mut ordinal = 1;
        loop {
            let suffix = if ordinal > 1 { format!("-{ordinal}") } else { String::new() };
            let published = folder.join(format!("{name}{suffix}"));
            if rename_without_replacing(&stage, &published)? == Published::Yes {
                sync_folder(folder)?;
                return Ok(published);
            }
            ordinal += 1;
        }
    };
    copy().inspect_err(|_| {
        // The stage stays, and the next command sweeps it.
        let _ = remove_stage(&stage);
    })
}

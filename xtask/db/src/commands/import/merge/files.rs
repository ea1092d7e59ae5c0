//! The files to merge: those that the user named, and all exports in a folder that the user named.

use std::ffi::OsStr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::machine_id::Machine;

/// A file that is to be merged.
pub(super) struct Named {
    /// Path of the file; `-` is stdin.
    pub(super) path: PathBuf,
    /// Whether it is not a file, but comes through a pipe.
    pub(super) is_piped: bool,
    /// Whether it is this machine's own shared file, found in a folder and not named by the user.
    pub(super) is_own: bool,
}

/// How the names of files end that are taken from a folder.
const EXPORTS: [&str; 3] = ["jsonl", "json", "sql"];

/// The files, those of a folder by their names.
///
/// # Errors
///
/// A refusal if none was named, one is missing, or a folder holds none.
pub(super) fn named(
    session: &mut Session,
    project: &Project,
    arguments: &[PathBuf],
) -> Result<Vec<Named>> {
    if arguments.is_empty() {
        return Err(Refusal::could_not(
            "there is nothing to merge",
            "name files or folders of exports, e.g. `cargo xtask db-import --merge shared`",
        ));
    }
    let mut files = Vec::new();
    for argument in arguments {
        if argument == Path::new("-") {
            files.push(Named { path: argument.clone(), is_piped: true, is_own: false });
            continue;
        }
        let path = session.folder().join(argument);
        if path.is_dir() && !path.join("export.json").is_file() {
            let own = Machine::known(session);
            let is_own = |path: &Path| own.as_ref().is_some_and(|own| own.shares(path));
            let found = of_folder(session, project, &path)?;
            files.extend(found.into_iter().map(|path| Named {
                is_own: is_own(&path),
                is_piped: false,
                path,
            }));
        } else if path.is_file() || path.is_dir() {
            files.push(Named { path, is_piped: false, is_own: false });
        } else if fs_err::metadata(&path).is_ok_and(|file| file.file_type().is_fifo()) {
            files.push(Named { path, is_piped: true, is_own: false });
        } else if path.exists() {
            return Err(Refusal::could_not(
                format!("`{}` is neither a file nor a folder", project.path(&path)),
                "write it into a file first; the database is untouched",
            ));
        } else {
            return Err(Refusal::could_not(
                format!("there is no file `{}`", project.path(&path)),
                "name a file or a folder of exports; the database is untouched",
            ));
        }
    }
    refuse_twice(&files)?;
    Ok(files)
}

/// A pipe is empty once it was read, and waits for ever.
fn refuse_twice(files: &[Named]) -> Result<()> {
    let piped = || files.iter().filter(|file| file.is_piped).map(|file| &file.path);
    let twice = piped().enumerate().find(|(at, path)| piped().skip(at + 1).any(|o| o == *path));
    let Some((_, path)) = twice else { return Ok(()) };
    Err(Refusal::could_not(
        format!(
            "`{}` is named twice, but can be read only once",
            text::plain(&path.to_string_lossy())
        ),
        "name each pipe once; the database is untouched",
    ))
}

/// The exports in a folder, in the order of their names. Hidden files are skipped, symbolic links
/// with a warning.
fn of_folder(session: &mut Session, project: &Project, folder: &Path) -> Result<Vec<PathBuf>> {
    let shown = project.path(folder);
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder).with_context(|| format!("could not read `{shown}`"))? {
        let entry = entry?;
        let path = entry.path();
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if is_hidden || !EXPORTS.contains(&ending.to_ascii_lowercase().as_str()) {
            continue;
        }
        if entry.file_type()?.is_file() {
            files.push(path);
        } else {
            let shown = project.path(&path);
            session.warn(format!("`{shown}` is not an ordinary file and is not merged"));
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Refusal::could_not(
            format!("`{shown}` contains no exports: no file in it ends in .jsonl, .json or .sql"),
            "create one with `cargo xtask db-export`; the database is untouched",
        ));
    }
    Ok(files)
}

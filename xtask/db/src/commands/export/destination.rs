//! The destination of an export, checked before anything is read: it replaces nothing but an earlier
//! export.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use xtask_db_format::NAME;

use crate::backups::name::Name;
use crate::console::refusal::Refusal;
use crate::files::sidecars;
use crate::host::project::{Database, Project};
use crate::host::session::Session;

/// The user's choice.
pub(super) struct Target<'a> {
    /// The path, or `-`.
    pub output: Option<&'a Path>,
    /// The file's name if no path was given.
    pub default_name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Whether an export in this format is known by its first bytes.
    pub is_marked: bool,
}

/// The destination of an export.
pub(super) enum Destination {
    /// Into the pipe.
    Stdout,
    /// Into a file or a folder.
    Path { path: PathBuf, is_folder: bool, naming: Naming },
}

/// How it gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// This one or none.
    Free,
    /// This one; the earlier export of that name goes.
    Replacing,
    /// This one; the earlier export of that name stays if its content is the same.
    Renewing,
    /// This one, or with `-2`, `-3` … if it is taken.
    Next,
}

impl Destination {
    /// Determines the destination, and refuses one that would do harm.
    ///
    /// # Errors
    ///
    /// A refusal if something else is there, or the path is one of a database.
    pub(super) fn of(session: &Session, project: &Project, target: &Target<'_>) -> Result<Self> {
        let Some(output) = target.output else {
            let path = session.folder().join(&target.default_name);
            return Ok(Self::Path { path, is_folder: target.is_folder, naming: Naming::Next });
        };
        if output == Path::new("-") {
            return Self::stdout(session, target);
        }
        let path = session.folder().join(output);
        let shown = project.path(&path);
        let folder = path.parent().filter(|folder| folder.is_dir());
        let (Some(folder), Some(name)) = (folder, path.file_name()) else {
            return Err(Refusal::could_not(
                format!("there is no folder for `{shown}`"),
                "create it, or choose another path",
            ));
        };
        // Another way to the same place must not hide what it is.
        let path = fs_err::canonicalize(folder)?.join(name);
        refuse_what_is_precious(project, &path, &shown)?;
        let naming = if fs_err::symlink_metadata(&path).is_err() {
            Naming::Free
        } else if target.is_marked && !target.is_folder && is_export(&path)? {
            Naming::Replacing
        } else {
            let why = if target.is_marked {
                "is not an export that can be replaced"
            } else {
                "CSV does not show whether it is an export that can be replaced"
            };
            return Err(Refusal::could_not(
                format!("`{shown}` already exists, and {why}"),
                "choose another path, or remove it first",
            ));
        };
        Ok(Self::Path { path, is_folder: target.is_folder, naming })
    }

    fn stdout(session: &Session, target: &Target<'_>) -> Result<Self> {
        if session.wants_json() {
            return Err(Refusal::could_not(
                "`--output -` and `--json` both write to stdout",
                "leave one of them out",
            ));
        }
        if target.is_folder {
            return Err(Refusal::could_not(
                "CSV has one file per table, and stdout is a single file",
                "choose one table with `--table`, or a folder with `--output`",
            ));
        }
        Ok(Self::Stdout)
    }

    /// The same, but an earlier export with the same content stays as it is.
    pub(super) fn renewing(mut self) -> Self {
        if let Self::Path { naming, .. } = &mut self
            && *naming == Naming::Replacing
        {
            *naming = Naming::Renewing;
        }
        self
    }

    /// Whether it is the pipe.
    pub(super) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout)
    }
}

/// Refuses the paths of databases and of SQLite's files beside them, and the names of backups, even
/// if nothing is there now.
fn refuse_what_is_precious(project: &Project, path: &Path, shown: &str) -> Result<()> {
    let mut files = project.databases.iter().filter_map(Database::file_if_any).flat_map(|path| {
        let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        sidecars::WITH_DATABASE.map(|suffix| sidecars::beside(&path, suffix))
    });
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.strip_suffix(".json").unwrap_or(name);
    let backups = fs_err::canonicalize(&project.backups).unwrap_or(project.backups.clone());
    let is_backup = path.parent() == Some(&backups) && Name::parse(name).is_some();
    if files.any(|file| file == path) || is_backup {
        return Err(Refusal::could_not(
            format!("`{shown}` is the name of a database or of a backup"),
            "choose another path",
        ));
    }
    Ok(())
}

/// Whether a file begins like an export; a symbolic link or a folder is not one.
fn is_export(path: &Path) -> Result<bool> {
    if !fs_err::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut start = Vec::new();
    fs_err::File::open(path)?.take(64).read_to_end(&mut start)?;
    let marks = [format!("{{\"format\":\"{NAME}\""), format!("-- {NAME}")];
    Ok(marks.iter().any(|mark| start.starts_with(mark.as_bytes())))
}

//! Where the database is: `DATABASE_PATH`, else `backend/db/kalito.db` in the
//! workspace that the current folder belongs to.
//!
//! The workspace is looked for at run time, upwards from the current folder, so
//! that a moved or copied program never writes into the place it was built in.

use std::ffi::OsString;
use std::fmt;
use std::path::{self, Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The folder of the database, inside the workspace.
const FOLDER: &str = "backend/db";
/// The database's file name.
const FILE: &str = "kalito.db";

/// The path of the database, and how messages show it.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    path: PathBuf,
    shown: String,
}

impl Location {
    /// Finds the database from the value of `DATABASE_PATH` and the current
    /// folder. The file itself need not exist.
    pub(crate) fn find(configured: Option<OsString>, folder: &Path) -> Result<Self> {
        let path = match configured.filter(|value| !value.is_empty()) {
            Some(value) => folder.join(value),
            None => in_workspace(folder)?,
        };
        // SQLite takes names such as `file:x` and `:memory:` for something else;
        // an absolute path is only ever a path.
        let path = path::absolute(&path)
            .with_context(|| format!("could not make `{}` absolute", path.display()))?;
        let shown = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        Ok(Self { path, shown })
    }

    /// The absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file name: all that a user knows of a copy on which a migration is rehearsed.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The database of the nearest workspace at or above `folder`.
fn in_workspace(folder: &Path) -> Result<PathBuf> {
    match folder.ancestors().map(|above| above.join(FOLDER)).find(|found| found.is_dir()) {
        Some(found) => Ok(found.join(FILE)),
        None => bail!(
            "no folder `{FOLDER}` at or above `{}`: run inside the workspace or set `DATABASE_PATH`",
            folder.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::path::Path;

    use super::Location;

    #[test]
    fn the_workspace_is_found_from_any_folder_in_it() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("xtask/db/src");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir_all(root.path().join("backend/db")).unwrap();

        let expected = root.path().join("backend/db/kalito.db");
        for folder in
            [root.path(), &deep, &root.path().join("backend"), &root.path().join("backend/db")]
        {
            assert_eq!(Location::find(None, folder).unwrap().path(), expected);
        }
    }

    #[test]
    fn the_variable_is_relative_to_the_current_folder() {
        let found = Location::find(Some("data/my.db".into()), Path::new("/srv/chat")).unwrap();
        assert_eq!(found.path(), Path::new("/srv/chat/data/my.db"));
        assert_eq!(found.to_string(), "data/my.db");

        let found = Location::find(Some("/var/my.db".into()), Path::new("/srv/chat")).unwrap();
        assert_eq!(found.to_string(), "/var/my.db");
    }

    #[test]
    fn names_with_a_meaning_to_sqlite_are_only_paths() {
        for name in ["file:x.db?mode=memory", ":memory:"] {
            let found = Location::find(Some(OsString::from(name)), Path::new("/srv")).unwrap();
            assert_eq!(found.path(), Path::new("/srv").join(name));
        }
    }

    #[test]
    fn outside_a_workspace_the_variable_is_asked_for() {
        let empty = tempfile::tempdir().unwrap();
        for unset in [None, Some(OsString::new())] {
            let error = Location::find(unset, empty.path()).unwrap_err().to_string();
            assert!(error.contains("set `DATABASE_PATH`"), "{error}");
        }
    }
}

//! Writes planned changes: each file in one step, and all or none of them unless the process is killed.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::files::{self, Change};
use crate::refusal::Refusal;

/// Makes the changes, in their order. If one fails, those before it are undone.
///
/// # Errors
///
/// If a file has changed since it was read, or cannot be written.
pub(crate) fn write(root: &Path, changes: &[Change]) -> Result<()> {
    for (n_done, change) in changes.iter().enumerate() {
        let Err(error) = make(root, change) else { continue };
        for done in changes[..n_done].iter().rev() {
            let back = Change {
                path: done.path.clone(),
                before: done.after.clone(),
                after: done.before.clone(),
            };
            make(root, &back)
                .with_context(|| format!("could not undo `{}`: `git diff` shows it", done.path))?;
        }
        return Err(
            error.context(format!("could not write `{}`; nothing was changed", change.path))
        );
    }
    Ok(())
}

fn make(root: &Path, change: &Change) -> Result<()> {
    let path = root.join(&change.path);
    if files::read(&path, &change.path)? != change.before {
        return Err(Refusal::error(
            format!("`{}` has changed in the meantime", change.path),
            "run this again",
        ));
    }
    match &change.after {
        Some(text) => replace(&path, text),
        None => remove(root, &path),
    }
}

/// Writes beside the file, then puts it in its place.
fn replace(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("could not create a file in `{}`", folder.display()))?;
    file.write_all(text.as_bytes())?;
    let permissions = match fs_err::metadata(path) {
        Ok(metadata) => metadata.permissions(),
        Err(_) => ordinary(folder)?,
    };
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// The permissions of a new file: a temporary file has none for others.
fn ordinary(folder: &Path) -> Result<std::fs::Permissions> {
    let probe = folder.join(format!(".xtask-db-{}", std::process::id()));
    let permissions = fs_err::File::create_new(&probe)?.metadata()?.permissions();
    fs_err::remove_file(&probe)?;
    Ok(permissions)
}

/// Removes a file, and the folders that are empty then.
fn remove(root: &Path, path: &Path) -> Result<()> {
    fs_err::remove_file(path)?;
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != root) {
        if fs_err::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> Change {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Change { path: path.to_owned(), before: owned(before), after: owned(after) }
    }

    #[test]
    fn a_failure_halfway_leaves_everything_as_it_was() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        fs_err::write(root.join("a"), "old\n")?;
        fs_err::write(root.join("z"), "edited meanwhile\n")?;
        let changes = [
            change("a", Some("old\n"), Some("new\n")),
            change("b/c/d", None, Some("new\n")),
            change("z", Some("as it was read\n"), Some("new\n")),
        ];
        let error = write(root, &changes).expect_err("`z` has changed");
        assert!(format!("{error:#}").contains("nothing was changed"), "{error:#}");
        assert_eq!(fs_err::read_to_string(root.join("a"))?, "old\n");
        assert_eq!(fs_err::read_to_string(root.join("z"))?, "edited meanwhile\n");
        assert!(!root.join("b").exists());
        Ok(())
    }

    #[test]
    fn a_file_keeps_its_permissions_and_a_new_one_has_ordinary_ones() -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        let mode = |name: &str| {
            Ok::<_, anyhow::Error>(fs_err::metadata(root.join(name))?.permissions().mode() & 0o777)
        };
        fs_err::write(root.join("a"), "old\n")?;
        let ordinary = mode("a")?;
        fs_err::set_permissions(root.join("a"), std::fs::Permissions::from_mode(0o640))?;
        write(root, &[change("a", Some("old\n"), Some("new\n")), change("b", None, Some("b"))])?;
        assert_eq!((mode("a")?, mode("b")?), (0o640, ordinary));
        Ok(())
    }
}

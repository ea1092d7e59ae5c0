//! The folder of one project's schedule on this machine: outside the project, so that nothing that happens to its files
//! or its build stops the backups.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::files::{publish, whole_files};
use crate::host::project::Project;

/// The folder of all schedules, in the user's state folder.
const SCHEDULES: &str = "schedule";
/// How many characters of the project's folder name are in the id.
const MAX_LETTERS: usize = 24;

/// The place of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    folder: PathBuf,
    id: String,
}

/// The lock that a run holds.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: fs_err::File,
}

impl Home {
    /// The place of a project's schedule, in the user's state folder. Each workspace and each worktree has its own.
    #[must_use]
    pub(crate) fn of(project: &Project, state: &Path) -> Self {
        Self::among(project, &state.join(SCHEDULES))
    }

    /// The place of a project among those of all projects.
    #[must_use]
    pub(crate) fn among(project: &Project, all: &Path) -> Self {
        let root = fs_err::canonicalize(&project.root).unwrap_or_else(|_| project.root.clone());
        let id = id(&root);
        Self { folder: all.join(&id), id }
    }

    /// The places of all schedules of this user.
    #[must_use]
    pub(crate) fn all(state: &Path) -> Vec<Self> {
        let folders = fs_err::read_dir(state.join(SCHEDULES)).into_iter().flatten().flatten();
        let mut homes: Vec<Self> = folders
            .filter_map(|folder| {
                let id = folder.file_name().into_string().ok()?;
                Some(Self { folder: folder.path(), id })
            })
            .collect();
        homes.sort_by(|one, other| one.id.cmp(&other.id));
        homes
    }

    /// The place to which a program was copied for the timer; `None` if it is another one.
    #[must_use]
    pub(crate) fn of_copy(program: &Path) -> Option<Self> {
        let folder = program.parent()?;
        let id = folder.file_name()?.to_str()?.to_owned();
        let is_one = folder.parent()?.file_name()? == SCHEDULES;
        is_one.then(|| Self { folder: folder.to_owned(), id })
    }

    /// The id of the project and worktree: letters, digits and dashes.
    #[must_use]
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The folder.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file in it.
    #[must_use]
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether anything was ever scheduled here.
    #[must_use]
    pub(crate) fn is_there(&self) -> bool {
        self.folder.is_dir()
    }

    /// Creates it.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn create(&self) -> Result<()> {
        publish::create_folders(&self.folder)
            .with_context(|| format!("could not create `{}`", self.folder.display()))
    }

    /// Removes it with all that is in it, and the folders above it that are empty by then.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn remove(&self) -> Result<()> {
        if self.is_there() {
            publish::remove_tree(&self.folder)?;
        }
        let above = self.folder.ancestors().skip(1).take(2).map(Path::to_owned);
        publish::remove_empty_folders(&above.collect::<Vec<_>>());
        Ok(())
    }

    /// Writes a file in it in one step, readable by its owner only.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        whole_files::replace_file(&self.file(name), bytes, 0o600)?;
        publish::sync_folder(&self.folder)
    }

    /// Takes the lock that only one run at a time has; `Err` with the words that the holder left if it is taken. `words`
    /// are what others read who want it.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn lock(&self, words: &str) -> Result<Result<Lock, String>> {
        let path = self.file("lock");
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path)?;
        match file.file().try_lock() {
            // The holder of before may have removed the folder since this file was opened.
            Ok(()) if !publish::is_still(&file, &path) => {
                Ok(Err("the schedule is being uninstalled".to_owned()))
            }
            Ok(()) => {
                file.set_len(0)?;
                (&file).write_all(words.as_bytes())?;
                Ok(Ok(Lock { _file: file }))
            }
            Err(std::fs::TryLockError::WouldBlock) => Ok(Err(read_words(&file))),
            Err(std::fs::TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("could not lock `{}`", path.display()))
            }
        }
    }

    /// What the run that has the lock left in it; `None` if no run has it. Nothing is created or locked for longer than
    /// this question takes.
    #[must_use]
    pub(crate) fn holder(&self) -> Option<String> {
        let file = fs_err::File::open(self.file("lock")).ok()?;
        match file.file().try_lock_shared() {
            Err(std::fs::TryLockError::WouldBlock) => Some(read_words(&file)),
            _ => None,
        }
    }
}

fn read_words(file: &fs_err::File) -> String {
    let mut words = String::new();
    let _ = file.take(1 << 10).read_to_string(&mut words);
    words
}

/// The name of the folder and eight digits of the hash of the whole path.
fn id(root: &Path) -> String {
    let name = root.file_name().unwrap_or_else(|| OsStr::new("root")).to_string_lossy();
    let letters = name.to_lowercase();
    let letters = letters.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let letters: String = letters.take(MAX_LETTERS).collect();
    let letters = match letters.trim_matches('-') {
        "" => "project",
        letters => letters,
    };
    let hash = blake3::hash(root.as_os_str().as_bytes()).to_hex();
    format!("{letters}-{}", &hash[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_one_folder_and_is_fit_for_the_name_of_a_unit() {
        let ids = ["/a/app", "/b/app", "/a/App", "/a/käse & \"100 %\" $HOME", "/a/---", "/"]
            .map(|path| id(Path::new(path)));
        for (i, one) in ids.iter().enumerate() {
            let is_fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(one.chars().all(is_fit) && one.len() <= MAX_LETTERS + 9, "{one}");
            assert!(!ids[i + 1..].contains(one), "{one} twice");
        }
        assert!(ids[0].starts_with("app-"), "{ids:?}");
        assert!(ids[3].starts_with("k-se----100-----home-"), "{ids:?}");
        assert!(ids[4].starts_with("project-") && ids[5].starts_with("root-"), "{ids:?}");
    }

    #[test]
    fn one_run_has_the_lock_and_others_read_who_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home { folder: folder.path().join("a/b"), id: "b".to_owned() };
        assert_eq!(home.holder(), None);
        home.create().expect("created");
        let lock = home.lock("one").expect("a file").expect("free");
        assert_eq!(home.lock("two").expect("a file").expect_err("taken"), "one");
        assert_eq!(home.holder().as_deref(), Some("one"));
        drop(lock);
        assert_eq!(home.holder(), None);
        drop(home.lock("three, which is longer").expect("a file").expect("free"));
        let _lock = home.lock("four").expect("a file").expect("free");
        assert_eq!(home.holder().as_deref(), Some("four"));
        home.write("x", b"y").expect("written");
        home.remove().expect("removed");
        assert!(
            !folder.path().exists()
                || fs_err::read_dir(folder.path()).expect("a folder").next().is_none()
        );
    }
}

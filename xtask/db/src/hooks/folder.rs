//! The folder of hooks: the state of each hook, and changes to them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Removed, body, insert, remove};
use crate::files::{publish, whole_files};
use crate::git::repository::Place;
use crate::hooks::block::{Settings, block};
use crate::hooks::hook::Hook;

/// The folder in which git looks for hooks.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Path of the project in the repository, which distinguishes its blocks from another
    /// project's.
    owner: String,
    /// Whether linked work trees, whose configuration may be another, share the hooks.
    is_shared: bool,
    /// Why nothing is written there, whatever is in it.
    foreign: Option<String>,
}

/// State of one hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// Our block is there and up to date.
    Installed,
    /// Our block is there, with older settings.
    Stale,
    /// Our block is there, but git does not run the file: it is not executable.
    NotExecutable,
    /// There is no block, and it can be put in.
    Missing,
    /// There is no block, and the file is left alone; why.
    Foreign(String),
}

/// How many of the hooks have our block, as it ought to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Installed {
    /// All of them.
    All,
    /// Some, or all of them with older settings.
    Partly,
    /// None has a block.
    Nothing,
}

impl Folder {
    /// The folder that git uses for a work tree.
    #[must_use]
    pub(crate) fn of(place: &Place, root: &Path) -> Self {
        let path = place.hooks();
        let absolute = |path: &Path| fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let foreign = if absolute(&path).starts_with(absolute(&place.common)) {
            None
        } else if path.ends_with(".husky/_") || path.ends_with(".husky") {
            Some("husky owns the hooks of this repository".to_owned())
        } else {
            Some(format!(
                "`core.hooksPath` points to `{}`, which is not this repository's own folder",
                path.display()
            ))
        };
        Self { path, foreign, ..Self::own(place, root) }
    }

    /// The repository's own folder, which git uses unless `core.hooksPath` leads elsewhere.
    #[must_use]
    pub(crate) fn own(place: &Place, root: &Path) -> Self {
        let mut linked = fs_err::read_dir(place.common.join("worktrees")).into_iter().flatten();
        Self {
            path: place.common.join("hooks"),
            owner: place.prefix(root),
            is_shared: linked.next().is_some(),
            foreign: None,
        }
    }

    /// The path of the folder.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Why nothing is written there.
    #[must_use]
    pub(crate) fn foreign(&self) -> Option<&str> {
        self.foreign.as_deref()
    }

    /// The file of a hook in which the user may have put the block: husky runs those in `.husky`.
    #[must_use]
    pub(crate) fn file(&self, hook: Hook) -> PathBuf {
        if self.foreign.is_some() && self.path.ends_with(".husky/_") {
            return self.path.with_file_name(hook.word());
        }
        self.path.join(hook.word())
    }

    /// Reads the state of a hook.
    #[must_use]
    pub(crate) fn look(&self, hook: Hook, settings: &Settings) -> Look {
        let path = self.file(hook);
        let there = fs_err::read(&path).ok();
        if let Some(found) = there.as_deref().and_then(|there| body(there, &self.owner)) {
            return match fs_err::metadata(&path) {
                Ok(file) if file.permissions().mode() & 0o100 == 0 && self.foreign.is_none() => {
                    Look::NotExecutable
                }
                _ if without_paths(found)
                    == without_paths(&block(hook, &self.shared(settings, Some(found)))) =>
                {
                    Look::Installed
                }
                _ => Look::Stale,
            };
        }
        // The framework `pre-commit` keeps what it found and runs it first.
        let legacy = fs_err::read(path.with_extension("legacy")).unwrap_or_default();
        if body(&legacy, &self.owner).is_some() {
            return Look::Installed;
        }
        if let Some(why) = &self.foreign {
            return Look::Foreign(why.clone());
        }
        if let Ok(metadata) = fs_err::symlink_metadata(&path) {
            if metadata.is_symlink() {
                return Look::Foreign("it is a symbolic link".to_owned());
            }
            if !metadata.is_file() {
                return Look::Foreign("it is not a file".to_owned());
            }
            if metadata.permissions().mode() & 0o100 == 0 {
                return Look::Foreign(
                    "git does not run it, because it is not executable".to_owned(),
                );
            }
        }
        match insert(there.as_deref(), &self.owner, "") {
            Ok(_) => Look::Missing,
            Err(why) => Look::Foreign(why.to_owned()),
        }
    }

    /// How many of the hooks are installed.
    #[must_use]
    pub(crate) fn installed(&self, settings: &Settings) -> Installed {
        let looks = Hook::ALL.map(|hook| self.look(hook, settings));
        let has_none = |look: &Look| matches!(look, Look::Missing | Look::Foreign(_));
        if looks.iter().all(|look| *look == Look::Installed) {
            Installed::All
        } else if looks.iter().all(has_none) {
            Installed::Nothing
        } else {
            Installed::Partly
        }
    }

    /// The hooks that have a block of ours.
    fn with_block(&self) -> Vec<Hook> {
        let has_block = |hook: &Hook| {
            let path = self.path.join(hook.word());
            // The target of a symbolic link is not ours.
            fs_err::symlink_metadata(&path).is_ok_and(|file| file.is_file())
                && fs_err::read(&path).is_ok_and(|text| body(&text, &self.owner).is_some())
        };
        Hook::ALL.into_iter().filter(has_block).collect()
    }

    /// Puts the block into a hook, or renews it there.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn install(&self, hook: Hook, settings: &Settings) -> Result<()> {
        let path = self.file(hook);
        publish::create_folders(&self.path)?;
        let there = fs_err::read(&path).ok();
        let found = there.as_deref().and_then(|there| body(there, &self.owner));
        let settings = self.shared(settings, found);
        match insert(there.as_deref(), &self.owner, &block(hook, &settings)) {
            Ok(text) => write(&path, &text),
            Err(why) => anyhow::bail!("`{}` is left alone: {why}", path.display()),
        }
    }

    /// The settings of a block: if linked worktrees share it, the paths that it already looks for
    /// stay, because the configuration there may be another. One path too many only starts the
    /// binary.
    fn shared(&self, settings: &Settings, found: Option<&str>) -> Settings {
        let mut settings = settings.clone();
        if let Some(found) = found.filter(|_| self.is_shared) {
            let others = crate::hooks::block::pathspecs_of(found);
            let new: Vec<String> =
                others.into_iter().filter(|spec| !settings.pathspecs.contains(spec)).collect();
            settings.pathspecs.extend(new);
            settings.pathspecs.sort();
        }
        settings
    }

    /// Takes the block out of a hook; whether there was one. The framework `pre-commit` may have moved
    /// the file.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn uninstall(&self, hook: Hook) -> Result<bool> {
        let path = self.path.join(hook.word());
        let there = self.take_out(&path)?;
        let moved = self.take_out(&path.with_extension("legacy"))?;
        Ok(there || moved)
    }

    fn take_out(&self, path: &Path) -> Result<bool> {
        let is_ours = self.foreign.is_none()
            && fs_err::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
        if !is_ours {
            return Ok(false);
        }
        match remove(&fs_err::read(path)?, &self.owner) {
            Removed::Nothing => return Ok(false),
            Removed::File => publish::remove(path)?,
            Removed::Text(text) => write(path, &text)?,
        }
        Ok(true)
    }
}

/// Replaces a hook in one step, its mode kept.
fn write(path: &Path, text: &[u8]) -> Result<()> {
    let mode = fs_err::metadata(path).map_or(0o755, |file| file.permissions().mode() & 0o7777);
    whole_files::replace_file(path, text, mode)
}

/// Renews the blocks that are in the repository's own folder already, if the configuration is
/// another by now. Returns whether any was.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn refresh(
    place: &Place,
    root: &Path,
    settings: impl FnOnce() -> Settings,
) -> Result<bool> {
    let usual = Folder::own(place, root);
    let is_link = fs_err::symlink_metadata(&usual.path).is_ok_and(|folder| folder.is_symlink());
    // Git is queried for another folder only if the usual one contains nothing of ours.
    let ask = is_link || usual.with_block().is_empty();
    let folder = if ask { Folder::of(place, root) } else { usual };
    let there = folder.with_block();
    if there.is_empty() || folder.foreign.is_some() {
        return Ok(false);
    }
    let settings = settings();
    let mut any = false;
    for hook in there {
        if folder.look(hook, &settings) == Look::Stale {
            folder.install(hook, &settings)?;
            any = true;
        }
    }
    Ok(any)
}

/// A block without the lines that contain the paths of programs: another build of the same is not a reason
/// to write the hook again.
fn without_paths(body: &str) -> Vec<&str> {
    let is_path = |line: &&str| line.starts_with("  for xtask in ") || line.starts_with("  PATH=");
    body.lines().filter(|line| !is_path(line)).collect()
}

//! Whether a backups folder may be made private: hidden from other users and from git.
//!
//! A folder is ours if we created it, or if it is the one inside the workspace and contains only
//! files of ours. Such a folder gets mode 0700 and a `.gitignore`. Any other folder is left as it
//! is; inside a repository it gets its first backup only if git ignores it.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Result;

use crate::backups::name::Name;
use crate::backups::place::{IGNORE, Standing};
use crate::backups::store::{pack_folder, pack_readings};
use crate::backups::vault::{BUNDLE_RESTORES, BUNDLE_SNAPSHOTS, LOCK, NOTES, Vault};
use crate::backups::writer::Locked;
use crate::console::text;
use crate::files::{publish, stage};

const IGNORE_ALL: &str = "*\n";

impl Vault {
    /// Whether the folder is ours.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn standing(&self) -> Result<Standing> {
        let mut ours = self.place().is_some_and(|place| place.inside);
        if ours {
            self.each_name(|name| {
                ours = ours && self.is_of_ours(&name);
                Ok(())
            })?;
        }
        Ok(if ours { Standing::Ours } else { Standing::Others })
    }

    /// Creates the folder if it is missing; refuses one in which backups do not belong. Nothing is
    /// written into a folder that is refused.
    ///
    /// # Errors
    ///
    /// A refusal, or if the folder cannot be created or read.
    pub(crate) fn make_folder(&self) -> Result<Standing> {
        let folder = self.folder();
        if let Some(place) = self.place() {
            place.demand_apart(folder)?;
        }
        if !folder.is_dir() {
            publish::create_folders(folder)?;
            fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
            if self.place().is_some() {
                self.ignore_all()?;
            }
            return Ok(Standing::Ours);
        }
        let Some(place) = self.place() else { return Ok(Standing::Others) };
        let standing = self.standing()?;
        let gets_ignore = standing == Standing::Ours && !has_ignore(folder);
        // Somebody allowed the backups that are there already; `db-status` reports whether git
        // tracks them.
        if !gets_ignore && !ignores_all(folder) && self.backups()?.is_empty() {
            place.demand_ignored(folder)?;
        }
        Ok(standing)
    }

    fn ignore_all(&self) -> Result<()> {
        if !has_ignore(self.folder()) {
            fs_err::write(self.folder().join(IGNORE), IGNORE_ALL)?;
        }
        Ok(())
    }

    /// Whether a name in the folder is the name of a file that xtask-db creates.
    fn is_of_ours(&self, name: &str) -> bool {
        let record = || name.strip_suffix(".json").and_then(Name::parse);
        let aside = || name.contains(".ASIDE.") && self.folder().join(name).is_dir();
        let folders = [pack_folder::FOLDER, NOTES, BUNDLE_RESTORES, BUNDLE_SNAPSHOTS];
        [IGNORE, LOCK, pack_readings::FILE].contains(&name)
            || folders.contains(&name)
            || is_bundle(name)
            || stage::is_stage(name)
            || Name::parse(name).or_else(record).is_some()
            || aside()
    }
}

impl Locked<'_> {
    /// Makes a folder of ours private: its `.gitignore` keeps git from tracking it, and its mode
    /// keeps others from reading it, which a clone would let them do. A folder that already existed
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn keep_private(&self) -> Result<()> {
        if self.standing() == Standing::Others {
            return Ok(());
        }
        let vault = self.vault();
        vault.ignore_all()?;
        let metadata = fs_err::metadata(vault.folder())?;
        let is_owner = metadata.uid() == rustix::process::geteuid().as_raw();
        if is_owner && metadata.permissions().mode() & 0o077 != 0 {
            let owner_only = std::fs::Permissions::from_mode(0o700);
            fs_err::set_permissions(vault.folder(), owner_only)?;
        }
        Ok(())
    }
}

/// Reports a folder that is not ours and that others may enter, with the command that closes it;
/// `None` if they may not.
#[must_use]
pub(crate) fn open_to_others(vault: &Vault, root: &Path) -> Option<Open> {
    let mode = fs_err::metadata(vault.folder()).ok()?.permissions().mode() & 0o7777;
    let is_open = mode & 0o077 != 0;
    if !is_open || vault.standing().ok()? == Standing::Ours {
        return None;
    }
    let folder = text::dotted(vault.folder(), root);
    Some(Open {
        what: format!(
            "other users can enter the backups folder {folder} (mode {mode:04o}); it already \
             existed, so its permissions were left alone"
        ),
        remedy: format!("chmod go= {}", text::shell(&folder)),
    })
}

/// A folder that others may enter.
#[derive(Debug)]
pub(crate) struct Open {
    /// The problem: who can enter the folder.
    pub(crate) what: String,
    /// The command that closes it.
    pub(crate) remedy: String,
}

/// Whether a name is that of a bundle or of its record; their times are written as in the names of backups.
fn is_bundle(name: &str) -> bool {
    let name = name.strip_suffix(".json").unwrap_or(name);
    let name = name.strip_suffix(".age").unwrap_or(name);
    name.strip_suffix(".tar.zst").is_some_and(|name| Name::parse(&format!("{name}.bak")).is_some())
}

fn has_ignore(folder: &Path) -> bool {
    fs_err::symlink_metadata(folder.join(IGNORE)).is_ok()
}

/// Whether a folder's own `.gitignore` leaves nothing to git but itself: then git need not be asked.
fn ignores_all(folder: &Path) -> bool {
    let text = fs_err::read_to_string(folder.join(IGNORE)).unwrap_or_default();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next() == Some("*") && lines.all(|line| line == "!.gitignore" || line.starts_with('#'))
}

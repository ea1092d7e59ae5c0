//! A restore of a bundle that was interrupted: every command reports it, also one that was built without bundles.

use std::path::Path;

use serde::Deserialize;

use crate::backups::vault;
use crate::console::text;

/// The folder in the backups folder in which restores of bundles keep what they need, each in a folder of its own.
pub(crate) const FOLDER: &str = vault::BUNDLE_RESTORES;
/// The file in it that has how far the restore is.
pub(crate) const FILE: &str = "journal.json";

#[derive(Deserialize)]
struct Journal {
    bundle: String,
    phase: String,
}

/// What is left of a restore that is neither done nor undone, as a warning.
#[must_use]
pub(crate) fn left(backups: &Path) -> Option<String> {
    let folders = fs_err::read_dir(backups.join(FOLDER)).ok()?;
    for folder in folders.flatten() {
        let Ok(bytes) = fs_err::read(folder.path().join(FILE)) else { continue };
        let journal = serde_json::from_slice::<Journal>(&bytes);
        let (bundle, is_over) = match &journal {
            Ok(Journal { bundle, phase }) => {
                (text::plain(bundle), matches!(&**phase, "staging" | "done" | "undone"))
            }
            Err(_) => ("a bundle".into(), false),
        };
        if !is_over {
            return Some(format!(
                "a restore of {bundle} was interrupted: continue it with `cargo xtask db-bundle restore --resume`, or \
                 undo it with `--undo`"
            ));
        }
    }
    None
}

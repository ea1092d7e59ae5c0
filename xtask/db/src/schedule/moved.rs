//! A workspace that was moved: its schedule is the one of a folder that is gone, and the timer calls nothing.

use std::path::{Path, PathBuf};

use crate::host::project::Project;
use crate::schedule::home::Home;
use crate::schedule::state::State;

/// The schedule that a workspace had at another place.
pub(crate) struct Moved {
    /// Its place.
    pub(crate) home: Home,
    /// Where the workspace was.
    pub(crate) root: PathBuf,
}

/// The schedule of the folder from which a workspace was moved: of a folder that is gone, and with a backup that is here.
#[must_use]
pub(crate) fn find(project: &Project, state: &Path) -> Option<Moved> {
    Home::all(state).into_iter().find_map(|home| {
        let state = State::read(&home).ok().flatten()?;
        let root = PathBuf::from(&state.root);
        let is_readable = !state.root.contains(char::REPLACEMENT_CHARACTER);
        let is_gone = root.is_absolute() && is_readable && !root.exists();
        let is_ours =
            || state.databases.values().any(|seen| project.backups.join(&seen.backup).exists());
        (is_gone && is_ours()).then_some(Moved { home, root })
    })
}

//! The branch whose data the database holds, as far as the hooks have seen.

use anyhow::Result;

use crate::files::publish;
use crate::git::repository::Place;

/// The file in git's own folder that remembers the branch seen last.
const LAST_SEEN: &str = "xtask-db-branch";

/// The branch that was remembered; empty for a detached HEAD.
#[must_use]
pub(crate) fn last_seen(place: &Place) -> Option<String> {
    fs_err::read_to_string(place.own.join(LAST_SEEN)).ok()
}

/// Remembers the branch that is checked out, for the next switch.
///
/// # Errors
///
/// Where the file system refuses.
pub(crate) fn remember(place: &Place, branch: Option<&str>) -> Result<()> {
    publish::replace_file(&place.own.join(LAST_SEEN), branch.unwrap_or("").as_bytes(), 0o644)
}

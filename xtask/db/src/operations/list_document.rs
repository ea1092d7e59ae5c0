//! Backups in `--json` lists, and the details of one.

use serde::Serialize;

use crate::backups::backup::Backup;
use crate::backups::home::Whose;
use crate::backups::kind::Kind;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::json_stream::VERSION;

/// Output of `--json` for some backups.
#[derive(Serialize)]
pub(crate) struct Document<T> {
    version: u32,
    backups: Vec<T>,
}

impl<T> Document<T> {
    /// Lists these backups.
    #[must_use]
    pub(crate) fn of(backups: Vec<T>) -> Self {
        Self { version: VERSION, backups }
    }
}

/// Kind, branch@commit, label, pinned and other facts.
pub(crate) fn details(
    project: &Project,
    backup: &Backup,
    now: chrono::DateTime<chrono::FixedOffset>,
) -> String {
    let mut parts = vec![backup.kind().map_or("no record", Kind::word).to_owned()];
    if backup.name.format.is_stored() && backup.summary().is_some() {
        parts.push(match backup.new_bytes() {
            0 => "nothing new".to_owned(),
            new_bytes => format!("{} new", text::size(new_bytes)),
        });
    }
    if backup.is_pinned() {
        parts.push("pinned".to_owned());
    }
    if backup.is_from_the_future(now) {
        parts.push("dated in the future".to_owned());
    }
    match &backup.whose {
        Whose::Ours => {}
        Whose::Moved(path) => parts.push(format!("moved from {path}")),
        Whose::Others(path) => parts.push(format!("of {path}")),
        Whose::Unproven => parts.push("perhaps another project's".to_owned()),
    }
    if backup.worktree() != project.worktree() {
        parts.push(match backup.worktree() {
            "." => "main worktree".to_owned(),
            linked => format!("worktree {linked}"),
        });
    }
    parts.extend(backup.branch_at_commit());
    parts.extend(backup.label().map(|label| format!("\"{label}\"")));
    text::plain(&parts.join("  "))
}

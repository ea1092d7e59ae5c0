//! Whether the newest good backup is too old, by the `--max-age` of `db-status`.

use crate::backups::backup::{Backup, State};
use crate::backups::kind::Kind;
use crate::console::text::{self, Span};
use crate::health::checkup::Checkup;
use crate::health::problem::Problem;

impl Checkup<'_> {
    /// The newest backup that could be relied upon is older than the user wants it to be.
    pub(super) fn too_old(&self, span: Span) -> Option<Problem> {
        let is_good = |backup: &&Backup| {
            backup.worktree() == self.project.worktree()
                && backup.kind() != Some(Kind::Safety)
                && backup.state() != State::Damaged
                && !backup.is_from_the_future(self.now)
        };
        // If there is none at all, that is reported already.
        self.last()?;
        let since = span.before(self.now)?;
        let what = match self.backups.iter().copied().find(is_good) {
            Some(good) if good.created_at >= since => return None,
            Some(good) => {
                let age = text::age(good.age(self.now));
                format!("the last backup, `{}`, is {age} old, more than {span}", good.name)
            }
            None => "no backup is whole and has a plausible date".to_owned(),
        };
        Some(Problem::new("too-old", what, self.command("db-backup")))
    }
}

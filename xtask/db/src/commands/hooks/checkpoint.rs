//! The checkpoints that hooks take.

use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::capture::checkpoint;
use crate::capture::request::{Capture, Look, Taken, Wanted};
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::git::recorded::{Enters, Git};
use crate::git::repository::Place;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::operations::retain;
use crate::sqlite::probe::{self, Standing};

/// A checkpoint that a hook wants.
pub(super) struct Due<'a> {
    /// Database to back up.
    pub(super) database: &'a Database,
    /// The schema files whose change it is taken for.
    pub(super) paths: Vec<String>,
    /// The branch whose branch point it is.
    pub(super) enters: Option<Enters>,
}

/// Result of taking a checkpoint.
#[derive(Default)]
pub(super) struct Outcome {
    /// The checkpoints.
    pub(super) taken: Vec<Backup>,
    /// All backups when the last of them was taken, newest first.
    pub(super) listed: Arc<Vec<Backup>>,
    /// Why the last one that failed did.
    pub(super) failure: Option<anyhow::Error>,
}

impl Outcome {
    /// The same, if none failed.
    ///
    /// # Errors
    ///
    /// The failure.
    pub(super) fn whole(mut self) -> Result<Self> {
        self.failure.take().map_or(Ok(self), Err)
    }
}

/// The checkpoints of one run of a hook.
pub(super) struct Run<'a> {
    /// Why they are taken.
    pub(super) kind: Kind,
    /// The state of the work tree that their records get.
    pub(super) git: Option<Git>,
    /// Checkpoints that are due.
    pub(super) due: Vec<Due<'a>>,
}

/// Takes the checkpoints that are due, each even if others failed.
///
/// # Errors
///
/// If the backups folder stays locked or cannot be written, or at the user's interrupt.
pub(super) fn take(session: &mut Session, project: &Project, run: Run<'_>) -> Result<Outcome> {
    if run.due.is_empty() {
        return Ok(Outcome::default());
    }
    let vault = Vault::of(project, session.now());
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    take_in(session, project, &locked, run)
}

/// The same in a backups folder that the caller has locked.
///
/// # Errors
///
/// If the backups folder cannot be written, or at the user's interrupt.
pub(super) fn take_in(
    session: &mut Session,
    project: &Project,
    locked: &Locked<'_>,
    run: Run<'_>,
) -> Result<Outcome> {
    let Run { kind, git, due } = run;
    let mut outcome = Outcome::default();
    locked.keep_private()?;
    for due in due {
        let database = due.database;
        let wanted = Wanted {
            git: git.clone(),
            enters: due.enters,
            paths: due.paths,
            look: Look::at(kind, project.follow_branches),
            format: project.format(kind),
            ..Wanted::new(database, kind, session.now())
        };
        match one(session, project, locked, &wanted) {
            Ok(Some(backup)) => {
                outcome.taken.push(backup);
                outcome.listed = locked.backups()?;
            }
            Ok(None) => {}
            Err(error) => {
                session.interrupt().check()?;
                if let Some(earlier) = outcome.failure.replace(error) {
                    session.warn(format!("{earlier:#}"));
                }
            }
        }
        retain::prune_automatic(session, project, locked, database)?;
    }
    Ok(outcome)
}

/// Takes one; `None` if there is no database, which has nothing to lose: that is reported.
fn one(
    session: &mut Session,
    project: &Project,
    locked: &Locked<'_>,
    wanted: &Wanted<'_>,
) -> Result<Option<Backup>> {
    let database = wanted.database;
    let place = project.quoted_place(database);
    let is_missing = |file| -> Result<bool> { Ok(probe::look(file)? == Standing::Missing) };
    if database.file_if_any().map(is_missing).transpose()? == Some(true) {
        session.note(format!("xtask-db: no checkpoint, because there is no database at {place}"));
        return Ok(None);
    }
    let interrupt = session.interrupt().clone();
    let capture = Capture { locked, project, wanted };
    let (newest, remark) = checkpoint::newest_whole(capture, &interrupt)?;
    if let Some(remark) = remark {
        session.warn(remark);
    }
    let mut progress = session.progress("Copying");
    let checkpoint = checkpoint::take(capture, newest.as_ref(), &mut progress);
    drop(progress);
    let backup = match checkpoint.with_context(|| format!("could not copy {place}"))? {
        Taken::Backup(backup, ..) | Taken::Linked(backup, _) => *backup,
        Taken::Unchanged => anyhow::bail!("a checkpoint is taken unconditionally"),
        Taken::Damaged(findings) => {
            let first = findings.first().map(ToString::to_string).unwrap_or_default();
            return Err(Refusal::no(
                format!("{place} is structurally damaged: {first}"),
                "`cargo xtask db-backup --damaged` keeps its raw files; `cargo xtask db-restore` \
                 restores an older backup",
            ));
        }
    };
    let size = text::size(backup.size_bytes);
    let of = if project.databases.len() > 1 {
        format!("of {}: ", project.called(database))
    } else {
        String::new()
    };
    session.note(format!("xtask-db: checkpoint {of}{} ({size})", backup.name));
    Ok(Some(backup))
}

/// Pathspecs of a database's schema files.
pub(super) fn pathspecs(project: &Project, place: &Place, database: &Database) -> Vec<String> {
    database.schema.iter().map(|pattern| place.pathspec(&project.root, pattern)).collect()
}

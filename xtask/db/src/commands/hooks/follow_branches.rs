//! Switches the database when a branch is entered that had a state before, or reports that state.

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::branches::branch_point;
use crate::capture::link;
use crate::capture::request::{Capture, Wanted};
use crate::commands::hooks::checkpoint;
use crate::commands::hooks::switch::Switch;
use crate::console::text;
use crate::git::branch::Branch;
use crate::git::repository::Place;
use crate::host::project::{Database, FollowBranches, Project};
use crate::host::session::Session;
use crate::operations::restore::safety_backup::{self, Kept};
use crate::operations::restore::{derived_data, in_place, state_left};
use crate::recovery::database_lock::Claim;
use crate::recovery::note::Step;

/// The return of a database to a branch on which it had a state before.
pub(super) struct Return<'a> {
    /// The host.
    pub(super) project: &'a Project,
    /// Its work tree.
    pub(super) place: &'a Place,
    /// Its database.
    pub(super) database: &'a Database,
    /// The checkout.
    pub(super) switch: &'a Switch,
    /// The checkpoint just taken.
    pub(super) here: &'a Backup,
    /// The last state on the entered branch.
    pub(super) before: &'a Backup,
}

impl Return<'_> {
    /// Reports the state that the database had on the entered branch, or switches to it if that is
    /// configured.
    ///
    /// # Errors
    ///
    /// If the switch failed; the message names the state that is in place.
    pub(super) fn follow(&self, session: &mut Session) -> Result<()> {
        let Self { project, place, database, switch, here, before } = *self;
        let branch = switch.entered.as_ref().map_or("", |branch| branch.name.as_str());
        let branch = text::plain(branch);
        let called = project.called(database);
        let content = |backup: &Backup| backup.record().map(|record| record.content_blake3.clone());
        if content(here) == content(before) {
            session.note(format!("xtask-db: {called} is as it was on `{branch}`"));
            return Ok(());
        }
        let wanted = match project.follow_branches {
            FollowBranches::Never => false,
            FollowBranches::Always => true,
            FollowBranches::Schema => {
                let specs = checkpoint::pathspecs(project, place, database);
                let changed = place.changed(&switch.commits.0, &switch.commits.1, &specs);
                changed.is_some_and(|paths| !paths.is_empty())
            }
        };
        let age = text::age(before.age(session.now()));
        let name = text::shell(&before.name.to_string());
        if switch.unseen {
            let left = text::plain(switch.left.as_deref().unwrap_or("a detached HEAD"));
            let other = if left == branch {
                String::new()
            } else {
                format!(
                    "; on `{branch}` it was different {age} ago: `cargo xtask db-restore {name}`"
                )
            };
            session.note(format!(
                "xtask-db: an earlier switch between branches was not seen: {called} still belongs to \
             `{left}`, and stays as it is{other}"
            ));
            return Ok(());
        }
        if !wanted || database.protected {
            let why = if wanted { " (it is protected, so it was not switched)" } else { "" };
            session.note(format!(
                "xtask-db: {called} stays as it is{why}; on `{branch}` it was different {age} ago: \
             `cargo xtask db-restore {name}`"
            ));
            return Ok(());
        }
        if let Some(entered) = &switch.entered
            && !branch_point::is_what_was_left(entered, before)
        {
            say_that_it_is_gone(session, &called, entered, Some(before));
            return Ok(());
        }
        let could_not = || format!("could not switch {called} to its state on `{branch}`");
        let interrupt = session.interrupt().clone();
        let claim =
            Claim::take_settled(project, database, "db-hooks run post-checkout", &interrupt)
                .with_context(could_not)?;
        let vault = Vault::of(project, session.now());
        let locked = vault.lock(project.busy_timeout, &interrupt)?;
        claim.begin(&locked, Step::Write, Some(here), session.now())?;
        let restored = in_place::put_checkpoint_in_place(session, &claim, &locked, before)
            .inspect_err(|error| {
                if state_left::is_untouched(error) {
                    // A note that stays only reports more than there is.
                    let _ = claim.withdraw(&locked);
                }
            })
            .with_context(could_not)?;
        let kept = restored.kept;
        if let Kept::Backup(safety) = &kept {
            self.keep_for_the_branch_left(session, &locked, safety)?;
        }
        claim.conclude(&locked)?;
        drop(locked);
        drop(claim);
        let undo = match &kept {
            Kept::Backup(safety) => {
                format!("; undo with: {}", safety_backup::undo(session, project, database, safety))
            }
            Kept::Aside(aside) => format!("; its raw files are in {}", project.path(&aside.folder)),
            Kept::Nothing => String::new(),
        };
        session.note(format!(
            "xtask-db: switched {called} to its last state on `{branch}`, {} of {age} ago{undo}",
            before.name
        ));
        derived_data::after_restore(session, project, database)
    }

    /// Changes by an application between the checkpoint and the switch belong to the branch that was
    /// left: the safety backup has them, and becomes that branch's last state.
    fn keep_for_the_branch_left(
        &self,
        session: &Session,
        locked: &Locked<'_>,
        safety: &Backup,
    ) -> Result<()> {
        let (Some(here), Some(record)) = (self.here.record(), safety.record()) else {
            return Ok(());
        };
        if here.content_blake3 == record.content_blake3 {
            return Ok(());
        }
        let wanted = Wanted {
            git: here.git.clone(),
            format: self.project.format(Kind::Branch),
            ..Wanted::new(self.database, Kind::Branch, session.now())
        };
        let capture = Capture { locked, project: self.project, wanted: &wanted };
        link::take_link(capture, safety).map(drop)
    }
}

/// Reports that the last state of a branch is not there, with the newest that is: an older one must
/// not take its place unasked. From now on the database is the entered branch's.
pub(super) fn say_that_it_is_gone(
    session: &mut Session,
    called: &str,
    entered: &Branch,
    newest: Option<&Backup>,
) {
    let branch = text::plain(&entered.name);
    let left = entered.left_at().map(|at| {
        let age = session.now().signed_duration_since(at);
        format!(" (it was left {} ago)", text::age(age))
    });
    let other = match newest {
        Some(backup) => format!(
            "the newest backup of it is {} old: `cargo xtask db-restore {}`",
            text::age(backup.age(session.now())),
            text::shell(&backup.name.to_string())
        ),
        None => "there is no backup of it; `cargo xtask db-list` shows those of other branches"
            .to_owned(),
    };
    session.warn(format!(
        "{called} stays as it is: its last state on `{branch}`{} is not among the backups; {other}",
        left.unwrap_or_default()
    ));
}

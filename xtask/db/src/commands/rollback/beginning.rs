//! The backup of the state in which a branch was entered, as git and the backups folder show it, and
//! another one if that is damaged.

use anyhow::Result;

use crate::backups::backup::{Backup, State};
use crate::backups::kind::Kind;
use crate::backups::vault::Vault;
use crate::backups::verification;
use crate::backups::verification::outcome::Outcome;
use crate::branches::rollback::{self, Facts, Fork, Target, Why};
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::git::branch::Branch;
use crate::git::repository::Place;
use crate::host::project::{Database, Project};
use crate::host::session::Session;

/// The state in which a branch was entered, as it is asked for.
pub(super) struct Beginning<'a> {
    /// The host.
    pub(super) project: &'a Project,
    /// Its backups.
    pub(super) vault: &'a Vault,
    /// Its database.
    pub(super) database: &'a Database,
    /// The branch, if it is named.
    pub(super) branch: Option<&'a str>,
    /// The branch that it was created from, if that is named.
    pub(super) base: Option<&'a str>,
}

impl Beginning<'_> {
    /// Finds the backup.
    ///
    /// # Errors
    ///
    /// A refusal if none is certain; it shows what there is.
    pub(super) fn find(&self, session: &mut Session) -> Result<Backup> {
        let place = self.place()?;
        let all = self.vault.backups()?;
        let backups = self.own(&all);
        let name = self.named_branch(session, place, &backups)?;
        let branch = place.branch_named(&name);
        if is_unheard_of(place, &branch, &backups) {
            return Err(Refusal::could_not(
                format!("no branch is named `{}`, and HEAD was never on one", text::plain(&name)),
                format!("choose where to go with `--to REF`: {}", candidates(session, &backups)),
            ));
        }
        let facts = Facts { fork: self.fork(place, &branch, &backups), branch: &branch, backups };
        let shown = text::plain(&name);
        let target = rollback::choose(&facts);
        let backup = match target {
            Target::BranchPoint(backup) => {
                session.note(format!(
                    "{} is the state in which `{shown}` was entered, {} ago",
                    backup.name,
                    text::age(backup.age(session.now()))
                ));
                backup
            }
            Target::Before(backup, sign) => {
                session.note(format!(
                    "{} is the newest backup that is older than `{shown}`, which began {}",
                    backup.name,
                    sign.format("%Y-%m-%d %H:%M:%S")
                ));
                backup
            }
            Target::None(why) => return Err(self.none(session, &facts, why)),
        };
        Ok(backup.clone())
    }

    /// The branch to roll back.
    fn named_branch(
        &self,
        session: &Session,
        place: &Place,
        backups: &[&Backup],
    ) -> Result<String> {
        if let Some(name) = self.branch {
            return Ok(name.to_owned());
        }
        let Some(name) = place.branch() else {
            return Err(Refusal::could_not(
                "HEAD is detached, so no branch is checked out",
                "name the branch that went wrong with `--branch NAME`, or choose where to go with \
                 `--to REF`",
            ));
        };
        let base = self.base.map(str::to_owned).or_else(|| place.usual_base());
        if base.as_deref() == Some(&name) {
            return Err(Refusal::could_not(
                format!(
                    "`{}` is the base branch: it was not created from another",
                    text::plain(&name)
                ),
                format!(
                    "name the branch that went wrong with `--branch NAME`, or choose where to go \
                     with `--to REF`: {}",
                    candidates(session, backups)
                ),
            ));
        }
        Ok(name)
    }

    fn fork<'p>(&self, place: &'p Place, branch: &Branch, backups: &[&Backup]) -> Option<Fork<'p>> {
        // A deleted branch ended where HEAD left it, or where a backup saw it last.
        let tip = place.tip(&branch.name).or_else(|| {
            let last = branch.leaving().map(|leaving| leaving.entry.old.clone());
            let home = || backups.iter().find(|backup| branch.is_home_of(backup));
            last.or_else(|| home()?.record()?.git.as_ref()?.commit.clone())
        })?;
        let base = self.base.map(str::to_owned).or_else(|| place.usual_base());
        let base = base.filter(|base| *base != branch.name)?;
        let commit = place.fork_point(&base, &tip)?;
        let first_commit_at = place.first_own_commit(&commit, &tip);
        let fork = commit.clone();
        let has = Box::new(move |ancestor: &str| place.is_ancestor(ancestor, &fork));
        Some(Fork { commit, tip, first_commit_at, has })
    }

    fn none(&self, session: &Session, facts: &Facts<'_>, why: Why) -> anyhow::Error {
        let project = self.project;
        let name = text::plain(&facts.branch.name);
        let what = match why {
            Why::Merged => format!(
                "`{name}` is merged already and has no branch point: no backup is certainly older"
            ),
            Why::NoBase => match self.base {
                Some(base) => {
                    format!("`{name}` and `{}` have no commit in common", text::plain(base))
                }
                None => format!("nothing shows which branch `{name}` was created from"),
            },
            Why::NoSign => format!("git has no reflog that shows when `{name}` began"),
            Why::NoneBefore => format!("no backup is certainly older than `{name}`"),
            Why::RestoredSince => format!(
                "the last change before `{name}` was a restore of a backup whose state is no \
                 longer known"
            ),
        };
        let base = if why == Why::NoBase { "name the base with `--base BRANCH`, or " } else { "" };
        if facts.backups.is_empty() {
            let folder = project.dotted(&project.backups);
            let whose = if project.worktree() == "." { "" } else { " of this worktree" };
            return Refusal::could_not(
                what,
                format!(
                    "there are no backups{whose} in {folder}; `--to REF` can name another \
                     worktree's"
                ),
            );
        }
        Refusal::could_not(
            what,
            format!(
                "{base}choose where to go with `--to REF`: {}",
                candidates(session, &facts.backups)
            ),
        )
    }

    /// The command that goes back to another state, because the backup that was found is damaged: the
    /// same state in another backup, else the newest that is certainly older. It was read and is whole.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read, or at the user's interrupt.
    pub(super) fn instead_of(&self, session: &Session, damaged: &Backup) -> Result<String> {
        let place = self.place()?;
        let all = self.vault.backups()?;
        let mut backups = self.own(&all);
        backups.retain(|other| other.name != damaged.name && other.state() != State::Damaged);
        let name = self.named_branch(session, place, &backups)?;
        let branch = place.branch_named(&name);
        while let Some(other) = self.next_best(place, &branch, &backups, damaged) {
            let depth = verification::depth_before_restore(other);
            let verified = verification::verify(other, depth, session.interrupt());
            session.interrupt().check()?;
            if verified.is_ok_and(|verified| verified.outcome == Outcome::Whole) {
                let what = if has_state_of(damaged, other) {
                    "has the same state".to_owned()
                } else {
                    format!("is the newest one before `{}`", text::plain(&name))
                };
                return Ok(format!(
                    "{} {what} and is whole: go back to it with `{}`",
                    candidate(session, other),
                    self.command(&text::shell(&other.name.to_string()))
                ));
            }
            let bad = other.name.clone();
            backups.retain(|other| other.name != bad);
        }
        Ok(format!(
            "no other backup is certainly older than `{}`; choose one with `{}`: {}",
            text::plain(&name),
            self.command("REF"),
            candidates(session, &backups)
        ))
    }

    /// What comes next after a damaged backup.
    fn next_best<'b>(
        &self,
        place: &'b Place,
        branch: &'b Branch,
        backups: &[&'b Backup],
        damaged: &Backup,
    ) -> Option<&'b Backup> {
        if let Some(same) = backups.iter().find(|other| has_state_of(damaged, other)) {
            return Some(same);
        }
        let fork = self.fork(place, branch, backups);
        match rollback::choose(&Facts { fork, branch, backups: backups.to_vec() }) {
            Target::BranchPoint(backup) | Target::Before(backup, _) => Some(backup),
            Target::None(_) => None,
        }
    }

    /// The command that goes back to a backup.
    fn command(&self, reference: &str) -> String {
        let db = self.project.database_flag(self.database);
        format!("cargo xtask db-rollback --to {reference}{db}")
    }

    fn place(&self) -> Result<&Place> {
        self.project.git.as_ref().ok_or_else(|| {
            Refusal::could_not(
                format!(
                    "`{}` is not in a git repository, so it has no branches",
                    self.project.root.display()
                ),
                "choose the backup to go back to with `--to REF`",
            )
        })
    }

    /// The backups of the database that were taken in this worktree.
    fn own<'b>(&self, all: &'b [Backup]) -> Vec<&'b Backup> {
        let worktree = self.project.worktree();
        let is_own = |b: &&Backup| b.is_of(self.database) && b.worktree() == worktree;
        all.iter().filter(is_own).collect()
    }
}

/// Whether two backups have the same content by their records.
fn has_state_of(one: &Backup, other: &Backup) -> bool {
    let content = |backup: &Backup| backup.record().map(|record| record.content_blake3.clone());
    content(one).is_some() && content(one) == content(other)
}

/// Whether neither git nor any backup knows such a branch.
fn is_unheard_of(place: &Place, branch: &Branch, backups: &[&Backup]) -> bool {
    let knows = |backup: &&Backup| branch.is_home_of(backup) || branch.is_entered_by(backup);
    place.tip(&branch.name).is_none()
        && branch.entries().next().is_none()
        && !backups.iter().any(knows)
}

/// The newest backups as a user may choose among them.
fn candidates(session: &Session, backups: &[&Backup]) -> String {
    const MOST: usize = 5;
    let is_safety = |backup: &&&Backup| backup.kind() == Some(Kind::Safety);
    let backups: Vec<_> = backups.iter().filter(|backup| !is_safety(backup)).collect();
    let shown = backups.iter().take(MOST).map(|backup| candidate(session, backup));
    let mut shown: Vec<String> = shown.collect();
    match backups.len().saturating_sub(MOST) {
        0 if shown.is_empty() => shown.push("there are no backups".to_owned()),
        0 => {}
        n => shown.push(format!("and {n} more, see `cargo xtask db-list`")),
    }
    shown.join("; ")
}

/// A backup, its age and where it was taken.
fn candidate(session: &Session, backup: &Backup) -> String {
    let age = text::age(backup.age(session.now()));
    let place = backup.branch_at_commit().map_or_else(String::new, |at| format!(", {at}"));
    format!("`{}` ({age} ago{})", backup.name, text::plain(&place))
}

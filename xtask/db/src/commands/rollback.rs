//! `db-rollback`: the database as it was when a branch was entered.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::reader::Contents;
use crate::backups::vault::Vault;
use crate::branches::rollback::{self, Facts, Fork, Target, Why};
use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::git::branch::Branch;
use crate::git::repository::Place;
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::operations::find_backup;
use crate::operations::restore::request::Request;
use crate::rows::diff::states::between;
use crate::rows::diff::{Difference, State, Wanted};
use crate::sqlite::connection;
use crate::sqlite::snapshot::Snapshot;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-rollback                      # on the branch that went wrong
  cargo xtask db-rollback --branch feature/x   # from another branch
  cargo xtask db-rollback --to @main --yes";

/// Arguments of `db-rollback`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Branch to undo, even if it was deleted [default: the current branch]
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Branch that the undone branch was created from [default: found in the
    /// git history]
    #[arg(long, value_name = "BRANCH")]
    base: Option<String>,
    /// Backup to restore instead of the branch point
    #[arg(long, value_name = "REF")]
    to: Option<String>,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let database = project.one(self.common.db.as_deref())?;
        let vault = Vault::of(&project, session.now());
        let backup = match &self.to {
            Some(reference) => {
                let database = Some(database.name.as_str());
                let wanted = find_backup::Wanted { reference, database };
                find_backup::backup(session, &project, &vault, wanted)?
            }
            None => self.branch_s_beginning(session, &project, &vault, &database)?,
        };
        if !say_what_is_newer(session, &project, &database, &backup) {
            session.interrupt().check()?;
            session.note("Newer changes could not be compared; the safety backup keeps them all");
        }
        let request = Request {
            yes: self.yes,
            dry_run: self.dry_run,
            ..Request::of_backup(&backup, self.common.db)
        };
        request.run(session, &project)
    }

    fn branch_s_beginning(
        &self,
        session: &mut Session,
        project: &Project,
        vault: &Vault,
        database: &Database,
    ) -> Result<Backup> {
        let Some(place) = &project.git else {
            return Err(Refusal::could_not(
                format!(
                    "`{}` is not in a git repository, so it has no branches",
                    project.root.display()
                ),
                "choose the backup to go back to with `--to REF`",
            ));
        };
        let all = vault.backups()?;
        let is_mine = |b: &&Backup| b.is_of(database) && b.worktree() == project.worktree();
        let backups: Vec<&Backup> = all.iter().filter(is_mine).collect();
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
            Target::None(why) => return Err(self.none(session, project, &facts, why)),
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
        if let Some(name) = &self.branch {
            return Ok(name.clone());
        }
        let Some(name) = place.branch() else {
            return Err(Refusal::could_not(
                "HEAD is detached, so no branch is checked out",
                "name the branch that went wrong with `--branch NAME`, or choose where to go with \
                 `--to REF`",
            ));
        };
        let base = self.base.clone().or_else(|| place.usual_base());
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

    fn fork<'a>(&self, place: &'a Place, branch: &Branch, backups: &[&Backup]) -> Option<Fork<'a>> {
        // A deleted branch ended where HEAD left it, or where a backup saw it last.
        let tip = place.tip(&branch.name).or_else(|| {
            let last = branch.leaving().map(|leaving| leaving.entry.old.clone());
            let home = || backups.iter().find(|backup| branch.is_home_of(backup));
            last.or_else(|| home()?.record()?.git.as_ref()?.commit.clone())
        })?;
        let base = self.base.clone().or_else(|| place.usual_base());
        let base = base.filter(|base| *base != branch.name)?;
        let commit = place.fork_point(&base, &tip)?;
        let first_commit_at = place.first_own_commit(&commit, &tip);
        let fork = commit.clone();
        let has = Box::new(move |ancestor: &str| place.is_ancestor(ancestor, &fork));
        Some(Fork { commit, tip, first_commit_at, has })
    }

    fn none(
        &self,
        session: &Session,
        project: &Project,
        facts: &Facts<'_>,
        why: Why,
    ) -> anyhow::Error {
        let name = text::plain(&facts.branch.name);
        let what = match why {
            Why::Merged => format!(
                "`{name}` is merged already and has no branch point: no backup is certainly older"
            ),
            Why::NoBase => match &self.base {
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
}

/// Whether neither git nor any backup knows such a branch.
fn is_unheard_of(place: &Place, branch: &Branch, backups: &[&Backup]) -> bool {
    let knows = |backup: &&Backup| branch.is_home_of(backup) || branch.is_entered_by(backup);
    place.tip(&branch.name).is_none()
        && branch.entries().next().is_none()
        && !backups.iter().any(knows)
}

/// Reports the changes since the backup; false if the two cannot be compared, e.g. because the
/// database is damaged or gone.
fn say_what_is_newer(
    session: &mut Session,
    project: &Project,
    database: &Database,
    backup: &Backup,
) -> bool {
    let interrupt = session.interrupt().clone();
    let compared = (|| -> Result<Difference> {
        let contents = Contents::open(backup)?;
        let file = contents.file(&interrupt)?;
        let live = live_database::open(project, database)?;
        let old = connection::open_immutable(file.path())?;
        let _watched = (interrupt.watch(&old), interrupt.watch(&live));
        let (_reading, _reading_too) = (Snapshot::begin(&old)?, Snapshot::begin(&live)?);
        let states = (State::of_file(&old, file.path(), &interrupt), State::of(&live));
        live.proved(between(states.0, states.1, &Wanted::default(), &mut |_| {}))
    })();
    let Ok(difference) = compared else {
        return false;
    };
    if difference.is_empty() {
        session.note("The database contains nothing newer: both are equal");
        return true;
    }
    session.note("Changes since then, which the safety backup will keep:");
    for line in difference.summary_lines() {
        session.note(format!("  {line}"));
    }
    true
}

/// The newest backups as a user may choose among them.
fn candidates(session: &Session, backups: &[&Backup]) -> String {
    const MOST: usize = 5;
    let now = session.now();
    let is_safety = |backup: &&&Backup| backup.kind() == Some(Kind::Safety);
    let backups: Vec<_> = backups.iter().filter(|backup| !is_safety(backup)).collect();
    let shown = backups.iter().take(MOST).map(|backup| {
        let place = backup.branch_at_commit().map_or_else(String::new, |at| format!(", {at}"));
        format!("`{}` ({} ago{})", backup.name, text::age(backup.age(now)), text::plain(&place))
    });
    let mut shown: Vec<String> = shown.collect();
    match backups.len().saturating_sub(MOST) {
        0 if shown.is_empty() => shown.push("there are no backups".to_owned()),
        0 => {}
        n => shown.push(format!("and {n} more, see `cargo xtask db-list`")),
    }
    shown.join("; ")
}

//! `db-prune`: removes the backups that no retention rule keeps, with a reason per row.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::json;

use crate::backup::{Backup, State};
use crate::cli::Common;
use crate::examination::Depth;
use crate::project::Project;
use crate::refusal::{Answer, Refusal};
use crate::retention::{self, Candidate, Policy, Verdict};
use crate::session::Session;
use crate::text::{self, Span};
use crate::vault::Vault;
use crate::verification::{self, Outcome};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-prune --dry-run
  cargo xtask db-prune --keep-last 10 --keep-daily 14 --yes

Any `--keep-…` or `--max-size` flag replaces the whole configured policy.";

/// Arguments of `db-prune`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep the newest N
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep_last: Option<i64>,
    /// Keep the newest of each of the last N hours that have backups
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep_hourly: Option<i64>,
    /// Keep the newest of each of the last N days that have backups
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep_daily: Option<i64>,
    /// Keep the newest of each of the last N weeks that have backups
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep_weekly: Option<i64>,
    /// Keep the newest of each of the last N months that have backups
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep_monthly: Option<i64>,
    /// Keep the newest of each of the last N years that have backups
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep_yearly: Option<i64>,
    /// Keep all within this span before the newest, as 30d or 1y6m (m is months)
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    keep_within: Option<String>,
    /// Keep all with this label (repeatable)
    #[arg(long, value_name = "LABEL")]
    keep_label: Vec<String>,
    /// Then remove the oldest until the rest is no larger, as 2GB
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    max_size: Option<String>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = session.project(&self.common)?;
        let policy = self.policy(&project)?;
        let vault = Vault::at(&project.backups, session.now());
        let plan = self.plan(session, &project, &vault, &policy)?;
        say_plan(session, &plan, self.dry_run);
        let doomed: BTreeSet<&str> = plan
            .iter()
            .filter(|v| !v.keep)
            .map(|v| v.name.as_str())
            .collect();
        if doomed.is_empty() {
            let n = text::count(plan.len() as u64, "backup");
            session.say(match plan.len() {
                0 => "Nothing to prune: there are no backups.".to_owned(),
                1 => "Nothing to prune: the only backup is kept.".to_owned(),
                _ => format!("Nothing to prune: all {n} are kept."),
            });
            document(session, &plan, &[], self.dry_run);
            return Ok(Answer::Yes);
        }
        let freed = text::size(plan.iter().map(|verdict| verdict.freed_bytes).sum());
        let n = text::count(doomed.len() as u64, "backup");
        if self.dry_run {
            session.say(format!("Would remove {n} and free {freed}."));
            document(session, &plan, &[], true);
            return Ok(Answer::Yes);
        }
        self.confirm(session, &project, &n, &freed)?;
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        // The folder may have changed while the question stood: only what both plans condemn goes.
        let again = self.plan(session, &project, &vault, &policy)?;
        verify_survivors(session, &vault, &again)?;
        let mut removed = Vec::new();
        let mut freed_bytes = 0;
        let backups = vault.backups()?;
        for verdict in again
            .iter()
            .filter(|v| !v.keep && doomed.contains(v.name.as_str()))
        {
            session.interrupt().check()?;
            let Some(backup) = backups.iter().find(|b| b.name.to_string() == verdict.name) else {
                continue;
            };
            match locked.remove(backup)? {
                None => {
                    removed.push(verdict.name.clone());
                    freed_bytes += verdict.freed_bytes;
                }
                Some(why) => session.warn(format!("{} stays: {why}", verdict.name)),
            }
        }
        let n = text::count(removed.len() as u64, "backup");
        session.say(format!(
            "Removed {n} and freed {}.",
            text::size(freed_bytes)
        ));
        document(session, &plan, &removed, false);
        Ok(Answer::Yes)
    }

    fn policy(&self, project: &Project) -> Result<Policy> {
        let mut policy = Policy::default();
        let mut given = false;
        for (flag, value, field) in [
            ("--keep-last", self.keep_last, &mut policy.last),
            ("--keep-hourly", self.keep_hourly, &mut policy.hourly),
            ("--keep-daily", self.keep_daily, &mut policy.daily),
            ("--keep-weekly", self.keep_weekly, &mut policy.weekly),
            ("--keep-monthly", self.keep_monthly, &mut policy.monthly),
            ("--keep-yearly", self.keep_yearly, &mut policy.yearly),
        ] {
            let Some(value) = value else { continue };
            given = true;
            *field = u32::try_from(value).map_err(|_| {
                Refusal::could_not(
                    format!("`{flag} {value}` is no number of backups"),
                    "give a number from 0 upwards; nothing was removed",
                )
            })?;
        }
        let wrong =
            |error: anyhow::Error| Refusal::could_not(error.to_string(), "nothing was removed");
        if let Some(span) = &self.keep_within {
            given = true;
            policy.within = Some(span.parse::<Span>().map_err(wrong)?);
        }
        if !self.keep_label.is_empty() {
            given = true;
            policy.labels.clone_from(&self.keep_label);
        }
        if let Some(size) = &self.max_size {
            given = true;
            policy.max_size_bytes = Some(text::parse_size(size).map_err(wrong)?);
        }
        let policy = if given { policy } else { project.keep.clone() };
        if policy.is_empty() {
            return Err(Refusal::could_not(
                "the policy is empty, which would keep nothing",
                "say what to keep, as `--keep-last 10`, or configure `[workspace.metadata.db.keep]`; \
                 nothing was removed",
            ));
        }
        Ok(policy)
    }

    /// One plan per database and worktree, newest first.
    fn plan(
        &self,
        session: &Session,
        project: &Project,
        vault: &Vault,
        policy: &Policy,
    ) -> Result<Vec<Verdict>> {
        let now = session.now();
        let databases = project.chosen(self.common.db.as_deref())?;
        let mut groups = BTreeMap::<(String, String), Vec<Candidate>>::new();
        for (order, backup) in vault.backups()?.iter().rev().enumerate() {
            let owner = databases.iter().find(|database| backup.is_of(database));
            let name = match (owner, self.common.db.is_some()) {
                (Some(database), _) => database.name.clone(),
                // Backups of a database that is not configured any more are not pruned.
                (None, _) => continue,
            };
            let worktree = backup.worktree().to_owned();
            let candidate = Candidate::of(backup, order, now);
            groups.entry((name, worktree)).or_default().push(candidate);
        }
        Ok(groups
            .values()
            .flat_map(|group| retention::plan(group, policy))
            .collect())
    }

    fn confirm(
        &self,
        session: &mut Session,
        project: &Project,
        n: &str,
        freed: &str,
    ) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let folder = project.dotted(&project.backups);
        if !session.has_terminal() {
            return Err(Refusal::could_not(
                format!("removing {n} needs `--yes` where there is no terminal to ask"),
                "say `--yes`, or look first with `--dry-run`; nothing was removed",
            ));
        }
        let question = format!("Remove {n} from {folder} and free {freed} ?");
        session.confirm(&question, "nothing was removed")
    }
}

fn say_plan(session: &mut Session, plan: &[Verdict], dry_run: bool) {
    let remove = if dry_run { "would remove" } else { "remove" };
    let rows: Vec<Vec<String>> = plan
        .iter()
        .map(|verdict| {
            let word = if verdict.keep { "keep" } else { remove };
            vec![
                word.to_owned(),
                verdict.name.clone(),
                verdict.reasons.join(", "),
            ]
        })
        .collect();
    for line in text::table(&rows, &[]).lines() {
        session.say(line);
    }
}

/// Verifies the newest survivor of those that would be relied upon, before anything goes.
fn verify_survivors(session: &mut Session, vault: &Vault, plan: &[Verdict]) -> Result<()> {
    let backups = vault.backups()?;
    let mut seen = BTreeSet::new();
    for verdict in plan.iter().filter(|verdict| verdict.keep) {
        let Some(backup) = backups.iter().find(|b| b.name.to_string() == verdict.name) else {
            continue;
        };
        let whose = (
            backup.record().map(|r| r.database.clone()),
            backup.worktree().to_owned(),
        );
        let relied_on = backup.state() == State::Verified && !is_future(session, backup);
        if !relied_on || !seen.insert(whose) {
            continue;
        }
        let verification = verification::verify(backup, Depth::Quick, session.interrupt())?;
        if verification.outcome == Outcome::Damaged {
            return Err(Refusal::no(
                format!(
                    "the newest backup that would stay, `{}`, is damaged: {}",
                    backup.name,
                    verification.reasons.join("; ")
                ),
                "nothing was removed; take a new backup with `cargo xtask db-backup`, then prune",
            ));
        }
    }
    Ok(())
}

fn is_future(session: &Session, backup: &Backup) -> bool {
    backup.is_from_the_future(session.now())
}

fn document(session: &mut Session, plan: &[Verdict], removed: &[String], dry_run: bool) {
    let rows: Vec<_> = plan
        .iter()
        .map(|verdict| {
            json!({
                "name": verdict.name,
                "keep": verdict.keep,
                "reasons": verdict.reasons,
                "freed_bytes": verdict.freed_bytes,
            })
        })
        .collect();
    session.document(
        &json!({ "version": 1, "dry_run": dry_run, "backups": rows, "removed": removed }),
    );
}

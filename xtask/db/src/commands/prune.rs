//! `db-prune`: removes the backups that no retention rule keeps, with a reason for each.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Result;
use serde::Serialize;

use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Refusal};
use crate::console::text::{self, Span};
use crate::host::project::Project;
use crate::host::project::policy::Policy;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::reclaim_packs;
use crate::operations::retain::say_if_last_states_exceed;
use crate::retention::plan::Verdict;
use crate::retention::plan::reason::Reasons;
use crate::retention::prune::{self, Listing, Pruning, Scope};
use crate::retention::repack_plan::Extent;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-prune --dry-run
  cargo xtask db-prune --keep-last 10 --keep-daily 14 --yes

Default: the configured policy, which any `--keep-…` or `--max-size` replaces.";

/// Arguments of `db-prune`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep the newest N backups
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number)]
    keep_last: Option<i64>,
    /// Keep the newest backup of each of the last N hours that have one
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number)]
    keep_hourly: Option<i64>,
    /// Keep the newest backup of each of the last N days that have one
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number)]
    keep_daily: Option<i64>,
    /// Keep the newest backup of each of the last N weeks that have one
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number)]
    keep_weekly: Option<i64>,
    /// Keep the newest backup of each of the last N months that have one
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number)]
    keep_monthly: Option<i64>,
    /// Keep the newest backup of each of the last N years that have one
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number)]
    keep_yearly: Option<i64>,
    /// Keep all backups within this span before the newest, e.g. `30d` or
    /// `1y6m` (`m` is months)
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    keep_within: Option<String>,
    /// Keep all backups with this label (repeatable)
    #[arg(long, value_name = "LABEL")]
    keep_label: Vec<String>,
    /// Then remove the oldest backups until the rest fit within this size, e.g.
    /// `2GB`
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    max_size: Option<String>,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Remove backups only if the plan is still this one, the `plan_blake3` in
    /// the document of a dry run
    #[arg(long, value_name = "HASH")]
    if_plan: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Output of `--json` after its `backups`, which are written one by one.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    dry_run: bool,
    /// The value of `--if-plan` with which only this plan is carried out.
    plan_blake3: String,
    removed: Vec<&'a str>,
    store: reclaim_packs::Document,
}

/// One backup in `--json`.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    keep: bool,
    reasons: &'a Reasons,
    freed_bytes: u64,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let policy = self.policy(&project)?;
        let vault = Vault::of(&project, session.now());
        let databases = project.chosen(self.common.db.as_deref())?;
        let listing = Listing::Unlocked(&vault);
        let (databases, policy, now) = (&databases, &policy, session.now());
        let pruning = Pruning { project: &project, databases, policy, scope: Scope::All, now };
        let mut plan = prune::plan(listing, &pruning)?;
        self.demand_plan(&plan)?;
        let interrupt = session.interrupt().clone();
        prune::weigh_pages(&vault, &mut plan, &interrupt)?;
        let store = reclaim_packs::plan(&vault, &plan, &interrupt)?;
        say_if_last_states_exceed(session, listing, &project, policy)?;
        say_plan(session, &plan, self.dry_run);
        let doomed = plan.iter().any(|verdict| !verdict.keep);
        if !doomed {
            say_all_are_kept(session, &plan);
        }
        if self.dry_run || !doomed && !store.is_due() {
            if doomed {
                let (n, freed) = sum(&plan);
                session.say(format!("Would remove {n} and free {freed}."));
            }
            store.say(session, &project);
            document(session, &plan, &self.end(&plan, &[], &store));
            return Ok(answer(&store));
        }
        let (backups, freed) = sum(&plan);
        if doomed {
            self.confirm(session, &project, &backups, &format!(" and free {freed}"))?;
        } else if let Some(packs) = store.packs_to_remove() {
            // A list that was only moved away for a while may need them.
            self.confirm(session, &project, &format!("{packs} that no backup names"), "")?;
        }
        let locked = vault.lock(project.busy_timeout, &interrupt)?;
        let removed = self.apply(session, &locked, &pruning, &plan)?;
        let store = reclaim_packs::reclaim(session, &locked, Extent::All)?;
        store.say(session, &project);
        document(session, &plan, &self.end(&plan, &removed, &store));
        Ok(answer(&store))
    }

    /// The end of the document.
    fn end<'a>(
        &self,
        plan: &[Verdict],
        removed: &'a [Arc<str>],
        store: &reclaim_packs::Outcome,
    ) -> Document<'a> {
        let removed = removed.iter().map(|name| &**name).collect();
        let (plan_blake3, store) = (plan_hash(plan), store.document());
        Document { version: VERSION, dry_run: self.dry_run, plan_blake3, removed, store }
    }

    /// Refuses another plan than the expected one.
    fn demand_plan(&self, plan: &[Verdict]) -> Result<()> {
        match &self.if_plan {
            Some(expected) if *expected != plan_hash(plan) => Err(Refusal::no(
                "other backups would be removed than when the plan was made",
                "look at the plan again with `--dry-run`, then decide; nothing was removed",
            )),
            _ => Ok(()),
        }
    }

    /// Removes the backups that the plan condemns, if a second check condemns them too; returns their
    /// names.
    fn apply(
        &self,
        session: &mut Session,
        locked: &Locked<'_>,
        pruning: &Pruning<'_>,
        plan: &[Verdict],
    ) -> Result<Vec<Arc<str>>> {
        let doomed: HashSet<&str> = plan.iter().filter(|v| !v.keep).map(|v| &*v.name).collect();
        if doomed.is_empty() && self.if_plan.is_none() {
            return Ok(Vec::new());
        }
        let vault = locked.vault();
        let pruning = Pruning { now: session.now(), ..*pruning };
        // The folder may have changed while the question was open: only what both plans condemn goes.
        let listing = Listing::Unlocked(vault);
        let mut again = prune::plan(listing, &pruning)?;
        self.demand_plan(&again)?;
        for verdict in &mut again {
            verdict.keep |= !doomed.contains(&*verdict.name);
        }
        prune::weigh_pages(vault, &mut again, session.interrupt())?;
        let pruned = prune::apply(locked, again, &pruning, session.interrupt())?;
        for (name, why) in &pruned.stayed {
            session.warn(format!("{name} stays: {why}"));
        }
        if !doomed.is_empty() {
            let freed = text::size(pruned.removed.iter().map(|verdict| verdict.freed_bytes).sum());
            let n = text::count(pruned.removed.len() as u64, "backup");
            session.say(format!("Removed {n} and freed {freed}."));
        }
        Ok(pruned.removed.into_iter().map(|verdict| verdict.name).collect())
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
                    format!("`{flag} {value}` is not a number of backups"),
                    "give a number of 0 or more; nothing was removed",
                )
            })?;
        }
        let wrong = |error: anyhow::Error| {
            let hint = "give e.g. `--keep-within 30d` or `--max-size 2GB`; nothing was removed";
            Refusal::could_not(error.to_string(), hint)
        };
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
            let bytes = text::parse_size(size).map_err(wrong)?;
            if bytes == 0 {
                return Err(wrong(anyhow::anyhow!("`--max-size {size}` would keep nothing")));
            }
            policy.max_size_bytes = Some(bytes);
        }
        let policy = if given { policy } else { project.keep.clone() };
        if policy.is_empty() && !given {
            return Err(Refusal::could_not(
                "there is no rule for which backups to keep",
                "choose one, e.g. `--keep-last 10`, or configure `[workspace.metadata.db.keep]`; \
                 nothing was removed",
            ));
        }
        if policy.is_empty() {
            return Err(Refusal::could_not(
                "these flags would keep nothing",
                "choose what to keep, e.g. `--keep-last 10`; nothing was removed",
            ));
        }
        Ok(policy)
    }

    fn confirm(
        &self,
        session: &mut Session,
        project: &Project,
        n: &str,
        and_free: &str,
    ) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let folder = project.dotted(&project.backups);
        if !session.has_terminal() {
            return Err(Refusal::could_not(
                format!("removing {n} needs `--yes` when there is no terminal"),
                "pass `--yes`, or look first with `--dry-run`; nothing was removed",
            ));
        }
        let question = format!("Remove {n} from {folder}{and_free} ?");
        session.confirm(&question, "nothing was removed")
    }
}

/// Reads the N of `--keep-…`.
fn number(text: &str) -> Result<i64, String> {
    let number = text.parse::<i64>();
    number.map_err(|_| "it must be a whole number, e.g. 10".to_owned())
}

/// A hash of which backups a plan keeps and removes, whatever the reasons.
fn plan_hash(plan: &[Verdict]) -> String {
    let mut verdicts: Vec<_> = plan.iter().map(|verdict| (&*verdict.name, verdict.keep)).collect();
    verdicts.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for (name, keep) in verdicts {
        hasher.update(if keep { b"keep " } else { b"remove " });
        // No name of a file contains a zero byte.
        hasher.update(name.as_bytes()).update(&[0]);
    }
    hasher.finalize().to_hex().to_string()
}

/// The answer to the shell: no if a page list could not be read.
fn answer(store: &reclaim_packs::Outcome) -> Answer {
    match store {
        reclaim_packs::Outcome::Refused(_) => Answer::No,
        _ => Answer::Yes,
    }
}

/// How many backups a plan condemns, and how many bytes that frees.
fn sum(plan: &[Verdict]) -> (String, String) {
    let n = plan.iter().filter(|verdict| !verdict.keep).count();
    let freed = plan.iter().map(|verdict| verdict.freed_bytes).sum();
    (text::count(n as u64, "backup"), text::size(freed))
}

fn say_all_are_kept(session: &mut Session, plan: &[Verdict]) {
    session.say(match plan.len() {
        0 => "Nothing to prune: there are no backups.".to_owned(),
        1 => "Nothing to prune: the only backup is kept.".to_owned(),
        n => format!("Nothing to prune: all {} are kept.", text::count(n as u64, "backup")),
    });
}

/// Says each verdict. The lines are written as they come: a plan may have tens of thousands.
fn say_plan(session: &mut Session, plan: &[Verdict], dry_run: bool) {
    let remove = if dry_run { "would remove" } else { "remove" };
    let cells = |verdict: &Verdict| {
        let word = if verdict.keep { "keep" } else { remove };
        [word.to_owned(), verdict.name.to_string(), verdict.reasons.to_string()]
    };
    let mut columns = text::Columns::default();
    for verdict in plan {
        columns.measure(&cells(verdict));
    }
    for verdict in plan {
        session.say(columns.line(&cells(verdict), &[]));
    }
}

/// Writes the document of `--json`, the plan verdict by verdict.
fn document(session: &mut Session, plan: &[Verdict], end: &Document<'_>) {
    if !session.wants_json() {
        return;
    }
    session.stream(|streamed| streamed.begin_object() + &streamed.begin_array("backups"));
    for verdict in plan {
        let row = Row {
            name: &verdict.name,
            keep: verdict.keep,
            reasons: &verdict.reasons,
            freed_bytes: verdict.freed_bytes,
        };
        session.stream(|streamed| streamed.element(&row));
    }
    session.document(end);
}

//! Pruning: the retention plan of every database and worktree, and its application.
//!
//! Before anything goes, the newest survivor that would be relied upon is verified: a policy that
//! keeps a damaged backup and removes whole ones would be worse than none.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backup::{Backup, State};
use crate::finding::Depth;
use crate::git::Place;
use crate::interrupt::Interrupt;
use crate::locked::Locked;
use crate::project::{Database, Project};
use crate::record::{Enters, Kind};
use crate::refusal::Refusal;
use crate::retention::{self, Candidate, Policy, Verdict};
use crate::vault::Vault;
use crate::verification::{self, Outcome};

/// Which backups a policy counts and removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of them: the user asked.
    All,
    /// The automatic kinds only: the policy runs by itself.
    Automatic,
}

/// What a pruning did.
#[derive(Debug, Default)]
pub(crate) struct Pruned {
    /// The removed ones.
    pub(crate) removed: Vec<Verdict>,
    /// Those that stayed though condemned, and why.
    pub(crate) stayed: Vec<(String, &'static str)>,
}

/// Plans one retention per database and worktree, each newest first. Backups of a database that is
/// not configured are left alone; the branch point of a branch that is there and not merged stays.
///
/// # Errors
///
/// Where the folder cannot be read.
pub(crate) fn plan(
    vault: &Vault,
    (project, databases): (&Project, &[Database]),
    policy: &Policy,
    scope: Scope,
    now: DateTime<FixedOffset>,
) -> Result<Vec<Verdict>> {
    let mut groups = BTreeMap::<(String, String), Vec<Candidate>>::new();
    let backups = vault.backups()?;
    for (order, backup) in backups.iter().rev().enumerate() {
        let owner = databases.iter().find(|database| backup.is_of(database));
        let counts = scope == Scope::All || backup.kind().is_some_and(Kind::is_automatic);
        if let Some(database) = owner.filter(|_| counts) {
            let group = (database.name.clone(), backup.worktree().to_owned());
            groups.entry(group).or_default().push(Candidate::of(backup, order, now));
        }
    }
    let points: BTreeMap<String, &Enters> = backups
        .iter()
        .filter_map(|backup| Some((backup.name.to_string(), backup.record()?.enters.as_ref()?)))
        .collect();
    let place = project.git.as_ref();
    let plans = groups.values_mut().map(|group| plan_group(group, policy, &points, place));
    Ok(plans.flatten().collect())
}

/// Plans one group. Git is asked only about branch points that would go otherwise.
fn plan_group(
    group: &mut [Candidate],
    policy: &Policy,
    points: &BTreeMap<String, &Enters>,
    place: Option<&Place>,
) -> Vec<Verdict> {
    let mut asked = BTreeSet::new();
    loop {
        let verdicts = retention::plan(group, policy);
        let mut any = false;
        for verdict in verdicts.iter().filter(|verdict| !verdict.keep) {
            let Some(enters) = points.get(&verdict.name) else { continue };
            // Where git cannot be asked, nobody knows that the branch is done with.
            if asked.insert(verdict.name.clone())
                && place.is_none_or(|place| place.is_unmerged(enters))
                && let Some(row) = group.iter_mut().find(|row| row.name == verdict.name)
            {
                row.guarded = Some("the branch point of an unmerged branch");
                any = true;
            }
        }
        if !any {
            return verdicts;
        }
    }
}

/// Removes what a plan condemns, after verifying the newest survivors.
///
/// # Errors
///
/// A refusal where such a survivor is damaged; nothing is removed then.
pub(crate) fn apply(
    locked: &Locked<'_>,
    plan: Vec<Verdict>,
    now: DateTime<FixedOffset>,
    interrupt: &Interrupt,
) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    if plan.iter().all(|verdict| verdict.keep) {
        return Ok(pruned);
    }
    let backups: BTreeMap<String, Backup> =
        locked.vault().backups()?.into_iter().map(|b| (b.name.to_string(), b)).collect();
    verify_survivors(&backups, &plan, now, interrupt)?;
    for verdict in plan.into_iter().filter(|verdict| !verdict.keep) {
        interrupt.check()?;
        let Some(backup) = backups.get(&verdict.name) else {
            continue;
        };
        match locked.remove(backup)? {
            None => pruned.removed.push(verdict),
            Some(why) => pruned.stayed.push((verdict.name, why)),
        }
    }
    Ok(pruned)
}

/// Demands a whole backup among the survivors of each database and worktree: the newest that is
/// said to be verified must be, and where none is said to be, some other must prove whole.
fn verify_survivors(
    backups: &BTreeMap<String, Backup>,
    plan: &[Verdict],
    now: DateTime<FixedOffset>,
    interrupt: &Interrupt,
) -> Result<()> {
    let mut doomed = BTreeSet::new();
    let mut survivors = BTreeMap::<_, Vec<&Backup>>::new();
    for verdict in plan {
        let Some(backup) = backups.get(&verdict.name) else { continue };
        let database = backup.record().map_or(&backup.name.file, |record| &record.database);
        let group = (database.clone(), backup.worktree().to_owned());
        if !verdict.keep {
            doomed.insert(group);
        } else if !backup.is_from_the_future(now) {
            survivors.entry(group).or_default().push(backup);
        }
    }
    for group in doomed {
        demand_a_whole_one(survivors.get(&group).map_or(&[], Vec::as_slice), interrupt)?;
    }
    Ok(())
}

fn demand_a_whole_one(survivors: &[&Backup], interrupt: &Interrupt) -> Result<()> {
    let hint = "nothing was removed; take a new backup with `cargo xtask db-backup`, then prune";
    // Those said to be verified first, each newest first: only what is relied upon is read.
    let (said, others): (Vec<&Backup>, Vec<&Backup>) =
        survivors.iter().partition(|backup| backup.state() == State::Verified);
    for backup in said.into_iter().chain(others) {
        let verification = verification::verify(backup, Depth::Quick, interrupt)?;
        if verification.outcome == Outcome::Whole {
            return Ok(());
        }
        if verification.outcome == Outcome::Damaged && backup.state() == State::Verified {
            let (name, reasons) = (&backup.name, verification.reasons.join("; "));
            let what = "the newest backup that would stay";
            return Err(Refusal::no(format!("{what}, `{name}`, is damaged: {reasons}"), hint));
        }
    }
    Err(Refusal::no("no backup that would stay is proved whole", hint))
}

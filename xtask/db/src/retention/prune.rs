//! Pruning: the retention plan of every database and worktree, and its application.
//!
//! Before anything is removed, the newest survivor is verified: a policy that keeps a damaged
//! backup and removes whole ones would be worse than none.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::backups::obstacle::Obstacle;
use crate::backups::page_lists::{self, Reference};
use crate::backups::store::suspect_packs;
use crate::backups::vault::Vault;
use crate::backups::verification;
use crate::backups::verification::outcome::Outcome;
use crate::backups::writer::Locked;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::git::recorded::Enters;
use crate::git::repository::Place;
use crate::host::project::policy::Policy;
use crate::host::project::{Database, FollowBranches, Project};
use crate::recovery::{interrupted_bundle, interrupted_step};
use crate::retention::branch_states::{LastStates, REASON};
use crate::retention::plan::{self, Candidate, Verdict, Weigh, reason};
use crate::retention::weight;
use crate::sqlite::examination::finding::Depth;

/// A stored backup up to this size is read before others go, also by the policy that runs by itself.
const MAX_BYTES_READ_BY_THE_WAY: u64 = 128 << 20;

/// The backups that a policy counts and removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of them: the user asked.
    All,
    /// The automatic kinds only: the policy runs by itself.
    Automatic,
}

/// A backups folder whose backups are listed when they are asked for: with its lock held, only once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Listing<'a> {
    /// Anybody may change it.
    Unlocked(&'a Vault),
    /// Nobody else may.
    Locked(&'a Locked<'a>),
}

impl<'a> Listing<'a> {
    fn vault(self) -> &'a Vault {
        match self {
            Self::Unlocked(vault) => vault,
            Self::Locked(locked) => locked.vault(),
        }
    }

    fn backups(self) -> Result<Arc<Vec<Backup>>> {
        match self {
            Self::Unlocked(vault) => vault.backups().map(Arc::new),
            Self::Locked(locked) => locked.backups(),
        }
    }
}

/// The backups to prune, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pruning<'a> {
    /// The project, whose branches count.
    pub(crate) project: &'a Project,
    /// The databases whose backups it is about.
    pub(crate) databases: &'a [Database],
    /// The policy that decides which backups stay.
    pub(crate) policy: &'a Policy,
    /// Backups that count.
    pub(crate) scope: Scope,
    /// The current time.
    pub(crate) now: DateTime<FixedOffset>,
}

/// Result of pruning.
#[derive(Debug, Default)]
pub(crate) struct Pruned {
    /// The removed ones.
    pub(crate) removed: Vec<Verdict>,
    /// Backups that stayed although the plan removes them, and why.
    pub(crate) stayed: Vec<(Arc<str>, Obstacle)>,
}

/// Plans one retention per database and worktree, each newest first. Backups of a database that is
/// not configured are left alone. The branch point of a branch that is there and not merged stays, and
/// its last state while the database follows the branches.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn plan(listing: Listing<'_>, pruning: &Pruning<'_>) -> Result<Vec<Verdict>> {
    let Pruning { project, databases, policy, scope, now } = *pruning;
    let mut groups = BTreeMap::<(String, String), Vec<Candidate>>::new();
    let (vault, backups) = (listing.vault(), listing.backups()?);
    let needed = interrupted_step::needed(vault.folder());
    let bundle = interrupted_bundle::Needed::of(vault.folder());
    for (age, backup) in backups.iter().enumerate() {
        let order = backups.len() - age;
        let owner = databases.iter().find(|database| backup.is_of(database));
        let counts = scope == Scope::All || backup.kind().is_some_and(Kind::is_automatic);
        if let Some(database) = owner.filter(|_| counts) {
            let group = (database.name.clone(), backup.worktree().to_owned());
            let mut candidate = Candidate::of(backup, order, now);
            candidate.guarded = candidate.guarded.or(under_way(&candidate.name, &needed));
            candidate.guarded = candidate.guarded.or_else(|| bundle.reason(backup));
            groups.entry(group).or_default().push(candidate);
        }
    }
    let policy = &weight::relevant(policy, vault, &backups)?;
    let points: BTreeMap<String, Enters> = backups
        .iter()
        .filter(|backup| backup.summary().is_some_and(|record| record.enters))
        .filter_map(|backup| Some((backup.name.to_string(), backup.record()?.enters.clone()?)))
        .collect();
    let states = LastStates::of(project, databases, &backups);
    // Of tens of thousands, the list and the verdicts need not be in memory at the same time.
    drop(backups);
    let needed = Needed { points, states, place: project.git.as_ref() };
    let mut verdicts = Vec::new();
    for group in groups.values_mut() {
        let weigh = &mut |rows: &[&Candidate]| weight::weigh(vault.folder(), rows);
        verdicts.extend(plan_group(group, policy, weigh, &needed)?);
    }
    Ok(verdicts)
}

/// The bytes that the last states of branches take up by themselves, if that is more than `policy`
/// grants to all backups: none of them goes, so its size cannot be kept.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn last_states_over_size(
    listing: Listing<'_>,
    project: &Project,
    policy: &Policy,
    now: DateTime<FixedOffset>,
) -> Result<Option<u64>> {
    if policy.max_size_bytes.is_none() || project.follow_branches == FollowBranches::Never {
        return Ok(None);
    }
    // Every checkpoint asks; most have no such policy, and need no listing of the folder.
    let (vault, backups) = (listing.vault(), listing.backups()?);
    let Some(max_size_bytes) = weight::relevant(policy, vault, &backups)?.max_size_bytes else {
        return Ok(None);
    };
    let states = LastStates::of(project, &project.databases, &backups);
    let Some(place) = &project.git else {
        return Ok(None);
    };
    let kept = backups.iter().filter(|backup| states.has(&backup.name.to_string(), place));
    let kept: Vec<Candidate> =
        kept.enumerate().map(|(order, backup)| Candidate::of(backup, order, now)).collect();
    let sizes = weight::weigh(vault.folder(), &kept.iter().collect::<Vec<_>>())?;
    let size_bytes = sizes.iter().sum();
    Ok((size_bytes > max_size_bytes).then_some(size_bytes))
}

/// The reason why a backup stays for an interrupted command or one that is running, if there is
/// one.
fn under_way(name: &str, needed: &Result<Vec<String>>) -> Option<&'static str> {
    match needed {
        Ok(names) => {
            let is_needed = names.iter().any(|needed| needed == name);
            is_needed.then_some(reason::UNDER_WAY)
        }
        Err(_) => Some(reason::UNKNOWN_WAY),
    }
}

/// The page lists in a backups folder but those that a plan condemns.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn lists_that_stay(vault: &Vault, plan: &[Verdict]) -> Result<Vec<Reference>> {
    let condemned = plan::condemned(plan);
    let mut lists = page_lists::find(vault.folder())?;
    lists.retain(|list| !list.name().is_some_and(|name| condemned.contains(name)));
    Ok(lists)
}

/// Adds to the bytes that a plan frees those of the page store: the pages to which only removed
/// backups refer.
///
/// # Errors
///
/// If the folder cannot be read, or at the user's interrupt.
pub(crate) fn weigh_pages(
    vault: &Vault,
    plan: &mut [Verdict],
    interrupt: &Interrupt,
) -> Result<()> {
    weight::weigh_condemned(vault, plan, interrupt)
}

/// The backups that branches need.
struct Needed<'a> {
    /// Their branch points, by the backup's name.
    points: BTreeMap<String, Enters>,
    /// Their last states.
    states: LastStates,
    place: Option<&'a Place>,
}

impl Needed<'_> {
    /// Why a backup must stay, if it must.
    fn reason(&self, name: &str) -> Option<&'static str> {
        // If git cannot be queried, it is unknown whether the branch is finished.
        let is_point = self
            .points
            .get(name)
            .is_some_and(|enters| self.place.is_none_or(|place| place.is_unmerged(enters)));
        let is_last_state = || self.place.is_some_and(|place| self.states.has(name, place));
        if is_point {
            return Some("the branch point of an unmerged branch");
        }
        is_last_state().then_some(REASON)
    }
}

/// Plans one group, newest first. Git is asked only about backups that would otherwise be removed.
fn plan_group(
    group: &mut [Candidate],
    policy: &Policy,
    weigh: &mut Weigh<'_>,
    needed: &Needed<'_>,
) -> Result<Vec<Verdict>> {
    let mut asked = vec![false; group.len()];
    loop {
        // One verdict for each row, in the same order.
        let verdicts = plan::plan(group, policy, weigh)?;
        let mut any = false;
        for ((row, verdict), asked) in group.iter_mut().zip(&verdicts).zip(&mut asked) {
            if verdict.keep || std::mem::replace(asked, true) {
                continue;
            }
            if let Some(reason) = needed.reason(&verdict.name) {
                row.guarded = Some(reason);
                any = true;
            }
        }
        if !any {
            return Ok(verdicts);
        }
    }
}

/// Removes the backups that a plan condemns, after verifying the newest survivors.
///
/// # Errors
///
/// A refusal if such a survivor is damaged; nothing is removed then.
pub(crate) fn apply(
    locked: &Locked<'_>,
    plan: Vec<Verdict>,
    pruning: &Pruning<'_>,
    interrupt: &Arc<Interrupt>,
) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    if plan.iter().all(|verdict| verdict.keep) {
        return Ok(pruned);
    }
    let listed = locked.backups()?;
    let backups: BTreeMap<String, &Backup> =
        listed.iter().map(|backup| (backup.name.to_string(), backup)).collect();
    for group in survivors(&plan, &backups, pruning.now) {
        // A plain one has pages of its own, which may be the only ones that are right.
        let scope = if group.is_all_stored { pruning.scope } else { Scope::All };
        demand_a_whole_one(locked, &group.backups, scope, interrupt)?;
    }
    for verdict in plan.into_iter().filter(|verdict| !verdict.keep) {
        interrupt.check()?;
        let Some(backup) = backups.get(&*verdict.name) else {
            continue;
        };
        match locked.remove(backup)? {
            None => pruned.removed.push(verdict),
            Some(why) => pruned.stayed.push((verdict.name, why)),
        }
    }
    Ok(pruned)
}

/// The backups that a plan keeps of one database and worktree, if it removes any.
struct Survivors<'b> {
    /// The backups that stay, newest first.
    backups: Vec<&'b Backup>,
    /// Whether those that go are all in the page store.
    is_all_stored: bool,
}

/// The survivors of each database and worktree from which a plan removes something.
fn survivors<'b>(
    plan: &[Verdict],
    backups: &BTreeMap<String, &'b Backup>,
    now: DateTime<FixedOffset>,
) -> Vec<Survivors<'b>> {
    let mut doomed = BTreeMap::new();
    let mut survivors = BTreeMap::<_, Vec<&'b Backup>>::new();
    let owners = owners(backups);
    for verdict in plan {
        let Some(backup) = backups.get(&*verdict.name) else { continue };
        let group = (database_of(&owners, backup).to_owned(), backup.worktree().to_owned());
        if !verdict.keep {
            let is_stored = backup.name.format.is_stored();
            let all_stored = doomed.entry(group).or_insert(true);
            *all_stored &= is_stored;
        } else if !backup.is_from_the_future(now) {
            survivors.entry(group).or_default().push(backup);
        }
    }
    let of_group = |(group, is_all_stored)| {
        let backups = survivors.remove(&group).unwrap_or_default();
        Survivors { backups, is_all_stored }
    };
    doomed.into_iter().map(of_group).collect()
}

/// The database that the recorded backups of each file name belong to; `None` if they do not agree.
fn owners<'b>(backups: &BTreeMap<String, &'b Backup>) -> BTreeMap<&'b str, Option<&'b str>> {
    let mut owners = BTreeMap::new();
    for backup in backups.values() {
        let Some(record) = backup.summary() else { continue };
        let owner = owners.entry(backup.name.file.as_str()).or_insert(Some(&*record.database));
        *owner = owner.filter(|owner| *owner == &*record.database);
    }
    owners
}

/// The database that a backup belongs to. Without a record, it is that of the other backups with
/// this file name, if they agree.
fn database_of<'b>(owners: &BTreeMap<&'b str, Option<&'b str>>, backup: &'b Backup) -> &'b str {
    match backup.summary() {
        Some(record) => &record.database,
        None => {
            owners.get(backup.name.file.as_str()).copied().flatten().unwrap_or(&backup.name.file)
        }
    }
}

/// Demands a whole backup among the survivors of one database and worktree: the newest one recorded
/// as verified must be whole, and if none is, some other must be.
fn demand_a_whole_one(
    locked: &Locked<'_>,
    survivors: &[&Backup],
    scope: Scope,
    interrupt: &Arc<Interrupt>,
) -> Result<()> {
    let hint = "nothing was removed; take a new backup with `cargo xtask db-backup`, then prune";
    // Those recorded as verified first, each newest first: only what is relied upon is read.
    let (said, others): (Vec<&Backup>, Vec<&Backup>) =
        survivors.iter().partition(|backup| backup.state().is_sound());
    for backup in said.into_iter().chain(others) {
        let verification = match scope {
            // Pruning removes no page that this one names, and reading them all would delay a
            // commit.
            Scope::Automatic
                if backup.name.format.is_stored()
                    && backup.size_bytes > MAX_BYTES_READ_BY_THE_WAY =>
            {
                verification::verify_for_restore(backup, Depth::Quick, interrupt)?
            }
            _ => verification::verify(backup, Depth::Quick, interrupt)?,
        };
        if verification.outcome == Outcome::Whole {
            return Ok(());
        }
        let suspects = suspect_packs::names(&verification.suspects);
        if !suspects.is_empty() {
            suspect_packs::examine(locked, &suspects, locked.vault().now(), interrupt)?;
        }
        if verification.outcome == Outcome::Damaged && backup.state().is_sound() {
            let (name, reasons) = (&backup.name, verification.reasons.join("; "));
            let what = "the newest backup that would stay";
            return Err(Refusal::no(format!("{what}, `{name}`, is damaged: {reasons}"), hint));
        }
    }
    Err(Refusal::no("no backup that would stay is proved whole", hint))
}

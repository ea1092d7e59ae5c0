//! The backups to keep, and why: a pure plan over a list of backups.
//!
//! The rules are restic's (<https://restic.readthedocs.io/en/stable/060_forget.html>): `daily = 7`
//! keeps the newest backup of each of the last seven days *that have one*, and the oldest backup
//! while a rule's count is not used up; `within` counts from the newest backup. A backup is kept if
//! any rule keeps it; `max-size` then removes the oldest kept ones. Some are never removed,
//! whatever the policy is. `last` to `yearly` do not count safety backups: the newest three are
//! always kept, and a few restores must not use up what keeps the others.

pub(crate) mod reason;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, Datelike as _, FixedOffset, Timelike as _};
use reason::{NEWEST, NEWEST_POSSIBLE, NEWEST_VERIFIED, Reason, Reasons};

use crate::backups::backup::{Backup, State};
use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::host::project::policy::Policy;

/// Newest safety backups that are never removed.
const N_SAFETY_KEPT: usize = 3;

/// Everything that the plan needs to know about a backup.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Its file name.
    pub name: Arc<str>,
    /// Its place in time, the higher the newer.
    pub order: usize,
    /// Time at which it was taken, in the local time of then.
    pub created_at: DateTime<FixedOffset>,
    /// Why it was taken.
    pub kind: Option<Kind>,
    /// Label that the user gave it.
    pub label: Option<Arc<str>>,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Its state, as far as it is known.
    pub state: State,
    /// Whether its time is more than a day ahead.
    pub future: bool,
    /// Size of its file; for a stored backup, that of its page list.
    pub file_bytes: u64,
    /// How it is kept.
    pub format: Format,
    /// Equal for hard links to one file.
    pub identity: (u64, u64),
    /// Why it must stay, for a reason from outside the policy.
    pub guarded: Option<&'static str>,
}

impl Candidate {
    /// Gathers what the plan needs to know about a listed backup; `order` is its place, the higher
    /// the newer.
    #[must_use]
    pub(crate) fn of(backup: &Backup, order: usize, now: DateTime<FixedOffset>) -> Self {
        Self {
            name: backup.name.to_string().into(),
            order,
            created_at: backup.created_at,
            kind: backup.kind(),
            label: backup.summary().and_then(|record| record.label.clone()),
            pinned: backup.is_pinned(),
            state: backup.state(),
            future: backup.is_from_the_future(now),
            file_bytes: backup.file_bytes,
            format: backup.name.format,
            identity: backup.identity,
            guarded: guarded(backup, now),
        }
    }
}

/// The reason why a backup stays whatever the policy is, if there is one.
fn guarded(backup: &Backup, now: DateTime<FixedOffset>) -> Option<&'static str> {
    if !backup.record_agrees() {
        return Some("its record does not match it");
    }
    // Its name would be given again in this second, to another state.
    (backup.created_at.timestamp() == now.timestamp()).then_some("taken just now")
}

/// The verdict on one backup, with reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Its file name.
    pub name: Arc<str>,
    /// Whether it stays.
    pub keep: bool,
    /// Every reason to keep it, or the one to remove it.
    pub reasons: Reasons,
    /// Bytes of its file that its removal frees; 0 if it stays or another hard link does.
    pub freed_bytes: u64,
}

/// How firmly a backup is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// Whatever the policy is.
    Firm,
    /// By rules of the policy: it is removed if the backups that stay are too large.
    Rules,
    /// Not at all.
    None,
}

/// Returns, for some backups in this order, the bytes that each needs in addition to those before
/// it.
pub(crate) type Weigh<'w> = dyn FnMut(&[&Candidate]) -> Result<Vec<u64>> + 'w;

/// The size of each file, hard links counted once.
pub(crate) fn weigh_files(rows: &[&Candidate]) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    let weigh = |row: &&Candidate| if seen.insert(row.identity) { row.file_bytes } else { 0 };
    rows.iter().map(weigh).collect()
}

/// Plans the retention of one database's backups in one worktree; the order of input is irrelevant.
/// Newest first. `weigh` is asked if the size matters.
///
/// # Errors
///
/// If `weigh` fails.
pub(crate) fn plan(
    candidates: &[Candidate],
    policy: &Policy,
    weigh: &mut Weigh<'_>,
) -> Result<Vec<Verdict>> {
    let mut rows: Vec<&Candidate> = candidates.iter().collect();
    rows.sort_by(|a, b| (b.order, &b.name).cmp(&(a.order, &a.name)));
    let mut reasons = protect(&rows);
    let is_firm: Vec<bool> = reasons.iter().map(|reasons| !reasons.is_empty()).collect();
    apply_rules(&rows, policy, &mut reasons);
    let hold = |(is_firm, reasons): (bool, &Reasons)| match reasons.is_empty() {
        _ if is_firm => Hold::Firm,
        true => Hold::None,
        false => Hold::Rules,
    };
    let mut holds: Vec<Hold> = is_firm.into_iter().zip(&reasons).map(hold).collect();
    if let Some(max_bytes) = policy.max_size_bytes {
        for i in too_large(&rows, &holds, max_bytes, weigh)? {
            holds[i] = Hold::None;
            reasons[i] = Reasons::one(Reason::OverSize(max_bytes));
        }
    }
    let keep: Vec<bool> = holds.iter().map(|hold| *hold != Hold::None).collect();
    let freed_bytes = freed_bytes(&rows, &keep);
    let rows = rows.iter().zip(keep).zip(reasons).zip(freed_bytes);
    let verdicts = rows.map(|(((row, keep), mut reasons), freed_bytes)| {
        if reasons.is_empty() {
            reasons = Reasons::one(Reason::Plain("no rule keeps it"));
        }
        Verdict { name: Arc::clone(&row.name), keep, reasons, freed_bytes }
    });
    Ok(verdicts.collect())
}

/// The places of the oldest backups that only rules keep, without which the rest is not larger.
fn too_large(
    rows: &[&Candidate],
    holds: &[Hold],
    most_bytes: u64,
    weigh: &mut Weigh<'_>,
) -> Result<Vec<usize>> {
    // Backups that stay anyway are weighed first: then removing another one frees exactly its weight.
    let (mut order, free): (Vec<usize>, Vec<usize>) =
        (0..rows.len()).filter(|i| holds[*i] != Hold::None).partition(|i| holds[*i] == Hold::Firm);
    order.extend(free);
    let sizes = weigh(&order.iter().map(|i| rows[*i]).collect::<Vec<_>>())?;
    let mut total_bytes: u64 = sizes.iter().sum();
    let mut too_large = Vec::new();
    for (i, size_bytes) in order.into_iter().zip(sizes).rev() {
        if total_bytes <= most_bytes || holds[i] == Hold::Firm {
            break;
        }
        too_large.push(i);
        total_bytes -= size_bytes;
    }
    Ok(too_large)
}

/// The reasons why backups stay whatever the policy is.
fn protect(rows: &[&Candidate]) -> Vec<Reasons> {
    let mut reasons = vec![Reasons::default(); rows.len()];
    let newest = rows.iter().position(|row| !row.future);
    let is_verified = |row: &&&Candidate| !row.future && row.state == State::Verified;
    let newest_of = |is_good: &dyn Fn(&&&Candidate) -> bool| {
        let ordinary = rows.iter().position(|row| is_good(&row) && row.kind != Some(Kind::Safety));
        ordinary.or_else(|| rows.iter().position(|row| is_good(&row)))
    };
    let verified = newest_of(&is_verified);
    // It is not known to be damaged, but it was not read lately.
    let sound = newest_of(&|row| !row.future && row.state.is_sound());
    let mut n_safety = 0;
    for (i, row) in rows.iter().enumerate() {
        let mut say = |reason: &'static str| reasons[i].add(Reason::Plain(reason));
        if row.pinned {
            say("pinned");
        }
        if verified == Some(i) {
            say(NEWEST_VERIFIED);
        } else if sound == Some(i) {
            say(NEWEST_POSSIBLE);
        } else if newest == Some(i) {
            say(NEWEST);
        }
        if row.future {
            say("dated in the future");
        }
        if row.kind == Some(Kind::Safety) && !row.future {
            n_safety += 1;
            if n_safety <= N_SAFETY_KEPT {
                say("one of the newest three safety backups");
            }
        }
        if let Some(reason) = row.guarded {
            say(reason);
        }
    }
    reasons
}

/// A rule that keeps the newest backup of each of a number of periods.
struct Rule {
    left: u32,
    seen: BTreeSet<(i32, u32)>,
    word: &'static str,
    period: fn(&DateTime<FixedOffset>, usize) -> (i32, u32),
}

fn apply_rules(rows: &[&Candidate], policy: &Policy, reasons: &mut [Reasons]) {
    let counted: Vec<usize> = (0..rows.len()).filter(|i| !rows[*i].future).collect();
    let is_ordinary = |i: &&usize| rows[**i].kind != Some(Kind::Safety);
    let oldest = counted.iter().rev().find(is_ordinary).copied();
    if !policy.has_keep_rules() {
        for i in &counted {
            reasons[*i].add(Reason::Plain("within the size"));
        }
        return;
    }
    let since = policy
        .within
        .and_then(|span| span.before(counted.iter().map(|i| rows[*i].created_at).max()?));
    let mut rules = rules(policy);
    for &i in &counted {
        let row = rows[i];
        if row
            .label
            .as_ref()
            .is_some_and(|label| policy.labels.iter().any(|kept| **kept == **label))
        {
            reasons[i].add(Reason::Plain("label"));
        }
        if let (Some(since), Some(span)) = (since, policy.within)
            && row.created_at > since
        {
            reasons[i].add(Reason::Within(span));
        }
        for rule in &mut rules {
            // Safety backups have a rule of their own: they must not use up those of the others.
            if rule.left == 0 || row.kind == Some(Kind::Safety) {
                continue;
            }
            let is_new = rule.seen.insert((rule.period)(&row.created_at, i));
            if is_new || Some(i) == oldest {
                rule.left -= 1;
                reasons[i].add(Reason::Plain(rule.word));
            }
        }
    }
}

fn rules(policy: &Policy) -> [Rule; 6] {
    let rule = |left, word, period| Rule { left, seen: BTreeSet::new(), word, period };
    [
        rule(policy.last, "last", |_, i| (0, u32::try_from(i).unwrap_or(u32::MAX))),
        rule(policy.hourly, "hourly", |t, _| (t.year(), t.ordinal() * 24 + t.hour())),
        rule(policy.daily, "daily", |t, _| (t.year(), t.ordinal())),
        rule(policy.weekly, "weekly", |t, _| (t.iso_week().year(), t.iso_week().week())),
        rule(policy.monthly, "monthly", |t, _| (t.year(), t.month())),
        rule(policy.yearly, "yearly", |t, _| (t.year(), 0)),
    ]
}

/// The bytes that the removal of each row frees: its file, unless a kept row is a hard link to it.
/// Of several removed links, the first counts.
fn freed_bytes(rows: &[&Candidate], keep: &[bool]) -> Vec<u64> {
    let kept = rows.iter().zip(keep).filter(|(_, keep)| **keep);
    let mut seen: HashSet<(u64, u64)> = kept.map(|(row, _)| row.identity).collect();
    let freed = |(row, keep): (&&Candidate, &bool)| {
        if !keep && seen.insert(row.identity) { row.file_bytes } else { 0 }
    };
    rows.iter().zip(keep).map(freed).collect()
}

/// The names of the backups that a plan removes.
pub(crate) fn condemned(plan: &[Verdict]) -> HashSet<&str> {
    plan.iter().filter(|verdict| !verdict.keep).map(|verdict| &*verdict.name).collect()
}

#[cfg(test)]
mod tests;

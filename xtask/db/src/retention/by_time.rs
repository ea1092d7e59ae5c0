//! The retention of what is not a backup: bundles, and snapshots of file systems. The rules are those of backups.

use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta};

use crate::backups::backup::State;
use crate::backups::format::Format;
use crate::host::project::policy::Policy;
use crate::retention::plan::{self, Candidate, Verdict, weigh_files};

/// Something that was made at a time.
#[derive(Debug, Clone)]
pub(crate) struct Dated {
    /// Its name.
    pub(crate) name: String,
    /// When it was made, in local time.
    pub(crate) time: NaiveDateTime,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// Whether it is known to be good: the newest of these is never removed.
    pub(crate) is_good: bool,
    /// Why it must stay, for a reason from outside the policy.
    pub(crate) guarded: Option<&'static str>,
}

/// Plans the retention; `all` is newest first. Rules for labels keep none.
///
/// # Errors
///
/// None: the sizes are known.
pub(crate) fn plan(
    all: &[Dated],
    policy: &Policy,
    now: DateTime<FixedOffset>,
) -> Result<Vec<Verdict>> {
    let candidates: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(i, one)| {
            let created_at = one.time.and_local_timezone(*now.offset()).earliest().unwrap_or(now);
            Candidate {
                name: one.name.as_str().into(),
                order: all.len() - i,
                created_at,
                kind: None,
                label: None,
                pinned: false,
                state: if one.is_good { State::Verified } else { State::Unverified },
                future: created_at > now + TimeDelta::days(1),
                file_bytes: one.size_bytes,
                format: Format::Plain,
                identity: (0, i as u64),
                guarded: one.guarded,
            }
        })
        .collect();
    plan::plan(&candidates, policy, &mut |rows| Ok(weigh_files(rows)))
}

/// The names that a plan removes, with the reason of each.
#[must_use]
pub(crate) fn doomed(plan: &[Verdict]) -> Vec<(Arc<str>, String)> {
    let doomed = plan.iter().filter(|verdict| !verdict.keep);
    doomed.map(|verdict| (Arc::clone(&verdict.name), verdict.reasons.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(all: &[(&str, bool, Option<&'static str>)], policy: &Policy) -> Vec<String> {
        let now = DateTime::parse_from_rfc3339("2025-09-13T14:25:30+02:00").expect("a time");
        let dated = |(time, is_good, guarded): &(&str, bool, Option<&'static str>)| Dated {
            name: (*time).to_owned(),
            time: NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M").expect("a time"),
            size_bytes: 100,
            is_good: *is_good,
            guarded: *guarded,
        };
        let all: Vec<_> = all.iter().map(dated).collect();
        let plan = plan(&all, policy, now).expect("a plan");
        plan.iter().filter(|verdict| verdict.keep).map(|verdict| verdict.name.to_string()).collect()
    }

    #[test]
    fn hours_days_and_months_are_counted_as_for_backups() {
        let all = [
            ("2025-09-13 14:20", true, None),
            ("2025-09-13 14:10", true, None),
            ("2025-09-13 13:00", true, None),
            ("2025-09-12 23:00", true, None),
            ("2025-09-12 22:00", true, None),
            ("2025-08-31 10:00", true, None),
            ("2025-08-30 10:00", true, None),
        ];
        let policy = Policy { hourly: 2, daily: 2, monthly: 2, ..Policy::default() };
        let expected =
            ["2025-09-13 14:20", "2025-09-13 13:00", "2025-09-12 23:00", "2025-08-31 10:00"];
        assert_eq!(kept(&all, &policy), expected);
    }

    #[test]
    fn the_newest_good_one_and_the_guarded_ones_stay_whatever_the_policy_is() {
        let all = [
            ("2025-09-20 10:00", false, None),
            ("2025-09-13 14:20", false, Some("written just now")),
            ("2025-09-13 14:10", false, None),
            ("2025-09-12 10:00", true, None),
            ("2025-09-11 10:00", true, None),
        ];
        let policy = Policy { last: 1, ..Policy::default() };
        let expected = ["2025-09-20 10:00", "2025-09-13 14:20", "2025-09-12 10:00"];
        assert_eq!(kept(&all, &policy), expected);
        let policy = Policy { max_size_bytes: Some(1), ..Policy::default() };
        assert_eq!(kept(&all, &policy), expected);
    }
}

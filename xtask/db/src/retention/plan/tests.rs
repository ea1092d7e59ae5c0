//! A table of restic's cases and the laws of retention.

use proptest::prelude::*;

use super::*;
use crate::Span;

/// A plan if all backups are plain.
fn plan(candidates: &[Candidate], policy: &Policy) -> Vec<Verdict> {
    super::plan(candidates, policy, &mut |rows| Ok(weigh_files(rows))).expect("planned")
}

fn candidate(order: usize, time: &str) -> Candidate {
    let created_at = DateTime::parse_from_rfc3339(time).expect("a time");
    Candidate {
        name: format!("{order:04}").into(),
        order,
        created_at,
        kind: Some(Kind::Manual),
        label: None,
        pinned: false,
        state: State::Unverified,
        future: false,
        file_bytes: 100,
        format: Format::Plain,
        identity: (1, order as u64),
        guarded: None,
    }
}

/// Times from oldest to newest; the names of the kept ones are their places in this list.
fn check(times: &[&str], policy: &Policy, kept: &[usize]) {
    let candidates: Vec<_> =
        times.iter().enumerate().map(|(order, time)| candidate(order, time)).collect();
    let verdicts = plan(&candidates, policy);
    let mut got: Vec<usize> =
        verdicts.iter().filter(|v| v.keep).map(|v| v.name.parse().expect("order")).collect();
    got.sort_unstable();
    assert_eq!(got, kept, "{policy:?}: {verdicts:#?}");
}

const TIMES: [&str; 8] = [
    "2024-06-01T10:00:00+02:00",
    "2025-01-01T10:00:00+01:00",
    "2025-02-03T10:00:00+01:00",
    "2025-02-04T09:10:00+01:00",
    "2025-02-04T09:50:00+01:00",
    "2025-02-04T10:10:00+01:00",
    "2025-02-10T10:00:00+01:00",
    "2025-02-10T23:30:00+01:00",
];

#[test]
fn the_rules_mean_what_restic_s_mean() {
    let none = Policy::default();
    check(&TIMES, &Policy { last: 3, ..none.clone() }, &[5, 6, 7]);
    check(&TIMES, &Policy { hourly: 3, ..none.clone() }, &[5, 6, 7]);
    check(&TIMES, &Policy { hourly: 4, ..none.clone() }, &[4, 5, 6, 7]);
    // Natural days that have backups, the newest of each.
    check(&TIMES, &Policy { daily: 2, ..none.clone() }, &[5, 7]);
    check(&TIMES, &Policy { daily: 3, ..none.clone() }, &[2, 5, 7]);
    check(&TIMES, &Policy { weekly: 2, ..none.clone() }, &[5, 7]);
    check(&TIMES, &Policy { monthly: 2, ..none.clone() }, &[1, 7]);
    check(&TIMES, &Policy { yearly: 2, ..none.clone() }, &[0, 7]);
    // While a count is not used up, the oldest stays too.
    check(&TIMES[1..], &Policy { yearly: 2, ..none.clone() }, &[0, 6]);
    // `within` counts from the newest backup, not from today.
    let days = Span { n_days: 7, ..Span::default() };
    check(&TIMES, &Policy { within: Some(days), ..none.clone() }, &[3, 4, 5, 6, 7]);
    // Rules add up.
    check(&TIMES, &Policy { last: 1, monthly: 2, yearly: 2, ..none }, &[0, 1, 7]);
}

#[test]
fn the_size_takes_the_oldest_that_are_not_protected() {
    let mut candidates: Vec<_> =
        TIMES.iter().enumerate().map(|(order, time)| candidate(order, time)).collect();
    candidates[0].pinned = true;
    candidates[3].state = State::Verified;
    let policy = Policy { max_size_bytes: Some(400), ..Policy::default() };
    let verdicts = plan(&candidates, &policy);
    let kept: Vec<_> = verdicts.iter().filter(|v| v.keep).map(|v| &*v.name).collect();
    assert_eq!(kept, ["0007", "0006", "0003", "0000"]);
    assert_eq!(verdicts.iter().map(|v| v.freed_bytes).sum::<u64>(), 400);
}

#[test]
fn hard_links_are_counted_once_and_freed_with_the_last() {
    let mut candidates: Vec<_> =
        TIMES.iter().enumerate().map(|(order, time)| candidate(order, time)).collect();
    for candidate in &mut candidates[..4] {
        candidate.identity = (1, 99);
    }
    let freed = |last: u32| {
        let policy = Policy { last, ..Policy::default() };
        plan(&candidates, &policy).iter().map(|v| v.freed_bytes).sum::<u64>()
    };
    assert_eq!(freed(5), 0);
    assert_eq!(freed(4), 100);
}

#[test]
fn safety_pins_and_the_future_are_never_removed() {
    let mut candidates: Vec<_> =
        TIMES.iter().enumerate().map(|(order, time)| candidate(order, time)).collect();
    for candidate in &mut candidates[..5] {
        candidate.kind = Some(Kind::Safety);
    }
    candidates[5].future = true;
    candidates[6].guarded = Some("it is being read");
    let verdicts = plan(&candidates, &Policy { last: 1, ..Policy::default() });
    let removed: Vec<_> = verdicts.iter().filter(|v| !v.keep).map(|v| &*v.name).collect();
    assert_eq!(removed, ["0001", "0000"]);
}

#[test]
fn restores_do_not_use_up_what_keeps_the_others() {
    let mut candidates: Vec<_> =
        TIMES.iter().enumerate().map(|(order, time)| candidate(order, time)).collect();
    for candidate in &mut candidates[2..] {
        candidate.kind = Some(Kind::Safety);
    }
    let verdicts = plan(&candidates, &Policy { last: 2, ..Policy::default() });
    let kept: Vec<_> = verdicts.iter().filter(|v| v.keep).map(|v| &*v.name).collect();
    assert_eq!(kept, ["0007", "0006", "0005", "0001", "0000"]);
}

#[test]
fn a_backup_from_the_future_is_no_reference_point() {
    let mut candidates: Vec<_> =
        TIMES.iter().enumerate().map(|(order, time)| candidate(order, time)).collect();
    let mut ahead = candidate(8, "2035-02-10T10:00:00+01:00");
    ahead.future = true;
    candidates.push(ahead);
    let days = Span { n_days: 7, ..Span::default() };
    let verdicts = plan(&candidates, &Policy { within: Some(days), ..Policy::default() });
    assert_eq!(verdicts.iter().filter(|v| v.keep).count(), 6);
}

#[test]
fn a_folder_of_hard_links_is_planned_in_linear_time() {
    // Comparing each pair would take 10 billion steps.
    let links: Vec<_> = (0..100_000)
        .map(|order| Candidate {
            identity: (1, 1 + order as u64 / 2),
            name: format!("{order:06}").into(),
            ..candidate(order, TIMES[0])
        })
        .collect();
    let verdicts = plan(&links, &Policy { last: 10, ..Policy::default() });
    let n_removed = verdicts.iter().filter(|verdict| !verdict.keep).count() as u64;
    assert_eq!(verdicts.iter().map(|verdict| verdict.freed_bytes).sum::<u64>(), 50 * n_removed);
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (0_i64..400 * 24, 0_u8..8, any::<bool>(), 1_u64..1000);
    proptest::collection::vec(one, 1..40).prop_map(|rows| {
        let start = DateTime::parse_from_rfc3339("2024-01-01T00:00:00+01:00").expect("a time");
        let mut hours: Vec<i64> = rows.iter().map(|row| row.0).collect();
        hours.sort_unstable();
        let rows = rows.into_iter().zip(hours).enumerate();
        rows.map(|(order, ((_, kind, pinned, file_bytes), hour))| Candidate {
            created_at: start + chrono::TimeDelta::hours(hour),
            kind: Some(if kind == 0 { Kind::Safety } else { Kind::Manual }),
            pinned: pinned && kind == 1,
            state: if kind == 2 { State::Damaged } else { State::Verified },
            file_bytes,
            ..candidate(order, "2024-01-01T00:00:00+01:00")
        })
        .collect()
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let count = || 0_u32..6;
    let counts = (count(), count(), count(), count(), count(), count());
    (counts, proptest::option::of(1_u32..100)).prop_map(|(counts, n_days)| Policy {
        last: counts.0,
        hourly: counts.1,
        daily: counts.2,
        weekly: counts.3,
        monthly: counts.4,
        yearly: counts.5,
        within: n_days.map(|n_days| Span { n_days, ..Span::default() }),
        ..Policy::default()
    })
}

fn kept(candidates: &[Candidate], policy: &Policy) -> BTreeSet<Arc<str>> {
    plan(candidates, policy).into_iter().filter(|v| v.keep).map(|v| v.name).collect()
}

proptest! {
    #[test]
    fn the_newest_is_always_kept(candidates in candidates(), policy in policies()) {
        let newest = format!("{:04}", candidates.len() - 1);
        prop_assert!(kept(&candidates, &policy).contains(&*newest));
    }

    #[test]
    fn the_order_of_input_is_irrelevant(candidates in candidates(), policy in policies()) {
        let mut reversed = candidates.clone();
        reversed.reverse();
        prop_assert_eq!(plan(&candidates, &policy), plan(&reversed, &policy));
    }

    #[test]
    fn a_larger_policy_keeps_a_superset(
        candidates in candidates(), policy in policies(), more in policies(),
    ) {
        let larger = Policy {
            last: policy.last + more.last,
            hourly: policy.hourly + more.hourly,
            daily: policy.daily + more.daily,
            weekly: policy.weekly + more.weekly,
            monthly: policy.monthly + more.monthly,
            yearly: policy.yearly + more.yearly,
            ..policy.clone()
        };
        prop_assume!(!policy.is_empty());
        prop_assert!(kept(&candidates, &policy).is_subset(&kept(&candidates, &larger)));
    }

    #[test]
    fn what_stays_fits_into_the_size_or_is_protected_and_nothing_goes_needlessly(
        mut candidates in candidates(), most_bytes in 1_u64..8000, links in 1_u64..4,
    ) {
        for (order, candidate) in candidates.iter_mut().enumerate() {
            candidate.identity = (1, order as u64 / links);
            candidate.file_bytes = 100 + candidate.identity.1;
        }
        let policy = Policy { max_size_bytes: Some(most_bytes), ..Policy::default() };
        let verdicts = plan(&candidates, &policy);
        let size = |from: usize| {
            let kept = verdicts.iter().enumerate().filter(|(i, v)| v.keep || *i <= from);
            let rows: Vec<&Candidate> = kept
                .filter_map(|(_, v)| candidates.iter().find(|row| row.name == v.name))
                .collect();
            weigh_files(&rows).iter().sum::<u64>()
        };
        // Newest first: the first that goes would not have fitted with those above it.
        if let Some(first) = verdicts.iter().position(|v| !v.keep) {
            prop_assert!(size(first) > most_bytes);
        }
        let oldest = verdicts.iter().rposition(|v| v.keep && v.reasons.to_string() == "within the size");
        if oldest.is_some() {
            prop_assert!(size(0) <= most_bytes);
        }
    }

    #[test]
    fn every_verdict_has_a_reason(candidates in candidates(), policy in policies()) {
        prop_assert!(plan(&candidates, &policy).iter().all(|v| !v.reasons.is_empty()));
    }
}

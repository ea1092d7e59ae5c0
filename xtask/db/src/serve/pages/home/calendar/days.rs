//! Backups counted by days and months.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate};

use crate::console::text;
use crate::serve::documents::backup::{Backup, State};

/// Whole weeks before this one, at most and at least.
const MAX_WEEKS: u64 = 25;
const MIN_WEEKS: u64 = 11;

/// One day and its backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) date: NaiveDate,
    /// Column, from 0.
    pub(super) week: usize,
    /// Row: 0 is Monday.
    pub(super) weekday: usize,
    pub(super) n_verified: usize,
    pub(super) n_unverified: usize,
    pub(super) n_damaged: usize,
}

/// The best that a day has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rating {
    None,
    Damaged,
    Unverified,
    Verified,
}

/// The days of one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Month {
    pub(super) name: String,
    pub(super) n_verified: usize,
    /// Days of the month without a verified backup.
    without: Vec<u32>,
}

impl Day {
    /// The best that it has.
    pub(super) fn rating(&self) -> Rating {
        match (self.n_verified, self.n_unverified, self.n_damaged) {
            (1.., _, _) => Rating::Verified,
            (0, 1.., _) => Rating::Unverified,
            (0, 0, 1..) => Rating::Damaged,
            (0, 0, 0) => Rating::None,
        }
    }

    /// Whether the name of its month is written above it.
    pub(super) fn begins_month(&self) -> bool {
        self.weekday == 0 && self.date.day() <= 7
    }

    /// Its backups in words.
    pub(super) fn in_words(&self) -> String {
        let all = self.n_verified + self.n_unverified + self.n_damaged;
        match all {
            0 => "no backup".to_owned(),
            _ => format!("{}, {} verified", text::count(all as u64, "backup"), self.n_verified),
        }
    }
}

impl Month {
    /// The days without a verified backup, e.g. `3, 8–12`.
    pub(super) fn days_without(&self) -> String {
        let mut ranges: Vec<[u32; 2]> = Vec::new();
        for &day in &self.without {
            match ranges.last_mut() {
                Some([_, end]) if *end + 1 == day => *end = day,
                _ => ranges.push([day, day]),
            }
        }
        let words = ranges.iter().map(|[from, to]| match to - from {
            0 => from.to_string(),
            _ => format!("{from}–{to}"),
        });
        let words: Vec<_> = words.collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }
}

/// All days from a Monday, at most half a year ago, until today.
pub(super) fn days(backups: &[Backup], now: DateTime<FixedOffset>) -> Vec<Day> {
    let today = now.date_naive();
    let monday = today - Days::new(today.weekday().num_days_from_monday().into());
    let first = monday - Days::new(7 * weeks(backups, monday));
    let mut counted: BTreeMap<NaiveDate, [usize; 3]> = BTreeMap::new();
    for backup in backups {
        let day = counted.entry(backup.created_at.date_naive()).or_default();
        match backup.state() {
            State::Verified => day[0] += 1,
            State::Unread | State::Unverified | State::Unrecorded => day[1] += 1,
            State::Damaged => day[2] += 1,
        }
    }
    let dates = first.iter_days().take_while(|date| *date <= today);
    let of = |(i, date): (usize, NaiveDate)| {
        let [n_verified, n_unverified, n_damaged] = counted.get(&date).copied().unwrap_or_default();
        Day { date, week: i / 7, weekday: i % 7, n_verified, n_unverified, n_damaged }
    };
    dates.enumerate().map(of).collect()
}

/// Weeks before this one: as many as there were backups.
fn weeks(backups: &[Backup], monday: NaiveDate) -> u64 {
    let oldest = backups.iter().map(|backup| backup.created_at.date_naive()).min();
    let days = oldest.map_or(0, |oldest| monday.signed_duration_since(oldest).num_days());
    u64::try_from(days).unwrap_or(0).div_ceil(7).clamp(MIN_WEEKS, MAX_WEEKS)
}

/// The days since the first that has a backup.
pub(super) fn counted(days: &[Day]) -> &[Day] {
    let first = days.iter().position(|day| day.rating() != Rating::None).unwrap_or(days.len());
    &days[first..]
}

/// The most days in a row without a verified backup.
pub(super) fn longest_gap(days: &[Day]) -> usize {
    let gaps = days.split(|day| day.rating() == Rating::Verified);
    gaps.map(<[Day]>::len).max().unwrap_or(0)
}

/// The days by months.
pub(super) fn months(days: &[Day]) -> Vec<Month> {
    let mut months: Vec<Month> = Vec::new();
    for day in days {
        let name = day.date.format("%B %Y").to_string();
        if months.last().is_none_or(|month| month.name != name) {
            months.push(Month { name, n_verified: 0, without: Vec::new() });
        }
        let Some(month) = months.last_mut() else { continue };
        if day.n_verified > 0 {
            month.n_verified += 1;
        } else {
            month.without.push(day.date.day());
        }
    }
    months
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn backup(at: &str, state: &str) -> Backup {
        let document = json!({ "name": at, "created_at": at, "size_bytes": 1, "state": state });
        serde_json::from_value(document).unwrap()
    }

    fn now() -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339("2026-12-02T08:00:00+01:00").unwrap()
    }

    #[test]
    fn weeks_begin_on_monday_and_the_last_day_is_today() {
        assert_eq!(days(&[], now()).len(), 11 * 7 + 3);
        let days = days(&[backup("2020-01-01T00:00:00Z", "verified")], now());
        assert_eq!(days.len(), 25 * 7 + 3);
        assert_eq!(days[0].date.format("%A").to_string(), "Monday");
        let today = days.last().unwrap();
        assert_eq!(
            (today.date.to_string(), today.week, today.weekday),
            ("2026-12-02".into(), 25, 2)
        );
    }

    #[test]
    fn days_before_the_first_backup_do_not_count() {
        let days = days(&[backup("2026-11-28T10:00:00Z", "verified")], now());
        assert_eq!(counted(&days).len(), 5);
        assert_eq!(longest_gap(counted(&days)), 4);
    }

    #[test]
    fn a_day_is_as_good_as_its_best_backup() {
        let check = |states: &[&str], expected: Rating| {
            let of = |state: &&str| backup("2026-12-01T23:30:00+01:00", state);
            let backups: Vec<_> = states.iter().map(of).collect();
            let days = days(&backups, now());
            let day = &days[days.len() - 2];
            assert_eq!(day.rating(), expected, "{states:?}");
        };
        check(&[], Rating::None);
        check(&["damaged"], Rating::Damaged);
        check(&["damaged", "unread since 2026-11-02"], Rating::Unverified);
        check(&["damaged", "unverified", "verified"], Rating::Verified);
    }

    #[test]
    fn days_without_are_ranges() {
        let check = |without: &[u32], expected: &str| {
            let month = Month { name: String::new(), n_verified: 0, without: without.to_vec() };
            assert_eq!(month.days_without(), expected);
        };
        check(&[], "none");
        check(&[3], "3");
        check(&[1, 2, 3, 8, 10, 11], "1–3, 8, 10–11");
    }
}

//! Times, ages and sizes in the words of the page.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, TimeDelta};
use maud::{Markup, html};

use crate::console::text;

/// An age as a person would put it, e.g. `12 minutes ago`.
#[must_use]
pub(crate) fn ago(age: TimeDelta) -> String {
    match age.num_seconds() {
        ..45 => "just now".to_owned(),
        _ => format!("{} ago", span(age)),
    }
}

/// A span in its largest whole unit, e.g. `62 minutes` or `3 days`.
#[must_use]
pub(crate) fn span(span: TimeDelta) -> String {
    let seconds = u64::try_from(span.num_seconds()).unwrap_or(0);
    let of = |unit: u64, noun| text::count(seconds / unit, noun);
    match seconds {
        0..90 => of(1, "second"),
        90..5400 => text::count((seconds + 30) / 60, "minute"),
        5400..172_800 => text::count((seconds + 1800) / 3600, "hour"),
        172_800..5_184_000 => of(86_400, "day"),
        5_184_000..63_072_000 => of(2_592_000, "month"),
        _ => of(31_536_000, "year"),
    }
}

/// A moment near now by its day, e.g. `today at 21:10`, else its date and time.
#[must_use]
pub(crate) fn moment(at: DateTime<FixedOffset>, now: DateTime<FixedOffset>) -> String {
    let days = now.date_naive().signed_duration_since(at.date_naive()).num_days();
    let time = at.format("%H:%M");
    match days {
        0 => format!("today at {time}"),
        1 => format!("yesterday at {time}"),
        _ => format!("{} at {time}", day(at.date_naive(), now.date_naive())),
    }
}

/// Date and time in a table, e.g. `30 Nov, 21:10`.
#[must_use]
pub(crate) fn date_and_time(at: DateTime<FixedOffset>, now: DateTime<FixedOffset>) -> String {
    format!("{}, {}", day(at.date_naive(), now.date_naive()), at.format("%H:%M"))
}

/// A day, with its year if that is another one.
#[must_use]
pub(crate) fn day(day: NaiveDate, today: NaiveDate) -> String {
    let format = if day.year() == today.year() { "%-d %b" } else { "%-d %b %Y" };
    day.format(format).to_string()
}

/// A moment in full, for records.
#[must_use]
pub(crate) fn full(at: DateTime<FixedOffset>) -> String {
    at.format("%A, %-d %B %Y, %H:%M:%S").to_string()
}

/// A moment that programs can read, too.
#[must_use]
pub(crate) fn time(at: DateTime<FixedOffset>, shown: &str) -> Markup {
    html! { time datetime=(at.format("%Y-%m-%dT%H:%M:%S%:z")) title=(full(at)) { (shown) } }
}

/// An age that the script keeps up to date.
#[must_use]
pub(crate) fn live_age(at: DateTime<FixedOffset>, now: DateTime<FixedOffset>) -> Markup {
    let shown = ago(now.signed_duration_since(at));
    html! { time data-ago datetime=(at.format("%Y-%m-%dT%H:%M:%S%:z")) title=(full(at)) { (shown) } }
}

/// The last part of a path or an address.
#[must_use]
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(text).unwrap()
    }

    #[test]
    fn ages_have_one_unit() {
        let check = |seconds, expected: &str| {
            assert_eq!(ago(TimeDelta::seconds(seconds)), expected);
        };
        check(-5, "just now");
        check(30, "just now");
        check(62, "62 seconds ago");
        check(3744, "62 minutes ago");
        check(7300, "2 hours ago");
        check(86_400 * 3, "3 days ago");
        check(86_400 * 61, "2 months ago");
        check(86_400 * 800, "2 years ago");
    }

    #[test]
    fn moments_near_now_are_named_by_their_day() {
        let now = at("2026-11-30T22:12:00+01:00");
        let check = |moment_at: &str, expected: &str| {
            assert_eq!(moment(at(moment_at), now), expected);
        };
        check("2026-11-30T21:10:00+01:00", "today at 21:10");
        check("2026-11-29T23:59:00+01:00", "yesterday at 23:59");
        check("2026-11-02T08:00:00+01:00", "2 Nov at 08:00");
        check("2025-11-02T08:00:00+01:00", "2 Nov 2025 at 08:00");
    }
}

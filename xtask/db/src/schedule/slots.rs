//! The moments at which backups are due. They are times on the wall: an hour that a clock change skips moves them to
//! the end of that hour, and one that it repeats counts once.

use chrono::{
    DateTime, Days, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta,
    TimeZone,
};

use crate::host::project::schedule::When;

/// The last slot up to a moment, which is itself one perhaps.
#[must_use]
pub(crate) fn last<Z: TimeZone>(
    when: When,
    now: DateTime<FixedOffset>,
    zone: &Z,
) -> Option<DateTime<FixedOffset>> {
    // A slot of the next date can have come when a clock was set back over midnight.
    let today = now.with_timezone(zone).date_naive().checked_add_days(Days::new(1))?;
    let dates = (0..=n_days_between(when) + 2).filter_map(|n| today.checked_sub_days(Days::new(n)));
    dates.filter_map(|date| of_date(when, date, zone).rfind(|slot| *slot <= now)).max()
}

/// The first slot after a moment.
#[must_use]
pub(crate) fn next<Z: TimeZone>(
    when: When,
    now: DateTime<FixedOffset>,
    zone: &Z,
) -> Option<DateTime<FixedOffset>> {
    let today = now.with_timezone(zone).date_naive().checked_sub_days(Days::new(1))?;
    let dates = (0..=n_days_between(when) + 2).filter_map(|n| today.checked_add_days(Days::new(n)));
    dates.filter_map(|date| of_date(when, date, zone).find(|slot| *slot > now)).min()
}

/// How many slots came after a moment and before another.
#[must_use]
pub(crate) fn n_between<Z: TimeZone>(
    when: When,
    after: DateTime<FixedOffset>,
    before: DateTime<FixedOffset>,
    zone: &Z,
) -> usize {
    let slots = std::iter::successors(next(when, after, zone), |slot| next(when, *slot, zone));
    slots.take_while(|slot| *slot < before).count()
}

/// How many days there are between two dates with slots at most.
fn n_days_between(when: When) -> u64 {
    match when {
        When::Daily(_) | When::Minutes(_) => 1,
        When::Weekly(..) => 7,
        When::Days(n) => u64::from(n),
    }
}

/// The slots of a date, in their order.
fn of_date<Z: TimeZone>(
    when: When,
    date: NaiveDate,
    zone: &Z,
) -> std::vec::IntoIter<DateTime<FixedOffset>> {
    let times: Vec<NaiveTime> = match when {
        When::Daily(time) => vec![time],
        When::Weekly(day, time) if chrono::Datelike::weekday(&date) == day => vec![time],
        When::Days(n) if n_days_since_1970(date).rem_euclid(i64::from(n.max(1))) == 0 => {
            vec![NaiveTime::MIN]
        }
        When::Weekly(..) | When::Days(_) => Vec::new(),
        When::Minutes(step) => (0..24 * 60)
            .step_by(step.max(1) as usize)
            .filter_map(|minute| NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0))
            .collect(),
    };
    let mut slots: Vec<_> =
        times.into_iter().filter_map(|time| instant(date.and_time(time), zone)).collect();
    slots.sort_unstable();
    slots.dedup();
    slots.into_iter()
}

fn n_days_since_1970(date: NaiveDate) -> i64 {
    (date - NaiveDate::default()).num_days()
}

/// The moment at which clocks show a time: the first of two, or if there is none, the first one after it.
fn instant<Z: TimeZone>(shown: NaiveDateTime, zone: &Z) -> Option<DateTime<FixedOffset>> {
    // Clocks are set forward by an hour, here and there by less or by two or three, and over a whole day never but once.
    (0..=24 * 60).find_map(|n_minutes| {
        match zone.from_local_datetime(&(shown + TimeDelta::minutes(n_minutes))) {
            LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => {
                Some(moment.fixed_offset())
            }
            LocalResult::None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveTime, Offset, Utc, Weekday};

    use super::*;

    /// Central European time of 2026, by the rules of the European Union: summer time from March 29 to October 25, each
    /// at 01:00 UTC.
    #[derive(Debug, Clone, Copy)]
    struct Europe;

    #[derive(Debug, Clone, Copy)]
    struct EuropeOffset(i32);

    impl Offset for EuropeOffset {
        fn fix(&self) -> FixedOffset {
            FixedOffset::east_opt(self.0 * 3600).expect("an offset")
        }
    }

    impl TimeZone for Europe {
        type Offset = EuropeOffset;

        fn from_offset(_: &EuropeOffset) -> Self {
            Self
        }

        fn offset_from_local_date(&self, _: &NaiveDate) -> LocalResult<EuropeOffset> {
            unreachable!("dates alone have no offset here")
        }

        fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<EuropeOffset> {
            let fits: Vec<_> = [2, 1]
                .into_iter()
                .filter(|hours| {
                    let utc = *local - TimeDelta::hours(i64::from(*hours));
                    self.offset_from_utc_datetime(&utc).0 == *hours
                })
                .map(EuropeOffset)
                .collect();
            match fits[..] {
                [] => LocalResult::None,
                [one] => LocalResult::Single(one),
                [one, other, ..] => LocalResult::Ambiguous(one, other),
            }
        }

        fn offset_from_utc_date(&self, date: &NaiveDate) -> EuropeOffset {
            self.offset_from_utc_datetime(&date.and_time(NaiveTime::MIN))
        }

        fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> EuropeOffset {
            let change = |month, day| {
                let date = NaiveDate::from_ymd_opt(2026, month, day).expect("a date");
                date.and_hms_opt(1, 0, 0).expect("a time")
            };
            let is_summer = (change(3, 29)..change(10, 25)).contains(utc);
            EuropeOffset(if is_summer { 2 } else { 1 })
        }
    }

    fn at(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(text).expect(text)
    }

    fn daily(hours: u32, minutes: u32) -> When {
        When::Daily(NaiveTime::from_hms_opt(hours, minutes, 0).expect("a time"))
    }

    fn check(when: When, now: &str, before: &str, after: &str) {
        assert_eq!(last(when, at(now), &Europe), Some(at(before)), "{when} before {now}");
        assert_eq!(next(when, at(now), &Europe), Some(at(after)), "{when} after {now}");
    }

    #[test]
    fn slots_are_times_on_the_wall() {
        let two = daily(2, 0);
        check(
            two,
            "2026-07-01T01:59:59+02:00",
            "2026-06-30T02:00:00+02:00",
            "2026-07-01T02:00:00+02:00",
        );
        check(
            two,
            "2026-07-01T02:00:00+02:00",
            "2026-07-01T02:00:00+02:00",
            "2026-07-02T02:00:00+02:00",
        );
        let sunday = When::Weekly(Weekday::Sun, NaiveTime::MIN);
        check(
            sunday,
            "2026-07-04T12:00:00+02:00",
            "2026-06-28T00:00:00+02:00",
            "2026-07-05T00:00:00+02:00",
        );
        let six = When::Minutes(360);
        check(
            six,
            "2026-07-04T12:30:00+02:00",
            "2026-07-04T12:00:00+02:00",
            "2026-07-04T18:00:00+02:00",
        );
        check(
            six,
            "2026-07-04T23:30:00+02:00",
            "2026-07-04T18:00:00+02:00",
            "2026-07-05T00:00:00+02:00",
        );
        // 1970-01-01 and each third day after it.
        let third = When::Days(3);
        check(
            third,
            "1970-01-02T12:00:00+01:00",
            "1970-01-01T00:00:00+01:00",
            "1970-01-04T00:00:00+01:00",
        );
        check(
            third,
            "1969-12-30T12:00:00+01:00",
            "1969-12-29T00:00:00+01:00",
            "1970-01-01T00:00:00+01:00",
        );
    }

    #[test]
    fn a_skipped_hour_moves_a_slot_to_its_end_and_a_repeated_one_counts_once() {
        let half = daily(2, 30);
        check(
            half,
            "2026-03-29T01:59:59+01:00",
            "2026-03-28T02:30:00+01:00",
            "2026-03-29T03:00:00+02:00",
        );
        check(
            half,
            "2026-03-29T03:00:00+02:00",
            "2026-03-29T03:00:00+02:00",
            "2026-03-30T02:30:00+02:00",
        );
        // 02:30 comes twice on this day.
        check(
            half,
            "2026-10-25T02:45:00+02:00",
            "2026-10-25T02:30:00+02:00",
            "2026-10-26T02:30:00+01:00",
        );
        check(
            half,
            "2026-10-25T02:45:00+01:00",
            "2026-10-25T02:30:00+02:00",
            "2026-10-26T02:30:00+01:00",
        );
        let hourly = When::Minutes(60);
        check(
            hourly,
            "2026-03-29T03:10:00+02:00",
            "2026-03-29T03:00:00+02:00",
            "2026-03-29T04:00:00+02:00",
        );
        check(
            hourly,
            "2026-10-25T02:10:00+01:00",
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T03:00:00+01:00",
        );
    }

    #[test]
    fn a_year_has_a_slot_for_each_day_and_each_hour_that_clocks_show_once() {
        let (from, to) = (at("2026-01-01T00:00:00+01:00"), at("2027-01-01T00:00:00+01:00"));
        for hour in 0..24 {
            assert_eq!(n_between(daily(hour, 30), from, to, &Europe), 365, "{hour}");
        }
        // The hour that is skipped is missing; the one that is repeated counts once; midnight itself is not after it.
        assert_eq!(n_between(When::Minutes(60), from, to, &Europe), 365 * 24 - 1 - 1);
        assert_eq!(n_between(When::Weekly(Weekday::Mon, NaiveTime::MIN), from, to, &Europe), 52);
        assert_eq!(n_between(daily(2, 0), to, from, &Europe), 0);
    }

    #[test]
    fn the_last_slot_is_never_after_now_and_the_next_one_never_before() {
        let start = at("2026-03-27T00:00:00+01:00");
        for when in [
            daily(2, 0),
            daily(2, 30),
            daily(0, 0),
            When::Minutes(15),
            When::Minutes(720),
            When::Days(2),
        ] {
            for n in 0..(4 * 24 * 12) {
                let now = start + TimeDelta::minutes(5 * n);
                let (last, next) = (last(when, now, &Europe), next(when, now, &Europe));
                let (last, next) = (last.expect("a slot"), next.expect("a slot"));
                assert!(last <= now && now < next, "{when}: {last} {now} {next}");
                assert_eq!(super::next(when, last, &Europe), Some(next), "{when} at {now}");
            }
        }
        assert_eq!(
            last(daily(2, 0), at("2026-07-01T02:00:00Z"), &Utc),
            Some(at("2026-07-01T02:00:00Z"))
        );
    }
}

//! Whether a schedule is late: judged from what its runs remember, without reading the backups folder unless something
//! seems wrong.

use chrono::{DateTime, FixedOffset, TimeDelta, TimeZone};

use crate::host::project::schedule::When;
use crate::schedule::slots;
use crate::schedule::state::{Failing, State};

/// How long after a slot its backup is late: a trigger comes at least once an hour.
const GRACE: TimeDelta = TimeDelta::minutes(90);

/// The state of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is overdue.
    OnTime,
    /// The last run failed.
    Failing(Failing),
    /// A slot passed long ago, and no run has done its work.
    Late {
        /// The first slot that nobody served.
        slot: DateTime<FixedOffset>,
        /// The last slot that was served.
        served: Option<DateTime<FixedOffset>>,
    },
}

/// The moment at which it is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The moment it is.
    pub(crate) now: DateTime<FixedOffset>,
    /// When this machine was started, if that is known: a slot that passed while it was off is not late yet.
    pub(crate) booted_at: Option<DateTime<FixedOffset>>,
}

/// Judges a schedule.
#[must_use]
pub(crate) fn of<Z: TimeZone>(state: &State, when: When, moment: Moment, zone: &Z) -> Standing {
    let mut state = state.clone();
    state.forget_the_future(moment.now);
    if let Some(failing) = state.failing {
        return Standing::Failing(failing);
    }
    let is_up_long = moment.booted_at.is_none_or(|booted| booted + GRACE <= moment.now);
    let served = state.complete;
    let from = served.unwrap_or(state.since).max(state.since);
    match slots::next(when, from, zone) {
        Some(slot) if slot + GRACE <= moment.now && is_up_long => Standing::Late { slot, served },
        _ => Standing::OnTime,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveTime, Utc};

    use super::*;

    #[test]
    fn a_schedule_is_late_ninety_minutes_after_a_slot_that_nobody_served() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).expect(text);
        let when = When::Daily(NaiveTime::from_hms_opt(2, 0, 0).expect("a time"));
        let mut state = State::new("/a".to_owned(), at("2026-07-01T12:00:00Z"));
        let judged = |state: &State, now: &str, booted: Option<&str>| {
            let moment = Moment { now: at(now), booted_at: booted.map(at) };
            of(state, when, moment, &Utc)
        };
        let late = |slot: &str, served: Option<&str>| Standing::Late {
            slot: at(slot),
            served: served.map(at),
        };
        // Installed at noon: the slot of that day is not owed.
        assert_eq!(judged(&state, "2026-07-01T23:00:00Z", None), Standing::OnTime);
        assert_eq!(judged(&state, "2026-07-02T03:29:00Z", None), Standing::OnTime);
        assert_eq!(
            judged(&state, "2026-07-02T03:30:00Z", None),
            late("2026-07-02T02:00:00Z", None)
        );
        state.complete = Some(at("2026-07-02T02:00:00Z"));
        assert_eq!(judged(&state, "2026-07-03T03:29:00Z", None), Standing::OnTime);
        let expected = late("2026-07-03T02:00:00Z", Some("2026-07-02T02:00:00Z"));
        assert_eq!(judged(&state, "2026-07-09T12:00:00Z", None), expected);
        // Just switched on again: the trigger gets its time.
        assert_eq!(
            judged(&state, "2026-07-09T12:00:00Z", Some("2026-07-09T11:00:00Z")),
            Standing::OnTime
        );
        assert_eq!(judged(&state, "2026-07-09T12:00:00Z", Some("2026-07-09T10:00:00Z")), expected);
        // A clock that was two years ahead does not excuse two years.
        state.complete = Some(at("2028-07-02T02:00:00Z"));
        assert_eq!(
            judged(&state, "2026-07-09T12:00:00Z", None),
            late("2026-07-02T02:00:00Z", None)
        );
    }
}

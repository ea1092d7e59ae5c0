//! The newest backups along the time, one line for each branch. A drawing for the eye: the table
//! has the same backups.

use chrono::{DateTime, Datelike, Days, FixedOffset, TimeDelta};
use maud::{Markup, html};

use crate::serve::documents::backup::{Backup, State};
use crate::serve::pages::context::Context;
use crate::serve::pages::{icons, web_address, words};

/// Marks at most: more would hide one another.
const MAX_MARKS: usize = 100;

/// Lines at most; the branches beyond share the last one.
const MAX_LANES: usize = 5;

const LANE_HEIGHT: usize = 34;
const TOP: usize = 26;

/// Where the first and the last moment are, in percent of the width.
const FROM: f64 = 2.0;
const TO: f64 = 98.0;

/// The span of time that is drawn.
struct Scale {
    from: DateTime<FixedOffset>,
    to: DateTime<FixedOffset>,
}

impl Scale {
    /// From the oldest of these backups until now.
    fn of(shown: &[&Backup], now: DateTime<FixedOffset>) -> Self {
        let oldest = shown.iter().map(|backup| backup.created_at).min().unwrap_or(now);
        // One lonely backup is not drawn at both ends.
        let from = oldest.min(now - TimeDelta::hours(1));
        let newest = shown.iter().map(|backup| backup.created_at).max().unwrap_or(now);
        Self { from, to: newest.max(now) }
    }

    /// Position of a moment, in percent.
    fn x(&self, at: DateTime<FixedOffset>) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a position on a screen")]
        let share = (at - self.from).num_seconds() as f64
            / (self.to - self.from).num_seconds().max(1) as f64;
        format!("{:.1}%", FROM + share.clamp(0.0, 1.0) * (TO - FROM))
    }

    /// Midnights with a line and a date: at most eight.
    fn ticks(&self) -> Vec<DateTime<FixedOffset>> {
        let n_days = (self.to - self.from).num_days().unsigned_abs();
        let step = [1, 2, 7, 14, 30, 60, 90, 180, 365]
            .into_iter()
            .find(|step| n_days / step <= 7)
            .unwrap_or(n_days / 7);
        let last = self.to.date_naive();
        let back =
            if step.is_multiple_of(7) { last.weekday().num_days_from_monday().into() } else { 0 };
        let mut ticks = Vec::new();
        let mut day = last.checked_sub_days(Days::new(back));
        while let Some(date) = day {
            let midnight = date.and_hms_opt(0, 0, 0);
            let at = midnight.and_then(|at| at.and_local_timezone(*self.to.offset()).single());
            match at {
                Some(at) if at > self.from => ticks.push(at),
                _ => break,
            }
            day = date.checked_sub_days(Days::new(step));
        }
        ticks
    }
}

/// The drawing, with a legend.
pub(super) fn section(context: &Context, backups: &[Backup]) -> Markup {
    let shown: Vec<&Backup> =
        backups.iter().filter(|backup| backup.age_seconds >= 0).take(MAX_MARKS).collect();
    let scale = Scale::of(&shown, context.now);
    let lanes = lanes(&shown);
    let height = TOP + lanes.len() * LANE_HEIGHT + 8;
    html! {
        section.card.timeline aria-labelledby="timeline" {
            div.head {
                h2 #timeline { "Timeline" }
                p.muted { (caption(shown.len(), backups.len(), &scale)) }
            }
            svg.line width="100%" height=(height) aria-hidden="true" {
                (ticks(context, &scale, height))
                @for (i, lane) in lanes.iter().enumerate() {
                    @let y = TOP + i * LANE_HEIGHT + LANE_HEIGHT / 2 + 6;
                    line.lane x1="0" x2="100%" y1=(y) y2=(y) {}
                    text.name x="0" y=(y - 10) { (lane) }
                }
                @for backup in shown.iter().rev() {
                    (mark(backup, &lanes, &scale, context.now))
                }
            }
            (legend(&shown))
        }
    }
}

fn caption(n_shown: usize, n_all: usize, scale: &Scale) -> String {
    let days = words::span(scale.to - scale.from);
    if n_shown < n_all {
        format!("the newest {n_shown} of {n_all} backups, {days}")
    } else {
        format!("all {n_all} backups, {days}")
    }
}

/// The branches, the most recent first; the last line is for all others.
fn lanes(shown: &[&Backup]) -> Vec<String> {
    let mut lanes: Vec<String> = Vec::new();
    for backup in shown {
        let branch = backup.branch().unwrap_or("no branch");
        if !lanes.iter().any(|lane| lane == branch) {
            lanes.push(branch.to_owned());
        }
    }
    if lanes.len() > MAX_LANES {
        lanes.truncate(MAX_LANES - 1);
        lanes.push("other branches".to_owned());
    }
    lanes
}

fn ticks(context: &Context, scale: &Scale, height: usize) -> Markup {
    html! {
        @for (i, at) in scale.ticks().into_iter().enumerate() {
            @let x = scale.x(at);
            // Half of the dates fit on a narrow screen.
            @let is_alternate = i % 2 == 1;
            line.tick x1=(x) x2=(x) y1="18" y2=(height) {}
            text.date.alt[is_alternate] x=(x) y="12" { (words::day(at.date_naive(), context.now.date_naive())) }
        }
    }
}

fn mark(backup: &Backup, lanes: &[String], scale: &Scale, now: DateTime<FixedOffset>) -> Markup {
    let branch = backup.branch().unwrap_or("no branch");
    let lane = lanes.iter().position(|lane| lane == branch).unwrap_or(lanes.len() - 1);
    let y = TOP + lane * LANE_HEIGHT + LANE_HEIGHT / 2 + 6;
    let state = backup.state();
    let drawing = if state == State::Damaged { "damaged" } else { icons::mark_of(backup.kind()) };
    html! {
        a href=(web_address::backup(&backup.name)) tabindex="-1" {
            use class=(class(state)) href={ "#k-" (drawing) } x=(scale.x(backup.created_at)) y=(y) {
                title { (words::date_and_time(backup.created_at, now)) ", " (backup.kind()) ", " (backup.state) }
            }
        }
    }
}

fn class(state: State) -> &'static str {
    match state {
        State::Verified => "v",
        State::Damaged => "d",
        State::Unread | State::Unverified | State::Unrecorded => "u",
    }
}

/// The marks that are drawn, and what they mean.
fn legend(shown: &[&Backup]) -> Markup {
    let kinds = icons::KINDS.into_iter().filter(|kind| shown.iter().any(|b| b.kind() == *kind));
    let has = |state| shown.iter().any(|backup| class(backup.state()) == state);
    html! {
        ul.legend {
            @for kind in kinds { li { (icons::mark(kind)) (kind) } }
            @if has("u") { li.u { (icons::mark("manual")) "outline only: not verified lately" } }
            @if has("d") { li.d { (icons::mark_damaged()) "damaged" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(text).unwrap()
    }

    #[test]
    fn moments_are_placed_between_the_margins() {
        let scale = Scale { from: at("2026-11-01T00:00:00Z"), to: at("2026-11-03T00:00:00Z") };
        assert_eq!(scale.x(at("2026-11-01T00:00:00Z")), "2.0%");
        assert_eq!(scale.x(at("2026-11-02T00:00:00Z")), "50.0%");
        assert_eq!(scale.x(at("2027-11-02T00:00:00Z")), "98.0%");
    }

    #[test]
    fn there_are_at_most_eight_ticks() {
        for days in [0, 1, 3, 10, 40, 200, 900, 4000] {
            let to = at("2026-11-30T22:00:00Z");
            let scale = Scale { from: to - TimeDelta::days(days), to };
            assert!(scale.ticks().len() <= 8, "{days} days: {:?}", scale.ticks());
        }
        let to = at("2026-11-30T22:00:00Z");
        let scale = Scale { from: to - TimeDelta::days(30), to };
        let days: Vec<_> = scale.ticks().iter().map(|at| at.format("%a %d").to_string()).collect();
        assert_eq!(days, ["Mon 30", "Mon 23", "Mon 16", "Mon 09", "Mon 02"]);
    }
}

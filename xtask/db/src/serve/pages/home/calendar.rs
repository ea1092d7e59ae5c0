//! Which days have a verified backup: half a year of days, a week in each column.

mod days;

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::backup::Backup;
use crate::serve::pages::context::Context;
use crate::serve::pages::home::calendar::days::{
    Day, Month, Rating, counted, days, longest_gap, months,
};
use crate::serve::pages::words;

/// Width and height of a day, with the gap behind it.
const STEP: usize = 14;
const LEFT: usize = 30;
const TOP: usize = 18;

/// The calendar, a legend, and the same by months.
pub(super) fn section(context: &Context, backups: &[Backup]) -> Markup {
    let days = days(backups, context.now);
    let counted = counted(&days);
    let months = months(counted);
    html! {
        section.card.calendar aria-labelledby="calendar" {
            div.head {
                h2 #calendar { "Days with a verified backup" }
                @match longest_gap(counted) {
                    0 => p.muted { "no gap" },
                    gap => p.muted { "the longest gap: " (text::count(gap as u64, "day")) },
                }
            }
            p.figure {
                (months.iter().map(|month| month.n_verified).sum::<usize>())
                " " span.unit { "of " (text::count(counted.len() as u64, "day")) }
            }
            (drawing(context, &days))
            (legend())
            details {
                summary { "Show the days as a table" }
                (table(&months))
            }
        }
    }
}

fn drawing(context: &Context, days: &[Day]) -> Markup {
    let n_weeks = days.last().map_or(1, |day| day.week + 1);
    let (width, height) = (LEFT + n_weeks * STEP, TOP + 7 * STEP);
    let today = context.now.date_naive();
    html! {
        svg.days viewBox={ "0 0 " (width) " " (height) } aria-hidden="true" {
            @for (row, name) in [(0, "Mon"), (2, "Wed"), (4, "Fri")] {
                text x="0" y=(TOP + row * STEP + 10) { (name) }
            }
            @for day in days.iter().filter(|day| day.begins_month()) {
                text x=(LEFT + day.week * STEP) y="10" { (day.date.format("%b")) }
            }
            @for day in days {
                @let (x, y) = (LEFT + day.week * STEP, TOP + day.weekday * STEP);
                (cell(day, [x, y], &format!("{}: {}", words::day(day.date, today), day.in_words())))
            }
        }
    }
}

/// A day: its shape differs without its colour, too.
fn cell(day: &Day, [x, y]: [usize; 2], title: &str) -> Markup {
    let class = match (day.rating(), day.n_verified) {
        (Rating::None, _) => "n",
        (Rating::Damaged, _) => return drawn("x", [x, y], title),
        (Rating::Unverified, _) => return drawn("u", [x, y], title),
        (Rating::Verified, ..2) => "v1",
        (Rating::Verified, 2..4) => "v2",
        (Rating::Verified, _) => "v3",
    };
    html! { rect class=(class) x=(x) y=(y) { title { (title) } } }
}

/// A shape of the drawings of the page.
fn drawn(name: &str, [x, y]: [usize; 2], title: &str) -> Markup {
    html! { use class=(name) href={ "#d-" (name) } x=(x) y=(y) { title { (title) } } }
}

fn legend() -> Markup {
    let one = |content: Markup, words: &str| {
        html! { li { svg.days.one viewBox="0 0 12 12" aria-hidden="true" { (content) } (words) } }
    };
    html! {
        ul.legend {
            (one(html! { rect.n {} }, "no backup"))
            (one(html! { use.u href="#d-u" {} }, "not verified lately"))
            (one(html! { rect.v1 {} }, "1 verified"))
            (one(html! { rect.v2 {} }, "2 or 3"))
            (one(html! { rect.v3 {} }, "4 or more"))
            (one(html! { use.x href="#d-x" {} }, "only damaged ones"))
        }
    }
}

fn table(months: &[Month]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Days as a table" {
            table.plain {
                thead {
                    tr {
                        th scope="col" { "Month" }
                        th.n scope="col" { "Days with" }
                        th scope="col" { "Days without" }
                    }
                }
                tbody {
                    @for month in months.iter().rev() {
                        tr {
                            th scope="row" { (month.name) }
                            td.n { (month.n_verified) }
                            td { (month.days_without()) }
                        }
                    }
                }
            }
        }
    }
}

//! The first screen: three questions and their answers.

use chrono::TimeDelta;
use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::backup::{Backup, State};
use crate::serve::documents::diff::{Difference, TableChange};
use crate::serve::pages::context::Context;
use crate::serve::pages::home::attention;
use crate::serve::pages::home::facts::{HomeFacts, Since, newest_proved};
use crate::serve::pages::{icons, web_address, words};

/// The three answers.
pub(super) fn first_screen(context: &Context, facts: &HomeFacts<'_>) -> Markup {
    let proved = newest_proved(facts.backups);
    html! {
        div.answers {
            @match proved {
                Some(backup) => (restorable(context, facts, backup)),
                None => (nothing_restorable(context, facts)),
            }
            @if let Some(backup) = proved { (lost(context, backup, facts.since)) }
            (attention::section(context, facts))
        }
    }
}

/// The newest proved state, and how old it is.
fn restorable(context: &Context, facts: &HomeFacts<'_>, backup: &Backup) -> Markup {
    let age = context.now.signed_duration_since(backup.created_at);
    html! {
        section.hero aria-labelledby="newest" {
            h1 #newest {
                span.eyebrow { (icons::icon("ok")) "Newest state proved restorable" }
                " "
                span.big { (words::live_age(backup.created_at, context.now)) }
            }
            p.lead {
                a href=(web_address::backup(&backup.name)) {
                    (words::moment(backup.created_at, context.now))
                }
                " · " (backup.kind())
                @if let Some(branch) = backup.branch() {
                    " · " (branch)
                    @if let Some(commit) = backup.commit() { "@" (commit) }
                }
                @if let Some(label) = &backup.label { " · “" (label) "”" }
            }
            p.proof { (proof(context, backup, age)) }
            div.acts {
                (back_up(context))
                form method="post" action="/do/restore" {
                    input type="hidden" name="name" value=(backup.name);
                    button.on-hero type="submit" { "Restore this…" }
                }
            }
            (figures(facts))
        }
    }
}

/// A few numbers about all backups.
fn figures(facts: &HomeFacts<'_>) -> Markup {
    let n = |of: fn(&Backup) -> bool| facts.backups.iter().filter(|backup| of(backup)).count();
    let figure = |value: &str, words: &str| html! { div { dt { (words) } dd { (value) } } };
    html! {
        dl.figures {
            (figure(&text::digits(facts.backups.len() as u64), "backups"))
            (figure(&text::digits(n(|b| b.state() == State::Verified) as u64), "verified"))
            (figure(&text::digits(n(|b| b.pinned) as u64), "pinned"))
            (figure(&text::size(facts.status.folder.used_bytes), "on disk"))
        }
    }
}

/// How it was proved, and what it holds.
fn proof(context: &Context, backup: &Backup, age: TimeDelta) -> Markup {
    let examined = backup.last_examination();
    let since = examined.map(|examination| context.now.signed_duration_since(examination.at));
    let rows = backup.rows();
    html! {
        @match since {
            Some(since) if age - since > TimeDelta::minutes(5) => {
                "Verified " (words::ago(since)) ": "
            }
            _ => "Verified when it was taken: "
        }
        @if rows > 0 {
            (text::count(rows, "row")) " in "
            (text::count(backup.tables.len() as u64, "table")) ", "
        }
        (text::size(backup.size_bytes))
    }
}

fn back_up(context: &Context) -> Markup {
    let command = format!("cargo xtask db-backup{}", context.db_flag());
    html! {
        form method="post" action="/do/backup" {
            @if context.databases.len() > 1 {
                input type="hidden" name="db" value=(context.database);
            }
            button.on-hero.first type="submit" title=(command) { "Back up now" }
        }
    }
}

/// There is nothing to go back to.
fn nothing_restorable(context: &Context, facts: &HomeFacts<'_>) -> Markup {
    let is_here = facts.status.database(&context.database).is_none_or(|d| d.sight != "missing");
    html! {
        section.hero.none aria-labelledby="newest" {
            h1 #newest {
                span.eyebrow { (icons::icon("warn")) "Newest state proved restorable" }
                " "
                span.big { "None yet" }
            }
            @if !is_here {
                p.lead {
                    "The database does not exist yet. Create it with "
                    code { "cargo xtask db-setup" } "."
                }
            } @else if facts.backups.is_empty() {
                p.lead { "A first backup takes a moment, and the database stays in use meanwhile." }
            } @else {
                p.lead { "There are backups, but none of them passed its last examination." }
            }
            div.acts { @if is_here { (back_up(context)) } }
        }
    }
}

/// What would be lost by going back now.
pub(super) fn lost(context: &Context, backup: &Backup, since: Since<'_>) -> Markup {
    let diff = web_address::diff(&backup.name, "live");
    let later = format!("/since?db={}", web_address::encode(&context.database));
    let is_pending = matches!(since, Since::Pending);
    html! {
        section.card.loss #since aria-labelledby="loss" data-later=[is_pending.then_some(later)] {
            h2 #loss { "If you went back now" }
            @match since {
                Since::Known(difference) => {
                    (loss(context, backup, difference))
                    @if difference.different {
                        p.more { a href=(diff) { "See every change" } }
                    }
                }
                Since::Pending => {
                    p.figure.soft { "Comparing…" }
                    p.muted { "The live database is being compared with the newest proved backup." }
                    p.more { a href=(diff) { "See every change" } }
                }
                Since::Failed(why) => {
                    p.figure.soft { "Unknown" }
                    p.muted { (why) }
                    p.more { a.button href=(diff) { "Compare again" } }
                }
            }
        }
    }
}

fn loss(context: &Context, backup: &Backup, difference: &Difference) -> Markup {
    let sum = |of: fn(&TableChange) -> Option<u64>| -> u64 {
        difference.tables.iter().filter_map(of).sum()
    };
    let (added, changed, removed) = (sum(|t| t.added), sum(|t| t.changed), sum(|t| t.removed));
    let age = words::span(context.now.signed_duration_since(backup.created_at));
    html! {
        @if !difference.different && !difference.is_partial() {
            p.figure { "Nothing" " " span.unit { "would be lost" } }
            p.muted { "The database is exactly as it was backed up." }
        } @else if added + changed + removed == 0 {
            p.figure { "0 rows" }
            p.muted { (difference.schema.len()) " changes of the schema would be undone." }
        } @else {
            p.figure {
                (text::count(added + changed, "row")) " "
                span.unit { "in " (age) }
            }
            p.muted { (losses(added, changed, removed)) }
            (largest(difference))
        }
        @if difference.is_partial() {
            p.muted { "Some tables could not be compared." }
        }
    }
}

/// The three counts in words.
fn losses(added: u64, changed: u64, removed: u64) -> String {
    let mut parts = Vec::new();
    if added > 0 {
        parts.push(format!("{} gone", text::count(added, "new row")));
    }
    if changed > 0 {
        parts.push(format!("{} undone", text::count(changed, "change")));
    }
    if removed > 0 {
        parts.push(format!("{} back", text::count(removed, "deleted row")));
    }
    parts.join(", ")
}

/// The tables that changed most.
fn largest(difference: &Difference) -> Markup {
    let mut tables: Vec<_> = difference.tables.iter().filter(|t| t.n_rows() > 0).collect();
    tables.sort_by_key(|table| std::cmp::Reverse(table.n_rows()));
    html! {
        ul.chips {
            @for table in tables.iter().take(3) {
                li { code { (table.table) } " " (text::digits(table.n_rows())) }
            }
            @if tables.len() > 3 { li { "and " (tables.len() - 3) " more" } }
        }
    }
}

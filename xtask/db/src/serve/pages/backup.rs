//! The page of one backup: its record, its tables, and what can be done with it.

mod acts;
pub(crate) mod facts;
mod record;

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::backup::{Backup, State};
use crate::serve::pages::backup::facts::BackupFacts;
use crate::serve::pages::context::Context;
use crate::serve::pages::layout::{self, Frame, Tab};
use crate::serve::pages::parts::{back, with_code};
use crate::serve::pages::{icons, web_address, words};

/// The page of one backup.
#[must_use]
pub(crate) fn page(context: &Context, facts: &BackupFacts<'_>) -> Markup {
    let backup = facts.backup;
    let title = words::date_and_time(backup.created_at, context.now);
    let body = html! {
        (back("/#backups", "All backups"))
        (heading(context, backup))
        (findings(backup))
        (acts::main(backup))
        div.pair.even {
            (record::section(backup))
            (tables(backup))
        }
        @if let Some(schema) = facts.schema {
            section.card aria-labelledby="schema" {
                h2 #schema { "Schema" }
                pre.scroll tabindex="0" role="region" aria-label="Statements of the schema" { code { (schema) } }
            }
        }
        div.pair.even {
            (acts::compare(facts))
            (acts::export(backup))
        }
        (acts::label(backup))
        (neighbours(context, facts))
    };
    layout::page(context, &Frame::of(&title, Tab::Backups), &body)
}

fn heading(context: &Context, backup: &Backup) -> Markup {
    html! {
        div.title {
            h1 {
                span.eyebrow { (icons::mark(backup.kind())) (kind(backup)) }
                " "
                span.big { (words::time(backup.created_at, &words::date_and_time(backup.created_at, context.now))) }
            }
            p.lead {
                (icons::state(backup.state(), &backup.state))
                " · " (words::live_age(backup.created_at, context.now))
                " · " (text::size(backup.size_bytes))
                @if backup.pinned { " · " (icons::icon("pin")) "pinned" }
            }
            @if let Some(label) = &backup.label { p.label { "“" (label) "”" } }
            p.name { code { (backup.name) } }
        }
    }
}

fn kind(backup: &Backup) -> String {
    match backup.kind() {
        "manual" => "Backup".to_owned(),
        "safety" => "Safety backup".to_owned(),
        "no record" => "Backup without a record".to_owned(),
        kind => format!("Backup · {kind}"),
    }
}

/// What the last examination found.
fn findings(backup: &Backup) -> Markup {
    let findings = backup.last_examination().map_or(&[][..], |last| &last.findings);
    let is_damaged = backup.state() == State::Damaged;
    html! {
        @if is_damaged || !findings.is_empty() {
            section.problem aria-labelledby="findings" {
                h2 #findings { @if is_damaged { "This backup is damaged" } @else { "Findings" } }
                ul {
                    @for finding in findings.iter().take(20) {
                        li { (finding.detail) " " span.muted { "(" (finding.kind) ")" } }
                    }
                    @if findings.is_empty() { li { "Its size is not the recorded one, or a part of it is missing." } }
                }
                @if is_damaged {
                    p { (with_code("A restore from it is refused. Remove it on purpose with `cargo xtask db-remove`.")) }
                    p.cmd { code { "cargo xtask db-remove " (backup.name) } }
                }
            }
        }
    }
}

/// Its tables, and the restore of some of them.
fn tables(backup: &Backup) -> Markup {
    let can_restore = backup.state() != State::Damaged;
    html! {
        section.card aria-labelledby="tables" {
            div.head {
                h2 #tables { "Tables" }
                p.muted { (text::count(backup.rows(), "row")) }
            }
            @if backup.tables.is_empty() {
                p.empty { "Its record does not count rows." }
            } @else {
                form method="post" action="/do/restore" {
                    input type="hidden" name="name" value=(backup.name);
                    (rows_of_tables(backup))
                    @if can_restore {
                        div.inline {
                            button type="submit" { "Restore the selected tables…" }
                            p.muted { "The other tables stay as they are. Shows the plan first." }
                        }
                    }
                }
            }
        }
    }
}

fn rows_of_tables(backup: &Backup) -> Markup {
    let most = backup.tables.values().flatten().copied().max().unwrap_or(0).max(1);
    html! {
        table.plain.tables {
            thead { tr { td { span.vh { "Select" } } th scope="col" { "Table" } td.bar {} th.n scope="col" { "Rows" } } }
            tbody {
                @for (table, rows) in &backup.tables {
                    tr {
                        td.x { input type="checkbox" name="table" value=(table) aria-label={ "Select " (table) }; }
                        th scope="row" { code { (table) } }
                        td.bar aria-hidden="true" {
                            @if let Some(rows) = rows { meter min="0" max=(most) value=(rows) {} }
                        }
                        td.n {
                            @match rows {
                                Some(rows) => (text::digits(*rows)),
                                None => span.muted { "not counted" },
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Links to the backups before and after this one.
fn neighbours(context: &Context, facts: &BackupFacts<'_>) -> Markup {
    let at = facts.backups.iter().position(|backup| backup.name == facts.backup.name);
    let newer = at.and_then(|at| at.checked_sub(1)).and_then(|at| facts.backups.get(at));
    let older = at.and_then(|at| facts.backups.get(at + 1));
    let link = |backup: &Backup, words: &str| {
        let taken = words::date_and_time(backup.created_at, context.now);
        html! { a href=(web_address::backup(&backup.name)) { span.muted { (words) } (taken) } }
    };
    html! {
        nav.neighbours aria-label="Neighbouring backups" {
            @if let Some(older) = older { (link(older, "Older ")) }
            @if let Some(newer) = newer { (link(newer, "Newer ")) }
        }
    }
}

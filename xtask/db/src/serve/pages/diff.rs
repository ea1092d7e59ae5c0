//! What changed between a backup and another state.

mod rows;

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::backup::Backup;
use crate::serve::documents::diff::{Difference, SchemaChange, TableChange};
use crate::serve::documents::failure::Failure;
use crate::serve::pages::context::Context;
use crate::serve::pages::layout::{self, Frame, Tab};
use crate::serve::pages::parts::{Act, act, back, problem, terminal};
use crate::serve::pages::{icons, web_address, words};

/// What the page of a difference is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiffFacts<'a> {
    pub(crate) backup: &'a Backup,
    /// `live`, or what the user named.
    pub(crate) with: &'a str,
    pub(crate) result: Result<&'a Difference, &'a Failure>,
    /// The same in the terminal.
    pub(crate) command: &'a str,
}

/// The page of a difference.
#[must_use]
pub(crate) fn page(context: &Context, facts: &DiffFacts<'_>) -> Markup {
    let backup = facts.backup;
    let taken = words::date_and_time(backup.created_at, context.now);
    let body = html! {
        (back(&web_address::backup(&backup.name), &taken))
        div.title {
            h1 {
                span.eyebrow { (icons::icon("diff")) "Difference" }
                " "
                span.big { (heading(facts, &taken)) }
            }
            p.lead { (sides(facts)) }
        }
        (terminal(facts.command))
        @match facts.result {
            Err(failure) => (problem(failure)),
            Ok(difference) => (changes(facts, difference)),
        }
    };
    layout::page(context, &Frame::of(&format!("Difference from {taken}"), Tab::Backups), &body)
}

fn heading(facts: &DiffFacts<'_>, taken: &str) -> String {
    if facts.with == "live" { format!("Since {taken}") } else { format!("From {taken}") }
}

fn sides(facts: &DiffFacts<'_>) -> Markup {
    html! {
        "From " code { (facts.backup.name) } " to "
        @if facts.with == "live" { "the live database" } @else { code { (facts.with) } }
    }
}

fn changes(facts: &DiffFacts<'_>, difference: &Difference) -> Markup {
    html! {
        @if !difference.different && !difference.is_partial() {
            section.card.calm {
                p.figure { (icons::icon("ok")) "No difference" }
                p.muted { "Schema and rows are the same." }
            }
        } @else {
            @if !difference.schema.is_empty() { (schema(&difference.schema)) }
            (tables(difference))
            @if !difference.rows.is_empty() { (rows::section(difference)) }
            @if facts.with == "live" { (going_back(facts)) }
        }
    }
}

fn schema(changes: &[SchemaChange]) -> Markup {
    html! {
        section.card aria-labelledby="schema" {
            h2 #schema { "Schema" }
            ul.changes {
                @for change in changes {
                    li class=(change.change) {
                        span.sign aria-hidden="true" { (sign(&change.change)) }
                        b { (change.kind) " " code { (change.name) } }
                        @if let Some(table) = &change.table { " of " code { (table) } }
                        " " (change.change)
                        @if let Some(before) = &change.before { pre.del { (before) } }
                        @if let Some(after) = &change.after { pre.ins { (after) } }
                    }
                }
            }
        }
    }
}

fn sign(change: &str) -> &'static str {
    match change {
        "added" => "+",
        "removed" => "−",
        _ => "~",
    }
}

fn tables(difference: &Difference) -> Markup {
    html! {
        section.card aria-labelledby="tables" {
            div.head {
                h2 #tables { "Tables" }
                p.muted { (text::count(difference.n_rows(), "row")) " differ" }
            }
            @if difference.tables.is_empty() {
                p.empty { "No row differs." }
            } @else {
                div.wide tabindex="0" role="region" aria-label="Tables that differ" {
                    table.plain.delta {
                        thead {
                            tr {
                                th scope="col" { "Table" }
                                th.n scope="col" { "Added" }
                                th.n scope="col" { "Changed" }
                                th.n scope="col" { "Removed" }
                                th scope="col" { "Remarks" }
                            }
                        }
                        tbody { @for table in &difference.tables { (table_row(table)) } }
                    }
                }
            }
        }
    }
}

fn table_row(table: &TableChange) -> Markup {
    let count = |n: Option<u64>, sign: &str, class: &str| {
        html! {
            @match n {
                Some(0) | None => td.n { span.muted { "–" } }
                Some(n) => td.n { span class=(class) { (sign) (text::digits(n)) } }
            }
        }
    };
    html! {
        tr {
            th scope="row" { code { (table.table) } }
            (count(table.added, "+", "added"))
            (count(table.changed, "~", "changed"))
            (count(table.removed, "−", "removed"))
            td.muted {
                @if let Some(why) = &table.unread { "not compared: " (why) " " }
                @for note in &table.notes { (note) " " }
            }
        }
    }
}

fn going_back(facts: &DiffFacts<'_>) -> Markup {
    let name = [("name", &*facts.backup.name)];
    html! {
        section.card.inline {
            (act(&Act { action: "/do/restore", fields: &name, class: "primary", text: "Restore this backup…" }))
            p.muted { "Undoes all of the above, after a safety backup. Shows the plan first." }
        }
    }
}

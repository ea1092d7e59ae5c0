//! The plan of a restore: what goes where, and what it undoes.

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::backup::Backup;
use crate::serve::documents::diff::{Difference, TableChange};
use crate::serve::documents::restore::Plan;
use crate::serve::pages::context::Context;
use crate::serve::pages::{icons, web_address, words};

/// The steps, then what they undo.
pub(super) fn section(
    context: &Context,
    plan: &Plan,
    backup: &Backup,
    since: Option<&Difference>,
) -> Markup {
    html! {
        div.pair.even {
            (steps(context, plan, backup))
            (undone(plan, backup, since))
        }
    }
}

fn steps(context: &Context, plan: &Plan, backup: &Backup) -> Markup {
    let path = context.chosen().map(|database| &*database.path).or(plan.into.as_deref());
    html! {
        section.card aria-labelledby="steps" {
            h2 #steps { "What happens" }
            ol.steps {
                li {
                    b { "A safety backup" } " of the database as it is now."
                    p.muted { "Going back to it is one click, too." }
                }
                li {
                    @if plan.tables.is_empty() {
                        b { "The restore" } " of " a href=(web_address::backup(&backup.name)) { code { (plan.would_restore) } }
                    } @else {
                        b { "The restore" } " of "
                        @for (i, table) in plan.tables.iter().enumerate() {
                            @if i > 0 { ", " }
                            code { (table) }
                        }
                        " from " a href=(web_address::backup(&backup.name)) { code { (plan.would_restore) } }
                    }
                    p.muted {
                        (words::moment(backup.created_at, context.now)) " · " (text::size(backup.size_bytes))
                        @if let Some(path) = path { " · into " code { (path) } }
                    }
                }
                li {
                    b { "A check" } " of what was restored, before the act is called done."
                    p.muted { "The application may keep running: it sees the old or the new state, never a mixture." }
                }
            }
        }
    }
}

/// The changes since the backup that the restore undoes.
fn undone(plan: &Plan, backup: &Backup, since: Option<&Difference>) -> Markup {
    let is_meant = |table: &&TableChange| {
        table.n_rows() > 0 && (plan.tables.is_empty() || plan.tables.contains(&table.table))
    };
    html! {
        section.card aria-labelledby="undone" {
            h2 #undone { "What it undoes" }
            @match since {
                None => {
                    p.figure.soft { "Not compared" }
                    p { a href=(web_address::diff(&backup.name, "live")) { "Compare with the live database" } }
                }
                Some(difference) => {
                    @let tables: Vec<_> = difference.tables.iter().filter(is_meant).collect();
                    @let n_rows: u64 = tables.iter().map(|table| table.n_rows()).sum();
                    @if n_rows == 0 && difference.schema.is_empty() {
                        p.figure { (icons::icon("ok")) "No row" }
                        p.muted { "The database is as this backup has it." }
                    } @else {
                        p.figure { (text::count(n_rows, "row")) " " span.unit { "changed since" } }
                        @if !difference.schema.is_empty() && plan.tables.is_empty() {
                            p { (text::count(difference.schema.len() as u64, "change")) " of the schema" }
                        }
                        ul.undo {
                            @for table in tables { li { code { (table.table) } span { (counts(table)) } } }
                        }
                    }
                }
            }
        }
    }
}

/// What the restore does to a table.
fn counts(table: &TableChange) -> String {
    let mut parts = Vec::new();
    let mut add = |n: Option<u64>, words: &str| {
        if let Some(n) = n.filter(|n| *n > 0) {
            parts.push(format!("{words} {}", text::digits(n)));
        }
    };
    add(table.added, "removes");
    add(table.changed, "reverts");
    add(table.removed, "brings back");
    parts.join(" · ")
}

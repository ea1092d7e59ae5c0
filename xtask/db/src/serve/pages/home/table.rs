//! The table of backups, inside one form whose buttons verify or pin what is selected.

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::backup::Backup;
use crate::serve::pages::context::Context;
use crate::serve::pages::home::facts::HomeFacts;
use crate::serve::pages::home::query::{PAGE_ROWS, Query, Sort};
use crate::serve::pages::home::{filters, script_rows};
use crate::serve::pages::{icons, web_address, words};

/// Filters, buttons and table.
pub(super) fn section(context: &Context, facts: &HomeFacts<'_>) -> Markup {
    let selected = facts.query.select(facts.backups);
    let n_pages = selected.len().div_ceil(PAGE_ROWS).max(1);
    let page = facts.query.page_number().min(n_pages);
    let rows = &selected[(page - 1) * PAGE_ROWS..selected.len().min(page * PAGE_ROWS)];
    html! {
        section.card.all #backups aria-labelledby="all" {
            div.head {
                h2 #all { "Backups" }
                p.muted #count aria-live="polite" { (count(selected.len(), facts.backups.len())) }
            }
            (filters::form(facts))
            form #list method="post" action="/do/verify" {
                (buttons())
                div.wide {
                    table.backups {
                        caption.vh { "Backups, ordered by " (facts.query.sort().word()) }
                        (head(facts.query))
                        tbody #rows { @for backup in rows { (row(context, backup)) } }
                    }
                }
                p.empty #no-match hidden[!selected.is_empty()] { "No backup matches these filters." }
            }
            (pages(facts.query, page, n_pages))
            (script_rows::data(facts.backups))
        }
    }
}

fn count(n_selected: usize, n_all: usize) -> String {
    if n_selected == n_all {
        text::count(n_all as u64, "backup")
    } else {
        format!("{} of {}", text::digits(n_selected as u64), text::count(n_all as u64, "backup"))
    }
}

/// What can be done with the selected ones.
fn buttons() -> Markup {
    html! {
        div.bulk role="group" aria-label="With the selected backups" {
            label.every.with-script { input #every type="checkbox"; span { "All" } }
            span.muted #chosen { "Selected:" }
            button type="submit" formaction="/do/verify" title="cargo xtask db-verify NAME" { "Verify" }
            button type="submit" formaction="/do/pin" title="cargo xtask db-pin NAME" { "Pin" }
            button type="submit" formaction="/do/unpin" title="cargo xtask db-unpin NAME" { "Unpin" }
            button.plain type="submit" form="verify-all" title="cargo xtask db-verify --all" { "Verify all" }
        }
    }
}

fn head(query: &Query) -> Markup {
    let column = |sort: Sort, shown: &str, class: &str| {
        let is_current = query.sort() == sort;
        let order = if query.is_descending() { "descending" } else { "ascending" };
        html! {
            th class=(class) scope="col" aria-sort=[is_current.then_some(order)] {
                a href=(query.sorted_by(sort)) data-sort=(sort.word()) { (shown) span.arrow aria-hidden="true" {} }
            }
        }
    };
    html! {
        thead {
            tr {
                td.x { span.vh { "Select" } }
                (column(Sort::Time, "Taken", "t"))
                (column(Sort::Kind, "Kind", "k"))
                (column(Sort::Branch, "Branch", "b"))
                th.c scope="col" { "Commit" }
                (column(Sort::Label, "Label", "l"))
                (column(Sort::Size, "Size", "n"))
                (column(Sort::New, "New", "w n"))
                (column(Sort::State, "State", "s"))
            }
        }
    }
}

/// One backup. The script makes the same from its data.
fn row(context: &Context, backup: &Backup) -> Markup {
    let taken = words::date_and_time(backup.created_at, context.now);
    let state = backup.state();
    html! {
        tr {
            td.x { input type="checkbox" name="name" value=(backup.name) aria-label={ "Select " (taken) }; }
            th.t scope="row" { a href=(web_address::backup(&backup.name)) { (taken) } }
            td.k { (icons::mark(backup.kind())) (backup.kind()) }
            td.b { (backup.branch().unwrap_or_default()) }
            td.c { (backup.commit().unwrap_or_default()) }
            td.l {
                @if backup.pinned { (icons::icon("pin")) span.vh { "pinned " } }
                (backup.label.as_deref().unwrap_or_default())
            }
            td.n { (text::size(backup.size_bytes)) }
            td.w.n { (new(backup)) }
            td.s { (icons::state(state, state.word())) }
        }
    }
}

fn new(backup: &Backup) -> String {
    match backup.new_bytes() {
        0 => "–".to_owned(),
        new_bytes => text::size(new_bytes),
    }
}

fn pages(query: &Query, page: usize, n_pages: usize) -> Markup {
    html! {
        nav.pages #pages aria-label="Pages of the table" hidden[n_pages < 2] {
            a href=(query.at_page(page.max(2) - 1)) rel="prev" hidden[page == 1] { "Previous page" }
            span #page-of { "Page " (page) " of " (n_pages) }
            a href=(query.at_page(page + 1)) rel="next" hidden[page == n_pages] { "Next page" }
        }
        form #verify-all method="post" action="/do/verify" {
            input type="hidden" name="all" value="1";
        }
    }
}

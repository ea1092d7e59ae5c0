//! The frame of every page: head, header with the pages, main, footer.

use maud::{DOCTYPE, Markup, html};

use crate::serve::job::Job;
use crate::serve::pages::context::Context;
use crate::serve::pages::{icons, job_state, web_address};

/// Which entry of the navigation a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Backups,
    Jobs,
    Import,
    None,
}

/// What differs in the frame of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) title: &'a str,
    pub(crate) tab: Tab,
    /// Load the page again after so many seconds if there is no script.
    pub(crate) refresh_seconds: Option<u32>,
    /// Whether it has the table of backups, which has a script of its own.
    pub(crate) has_table: bool,
}

impl<'a> Frame<'a> {
    /// An ordinary page.
    #[must_use]
    pub(crate) fn of(title: &'a str, tab: Tab) -> Self {
        Self { title, tab, refresh_seconds: None, has_table: false }
    }
}

/// A page with its frame.
#[must_use]
pub(crate) fn page(context: &Context, frame: &Frame<'_>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&context.project, frame))
            body {
                (icons::drawings())
                a.skip href="#main" { "Skip to content" }
                (header(context, frame.tab))
                main #main tabindex="-1" {
                    @if let Some(notice) = &context.notice {
                        p.notice role="status" { (icons::icon("ok")) (notice) }
                    }
                    (running(&context.running))
                    (body)
                }
                (footer(context))
            }
        }
    }
}

/// A page without navigation, for those who have not signed in.
#[must_use]
pub(crate) fn bare_page(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head("Database backups", &Frame::of(title, Tab::None)))
            body.bare {
                (icons::drawings())
                main #main { (body) }
            }
        }
    }
}

fn head(project: &str, frame: &Frame<'_>) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (frame.title) " · " (project) }
            link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
            link rel="stylesheet" href="/assets/style.css";
            script src="/assets/page.js" defer {}
            @if frame.has_table { script src="/assets/table.js" defer {} }
            @if let Some(seconds) = frame.refresh_seconds {
                noscript { meta http-equiv="refresh" content=(seconds); }
            }
        }
    }
}

fn header(context: &Context, tab: Tab) -> Markup {
    let entry = |this: Tab, href: &str, text: &str| {
        html! { a href=(href) aria-current=[(tab == this).then_some("page")] { (text) } }
    };
    html! {
        header.top {
            a.brand href="/" {
                img src="/assets/icon.svg" alt="" width="28" height="28";
                span { (context.project) }
            }
            nav aria-label="Pages" {
                (entry(Tab::Backups, "/", "Backups"))
                (entry(Tab::Jobs, "/jobs", "Jobs"))
                (entry(Tab::Import, "/import", "Import"))
            }
            (databases(context))
        }
    }
}

/// The path of the only database, or links to each of several.
fn databases(context: &Context) -> Markup {
    html! {
        @if let [only] = &context.databases[..] {
            code.path title="The database" { (only.path) }
        } @else if !context.databases.is_empty() {
            nav.dbs aria-label="Databases" {
                @for database in &context.databases {
                    @let is_chosen = database.name == context.database;
                    a href={ "/?db=" (web_address::encode(&database.name)) } title=(database.path)
                        aria-current=[is_chosen.then_some("true")] { (database.name) }
                }
            }
        }
    }
}

/// One line for each job that has not ended.
fn running(jobs: &[Job]) -> Markup {
    html! {
        @if !jobs.is_empty() {
            ul.running aria-label="Running jobs" {
                @for job in jobs {
                    li {
                        span.dot aria-hidden="true" {}
                        a href=(web_address::job(&job.id)) { (job.title) }
                        span.muted { (job_state::word(job.state)) }
                    }
                }
            }
        }
    }
}

fn footer(context: &Context) -> Markup {
    html! {
        footer.foot {
            p {
                "This page is served by " code { "cargo xtask db-serve" }
                " on this computer only. Every button does what the command beside it does."
            }
            @if let Some(database) = context.chosen() {
                p { "Database " b { (database.name) } ": " code { (database.path) } }
            }
        }
    }
}

//! The first page: what is the newest state proved restorable, is anything late or damaged, what
//! would be lost by going back now; then all backups.

mod answers;
mod attention;
mod calendar;
pub(crate) mod facts;
mod filters;
mod folder;
mod growth;
pub(crate) mod query;
mod script_rows;
mod table;
mod timeline;

use maud::{Markup, html};

use crate::serve::documents::backup::Backup;
use crate::serve::pages::context::Context;
use crate::serve::pages::home::facts::{HomeFacts, Since, newest_proved};
use crate::serve::pages::layout::{self, Frame, Tab};

/// The part of the first page about what would be lost, for a page that was shown without it.
#[must_use]
pub(crate) fn since_part(context: &Context, backups: &[Backup], since: Since<'_>) -> Markup {
    match newest_proved(backups) {
        Some(backup) => answers::lost(context, backup, since),
        None => Markup::default(),
    }
}

/// The first page.
#[must_use]
pub(crate) fn page(context: &Context, facts: &HomeFacts<'_>) -> Markup {
    let frame = Frame { has_table: true, ..Frame::of("Backups", Tab::Backups) };
    let body = html! {
        (answers::first_screen(context, facts))
        @if !facts.backups.is_empty() {
            (timeline::section(context, facts.backups))
            (table::section(context, facts))
            div.pair {
                (growth::section(context, facts.backups))
                (calendar::section(context, facts.backups))
            }
        }
        (folder::section(context, &facts.status.folder))
    };
    layout::page(context, &frame, &body)
}

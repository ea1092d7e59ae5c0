//! The backups folder: space, retention, and what the policy would remove.

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::status::{Folder, Store};
use crate::serve::pages::context::Context;
use crate::serve::pages::parts::{fact, terminal};

/// The backups folder.
pub(super) fn section(context: &Context, folder: &Folder) -> Markup {
    html! {
        section.card.folder aria-labelledby="folder" {
            h2 #folder { "Backups folder" }
            dl.facts {
                (fact("Space used", &html! { (text::size(folder.used_bytes)) }))
                @if let Some(free) = folder.free_bytes {
                    (fact("Free", &html! { (text::size(free)) }))
                }
                @if let Some(store) = folder.store.as_ref().filter(|store| store.backups > 0) {
                    (fact("Page store", &html! { (shared(store)) }))
                }
                (fact("Retention", &html! {
                    @match &folder.retention {
                        Some(words) => (words),
                        None => "no policy is configured: nothing is removed",
                    }
                }))
            }
            @if folder.retention.is_some() {
                form.inline method="post" action="/do/prune" {
                    button type="submit" { "Prune…" }
                    p.muted { "Shows what the policy would remove, and why. Nothing is removed yet." }
                }
                (terminal(&format!("cargo xtask db-prune --dry-run{}", context.db_flag())))
            }
        }
    }
}

fn shared(store: &Store) -> String {
    format!(
        "{} of {} in {}",
        text::count(store.backups, "backup"),
        text::size(store.logical_bytes),
        text::size(store.packs_bytes)
    )
}

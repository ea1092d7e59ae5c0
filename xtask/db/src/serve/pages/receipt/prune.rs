//! The plan of a pruning: a reason for every backup.

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::prune::{Prune, Verdict};
use crate::serve::pages::web_address;

/// What is removed, then what is kept.
pub(super) fn section(prune: &Prune) -> Markup {
    let doomed: Vec<_> = prune.doomed().collect();
    let kept: Vec<_> = prune.backups.iter().filter(|verdict| verdict.keep).collect();
    let freed: u64 = doomed.iter().map(|verdict| verdict.freed_bytes).sum();
    html! {
        section.card aria-labelledby="doomed" {
            div.head {
                h2 #doomed { "Would be removed" }
                p.muted { (text::count(doomed.len() as u64, "backup")) ", " (text::size(freed)) }
            }
            @if doomed.is_empty() {
                p.empty { "The policy keeps all " (text::count(kept.len() as u64, "backup")) "." }
            } @else {
                (table("Backups that would be removed", &doomed))
            }
            @if prune.store.freed_bytes > 0 {
                p.muted { (text::size(prune.store.freed_bytes)) " of the page store become free." }
            }
            @if let Some(trouble) = &prune.store.trouble { p.warning { (trouble) } }
        }
        @if !doomed.is_empty() {
            section.card {
                details {
                    summary { "Would be kept: " (text::count(kept.len() as u64, "backup")) }
                    (table("Backups that would be kept", &kept))
                }
            }
        }
    }
}

fn table(name: &str, verdicts: &[&Verdict]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(name) {
            table.plain {
                thead {
                    tr {
                        th scope="col" { "Backup" }
                        th scope="col" { "Reason" }
                        th.n scope="col" { "Frees" }
                    }
                }
                tbody {
                    @for verdict in verdicts {
                        tr {
                            th scope="row" {
                                a href=(web_address::backup(&verdict.name)) { code { (verdict.name) } }
                            }
                            td { (verdict.reasons.join(", ")) }
                            td.n {
                                @if verdict.freed_bytes > 0 { (text::size(verdict.freed_bytes)) } @else { "–" }
                            }
                        }
                    }
                }
            }
        }
    }
}

//! What came out of a job, by the shape of its document.

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use crate::console::text;
use crate::serve::documents::backup::List;
use crate::serve::documents::import::Import;
use crate::serve::documents::prune::Prune;
use crate::serve::documents::restore::Restored;
use crate::serve::documents::verify::Verification;
use crate::serve::pages::parts::{Act, act};
use crate::serve::pages::{icons, web_address};

/// A document of a job, the more particular ones first.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Document {
    Restored(Box<Restored>),
    Pruned(Prune),
    Verified(Verification),
    Imported(Import),
    Backups(List),
}

/// The result; a list has one result for each run.
pub(super) fn section(document: &Value) -> Markup {
    let documents = match document {
        Value::Array(documents) => documents.as_slice(),
        one => std::slice::from_ref(one),
    };
    html! { @for document in documents { (result(document)) } }
}

fn result(document: &Value) -> Markup {
    let Ok(document) = Document::deserialize(document) else { return Markup::default() };
    match document {
        Document::Restored(restored) => was_restored(&restored),
        Document::Pruned(prune) => was_pruned(&prune),
        Document::Verified(verification) => was_verified(&verification),
        Document::Imported(import) => was_imported(&import),
        Document::Backups(list) => new_backups(&list),
    }
}

fn was_restored(restored: &Restored) -> Markup {
    html! {
        section.card.calm {
            p.figure { (icons::icon("ok")) "Restored and checked" }
            p {
                "The database is as "
                a href=(web_address::backup(&restored.backup.name)) { code { (restored.backup.name) } }
                " has it. You may need to restart the application if it keeps data in memory."
            }
            @if !restored.tables.is_empty() {
                ul.chips {
                    @for table in &restored.tables { li { code { (table.table) } " " (text::digits(table.rows)) } }
                }
            }
            @if let Some(path) = &restored.set_aside {
                p { "The files of the database that could not be read are kept in " code { (path) } "." }
            }
            (undo(restored.safety.as_deref()))
        }
    }
}

/// The way back to the state before.
fn undo(safety: Option<&str>) -> Markup {
    html! {
        @if let Some(safety) = safety {
            p.muted {
                "The state before is kept as " a href=(web_address::backup(safety)) { code { (safety) } } "."
            }
            (act(&Act { action: "/do/restore", fields: &[("name", safety)], class: "", text: "Undo: restore the state before…" }))
        }
    }
}

fn was_verified(verification: &Verification) -> Markup {
    let is_whole = |outcome: &str| outcome == "whole";
    let n_whole = verification.backups.iter().filter(|backup| is_whole(&backup.outcome)).count();
    let n = verification.backups.len();
    html! {
        section.card.calm[n_whole == n] {
            p.figure {
                @if n_whole == n { (icons::icon("ok")) } @else { (icons::icon("bad")) }
                (n_whole) " " span.unit { "of " (text::count(n as u64, "backup")) " whole" }
            }
            ul.outcomes {
                @for backup in verification.backups.iter().filter(|b| !is_whole(&b.outcome) || n == 1 || !b.warnings.is_empty()) {
                    li {
                        a href=(web_address::backup(&backup.name)) { code { (backup.name) } }
                        " " b { (backup.outcome) }
                        @if !backup.reasons.is_empty() {
                            ul { @for reason in &backup.reasons { li { (reason) } } }
                        }
                        @for warning in &backup.warnings { p.muted { (warning) } }
                    }
                }
            }
        }
    }
}

fn was_pruned(prune: &Prune) -> Markup {
    html! {
        section.card.calm {
            p.figure {
                (icons::icon("ok")) (text::count(prune.removed.len() as u64, "backup")) " " span.unit { "removed" }
            }
            ul.keys { @for name in &prune.removed { li { code { (name) } } } }
        }
    }
}

fn was_imported(import: &Import) -> Markup {
    let (figure, safety) = match import {
        Import::Merge(merge) => {
            let words = format!(
                "{} added, {} replaced",
                text::count(merge.inserted, "row"),
                text::digits(merge.replaced)
            );
            (words, merge.safety.as_deref())
        }
        Import::New(new) => {
            let n_rows = new.tables.values().flatten().sum();
            (format!("{} imported", text::count(n_rows, "row")), new.safety.as_deref())
        }
    };
    html! {
        section.card.calm {
            p.figure { (icons::icon("ok")) (figure) }
            (undo(safety))
        }
    }
}

fn new_backups(list: &List) -> Markup {
    html! {
        @for backup in &list.backups {
            section.card.calm {
                p.figure { (icons::icon("ok")) (text::size(backup.size_bytes)) " " span.unit { (backup.state) } }
                p { a href=(web_address::backup(&backup.name)) { code { (backup.name) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(document: &Value, expected: &str) {
        let html = section(document).into_string();
        assert!(html.contains(expected), "{html}");
    }

    #[test]
    fn a_result_is_recognised_by_its_shape() {
        let backup = json!({ "name": "a.bak", "created_at": "2026-11-30T21:10:00Z",
            "size_bytes": 2048, "state": "verified" });
        check(&json!({ "backups": [backup] }), "2.0 KB");
        check(&json!({ "restored": backup, "safety": "s.bak" }), "Undo");
        check(&json!({ "backups": [], "removed": ["a.bak"] }), "1 backup");
        check(&json!({ "files": [], "inserted": 3 }), "3 rows added");
        let verified =
            json!({ "backups": [{ "name": "a.bak", "outcome": "damaged", "reasons": ["torn"] }] });
        check(&json!([verified]), "torn");
        assert_eq!(section(&json!({ "label": 1 })).into_string(), "");
    }
}

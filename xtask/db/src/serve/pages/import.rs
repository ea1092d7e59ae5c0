//! Import: a file is chosen and uploaded; then comes the plan.

use maud::{Markup, html};

use crate::console::text;
use crate::serve::pages::context::Context;
use crate::serve::pages::layout::{self, Frame, Tab};
use crate::serve::pages::parts::terminal;

/// What the page of an import is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImportFacts {
    /// Bytes that an upload may have.
    pub(crate) max_bytes: u64,
}

/// How to handle rows that exist with other values.
const CONFLICTS: [(&str, &str); 3] = [
    ("fail", "Import nothing, and list them"),
    ("skip", "Keep the rows as they are here"),
    ("replace", "Replace them by the rows of the file"),
];

/// The page where a file is chosen.
#[must_use]
pub(crate) fn page(context: &Context, facts: ImportFacts) -> Markup {
    let body = html! {
        div.title {
            h1 { span.eyebrow { "Rows from a file" } " " span.big { "Import" } }
            p.lead { "First comes a plan that shows what would become of each row. Nothing is changed before you confirm it." }
        }
        section.card aria-labelledby="file" {
            form #upload method="post" action="/do/import" enctype="multipart/form-data" data-max=(facts.max_bytes) {
                (file(facts))
                (manner())
                div.inline {
                    button.primary.with-script type="submit" { "Show the plan" }
                    p.muted { "An export, an SQL dump or another tool's file stays on this computer." }
                }
                (upload_progress())
                noscript { p.warning { "The upload needs script. Without it, import with the command below." } }
            }
            (terminal(&format!("cargo xtask db-import --merge FILE --dry-run{}", context.db_flag())))
        }
    };
    layout::page(context, &Frame::of("Import", Tab::Import), &body)
}

fn file(facts: ImportFacts) -> Markup {
    html! {
        h2 #file { "File" }
        label.drop {
            span { "JSONL, JSON or SQL, up to " (text::size(facts.max_bytes)) }
            input type="file" name="file" required accept=".jsonl,.json,.sql,.dump,.txt";
        }
        input type="hidden" name="upload" value="";
    }
}

/// A merge, or a new database.
fn manner() -> Markup {
    html! {
        fieldset {
            legend { "Where the rows go" }
            label.check {
                input type="radio" name="merge" value="1" checked;
                span { b { "Merge into the live database" } " Rows are added in one transaction, after a safety backup." }
            }
            label.check {
                input type="radio" name="merge" value="";
                span { b { "Create the database" } " Only if it does not exist yet." }
            }
        }
        fieldset {
            legend { "Rows that exist with other values" }
            @for (i, (value, shown)) in CONFLICTS.iter().enumerate() {
                label.check {
                    input type="radio" name="on_conflict" value=(value) checked[i == 0];
                    span { (shown) }
                }
            }
        }
    }
}

/// Bytes, rate and time left; the script fills it in.
fn upload_progress() -> Markup {
    html! {
        div.upload #uploading hidden {
            progress #upload-bar max="1" value="0" aria-label="Upload" {}
            p #upload-text {}
            p.vh #upload-said aria-live="polite" {}
            button #upload-pause type="button" { "Pause" }
        }
        p.warning #upload-problem role="alert" hidden {}
    }
}

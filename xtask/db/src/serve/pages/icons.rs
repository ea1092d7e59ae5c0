//! Icons and marks, drawn once in each page and referred to by name.

use maud::{Markup, PreEscaped, html};

use crate::serve::documents::backup::State;

/// The drawings of all icons, for the beginning of a page. Marks of kinds have their centre at 0, 0,
/// so that a chart can place them.
const DRAWINGS: &str = concat!(
    r#"<svg class="defs" aria-hidden="true" focusable="false"><defs>"#,
    r#"<symbol id="i-ok" viewBox="0 0 20 20"><path d="M10 1.5 3 4.2v5.1c0 4.3 2.9 7.6 7 9.2 4.1-1.6 7-4.9 7-9.2V4.2zm-1 12-3.3-3.3 1.4-1.4L9 10.7l4-4 1.4 1.4z"/></symbol>"#,
    r#"<symbol id="i-bad" viewBox="0 0 20 20"><path d="M7 1.8 1.8 7v6L7 18.2h6l5.2-5.2V7L13 1.8zm.3 4.1L10 8.6l2.7-2.7 1.4 1.4-2.7 2.7 2.7 2.7-1.4 1.4-2.7-2.7-2.7 2.7-1.4-1.4L8.6 10 5.9 7.3z"/></symbol>"#,
    r#"<symbol id="i-warn" viewBox="0 0 20 20"><path d="M10 1.8.8 18h18.4zM9 7.5h2V13H9zm0 6.7h2v2H9z"/></symbol>"#,
    r#"<symbol id="i-open" viewBox="0 0 20 20"><path d="M10 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16zm0 2a6 6 0 1 1 0 12 6 6 0 0 1 0-12z"/><path d="M9 6h2v4.6l3 1.8-1 1.7-4-2.4z"/></symbol>"#,
    r#"<symbol id="i-pin" viewBox="0 0 20 20"><path d="M12.4 1.6 18.4 7.6l-1.5 1.5-.9-.3-3 3 .1 3.2-1.4 1.4-3.6-3.6L3.4 18 2 16.6l5.2-4.7-3.6-3.6L5 6.9l3.2.1 3-3-.3-.9z"/></symbol>"#,
    r#"<symbol id="i-diff" viewBox="0 0 20 20"><path d="M4 3h2v3h3v2H6v3H4V8H1V6h3zm7 3h8v2h-8zM1 14h8v2H1zm10 0h8v2h-8z"/></symbol>"#,
    r##"<g id="k-manual"><circle r="5.5"/></g>"##,
    r##"<g id="k-scheduled"><rect x="-4.5" y="-4.5" width="9" height="9" rx="1.5"/></g>"##,
    r##"<g id="k-safety"><path d="M0-6.5 6.5 0 0 6.5-6.5 0z"/></g>"##,
    r##"<g id="k-pre-commit"><path fill-rule="evenodd" d="M0-5.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zm0 2.4a3.1 3.1 0 1 0 0 6.2 3.1 3.1 0 0 0 0-6.2z"/></g>"##,
    r##"<g id="k-branch"><path d="M-4.5-5.8 6 0-4.5 5.8z"/></g>"##,
    r##"<g id="k-pre-migrate"><path d="M0-6 6 4.8H-6z"/></g>"##,
    r##"<g id="k-pre-deploy"><path d="M0 6-6-4.8H6z"/></g>"##,
    r##"<g id="k-other"><path d="M-5.5-1.2h11v2.4h-11z"/></g>"##,
    r##"<g id="k-damaged"><path d="M-5.5-3.7-3.7-5.5 0-1.8l3.7-3.7 1.8 1.8L1.8 0l3.7 3.7-1.8 1.8L0 1.8l-3.7 3.7-1.8-1.8L-1.8 0z"/></g>"##,
    r##"<path id="d-u" d="M0 12V3a3 3 0 0 1 3-3h9z"/>"##,
    r##"<path id="d-x" d="M1 1l10 10M11 1 1 11"/>"##,
    "</defs></svg>",
);

/// The kinds of backups that have a mark of their own.
pub(crate) const KINDS: [&str; 7] =
    ["manual", "scheduled", "pre-commit", "branch", "pre-migrate", "pre-deploy", "safety"];

/// The drawings, once for each page.
#[must_use]
pub(crate) fn drawings() -> Markup {
    PreEscaped(DRAWINGS.to_owned())
}

/// An icon beside a word.
#[must_use]
pub(crate) fn icon(name: &str) -> Markup {
    html! { svg.i aria-hidden="true" { use href={ "#i-" (name) } {} } }
}

/// Name of the mark of a kind.
#[must_use]
pub(crate) fn mark_of(kind: &str) -> &'static str {
    KINDS.into_iter().find(|known| *known == kind).unwrap_or("other")
}

/// The mark of a kind beside its word.
#[must_use]
pub(crate) fn mark(kind: &str) -> Markup {
    html! { svg.m aria-hidden="true" { use href={ "#k-" (mark_of(kind)) } {} } }
}

/// The mark of a damaged backup.
#[must_use]
pub(crate) fn mark_damaged() -> Markup {
    html! { svg.m aria-hidden="true" { use href="#k-damaged" {} } }
}

/// Name of the icon of a state.
#[must_use]
pub(crate) fn icon_of(state: State) -> &'static str {
    match state {
        State::Verified => "ok",
        State::Damaged => "bad",
        State::Unread | State::Unverified | State::Unrecorded => "open",
    }
}

/// A state as an icon and a word.
#[must_use]
pub(crate) fn state(state: State, words: &str) -> Markup {
    html! { span class={ "st " (state.word()) } { (icon(icon_of(state))) (words) } }
}

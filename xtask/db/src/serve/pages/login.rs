//! What a browser sees that has not been let in.

use maud::{Markup, html};

use crate::serve::pages::layout;

/// How to open the page.
#[must_use]
pub(crate) fn page() -> Markup {
    let body = html! {
        section.card.login {
            img src="/assets/icon.svg" alt="" width="56" height="56";
            h1 { "Database backups" }
            p { "This page opens with the address that " code { "cargo xtask db-serve" } " printed. It works once, and lets this browser in." }
            p.muted { "No longer at hand? Stop the command and start it again: it prints a new one. With " code { "--open" } " it opens the browser itself." }
        }
    };
    layout::bare_page("Not signed in", &body)
}

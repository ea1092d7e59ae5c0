//! A page for what was refused or failed.

use maud::{Markup, html};

use crate::serve::documents::failure::Failure;
use crate::serve::pages::context::Context;
use crate::serve::pages::layout::{self, Frame, Tab};
use crate::serve::pages::parts::{back, problem};

/// The page of a failure with its HTTP status, e.g. `404 Not Found`.
#[must_use]
pub(crate) fn page(context: &Context, status: &str, failure: &Failure) -> Markup {
    let body = html! {
        (back("/", "Backups"))
        div.title {
            h1 { span.eyebrow { (status) } " " span.big { "That did not work" } }
        }
        (problem(failure))
    };
    layout::page(context, &Frame::of("That did not work", Tab::None), &body)
}

/// The same for those who have not signed in.
#[must_use]
pub(crate) fn bare_page(status: &str, failure: &Failure) -> Markup {
    let body = html! {
        div.title { h1 { span.eyebrow { (status) } " " span.big { "Refused" } } }
        (problem(failure))
    };
    layout::bare_page("Refused", &body)
}

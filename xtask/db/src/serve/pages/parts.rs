//! Small parts that several pages share.

use maud::{Markup, html};

use crate::serve::documents::failure::Failure;
use crate::serve::pages::icons;

/// The same act in the terminal.
#[must_use]
pub(crate) fn terminal(command: &str) -> Markup {
    html! {
        p.cmd {
            span.vh { "In the terminal: " }
            code { (command) }
        }
    }
}

/// A link back to where the page was opened from.
#[must_use]
pub(crate) fn back(href: &str, text: &str) -> Markup {
    html! { p.back { a href=(href) { span aria-hidden="true" { "← " } (text) } } }
}

/// A fact and its value, in a `dl`.
#[must_use]
pub(crate) fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// What failed, and what to do next.
#[must_use]
pub(crate) fn problem(failure: &Failure) -> Markup {
    html! {
        div.problem role="alert" {
            p.what { (icons::icon("bad")) span { (with_code(&failure.message)) } }
            @for cause in &failure.causes {
                p.cause { "caused by: " (with_code(cause)) }
            }
            @if let Some(hint) = &failure.hint {
                p.hint { b { "What to do: " } (with_code(hint)) }
            }
        }
    }
}

/// Text whose parts between backticks are code.
#[must_use]
pub(crate) fn with_code(text: &str) -> Markup {
    html! {
        @for (i, part) in text.split('`').enumerate() {
            @if i % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A form with one button and no fields but hidden ones.
#[must_use]
pub(crate) fn act(act: &Act<'_>) -> Markup {
    html! {
        form method="post" action=(act.action) {
            @for (name, value) in act.fields {
                input type="hidden" name=(name) value=(value);
            }
            button class=(act.class) type="submit" { (act.text) }
        }
    }
}

/// One act behind a button.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Act<'a> {
    pub(crate) action: &'a str,
    pub(crate) fields: &'a [(&'a str, &'a str)],
    pub(crate) class: &'a str,
    pub(crate) text: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_backticks_becomes_code() {
        let html = with_code("run `db-verify <x>`, then look").into_string();
        assert_eq!(html, "run <code>db-verify &lt;x&gt;</code>, then look");
    }
}

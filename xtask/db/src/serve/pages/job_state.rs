//! The state of a job in words.

use maud::{Markup, html};

use crate::serve::job::State;
use crate::serve::pages::icons;

/// The word for a state.
#[must_use]
pub(crate) fn word(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Running => "running",
        State::Done => "done",
        State::Failed => "failed",
        State::Interrupted => "interrupted",
    }
}

/// The state of a job as an icon and a word.
#[must_use]
pub(crate) fn state(state: State) -> Markup {
    let (class, icon) = match state {
        State::Done => ("verified", "ok"),
        State::Failed => ("damaged", "bad"),
        State::Interrupted => ("unverified", "warn"),
        State::Queued | State::Running => ("running", "open"),
    };
    html! { span class={ "st " (class) } { (icons::icon(icon)) (word(state)) } }
}

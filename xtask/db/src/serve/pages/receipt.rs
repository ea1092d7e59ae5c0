//! A plan, and the button that confirms it. Nothing is changed before.

mod import;
pub(crate) mod planned;
mod prune;
mod restore;

use chrono::{DateTime, FixedOffset};
use maud::{Markup, html};

use crate::serve::pages::context::Context;
use crate::serve::pages::layout::{self, Frame, Tab};
use crate::serve::pages::parts::{back, problem, terminal};
use crate::serve::pages::receipt::planned::Planned;
use crate::serve::pages::{icons, web_address};

/// What the page of a receipt is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceiptFacts<'a> {
    pub(crate) id: &'a str,
    pub(crate) planned: Planned<'a>,
    /// The command that confirming runs.
    pub(crate) command: &'a str,
    /// What has to be typed first, if the database is protected.
    pub(crate) typed_name: Option<&'a str>,
    /// From then on the plan has to be made again.
    pub(crate) valid_until: DateTime<FixedOffset>,
    /// Why this plan replaces an earlier one, or what was typed wrong.
    pub(crate) warning: Option<&'a str>,
}

/// The page of a receipt.
#[must_use]
pub(crate) fn page(context: &Context, facts: &ReceiptFacts<'_>) -> Markup {
    let planned = &facts.planned;
    let title = planned.title();
    let body = html! {
        (back(&planned.origin(), "Back without changing anything"))
        div.title {
            h1 {
                span.eyebrow { (icons::icon("open")) "Plan: nothing was changed yet" }
                " "
                span.big { (title) }
            }
        }
        @if let Some(warning) = facts.warning {
            p.warning role="alert" { (icons::icon("warn")) span { (warning) } }
        }
        @match planned {
            Planned::Restore { plan, backup, since } => {
                (restore::section(context, plan, backup, *since))
            }
            Planned::Prune(prune) => (prune::section(prune)),
            Planned::Import(import) => (import::section(import)),
            Planned::Refused { failure, upload } => {
                (problem(failure))
                @if let Some(upload) = upload { (import::choices(upload)) }
            }
        }
        @if !planned.is_empty() { (confirm(facts)) }
    };
    layout::page(context, &Frame::of(title, Tab::Backups), &body)
}

fn confirm(facts: &ReceiptFacts<'_>) -> Markup {
    let class = if facts.planned.is_destructive() { "danger" } else { "primary" };
    html! {
        section.card.confirm aria-labelledby="confirm" {
            h2 #confirm { "Confirm" }
            form.fields method="post" action={ "/do/receipts/" (web_address::encode(facts.id)) } {
                @if let Some(name) = facts.typed_name {
                    label.grow {
                        span { "This database is protected. Type " code { (name) } " to go on" }
                        input type="text" name="typed" required autocomplete="off" autocapitalize="off"
                            spellcheck="false" data-typed=(name);
                    }
                }
                button class=(class) type="submit" { (facts.planned.button()) }
                a.button href=(facts.planned.origin()) { "Cancel" }
            }
            p.muted {
                "This plan is valid until " (facts.valid_until.format("%H:%M"))
                ", and only as long as nothing that it is about changes."
            }
            (terminal(facts.command))
        }
    }
}

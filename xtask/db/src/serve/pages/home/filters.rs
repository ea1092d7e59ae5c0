//! The filters of the table: a form that works without script.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::serve::documents::backup::{Backup, State};
use crate::serve::pages::home::facts::HomeFacts;
use crate::serve::pages::icons;

/// The form above the table.
pub(super) fn form(facts: &HomeFacts<'_>) -> Markup {
    let query = facts.query;
    let kinds = kinds(facts.backups);
    let states: Vec<_> = State::ALL.into_iter().map(State::word).collect();
    let branches: BTreeSet<&str> = facts.backups.iter().filter_map(Backup::branch).collect();
    let branches: Vec<_> = branches.into_iter().collect();
    html! {
        form.filters #filters method="get" action="/#backups" role="search" aria-label="Filter the backups" {
            @for (name, value) in [("db", &query.db), ("sort", &query.sort), ("order", &query.order)] {
                @if !value.is_empty() { input type="hidden" name=(name) value=(value); }
            }
            label {
                span { "Search" }
                input type="search" name="q" value=(query.q) placeholder="Label, branch, commit …";
            }
            (choice("kind", "Kind", &kinds, &query.kind))
            (choice("branch", "Branch", &branches, &query.branch))
            (choice("state", "State", &states, &query.state))
            button.no-script type="submit" { "Filter" }
            a.clear href="/#backups" hidden[!query.has_filters()] { "Clear" }
        }
    }
}

fn kinds(backups: &[Backup]) -> Vec<&str> {
    let known = icons::KINDS.into_iter();
    let mut kinds: Vec<&str> =
        known.filter(|kind| backups.iter().any(|b| b.kind() == *kind)).collect();
    let others: BTreeSet<&str> = backups.iter().map(Backup::kind).collect();
    let others: Vec<_> = others.into_iter().filter(|kind| !kinds.contains(kind)).collect();
    kinds.extend(others);
    kinds
}

fn choice(name: &str, shown: &str, values: &[&str], chosen: &str) -> Markup {
    html! {
        label {
            span { (shown) }
            select name=(name) {
                option value="" { "All" }
                @for value in values {
                    option value=(value) selected[*value == chosen] { (value) }
                }
            }
        }
    }
}

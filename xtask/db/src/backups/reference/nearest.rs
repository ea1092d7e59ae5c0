//! The message for a reference that matches no backup: why, and what is nearest.

use std::collections::BTreeSet;

use crate::backups::backup::Backup;
use crate::backups::reference::ambiguous::{Ambiguous, By};
use crate::backups::reference::field::{Field, Order, counted, labelled, listed};
use crate::console::refusal::Refusal;
use crate::console::text::{self, Span};

/// How many letters may be wrong in a word that is still recognised.
const MAX_TYPOS: usize = 2;

/// The error if several databases could be meant.
pub(super) fn none_of_several(reference: &str, field: &Field<'_>) -> anyhow::Error {
    let shown = text::plain(reference);
    let meant = did_you_mean(reference, field).map_or_else(String::new, |meant| meant + " ");
    Refusal::could_not(
        format!("there are several databases, and `{shown}` names no backup"),
        format!("{meant}choose one with `--db NAME`"),
    )
}

/// The error if no backup matches.
pub(super) fn none(reference: &str, field: &Field<'_>) -> anyhow::Error {
    let shown = text::plain(reference);
    let nearest = field.of_databases();
    if nearest.is_empty() {
        return nothing_there(&shown, field);
    }
    let labelled = labelled(reference, &nearest);
    if labelled.len() > 1 {
        return Ambiguous::of(reference, By::Label, &labelled).into();
    }
    let why = why_none(reference, field).map_or_else(String::new, |why| format!(": {why}"));
    if let Some(meant) = did_you_mean(reference, field) {
        return Refusal::could_not(
            format!("no backup matches `{shown}`{why}"),
            format!("{meant} `cargo xtask db-list` shows all"),
        );
    }
    Refusal::could_not(format!("no backup matches `{shown}`{why}"), way_on(reference, field))
}

/// The oldest of the backups that a number, an age or a revision counts among; for a name, a time or a
/// branch, the nearest names.
fn way_on(reference: &str, field: &Field<'_>) -> String {
    let mut nearest = field.of_databases();
    let order = Order::of(&nearest, field.now);
    let is_safety = counted(reference, "safety").is_some();
    let oldest = if is_safety { order.safety.last() } else { order.ordinary.last() };
    if !reference.starts_with('@') && why_none(reference, field).is_some() {
        return match oldest {
            Some(oldest) => format!(
                "the oldest is `{}`, {} old; `cargo xtask db-list` shows all",
                text::plain(&oldest.name.to_string()),
                text::age(oldest.age(field.now))
            ),
            None => "`cargo xtask db-list` shows all backups".to_owned(),
        };
    }
    nearest.sort_by_key(|backup| {
        let name = backup.name.to_string();
        strsim::damerau_levenshtein(&backup.name.time_text(), reference)
            .min(strsim::damerau_levenshtein(&name, reference))
    });
    nearest.truncate(3);
    let are = if nearest.len() == 1 { "is" } else { "are" };
    format!("the nearest {are} {}; `cargo xtask db-list` shows all", listed(&nearest))
}

/// The error if this project has no backup at all; others may have some.
fn nothing_there(shown: &str, field: &Field<'_>) -> anyhow::Error {
    let folder = field.vault.folder().display();
    let is_named = |b: &&Backup| field.databases.iter().any(|owner| b.bears_name_of(*owner));
    let others: Vec<&Backup> = field.all.iter().filter(is_named).collect();
    if others.is_empty() {
        return Refusal::could_not(
            format!("no backup matches `{shown}`: there is none in `{folder}`"),
            "create one with `cargo xtask db-backup`",
        );
    }
    let n = text::count(others.len() as u64, "backup");
    Refusal::could_not(
        format!(
            "no backup matches `{shown}`: {n} in `{folder}` may belong to another project, e.g. {}",
            listed(&others[..1])
        ),
        "such a backup needs its exact name; `cargo xtask db-list` shows where each belongs",
    )
}

/// `did you mean …?`, for a word that is nearly a reference.
fn did_you_mean(reference: &str, field: &Field<'_>) -> Option<String> {
    if !reference.starts_with('@') && why_none(reference, field).is_some() {
        // It is a reference already, which means nothing here.
        return None;
    }
    let backups = field.of_databases();
    let (typed, rest) = reference.split_at(reference.find('~').unwrap_or(reference.len()));
    let words = ["latest", "oldest", "safety"].map(|word| format!("{word}{rest}"));
    let branches: BTreeSet<String> =
        backups.iter().filter_map(|backup| Some(format!("@{}", backup.branch()?))).collect();
    let labels: BTreeSet<String> =
        backups.iter().filter_map(|backup| backup.label().map(str::to_owned)).collect();
    let all = words.into_iter().chain(branches).chain(labels);
    // A short word is nearly any other one.
    let most = MAX_TYPOS.min(typed.chars().count() / 3);
    let distance = |word: &String| strsim::damerau_levenshtein(word, reference);
    let found = all.filter(|word| distance(word) <= most).min_by_key(distance)?;
    Some(format!("did you mean `{}`?", text::plain(&found)))
}

/// The reason why nothing matches, if it follows from the kind of reference.
fn why_none(reference: &str, field: &Field<'_>) -> Option<String> {
    let order = Order::of(&field.of_databases(), field.now);
    for (word, noun, backups) in
        [("latest", "ordinary backup", &order.ordinary), ("safety", "safety backup", &order.safety)]
    {
        if counted(reference, word).is_some() {
            return Some(match backups.len() as u64 {
                0 if word == "safety" => "there has been no restore yet".to_owned(),
                0 => format!("there is no {noun}"),
                1 => format!("there is only 1 {noun}"),
                n => format!("there are only {}", text::count(n, noun)),
            });
        }
    }
    if reference.starts_with('@') {
        return Some("none was taken on a branch of that name".to_owned());
    }
    if reference.parse::<Span>().is_ok() {
        return Some("none is that old".to_owned());
    }
    let commit = field.git.and_then(|git| git.commit(reference));
    commit.map(|_| "none was taken there or at an ancestor of it".to_owned())
}

//! How a user names a backup.
//!
//! `latest`, `latest~2`, `oldest`; `safety`, `safety~1`; a file name, a path, a label, or a unique
//! prefix of the name or its time; `@main`; `2h`, `3d`; a git revision. Only `safety` and names can
//! mean a safety backup: after a restore, `latest` must not become the state that was just
//! replaced. This worktree's backups come first. `backups/reference/printed.rs` uses the same order
//! and names for what `db-list` prints.

pub(crate) mod ambiguous;
pub(crate) mod field;
mod nearest;
pub(crate) mod printed;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::name::Name;
use crate::backups::reference::ambiguous::{Ambiguous, By};
use crate::backups::reference::field::{Field, Order, counted, labelled};
use crate::backups::vault::Vault;
use crate::console::refusal::Refusal;
use crate::console::text::{self, Span};
use crate::git::repository;

/// The backup that a reference means.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The backup.
    pub backup: Backup,
    /// Whether it is another worktree's backup, because this one has none.
    pub other_worktree: bool,
}

impl Found {
    fn exactly(backup: &Backup) -> Self {
        Self { backup: backup.clone(), other_worktree: false }
    }

    fn maybe_elsewhere(backup: &Backup, field: &Field<'_>) -> Self {
        let other_worktree = backup.worktree() != field.worktree();
        Self { backup: backup.clone(), other_worktree }
    }
}

/// Finds the backup that a reference means.
///
/// # Errors
///
/// [`Ambiguous`] if two match; a refusal if none does (it shows the nearest).
pub(crate) fn resolve(reference: &str, field: &Field<'_>) -> Result<Found> {
    if let Some(backup) = by_name(reference, field.all) {
        return Ok(Found::exactly(backup));
    }
    if is_path(reference, field.folder) {
        return by_path(reference, field);
    }
    let all = field.of_project();
    // A whole time is unmistakable, though it may be the beginning of another one in this worktree.
    if let Some(found) = by_time(reference, field) {
        return Ok(found);
    }
    if field.names_only() {
        return match named(reference, &all)? {
            Some(backup) => Ok(Found::exactly(backup)),
            None => Err(nearest::none_of_several(reference, field)),
        };
    }
    if let Some(backup) = among(reference, &field.own(), field)? {
        return Ok(Found::exactly(backup));
    }
    if let Some(backup) = among(reference, &field.of_databases(), field)? {
        return Ok(Found::maybe_elsewhere(backup, field));
    }
    // Git's names come last: a label that somebody chose, in whichever worktree, is meant before a
    // branch that happens to have its name.
    for backups in [field.own(), field.of_databases()] {
        let ordinary = Order::of(&backups, field.now).ordinary;
        if let Some(backup) = by_revision(reference, &ordinary, field.git) {
            return Ok(Found::maybe_elsewhere(backup, field));
        }
    }
    // A whole prefix of another database's backup is still an unmistakable name.
    match by_prefix(reference, &all)? {
        Some(backup) => Ok(Found::exactly(backup)),
        None => Err(nearest::none(reference, field)),
    }
}

/// The backup of a name, also in the form in which a terminal shows it, or as the code that is
/// printed for a name that cannot be typed.
fn by_name<'a>(reference: &str, all: &'a [Backup]) -> Option<&'a Backup> {
    let exact = all.iter().find(|backup| backup.name.to_string() == reference);
    let only = |is_it: &dyn Fn(&str) -> bool| {
        let mut found = all.iter().filter(|backup| is_it(&backup.name.to_string()));
        found.next().filter(|_| found.next().is_none())
    };
    let coded = || {
        let is_code = reference.starts_with("name:");
        is_code.then(|| only(&|name| printed::code(name) == reference)).flatten()
    };
    exact.or_else(coded).or_else(|| only(&|name| text::plain(name) == reference))
}

/// The backup with exactly this time: of this worktree first, then of the databases that are meant,
/// then of any.
fn by_time(reference: &str, field: &Field<'_>) -> Option<Found> {
    if field.names_only() {
        return at_time(reference, &field.of_project()).map(Found::exactly);
    }
    let own = at_time(reference, &field.own());
    let of_databases = || at_time(reference, &field.of_databases());
    let found = own.or_else(of_databases).map(|backup| Found::maybe_elsewhere(backup, field));
    found.or_else(|| at_time(reference, &field.of_project()).map(Found::exactly))
}

/// Whether a reference is meant as a path; branches and tags have slashes in their names too.
fn is_path(reference: &str, folder: &Path) -> bool {
    let last = reference.rsplit('/').next().unwrap_or_default();
    let explicit = ["/", "./", "../"].iter().any(|start| reference.starts_with(start));
    reference.contains('/')
        && !reference.starts_with('@')
        && (explicit || Name::parse(last).is_some() || folder.join(reference).exists())
}

fn among<'a>(
    reference: &str,
    backups: &[&'a Backup],
    field: &Field<'_>,
) -> Result<Option<&'a Backup>> {
    let Order { ordinary, safety } = Order::of(backups, field.now);
    if let Some(n) = counted(reference, "latest") {
        return Ok(ordinary.get(n).copied());
    }
    if let Some(n) = counted(reference, "safety") {
        return Ok(safety.get(n).copied());
    }
    if reference == "oldest" {
        return Ok(ordinary.last().copied());
    }
    if let Some(branch) = reference.strip_prefix('@').filter(|branch| !branch.is_empty()) {
        return Ok(ordinary.iter().find(|b| b.branch() == Some(branch)).copied());
    }
    let span = as_span(reference);
    let found =
        if span.is_some() { by_prefix(reference, backups) } else { named(reference, backups) };
    if let Some(backup) = found? {
        return Ok(Some(backup));
    }
    if let Some(span) = span {
        let moment = span.before(field.now);
        let old_enough = |b: &&&Backup| moment.is_some_and(|moment| b.created_at <= moment);
        return Ok(ordinary.iter().find(old_enough).copied());
    }
    Ok(None)
}

/// The age that a reference is. `1234567d` is a commit sooner than three thousand years.
fn as_span(reference: &str) -> Option<Span> {
    let is_commit = reference.len() >= 7 && reference.bytes().all(|b| b.is_ascii_hexdigit());
    reference.parse::<Span>().ok().filter(|_| !is_commit)
}

/// The backup that a time, a label or a unique prefix names. A label that several have names none.
fn named<'a>(reference: &str, backups: &[&'a Backup]) -> Result<Option<&'a Backup>> {
    if let Some(backup) = at_time(reference, backups) {
        return Ok(Some(backup));
    }
    let prefixed = by_prefix(reference, backups);
    match (&labelled(reference, backups)[..], prefixed) {
        ([backup], Ok(None)) => Ok(Some(backup)),
        ([backup], Ok(Some(other))) if backup.name != other.name => {
            Err(several(reference, &[backup, other]))
        }
        (_, prefixed) => prefixed,
    }
}

/// The backup with exactly this time, if there is only one.
fn at_time<'a>(reference: &str, backups: &[&'a Backup]) -> Option<&'a Backup> {
    let mut exact = backups.iter().filter(|b| b.name.time_text() == reference).copied();
    exact.next().filter(|_| exact.next().is_none())
}

fn by_prefix<'a>(reference: &str, backups: &[&'a Backup]) -> Result<Option<&'a Backup>> {
    if reference.is_empty() {
        return Ok(None);
    }
    if let Some(backup) = at_time(reference, backups) {
        return Ok(Some(backup));
    }
    let begins = |b: &&&Backup| {
        b.name.time_text().starts_with(reference) || b.name.to_string().starts_with(reference)
    };
    let matches: Vec<&Backup> = backups.iter().filter(begins).copied().collect();
    match matches[..] {
        [] => Ok(None),
        [backup] => Ok(Some(backup)),
        _ => Err(several(reference, &matches)),
    }
}

fn several(reference: &str, matches: &[&Backup]) -> anyhow::Error {
    Ambiguous::of(reference, By::Beginning, matches).into()
}

fn by_revision<'a>(
    reference: &str,
    backups: &[&'a Backup],
    git: Option<&repository::Place>,
) -> Option<&'a Backup> {
    let commit_of = |b: &&Backup| b.record().and_then(|r| r.git.as_ref()?.commit.clone());
    let commit = git?.commit(reference)?;
    let taken_at: BTreeSet<String> = backups.iter().filter_map(commit_of).collect();
    let nearest = git?.nearest(&commit, &taken_at)?;
    backups.iter().find(|b| commit_of(b).as_deref() == Some(&nearest)).copied()
}

fn by_path(reference: &str, field: &Field<'_>) -> Result<Found> {
    let path = field.folder.join(reference);
    let shown = text::plain(reference);
    let parts = path.parent().zip(path.file_name().and_then(|name| name.to_str()));
    let missing = || {
        Refusal::could_not(
            format!("there is no file `{shown}`"),
            "`cargo xtask db-list` shows all backups",
        )
    };
    let Some((folder, file_name)) = parts else {
        return Err(missing());
    };
    if !path.exists() {
        return Err(missing());
    }
    let Some(name) = Name::parse(file_name) else {
        return Err(Refusal::could_not(
            format!("`{shown}` does not have the name of a backup"),
            "copy it into the backups folder as `<database file>.<YYYY-MM-DD_HHMMSS>.bak` (or `.pages`)",
        ));
    };
    let vault = Vault::at(folder, field.now);
    let backup = vault.read(name)?.ok_or_else(missing)?;
    let known = field.all.iter().find(|b| b.identity == backup.identity && b.name == backup.name);
    Ok(Found { backup: known.cloned().unwrap_or(backup), other_worktree: false })
}

#[cfg(test)]
mod tests;

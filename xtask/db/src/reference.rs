//! How a user names a backup.
//!
//! `latest`, `latest~2`, `oldest`; `safety`, `safety~1`; a file name, a path, or a unique prefix of
//! the name or its time; `@main`; `2h`, `3d`; a git revision. Only `safety` and names ever mean a
//! safety backup: after a restore `latest` must not become the state that was just replaced.
//! This worktree's backups are meant first.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backup::Backup;
use crate::git;
use crate::name::Name;
use crate::record::Kind;
use crate::refusal::Refusal;
use crate::text::{self, Span};
use crate::vault::Vault;

/// Where a reference is looked up.
pub(crate) struct Field<'a> {
    /// All backups of the folder, newest first.
    pub all: &'a [Backup],
    /// Those of the database that is meant, newest first.
    pub of_database: Vec<&'a Backup>,
    /// The folder itself.
    pub vault: &'a Vault,
    /// The worktree whose backups are meant first.
    pub worktree: &'a str,
    /// The repository, for branches and revisions.
    pub git: Option<&'a git::Place>,
    /// The folder that relative paths are relative to.
    pub folder: &'a Path,
    /// The moment that ages count from.
    pub now: DateTime<FixedOffset>,
    /// Whether several databases could be meant: then only a name says which.
    pub names_only: bool,
}

/// What a reference means.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The backup.
    pub backup: Backup,
    /// Whether this worktree had none and another worktree's was taken.
    pub other_worktree: bool,
}

/// Finds the backup that a reference means.
///
/// # Errors
///
/// A refusal where two match (it lists them), or none does (it shows the nearest).
pub(crate) fn resolve(reference: &str, field: &Field<'_>) -> Result<Found> {
    if let Some(backup) = field.all.iter().find(|b| b.name.to_string() == reference) {
        return Ok(Found { backup: backup.clone(), other_worktree: false });
    }
    if is_path(reference, field.folder) {
        return by_path(reference, field);
    }
    let all: Vec<&Backup> = field.all.iter().collect();
    if field.names_only {
        return match by_prefix(reference, &all)? {
            Some(backup) => Ok(Found { backup: backup.clone(), other_worktree: false }),
            None => Err(Refusal::could_not(
                format!(
                    "there are several databases, and `{}` names no backup",
                    text::plain(reference)
                ),
                "say which one with `--db NAME`",
            )),
        };
    }
    let own: Vec<&Backup> =
        field.of_database.iter().copied().filter(|b| b.worktree() == field.worktree).collect();
    if let Some(backup) = among(reference, &own, field)? {
        return Ok(Found { backup: backup.clone(), other_worktree: false });
    }
    if let Some(backup) = among(reference, &field.of_database, field)? {
        let other_worktree = backup.worktree() != field.worktree;
        return Ok(Found { backup: backup.clone(), other_worktree });
    }
    // A whole prefix of another database's backup is still an unmistakable name.
    match by_prefix(reference, &all)? {
        Some(backup) => Ok(Found { backup: backup.clone(), other_worktree: false }),
        None => Err(none(reference, field)),
    }
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
    let is_safety = |b: &&&Backup| b.kind() == Some(Kind::Safety);
    let ordinary: Vec<&Backup> = backups.iter().filter(|b| !is_safety(b)).copied().collect();
    if let Some(n) = counted(reference, "latest") {
        return Ok(newest(&ordinary, n, field.now));
    }
    if let Some(n) = counted(reference, "safety") {
        let safety: Vec<&Backup> = backups.iter().filter(is_safety).copied().collect();
        return Ok(newest(&safety, n, field.now));
    }
    if reference == "oldest" {
        return Ok(ordinary.last().copied());
    }
    if let Some(branch) = reference.strip_prefix('@').filter(|branch| !branch.is_empty()) {
        let on_branch = |b: &&&Backup| {
            b.record().and_then(|r| r.git.as_ref()?.branch.as_deref()) == Some(branch)
        };
        return Ok(ordinary.iter().find(on_branch).copied());
    }
    if let Some(backup) = by_prefix(reference, backups)? {
        return Ok(Some(backup));
    }
    // `1234567d` is a commit sooner than three thousand years.
    let is_commit = reference.len() >= 7 && reference.bytes().all(|b| b.is_ascii_hexdigit());
    if let Ok(span) = reference.parse::<Span>()
        && !is_commit
    {
        let moment = span.before(field.now);
        let old_enough = |b: &&&Backup| moment.is_some_and(|moment| b.created_at <= moment);
        return Ok(ordinary.iter().find(old_enough).copied());
    }
    Ok(by_revision(reference, &ordinary, field.git))
}

/// `word` is 0, `word~3` is 3.
fn counted(reference: &str, word: &str) -> Option<usize> {
    match reference.strip_prefix(word)? {
        "" => Some(0),
        rest => rest.strip_prefix('~')?.parse().ok(),
    }
}

/// The n-th newest; an unrecorded one from the future has no place in the order.
fn newest<'a>(backups: &[&'a Backup], n: usize, now: DateTime<FixedOffset>) -> Option<&'a Backup> {
    let placed = |b: &&&Backup| b.record().is_some() || !b.is_from_the_future(now);
    backups.iter().filter(placed).nth(n).copied()
}

fn by_prefix<'a>(reference: &str, backups: &[&'a Backup]) -> Result<Option<&'a Backup>> {
    if reference.is_empty() {
        return Ok(None);
    }
    let exact: Vec<&Backup> =
        backups.iter().filter(|b| b.name.time_text() == reference).copied().collect();
    if let [backup] = exact[..] {
        return Ok(Some(backup));
    }
    let begins = |b: &&&Backup| {
        b.name.time_text().starts_with(reference) || b.name.to_string().starts_with(reference)
    };
    let matches: Vec<&Backup> = backups.iter().filter(begins).copied().collect();
    match matches[..] {
        [] => Ok(None),
        [backup] => Ok(Some(backup)),
        _ => {
            let n = text::count(matches.len() as u64, "backup");
            Err(Refusal::could_not(
                format!("`{reference}` means {n}: {}", listed(&matches)),
                "give more of the name",
            ))
        }
    }
}

fn by_revision<'a>(
    reference: &str,
    backups: &[&'a Backup],
    git: Option<&git::Place>,
) -> Option<&'a Backup> {
    let commit_of = |b: &&Backup| b.record().and_then(|r| r.git.as_ref()?.commit.clone());
    let commit = git?.commit(reference)?;
    let taken_at: BTreeSet<String> = backups.iter().filter_map(commit_of).collect();
    let nearest = git?.nearest(&commit, &taken_at)?;
    backups.iter().find(|b| commit_of(b).as_deref() == Some(&nearest)).copied()
}

fn by_path(reference: &str, field: &Field<'_>) -> Result<Found> {
    let path = field.folder.join(reference);
    let parts = path.parent().zip(path.file_name().and_then(|name| name.to_str()));
    let missing = || {
        Refusal::could_not(
            format!("there is no file `{reference}`"),
            "`cargo xtask db-list` shows the backups there are",
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
            format!("`{reference}` does not bear a backup's name"),
            "copy it into the backups folder as `<database file>.<YYYY-MM-DD_HHMMSS>.bak` (or `.pages`)",
        ));
    };
    let vault = Vault::at(folder, field.now);
    let backup = vault.read(name)?.ok_or_else(missing)?;
    let known = field.all.iter().find(|b| b.identity == backup.identity && b.name == backup.name);
    Ok(Found { backup: known.cloned().unwrap_or(backup), other_worktree: false })
}

fn listed(backups: &[&Backup]) -> String {
    const MOST: usize = 10;
    let mut names: Vec<_> =
        backups.iter().take(MOST).map(|backup| format!("`{}`", backup.name)).collect();
    if backups.len() > MOST {
        names.push(format!("and {} more", backups.len() - MOST));
    }
    names.join(", ")
}

/// Why nothing matches, where the kind of reference tells.
fn why_none(reference: &str, field: &Field<'_>) -> Option<String> {
    for (word, noun, safety) in
        [("latest", "ordinary backup", false), ("safety", "safety backup", true)]
    {
        if counted(reference, word).is_some() {
            let is_meant = |b: &&&Backup| (b.kind() == Some(Kind::Safety)) == safety;
            let n = field.of_database.iter().filter(is_meant).count() as u64;
            return Some(format!("there are {}", text::count(n, noun)));
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

fn none(reference: &str, field: &Field<'_>) -> anyhow::Error {
    let shown = text::plain(reference);
    if field.of_database.is_empty() {
        return Refusal::could_not(
            format!("no backup matches `{shown}`: there is none in `{}`", {
                field.vault.folder().display()
            }),
            "take one with `cargo xtask db-backup`",
        );
    }
    let mut nearest = field.of_database.clone();
    nearest.sort_by_key(|backup| {
        let name = backup.name.to_string();
        strsim::damerau_levenshtein(&backup.name.time_text(), reference)
            .min(strsim::damerau_levenshtein(&name, reference))
    });
    nearest.truncate(3);
    let why = why_none(reference, field).map_or_else(String::new, |why| format!(": {why}"));
    Refusal::could_not(
        format!("no backup matches `{shown}`{why}"),
        format!("the nearest are {}; `cargo xtask db-list` shows all", listed(&nearest)),
    )
}

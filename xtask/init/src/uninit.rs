//! `uninit`: what `init` wrote goes, and nothing else; or what to remove by hand.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::consent::Consent;
use crate::files::Change;
use crate::record::{self, Back, Record, Way};
use crate::refusal::Refusal;
use crate::{leftovers, screen, writing};

/// Shows what would be undone, asks, and undoes it.
///
/// # Errors
///
/// A refusal if the lines have changed, the hooks are still installed, or there is no record.
pub(crate) fn run(folder: &Path, consent: Consent) -> Result<ExitCode> {
    let record =
        record::root_of(folder).map(|root| Ok::<_, anyhow::Error>((root, Record::read(root)?)));
    let Some((root, Some(record))) = record.transpose()? else {
        return Err(without_record(folder)?);
    };
    refuse_hooks(root)?;
    let ways = record.ways(root)?;
    let edited: Vec<_> = ways.iter().filter_map(|(path, way)| changed(path, way)).collect();
    if !edited.is_empty() {
        return Err(Refusal::error(
            format!("what `init` wrote has been changed since in {}", edited.join(", ")),
            format!(
                "restore those lines, or remove `{}`: then `cargo xtask-db uninit` lists what to remove \
                 by hand",
                record::PATH
            ),
        ));
    }
    let backs = ways.into_iter().filter_map(|(_, way)| match way {
        Way::Back(back) => Some(back),
        Way::Absent | Way::Changed(_) => None,
    });
    let backs: Vec<Back> = backs.collect();
    let notes: Vec<String> = backs.iter().flat_map(notes_of).collect();
    let mut changes: Vec<Change> = backs.into_iter().map(|back| back.change).collect();
    screen::show(&changes);
    let locks = locks_of(root, &changes)?;
    for lock in &locks {
        screen::note(&format!(
            "`{}`, which cargo wrote for that workspace, goes with it",
            lock.path
        ));
    }
    changes.extend(locks);
    for note in &notes {
        screen::note(note);
    }
    if !consent.is_given("Undo these changes?")? {
        return Ok(consent.without());
    }
    let path = record::PATH.to_owned();
    let before = crate::files::read(&root.join(&path), &path)?;
    // The record goes last: killed at any moment, the next `uninit` continues.
    changes.push(Change { path, before, after: None });
    writing::write(root, &changes)?;
    screen::say_written(&changes);
    screen::say(
        "The database and its backups stay: look at `git status` before you commit; cargo updates Cargo.lock \
             with its next build",
    );
    Ok(ExitCode::SUCCESS)
}

/// The lock files that cargo wrote for workspaces of `init` that go.
fn locks_of(root: &Path, changes: &[Change]) -> Result<Vec<Change>> {
    let mut locks = Vec::new();
    for Change { path, before, after } in changes {
        let is_workspace =
            before.iter().flat_map(|text| text.lines()).any(|line| line == "[workspace]");
        let Some(folder) = path.strip_suffix("/Cargo.toml") else { continue };
        if after.is_some() || !is_workspace {
            continue;
        }
        let path = format!("{folder}/Cargo.lock");
        let before = crate::files::read(&root.join(&path), &path)?;
        locks.extend(before.is_some().then_some(Change { path, before, after: None }));
    }
    Ok(locks)
}

/// A file whose lines of `init` have changed, and which of them are gone.
fn changed(path: &str, way: &Way) -> Option<String> {
    const MAX_LINES: usize = 3;
    let Way::Changed(gone) = way else { return None };
    let shown: Vec<_> = gone.iter().take(MAX_LINES).map(|line| format!("`{line}`")).collect();
    let more = if gone.len() > MAX_LINES { ", …" } else { "" };
    Some(match shown.len() {
        0 => format!("`{path}`"),
        _ => format!("`{path}`, where these lines are gone: {}{more}", shown.join(", ")),
    })
}

/// Without the record, only the lines that look like those of `init` can be named.
fn without_record(folder: &Path) -> Result<anyhow::Error> {
    let found = leftovers::find(folder)?;
    let hint = if found.is_empty() {
        "nothing that `init` writes was found in this project either: there is nothing to remove"
            .to_owned()
    } else {
        format!(
            "remove by hand what belongs to xtask-db, and nothing else needs:\n  {}",
            found.join("\n  ")
        )
    };
    Ok(Refusal::error(format!("`init` has left no record here (`{}`)", record::PATH), hint))
}

/// What a person should know before a change is undone.
fn notes_of(back: &Back) -> Vec<String> {
    let mut notes = Vec::new();
    let Change { path, after, .. } = &back.change;
    if !back.added.is_empty() {
        let lines = back.added.iter().filter(|line| !line.trim().is_empty());
        let lines: Vec<_> = lines.map(|line| format!("`{}`", line.trim())).collect();
        let lines = lines.join(", ");
        notes.push(format!(
            "added to the database's table in `{path}` since, and removed with it: {lines}"
        ));
    }
    let is_ours = |line: &&str| line.starts_with("[workspace.metadata.db");
    let rest: Vec<_> = after.iter().flat_map(|text| text.lines()).filter(is_ours).collect();
    if !rest.is_empty() {
        notes.push(format!(
            "`init` did not write {} in `{path}`, so it stays: remove it by hand, otherwise a later `init` \
             finds the project configured",
            rest.join(", ")
        ));
    }
    notes
}

/// The hooks would call a program that is gone.
fn refuse_hooks(root: &Path) -> Result<()> {
    let shell = xshell::Shell::new()?;
    shell.change_dir(root);
    let asked =
        xshell::cmd!(shell, "git rev-parse --git-path hooks").quiet().ignore_stderr().read();
    let Ok(folder) = asked else { return Ok(()) };
    let Ok(entries) = fs_err::read_dir(root.join(folder.trim())) else { return Ok(()) };
    for entry in entries.flatten() {
        let text = fs_err::read(entry.path()).unwrap_or_default();
        if String::from_utf8_lossy(&text).contains("cargo xtask db-hooks uninstall") {
            return Err(Refusal::error(
                "the git hooks of xtask-db are still installed",
                "run `cargo xtask db-hooks uninstall` first, while there is a `cargo xtask`",
            ));
        }
    }
    Ok(())
}

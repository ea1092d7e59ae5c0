//! Before a commit that touches schema files: a checkpoint, and its name in the message.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind;
use crate::commands::hooks::checkpoint::{self, Due, Run};
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::files::{publish, whole_files};
use crate::git::caller::calling_git;
use crate::git::index::Index;
use crate::git::repository::Place;
use crate::hooks::trailer::{self, Note};
use crate::host::project::{Database, OnFailure, Project};
use crate::host::session::Session;
use crate::sqlite::schema::created_tables;

/// The file in git's own folder that carries the checkpoint's name to the message.
const NOTE: &str = "xtask-db-checkpoint";

/// The way on if something stayed locked: a commit has no flags of ours.
const WAIT_LONGER: &str = "commit again when it is free, or wait longer with `busy-timeout = \"30s\"` \
                           in `[workspace.metadata.db]` in `Cargo.toml`";

/// `pre-commit`: a checkpoint of every database whose schema files the commit touches.
///
/// # Errors
///
/// If it could not be taken, which blocks the commit, unless `on-failure` is set otherwise.
pub(super) fn before(session: &mut Session, project: &Project, place: &Place) -> Result<Answer> {
    publish::remove(&place.own.join(NOTE))?;
    if place.in_the_middle_of().is_some() {
        return Ok(Answer::Yes);
    }
    match checkpoint(session, project, place) {
        Ok(()) => Ok(Answer::Yes),
        Err(error) if project.on_failure == OnFailure::Warn => {
            session.interrupt().check()?;
            session.warn(format!("no checkpoint was taken before this commit: {error:#}"));
            Ok(Answer::Yes)
        }
        Err(error) => {
            session.interrupt().check()?;
            let own = error.downcast_ref::<Refusal>().map(|refusal| match refusal.exit {
                Exit::Locked => format!("{WAIT_LONGER}; "),
                _ => format!("{}; ", refusal.hint),
            });
            let own = own.unwrap_or_default();
            Err(error.context(Refusal {
                what: "no checkpoint could be taken, so the commit is blocked".to_owned(),
                hint: format!(
                    "{own}`git commit --no-verify` commits without a checkpoint, and `on-failure = \
                     \"warn\"` in `[workspace.metadata.db.hooks]` never blocks"
                ),
                exit: Exit::No,
            }))
        }
    }
}

fn checkpoint(session: &mut Session, project: &Project, place: &Place) -> Result<()> {
    let index = Index(session.variable("GIT_INDEX_FILE").map(PathBuf::from));
    let mut due = Vec::new();
    for database in project.databases.iter().filter(|database| !database.schema.is_empty()) {
        let specs = checkpoint::pathspecs(project, place, database);
        let paths = index.staged(place, &specs).context("git did not report what is staged")?;
        if !paths.is_empty() {
            due.push(Due { database, paths, enters: None });
        }
    }
    let outcome =
        checkpoint::take(session, project, Run { kind: Kind::PreCommit, git: place.state(), due })?
            .whole()?;
    if outcome.taken.is_empty() {
        return Ok(());
    }
    let commit = Commit { project, place, index: &index };
    let trailers = outcome.taken.iter().map(|backup| {
        let added = commit.added_tables(&outcome.listed, backup);
        trailer::value(backup, &added)
    });
    let note = Note {
        trailers: trailers.collect(),
        tree: index.tree(place).context("git did not write the tree that is staged")?,
        caller: calling_git(),
    };
    whole_files::replace_file(&place.own.join(NOTE), &serde_json::to_vec(&note)?, 0o600)
}

/// The commit that is about to be made.
struct Commit<'a> {
    project: &'a Project,
    place: &'a Place,
    /// The staged files.
    index: &'a Index,
}

impl Commit<'_> {
    /// The tables that the staged migrations create, and those that the database gained since the
    /// backup before: some migrate first and commit afterwards, others the other way round. `listed`
    /// is all backups, newest first.
    fn added_tables(&self, listed: &[Backup], backup: &Backup) -> BTreeSet<String> {
        let Self { project, place, index } = *self;
        let Some(record) = backup.record() else {
            return BTreeSet::new();
        };
        let mut added = BTreeSet::new();
        let is_sql = |path: &&String| {
            Path::new(path).extension().is_some_and(|e| e.eq_ignore_ascii_case("sql"))
        };
        for path in record.paths.iter().filter(is_sql) {
            let sql = index.content(place, path).unwrap_or_default();
            let is_new = |table: &String| {
                !record.tables.keys().any(|there| there.eq_ignore_ascii_case(table))
            };
            added.extend(created_tables::tables_created(&sql).into_iter().filter(is_new));
        }
        let is_mine = |database: &Database| backup.is_of(database);
        let before = listed.iter().find(|other| {
            other.record().is_some_and(|other| other.sequence < record.sequence)
                && project
                    .databases
                    .iter()
                    .any(|database| is_mine(database) && other.is_of(database))
                && other.worktree() == backup.worktree()
        });
        if let Some(before) = before.and_then(Backup::record) {
            let is_new = |table: &&String| !before.tables.contains_key(*table);
            added.extend(record.tables.keys().filter(is_new).cloned());
        }
        added
    }
}

/// `prepare-commit-msg FILE [SOURCE [COMMIT]]`: the checkpoint's name as a trailer.
///
/// # Errors
///
/// Never in a way that ends the commit: the block ignores it.
pub(super) fn message(
    session: &mut Session,
    place: &Place,
    arguments: &[String],
) -> Result<Answer> {
    let Some(file) = arguments.first() else {
        return Ok(Answer::Yes);
    };
    let path = place.own.join(NOTE);
    let Ok(bytes) = fs_err::read(&path) else {
        return Ok(Answer::Yes);
    };
    // A note is good for one message: what comes after an aborted commit has none.
    publish::remove(&path)?;
    let source = arguments.get(1).map_or("", String::as_str);
    if matches!(source, "merge" | "squash") || place.in_the_middle_of().is_some() {
        return Ok(Answer::Yes);
    }
    let note: Note = serde_json::from_slice(&bytes).context("could not read the note")?;
    let index = Index(session.variable("GIT_INDEX_FILE").map(PathBuf::from));
    if note.is_of(index.tree(place).as_deref(), calling_git().as_deref()) {
        write(place, Path::new(file), source, &note)
            .context("could not add the trailer to the message")?;
    }
    Ok(Answer::Yes)
}

fn write(place: &Place, file: &Path, source: &str, note: &Note) -> Result<()> {
    if source == "message" && fs_err::read(file)?.trim_ascii().is_empty() {
        // An empty message is meant (`--allow-empty-message`): a trailer would become its subject.
        return Ok(());
    }
    // A message in another encoding keeps the older trailer beside the new one.
    if let Ok(message) = String::from_utf8(fs_err::read(file)?)
        && message.contains(trailer::KEY)
    {
        let found = place.trailers(file).unwrap_or_default();
        let without = trailer::without_older(&message, &found, &note.trailers);
        if without != message {
            whole_files::replace_file(file, without.as_bytes(), 0o644)?;
        }
    }
    let trailers: Vec<String> =
        note.trailers.iter().map(|value| format!("{}: {value}", trailer::KEY)).collect();
    place.add_trailers(file, &trailers).context("`git interpret-trailers` failed")?;
    let Ok(message) = String::from_utf8(fs_err::read(file)?) else {
        return Ok(());
    };
    let sign = trailer::comment_sign(&message, place.comment_setting().as_deref());
    let with_way_out = match source {
        "template" => trailer::with_way_out_of_template(&message, &sign),
        _ => trailer::with_way_out(&message, &sign),
    };
    match with_way_out {
        Some(message) => whole_files::replace_file(file, message.as_bytes(), 0o644),
        None => Ok(()),
    }
}

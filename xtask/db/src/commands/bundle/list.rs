//! `db-bundle list`: all bundles, or what is in one.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use crate::bundle::manifest::{Content, Item, Kind, Manifest, Parent};
use crate::bundle::read;
use crate::bundle::record::Record;
use crate::commands::bundle::{ListArgs, find};
use crate::console::refusal::Answer;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;

/// Output of `--json`.
#[derive(Serialize)]
struct Document {
    version: u32,
    bundles: Vec<One>,
}

#[derive(Serialize)]
struct One {
    path: String,
    size_bytes: u64,
    encrypted: bool,
    record: Option<Record>,
}

impl ListArgs {
    pub(super) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project_to_look_at(session)?;
        match &self.file {
            Some(file) => self.contents(session, &project, file),
            None => all(session, &project),
        }
    }

    fn contents(&self, session: &mut Session, project: &Project, file: &PathBuf) -> Result<Answer> {
        let path = find::one(session, project, Some(file))?;
        let keys = self.keys.read(session)?;
        let interrupt = session.interrupt().clone();
        let manifest = read::manifest(&path, &keys, &interrupt)?;
        say(session, &manifest);
        session.document(&manifest);
        Ok(Answer::Yes)
    }
}

fn all(session: &mut Session, project: &Project) -> Result<Answer> {
    let found = find::all(project)?;
    if found.is_empty() {
        session.say(format!("No bundle in {}", project.dotted(&project.backups)));
        session.note("Create one with `cargo xtask db-bundle create`");
    }
    for one in &found {
        let what = match &one.record {
            Some(record) => format!("{}; {}", record.items.join(", "), record.decryption.words()),
            None => "without a record".to_owned(),
        };
        let size = text::size(one.size_bytes);
        session.say(format!("{}  {size}  {what}", project.dotted(&one.path)));
    }
    let bundles = found.into_iter().map(|one| One {
        path: one.path.display().to_string(),
        size_bytes: one.size_bytes,
        encrypted: one.name.is_sealed,
        record: one.record,
    });
    session.document(&Document { version: VERSION, bundles: bundles.collect() });
    Ok(Answer::Yes)
}

/// Prints what is in a bundle.
fn say(session: &mut Session, manifest: &Manifest) {
    session.say(format!(
        "{}, created at {} on {} by {}",
        text::plain(&manifest.project),
        text::plain(&manifest.created_at),
        text::plain(&manifest.host),
        text::plain(&manifest.tool)
    ));
    for item in &manifest.items {
        let kind = match item.kind {
            Kind::Database => "database",
            Kind::File => "file",
            Kind::Folder => "folder",
            Kind::Snapshot => "snapshot",
        };
        let n_files = item.entries.iter().filter(|entry| entry.content != Content::Folder).count();
        let files = match item.kind {
            Kind::Folder => format!(", {}", text::count(n_files as u64, "file")),
            Kind::Database | Kind::File | Kind::Snapshot => String::new(),
        };
        let secret = if item.secret { ", secret" } else { "" };
        session.say(format!(
            "  {}: {kind}{files}, {}{secret}, from {}{}",
            item.name,
            text::size(item.size_bytes()),
            text::plain(&item.place),
            since(item)
        ));
    }
    say_remainder(session, manifest);
}

/// Of a stream, the snapshot, and what it builds on.
pub(super) fn since(item: &Item) -> String {
    let Some(stream) = &item.stream else { return String::new() };
    match &stream.parent {
        Some(Parent { snapshot, bundle }) => {
            format!("@{}, since {snapshot} in {bundle}", stream.snapshot)
        }
        None => format!("@{}, in full", stream.snapshot),
    }
}

/// Prints what a bundle does not contain.
pub(super) fn say_remainder(session: &mut Session, manifest: &Manifest) {
    for left in &manifest.left_out {
        session.say(format!(
            "Left out: {}; rebuild it with `{}`",
            left.name,
            text::plain(&left.rebuild)
        ));
    }
    for line in &manifest.not_covered {
        session.say(format!("Not covered: {}", text::plain(line)));
    }
}

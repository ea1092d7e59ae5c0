//! `db-bundle verify`: proves that a bundle is whole, and with `--spot` how it differs from what is there.

mod spot;

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::bundle::manifest::{Content, Manifest};
use crate::bundle::record::{self, Decryption, Record};
use crate::bundle::seal::{self, Keys};
use crate::bundle::{gather, inspect};
use crate::commands::bundle::{VerifyArgs, find};
use crate::console::refusal::Answer;
use crate::console::text;
use crate::files::publish;
use crate::files::stage::Stage;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::sqlite::examination::finding::Damage;

/// Output of `--json`.
#[derive(Serialize)]
struct Document {
    version: u32,
    path: String,
    state: State,
    reason: Option<String>,
    /// What differs from the installation; only with `--spot`.
    differing: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// Every item was read, and is as the manifest has it.
    Verified,
    /// It is encrypted, and no key was at hand: its bytes are as recorded.
    Unopened,
    Damaged,
}

impl VerifyArgs {
    pub(super) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project_to_look_at(session)?;
        let path = find::one(session, &project, self.file.as_ref())?;
        let keys = self.keys.read(session)?;
        let shown = project.dotted(&path);
        let recorded = recorded(&path);
        if seal::is_sealed(&path)? && keys.is_empty() && recorded.is_some() && !self.spot {
            return unopened(session, &path, recorded.as_ref(), &shown);
        }
        let proved = prove(session, &path, &keys, recorded.as_ref());
        let manifest = match proved {
            Ok(manifest) => manifest,
            Err(error) if error.is::<Damage>() => {
                session.say(format!("[✗] {shown}: damaged"));
                session.say(format!("    {error:#}"));
                let reason = Some(format!("{error:#}"));
                Verdict { path: &path, state: State::Damaged, reason, differing: Vec::new() }
                    .print(session);
                return Ok(Answer::No);
            }
            Err(error) => return Err(error),
        };
        let entries = manifest.items.iter().flat_map(|item| &item.entries);
        let n_files = entries.filter(|entry| entry.content != Content::Folder).count() as u64;
        session.say(format!(
            "[✓] {shown}: verified; {}, {} in {}, equal to the manifest",
            text::count(manifest.items.len() as u64, "item"),
            text::size(manifest.size_bytes()),
            text::count(n_files, "file")
        ));
        note_proved(recorded, &path)?;
        let differing =
            if self.spot { spot::differing(session, &project, &manifest)? } else { Vec::new() };
        for one in &differing {
            session.say(format!("    differs from the installation: {one}"));
        }
        if self.spot && differing.is_empty() {
            session.say("    every file and the rows of every table are as in the installation");
        }
        Verdict { path: &path, state: State::Verified, reason: None, differing }.print(session);
        Ok(Answer::Yes)
    }
}

/// What became of a bundle that was verified.
struct Verdict<'a> {
    path: &'a Path,
    state: State,
    reason: Option<String>,
    differing: Vec<String>,
}

impl Verdict<'_> {
    fn print(self, session: &mut Session) {
        let Self { path, state, reason, differing } = self;
        let path = path.display().to_string();
        session.document(&Document { version: VERSION, path, state, reason, differing });
    }
}

/// The record beside a bundle.
fn recorded(path: &Path) -> Option<Record> {
    let name = path.file_name()?.to_str()?;
    let record = record::read(&path.with_file_name(format!("{name}.json"))).ok()?;
    (record.file == name).then_some(record)
}

/// Compares a bundle's bytes with its record, and its content with its manifest.
fn prove(
    session: &Session,
    path: &Path,
    keys: &Keys,
    recorded: Option<&Record>,
) -> Result<Manifest> {
    let mut progress = session.progress("Verifying");
    publish::forget_cached(&fs_err::File::open(path)?);
    let manifest = inspect::prove(path, keys, &mut progress)?;
    if let Some(record) = recorded {
        same_bytes(session, path, record)?;
    }
    Ok(manifest)
}

fn same_bytes(session: &Session, path: &Path, record: &Record) -> Result<()> {
    let (size_bytes, blake3) = gather::hash(path, session.interrupt())?;
    if size_bytes != record.size_bytes || blake3 != record.blake3 {
        return Err(Damage::new(
            "the bundle is damaged: its bytes are not those that its record has",
        )
        .into());
    }
    Ok(())
}

/// Without a key, only the bytes can be compared.
fn unopened(
    session: &mut Session,
    path: &Path,
    recorded: Option<&Record>,
    shown: &str,
) -> Result<Answer> {
    let Some(record) = recorded else { return Ok(Answer::CannotTell) };
    publish::forget_cached(&fs_err::File::open(path)?);
    if let Err(error) = same_bytes(session, path, record) {
        if !error.is::<Damage>() {
            return Err(error);
        }
        session.say(format!("[✗] {shown}: damaged"));
        session.say(format!("    {error:#}"));
        let reason = Some(format!("{error:#}"));
        Verdict { path, state: State::Damaged, reason, differing: Vec::new() }.print(session);
        return Ok(Answer::No);
    }
    session.say(format!("[✓] {shown}: its bytes are as recorded; {}", record.decryption.words()));
    session.say(
        "    Not opened: pass `--identity FILE` or `--passphrase-file FILE` to prove every item",
    );
    Verdict { path, state: State::Unopened, reason: None, differing: Vec::new() }.print(session);
    Ok(Answer::Yes)
}

/// Notes in the record that somebody's key opened the bundle.
fn note_proved(recorded: Option<Record>, path: &Path) -> Result<()> {
    let Some(record) = recorded.filter(|record| record.decryption == Decryption::NotProved) else {
        return Ok(());
    };
    let record = Record { decryption: Decryption::Proved, ..record };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let name = format!("{}.json", name.to_string_lossy());
    let stage = Stage::create(folder, &name)?;
    stage.append(&serde_json::to_vec_pretty(&record)?)?;
    stage.sync()?;
    stage.replace(&folder.join(name))?;
    publish::sync_folder(folder)
}

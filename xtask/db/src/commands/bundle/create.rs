//! `db-bundle create`: gathers what is configured, writes one archive, and proves it.

use std::path::{Path, PathBuf};

use age::x25519;
use anyhow::{Context, Result};
use serde::Serialize;

use crate::backups::vault::Vault;
use crate::bundle::gather::{Gathered, Gathering};
use crate::bundle::inspect;
use crate::bundle::manifest::{Content, Entry, Item, Kind, LeftOut, Manifest};
use crate::bundle::name::Name;
use crate::bundle::record::{Decryption, Record};
use crate::bundle::seal::{self, Keys, Seal};
use crate::bundle::write::{self, Changed};
use crate::commands::bundle::CreateArgs;
use crate::commands::bundle::installation::{self, Part, What};
use crate::commands::bundle::retain::{self, Written};
use crate::commands::bundle::snapshots;
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::files::free_space;
use crate::files::publish::{self, Published};
use crate::files::stage::{Scratch, Stage};
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::back_up_each::Request;

/// How often a bundle is begun again because a file changed.
const MAX_ATTEMPTS: u32 = 3;

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    bundle: &'a Record,
    path: String,
    not_covered: &'a [String],
    snapshots: Vec<snapshots::One>,
    removed: Vec<String>,
}

impl CreateArgs {
    pub(super) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let seal = self.seal(&project)?;
        let (parts, left_out) = self.parts(session, &project)?;
        demand_sealed(&parts, &seal, self.plaintext)?;
        let output = match (&self.output, &project.bundle.output) {
            (Some(folder), _) => session.folder().join(folder),
            (None, Some(folder)) => project.root.join(folder),
            (None, None) => project.backups.clone(),
        };
        if output == project.backups {
            let vault = Vault::of(&project, session.now());
            vault.lock(project.busy_timeout, session.interrupt())?.keep_private()?;
        }
        let snapshots =
            if self.no_snapshot { Vec::new() } else { snapshots::take(session, &project)? };
        publish::create_folders(&output)?;
        let scratch = Scratch::create(&output, "bundle")?;
        let databases = self.databases(session, &project, &parts, &scratch)?;
        let manifest = Manifest {
            version: crate::bundle::manifest::VERSION,
            project: project_name(&project),
            created_at: session.now().to_rfc3339(),
            host: host_name(),
            tool: crate::command::version().to_owned(),
            commit: project.git.as_ref().and_then(|git| git.state()).and_then(|git| git.commit),
            items: Vec::new(),
            left_out,
            not_covered: project.bundle.not_covered.clone(),
        };
        let creating = Creating { project: &project, parts: &parts, output: &output, seal: &seal };
        let mut attempt = 1;
        let (manifest, path, record) = loop {
            let gathered = creating.gather(session, &databases)?;
            let items = gathered.iter().map(|one| one.item.clone()).collect();
            let manifest = Manifest { items, ..manifest.clone() };
            match creating.write(session, &manifest, &gathered, &self.keys) {
                Ok((path, record)) => break (manifest, path, record),
                Err(error) if error.is::<Changed>() && attempt < MAX_ATTEMPTS => attempt += 1,
                Err(error) if error.is::<Changed>() => return Err(error.context(Refusal::could_not(
                    "a file changed each time it was read",
                    "stop what writes to it, or take it out of `[workspace.metadata.db.bundle.items]`",
                ))),
                Err(error) => return Err(error),
            }
        };
        say(session, &project, &manifest, &path, &record);
        let removed = retain::prune(session, &project, &Written { path: &path, record: &record })?;
        session.document(&Document {
            version: VERSION,
            bundle: &record,
            path: path.display().to_string(),
            not_covered: &manifest.not_covered,
            snapshots,
            removed,
        });
        Ok(Answer::Yes)
    }

    fn seal(&self, project: &Project) -> Result<Seal> {
        match &self.keys.passphrase_file {
            _ if self.plaintext => Ok(Seal::Open),
            Some(path) => Ok(Seal::Passphrase(seal::passphrase_in(path)?)),
            None if project.bundle.recipients.is_empty() => Ok(Seal::Open),
            None => Seal::for_recipients(&project.bundle.recipients),
        }
    }

    /// The items, without those that are left out.
    fn parts(&self, session: &Session, project: &Project) -> Result<(Vec<Part>, Vec<LeftOut>)> {
        let mut parts = installation::parts(session, project)?;
        let mut left_out = Vec::new();
        for name in &self.skip {
            let Some(at) = parts.iter().position(|part| part.name == *name) else {
                let names: Vec<_> = parts.iter().map(|part| format!("`{}`", part.name)).collect();
                return Err(Refusal::could_not(
                    format!("there is no item `{}`", text::plain(name)),
                    format!("the items are {}", names.join(", ")),
                ));
            };
            let part = parts.remove(at);
            let Some(rebuild) = part.rebuild else {
                return Err(Refusal::could_not(
                    format!("`{name}` cannot be left out: nothing says how to rebuild it"),
                    format!(
                        "add `{name} = {{ rebuild = \"COMMAND\" }}` to `[workspace.metadata.db.bundle.items]`"
                    ),
                ));
            };
            left_out.push(LeftOut { name: part.name, rebuild });
        }
        Ok((parts, left_out))
    }

    /// A verified backup of each database, in a folder of its own.
    fn databases(
        &self,
        session: &mut Session,
        project: &Project,
        parts: &[Part],
        scratch: &Scratch,
    ) -> Result<Vec<(String, PathBuf)>> {
        let mut taken = Vec::new();
        for part in parts {
            let What::Database(database) = &part.what else { continue };
            let folder = scratch.path().join(&part.name);
            let request = Request {
                output: Some(folder.clone()),
                if_changed: false,
                ..Request::if_changed(Some(database.name.clone()))
            };
            session.silently(|session| request.take_all(session, project))?;
            taken.push((part.name.clone(), folder));
        }
        Ok(taken)
    }
}

/// Refuses to write secrets into a file that everybody could read.
fn demand_sealed(parts: &[Part], seal: &Seal, is_plaintext: bool) -> Result<()> {
    if seal.is_closed() || is_plaintext {
        return Ok(());
    }
    let secret: Vec<_> =
        parts.iter().filter(|part| part.is_secret).map(|part| format!("`{}`", part.name)).collect();
    if secret.is_empty() {
        return Ok(());
    }
    Err(Refusal::could_not(
        format!("the bundle would contain secrets without encryption: {}", secret.join(", ")),
        "add `recipients = [\"age1…\"]` to `[workspace.metadata.db.bundle]` (`age-keygen -o key.txt` makes a key), \
         pass `--passphrase-file FILE`, or `--plaintext` if it may be readable",
    ))
}

struct Creating<'a> {
    project: &'a Project,
    parts: &'a [Part],
    output: &'a Path,
    seal: &'a Seal,
}

impl Creating<'_> {
    fn gather(
        &self,
        session: &mut Session,
        databases: &[(String, PathBuf)],
    ) -> Result<Vec<Gathered>> {
        let excluded = installation::excluded(self.project, self.output);
        let interrupt = session.interrupt().clone();
        let mut gathering =
            Gathering { excluded: &excluded, interrupt: &interrupt, passed_over: Vec::new() };
        let mut gathered = Vec::new();
        for part in self.parts {
            let item = |kind, place| Item {
                name: part.name.clone(),
                kind,
                place,
                secret: part.is_secret,
                server_version: None,
                entries: Vec::new(),
            };
            gathered.push(match &part.what {
                What::Path { configured, path } => {
                    if !path.exists() {
                        return Err(Refusal::could_not(
                            format!("the item `{}` is missing: `{}`", part.name, path.display()),
                            "create it, or take it out of `[workspace.metadata.db.bundle.items]`",
                        ));
                    }
                    gathering.item(item(Kind::File, configured.clone()), path)?
                }
                What::Database(database) => {
                    let folder = databases.iter().find(|(name, _)| *name == part.name);
                    let (_, folder) = folder.context("a database was not backed up")?;
                    let item = item(Kind::Database, self.project.place(database));
                    database_item(item, folder, session)?
                }
            });
        }
        for path in &gathering.passed_over {
            session.note(format!("Left out, because it has no content: {}", path.display()));
        }
        Ok(gathered)
    }

    /// Writes the bundle, reads it again, and publishes it.
    fn write(
        &self,
        session: &mut Session,
        manifest: &Manifest,
        gathered: &[Gathered],
        keys: &crate::commands::bundle::KeyArgs,
    ) -> Result<(PathBuf, Record)> {
        let mut progress = session.progress("Bundling");
        progress.expect_bytes(manifest.size_bytes());
        free_space::demand(self.output, manifest.size_bytes() / 4, "the bundle")?;
        let time = session.now().naive_local();
        let mut name = Name::new(&manifest.project, time, self.seal.is_closed());
        let stage = Stage::create(self.output, &name.to_string())?;
        // Beside the recipients, a key of this moment: it proves what was written, and is forgotten.
        let witness = x25519::Identity::generate();
        let seal = match self.seal {
            Seal::Recipients(recipients) => {
                let recipients = recipients.iter().cloned().chain([witness.to_public()]);
                Seal::Recipients(recipients.collect())
            }
            Seal::Passphrase(passphrase) => Seal::Passphrase(passphrase.clone()),
            Seal::Open => Seal::Open,
        };
        let to = Hashing { stage: &stage, hasher: blake3::Hasher::new(), size_bytes: 0 };
        let written = write::write(manifest, gathered, &seal, to, &mut progress)?;
        let (size_bytes, blake3) =
            (written.size_bytes, written.hasher.finalize().to_hex().to_string());
        stage.sync()?;
        publish::forget_cached(stage.file());
        progress.turn_to("Verifying");
        let opens = match &seal {
            Seal::Passphrase(passphrase) => Keys::of_passphrase(passphrase.clone()),
            Seal::Recipients(_) => Keys::of_identity(witness),
            Seal::Open => Keys::default(),
        };
        let read = inspect::prove(stage.path(), &opens, &mut progress)
            .context("the bundle could not be read back right after it was written")?;
        anyhow::ensure!(read == *manifest, "the bundle has another manifest than was written");
        let decryption = self.decryption(&stage, keys, &mut progress)?;
        progress.end();
        loop {
            let record = Record {
                version: VERSION,
                file: name.to_string(),
                created_at: manifest.created_at.clone(),
                size_bytes,
                blake3: blake3.clone(),
                items: manifest.items.iter().map(|item| item.name.clone()).collect(),
                decryption,
                origin: Some(retain::origin(&manifest.host, &self.project.root)),
            };
            let record_stage = Stage::create(self.output, &name.record())?;
            record_stage.append(&serde_json::to_vec_pretty(&record)?)?;
            record_stage.sync()?;
            let path = self.output.join(name.to_string());
            if record_stage.publish(&self.output.join(name.record()))? == Published::Yes {
                if stage.publish(&path)? == Published::Yes {
                    publish::sync_folder(self.output)?;
                    return Ok((path, record));
                }
                publish::remove(&self.output.join(name.record()))?;
            }
            name = name.next();
        }
    }

    /// Whether the keys that a restore will have were seen to open it.
    fn decryption(
        &self,
        stage: &Stage,
        keys: &crate::commands::bundle::KeyArgs,
        progress: &mut crate::console::progress::Progress,
    ) -> Result<Decryption> {
        match self.seal {
            Seal::Open => Ok(Decryption::Plain),
            Seal::Passphrase(_) => Ok(Decryption::Proved),
            Seal::Recipients(_) => {
                let keys = Keys::read(keys.identity.as_deref(), None)?;
                if keys.is_empty() {
                    return Ok(Decryption::NotProved);
                }
                inspect::prove(stage.path(), &keys, progress)
                    .context("the identity does not open the bundle that was just written")?;
                Ok(Decryption::Proved)
            }
        }
    }
}

/// The backup of a database and its record.
fn database_item(item: Item, folder: &Path, session: &Session) -> Result<Gathered> {
    let mut item = item;
    let interrupt = session.interrupt();
    let mut names = Vec::new();
    for one in fs_err::read_dir(folder)? {
        let name = one?.file_name();
        let name = name.to_str().unwrap_or_default();
        if crate::backups::name::Name::parse(name.strip_suffix(".json").unwrap_or(name)).is_some() {
            names.push(name.to_owned());
        }
    }
    names.sort();
    for name in names {
        let (size_bytes, blake3) = crate::bundle::gather::hash(&folder.join(&name), interrupt)?;
        let content = Content::File { size_bytes, blake3 };
        item.entries.push(Entry {
            path: name,
            mode: 0o600,
            modified: session.now().timestamp(),
            content,
        });
    }
    let vault = Vault::at(folder, session.now());
    let backups = vault.backups()?;
    let record = backups.first().and_then(|backup| backup.record());
    item.server_version =
        record.and_then(|record| Some(record.postgres.as_ref()?.server_version.clone()));
    anyhow::ensure!(
        item.entries.len() == 2,
        "the backup of `{}` is not where it was written",
        item.name
    );
    Ok(Gathered { item, from: folder.to_owned() })
}

/// A stage that is hashed while it is written.
struct Hashing<'s> {
    stage: &'s Stage,
    hasher: blake3::Hasher,
    size_bytes: u64,
}

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stage.append(bytes).map_err(std::io::Error::other)?;
        self.hasher.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn say(
    session: &mut Session,
    project: &Project,
    manifest: &Manifest,
    path: &Path,
    record: &Record,
) {
    session.say(format!("Bundle created at {}", project.dotted(path)));
    for item in &manifest.items {
        let size = text::size(item.size_bytes());
        let secret = if item.secret { ", secret" } else { "" };
        session.say(format!("  {}: {size}{secret}, from {}", item.name, text::plain(&item.place)));
    }
    session.say(format!(
        "{}, read back and equal; {}",
        text::size(record.size_bytes),
        record.decryption.words()
    ));
    if record.decryption == Decryption::NotProved {
        session.say("Prove that your key opens it: `cargo xtask db-bundle verify --identity FILE`");
    }
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
    session.say("");
    session.say(format!(
        "Restore with: cargo xtask db-bundle restore {}",
        text::shell(&project.dotted(path))
    ));
}

/// The name of the project: that of its folder.
fn project_name(project: &Project) -> String {
    let name = project.root.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_good = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let name: String =
        name.unwrap_or_default().chars().map(|c| if is_good(c) { c } else { '-' }).collect();
    if name.is_empty() { "project".to_owned() } else { name }
}

/// The name of this machine.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

//! A bundle that is being created: what it contains is looked at, written in one pass, and read back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use age::x25519;
use anyhow::{Context, Result};

use crate::backups::name::Name as BackupName;
use crate::backups::vault::Vault;
use crate::bundle::gather::{self, Gathered, Gathering};
use crate::bundle::inspect;
use crate::bundle::manifest::{Content, Entry, Item, Kind, Manifest};
use crate::bundle::name::Name;
use crate::bundle::record::{Decryption, Record, Sent};
use crate::bundle::seal::{Keys, Seal};
use crate::bundle::write::{self, Source};
use crate::commands::bundle::KeyArgs;
use crate::commands::bundle::installation::{self, Part, What};
use crate::commands::bundle::retain;
use crate::console::progress::Progress;
use crate::console::refusal::Refusal;
use crate::files::free_space;
use crate::files::publish::{self, Published};
use crate::files::stage::Stage;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;

/// What is bundled, and where to.
pub(super) struct Creating<'a> {
    pub(super) project: &'a Project,
    pub(super) parts: &'a [Part],
    pub(super) output: &'a Path,
    pub(super) seal: &'a Seal,
}

impl Creating<'_> {
    /// Looks at every item, and hashes it.
    pub(super) fn gather(
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
                rows: BTreeMap::new(),
                stream: None,
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
    pub(super) fn write(
        &self,
        session: &mut Session,
        manifest: &Manifest,
        gathered: &[Gathered],
        keys: &KeyArgs,
    ) -> Result<(PathBuf, Record)> {
        let mut progress = session.progress("Bundling");
        progress.expect_bytes(manifest.size_bytes());
        free_space::demand(self.output, manifest.size_bytes() / 4, "the bundle")?;
        let time = session.now().naive_local();
        let mut name = Name::new(&manifest.project, time, self.seal.is_closed());
        let stage = Stage::create(self.output, &name.to_string())?;
        // Meanwhile, other commands sweep the folder.
        stage.hold()?;
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
        let written = write::write(Source { manifest, gathered, seal: &seal }, to, &mut progress)?;
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
                streams: manifest.items.iter().filter_map(Sent::of).collect(),
            };
            let record_stage = Stage::create(self.output, &name.record())?;
            record_stage.hold()?;
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
        keys: &KeyArgs,
        progress: &mut Progress,
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
        if BackupName::parse(name.strip_suffix(".json").unwrap_or(name)).is_some() {
            names.push(name.to_owned());
        }
    }
    names.sort();
    for name in names {
        let (size_bytes, blake3) = gather::hash(&folder.join(&name), interrupt)?;
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
    if let Some(record) = backups.first().and_then(|backup| backup.record()) {
        item.server_version = record.postgres.as_ref().map(|there| there.server_version.clone());
        let counted =
            record.tables.iter().filter_map(|(table, rows)| Some((table.clone(), (*rows)?)));
        item.rows = counted.collect();
    }
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

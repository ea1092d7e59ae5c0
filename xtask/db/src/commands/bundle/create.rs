//! `db-bundle create`: gathers what is configured, writes one archive, and proves it.

mod creating;
mod snapshots;
mod streams;
mod sweep;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use crate::backups::vault::Vault;
use crate::bundle::chain::Bundles;
use crate::bundle::manifest::{LeftOut, Manifest};
use crate::bundle::record::{Decryption, Record};
use crate::bundle::seal::{self, Seal};
use crate::bundle::write::Changed;
use crate::commands::bundle::CreateArgs;
use crate::commands::bundle::create::creating::Creating;
use crate::commands::bundle::installation::{self, Part, What};
use crate::commands::bundle::retain::{self, Written};
use crate::commands::bundle::volumes::Configured;
use crate::commands::bundle::{list, volumes};
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::files::publish;
use crate::files::stage::Scratch;
use crate::git::repository::Place;
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
    snapshots: Vec<volumes::One>,
    removed: Vec<String>,
}

impl CreateArgs {
    pub(super) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let seal = self.seal(&project)?;
        let (parts, left_out) = self.parts(session, &project)?;
        let volumes = volumes::configured(&project);
        let sent = if self.with_snapshots { &volumes[..] } else { &[] };
        if self.with_snapshots {
            streams::demand_sendable(sent, &parts)?;
        }
        if !self.plaintext {
            demand_sealed(&parts, sent, &seal)?;
        }
        let output = match (&self.output, &project.bundle.output) {
            (Some(folder), _) => session.folder().join(folder),
            (None, Some(folder)) => project.root.join(folder),
            (None, None) => project.backups.clone(),
        };
        // Databases are backed up into the private folder first, wherever the bundle goes; what a killed run leaves there is
        // swept by the next command.
        let vault = Vault::of(&project, session.now());
        vault.lock(project.busy_timeout, session.interrupt())?.keep_private()?;
        let project_name = project_name(&project);
        sweep::sweep(session, &output, &project_name)?;
        let origin = retain::origin(&session.host_name(), &project.root);
        let earlier = retain::records(&output, &project_name, &origin)?;
        let taken = if self.no_snapshot {
            Vec::new()
        } else {
            snapshots::take(session, &project, Bundles(&earlier))?
        };
        publish::create_folders(&output)?;
        let scratch = Scratch::create(&project.backups, "bundle")?;
        let databases = databases(session, &project, &parts, &scratch)?;
        let streams = if self.with_snapshots {
            streams::send(session, &project, &taken, &scratch)?
        } else {
            Vec::new()
        };
        let manifest = Manifest {
            version: crate::bundle::manifest::VERSION,
            project: project_name,
            created_at: session.now().to_rfc3339(),
            host: session.host_name(),
            tool: concat!("xtask-db ", env!("CARGO_PKG_VERSION")).to_owned(),
            commit: project.git.as_ref().and_then(Place::state).and_then(|git| git.commit),
            items: Vec::new(),
            left_out,
            not_covered: project.bundle.not_covered.clone(),
        };
        let creating = Creating { project: &project, parts: &parts, output: &output, seal: &seal };
        let mut attempt = 1;
        let (manifest, path, record) = loop {
            let mut gathered = creating.gather(session, &databases)?;
            gathered.extend(streams.iter().cloned());
            let items = gathered.iter().map(|one| one.item.clone()).collect();
            let manifest = manifest.clone().with_items(items);
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
        let created = Created { manifest: &manifest, path: &path, record: &record };
        created.say(session, &project);
        let removed = retain::prune(session, &project, &Written { path: &path, record: &record })?;
        session.document(&Document {
            version: VERSION,
            bundle: &record,
            path: path.display().to_string(),
            not_covered: &manifest.not_covered,
            snapshots: taken.iter().map(|one| one.configured.one(one.name)).collect(),
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
                    format!("`{name}` cannot be left out: it has no `rebuild` command"),
                    format!(
                        "add `{name} = {{ rebuild = \"COMMAND\" }}` to `[workspace.metadata.db.bundle.items]`"
                    ),
                ));
            };
            left_out.push(LeftOut { name: part.name, rebuild });
        }
        Ok((parts, left_out))
    }
}

/// A verified backup of each database, in a folder of its own.
fn databases(
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

/// Refuses to write secrets into a file that everybody could read.
fn demand_sealed(parts: &[Part], sent: &[Configured<'_>], seal: &Seal) -> Result<()> {
    let parts = parts.iter().filter(|part| part.is_secret).map(|part| &part.name);
    // A stream has whole file systems, with all that is in them.
    let sent = sent.iter().filter(|one| one.snapshots.secret).map(|one| &one.stream);
    let secret: Vec<_> = parts.chain(sent).map(|name| format!("`{name}`")).collect();
    if seal.is_closed() || secret.is_empty() {
        return Ok(());
    }
    Err(Refusal::could_not(
        format!("the bundle would contain secrets without encryption: {}", secret.join(", ")),
        "add `recipients = [\"age1…\"]` to `[workspace.metadata.db.bundle]` (`age-keygen -o key.txt` makes a key), \
         pass `--passphrase-file FILE`, or `--plaintext` if it may be readable",
    ))
}

/// A bundle that was created.
struct Created<'a> {
    manifest: &'a Manifest,
    path: &'a Path,
    record: &'a Record,
}

impl Created<'_> {
    fn say(&self, session: &mut Session, project: &Project) {
        let Self { manifest, path, record } = *self;
        session.say(format!("Bundle created at {}", project.dotted(path)));
        for item in &manifest.items {
            let size = text::size(item.size_bytes());
            let secret = if item.secret { ", secret" } else { "" };
            session.say(format!(
                "  {}: {size}{secret}, from {}{}",
                item.name,
                text::plain(&item.place),
                list::since(item)
            ));
        }
        session.say(format!(
            "{}, read back and equal; {}",
            text::size(record.size_bytes),
            record.decryption.words()
        ));
        if record.decryption == Decryption::NotProved {
            session.say(
                "Prove that your key opens it: `cargo xtask db-bundle verify --identity FILE`",
            );
        }
        list::say_remainder(session, manifest);
        session.say("");
        session.say(format!(
            "Restore with: cargo xtask db-bundle restore {}",
            text::shell(&project.dotted(path))
        ));
    }
}

/// The name of the project: that of its folder.
fn project_name(project: &Project) -> String {
    let name = project.root.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_good = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let name: String =
        name.unwrap_or_default().chars().map(|c| if is_good(c) { c } else { '-' }).collect();
    if name.is_empty() { "project".to_owned() } else { name }
}

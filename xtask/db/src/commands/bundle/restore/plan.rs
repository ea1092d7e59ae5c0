//! What a restore of a bundle would do, decided before anything changes.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bundle::journal::{self, Step};
use crate::bundle::manifest::{Entry, Item, Kind, Manifest};
use crate::bundle::read::{self, Receive};
use crate::bundle::seal::Keys;
use crate::commands::bundle::installation::{self, What};
use crate::commands::bundle::list;
use crate::commands::bundle::restore::server;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::environment::Environment;
use crate::host::project::{Database, Project};
use crate::host::session::Session;

/// The files that may say where the databases are, the weaker one first.
const ENV_FILES: [&str; 2] = [".env", ".env.local"];
/// A larger file is not read for variables.
const MAX_ENV_BYTES: u64 = 1 << 20;

/// The items that the user chose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<'a> {
    /// Only these, if there are any.
    pub(super) only: &'a [String],
    /// All but these.
    pub(super) skip: &'a [String],
}

/// The items to restore, files first.
pub(super) struct Plan {
    pub(super) items: Vec<Planned>,
}

/// An item to restore.
pub(super) struct Planned {
    pub(super) item: Item,
    /// Of a file or a folder, where it belongs; of a database, its file or nothing.
    pub(super) place: PathBuf,
    /// Of a database, as it is configured here.
    database: Option<Box<Database>>,
}

impl Plan {
    /// Plans it. Where an item belongs is what is configured here: a bundle has no say in that.
    ///
    /// # Errors
    ///
    /// A refusal if an item is unknown here, or was named and is not in the bundle.
    pub(super) fn of(
        session: &Session,
        project: &Project,
        manifest: &Manifest,
        choice: &Choice<'_>,
    ) -> Result<Self> {
        let parts = installation::parts(session, project)?;
        let Choice { only, skip } = *choice;
        let mut chosen = only.iter().chain(skip);
        if let Some(unknown) =
            chosen.find(|name| !manifest.items.iter().any(|item| item.name == **name))
        {
            let names: Vec<_> =
                manifest.items.iter().map(|item| format!("`{}`", item.name)).collect();
            return Err(Refusal::could_not(
                format!("the bundle has no item `{}`", text::plain(unknown)),
                format!("it has {}", names.join(", ")),
            ));
        }
        let mut items = Vec::new();
        for item in &manifest.items {
            if !only.is_empty() && !only.contains(&item.name) || skip.contains(&item.name) {
                continue;
            }
            let part = parts.iter().find(|part| part.name == item.name);
            let (place, database) = match (part.map(|part| &part.what), item.kind) {
                (Some(What::Path { path, .. }), Kind::File | Kind::Folder) => (path.clone(), None),
                // Nobody receives it unasked, so it may be of what is not configured here.
                (_, Kind::Snapshot) => (PathBuf::new(), None),
                (Some(What::Database(database)), Kind::Database) => {
                    let place = database.file_if_any().map(Path::to_owned).unwrap_or_default();
                    (place, Some(database.clone()))
                }
                _ => {
                    return Err(Refusal::could_not(
                        format!(
                            "the bundle contains `{}`, and nothing here is configured under that name",
                            item.name
                        ),
                        format!(
                            "add it to `[workspace.metadata.db.bundle.items]` or `[workspace.metadata.db.databases]`, \
                             or leave it out with `--skip {}`; it was at {}",
                            item.name,
                            text::plain(&item.place)
                        ),
                    ));
                }
            };
            items.push(Planned { item: item.clone(), place, database });
        }
        items.sort_by_key(|one| one.item.kind == Kind::Database);
        Ok(Self { items })
    }

    /// The names of the items, for a sentence.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.items.iter().map(|one| one.item.name.as_str()).collect();
        names.join(", ")
    }

    /// Refuses extracted dumps that their servers cannot take.
    ///
    /// # Errors
    ///
    /// A refusal; or if a server cannot be reached.
    pub(super) fn demand_fit(
        &self,
        session: &Session,
        project: &Project,
        steps: &[Step],
    ) -> Result<()> {
        for (one, step) in self.items.iter().zip(steps) {
            if let Some(server) = one.database.as_ref().and_then(|database| database.server()) {
                server::demand_fit(session, project, server, &step.new)?;
            }
        }
        Ok(())
    }

    /// Refuses an older server, and what would ask a question in the middle if nobody can answer it.
    pub(super) fn demand_possible(&self, session: &Session, project: &Project) -> Result<()> {
        for Planned { item, database, .. } in &self.items {
            let server = database.as_ref().and_then(|database| database.server());
            if let (Some(server), Some(version)) = (server, &item.server_version) {
                server::demand_new_enough(session, project, server, version)?;
            }
        }
        let is_protected =
            |one: &&Planned| one.database.as_ref().is_some_and(|database| database.protected);
        match self.items.iter().find(is_protected) {
            Some(one) if !session.has_terminal() => Err(Refusal::could_not(
                format!(
                    "`{}` is protected: its name must be typed, and there is no terminal",
                    one.item.name
                ),
                format!("run it in a terminal, or leave it out with `--skip {}`", one.item.name),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn say(
        &self,
        session: &mut Session,
        project: &Project,
        path: &Path,
        manifest: &Manifest,
    ) {
        session.say(format!(
            "Bundle {} of {}, from {}",
            project.dotted(path),
            text::plain(&manifest.created_at),
            text::plain(&manifest.host)
        ));
        for Planned { item, place, database } in &self.items {
            let size = text::size(item.size_bytes());
            let name = &item.name;
            session.say(match database {
                Some(database) => {
                    format!(
                        "  {name}: database, {size} → {}, after a safety backup",
                        project.place(database)
                    )
                }
                None if item.kind == Kind::Snapshot => {
                    format!("  {name}: {size}, to be received by hand{}", list::since(item))
                }
                None if place.exists() => {
                    format!("  {name}: {size} → {}, which is kept", place.display())
                }
                None => format!("  {name}: {size} → {}, which is not there", place.display()),
            });
        }
        list::say_remainder(session, manifest);
    }
}

/// The variables in the bundle's `.env` and `.env.local`.
///
/// # Errors
///
/// As [`read::read`].
pub(super) fn environment(path: &Path, keys: &Keys, interrupt: &Interrupt) -> Result<Environment> {
    let mut files = EnvFiles(vec![Vec::new(); ENV_FILES.len()]);
    read::read(path, keys, interrupt, &mut files)?;
    variables(&files.0)
}

/// The same, of a restore that was interrupted, from what it had extracted.
///
/// # Errors
///
/// If there is none, or it cannot be read.
pub(super) fn staged_environment(session: &Session) -> Result<Environment> {
    let backups = session.backups_folder()?;
    let (_, journal) = journal::all(&backups)?.into_iter().next().ok_or_else(|| {
        Refusal::could_not(
            format!("no restore of a bundle has begun in {}", backups.display()),
            "begin one with `cargo xtask db-bundle restore FILE`; if the bundle's `.env` has DATABASE_BACKUP_DIR, \
             set it in the environment",
        )
    })?;
    let mut files = vec![Vec::new(); ENV_FILES.len()];
    for step in &journal.steps {
        let Some(at) = ENV_FILES.iter().position(|file| step.place.ends_with(file)) else {
            continue;
        };
        files[at] = fs_err::read(&step.new).unwrap_or_default();
    }
    variables(&files)
}

fn variables(files: &[Vec<u8>]) -> Result<Environment> {
    let mut environment = Environment::new();
    for file in files {
        for pair in dotenvy::from_read_iter(&file[..]) {
            // The parser's own message may quote the line, which may be a secret.
            let (name, value) =
                pair.ok().context("the bundle's `.env` has a line that is not NAME=value")?;
            environment.insert(name, value.into());
        }
    }
    Ok(environment)
}

/// The contents of the files with variables.
struct EnvFiles(Vec<Vec<u8>>);

impl Receive for EnvFiles {
    fn begin(&mut self, _: &Manifest) -> Result<()> {
        Ok(())
    }

    fn take(&mut self, item: &Item, entry: &Entry, bytes: &mut dyn Read) -> Result<()> {
        let at = ENV_FILES.iter().position(|file| item.place == *file);
        if let Some(at) =
            at.filter(|_| item.kind == Kind::File && entry.size_bytes() <= MAX_ENV_BYTES)
        {
            bytes.read_to_end(&mut self.0[at])?;
        }
        Ok(())
    }
}

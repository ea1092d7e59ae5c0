//! What a bundle of this project contains, and where each item is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::commands::bundle::volumes;
use crate::console::refusal::Refusal;
use crate::files::sidecars;
use crate::host::project::bundle::Item;
use crate::host::project::{Database, Project};
use crate::host::session::Session;

/// An item of the installation.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Its name.
    pub(super) name: String,
    /// What it is.
    pub(super) what: What,
    /// Whether it must not be in a bundle that is not encrypted.
    pub(super) is_secret: bool,
    /// The command that rebuilds it, if it can be left out.
    pub(super) rebuild: Option<String>,
}

/// What an item is.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A database.
    Database(Box<Database>),
    /// A file or a folder.
    Path {
        /// As it is configured.
        configured: String,
        /// Absolute.
        path: PathBuf,
    },
}

/// The items of the project: files first, because they may say where the databases are.
///
/// # Errors
///
/// A refusal if the configuration names something that is not there.
pub(super) fn parts(session: &Session, project: &Project) -> Result<Vec<Part>> {
    let named = |name: &str| project.bundle.items.iter().find(|item| item.name == name);
    let mut parts = Vec::new();
    for item in &project.bundle.items {
        let is_database = project.databases.iter().any(|database| database.name == item.name);
        match (&item.path, is_database) {
            (Some(configured), false) => {
                let path = absolute(session, project, configured)?;
                let what = What::Path { configured: configured.clone(), path };
                parts.push(part(item.name.clone(), what, Some(item)));
            }
            (None, true) => {}
            (Some(_), true) => {
                return Err(Refusal::could_not(
                    format!("the item `{}` has the name of a database, and a path", item.name),
                    "give the item another name in `[workspace.metadata.db.bundle.items]`",
                ));
            }
            (None, false) => {
                return Err(Refusal::could_not(
                    format!("the item `{}` has no `path`, and no database has its name", item.name),
                    "add `path = \"…\"` to it in `[workspace.metadata.db.bundle.items]`",
                ));
            }
        }
    }
    for database in &project.databases {
        let what = What::Database(Box::new(database.clone()));
        parts.push(part(database.name.clone(), what, named(&database.name)));
    }
    Ok(parts)
}

fn part(name: String, what: What, item: Option<&Item>) -> Part {
    let is_secret = item.is_some_and(|item| item.secret);
    Part { name, what, is_secret, rebuild: item.and_then(|item| item.rebuild.clone()) }
}

/// Where a configured path is.
fn absolute(session: &Session, project: &Project, configured: &str) -> Result<PathBuf> {
    let Some(below) = configured.strip_prefix("~/") else {
        return Ok(project.root.join(configured));
    };
    match session.variable("HOME") {
        Some(home) if !home.is_empty() => Ok(Path::new(home).join(below)),
        _ => Err(Refusal::could_not(
            format!("`{configured}` is below the home folder, and HOME is not set"),
            "set HOME, or write the path out",
        )),
    }
}

/// What no folder contains: databases, which are items of their own, backups, bundles and snapshots.
pub(super) fn excluded(project: &Project, output: &Path) -> BTreeSet<PathBuf> {
    let mut excluded = BTreeSet::from([project.backups.clone(), output.to_owned()]);
    excluded.extend(volumes::folders(project));
    for database in project.databases.iter().filter_map(Database::file_if_any) {
        excluded.insert(database.to_owned());
        for end in sidecars::ALL {
            let mut path = database.as_os_str().to_owned();
            path.push(end);
            excluded.insert(path.into());
        }
    }
    let canonical: Vec<_> = excluded.iter().filter_map(|path| path.canonicalize().ok()).collect();
    excluded.extend(canonical);
    excluded
}

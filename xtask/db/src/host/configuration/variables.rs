//! The environment, `.env.local` and `.env`, in this order of precedence, and their settings for
//! the project. Values may be secrets: no message repeats a line of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::configuration::{location, sqlite_url};
use crate::host::environment::Environment;
use crate::host::project::defaults::MIGRATE_ENV;
use crate::host::project::{Database, Location, Project};

pub(super) const MANIFEST: &str = "Cargo.toml";
/// The variables that `url-env` names, by database.
pub(super) type UrlVariables = BTreeMap<String, String>;

/// A variable and where it was set. A path need not be UTF-8.
pub(super) struct Variable {
    pub(super) value: OsString,
    pub(super) origin: String,
}

impl Variable {
    /// Its value as a text.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8: a value that was set is never passed over.
    pub(super) fn text(&self) -> Result<&str> {
        self.value.to_str().with_context(|| format!("{} is not UTF-8", self.origin))
    }
}

/// Whether `.env.local` and `.env` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnvFiles {
    /// They do.
    Read,
    /// They are about to be replaced, and may be missing or damaged.
    Ignored,
}

/// The environment, `.env.local` and `.env`, in this order of precedence.
pub(super) struct Variables(BTreeMap<String, Variable>);

impl Variables {
    pub(super) fn read(root: &Path, environment: &Environment, files: EnvFiles) -> Result<Self> {
        let mut variables = BTreeMap::new();
        for (name, value) in environment {
            let origin = format!("{name} in the environment");
            variables.insert(name.clone(), Variable { value: value.clone(), origin });
        }
        for file in [".env.local", ".env"] {
            let path = root.join(file);
            if files == EnvFiles::Ignored || !path.is_file() {
                continue;
            }
            // The parser's own message may quote the line, and the line may contain a password.
            let unreadable = || {
                Refusal::could_not(
                    format!(
                        "could not read `{file}`: a line is not of the form NAME=value in UTF-8"
                    ),
                    "put values with spaces or special characters in quotes; set a variable that is \
                     not UTF-8 in the environment itself",
                )
            };
            let iterator = dotenvy::from_path_iter(&path).map_err(|_| unreadable())?;
            for pair in iterator {
                let (name, value) = pair.map_err(|_| unreadable())?;
                let origin = format!("{name} in {file}");
                let value = value.into();
                variables.entry(name).or_insert(Variable { value, origin });
            }
        }
        Ok(Self(variables))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Variable> {
        self.0.get(name).filter(|variable| !variable.value.is_empty())
    }

    pub(super) fn apply(
        &self,
        project: &mut Project,
        named: Option<&str>,
        url_variables: &UrlVariables,
    ) -> Result<()> {
        self.place_databases(project, named, url_variables)?;
        if let Some(days) = self.get("BACKUP_RETENTION_DAYS") {
            let n_days = positive(days.text()?, "BACKUP_RETENTION_DAYS")?;
            project.keep.within = Some(text::Span { n_days, ..text::Span::default() });
        }
        if let Some(count) = self.get("BACKUP_MAX_COUNT") {
            project.keep.last = positive(count.text()?, "BACKUP_MAX_COUNT")?;
        }
        Ok(())
    }

    fn place_databases(
        &self,
        project: &mut Project,
        named: Option<&str>,
        url_variables: &UrlVariables,
    ) -> Result<()> {
        self.apply_locations(project, named, url_variables)?;
        for database in project.databases.iter_mut().filter(|db| db.migrate_env.is_empty()) {
            database.migrate_env = match (&database.location, url_variables.get(&database.name)) {
                (Location::File(_), _) => MIGRATE_ENV.to_owned(),
                (Location::Server(_), variable) => variable.cloned().unwrap_or_default(),
            };
        }
        Ok(())
    }

    fn apply_locations(
        &self,
        project: &mut Project,
        named: Option<&str>,
        url_variables: &UrlVariables,
    ) -> Result<()> {
        let root = project.root.clone();
        let n_configured = project.databases.len();
        for database in &mut project.databases {
            let Some(variable) = url_variables.get(&database.name) else { continue };
            let Some(url) = self.get(variable) else {
                bail!("`{variable}` is not set, and database `{}` needs it", database.name);
            };
            database.location = location::of_variable(&url.value, &root)
                .with_context(|| format!("`{variable}` names no database"))?;
            database.origin = Some(url.origin.clone());
        }
        if let Some(variable) = self.get("DATABASE_URL")
            && sqlite_url::is_of_file(&variable.value)
            && sqlite_url::path(&variable.value).is_none()
        {
            project
                .remarks
                .push(format!("{} does not name a file and is not used", variable.origin));
        }
        let is_claimed = url_variables.values().any(|variable| variable == "DATABASE_URL");
        if !is_claimed {
            self.remark_on_bare_url(project);
        }
        let Some((path, origin)) = self.database_path(is_claimed) else {
            return Ok(());
        };
        let path = root.join(path);
        if n_configured == 0 {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            let mut database = Database::new(stem.unwrap_or_default(), path);
            database.origin = Some(origin);
            project.databases.push(database);
            return Ok(());
        }
        let meant = match (named, n_configured) {
            (Some(name), _) => project.databases.iter_mut().find(|d| d.name == name),
            (None, 1) => project.databases.first_mut(),
            (None, _) => {
                project.remarks.push(format!(
                    "{origin} is not used: there are several databases and no `--db`"
                ));
                None
            }
        };
        if let Some(database) = meant
            && database.file_if_any() != Some(&path)
        {
            database.location = Location::File(path);
            database.origin = Some(origin);
        }
        Ok(())
    }

    /// Warns of a `DATABASE_URL` without a scheme, which is not used, if it names none of the databases:
    /// diesel would open another file than these commands protect.
    fn remark_on_bare_url(&self, project: &mut Project) {
        let Some(variable) = self.get("DATABASE_URL") else { return };
        let Some(path) = sqlite_url::bare_path(&variable.value) else { return };
        let path = project.root.join(path);
        if self.get("DATABASE_PATH").is_some() || project.databases.is_empty() {
            return;
        }
        if project.databases.iter().all(|database| database.file_if_any() != Some(&path)) {
            project.remarks.push(format!(
                "{} is not used: it does not name the same file as `path` in {}, and has no \
                 `sqlite:` in front; write `sqlite://FILE`, or use `url-env = \"DATABASE_URL\"` \
                 instead of `path`",
                variable.origin, MANIFEST
            ));
        }
    }

    /// Whether `DATABASE_URL` is a path without a scheme, and where that was set.
    pub(super) fn bare_url(&self) -> Option<&str> {
        let variable = self.get("DATABASE_URL")?;
        sqlite_url::bare_path(&variable.value).map(|_| variable.origin.as_str())
    }

    /// `DATABASE_PATH`, else `DATABASE_URL` if it means a file and no `url-env` claims it.
    fn database_path(&self, url_is_claimed: bool) -> Option<(PathBuf, String)> {
        if let Some(path) = self.get("DATABASE_PATH") {
            return Some((PathBuf::from(&path.value), path.origin.clone()));
        }
        let url = self.get("DATABASE_URL").filter(|_| !url_is_claimed)?;
        Some((sqlite_url::path(&url.value)?, url.origin.clone()))
    }
}

pub(super) fn positive(text: &str, name: &str) -> Result<u32> {
    match text.trim().parse::<u32>() {
        Ok(number) if number > 0 => Ok(number),
        _ => bail!("`{name}` is `{text}`, not a number of 1 or more"),
    }
}

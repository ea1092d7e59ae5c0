//! Reads `[workspace.metadata.db]`, `.env.local`, `.env` and the environment into a [`Project`].
//!
//! Precedence: flag, then environment (the process's own, `.env.local`, `.env`), then `Cargo.toml`,
//! then default. An unknown key is an error that names the nearest known one.

mod bundle;
mod location;
mod references;
mod schedule;
mod sqlite_url;
mod strict_table;
mod variables;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use toml::Table;

use self::strict_table::Section;
pub(crate) use self::variables::EnvFiles;
use self::variables::{UrlVariables, Variables};
use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::git::repository;
use crate::host::configuration::variables::MANIFEST;
use crate::host::environment::Environment;
use crate::host::project::policy::Policy;
use crate::host::project::{Database, FollowBranches, Location, OnFailure, Project};

pub(crate) const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

/// Finds the project around a folder and reads its configuration. `named` is the database given by
/// `--db`.
///
/// # Errors
///
/// If there is no workspace, nothing names a database, or the configuration is wrong.
pub(crate) fn load(
    folder: &Path,
    environment: &Environment,
    named: Option<&str>,
    files: EnvFiles,
) -> Result<Project> {
    let (root, configuration) = find(folder)?;
    let variables = Variables::read(&root, environment, files)?;
    let git = repository::Place::of(&root);
    let mut section = Section::new("workspace.metadata.db", configuration.unwrap_or_default());
    let mut project = Project::in_repository(root.clone(), git.clone(), Vec::new());
    project.backups = backups(&mut section, &variables, &root, git.as_ref())?;
    if let Some(timeout) = section.text("busy-timeout")? {
        project.busy_timeout = text::parse_duration(&timeout).context("`busy-timeout`")?;
        if project.busy_timeout > LONGEST_TIMEOUT {
            bail!("`busy-timeout` is `{timeout}`; the maximum is one day");
        }
    }
    if let Some(span) = section.text("read-within")? {
        project.read_within = span.parse().context("`read-within`")?;
    }
    let (databases, url_variables) = databases(&mut section, &root)?;
    project.databases = databases;
    project.keep = keep(&mut section)?;
    hooks(&mut section, &mut project)?;
    formats(&mut section, &mut project)?;
    project.bundle = bundle::read(&mut section)?;
    project.schedule = schedule::read(&mut section, &variables)?;
    section.finish()?;
    variables.apply(&mut project, named, &url_variables)?;
    if project.databases.is_empty() {
        let hint = match variables.bare_url() {
            Some(origin) => format!(
                "{origin} has no `sqlite:` in front: write `sqlite://FILE`, or add \
                 `[workspace.metadata.db.databases.NAME]` with `url-env = \"DATABASE_URL\"`"
            ),
            None => "add `[workspace.metadata.db.databases.NAME]` with `path = \"…\"`, or set \
                     `DATABASE_PATH`"
                .to_owned(),
        };
        let what = format!("`{}` does not name a database", root.join(MANIFEST).display());
        return Err(Refusal::could_not(what, hint));
    }
    Ok(project)
}

/// Where the backups of a project are, whatever else is wrong with its configuration.
///
/// # Errors
///
/// If the manifest cannot be read, or says it wrongly.
#[cfg(feature = "bundle")]
pub(crate) fn backups_folder(folder: &Path, environment: &Environment) -> Result<PathBuf> {
    let (root, configuration) = find(folder)?;
    let variables = Variables::read(&root, environment, EnvFiles::Ignored)?;
    let mut section = Section::new("workspace.metadata.db", configuration.unwrap_or_default());
    backups(&mut section, &variables, &root, repository::Place::of(&root).as_ref())
}

fn backups(
    section: &mut Section,
    variables: &Variables,
    root: &Path,
    git: Option<&repository::Place>,
) -> Result<PathBuf> {
    let base = backups_base(root, git);
    let configured = section.text("backups")?;
    if configured.as_deref().is_some_and(|folder| folder.trim().is_empty()) {
        bail!("`backups` in `[workspace.metadata.db]` is empty; leave it out to use `backups`");
    }
    Ok(match (variables.get("DATABASE_BACKUP_DIR"), git) {
        (Some(variable), _) => base.join(&variable.value),
        (None, Some(repository::Place { main: None, common, .. })) => {
            common.join("xtask-db/backups")
        }
        (None, _) => base.join(configured.as_deref().unwrap_or("backups")),
    })
}

/// Whether no manifest from a folder upwards has `[workspace.metadata.db]`. A manifest that is not TOML
/// may have it.
pub(crate) fn is_absent(folder: &Path) -> bool {
    match find(folder) {
        Ok((_, configuration)) => configuration.is_none(),
        Err(error) => error.is::<Refusal>(),
    }
}

/// The nearest manifest that configures a database, else the nearest workspace's.
fn find(folder: &Path) -> Result<(PathBuf, Option<Table>)> {
    let mut workspace = None;
    for folder in folder.ancestors() {
        let path = folder.join(MANIFEST);
        let Ok(manifest) = fs_err::read_to_string(&path) else {
            continue;
        };
        let manifest: Table = manifest
            .parse()
            .with_context(|| format!("could not read `{}` as TOML", path.display()))?;
        let nested = |keys: &[&str]| {
            let mut table = &manifest;
            for key in keys {
                table = table.get(*key)?.as_table()?;
            }
            Some(table.clone())
        };
        let configuration = nested(&["workspace", "metadata", "db"]);
        if configuration.is_some() {
            return Ok((folder.to_owned(), configuration));
        }
        if workspace.is_none() && manifest.contains_key("workspace") {
            workspace = Some(folder.to_owned());
        }
    }
    workspace.map(|root| (root, None)).ok_or_else(|| {
        Refusal::could_not(
            format!("no workspace was found from `{}` upwards", folder.display()),
            "run this inside the workspace whose `Cargo.toml` has `[workspace.metadata.db]`",
        )
    })
}

/// The folder that a relative backups folder is relative to: the same root in the main worktree.
fn backups_base(root: &Path, git: Option<&repository::Place>) -> PathBuf {
    let in_main = || {
        let place = git?;
        let inside = root.strip_prefix(&place.top).ok()?;
        Some(place.main.as_ref()?.join(inside))
    };
    in_main().unwrap_or_else(|| root.to_owned())
}

/// The databases, and the variables that `url-env` names, by database.
fn databases(section: &mut Section, root: &Path) -> Result<(Vec<Database>, UrlVariables)> {
    let mut databases = Vec::new();
    let mut url_variables = UrlVariables::new();
    let Some(mut all) = section.section("databases")? else {
        return Ok((databases, url_variables));
    };
    for name in all.keys() {
        let Some(mut section) = all.section(&name)? else {
            continue;
        };
        let mut database = Database::new(&name, PathBuf::new());
        let path = section.text("path")?;
        let url = section.text("url")?;
        let url_env = section.text("url-env")?;
        let is_url = path.is_none();
        match (path, url, url_env) {
            (Some(path), None, None) => database.location = Location::File(root.join(path)),
            (None, Some(url), None) => {
                database.location = location::of_url(url.as_ref(), root)
                    .with_context(|| format!("`url` of database `{name}`"))?;
            }
            (None, None, Some(variable)) => {
                url_variables.insert(name.clone(), variable);
            }
            _ => bail!("`{}` needs one of `path`, `url` and `url-env`", section.place),
        }
        database.schema = section.texts("schema")?.unwrap_or_default();
        if database.schema.iter().any(|pattern| pattern.chars().any(char::is_control)) {
            bail!(
                "`schema` in `[{}]` has a line break or another control character",
                section.place
            );
        }
        database.migrate = section.command("migrate")?;
        let migrate_env = section.text("migrate-env")?;
        if migrate_env.is_some() || is_url {
            // Without the key, `url-env` decides, once it is known what the variable names.
            database.migrate_env = migrate_env.unwrap_or_default();
        }
        if let Some(timeout) = section.text("migrate-timeout")? {
            database.migrate_timeout =
                text::parse_duration(&timeout).context("`migrate-timeout`")?;
        }
        database.allow_loss = section.texts("allow-loss")?.unwrap_or_default();
        database.after_restore = section.commands("after-restore")?;
        database.merge_key = section.lists("merge-key")?;
        database.references = references::read(&mut section)?;
        database.renumber = section.texts("renumber")?.unwrap_or_default();
        database.groups = section.lists("groups")?;
        database.protected = section.flag("protected")?.unwrap_or(false);
        database.tracked = section.flag("tracked")?.unwrap_or(false);
        section.finish()?;
        databases.push(database);
    }
    Ok((databases, url_variables))
}

fn keep(section: &mut Section) -> Result<Policy> {
    let mut policy = Policy::default();
    let Some(mut section) = section.section("keep")? else {
        return Ok(policy);
    };
    for (key, field) in [
        ("last", &mut policy.last),
        ("hourly", &mut policy.hourly),
        ("daily", &mut policy.daily),
        ("weekly", &mut policy.weekly),
        ("monthly", &mut policy.monthly),
        ("yearly", &mut policy.yearly),
    ] {
        *field = section.number(key)?.unwrap_or(0);
    }
    if let Some(span) = section.text("within")? {
        policy.within = Some(span.parse().context("`keep.within`")?);
    }
    policy.labels = section.texts("label")?.unwrap_or_default();
    if let Some(size) = section.text("max-size")? {
        policy.max_size_bytes = Some(text::parse_size(&size).context("`keep.max-size`")?);
    }
    section.finish()?;
    Ok(policy)
}

fn hooks(section: &mut Section, project: &mut Project) -> Result<()> {
    let Some(mut section) = section.section("hooks")? else {
        return Ok(());
    };
    if let Some(word) = section.text("on-failure")? {
        project.on_failure = match word.as_str() {
            "block" => OnFailure::Block,
            "warn" => OnFailure::Warn,
            _ => bail!("`hooks.on-failure` is `{word}`, not `block` or `warn`"),
        };
    }
    if let Some(word) = section.text("follow-branches")? {
        project.follow_branches = match word.as_str() {
            "never" => FollowBranches::Never,
            "schema" => FollowBranches::Schema,
            "always" => FollowBranches::Always,
            _ => bail!("`hooks.follow-branches` is `{word}`, not `never`, `schema` or `always`"),
        };
    }
    section.finish()
}

/// Formats per kind.
fn formats(section: &mut Section, project: &mut Project) -> Result<()> {
    let Some(mut section) = section.section("format")? else {
        return Ok(());
    };
    for kind in Kind::ALL {
        let Some(word) = section.text(kind.word())? else { continue };
        let Ok(format) = word.parse::<Format>() else {
            bail!("`format.{}` is `{word}`, neither `plain` nor `pages`", kind.word());
        };
        project.formats.insert(kind, format);
    }
    section.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(manifest: &str, environment: &[(&str, &str)], env: &str) -> Result<Project> {
        let folder = tempfile::tempdir()?;
        fs_err::write(folder.path().join(MANIFEST), manifest)?;
        fs_err::write(folder.path().join(".env"), env)?;
        let pairs = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).into()));
        load(folder.path(), &pairs.collect(), None, EnvFiles::Read)
    }

    const ONE: &str = "[workspace]\n[workspace.metadata.db.databases.kalito]\npath = 'a.db'\n";

    fn message(result: Result<Project>) -> String {
        let error = result.expect_err("must be refused");
        let hint = error.downcast_ref::<Refusal>().map(|r| r.hint.clone()).unwrap_or_default();
        format!("{error:#}; {hint}")
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        let said = message(load_text(&format!("{ONE}shema = []\n"), &[], ""));
        assert!(said.contains("unknown key `shema`"), "{said}");
        assert!(said.contains("did you mean `schema`?"), "{said}");
        let said =
            message(load_text(&format!("{ONE}[workspace.metadata.db.keep]\nlst=1"), &[], ""));
        assert!(said.contains("did you mean `last`?"), "{said}");
    }

    #[test]
    fn the_environment_wins_over_env_files_and_they_over_cargo_toml() -> Result<()> {
        let file_name = |project: Project| project.databases[0].file_name();
        assert_eq!(file_name(load_text(ONE, &[], "")?), "a.db");
        assert_eq!(file_name(load_text(ONE, &[], "DATABASE_PATH=b.db")?), "b.db");
        let both = load_text(ONE, &[("DATABASE_PATH", "c.db")], "DATABASE_PATH=b.db")?;
        assert_eq!(both.databases[0].origin.as_deref(), Some("DATABASE_PATH in the environment"));
        assert_eq!(file_name(both), "c.db");
        assert_eq!(file_name(load_text(ONE, &[], "DATABASE_URL=sqlite://d.db")?), "d.db");
        let foreign = load_text(ONE, &[], "DATABASE_URL=postgres://u:secret@h/db")?;
        assert_eq!(file_name(foreign), "a.db");
        Ok(())
    }

    #[test]
    fn a_url_without_a_scheme_is_a_path_if_url_env_names_it_and_pointed_out_if_not() -> Result<()> {
        let by_url = "[workspace]\n[workspace.metadata.db.databases.a]\nurl-env = 'DATABASE_URL'\n";
        let project = load_text(by_url, &[], "DATABASE_URL=data/b.db")?;
        assert_eq!(project.databases[0].file()?, project.root.join("data/b.db"));
        let said = message(load_text(by_url, &[], "DATABASE_URL=mysql://u:hunter2@h/db"));
        assert!(said.contains("not a path") && !said.contains("hunter2"), "{said}");
        for (value, n_remarks) in [("b.db", 1), ("a.db", 0), ("./a.db", 0), ("postgres://h/b", 0)] {
            let project = load_text(ONE, &[], &format!("DATABASE_URL={value}"))?;
            assert_eq!(project.databases[0].file_name(), "a.db", "{value}");
            assert_eq!(project.remarks.len(), n_remarks, "{value}: {:?}", project.remarks);
        }
        // A value without a scheme may be a secret that lost its scheme.
        let project = load_text(ONE, &[], "DATABASE_URL=hunter2")?;
        assert!(!project.remarks[0].contains("hunter2"), "{:?}", project.remarks);
        let said = message(load_text("[workspace]\n", &[], "DATABASE_URL=hunter2"));
        assert!(said.contains("DATABASE_URL in .env has no `sqlite:`"), "{said}");
        Ok(())
    }

    #[test]
    fn a_secret_in_an_unreadable_env_file_is_not_repeated() {
        let said = message(load_text(ONE, &[], "PASSWORD='hunter2\n"));
        assert!(!said.contains("hunter2"), "{said}");
        assert!(said.contains("`.env`"), "{said}");
    }

    #[test]
    fn negative_and_zero_counts_are_refused() {
        for value in ["-1", "0", "x"] {
            let said = message(load_text(ONE, &[("BACKUP_RETENTION_DAYS", value)], ""));
            assert!(said.contains("BACKUP_RETENTION_DAYS"), "{said}");
        }
    }
}

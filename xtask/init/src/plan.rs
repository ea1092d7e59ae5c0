//! What `init` would change; nothing is written here.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::alias::{self, Alias};
use crate::database;
use crate::files::{Change, Files};
use crate::host::Host;
use crate::ignored::{self, Sight};
use crate::manifest;
use crate::migrations::{self, Asked};
use crate::refusal::Refusal;
use crate::tasks::Tasks;

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// The folder of the library.
    pub(crate) library: Option<PathBuf>,
    /// Where the database is.
    pub(crate) database: Option<String>,
    /// How it is migrated.
    pub(crate) migrations: Asked,
    /// Whether a new package of tasks gets a workspace of its own.
    pub(crate) own_workspace: bool,
    /// Whether the bundled SQLite is built with its table of raw pages.
    pub(crate) dbpage: bool,
}

/// What would be changed, and what a person should know.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The changes.
    pub(crate) changes: Vec<Change>,
    /// Remarks, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// Plans the changes that make a project a host.
///
/// # Errors
///
/// A refusal of what is not understood.
pub(crate) fn plan(host: &Host, wanted: &Wanted) -> Result<Plan> {
    let mut files = Files::of(&host.root);
    let mut notes = Vec::new();
    let alias = alias::read(&mut files)?;
    let tasks = tasks(host, &alias, wanted, &mut notes)?;
    plan_tasks(&mut files, &tasks, wanted)?;
    notes.extend(tasks.note_of_help(&files));
    if !manifest::is_configured(&mut files)? {
        configure(&mut files, host, wanted, &mut notes)?;
    }
    manifest::plan_profile(&mut files, &tasks)?;
    alias::plan(&mut files, &tasks, &alias)?;
    if wanted.dbpage {
        alias::plan_dbpage(&mut files)?;
    }
    if tasks.is_apart {
        let note =
            "the alias of an xtask with a workspace of its own works in the project's root only";
        notes.push(note.to_owned());
    }
    Ok(Plan { changes: files.changes(), notes })
}

/// The package of tasks: the project's own, or a new one that cargo can build beside it.
fn tasks(host: &Host, alias: &Alias, wanted: &Wanted, notes: &mut Vec<String>) -> Result<Tasks> {
    let named = match alias {
        Alias::Package(name) => Some(name.as_str()),
        Alias::None | Alias::Manifest(_) => None,
    };
    let found = Tasks::find(host, named)?;
    let is_meant = |tasks: &Tasks| match alias {
        Alias::None => true,
        Alias::Package(name) => *name == tasks.name,
        Alias::Manifest(path) => *path == tasks.manifest(),
    };
    let unsupported = host.unsupported_sqlite()?;
    let outside = |version: &str| {
        format!(
            "libsqlite3-sys {version} in Cargo.lock is outside of 0.30 to 0.39 (rusqlite 0.32 to 0.41)"
        )
    };
    match (found, unsupported) {
        (Some(tasks), Some(version)) if !tasks.is_apart => Err(Refusal::error(
            outside(&version),
            format!("give `{}` a workspace of its own, or update what needs it", tasks.folder),
        )),
        (Some(tasks), _) if is_meant(&tasks) && wanted.own_workspace && !tasks.is_apart => {
            Err(tasks.refuse_own_workspace())
        }
        (Some(tasks), _) if is_meant(&tasks) => Ok(tasks),
        (None, unsupported) if *alias == Alias::None => {
            if let Some(version) = &unsupported {
                notes.push(format!("{}: the xtask gets a workspace of its own", outside(version)));
            }
            Ok(Tasks::new(wanted.own_workspace || unsupported.is_some()))
        }
        _ => Err(Refusal::error(
            "the alias `xtask` in `.cargo/config.toml` runs a package that was not found",
            "correct the alias, or remove it",
        )),
    }
}

fn plan_tasks(files: &mut Files, tasks: &Tasks, wanted: &Wanted) -> Result<()> {
    if is_dependent(files, tasks)? {
        return tasks.plan(files, Path::new(""), false);
    }
    let Some(library) = &wanted.library else {
        return Err(Refusal::error(
            "the location of `xtask-db` is unknown, and it is not published yet",
            "give the folder of the library in a clone of its repository: `--xtask-db PATH/xtask/db`",
        ));
    };
    let name = fs_err::read_to_string(library.join("Cargo.toml")).unwrap_or_default();
    if !name.lines().any(|line| line.replace(' ', "") == "name=\"xtask-db\"") {
        return Err(Refusal::error(
            format!("`{}` is not the folder of the package `xtask-db`", library.display()),
            "it is `xtask/db` in a clone of its repository",
        ));
    }
    tasks.plan(files, &fs_err::canonicalize(library)?, library.is_relative())?;
    if tasks.is_new() {
        manifest::plan_member(files, tasks)?;
    }
    Ok(())
}

/// Whether the tasks have the library already.
fn is_dependent(files: &mut Files, tasks: &Tasks) -> Result<bool> {
    let text = files.text(&tasks.manifest())?.unwrap_or_default();
    Ok(!tasks.is_new() && text.lines().any(|line| line.trim_start().starts_with("xtask-db")))
}

fn configure(
    files: &mut Files,
    host: &Host,
    wanted: &Wanted,
    notes: &mut Vec<String>,
) -> Result<()> {
    let database = database::find(host, wanted.database.as_deref())?;
    let migrations = migrations::find(host, &wanted.migrations)?;
    let sight = ignored::look(files, &database.path)?;
    notes.push(format!("database: `{}`, from {}", database.path, database.origin));
    if migrations.schema.is_empty() {
        notes.push(
            "no migrations were found: add `schema` when there are some, so that commits of them \
             create a checkpoint"
                .to_owned(),
        );
    }
    if migrations.migrate.is_empty() {
        notes.push(
            "no migration command was found: name it now with `--migrate 'COMMAND'`, or add `migrate` to \
             the table in `Cargo.toml` later; `db-migrate` needs it, and so does `db-setup` in a fresh \
             clone"
                .to_owned(),
        );
    }
    manifest::plan_configuration(files, &database, &migrations, sight == Sight::Tracked)?;
    match sight {
        Sight::Visible => ignored::plan(files, &database.path)?,
        Sight::Tracked => notes.push(format!(
            "git tracks `{}`: each commit has a copy of it, and switching branches replaces it",
            database.path
        )),
        Sight::Outside | Sight::Ignored => {}
    }
    Ok(())
}

//! Problems that need attention, each with its remedy, judged from the present state. Nothing is
//! changed here, and nothing depends on the machine's clock.

mod backup_age;
pub(crate) mod backups_folder;
mod bad_backups;
pub(crate) mod checkup;
mod database;
mod exposed_databases;
pub(crate) mod glance;
pub(crate) mod page_store;
pub(crate) mod problem;
pub(crate) mod schedule;
pub(crate) mod sqlite_library;

use crate::health::problem::Problem;
use crate::hooks::folder::Installed;
use crate::host::project::{Database, Project, schema_files};

/// Worth knowing, but needs no attention now: the project stays healthy.
#[must_use]
pub(crate) fn remarks(project: &Project) -> Vec<Problem> {
    let patterns = project.databases.iter().flat_map(|database| idle_patterns(project, database));
    sqlite_library::remark(project)
        .into_iter()
        .chain(exposed_databases::remarks(project))
        .chain(patterns)
        .collect()
}

/// Patterns of schema files that match none: no commit would take a checkpoint.
fn idle_patterns(project: &Project, database: &Database) -> Vec<Problem> {
    let problem = |pattern: &str| {
        let folder =
            pattern.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let nested = format!("{folder}*/up.sql");
        let below = schema_files::folder_of(pattern);
        let remedy = if !project.root.join(below).is_dir() {
            "create it with the first migration, or correct the pattern in Cargo.toml; it is relative \
             to that file's folder"
                .to_owned()
        } else if schema_files::files(&project.root, std::slice::from_ref(&nested)).is_empty() {
            "correct the pattern in Cargo.toml; it is relative to that file's folder".to_owned()
        } else {
            format!(
                "write `{nested}` in Cargo.toml instead: the migrations of this project are folders"
            )
        };
        let missing = if project.root.join(below).is_dir() {
            String::new()
        } else {
            format!(": there is no folder `{below}`")
        };
        let what =
            format!("no file matches `{pattern}` in `schema` of `{}`{missing}", database.name);
        Problem::new("idle-schema-pattern", what, remedy).of(database)
    };
    schema_files::idle(&project.root, &database.schema).into_iter().map(problem).collect()
}

/// The command that puts the git hooks in, all or those that are missing.
pub(crate) const INSTALL_HOOKS: &str = "cargo xtask db-hooks install";

/// Git hooks that are missing though a commit could touch schema files; `installed` is `None` if
/// there is no repository, or if they are switched off.
#[must_use]
pub(crate) fn of_hooks(project: &Project, installed: Option<Installed>) -> Option<Problem> {
    let bound = project.databases.iter().any(|database| !database.schema.is_empty());
    let how_many = match installed.filter(|_| bound)? {
        Installed::All => return None,
        Installed::Partly => "not all installed, or not with these settings",
        Installed::Nothing => "not installed",
    };
    let what =
        format!("the git hooks are {how_many}: commits of schema files create no checkpoint");
    Some(Problem::new("hooks", what, INSTALL_HOOKS))
}

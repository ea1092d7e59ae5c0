//! The root `Cargo.toml`: the tasks as a member, what they know of the database, the optimisation.

use std::fmt::Write as _;

use anyhow::Result;

use crate::database::Database;
use crate::files::Files;
use crate::migrations::Migrations;
use crate::refusal::Refusal;
use crate::tasks::{self, Tasks};
use crate::toml_text;

const PATH: &str = "Cargo.toml";

/// Makes a new package of tasks a member of the workspace, or excludes it if it is apart. A single
/// package becomes a workspace.
///
/// # Errors
///
/// A refusal if the workspace excludes it, or is written in a way that is not understood.
pub(crate) fn plan_member(files: &mut Files, tasks: &Tasks) -> Result<()> {
    let text = files.text(PATH)?.unwrap_or_default();
    let mut document = toml_text::parse(PATH, &text)?;
    let key = if tasks.is_apart { "exclude" } else { "members" };
    let Some(workspace) = toml_text::table_mut(&mut document, &["workspace"]) else {
        let block = format!("[workspace]\n{key} = [{}]\n", toml_text::quoted(&tasks.folder));
        return files.set(PATH, &toml_text::with_block(&text, &block));
    };
    let lists = |item: Option<&toml_edit::Item>| {
        let array = item.and_then(|item| item.as_array());
        let mut texts = array.into_iter().flatten().filter_map(|value| value.as_str());
        texts.any(|text| text == tasks.folder || text == "*")
    };
    if !tasks.is_apart && lists(workspace.get("exclude")) {
        return Err(Refusal::error(
            format!("`exclude` in `{PATH}` has `{}`", tasks.folder),
            "remove it, or use `--own-workspace`",
        ));
    }
    if lists(workspace.get(key)) {
        return Ok(());
    }
    let entry = workspace.entry(key).or_insert(toml_edit::value(toml_edit::Array::new()));
    let Some(array) = entry.as_array_mut() else {
        let what = format!("`workspace.{key}` in `{PATH}` is not a list");
        return Err(Refusal::error(what, "correct it first: cargo cannot read it either"));
    };
    toml_text::push(array, &tasks.folder);
    files.set(PATH, &document.to_string())
}

/// Whether the project says already where its database is.
///
/// # Errors
///
/// If the manifest cannot be read.
pub(crate) fn is_configured(files: &mut Files) -> Result<bool> {
    let text = files.text(PATH)?.unwrap_or_default();
    let document = toml_text::parse(PATH, &text)?;
    Ok(toml_text::item(&document, &["workspace", "metadata", "db"]).is_some())
}

/// Reports where the database is and how it is migrated.
///
/// # Errors
///
/// A refusal if the manifest cannot take another table.
pub(crate) fn plan_configuration(
    files: &mut Files,
    database: &Database,
    migrations: &Migrations,
    is_tracked: bool,
) -> Result<()> {
    let mut block = format!(
        "# What `cargo xtask db-*` knows about this project's database.\n\
         [workspace.metadata.db.databases.{}]\npath = {}\n",
        database.name(),
        toml_text::quoted(&database.path)
    );
    if !migrations.schema.is_empty() {
        let _ = writeln!(block, "schema = {}", toml_text::list(&migrations.schema));
    }
    if !migrations.migrate.is_empty() {
        let _ = writeln!(block, "migrate = {}", toml_text::list(&migrations.migrate));
    }
    if let Some(template) = &migrations.migrate_env {
        let _ = writeln!(block, "migrate-env = {}", toml_text::quoted(template));
    }
    if is_tracked {
        block.push_str("tracked = true\n");
    }
    append(files, PATH, &block)
}

/// Optimises what a backup spends its time in, in the manifest of the workspace that the tasks belong to.
///
/// # Errors
///
/// As [`plan_configuration`].
pub(crate) fn plan_profile(files: &mut Files, tasks: &Tasks) -> Result<()> {
    let path = if tasks.is_apart { tasks.manifest() } else { PATH.to_owned() };
    let text = files.text(&path)?.unwrap_or_default();
    match tasks::profile(&toml_text::parse(&path, &text)?) {
        block if block.is_empty() => Ok(()),
        block => append(files, &path, &block),
    }
}

fn append(files: &mut Files, path: &str, block: &str) -> Result<()> {
    let text = files.text(path)?.unwrap_or_default();
    let text = toml_text::with_block(&text, block);
    if let Err(error) = toml_text::parse(path, &text) {
        return Err(error.context(Refusal::new(
            format!("`{path}` cannot end with these lines:\n\n{block}"),
            "a table above is written inline or with dotted keys: write it with a `[header]`",
        )));
    }
    files.set(path, &text)
}

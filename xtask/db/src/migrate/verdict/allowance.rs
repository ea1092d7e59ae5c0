//! The losses that a migration is allowed, by name: a table, a column, e.g. `notes.body`, a trigger or a view.
//!
//! An allowance comes from the command line, from the configuration, or from a comment in the
//! migration's own file. The comment counts only while that migration runs: see [`applied`].

use std::path::{Path, PathBuf};

use crate::console::text;
use crate::host::project::schema_files;
use crate::migrate::verdict::applied_migrations::Applied;
use crate::migrate::verdict::loss::{Comparison, Loss};
use crate::sqlite::schema::Schema;

/// The word that begins an allowance in a comment.
const WORD: &str = "allow-loss:";

/// The name of something that may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// The name.
    pub name: String,
    /// Source of the allowance.
    pub origin: Origin,
}

/// The source of an allowance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The command line.
    Flag,
    /// The configuration.
    Configuration,
    /// A comment in this file.
    File(String),
}

impl Allowance {
    /// Whether it lets a loss through.
    #[must_use]
    pub(crate) fn allows(&self, loss: &Loss) -> bool {
        loss.names.iter().any(|name| name.eq_ignore_ascii_case(&self.name))
    }

    /// The allowance as the user wrote it, in backticks.
    #[must_use]
    pub(crate) fn said(&self) -> String {
        let name = text::plain(&self.name);
        match &self.origin {
            Origin::Flag => format!("`--allow-loss {name}`"),
            Origin::Configuration => format!("`{name}` in `allow-loss`"),
            Origin::File(file) => format!("`-- allow-loss: {name}` in `{}`", text::plain(file)),
        }
    }
}

/// The allowances that no loss needed.
#[must_use]
pub(crate) fn unneeded<'a>(allowed: &'a [Allowance], losses: &[Loss]) -> Vec<&'a Allowance> {
    let is_needed = |allowance: &Allowance| losses.iter().any(|loss| allowance.allows(loss));
    allowed.iter().filter(|allowance| !is_needed(allowance)).collect()
}

/// The known name that is nearest to one that nothing has; `None` if something has it.
#[must_use]
pub(crate) fn unknown(name: &str, schemas: &[&Schema]) -> Option<Unknown> {
    let known: Vec<String> = schemas.iter().flat_map(|schema| names(schema)).collect();
    if known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return None;
    }
    let lower = name.to_lowercase();
    let distance = |known: &String| strsim::damerau_levenshtein(&known.to_lowercase(), &lower);
    let nearest = known.into_iter().min_by_key(distance);
    let is_near = nearest.as_ref().is_some_and(|near| distance(near) * 3 <= lower.chars().count());
    Some(Unknown { nearest, is_near })
}

/// A name that nothing has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// The nearest one that something has.
    pub nearest: Option<String>,
    /// Whether it looks like a slip of that.
    pub is_near: bool,
}

/// The names of everything that can be lost.
fn names(schema: &Schema) -> Vec<String> {
    let mut names = Vec::new();
    for table in schema.tables.values() {
        names.push(table.name.clone());
        names.extend(table.columns.iter().map(|c| format!("{}.{}", table.name, c.name)));
    }
    let entries = schema.triggers.values().chain(schema.views.values());
    names.extend(entries.map(|entry| entry.name.clone()));
    names
}

/// The allowances in the comments of the files that a migration applied.
#[must_use]
pub(crate) fn in_files(root: &Path, patterns: &[String], of: &Comparison<'_>) -> Vec<Allowance> {
    let mut allowances = Vec::new();
    for file in applied(root, patterns, &of.before.applied, &of.after.applied) {
        // A file that cannot be read allows nothing.
        let bytes = fs_err::read(&file).unwrap_or_default();
        let content = String::from_utf8_lossy(&bytes);
        let origin = Origin::File(text::path(&file, root));
        let names = in_text(&content);
        allowances.extend(names.map(|name| Allowance { name, origin: origin.clone() }));
    }
    allowances
}

/// The files of the migrations that the database had not seen before, and has now. If it does not keep
/// count of them, only the newest can be meant.
fn applied(root: &Path, patterns: &[String], before: &Applied, after: &Applied) -> Vec<PathBuf> {
    let is_way_back = |file: &PathBuf| {
        let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase());
        name.is_some_and(|name| name == "down.sql" || name.ends_with(".down.sql"))
    };
    let mut files = schema_files::files(root, patterns);
    files.retain(|file| !is_way_back(file));
    if before == after {
        let newest = schema_files::newest_migration(root, patterns);
        files.retain(|file| newest.as_ref().is_some_and(|(_, newest)| newest == file));
        return files;
    }
    files.retain(|file| !before.has(file) && after.has(file));
    files
}

/// The names in a file's comments.
fn in_text(text: &str) -> impl Iterator<Item = String> {
    let comments = text.lines().filter_map(|line| {
        let line = line.trim_start();
        let rest = line.trim_start_matches(['-', '/', '*', '#', '!']);
        (rest.len() < line.len()).then(|| rest.trim_start().strip_prefix(WORD)).flatten()
    });
    let names = comments.flat_map(|names| names.trim_end_matches("*/").split([',', ' ', '\t']));
    names.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_a_file_allow_by_name() {
        let text = "-- A comment.\nSELECT 1; -- allow-loss: not.this\n  -- allow-loss: notes.body\n\
                    /* allow-loss: a.b, c */\n// allow-loss: d\nallow-loss: e\n--allow-loss:f\n";
        assert_eq!(in_text(text).collect::<Vec<_>>(), ["notes.body", "a.b", "c", "d", "f"]);
    }
}

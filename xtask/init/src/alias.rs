//! The alias `cargo xtask` in `.cargo/config.toml`.

use anyhow::Result;
use toml_edit::Item;

use crate::files::Files;
use crate::refusal::Refusal;
use crate::tasks::Tasks;
use crate::toml_text;

const PATH: &str = ".cargo/config.toml";

/// What the project's alias `xtask` runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Alias {
    /// There is none.
    None,
    /// This package of the workspace.
    Package(String),
    /// The package of this manifest.
    Manifest(String),
}

/// Reads the alias.
///
/// # Errors
///
/// A refusal if it runs something that is not understood.
pub(crate) fn read(files: &mut Files) -> Result<Alias> {
    if files.root().join(".cargo/config").is_file() {
        return Err(Refusal::error(
            "there is a `.cargo/config`, which cargo reads instead of `.cargo/config.toml`",
            "rename it to `.cargo/config.toml`, then try again",
        ));
    }
    let text = files.text(PATH)?.unwrap_or_default();
    let document = toml_text::parse(PATH, &text)?;
    let Some(item) = toml_text::item(&document, &["alias", "xtask"]) else {
        return Ok(Alias::None);
    };
    words(item).and_then(|words| of(&words)).ok_or_else(|| {
        Refusal::error(
            format!("the alias `xtask` in `{PATH}` does not run a package that is understood"),
            "write it as `run --package NAME --`, or as `run --manifest-path PATH --`",
        )
    })
}

/// Adds the alias if there is none.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn plan(files: &mut Files, tasks: &Tasks, alias: &Alias) -> Result<()> {
    if *alias != Alias::None {
        return Ok(());
    }
    let text = files.text(PATH)?.unwrap_or_default();
    let mut document = toml_text::parse(PATH, &text)?;
    if let Some(table) = toml_text::table_mut(&mut document, &["alias"]) {
        table.insert("xtask", toml_edit::value(tasks.alias()));
        return files.set(PATH, &document.to_string());
    }
    let block = format!("[alias]\nxtask = {}\n", toml_text::quoted(&tasks.alias()));
    files.set(PATH, &toml_text::with_block(&text, &block))
}

/// Has the bundled SQLite built with its table of raw pages, if nothing sets its flags yet.
///
/// # Errors
///
/// A refusal if the flags are set already.
pub(crate) fn plan_dbpage(files: &mut Files) -> Result<()> {
    const FLAG: &str = "-DSQLITE_ENABLE_DBPAGE_VTAB";
    let text = files.text(PATH)?.unwrap_or_default();
    let mut document = toml_text::parse(PATH, &text)?;
    if let Some(item) = toml_text::item(&document, &["env", "LIBSQLITE3_FLAGS"]) {
        if item.to_string().contains(FLAG) {
            return Ok(());
        }
        return Err(Refusal::error(
            format!("`LIBSQLITE3_FLAGS` is set in `{PATH}` already"),
            format!("add `{FLAG}` to it by hand, and leave out `--dbpage`"),
        ));
    }
    if let Some(table) = toml_text::table_mut(&mut document, &["env"]) {
        table.insert("LIBSQLITE3_FLAGS", toml_edit::value(FLAG));
        return files.set(PATH, &document.to_string());
    }
    let block = format!(
        "# Backups read raw pages through this; the application's own SQLite gets it too.\n\
         [env]\nLIBSQLITE3_FLAGS = \"{FLAG}\"\n"
    );
    files.set(PATH, &toml_text::with_block(&text, &block))
}

fn words(item: &Item) -> Option<Vec<String>> {
    if let Some(text) = item.as_str() {
        return Some(text.split_whitespace().map(str::to_owned).collect());
    }
    item.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

fn of(words: &[String]) -> Option<Alias> {
    let after = |names: &[&str]| {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if names.contains(&word.as_str()) {
                return words.next().cloned();
            }
            let joined = names.iter().find_map(|name| word.strip_prefix(name)?.strip_prefix('='));
            if let Some(joined) = joined {
                return Some(joined.to_owned());
            }
        }
        None
    };
    if !matches!(words.first()?.as_str(), "run" | "r") || words.last()? != "--" {
        return None;
    }
    let by_manifest = after(&["--manifest-path"]).map(Alias::Manifest);
    by_manifest.or_else(|| after(&["--package", "-p"]).map(Alias::Package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_aliases_are_understood() {
        let package = || Some(Alias::Package("xtask".to_owned()));
        for (text, expected) in [
            ("run --package xtask --", package()),
            ("run --release -q -p xtask --", package()),
            ("run --package=xtask --", package()),
            (
                "run --manifest-path xtask/Cargo.toml --",
                Some(Alias::Manifest("xtask/Cargo.toml".to_owned())),
            ),
            ("run --package xtask", None),
            ("run --bin xtask --", None),
            ("build", None),
            ("", None),
        ] {
            let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
            assert_eq!(of(&words), expected, "{text}");
        }
    }
}

//! The files of a project as they are and as they will be; nothing is written here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::refusal::Refusal;

/// The files that a plan looks at, by their paths relative to the root.
#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
    texts: BTreeMap<String, Text>,
}

#[derive(Debug)]
struct Text {
    before: Option<String>,
    after: Option<String>,
}

/// A file that will be created or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its path relative to the root.
    pub(crate) path: String,
    /// Its text now; `None` if it does not exist.
    pub(crate) before: Option<String>,
    /// Its text then; `None` if it will be removed.
    pub(crate) after: Option<String>,
}

impl Files {
    pub(crate) fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), texts: BTreeMap::new() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The text of a file as it will be; `None` if there is none.
    ///
    /// # Errors
    ///
    /// A refusal if it is a symbolic link or not UTF-8: replacing it would lose something.
    pub(crate) fn text(&mut self, path: &str) -> Result<Option<String>> {
        if let Some(text) = self.texts.get(path) {
            return Ok(text.after.clone());
        }
        let text = read(&self.root.join(path), path)?;
        let known = Text { before: text.clone(), after: text.clone() };
        self.texts.insert(path.to_owned(), known);
        Ok(text)
    }

    /// Gives a file another text, with the line ends that it has now.
    ///
    /// # Errors
    ///
    /// As [`Files::text`].
    pub(crate) fn set(&mut self, path: &str, text: &str) -> Result<()> {
        self.text(path)?;
        let known = self.texts.get_mut(path).context("the text was just read")?;
        known.after = Some(match &known.before {
            Some(before) if is_crlf(before) => crlf(text),
            _ => text.to_owned(),
        });
        Ok(())
    }

    /// What differs, in the order of the paths.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let changed = self.texts.iter().filter(|(_, text)| text.before != text.after);
        let change = |(path, text): (&String, &Text)| Change {
            path: path.clone(),
            before: text.before.clone(),
            after: text.after.clone(),
        };
        changed.map(change).collect()
    }
}

/// Reads a file that may be missing.
///
/// # Errors
///
/// As [`Files::text`].
pub(crate) fn read(path: &Path, shown: &str) -> Result<Option<String>> {
    let Ok(metadata) = fs_err::symlink_metadata(path) else { return Ok(None) };
    if !metadata.is_file() {
        return Err(Refusal::error(
            format!("`{shown}` is not an ordinary file"),
            "a symbolic link or a folder in its place is not replaced: add the lines by hand, as \
             docs/adoption.md shows",
        ));
    }
    let bytes = fs_err::read(path)?;
    String::from_utf8(bytes).map(Some).map_err(|_| {
        Refusal::error(format!("`{shown}` is not UTF-8"), "convert it to UTF-8, then try again")
    })
}

fn is_crlf(text: &str) -> bool {
    text.contains("\r\n") && text.matches('\n').count() == text.matches("\r\n").count()
}

fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_line_ends() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs_err::write(folder.path().join("a"), "one\r\ntwo\r\n")?;
        let mut files = Files::of(folder.path());
        files.set("a", "one\r\ntwo\r\nthree\n")?;
        files.set("b", "new\n")?;
        let texts: Vec<_> = files.changes().into_iter().filter_map(|change| change.after).collect();
        assert_eq!(texts, ["one\r\ntwo\r\nthree\r\n", "new\n"]);
        Ok(())
    }

    #[test]
    fn a_text_that_stays_is_no_change() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs_err::write(folder.path().join("a"), "one\n")?;
        let mut files = Files::of(folder.path());
        files.set("a", "one\n")?;
        assert_eq!(files.changes(), []);
        Ok(())
    }
}

//! The format of a backup: a plain database, or a page list of the store.

use std::str::FromStr;

/// How the bytes of a backup are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Format {
    /// An ordinary SQLite file.
    Plain,
    /// A list of pages that are in the page store.
    Pages,
}

impl Format {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Pages];

    /// The word in the configuration and in flags.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Pages => "pages",
        }
    }

    /// How the names of such backups end.
    #[must_use]
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Plain => ".bak",
            Self::Pages => ".pages",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let format = Self::ALL.into_iter().find(|format| format.word() == word);
        format.ok_or_else(|| "the formats are plain and pages".to_owned())
    }
}

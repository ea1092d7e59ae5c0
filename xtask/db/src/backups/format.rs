//! The format of a backup: a plain database, a page list of the store, or a dump.

use std::str::FromStr;

/// How the bytes of a backup are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Format {
    /// An ordinary SQLite file.
    Plain,
    /// A list of pages that are in the page store.
    Pages,
    /// As a PostgreSQL dump: the SQL of `pg_dump`, compressed by zstd.
    Dump,
}

impl Format {
    /// All.
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Pages, Self::Dump];

    /// The word in the configuration and in flags.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Pages => "pages",
            Self::Dump => "dump",
        }
    }

    /// How the names of such backups end.
    #[must_use]
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Plain => ".bak",
            Self::Pages => ".pages",
            Self::Dump => ".dump",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        // A dump is what a PostgreSQL database has; nobody chooses it.
        let format = [Self::Plain, Self::Pages].into_iter().find(|format| format.word() == word);
        format.ok_or_else(|| "the formats are plain and pages".to_owned())
    }
}

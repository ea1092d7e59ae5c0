//! The format of a backup: a plain database or a dump, as a file of its own or in the store.

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
    /// A list of chunks of a PostgreSQL dump that are in the page store.
    Chunks,
}

impl Format {
    /// All.
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::Pages, Self::Dump, Self::Chunks];

    /// The word in the configuration and in flags.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Pages => "pages",
            Self::Dump => "dump",
            Self::Chunks => "chunks",
        }
    }

    /// How the names of such backups end.
    #[must_use]
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Plain => ".bak",
            Self::Pages => ".pages",
            Self::Dump => ".dump",
            Self::Chunks => ".chunks",
        }
    }

    /// Whether the file is a list, and the bytes of the backup are in packs.
    #[must_use]
    pub(crate) fn is_stored(self) -> bool {
        matches!(self, Self::Pages | Self::Chunks)
    }

    /// Whether it is a PostgreSQL dump.
    #[must_use]
    pub(crate) fn is_dump(self) -> bool {
        matches!(self, Self::Dump | Self::Chunks)
    }

    /// The same for a database on a server, where `pages` and `plain` decide between the two.
    #[must_use]
    pub(crate) fn on_server(self) -> Self {
        if self.is_stored() { Self::Chunks } else { Self::Dump }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        // A PostgreSQL database has the same two, in its own form.
        let format = [Self::Plain, Self::Pages].into_iter().find(|format| format.word() == word);
        format.ok_or_else(|| "the formats are plain and pages".to_owned())
    }
}

//! The formats of `db-export`: their names, and which writer each has.

use xtask_db_format::{Csv, Json, Jsonl, Sql, postgres};

/// The formats of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// One line for each row, with a header and a proof: the canonical one
    Jsonl,
    /// One document
    Json,
    /// Statements for the sqlite3 shell
    Sql,
    /// One file for each table
    Csv,
}

impl Format {
    /// Its name, which is also the extension of its files.
    #[must_use]
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Json => "json",
            Self::Sql => "sql",
            Self::Csv => "csv",
        }
    }

    /// The writer of this format; CSV goes to a folder, or as one table to a file.
    pub(super) fn writer(self, is_folder: bool) -> Box<dyn xtask_db_format::Format> {
        match self {
            Self::Jsonl => Box::new(Jsonl::default()),
            Self::Json => Box::new(Json::default()),
            Self::Sql => Box::new(Sql::default()),
            Self::Csv if is_folder => Box::new(Csv::of_folder()),
            Self::Csv => Box::new(Csv::default()),
        }
    }

    /// The same for a PostgreSQL database.
    pub(super) fn server_writer(self, is_folder: bool) -> Box<dyn postgres::Format> {
        match self {
            Self::Jsonl => Box::new(postgres::Jsonl::default()),
            Self::Json => Box::new(postgres::Json::default()),
            Self::Sql => Box::new(postgres::Sql::default()),
            Self::Csv if is_folder => Box::new(postgres::Csv::of_folder()),
            Self::Csv => Box::new(postgres::Csv::default()),
        }
    }
}

//! The migrations that were applied to a database, according to the table of its runner, else to
//! `user_version`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::host::project::schema_files;
use crate::sqlite::connection;

/// Tables in which runners record the migrations that they applied: sqlx, diesel, refinery,
/// sea-orm; dbmate and Rails; Prisma; knex.
pub(crate) const RUNNERS: [(&str, &str); 7] = [
    ("_sqlx_migrations", "version"),
    ("__diesel_schema_migrations", "version"),
    ("refinery_schema_history", "version"),
    ("seaql_migrations", "version"),
    ("schema_migrations", "version"),
    ("_prisma_migrations", "migration_name"),
    ("knex_migrations", "name"),
];

/// The migrations that a database has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Their names or numbers, if a runner wrote them down.
    named: Option<BTreeSet<String>>,
    /// `user_version`.
    version: i64,
}

impl Applied {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let version = connection::pragma(connection, "user_version")?;
        let mut named = None;
        for (table, column) in RUNNERS {
            // A view of such a name could run for ever.
            let question = "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1";
            let is_there = connection.prepare(question)?.exists([table])?;
            let question = format!("SELECT \"{column}\" FROM main.\"{table}\"");
            let Some(mut rows) = connection.prepare(&question).ok().filter(|_| is_there) else {
                continue;
            };
            let mut rows = rows.query([])?;
            let seen: &mut BTreeSet<String> = named.get_or_insert_with(BTreeSet::new);
            while let Some(row) = rows.next()? {
                seen.insert(match row.get_ref(0)? {
                    ValueRef::Integer(number) => number.to_string(),
                    value => plain(&String::from_utf8_lossy(
                        value.as_bytes_or_null()?.unwrap_or_default(),
                    )),
                });
            }
        }
        Ok(Self { named, version })
    }

    /// Those that the tables of runners name; `None` if there is no such table.
    #[must_use]
    pub(crate) fn listed(versions: Option<Vec<String>>) -> Self {
        let all = |versions: Vec<String>| versions.iter().map(|version| plain(version)).collect();
        Self { named: versions.map(all), version: 0 }
    }

    /// Whether a file's migration is among them.
    #[must_use]
    pub(crate) fn has(&self, file: &Path) -> bool {
        let number = schema_files::number_of(file);
        let Some(named) = &self.named else {
            return number.is_some_and(|number| number <= self.version);
        };
        let parts = [file.file_stem(), file.file_name(), file.parent().and_then(Path::file_name)];
        let mut parts = parts.into_iter().flatten().map(|name| name.to_string_lossy().into_owned());
        let number = number.map(|number| number.to_string());
        parts.any(|name| named.contains(&name))
            || number.is_some_and(|number| named.contains(&number))
    }
}

/// A version as a number, without leading zeros, if it is one.
fn plain(version: &str) -> String {
    version.parse::<i64>().map_or_else(|_| version.to_owned(), |number| number.to_string())
}

//! The migrations in `db/migrations/`, embedded by the build script, and how
//! they are applied.
//!
//! The number of applied migrations is `PRAGMA user_version`, which equals the
//! number in the newest applied file's name.

use anyhow::{Context as _, Result};
use rusqlite::{Connection, TransactionBehavior};
use rusqlite_migration::{M, Migrations};

/// One file of `db/migrations/`.
struct MigrationFile {
    name: &'static str,
    sql: &'static str,
}

/// All of them; the first has number 1.
const FILES: &[MigrationFile] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// The newest schema version that this build knows.
pub(crate) fn latest() -> usize {
    FILES.len()
}

/// Applies the migrations after `version` one by one, each in a transaction of
/// its own: after a failure the earlier ones stay, the failed one left nothing.
///
/// Foreign keys are off meanwhile, for a table can only be rebuilt that way
/// (<https://sqlite.org/lang_altertable.html#otheralter>), and are checked
/// before each commit.
pub(crate) fn apply(connection: &mut Connection, version: usize) -> Result<()> {
    let migrations = Migrations::new(
        FILES.iter().map(|file| M::up(file.sql).comment(file.name).foreign_key_check()).collect(),
    );
    connection
        .pragma_update(None, "foreign_keys", false)
        .context("could not turn foreign keys off")?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    for (file, number) in FILES.iter().zip(1..).skip(version) {
        migrations.to_version(connection, number).with_context(|| {
            format!(
                "could not apply `{}`: the database stays at schema version {}",
                file.name,
                number - 1
            )
        })?;
    }
    connection
        .pragma_update(None, "foreign_keys", true)
        .context("could not turn foreign keys on again")
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{apply, latest};

    fn schema(connection: &Connection) -> Vec<(String, Option<String>)> {
        let sql = "SELECT name, sql FROM sqlite_schema ORDER BY name";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn every_migration_raises_the_schema_version_by_one() {
        let mut whole = Connection::open_in_memory().unwrap();
        apply(&mut whole, 0).unwrap();
        let version: i64 = whole.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(usize::try_from(version).unwrap(), latest());

        let before = schema(&whole);
        apply(&mut whole, latest()).unwrap();
        assert_eq!(schema(&whole), before);
    }

    #[test]
    fn foreign_keys_are_on_again_afterwards() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, 0).unwrap();
        let is_on: bool =
            connection.query_row("PRAGMA foreign_keys", [], |row| row.get(0)).unwrap();
        assert!(is_on);
    }
}

//! Why rows are not imported into a PostgreSQL database.

use anyhow::Result;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::project::Database;

/// Refuses a database on a server.
///
/// # Errors
///
/// The refusal.
pub(super) fn refuse(database: &Database) -> Result<()> {
    let Some(server) = database.server() else { return Ok(()) };
    Err(Refusal::could_not(
        format!(
            "`{}` is a PostgreSQL database ({}), and `db-import` writes to SQLite databases only",
            text::plain(&database.name),
            server.place()
        ),
        "take a backup, then load SQL with `psql --set=ON_ERROR_STOP=1 --file FILE` and CSV with `\\copy` of psql; \
         `db-export` writes both",
    ))
}

//! Rows that a user keeps in tables of an extension, e.g. coordinate systems: a dump has them, and the
//! extension stays (<https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-CONFIG-TABLES>).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::psql::Psql;

/// A table of an extension, and which of its rows are the user's.
#[derive(Debug, Deserialize)]
struct Kept {
    name: String,
    condition: String,
}

/// The conditions by table, `WHERE …` or nothing. The tables have the names that a dump gives them.
pub(super) type Conditions = BTreeMap<String, String>;

const QUERY: &str = "
    SELECT format('%I.%I', nspname, relname) AS name, e.condition FROM (
      SELECT unnest(extconfig) AS oid, unnest(extcondition) AS condition FROM pg_extension) e
      JOIN pg_class c ON c.oid = e.oid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE relkind IN ('r', 'p')";

/// Deletes the user's rows, which the dump brings back.
///
/// # Errors
///
/// If the server refuses.
pub(super) fn delete(psql: &mut Psql<'_>) -> Result<Conditions> {
    let kept: Vec<Kept> = psql.rows(QUERY)?;
    let mut sql = String::new();
    for Kept { name, condition } in &kept {
        let _ = write!(sql, "DELETE FROM {name} {condition};");
    }
    psql.run(&sql)?;
    Ok(kept.into_iter().map(|kept| (kept.name, kept.condition)).collect())
}

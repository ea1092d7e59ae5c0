//! Whether a server has what a backup needs: extensions and roles.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use crate::console::refusal::Refusal;
use crate::postgres::psql::Psql;
use crate::postgres::quoting::literal;

/// What a backup needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs<'a> {
    /// Its extensions.
    pub extensions: &'a BTreeMap<String, String>,
    /// Its roles.
    pub roles: &'a [String],
}

/// Checks that the server has it.
///
/// # Errors
///
/// A refusal that names what is missing.
pub(crate) fn check(psql: &mut Psql<'_>, needs: &Needs<'_>) -> Result<()> {
    let extensions = needs.extensions.keys().map(String::as_str);
    let missing = missing(psql, extensions, "SELECT name FROM pg_available_extensions")?;
    if !missing.is_empty() {
        return Err(Refusal::could_not(
            format!(
                "the backup needs extensions that the server does not have: {}",
                list(&missing)
            ),
            "install their packages on the server, e.g. `apt install postgresql-15-postgis-3`",
        ));
    }
    let roles = needs.roles.iter().map(String::as_str);
    let missing = self::missing(psql, roles, "SELECT rolname AS name FROM pg_roles")?;
    if missing.is_empty() {
        return Ok(());
    }
    let first = crate::postgres::quoting::name(&missing[0]);
    Err(Refusal::could_not(
        format!("the backup needs roles that the server does not have: {}", list(&missing)),
        format!("create them first, e.g. `CREATE ROLE {first}`"),
    ))
}

#[derive(Debug, Deserialize)]
struct Name {
    name: String,
}

/// The names that a query does not return.
fn missing<'n>(
    psql: &mut Psql<'_>,
    names: impl Iterator<Item = &'n str>,
    query: &str,
) -> Result<Vec<String>> {
    let wanted: Vec<String> = names.map(|name| format!("({})", literal(name))).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let query = format!(
        "SELECT name FROM (VALUES {}) AS wanted (name) WHERE name NOT IN ({query}) ORDER BY 1",
        wanted.join(", ")
    );
    Ok(psql.rows::<Name>(&query)?.into_iter().map(|row| row.name).collect())
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

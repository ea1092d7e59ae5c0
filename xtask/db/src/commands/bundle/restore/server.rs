//! The server of a PostgreSQL database in a bundle: what would stop its restore is found before anything changes.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::backups::record::Postgres;
use crate::backups::vault::Vault;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::postgres::maintenance;
use crate::postgres::programs::Programs;
use crate::postgres::quoting;
use crate::postgres::server::Server;
use crate::postgres::standing::fit::{self, Needs};

#[derive(Debug, Deserialize)]
struct Major {
    major: u32,
}

#[derive(Debug, Deserialize)]
struct Found {
    n: u64,
}

/// Refuses a server that is older than the one of the bundle: it may not understand its SQL.
///
/// # Errors
///
/// A refusal; or if the server cannot be reached.
pub(super) fn demand_new_enough(
    session: &Session,
    project: &Project,
    server: &Server,
    version: &str,
) -> Result<()> {
    let programs = Programs::find(&project.search_path, session.interrupt())?;
    let mut psql = maintenance::connect(server, &programs, session.interrupt())?;
    let query = "SELECT current_setting('server_version_num')::int / 10000 AS major";
    let Major { major } = psql.row(query)?;
    psql.close()?;
    let wanted = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if wanted.is_none_or(|wanted| wanted <= major) {
        return Ok(());
    }
    Err(Refusal::could_not(
        format!(
            "{} runs PostgreSQL {major}, and the bundle is from PostgreSQL {}",
            server.place(),
            text::plain(version)
        ),
        "upgrade the server to at least that version, or leave the database out with `--skip NAME`",
    ))
}

/// Refuses what the restore of an extracted dump would fail at: a role or an extension that is missing.
///
/// # Errors
///
/// A refusal; or if the server cannot be reached.
pub(super) fn demand_fit(
    session: &Session,
    project: &Project,
    server: &Server,
    extracted: &Path,
) -> Result<()> {
    let backups = Vault::at(extracted, session.now()).backups()?;
    let record = backups.first().and_then(|backup| backup.record());
    let Some(Postgres { extensions, roles, .. }) =
        record.and_then(|record| record.postgres.as_ref())
    else {
        return Ok(());
    };
    let programs = Programs::find(&project.search_path, session.interrupt())?;
    let mut psql = maintenance::connect(server, &programs, session.interrupt())?;
    fit::check(&mut psql, &Needs { extensions, roles })?;
    psql.close()
}

/// Whether a database of the name is there.
///
/// # Errors
///
/// If the server cannot be reached.
pub(super) fn has(session: &Session, project: &Project, server: &Server) -> Result<bool> {
    let programs = Programs::find(&project.search_path, session.interrupt())?;
    let mut psql = maintenance::connect(server, &programs, session.interrupt())?;
    let name = quoting::literal(&server.database);
    let query = format!("SELECT count(*) AS n FROM pg_database WHERE datname = {name}");
    let found: Found = psql.row(&query)?;
    psql.close()?;
    Ok(found.n > 0)
}

/// Creates an empty database, which the restore then fills.
///
/// # Errors
///
/// If the server refuses.
pub(super) fn create(session: &Session, project: &Project, server: &Server) -> Result<()> {
    let programs = Programs::find(&project.search_path, session.interrupt())?;
    let mut psql = maintenance::connect(server, &programs, session.interrupt())?;
    psql.run(&format!("CREATE DATABASE {} TEMPLATE template0;", quoting::name(&server.database)))?;
    psql.close()
}

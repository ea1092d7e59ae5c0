//! How a bundle differs from the installation: files by their bytes, databases by the rows of each table.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::bundle::gather;
use crate::bundle::manifest::{Content, Entry, Item, Kind, Manifest};
use crate::commands::bundle::installation::{self, What};
use crate::console::text;
use crate::host::project::{Database, Location, Project, live_database};
use crate::host::session::Session;
use crate::postgres::dump;
use crate::postgres::programs::Programs;
use crate::sqlite::connection::quoted;

/// What the installation has otherwise, or not at all, as fragments.
///
/// # Errors
///
/// If a file or a database cannot be read.
pub(super) fn differing(
    session: &Session,
    project: &Project,
    manifest: &Manifest,
) -> Result<Vec<String>> {
    let parts = installation::parts(session, project)?;
    let mut differing = Vec::new();
    // The stream of a snapshot belongs to a moment that is gone.
    for item in manifest.items.iter().filter(|item| item.kind != Kind::Snapshot) {
        match parts.iter().find(|part| part.name == item.name).map(|part| &part.what) {
            Some(What::Path { path, .. }) => {
                for entry in &item.entries {
                    let at =
                        if entry.path.is_empty() { path.clone() } else { path.join(&entry.path) };
                    if !is_as(session, &at, entry)? {
                        differing.push(text::plain(&item.member(entry)));
                    }
                }
            }
            Some(What::Database(database)) => {
                differing.extend(differing_tables(session, project, database, item)?);
            }
            None => differing.push(format!("{} is not configured here", item.name)),
        }
    }
    Ok(differing)
}

fn is_as(session: &Session, at: &Path, entry: &Entry) -> Result<bool> {
    Ok(match &entry.content {
        Content::Folder => at.is_dir(),
        Content::Link { target } => {
            fs_err::read_link(at).is_ok_and(|found| found.as_os_str() == target.as_str())
        }
        Content::File { size_bytes, blake3 } => {
            let is_there =
                fs_err::metadata(at).is_ok_and(|meta| meta.is_file() && meta.len() == *size_bytes);
            is_there && gather::hash(at, session.interrupt())?.1 == *blake3
        }
    })
}

/// The tables of a database that have another number of rows by now, or are missing.
fn differing_tables(
    session: &Session,
    project: &Project,
    database: &Database,
    item: &Item,
) -> Result<Vec<String>> {
    let now = match &database.location {
        Location::File(_) => rows_of_file(project, database, item)?,
        Location::Server(server) => {
            let programs = Programs::find(&project.search_path, session.interrupt())?;
            let present = dump::prove(server, &programs, session.interrupt())?;
            let rows = present.proof.tables.into_iter();
            rows.map(|(table, proof)| (table, proof.rows)).collect()
        }
    };
    let differs = |(table, rows): (&String, &u64)| match now.get(table) {
        Some(there) if there == rows => None,
        Some(there) => Some(format!(
            "{}: table `{}` has {there} rows, and {rows} in the bundle",
            item.name,
            text::plain(table)
        )),
        None => Some(format!("{}: there is no table `{}`", item.name, text::plain(table))),
    };
    Ok(item.rows.iter().filter_map(differs).collect())
}

fn rows_of_file(
    project: &Project,
    database: &Database,
    item: &Item,
) -> Result<BTreeMap<String, u64>> {
    let connection = live_database::open(project, database)?;
    let mut rows = BTreeMap::new();
    for table in item.rows.keys() {
        let query = format!("SELECT count(*) FROM {}", quoted(table));
        // A table that is gone is a difference, not an error.
        if let Ok(n) = connection.query_row(&query, [], |row| row.get::<_, i64>(0)) {
            rows.insert(table.clone(), u64::try_from(n)?);
        }
    }
    Ok(rows)
}

//! One state of a database on a server, as a migration is judged by it.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use crate::migrate::on_server::schema;
use crate::migrate::state::State;
use crate::migrate::verdict::applied_migrations::{Applied, RUNNERS};
use crate::postgres::catalogue::Catalogue;
use crate::postgres::definitions::{self, Name};
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::foreign_keys::{self, Broken};
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::quoting::name;

/// What a session sees of a state, beside the rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    /// Tables and what belongs to them.
    pub(super) catalogue: Catalogue,
    others: BTreeMap<Name, String>,
    broken: Vec<Broken>,
    applied: Applied,
}

#[derive(Debug, Deserialize)]
struct Server {
    major: u32,
}

#[derive(Debug, Deserialize)]
struct Applying {
    version: Option<String>,
}

impl Sight {
    /// Reads a state.
    ///
    /// # Errors
    ///
    /// If the server refuses, or at the user's interrupt.
    pub(crate) fn read(place: Place<'_>) -> Result<Self> {
        let mut psql = Psql::connect(place.server, place.programs.any()?, place.interrupt)?;
        let Server { major } =
            psql.row("SELECT current_setting('server_version_num')::int / 10000 AS major")?;
        psql.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off;")?;
        let catalogue = Catalogue::read(&mut psql)?;
        let broken = foreign_keys::broken(&mut psql)?;
        let applied = applied(&mut psql, &catalogue)?;
        psql.close()?;
        Ok(Self { catalogue, others: definitions::read(place, major)?, broken, applied })
    }

    /// The state, with what a dump of it proves.
    #[must_use]
    pub(crate) fn state(&self, proof: &DumpProof) -> State {
        let rows = proof.tables.iter().map(|(table, proof)| (table.clone(), Some(proof.rows)));
        let orphans = self.broken.iter().zip(0..).map(|(broken, number)| {
            ((broken.child.clone(), broken.parent.clone(), number, None), broken.n_rows)
        });
        State {
            schema: schema::of(&self.catalogue, self.others.clone()),
            schema_blake3: proof.catalogue_blake3.clone(),
            content_blake3: proof.content_blake3.clone(),
            tables: rows.collect(),
            orphans: orphans.collect(),
            applied: self.applied.clone(),
            ..State::default()
        }
    }
}

/// The migrations that the tables of runners name.
fn applied(psql: &mut Psql<'_>, catalogue: &Catalogue) -> Result<Applied> {
    let mut versions = None;
    for (table, column) in RUNNERS {
        let is_it = |of: &&crate::postgres::catalogue::Table| {
            let bare = of.name.rsplit('.').next().unwrap_or_default().trim_matches('"');
            bare == table && of.columns.iter().any(|found| found.name == column)
        };
        for table in catalogue.tables.iter().filter(is_it) {
            let query = format!("SELECT {}::text AS version FROM {}", name(column), table.name);
            let rows: Vec<Applying> = psql.rows(&query)?;
            let versions: &mut Vec<String> = versions.get_or_insert_default();
            versions.extend(rows.into_iter().filter_map(|row| row.version));
        }
    }
    Ok(Applied::listed(versions))
}

//! What the record of a PostgreSQL dump proves.

use anyhow::{Context as _, Result};

use crate::backups::record::Record;
use crate::postgres::dump::proof::{DumpProof, TableProof};

/// The hashes and counts that a dump, and a database that it is loaded into, must have.
///
/// # Errors
///
/// If the record is not one of a dump.
pub(crate) fn proof(record: &Record) -> Result<DumpProof> {
    let postgres = record.postgres.as_ref().context("its record does not describe a dump")?;
    let proof = |(table, blake3): (&String, &String)| {
        let rows = record.tables.get(table).copied().flatten().unwrap_or_default();
        (table.clone(), TableProof { rows, blake3: blake3.clone() })
    };
    Ok(DumpProof {
        content_blake3: record.content_blake3.clone(),
        catalogue_blake3: record.schema_blake3.clone(),
        sql_bytes: postgres.sql_bytes,
        tables: postgres.tables.iter().map(proof).collect(),
    })
}

//! A PostgreSQL dump as a restore, a drill or a rehearsal needs it: its SQL, and what a database that it is loaded
//! into must be equal to.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::backups::backup::Backup;
use crate::backups::reader::Contents;
use crate::backups::record::of_dump;
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::restore::source::Source;

/// A dump and its record.
#[derive(Debug)]
pub(crate) struct DumpSource {
    /// Holds the file or the list.
    contents: Contents,
    blake3: String,
    /// The proof in its record.
    pub(crate) proof: DumpProof,
    client_version: String,
    extensions: BTreeMap<String, String>,
}

impl DumpSource {
    /// A backup, whose bytes the caller has compared with its record.
    ///
    /// # Errors
    ///
    /// If it has no record of a dump: then nothing could be proved.
    pub(crate) fn of(backup: &Backup) -> Result<Self> {
        let record = backup.record().context("without its record, a dump cannot be proved")?;
        let postgres = record.postgres.as_ref().context("its record does not describe a dump")?;
        let contents = Contents::open(backup)?;
        Ok(Self {
            contents,
            blake3: record.blake3.clone(),
            proof: of_dump::proof(record)?,
            client_version: postgres.client_version.clone(),
            extensions: postgres.extensions.clone(),
        })
    }

    /// The same for the engine.
    #[must_use]
    pub(crate) fn source(&self) -> Source<'_> {
        Source {
            dump: self.contents.as_dump(),
            blake3: &self.blake3,
            proof: &self.proof,
            client_version: &self.client_version,
            extensions: &self.extensions,
        }
    }
}
